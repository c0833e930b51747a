"""`status`, `runs`, `explain` and `export`: everything that only looks at the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape

from k3push.cli.kept import kept
from k3push.cli.problem import Problem
from k3push.cli.telling import advice_lines, cause_lines, next_step, reason_lines, state_table
from k3push.cli.wiring import SystemClock, ledger_of, load_settings
from k3push.cli.words import Lang, Say
from k3push.controlling import orders_of
from k3push.core.advice import advise, code_of
from k3push.core.clusters import TOLD
from k3push.core.model import Answered, BillNumber, Exchange, Row, Run, RunId, State
from k3push.ports import AttemptRecord, Commanded, Ledger
from k3push.reporting.ending import Exit, ending_of, exit_of
from k3push.reporting.evidence import moment
from k3push.reporting.phrases import order_lines
from k3push.reporting.report import write_report
from k3push.reporting.results import MOST_READ, clusters_of, read_causes
from k3push.reporting.tables import Form, csv_table, jsonl_table, write_table

# An answer longer than this is cut on the terminal; the ledger has it whole.
MOST_SHOWN = 4000

# Runs that are named where the beginning of an id fits several.
MOST_NAMED = 5


async def find_run(ledger: Ledger, name: str | None, say: Say) -> Run:
    """Return a run by its id or the beginning of it, or the last one.

    Raises:
        Problem: There is none, or the beginning fits several.
    """
    if name is not None and (exact := await ledger.run(RunId(name))) is not None:
        return exact
    runs = await ledger.runs()
    if not runs:
        raise Problem(say("no_runs"))
    if name is None:
        return runs[-1]
    fitting = [run for run in runs if run.id.startswith(name)]
    if not fitting:
        raise Problem(say("no_run", run=name))
    if len(fitting) > 1:
        ids = ", ".join(run.id for run in fitting[-MOST_NAMED:])
        raise Problem(say("many_runs", count=len(fitting), run=name, runs=ids))
    return fitting[0]


async def status(config: Path | None, name: str | None, say: Say) -> Exit:
    """Print how a run stands, why numbers came to nothing, and what to do next."""
    settings = load_settings(config, say)
    async with ledger_of(settings, say) as ledger:
        run = await find_run(ledger, name, say)
        counts = await ledger.counts(run.id)
        alive = await ledger.is_alive(run.id)
        commands = await ledger.commands(run.id) if alive else ()
        clusters = await clusters_of(ledger, run)
    unread = sum(counts.get(state, 0) for state in TOLD) - MOST_READ
    console = Console(soft_wrap=True, highlight=False)
    started = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    how = say("alive") if alive else say("killed") if run.exit is None else f"exit {run.exit}"
    console.print(f"{run.id}  {escape(run.route.name)}  {started}  {how}")
    if alive:
        for line in _steered(commands, settings.run.window, say):
            console.print(line, markup=False)
    if counts:
        console.print(state_table(counts))
    for line in reason_lines(clusters, say):
        console.print(escape(line))
    if unread > 0:
        console.print("    " + say("status.unread", rows=unread))
    if not alive and run.exit is not None:
        # A person's word may have moved rows since the execution ended.
        causes = read_causes(run)
        for line in cause_lines(causes, say):
            console.print(f"[yellow]{escape(line)}[/]")
        console.print(next_step(counts, exit_of(counts, causes), say))
    console.print(escape(say("summary.folder", folder=run.folder)))
    return Exit.DONE


def _steered(commands: Sequence[Commanded], window: str, say: Say) -> list[str]:
    """Say what a person has made of a run that is under way, and since when."""
    orders = orders_of(commands, window, SystemClock().now())
    return [f"  {line}" for line in order_lines(orders, say)]


async def runs(config: Path | None, say: Say) -> Exit:
    """Print all runs, the newest first."""
    async with ledger_of(load_settings(config, say), say) as ledger:
        console = Console(soft_wrap=True, highlight=False)
        for run in reversed(await ledger.runs()):
            counts = await ledger.counts(run.id)
            numbers = " · ".join(f"{state} {counts[state]}" for state in State if counts.get(state))
            code = "-" if run.exit is None else f"exit {run.exit}"
            console.print(f"{run.id}  {escape(run.route.name)}  {code}  {numbers}")
    return Exit.DONE


async def explain(config: Path | None, number: str, say: Say) -> Exit:
    """Print every row, request, answer and note of one number."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    async with ledger_of(load_settings(config, say), say) as ledger:
        rows = await ledger.rows_of(BillNumber(number.strip()))
        if not rows:
            raise Problem(say("explain.none", number=number))
        for run, row in rows:
            for line in _row_lines(run, row, say):
                console.print(line)
        bill = next((row.bill for _, row in rows if row.bill), BillNumber(number))
        told = [
            (r.attempt.intent.began_at, _attempt_lines(r, say))
            for r in await ledger.attempts_of(bill)
        ]
        told += [
            (note.at, [f"{moment(note.at)}  {kept(note.text, say)}"])
            for note in await ledger.notes_of(bill)
        ]
    for _, lines in sorted(told, key=lambda each: each[0]):
        console.print()
        for line in lines:
            console.print(line)
    return Exit.DONE


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
    table = _table(form, output, say)
    async with ledger_of(load_settings(config, say), say) as ledger:
        run = await find_run(ledger, name, say)
        try:
            count = await write_table(ledger, run, output, table, states)
        except OSError as error:
            raise Problem(f"{output}: {error.strerror or error}") from error
    Console(stderr=True, soft_wrap=True).print(
        say("exported", count=count, path=output), highlight=False, markup=False
    )
    return Exit.DONE


