"""Find runs by what a person asks for, and see whether something is left to do in one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath

import anyio

from k3push.core.model import Row, Run, RunId
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.outcome import Exit, anything_open
from k3push.runs.problem import Problem
from k3push.runs.request_stages import latest_acts
from k3push.words import remarks_saying

MOST_NAMED = 5

SHORTEST_PART = 4
"""Characters of the shortest part of a number that is searched for."""


async def find_run(ledger: Ledger, name: str | None) -> Run:
    """Return a run by its id or the beginning of it, or the last one.

    Raises:
        Problem: There is none, or the beginning fits several.
    """
    if name is not None and (exact := await ledger.run(RunId(name))) is not None:
        return exact
    runs = await ledger.runs(last=1 if name is None else None)
    if not runs:
        raise Problem(remark("error.no_runs"))
    if name is None:
        return runs[-1]
    fitting = [run for run in runs if run.id.startswith(name)]
    if not fitting:
        raise Problem(remark("error.no_run", run=name))
    if len(fitting) > 1:
        ids = ", ".join(run.id for run in fitting[-MOST_NAMED:])
        raise Problem(remark("error.many_runs", count=len(fitting), run=name, runs=ids))
    return fitting[0]


async def is_unfinished(ledger: Ledger, run: Run) -> bool:
    """Say whether there is something left to do in a run, or something that stopped it."""
    if run.exit not in {Exit.DONE, Exit.SOME_REJECTED}:
        return True
    if run.folder and not await anyio.Path(run.folder, "summary.json").is_file():
        return True  # its results could not be written
    return await anything_open(ledger, run)


async def rows_holding(ledger: Ledger, words: str) -> Sequence[tuple[RunId, Row]]:
    """Return rows by a part of their number, of a document or of their cause, the newest first."""
    if len(words) < SHORTEST_PART and words.isascii():
        return []
    return await ledger.find_rows(words, remarks=remarks_saying(words))


def needs_person(run: Run, *, alive: bool) -> bool:
    """Say whether a run that is not under way asks for somebody."""
    return not alive and run.exit != Exit.DONE


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs of a ledger are wanted; "" and None leave a thing open.

    Attributes:
        exit: The exit code; -1 is a run without one.
        since: Begun on this day or later, by the computer's clock.
        until: Begun on this day or earlier.
        words: What its job files, or whoever has done something with it, are called in part.
        alive: Only those that have no ending.
        needs: Only those that need a person.
    """

    route: str = ""
    exit: int | None = None
    since: date | None = None
    until: date | None = None
    words: str = ""
    alive: bool = False
    needs: bool = False

    def __bool__(self) -> bool:
        """Whether it leaves any out."""
        return self != RunFilter()

    async def of(self, ledger: Ledger) -> list[Run]:
        """Return the runs that are wanted, the newest first."""
        by_name = await self._by_name(ledger) if self.words else set()
        runs = await ledger.runs(undone=self.alive or self.needs)
        fitting = [run for run in reversed(runs) if self._fits(run, by_name)]
        if not (self.alive or self.needs):
            return fitting
        found = []
        for run in fitting:
            # An ending is cleared when an execution begins, so one that is there says enough.
            alive = run.exit is None and await ledger.is_alive(run.id)
            if alive if self.alive else needs_person(run, alive=alive):
                found.append(run)
        return found

    async def _by_name(self, ledger: Ledger) -> set[str]:
        words = self.words.casefold()
        return {act.about for act in await latest_acts(ledger) if words in act.by.casefold()}

    def _fits(self, run: Run, by_name: Collection[str]) -> bool:
        day = run.started_at.astimezone().date()
        exit_code = -1 if run.exit is None else run.exit
        names = (PurePath(job).name.casefold() for job in run.jobs)
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
