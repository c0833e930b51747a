"""How the columns of a database become runs, rows and attempts again, in every SQL ledger.

Every function takes the columns of one query, in the order in which `verbs.sql` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import rules
from k3push.core.control_words import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Document,
    Follow,
    Intent,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    Step,
    StepAttempt,
    StepIntent,
    id_in,
    number_in,
)
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Doubt,
    Glance,
    InHand,
    LatelySent,
    Made,
    Memo,
    Note,
    StepRecord,
)


class _States(dict[str, State]):
    def __missing__(self, word: object) -> State:
        raise text.damaged("state", ValueError(f"{word!r} is none"))


STATES = _States({state.value: state for state in State})
"""States by the words that columns hold, since an enum's own look-up is slow."""

_NO_BILL = BillNumber("")


@text.whole
def to_run(found: Sequence[Any]) -> Run:
    """Read a run."""
    id_, scope, route, jobs, folder, started_at, *found = found
    ended_at, exit_code, again_because, whole, begun_with, archive = found
    return Run(
        id=RunId(text.to_words(id_)),
        scope=text.to_words(scope),
        route=text.to_route(route),
        jobs=tuple(orjson.loads(jobs)),
        folder=text.to_words(folder),
        started_at=text.to_time(started_at),
        ended_at=text.to_time_or_none(ended_at),
        exit=None if exit_code is None else text.to_whole_number(exit_code),
        again_because=again_because or "",
        whole=bool(whole),
        group=begun_with or "",
        archive=text.to_archive(archive),
    )


def to_glance(run: Sequence[Any], counts: str | None) -> Glance:
    """Read a run, and how many rows each state has as JSON."""
    return Glance(to_run(run), to_counts(orjson.loads(counts).items()) if counts else {})


def from_run(run: Run) -> dict[str, str | int | None]:
    """Write a run."""
    return {
        "id": run.id,
        "account": run.account,
        "scope": run.scope,
        "route": text.from_route(run.route),
        "jobs": text.from_json(run.jobs),
        "folder": run.folder,
        "started_at": text.from_time(run.started_at),
        "ended_at": text.from_time_or_none(run.ended_at),
        "exit": run.exit,
        "again_because": text.from_text(run.again_because),
        "whole": int(run.whole),
        "begun_with": run.group or None,
    }


@text.whole
def to_counts(found: Iterable[Sequence[Any]]) -> dict[State, int]:
    """Read how many rows each state has."""
    return {STATES[state]: text.to_whole_number(n) for state, n in found}


@text.whole
def to_repeats(found: Iterable[Sequence[Any]]) -> list[Repeat]:
    """Read lines that name a bill again."""
    return [
        Repeat(
            text.to_whole_number(line), BillNumber(text.to_words(number)), first, place, first_place
        )
        for place, line, number, first, first_place in found
    ]


@text.whole
def to_rows(found: Iterable[Sequence[Any]]) -> list[Row]:
    """Read rows; those of one chunk share their times, which are read once."""
    to_time = cache(text.to_time_or_none)
    return [
        Row(
            place,
            line,
            number,
            bill or _NO_BILL,
            STATES[state],
            text.to_targets(targets),
            code or "",
            reason or "",
            attempts,
            chunk or 0,
            to_time(sent_at),
            to_time(settled_at),
            listed_id,
            source_id or "",
        )
        for (
            place,
            line,
            number,
            bill,
            state,
            targets,
            code,
            reason,
            attempts,
            chunk,
            sent_at,
            settled_at,
            listed_id,
            source_id,
        ) in found
    ]


@text.whole
def to_attempt(found: Sequence[Any]) -> AttemptRecord:
    """Read an attempt with what came of it."""
    id_, run_id, chunk, nth, began_at, boot, uptime_s, *found = found
    numbers, before, request, sender, ended_at, verdict, *exchange = found
    intent = Intent(
        run=RunId(run_id),
        chunk=chunk,
        nth=nth,
        numbers=text.to_numbers(numbers),
        before=text.to_before(before),
        request=text.to_bytes(request),
        began_at=text.to_time(began_at),
        uptime=text.to_uptime(boot, uptime_s),
        sender=sender,
    )
    return AttemptRecord(
        attempt=Attempt(id_, intent),
        exchange=text.to_exchange(*exchange),
        verdict=text.to_words(verdict or ""),
        ended_at=text.to_time_or_none(ended_at),
    )


def from_intent(intent: Intent) -> dict[str, str | float | bytes | None]:
    """Write an attempt that is about to be made."""
    return {
        "chunk": intent.chunk,
        "nth": intent.nth,
        "numbers": text.from_json(intent.numbers),
        "before": text.from_before(intent.before),
        "began_at": text.from_time(intent.began_at),
        "boot": text.from_text(intent.uptime.boot),
        "uptime_s": float(intent.uptime.seconds),
        "sender": text.from_text(intent.sender) or "",
        "request": text.from_bytes(intent.request),
    }


@text.whole
def to_lately_sent(found: Sequence[Any]) -> LatelySent:
    """Read an attempt with the bills that were asked for."""
    pairs, *attempt = found
    called = rules.called_then((BillNumber(a), BillNumber(b)) for a, b in orjson.loads(pairs))
    return LatelySent(to_attempt(attempt), called)


@text.whole
def to_in_hand(found: Iterable[Sequence[Any]]) -> dict[str, list[InHand]]:
    """Read which runs have bills on their way or in doubt, by the ids of these."""
    held: dict[str, list[InHand]] = {}
    for id_, run_id, bill in found:
        held.setdefault(id_, []).append(InHand(RunId(run_id), BillNumber(bill)))
    return held


