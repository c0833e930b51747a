"""`status`, `runs`, `explain` and `export`: everything that only looks at the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path, PurePath
from typing import Literal

import anyio.to_thread
from rich.markup import escape
from rich.table import Table

from k3push.adapters.clock import SystemClock
from k3push.cli.console.screen import put_json, screen
from k3push.config.settings import Settings
from k3push.core.advice.clusters import TOLD
from k3push.core.advice.diagnosis import advise, advise_of_doubt, code_of, code_of_step
from k3push.core.model import BillNumber, Row, Run, RunId, State
from k3push.core.remark import remark
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.ports import AttemptRecord, Commanded, Ledger, StepRecord
from k3push.reporting.packed_rows import moment, words_of
from k3push.reporting.phrases import act_line, order_lines, step_line
from k3push.reporting.report import write_report
from k3push.reporting.results import MOST_READ, clusters_of, read_causes
from k3push.reporting.summary import (
    NO_LOOK_SETTLES,
    advice_lines,
    cause_lines,
    follow_line,
    next_step,
    odd_lines,
    reason_lines,
    results_line,
    state_table,
)
from k3push.reporting.table_files import Form, csv_table, jsonl_table, local, write_table
from k3push.runs.control import is_paused, orders_of
from k3push.runs.find import (
    MOST_NAMED,
    RunFilter,
    find_run,
    living_beside,
    rows_holding,
    runs_beside,
)
from k3push.runs.outcome import Exit, ending_of, exit_of, followed_of
from k3push.runs.problem import Problem
from k3push.runs.request_stages import acts_about, steps_asked_for
from k3push.runs.row_pages import FollowedRow, steps_of_row, with_follow
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.outputs import check_output, jobs_of
from k3push.words.language import Say, harmless

# An answer longer than this is cut on the terminal; the ledger has it whole.
MOST_SHOWN = 4000


# Runs that are named where the beginning of an id fits several.
async def status(config: Path | None, name: str | None, say: Say) -> Exit:
    """Print how a run stands, why numbers came to nothing, and what to do next."""
    settings = load_settings(config)
    async with ledger_of(settings) as ledger:
        run = await find_run(ledger, name)
        beside = await runs_beside(ledger, run)
        living = await living_beside(ledger, run)
        if name is None and living is not None:
            run = living
        counts = await ledger.counts(run.id)
        alive = living is not None and living.id == run.id
        commands = await ledger.commands(run.id) if alive else ()
        paused = is_paused(commands)
        # A living run asks about what is unknown, so to advise `settle` would be wrong.
        told = [state for state in TOLD if not (alive and state is State.UNKNOWN)]
        clusters = await clusters_of(ledger, run, told)
        twins, partly = await ledger.twins(run.id), await ledger.partly(run.id)
        steps = await steps_asked_for(ledger, run.id, settings.steps_of(run))
        followed = await followed_of(ledger, run, steps)
    unread = sum(counts.get(state, 0) for state in told) - MOST_READ
    console = screen(soft_wrap=True, highlight=False)
    started = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    how = _how(run, living, say)
    console.print(
        f"{escape(harmless(run.id))}  {escape(harmless(run.route.name))}  {started}  {how}"
    )
    for line in _steered(run, commands, settings.run.window, say) if alive else ():
        console.print(line, markup=False)
    if counts:
        console.print(state_table(counts, say))
    if line := follow_line(followed, say):
        console.print("  " + line, markup=False)
    # A person's word may have moved rows since the execution ended.
    causes = read_causes(run, counts) if living is None and run.exit is not None else {}
    for line in reason_lines(clusters, say, causes=causes):
        console.print(escape(line))
    notes = {
        "    " + say("status.unread", rows=unread): unread > 0,
        **{f"  [red]{escape(line)}[/]": 1 for line in odd_lines(say, twins=twins, partly=partly)},
        "  " + say("status.asks"): alive and not paused and counts.get(State.UNKNOWN),
    }
    for note in (note for note, applies in notes.items() if applies):
        console.print(note)
    if living is None and run.exit is not None:
        for line in cause_lines(causes, say):
            console.print(f"[yellow]{escape(line)}[/]")
        code = exit_of(counts, causes, odd=twins + partly, followed=followed)
        console.print(next_step(counts, code, say, followed))
    last = (
        results_line(run, say),
        _beside_line(run, beside, living, say),
        _archived_line(run, settings, say),
    )
    for line in filter(None, last):
        console.print(escape(line))
    return Exit.DONE


def _archived_line(run: Run, settings: Settings, say: Say) -> str:
    """Say that a run is archived, and where; "" for one that is not."""
    if run.archive is None:
        return ""
    day = f"{run.archive.at.astimezone():%Y-%m-%d}"
    return say("ledger.archived_in", file=settings.archive_path(run.archive), day=day)


def _beside_line(run: Run, beside: Sequence[Run], living: Run | None, say: Say) -> str:
    """Say which other runs the command of a run has, and how they stand; "" for none."""
    others = [
        f"{harmless(each.id)} {_how(each, living, say)}" for each in beside if each.id != run.id
    ]
    shown = "; ".join(others[:MOST_NAMED]) + ("; …" if len(others) > MOST_NAMED else "")
    return say("status.beside", count=len(beside), others=shown) if others else ""


def _how(run: Run, living: Run | None, say: Say) -> str:
    """Say whether a run goes on or how it ended; *living* is the one of its command that does."""
    if living is not None and living.id == run.id:
        return say("status.alive")
    if run.exit is not None:
        return say("status.exit", code=run.exit)
    return say("status.killed" if living is None else "status.waits")


def _steered(run: Run, commands: Sequence[Commanded], window: str, say: Say) -> list[str]:
    """Say what a person has made of a run that is under way, since when, and what ends a pause."""
    lines = order_lines(orders_of(commands, window, SystemClock().now()), say)
    if is_paused(commands):
        lines.insert(1, say("status.paused", run=run.id))
    return [f"  {line}" for line in lines]


LONGEST_LINE = 4000

MOST_CALLED = 20
"""Runs that are shown where their list or user is asked for in place of a number."""


async def runs(
    config: Path | None, wanted: RunFilter, say: Say, *, limit: int | None, json: bool
) -> Exit:
    """Print runs, the newest first."""
    async with ledger_of(load_settings(config)) as ledger:
        found = await wanted.of(ledger, limit)
        counts = {run.id: await ledger.counts(run.id) for run in found}
    if json:
        told = [_run_as_json(run, counts[run.id]) for run in found]
        put_json(told)
        return Exit.DONE
    _print_runs(found, counts, say)
    return Exit.DONE


def _print_runs(
    found: Sequence[Run], counts: Mapping[RunId, Mapping[State, int]], say: Say
) -> None:
    """Print a table of runs; of none, nothing."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="")
    for key in ("run", "route", "exit", "list", "numbers"):
        table.add_column(say(f"explain.head.{key}"), no_wrap=True, overflow="ignore")
    for run in found:
        numbers = " · ".join(
            f"{say(f'state.{state}')} {counts[run.id][state]}"
            for state in State
            if counts[run.id].get(state)
        )
        code = "-" if run.exit is None else str(run.exit)
        names = ", ".join(PurePath(job).name for job in run.jobs)
        route = escape(harmless(run.route.name))
        table.add_row(escape(harmless(run.id)), route, code, escape(harmless(names)), numbers)
    if found:
        # A line is longer than a terminal rather than cut: its id is copied from here.
        screen(width=LONGEST_LINE, highlight=False).print(table, soft_wrap=True)


