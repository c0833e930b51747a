"""`status` and `runs`: how a run stands, and which there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from k3push.adapters.clock import SystemClock
from k3push.cli.console.listing import put_listing
from k3push.cli.console.screen import put_json, screen
from k3push.config.settings import Settings
from k3push.core.advice.clusters import TOLD, Clusters
from k3push.core.model import Run, RunId, State
from k3push.ports import Commanded, Ledger
from k3push.reporting.phrases import order_lines, unended_words
from k3push.reporting.results_folder import MOST_READ, clusters_of, read_causes
from k3push.reporting.summary import (
    cause_lines,
    follow_line,
    next_step,
    odd_lines,
    reason_lines,
    results_line,
    state_table,
)
from k3push.reporting.table_files import local
from k3push.runs.control import Orders, is_paused, orders_of
from k3push.runs.find import (
    MOST_NAMED,
    RunFilter,
    commands_again,
    find_run,
    ids_of,
    left_behind,
    list_names,
    living_beside,
    runs_beside,
)
from k3push.runs.kept_in_ledger.request_stages import Act, acts_about, steps_asked_for
from k3push.runs.kept_in_ledger.row_search import is_long_enough
from k3push.runs.noted_waits import with_wait
from k3push.runs.outcome import Exit, Followed, exit_of, followed_of
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say, harmless

Acts = Mapping[RunId, Sequence[Act]]
"""What was done with runs that have no ending, the oldest first."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a run stands.

    Attributes:
        beside: All runs of its command.
        living: That one of them which a process executes.
        clusters: Its rows that came to nothing, by reason.
        unread: How many of those were not looked at.
        others: Other runs that stopped before their end.
    """

    run: Run
    beside: Sequence[Run]
    living: Run | None
    counts: Mapping[State, int]
    commands: Sequence[Commanded]
    orders: Orders
    clusters: Clusters
    unread: int
    twins: int
    partly: int
    followed: Followed
    others: Sequence[Run]
    acts: Acts

    @property
    def alive(self) -> bool:
        return self.living is not None and self.living.id == self.run.id

    @property
    def paused(self) -> bool:
        return is_paused(self.commands)


async def status(config: Path | None, name: str | None, say: Say, *, json: bool) -> Exit:
    """Print how a run stands, why numbers came to nothing, and what to do next."""
    settings = load_settings(config)
    async with ledger_of(settings) as ledger:
        seen = await _look(ledger, settings, name)
    if json:
        put_json(_standing_as_json(seen))
    else:
        _print_standing(seen, settings, say)
    return Exit.DONE


async def _look(ledger: Ledger, settings: Settings, name: str | None) -> _Standing:
    run = await find_run(ledger, name)
    beside = await runs_beside(ledger, run)
    living = await living_beside(ledger, run)
    if name is None and living is not None:
        run = living
    counts = await ledger.counts(run.id)
    alive = living is not None and living.id == run.id
    commands = await ledger.commands(run.id) if alive else ()
    # A living run asks about what is unknown, so to advise `settle` would be wrong.
    told = [state for state in TOLD if not (alive and state is State.UNKNOWN)]
    steps = await steps_asked_for(ledger, run.id, settings.steps_of(run))
    now = SystemClock().now()
    orders = orders_of(commands)
    return _Standing(
        run,
        beside,
        living,
        counts,
        commands,
        await with_wait(orders, ledger, run.id, now),
        await clusters_of(ledger, run, told),
        sum(counts.get(state, 0) for state in told) - MOST_READ,
        await ledger.twins(run.id),
        await ledger.partly(run.id),
        await followed_of(ledger, run, steps),
        await left_behind(ledger, {each.id for each in beside}) if name is None else (),
        {each.id: await acts_about(ledger, each.id) for each in beside if each.exit is None},
    )


def _standing_as_json(seen: _Standing) -> dict[str, object]:
    return _run_as_json(seen.run, seen.counts) | {
        "under_way": seen.alive,
        "paused": seen.paused,
        "follow": {each.value: n for each, n in seen.followed.counts.items() if each.value},
        "twins": seen.twins,
        "partly": seen.partly,
    }


def _print_standing(seen: _Standing, settings: Settings, say: Say) -> None:
    run, counts, living, alive = seen.run, seen.counts, seen.living, seen.alive
    console = screen(soft_wrap=True, highlight=False)
    started = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    how = _how(run, living, seen.acts, say)
    console.print(
        f"{escape(harmless(run.id))}  {escape(harmless(run.route.name))}  {started}  {how}"
    )
    for line in _steered(run, seen.commands, seen.orders, say) if alive else ():
        console.print(line, markup=False)
    if counts:
        console.print(state_table(counts, say))
    if line := follow_line(seen.followed, say):
        console.print("  " + line, markup=False)
    # A person's word may have moved rows since the execution ended.
    causes = read_causes(run, counts) if living is None and run.exit is not None else {}
    for line in reason_lines(seen.clusters, say, causes=causes):
        console.print(escape(line))
    odd = odd_lines(say, twins=seen.twins, partly=seen.partly)
    notes = {
        "    " + say("status.unread", rows=seen.unread): seen.unread > 0,
        **{f"  [red]{escape(line)}[/]": 1 for line in odd},
        "  " + say("status.asks"): alive and not seen.paused and counts.get(State.UNKNOWN),
    }
    for note in (note for note, applies in notes.items() if applies):
        console.print(note)
    # Of an archived run, most rows that came to nothing are in the archive alone.
    if living is None and run.exit is not None and run.archive is None:
        for line in cause_lines(causes, say):
            console.print(f"[yellow]{escape(line)}[/]")
        code = exit_of(counts, causes, odd=seen.twins + seen.partly, followed=seen.followed)
        console.print(next_step(counts, code, say, seen.followed))
    last = (
        results_line(run, say),
        _beside_line(run, seen.beside, living, seen.acts, say),
        _archived_line(run, settings, say),
        _left_line(seen.others, say),
    )
    for line in filter(None, last):
        console.print(escape(line))


def _archived_line(run: Run, settings: Settings, say: Say) -> str:
    """Say that a run is archived, and where; "" for one that is not."""
    if run.archive is None:
        return ""
    day = f"{run.archive.at.astimezone():%Y-%m-%d}"
    return say("ledger.archived_in", file=settings.archive_path(run.archive), day=day)


def _beside_line(run: Run, beside: Sequence[Run], living: Run | None, acts: Acts, say: Say) -> str:
    """Say which other runs the command of a run has, and how they stand; "" for none."""
    others = [
        f"{harmless(each.id)} {_how(each, living, acts, say)}"
        for each in beside
        if each.id != run.id
    ]
    shown = "; ".join(others[:MOST_NAMED]) + ("; …" if len(others) > MOST_NAMED else "")
    return say("status.beside", count=len(beside), others=shown) if others else ""


def _left_line(others: Sequence[Run], say: Say) -> str:
    """Say which other runs stopped before their end; "" for none."""
    if not others:
        return ""
    return harmless(say("notice.left_behind", run=others[0].id, runs=ids_of(others)))


def _how(run: Run, living: Run | None, acts: Acts, say: Say) -> str:
    """Say whether a run goes on or how it ended; *living* is the one of its command that does."""
    if living is not None and living.id == run.id:
        return say("status.alive")
    if run.exit is not None:
        return say("status.exit", code=run.exit)
    if not run.whole:
        if not run.folder:
            return say("status.half_asked")
        return say("status.half_listed", commands=commands_again(run))
    return say("status.waits") if living else unended_words(acts.get(run.id, ()), say)


def _steered(run: Run, commands: Sequence[Commanded], orders: Orders, say: Say) -> list[str]:
    """Say what a person has made of a run that is under way, since when, and what ends a pause."""
    lines = order_lines(orders, say)
    if is_paused(commands):
        lines.insert(1, say("status.paused", run=run.id))
    return [f"  {line}" for line in lines]


async def runs(
    config: Path | None, wanted: RunFilter, say: Say, *, limit: int | None, json: bool
) -> Exit:
    """Print runs, the newest first.

    Raises:
        SettingsError: There is no such route, nor a run of one that there was.
    """
    settings = load_settings(config)
    async with ledger_of(settings) as ledger:
        found = await wanted.of(ledger, limit)
        if wanted.route and not found and not await RunFilter(route=wanted.route).of(ledger, 1):
            settings.route(wanted.route)
        counts = {run.id: await ledger.counts(run.id) for run in found}
    if json:
        told = [_run_as_json(run, counts[run.id]) for run in found]
        put_json(told)
        return Exit.DONE
    print_runs(found, counts, say)
    if not found:
        short = wanted.words and not is_long_enough(wanted.words)
        why = say("error.short_part", words=wanted.words) if short else say("desk.none_fits")
        screen(stderr=True, highlight=False).print(why)
    return Exit.DONE


def print_runs(found: Sequence[Run], counts: Mapping[RunId, Mapping[State, int]], say: Say) -> None:
    """Print a table of runs; of none, nothing."""
    headings = [say(f"explain.head.{key}") for key in ("run", "route", "exit", "numbers", "list")]
    rows = []
    for run in found:
        told = [
            f"{say(f'state.{state}')} {counts[run.id][state]}"
            for state in State
            if counts[run.id].get(state)
        ]
        # The ledger has a part of them.
        told += [say("status.archived")] if run.archive is not None else []
        code = "-" if run.exit is None else str(run.exit)
        names = ", ".join(list_names(run.jobs))
        rows.append((run.id, run.route.name, code, " · ".join(told), names))
    if found:
        put_listing(screen(highlight=False), headings, rows, folds={3, 4})


def _run_as_json(run: Run, counts: Mapping[State, int]) -> dict[str, object]:
    return {
        "run": run.id,
        "route": run.route.name,
        "exit": run.exit,
        "jobs": list(run.jobs),
        "started_at": local(run.started_at),
        "ended_at": local(run.ended_at),
        "counts": {state.value: counts[state] for state in State if state in counts},
        "archived": run.archive is not None,
    }
