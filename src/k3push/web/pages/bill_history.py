"""What happened to a bill, in the order of time: calls that had it in them, and notes about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from k3push.core.model import Row, RunId
from k3push.ports import AttemptRecord, Ledger, Note, StepRecord
from k3push.reporting.packed_rows import moment, shown, words_of
from k3push.reporting.phrases import act_line, step_line
from k3push.runs.kept_in_ledger.request_stages import Act, acts_about
from k3push.runs.kept_in_ledger.row_pages import steps_of_row
from k3push.words.language import Say


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a bill.

    Attributes:
        bodies: What was sent and came back, by the keys of their names; nothing of a note.
        text: The verdict, or the note.
    """

    at: datetime
    heading: str
    bodies: Sequence[tuple[str, str]]
    text: str


async def events_of(ledger: Ledger, found: Sequence[tuple[RunId, Row]], say: Say) -> list[Event]:
    """Return what happened to rows, of whichever runs, in those runs."""
    mine = {run for run, _ in found}
    steps: dict[int, StepRecord] = {}
    for run, row in found:
        steps |= {step.attempt.id: step for step in await steps_of_row(ledger, run, row)}
    events = [_step(each, say) for each in steps.values()]
    for bill in dict.fromkeys(row.key for _, row in found):
        attempts = await ledger.attempts_of(bill)
        notes = await ledger.notes_of(bill)
        events += [_attempt(each, say) for each in attempts if each.attempt.intent.run in mine]
        events += [_note(each, say) for each in notes if each.run in mine]
    events += [_act(act, say) for run in mine for act in await acts_about(ledger, run)]
    return sorted(events, key=lambda each: each.at)


def _attempt(kept: AttemptRecord, say: Say) -> Event:
    intent = kept.attempt.intent
    heading = say(
        "report.attempt",
        at=moment(intent.began_at),
        id=kept.attempt.id,
        chunk=intent.chunk,
        nth=intent.nth,
        n=len(intent.numbers),
    )
    return _call(kept, heading, say)


def _step(kept: StepRecord, say: Say) -> Event:
    heading = f"{moment(kept.attempt.intent.began_at)} · {step_line(kept, say)}"
    return _call(kept, heading, say)


def _call(kept: AttemptRecord | StepRecord, heading: str, say: Say) -> Event:
    intent = kept.attempt.intent
    answer = words_of(kept.exchange, say, shown)
    bodies = [("report.request", shown(intent.request)), ("report.answer", answer)]
    return Event(intent.began_at, heading, bodies, say.said(kept.verdict))


def _act(act: Act, say: Say) -> Event:
    return Event(act.at, moment(act.at), (), act_line(act, say))


def _note(note: Note, say: Say) -> Event:
    return Event(note.at, moment(note.at), (), say.said(note.text))
