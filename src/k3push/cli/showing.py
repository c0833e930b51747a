"""`status`, `runs`, `explain` and `export`: everything that only looks at the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape

from k3push.cli.phrases import clock, hold_words
from k3push.cli.problem import Problem
from k3push.cli.progress import state_table
from k3push.cli.wiring import SystemClock, ledger_of, load_settings
from k3push.cli.words import Say
from k3push.core.commands import Key, Verb
from k3push.core.holds import Hold, HoldCause, outside
from k3push.core.model import Answered, BillNumber, Exchange, Run, RunId, State
from k3push.core.window import Window
from k3push.ports import AttemptRecord, Commanded, Ledger
from k3push.reporting.ending import Exit
from k3push.reporting.tables import write_csv, write_jsonl

# An answer longer than this is cut on the terminal; the ledger has it whole.
MOST_SHOWN = 4000


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
    if len(fitting) != 1:
        raise Problem(say("no_run", run=name))
    return fitting[0]


async def status(config: Path | None, name: str | None, say: Say) -> Exit:
    """Print how a run stands."""
    settings = load_settings(config, say)
    async with ledger_of(settings, say) as ledger:
        run = await find_run(ledger, name, say)
        counts = await ledger.counts(run.id)
        alive = await ledger.is_alive(run.id)
        commands = await ledger.commands(run.id) if alive else ()
    console = Console(soft_wrap=True)
    started = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    how = say("alive") if alive else say("killed") if run.exit is None else f"exit {run.exit}"
    console.print(f"{run.id}  {escape(run.route.name)}  {started}  {how}", highlight=False)
    if alive:
        for line in _steered(commands, settings.run.window, say):
            console.print(line, highlight=False, markup=False)
    console.print(state_table(counts), highlight=False)
    if not alive and run.exit not in {None, 0}:
        console.print(say(f"exit.{run.exit}"), highlight=False)
    console.print(escape(say("summary.folder", folder=run.folder)), highlight=False)
    return Exit.DONE


def _steered(commands: Sequence[Commanded], window: str, say: Say) -> list[str]:
    """Say what a person has made of a run that is under way, and since when."""
    paused: Hold | None = None
    fixed: dict[Key, str] = {}
    asked = []
    for given in commands:
        what = given.command
        if given.obeyed_at is None:
            asked.append(say("status.asked", command=what, at=clock(given.given_at)))
        elif what.key is not None:
            fixed.pop(what.key, None)
            if what.value is not None:
                since = clock(given.obeyed_at)
                fixed[what.key] = say("status.set", key=what.key, value=what.value, since=since)
        elif what.verb is Verb.PAUSE:
            paused = paused or Hold(HoldCause.CONTROL, since=given.obeyed_at)
        elif what.verb is Verb.CONTINUE:
            paused = None
    hold = paused or (outside(Window.parse(window), SystemClock().now()) if window else None)
    return [*([f"  {hold_words(hold, say)}"] if hold else []), *fixed.values(), *asked]


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
            targets = ", ".join(t.number or f"id {t.id} (draft)" for t in row.targets)
            parts = [
                f"run {run}",
                f"line {row.line}",
                row.state.value,
                targets,
                row.code,
                row.reason,
            ]
            console.print(" · ".join(part for part in parts if part))
        bill = next((row.bill for _, row in rows if row.bill), BillNumber(number))
        told = [
            (r.attempt.intent.began_at, _attempt_lines(r)) for r in await ledger.attempts_of(bill)
        ]
        told += [
            (note.at, [f"{_clock(note.at)}  {note.text}"]) for note in await ledger.notes_of(bill)
        ]
    for _, lines in sorted(told, key=lambda each: each[0]):
        console.print()
        for line in lines:
            console.print(line)
    return Exit.DONE


async def export(
    config: Path | None,
    name: str | None,
    say: Say,
    *,
    form: Literal["csv", "jsonl"],
    output: Path,
    states: Collection[State],
) -> Exit:
    """Write the rows of a run to a file."""
    async with ledger_of(load_settings(config, say), say) as ledger:
        run = await find_run(ledger, name, say)
        write = write_csv if form == "csv" else write_jsonl
        try:
            count = await write(ledger, run, output, states)
        except OSError as error:
            raise Problem(f"{output}: {error.strerror}") from error
    Console(stderr=True, soft_wrap=True).print(
        say("exported", count=count, path=output), highlight=False, markup=False
    )
    return Exit.DONE


def _attempt_lines(record: AttemptRecord) -> list[str]:
    intent = record.attempt.intent
    lines = [
        (
            f"{_clock(intent.began_at)}  attempt {record.attempt.id}: run {intent.run}, "
            f"chunk {intent.chunk}, sending {intent.nth}, {len(intent.numbers)} numbers"
        ),
        f"  request  {_shown(intent.request)}",
        f"  answer   {_answer(record.exchange)}",
    ]
    if record.verdict:
        lines.append(f"  verdict  {record.verdict}")
    return lines


def _answer(exchange: Exchange | None) -> str:
    if exchange is None:
        return "nothing was recorded: k3push was killed, or lost its ledger"
    if isinstance(exchange, Answered):
        return f"HTTP {exchange.status}  {_shown(exchange.body)}"
    return exchange.because


def _shown(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[:MOST_SHOWN]}… ({len(body)} bytes)"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