def _run_as_json(run: Run, counts: Mapping[State, int]) -> dict[str, object]:
    return {
        "run": run.id,
        "route": run.route.name,
        "exit": run.exit,
        "jobs": list(run.jobs),
        "started_at": local(run.started_at),
        "ended_at": local(run.ended_at),
        "counts": {state.value: counts[state] for state in State if state in counts},
    }


async def explain(config: Path | None, number: str, say: Say) -> Exit:
    """Print every row, request, answer and note of one number."""
    console = screen(soft_wrap=True, highlight=False, markup=False)
    settings = load_settings(config)
    async with ledger_of(settings) as ledger:
        rows = await ledger.rows_of(BillNumber(number.strip()))
        if not rows:
            rows = await rows_holding(ledger, number.strip())
            called = await RunFilter(words=number.strip()).of(ledger, MOST_CALLED)
            if not rows and not called:
                raise Problem(remark("error.no_number", number=number))
            _print_runs(called, {run.id: await ledger.counts(run.id) for run in called}, say)
            for run, row in rows:
                (followed,) = await with_follow(ledger, run, [row])
                for line in _row_lines(run, followed, say, name=row.label):
                    console.print(line)
            return Exit.DONE
        steps: dict[int, StepRecord] = {}
        for run, row in rows:
            (followed,) = await with_follow(ledger, run, [row])
            for_person = await _lines_for_person(ledger, run, row, say)
            for line in _row_lines(run, followed, say, hopeless=bool(for_person)):
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
        told = [
            (r.attempt.intent.began_at, _attempt_lines(r, say))
            for bill in bills
            for r in await ledger.attempts_of(bill)
        ]
        told += [
            (note.at, [f"{moment(note.at)}  {say.said(note.text)}"])
            for bill in bills
            for note in await ledger.notes_of(bill)
        ]
        told += [
            (each.attempt.intent.began_at, _call_lines(step_line(each, say), each, say))
            for each in steps.values()
        ]
        told += [
            (act.at, [f"{moment(act.at)}  {act_line(act, say)}"])
            for run in dict.fromkeys(run for run, _ in rows)
            for act in await acts_about(ledger, run)
        ]
    _print_in_order(told)
    return Exit.DONE


