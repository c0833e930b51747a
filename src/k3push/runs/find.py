"""Which runs are meant, by name or filter; which are under way, or cut off; what is left in one."""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePath

import anyio

from k3push.core.model import Run, RunId, State
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.kept_in_ledger.askers import is_program
from k3push.runs.kept_in_ledger.request_stages import (
    SELECTED,
    acts_about,
    is_asked_for,
    last_turn,
    latest_acts,
)
from k3push.runs.kept_in_ledger.row_search import runs_holding
from k3push.runs.outcome import Exit, anything_open
from k3push.runs.problem import Problem

MOST_NAMED = 5

MOST_LEFT = 20
"""Runs among which those that have something left are looked for."""

RUNS_A_PAGE = 500
"""Runs that are read at once, of however many there are."""

NOTIFY_GRACE = timedelta(minutes=1)
"""How long a command may take to tell people of an ended run, before it begins its next run.

Until then that next run is not taken for one that was cut off.
"""


async def find_run(ledger: Ledger, name: str | None) -> Run:
    """Return a run by its id or the beginning of it, or the last one.

    Raises:
        Problem: There is none, or the beginning fits several.
    """
    if name is not None and (exact := await ledger.run(RunId(name))) is not None:
        return exact
    newest = await ledger.runs(last=1)
    if not newest:
        raise Problem(remark("error.no_runs"))
    if name is None:
        return newest[-1]
    fitting = await ledger.runs_named(name)
    if not fitting:
        raise Problem(remark("error.no_run", run=name))
    if len(fitting) > 1:
        ids = ", ".join(run.id for run in fitting[-MOST_NAMED:])
        raise Problem(remark("error.many_runs", count=len(fitting), run=name, runs=ids))
    return fitting[0]


def list_names(jobs: Sequence[str]) -> list[str]:
    """Return what people know the lists of a run by: files without folders, a program's by keys.

    >>> list_names(["lists/a.csv", "api/wms: 2026/7", "api/b.csv", "/"])
    ['a.csv', 'api/wms: 2026/7', 'b.csv', '/']
    """
    return [job if is_program(job) and ": " in job else PurePath(job).name or job for job in jobs]


def commands_again(run: Run) -> str:
    """Say which commands may have begun a run: it does not know whether its folder was the job.

    A file that is named pushes its bills, and stays new for who runs its folder: where bills may
    be pushed in parts, that would push them a second time.
    """
    jobs = shlex.join(run.jobs)
    if len(run.jobs) > 1 or jobs in {"-", SELECTED}:
        return remark("note.run_again", jobs=jobs)
    folder = shlex.quote(str(PurePath(run.jobs[0]).parent))
    return remark("note.run_folder_again", jobs=jobs, folder=folder)


def ids_of(runs: Sequence[Run]) -> str:
    """Return the ids of runs for a sentence: the first few, and whether there are more."""
    more = ", …" if len(runs) > MOST_NAMED else ""
    return ", ".join(run.id for run in runs[:MOST_NAMED]) + more


async def is_unfinished(ledger: Ledger, run: Run) -> bool:
    """Say whether there is something left to do in a run, or something that stopped it."""
    if run.archive is not None:
        return False  # also where its results have been removed since
    if run.exit not in {Exit.DONE, Exit.SOME_REJECTED}:
        return True
    if run.folder and not await anyio.Path(run.folder, "summary.json").is_file():
        return True  # its results could not be written
    return await anything_open(ledger, run)


async def runs_beside(ledger: Ledger, run: Run) -> list[Run]:
    """Return all runs of the command that began *run*, the oldest first."""
    if not run.group:
        return [run]
    return list(await ledger.runs_begun_with(run.group))


async def is_under_way(ledger: Ledger, run: Run) -> bool:
    """Say whether some process executes a run, given as its ledger has it now."""
    # An ending is cleared when an execution begins, so one that is there says enough.
    return run.exit is None and await ledger.is_alive(run.id)


async def left_behind(ledger: Ledger, known: Collection[RunId]) -> list[Run]:
    """Return other runs than those known that stopped before their end, the newest first.

    One with rejected numbers has ended, wherever its results have gone since.
    """
    return await others_where(_has_stopped, ledger, known)


async def _has_stopped(ledger: Ledger, run: Run) -> bool:
    if run.exit not in {Exit.DONE, Exit.SOME_REJECTED}:
        return True
    # A `retry` was cut off before it began.
    return bool((await ledger.counts(run.id)).get(State.PLANNED))


async def others_where(
    fits: Callable[[Ledger, Run], Awaitable[bool]], ledger: Ledger, known: Collection[RunId]
) -> list[Run]:
    """Return runs that fit and are neither known, under way nor archived, the newest first.

    Only the newest that are not done are looked at, so that a ledger of years costs no more.
    """
    newest = await ledger.runs(last=MOST_LEFT, undone=True)
    return [
        run
        for run in reversed(newest)
        if run.id not in known
        and run.whole
        and run.archive is None
        and await fits(ledger, run)
        and not await living_beside(ledger, run)
    ]