async def report(config: Path | None, name: str | None, say: Say, lang: Lang, output: Path) -> Exit:
    """Write the page of a run."""
    settings = load_settings(config, say)
    async with ledger_of(settings, say) as ledger:
        run = await find_run(ledger, name, say)
        causes = read_causes(run) if run.exit is not None else {}
        unverified = settings.erp.verify is False
        ending = await ending_of(ledger, run, causes, unverified=unverified)
        try:
            await write_report(ledger, ending, output, say, lang=lang, now=SystemClock().now())
        except OSError as error:
            raise Problem(f"{output}: {error.strerror}") from error
    Console(stderr=True, soft_wrap=True).print(
        say("report.written", path=output), highlight=False, markup=False
    )
    return Exit.DONE


def _table(form: FileFormat | None, output: Path, say: Say) -> Form:
    """Return what writes a format; those that need a library of their own are imported here."""
    if output.is_dir():
        raise Problem(say("output_is_folder", path=output))
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
                raise Problem(say("no_parquet", why=error)) from error
            return parquet_table
        case _:
            return csv_table


def _row_lines(run: RunId, row: Row, say: Say) -> list[str]:
    targets = ", ".join(t.number or say("explain.draft", id=t.id) for t in row.targets)
    parts = [
        say("explain.run", run=run),
        say("explain.line", line=row.line),
        row.state.value,
        targets,
        row.code,
        row.reason,
    ]
    advice = advise(code_of(row), row.reason)
    line = " · ".join(part for part in parts if part)
    return [line, *advice_lines(advice, row.reason, say, indent=2)]


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
    lines = [
        f"{moment(intent.began_at)}  {attempt}",
        "  " + say("explain.request", what=_shown(intent.request, say)),
        "  " + say("explain.answer", what=_answer(record.exchange, say)),
    ]
    if record.verdict:
        lines.append("  " + say("explain.verdict", what=kept(record.verdict, say)))
    return lines


def _answer(exchange: Exchange | None, say: Say) -> str:
    if exchange is None:
        return say("explain.no_answer")
    if isinstance(exchange, Answered):
        return f"HTTP {exchange.status}  {_shown(exchange.body, say)}"
    return exchange.because


def _shown(body: bytes, say: Say) -> str:
    text = body.decode("utf-8", "replace")
    if len(text) <= MOST_SHOWN:
        return text
    return text[:MOST_SHOWN] + say("explain.cut", bytes=len(body))