async def explain_archived(config: Path | None, number: str, archive: Path, say: Say) -> Exit:
    """Print every row, request, answer and note of one number that archives tell of."""
    from k3push.adapters.archive_files import (  # noqa: PLC0415  # few look into archives
        ArchiveFileError,
        Told,
        archives_in,
        told_of,
    )

    account, bill = load_settings(config).erp.acct_id, BillNumber(number.strip())

    def look() -> list[Told]:
        found = [(path, told_of(path, account, bill)) for path in archives_in(archive)]
        if not archive.is_dir() and found[0][1] is None:
            raise Problem(remark("error.archive.other", path=archive))
        return [told for _, told in found if told is not None and told.rows]

    try:
        found = await anyio.to_thread.run_sync(look)
    except ArchiveFileError as error:
        said = {"said": error} if error.why == "unreadable" else {}
        raise Problem(remark(f"error.archive.{error.why}", path=error.path, **said)) from error
    if not found:
        raise Problem(remark("error.not_archived", number=number, path=archive))
    console = screen(soft_wrap=True, highlight=False, markup=False)
    for told in found:
        for row in told.rows:
            for line in _row_lines(told.run, FollowedRow(row), say):
                console.print(line)
    _print_in_order(
        [
            *(
                (each.attempt.intent.began_at, _attempt_lines(each, say))
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
    return Exit.DONE


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


FileFormat = Literal["csv", "jsonl", "xlsx", "parquet"]


async def export(
    config: Path | None,
    name: str | None,
    say: Say,
    *,
    form: FileFormat | None,
    output: Path,
    states: Collection[State],
) -> Exit:
    """Write the rows of a run to a file; without a *form*, the file's extension says which."""
    settings = load_settings(config)
    check_output(output, settings=[settings])
    table = _table(form, output)
    async with ledger_of(settings) as ledger:
        run = await _whole_run(ledger, name, settings)
        check_output(output, jobs=jobs_of(run))
        try:
            count = await write_table(ledger, run, output, table, states)
        except OSError as error:
            why = error.strerror or error
            raise Problem(remark("error.file", path=output, why=why)) from error
    screen(stderr=True, soft_wrap=True).print(
        say("notice.exported", count=count, path=output), highlight=False, markup=False
    )
    return Exit.DONE


async def report(config: Path | None, name: str | None, say: Say, output: Path) -> Exit:
    """Write the page of a run."""
    settings = load_settings(config)
    check_output(output, settings=[settings])
    async with ledger_of(settings) as ledger:
        run = await _whole_run(ledger, name, settings)
        check_output(output, jobs=jobs_of(run))
        counts = await ledger.counts(run.id)
        causes = read_causes(run, counts) if run.exit is not None else {}
        unverified = settings.erp.verify is False
        steps = await steps_asked_for(ledger, run.id, settings.steps_of(run))
        ending = await ending_of(ledger, run, causes, unverified=unverified, steps=steps)
        try:
            await write_report(ledger, ending, output, say, now=SystemClock().now())
        except OSError as error:
            raise Problem(remark("error.file", path=output, why=error.strerror)) from error
    screen(stderr=True, soft_wrap=True).print(
        say("notice.report", path=output), highlight=False, markup=False
    )
    return Exit.DONE


async def _whole_run(ledger: Ledger, name: str | None, settings: Settings) -> Run:
    """Find a run of which the ledger has all rows.

    Raises:
        Problem: There is none, or it is archived.
    """
    run = await find_run(ledger, name)
    if run.archive is not None:
        raise Problem(remark("error.archived", run=run.id, file=settings.archive_path(run.archive)))
    return run


def _table(form: FileFormat | None, output: Path) -> Form:
    """Return what writes a format; those that need a library of their own are imported here."""
    match form or output.suffix.lower()[1:]:
        case "jsonl":
            return jsonl_table
        case "xlsx":
            from k3push.reporting.xlsx_table import xlsx_table  # noqa: PLC0415

            return xlsx_table
        case "parquet":
            try:
                from k3push.reporting.parquet_table import parquet_table  # noqa: PLC0415
            except ImportError as error:
                raise Problem(remark("error.no_parquet", why=error)) from error
            return parquet_table
        case _:
            return csv_table


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


def _attempt_lines(record: AttemptRecord, say: Say) -> list[str]:
    intent = record.attempt.intent
    attempt = say(
        "explain.attempt",
        id=record.attempt.id,
        run=intent.run,
        chunk=intent.chunk,
        nth=intent.nth,
        count=len(intent.numbers),
    )
    return _call_lines(attempt, record, say)


def _call_lines(what: str, record: AttemptRecord | StepRecord, say: Say) -> list[str]:
    """Tell of a call, what came back, and what was made of that."""
    intent = record.attempt.intent
    shown = partial(_shown, say=say)
    lines = [
        f"{moment(intent.began_at)}  {what}",
        "  " + say("explain.request", what=shown(intent.request)),
        "  " + say("explain.answer", what=words_of(record.exchange, say, shown)),
    ]
    if record.verdict:
        lines.append("  " + say("explain.verdict", what=record.verdict))
    return lines


def _shown(body: bytes, say: Say) -> str:
    text = body.decode("utf-8", "replace")
    if len(text) <= MOST_SHOWN:
        return text
    return text[:MOST_SHOWN] + say("explain.cut", bytes=len(body))