async def cut_off_runs(ledger: Ledger, now: datetime) -> list[Run]:
    """Return runs whose executions were cut off, with all open runs of the same commands.

    Runs of a fleet's queue or of a server are left to those.
    """
    newest = await ledger.runs(last=RUNS_A_PAGE, undone=True)
    found: list[Run] = []
    for run in (run for run in newest if run.exit is None and run.whole):
        beside = await runs_beside(ledger, run)
        lately = max(at for each in beside for at in (each.started_at, each.ended_at) if at)
        # A command that has sent something of this run is no longer telling people of the run
        # before.
        may_tell = now - lately < NOTIFY_GRACE and await ledger.next_chunk(run.id) == 1
        turn = last_turn(await acts_about(ledger, run.id))
        is_anothers = turn not in {"", "resume"} or await is_asked_for(ledger, run)
        if not may_tell and not is_anothers and not await _living(ledger, beside):
            found += [each for each in beside if each.exit is None]
    return found


async def living_beside(ledger: Ledger, run: Run) -> Run | None:
    """Return the run that is under way among those that one command began, or None.

    A command executes its runs one after another. A person's word to any of them is for the one
    that is under way, and a run without an ending waits for that one.
    """
    return await _living(ledger, await runs_beside(ledger, run))


async def _living(ledger: Ledger, runs: Sequence[Run]) -> Run | None:
    for run in runs:
        if await is_under_way(ledger, run):
            return run
    return None


def needs_person(run: Run, *, alive: bool) -> bool:
    """Say whether a run that is not under way asks for somebody; an archived one asks for none."""
    return not alive and run.exit != Exit.DONE and run.archive is None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs of a ledger are wanted; "" and None leave a thing open.

    Attributes:
        exit: The exit code; -1 is a run without one.
        since: Begun on this day or later, by the computer's clock.
        until: Begun on this day or earlier.
        words: What its job files, or whoever has done something with it, are called in part.
        in_rows: Whether a bill, a document or a cause in its rows may be called so, too.
        alive: Only those that are under way (`is_under_way`).
        needs: Only those that need a person.
    """

    route: str = ""
    exit: int | None = None
    since: date | None = None
    until: date | None = None
    words: str = ""
    in_rows: bool = False
    alive: bool = False
    needs: bool = False

    def __bool__(self) -> bool:
        """Whether it leaves any out."""
        return self != RunFilter(in_rows=self.in_rows)

    async def of(self, ledger: Ledger, limit: int | None = None) -> list[Run]:
        """Return the runs that are wanted, the newest first, and no more than so many."""
        found: list[Run] = []
        async with aclosing(self.each(ledger)) as runs:
            async for run in runs:
                if len(found) == limit:
                    break
                found.append(run)
        return found

    async def each(self, ledger: Ledger) -> AsyncGenerator[Run, None]:
        """Yield the runs that are wanted, the newest first, as they are read."""
        by_name = await self._by_name(ledger) if self.words else set()
        before = None
        while True:
            page = await self._page(ledger, by_name, before)
            for run in reversed(page):
                if self._fits(run, by_name) and await self._is_in_wanted_state(ledger, run):
                    yield run
            if len(page) < RUNS_A_PAGE:
                return
            before = page[0].id

    async def _page(
        self, ledger: Ledger, by_name: Collection[RunId], before: RunId | None
    ) -> Sequence[Run]:
        if self.words:
            return await ledger.runs_called(
                self.words, ids=by_name, last=RUNS_A_PAGE, before=before
            )
        undone = self.alive or self.needs
        return await ledger.runs(last=RUNS_A_PAGE, undone=undone, before=before)

    async def _is_in_wanted_state(self, ledger: Ledger, run: Run) -> bool:
        if not (self.alive or self.needs):
            return True
        alive = await is_under_way(ledger, run)
        return alive if self.alive else needs_person(run, alive=alive)

    async def _by_name(self, ledger: Ledger) -> set[RunId]:
        words = self.words.casefold()
        acts = await latest_acts(ledger)
        found = {RunId(act.about) for act in acts if words in act.by.casefold()}
        if self.in_rows:
            found |= await runs_holding(ledger, self.words)
        return found

    def _fits(self, run: Run, by_name: Collection[str]) -> bool:
        day = run.started_at.astimezone().date()
        exit_code = -1 if run.exit is None else run.exit
        names = map(str.casefold, list_names(run.jobs))
        return (
            (not self.route or run.route.name == self.route)
            and (self.exit is None or exit_code == self.exit)
            and (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
            and (
                not self.words
                or run.id in by_name
                or any(self.words.casefold() in name for name in names)
            )
        )