@text.whole
def to_made(found: Sequence[Any]) -> Made:
    """Read what a run has made of a bill."""
    run_id, bill, state, targets, *code = found
    made = text.to_targets(targets)
    return Made(RunId(run_id), BillNumber(bill), STATES[state], made, "".join(filter(None, code)))


@text.whole
def to_made_of(found: Iterable[Sequence[Any]]) -> dict[BillNumber, Made]:
    """Read what runs have made of what may be the bills that were asked for; the last counts."""
    made: dict[BillNumber, Made] = {}
    for asked, asked_id, bill, id_, run_id, *what in found:
        if rules.may_be_bill(asked, asked_id, bill, id_ or ""):
            made[asked] = rules.later_of(made.get(asked), to_made((run_id, asked, *what)))
    return made


@text.whole
def to_made_of_namesakes(found: Iterable[Sequence[Any]]) -> dict[BillNumber, frozenset[str]]:
    """Read what was made of other bills of the numbers that were asked for."""
    made: dict[BillNumber, frozenset[str]] = {}
    for asked, bill, id_, targets in found:
        same_number = number_in(bill) == number_in(asked)
        if same_number and not rules.may_be_one(id_in(asked), id_ or ""):
            ids = frozenset(target.id for target in text.to_targets(targets))
            made[asked] = made.get(asked, frozenset()) | ids
    return {asked: ids for asked, ids in made.items() if ids}


@text.whole
def to_note(found: Sequence[Any]) -> Note:
    """Read a note."""
    id_, number, at, run_id, words = found
    return Note(id_, BillNumber(number), text.to_time(at), RunId(run_id), text.to_words(words))


@text.whole
def to_memo(found: Sequence[Any]) -> Memo:
    """Read a memo."""
    kind, id_, at, value, about, is_open, version = found
    return Memo(
        kind=text.to_words(kind),
        id=text.to_words(id_),
        at=text.to_time(at),
        value=dict(orjson.loads(value)),
        about=text.to_words(about),
        open=bool(is_open),
        version=text.to_whole_number(version),
    )


def from_memo(memo: Memo) -> dict[str, str | int]:
    """Write a memo, but for its time and its version."""
    return {
        "kind": memo.kind,
        "id": memo.id,
        "value": text.from_text(text.from_json(memo.value)) or "",
        "about": memo.about,
        "open": int(memo.open),
    }


@text.whole
def to_commanded(found: Sequence[Any]) -> Commanded:
    """Read a command."""
    number, words, given_at, obeyed_at, on_their_way = found
    return Commanded(
        id=number,
        command=Command.parse(words.split(" ")),
        given_at=text.to_time(given_at),
        obeyed_at=text.to_time_or_none(obeyed_at),
        on_their_way=on_their_way,
    )


@text.whole
def to_doubts(run: RunId, found: Iterable[Sequence[Any]]) -> list[Doubt]:
    """Read doubts; the mapping that a chunk's numbers share is read once."""
    to_before = cache(text.to_before)
    return [
        Doubt(
            run,
            bill,
            attempt,
            text.to_time(began_at),
            text.to_uptime(boot, uptime_s),
            to_before(before).get(bill, ()),
            sender=sender,
            alone=carried == 1,
            id=(id_ if listed else "") or "",
            source_id=id_ or "",
        )
        for bill, attempt, began_at, boot, uptime_s, before, sender, carried, listed, id_ in found
    ]


@text.whole
def to_document(found: Sequence[Any]) -> Document:
    """Read a document that a run follows."""
    id_, number, sender, follow, reason, step = found
    return Document(
        id=text.to_words(id_),
        number=text.to_words(number),
        follow=Follow(follow or ""),
        reason=reason or "",
        step=step or 0,
        sender=text.to_words(sender),
    )


def from_document(document: Document) -> dict[str, str | None]:
    """Write a document that a run follows."""
    return {
        "id": document.id,
        "number": text.from_text(document.number) or "",
        "sender": text.from_text(document.sender) or "",
        "follow": document.follow.value or None,
        "reason": text.from_text(document.reason),
    }


@text.whole
def to_step(found: Sequence[Any]) -> StepRecord:
    """Read an attempt at a step with what came of it."""
    id_, run_id, kind, ids, stood, began_at, boot, uptime_s, request, *found = found
    sender, ended_at, verdict, *exchange = found
    intent = StepIntent(
        run=RunId(run_id),
        step=Step(kind),
        ids=tuple(orjson.loads(ids)),
        status=text.to_words(stood),
        request=text.to_bytes(request),
        began_at=text.to_time(began_at),
        uptime=text.to_uptime(boot, uptime_s),
        sender=sender,
    )
    return StepRecord(
        attempt=StepAttempt(id_, intent),
        exchange=text.to_exchange(*exchange),
        verdict=text.to_words(verdict or ""),
        ended_at=text.to_time_or_none(ended_at),
    )


def from_step(intent: StepIntent) -> dict[str, str | float | bytes | None]:
    """Write an attempt at a step that is about to be made."""
    return {
        "kind": intent.step.value,
        "ids": text.from_json(intent.ids),
        "stood": text.from_text(intent.status) or "",
        "began_at": text.from_time(intent.began_at),
        "boot": text.from_text(intent.uptime.boot),
        "uptime_s": float(intent.uptime.seconds),
        "sender": text.from_text(intent.sender) or "",
        "request": text.from_bytes(intent.request),
    }
