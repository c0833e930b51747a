"""`explain`: what happened to a number, from first to last, with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from k3push.cli.actions.show_runs import print_runs
from k3push.cli.console.screen import screen
from k3push.config.settings import Settings
from k3push.core.advice.diagnosis import advise, advise_of_doubt, code_of, code_of_step
from k3push.core.model import BillNumber, Row, RunId, State, number_in
from k3push.core.remark import remark
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.ports import AttemptRecord, Ledger, StepRecord
from k3push.reporting.packed_rows import moment, words_of
from k3push.reporting.part_of_bill import part_of_bill
from k3push.reporting.phrases import act_line, step_line
from k3push.reporting.results_folder import read_causes
from k3push.reporting.summary import NO_LOOK_SETTLES, advice_lines, cause_lines
from k3push.runs.find import RunFilter, runs_beside
from k3push.runs.kept_in_ledger.request_stages import acts_about
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, steps_of_row, with_follow
from k3push.runs.kept_in_ledger.row_search import (
    MOST_FOUND,
    is_long_enough,
    rows_holding,
    rows_under,
)
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.waiting_plans import names_of, plans_naming
from k3push.words.language import Say, harmless

if TYPE_CHECKING:
    from k3push.adapters.archive_files import Told

# What is longer is cut on the terminal, unless all of it was asked for.
MOST_SHOWN = 4000

MOST_CALLED = 20
"""Runs that are shown where their list or user is asked for in place of a number."""


async def explain(config: Path | None, number: str, say: Say, *, whole: bool = False) -> Exit:
    """Print every row, request, answer and note of one number.

    Args:
        config: The configuration file.
        number: The number, or a part of one.
        say: Sentences.
        whole: Requests and answers are shown with the parts of other bills, and not cut.
    """
    console = screen(soft_wrap=True, highlight=False, markup=False)
    settings = load_settings(config)
    async with ledger_of(settings) as ledger:
        last = await _last_command(ledger)

        def about(run: RunId) -> Say:
            return say if run in last else say.about(run)

        rows = await rows_under(ledger, BillNumber(number.strip()))
        if not rows:
            if not await _print_found(ledger, number.strip(), say, about):
                why = await anyio.to_thread.run_sync(_why_none, settings, number)
                raise Problem(why if last else remark("error.no_runs"))
            return Exit.DONE
        steps: dict[int, StepRecord] = {}
        for run, row in rows:
            (followed,) = await with_follow(ledger, run, [row])
            for_person = await _lines_for_person(ledger, run, row, about(run))
            for line in _row_lines(run, followed, about(run), hopeless=bool(for_person)):
                console.print(line)
            for line in for_person:
                console.print("  " + line)
            steps |= {kept.attempt.id: kept for kept in await steps_of_row(ledger, run, row)}
            if (of := await ledger.run(run)) is not None and of.archive is not None:
                facts = {
                    "run": run,
                    "number": number.strip(),
                    "file": settings.archive_path(of.archive),
                }
                console.print("  " + say("explain.archived", **facts))
        bills = dict.fromkeys(row.key for _, row in rows)
        shown = _shown_whole if whole else partial(_shown, names=_names_in(rows), say=say)
        told = [
            (r.attempt.intent.began_at, _attempt_lines(r, say, shown))
            for bill in bills
            for r in await ledger.attempts_of(bill)
        ]
        told += [
            (note.at, [f"{moment(note.at)}  {say.said(note.text)}"])
            for bill in bills
            for note in await ledger.notes_of(bill)
        ]
        told += [
            (each.attempt.intent.began_at, _call_lines(step_line(each, say), each, say, shown))
            for each in steps.values()
        ]
        told += [
            (act.at, [f"{moment(act.at)}  {act_line(act, say)}"])
            for run in dict.fromkeys(run for run, _ in rows)
            for act in await acts_about(ledger, run)
        ]
    _print_in_order(told)
    return Exit.DONE


async def _print_found(ledger: Ledger, words: str, say: Say, about: Callable[[RunId], Say]) -> bool:
    """Print plans, runs and rows in which words stand; say whether there are any."""
    console = screen(soft_wrap=True, highlight=False, markup=False)
    rows = await rows_holding(ledger, words)
    called = await RunFilter(words=words).of(ledger, MOST_CALLED)
    plans = await plans_naming(ledger, words)
    for plan in plans:
        console.print(say("explain.plan", id=plan.id, list=names_of(plan)))
    print_runs(called, {run.id: await ledger.counts(run.id) for run in called}, say)
    for run, row in rows:
        (followed,) = await with_follow(ledger, run, [row])
        for line in _row_lines(run, followed, about(run), name=row.label):
            console.print(line)
    if len(rows) >= MOST_FOUND:
        shown = say("explain.more_rows", count=len(rows))
        screen(stderr=True, highlight=False).print(shown)
    return bool(rows or called or plans)


async def _last_command(ledger: Ledger) -> set[RunId]:
    """Return the runs of the last command, which advice need not name."""
    newest = await ledger.runs(last=1)
    return {each.id for run in newest for each in await runs_beside(ledger, run)}


def _why_none(settings: Settings, number: str) -> str:
    """Say that no run has a number, and where else it may be, or how it is found."""
    if not is_long_enough(number.strip()):
        return remark("error.short_part", words=number.strip())
    from k3push.adapters.archive_files import archives_in  # noqa: PLC0415  # as below

    folder = settings.archive_folder
    with suppress(OSError):  # whoever may not look at it is told of none
        if folder.is_dir() and archives_in(folder):
            return remark("error.no_number_left", number=number, folder=folder)
    return remark("error.no_number", number=number)


async def explain_archived(
    config: Path | None, number: str, archive: Path, say: Say, *, whole: bool = False
) -> Exit:
    """Print every row, request, answer and note of one number that archives tell of."""
    from k3push.adapters.archive_files import (  # noqa: PLC0415  # few look into archives
        ArchiveFileError,
        archives_in,
        told_of,
    )

    account, bill = load_settings(config).erp.acct_id, BillNumber(number.strip())
    broken: list[ArchiveFileError] = []

    def look() -> Iterator[Told]:
        for path in archives_in(archive):
            try:
                told = told_of(path, account, bill)
            except ArchiveFileError as error:
                # The others of a folder tell what they know nevertheless.
                broken.append(error)
                continue
            if told is None and not archive.is_dir():
                raise Problem(remark("error.archive.other", path=archive))
            if told is not None and told.rows:
                yield told

    found = await anyio.to_thread.run_sync(lambda: list(look()))
    if found:
        _print_told(found, say, whole=whole)
    for error in broken[:1]:
        said = {"said": error} if error.why == "unreadable" else {}
        raise Problem(remark(f"error.archive.{error.why}", path=error.path, **said)) from error
    if not found:
        raise Problem(remark("error.not_archived", number=number, path=archive))
    return Exit.DONE


def _print_told(found: Sequence[Told], say: Say, *, whole: bool) -> None:
    """Print what archives tell of a number."""
    names = _names_in([(told.run, row) for told in found for row in told.rows])
    shown = _shown_whole if whole else partial(_shown, names=names, say=say)
    console = screen(soft_wrap=True, highlight=False, markup=False)
    for told in found:
        for row in told.rows:
            for line in _row_lines(told.run, FollowedRow(row), say):
                console.print(line)
    _print_in_order(
        [
            *(
                (each.attempt.intent.began_at, _attempt_lines(each, say, shown))
                for told in found
                for each in told.attempts
            ),
            *(
                (note.at, [f"{moment(note.at)}  {say.said(note.text)}"])
                for told in found
                for note in told.notes
            ),
        ]
    )


def _print_in_order(told: Sequence[tuple[datetime, Sequence[str]]]) -> None:
    """Print paragraphs by the time that each tells of."""
    console = screen(soft_wrap=True, highlight=False, markup=False)
    for _, lines in sorted(told, key=lambda each: each[0]):
        console.print()
        for line in lines:
            console.print(line)


async def _lines_for_person(ledger: Ledger, name: RunId, row: Row, say: Say) -> list[str]:
    """Say why no look can settle a number in doubt, if its run has ended with that."""
    run = await ledger.run(name) if row.state is State.UNKNOWN else None
    if run is None or run.exit is None:
        return []
    causes = await anyio.to_thread.run_sync(read_causes, run, await ledger.counts(name))
    told = {cause: why for cause, why in causes.items() if cause in NO_LOOK_SETTLES}
    return cause_lines(told, say)


def _row_lines(
    run: RunId, followed: FollowedRow, say: Say, name: str = "", *, hopeless: bool = False
) -> list[str]:
    row, follow, why = followed
    targets = ", ".join(t.number or say("explain.draft", id=t.id) for t in row.targets)
    name, targets, code = map(harmless, (name, targets, row.code))
    reason = say.said(row.reason)
    parts = [
        name,
        say("explain.run", run=run),
        say("explain.line", line=row.line),
        say("explain.id", id=row.shown_id) if row.shown_id else "",
        say(f"state.{row.state}"),
        targets,
        code,
        reason,
    ]
    advice = advise(code_of(row), row.reason)
    if hopeless:
        advice = advise_of_doubt(advice, row.reason)
    line = " · ".join(part for part in parts if part)
    lines = [line, *advice_lines(advice, reason, say, indent=2)]
    if follow.value:
        reason = say.said(why)
        what = " · ".join(part for part in (say(f"follow.{follow}"), reason) if part)
        lines.append("  " + say("explain.follow", what=what))
        if follow in FOR_PERSON:
            lines += advice_lines(advise(code_of_step(follow), why), reason, say, indent=2)
    return lines


def _names_in(rows: Sequence[tuple[RunId, Row]]) -> frozenset[str]:
    """Return the numbers and ids of a bill and of its documents."""
    return frozenset(
        name
        for _, row in rows
        for name in (
            row.shown_number,
            number_in(row.bill),
            row.shown_id,
            *(each for target in row.targets for each in (target.number, target.id)),
        )
        if name
    )


def _attempt_lines(record: AttemptRecord, say: Say, shown: Callable[[bytes], str]) -> list[str]:
    intent = record.attempt.intent
    attempt = say(
        "explain.attempt",
        id=record.attempt.id,
        run=intent.run,
        chunk=intent.chunk,
        nth=intent.nth,
        count=len(intent.numbers),
    )
    return _call_lines(attempt, record, say, shown)


def _call_lines(
    what: str, record: AttemptRecord | StepRecord, say: Say, shown: Callable[[bytes], str]
) -> list[str]:
    """Tell of a call, what came back, and what was made of that; *shown* says how."""
    intent = record.attempt.intent
    lines = [
        f"{moment(intent.began_at)}  {what}",
        "  " + say("explain.request", what=shown(intent.request)),
        "  " + say("explain.answer", what=words_of(record.exchange, say, shown)),
    ]
    if record.verdict:
        lines.append("  " + say("explain.verdict", what=record.verdict))
    return lines


def _shown_whole(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _shown(body: bytes, names: frozenset[str], say: Say) -> str:
    """Return what a body says of a bill, cut where that grows too long."""
    text = part_of_bill(_shown_whole(body), names, lambda count: say("explain.others", count=count))
    if len(text) <= MOST_SHOWN:
        return text
    return text[:MOST_SHOWN] + say("explain.cut", bytes=len(body))
