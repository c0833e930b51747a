"""What a run of a job would do, number by number. The ERP is asked, and nothing is sent.

The forms are read with the same functions as before a sending (`looking`), a page at a time,
so that a plan and a run cannot disagree on what they see. Of all numbers only the ERP's
spellings are kept, to know repeats.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import anyio
import anyio.to_thread

from k3push.core.chunking import split
from k3push.core.life import OPEN
from k3push.core.matching import MOST_NUMBERS
from k3push.core.model import BillNumber, Listed, Route, RunId, State
from k3push.core.plan import Fate, Foreseen, busy_seconds
from k3push.job import PushPace, Stop, stopping
from k3push.looking import Waiter, already, look_at_sources, look_at_targets, refusal
from k3push.planning import JobSource
from k3push.ports import Erp, Ledger
from k3push.reporting.tables import pages_of


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the numbers of one route are looked at with. Fulfils `looking.Looker`.

    Attributes:
        held: Numbers that another run has sent and whose answer it does not have, and which.
        again: A person wants numbers pushed that have a target.
    """

    route: Route
    erp: Erp
    pace: PushPace
    stop: Stop
    watch: Waiter
    held: Mapping[BillNumber, RunId]
    again: bool = False

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Do no more than wait with the look itself: nothing is sent."""


async def foresee(
    jobs: Sequence[JobSource], outlooks: Mapping[str, Outlook], stop: Stop, *, at_once: int
) -> AsyncIterator[list[Foreseen]]:
    """Yield what would become of each line of a job, in its order, some pages at a time.

    What ends a run ends this as well: the stop is asked with its cause, and no more comes.

    Args:
        jobs: Job files, which have been read to their ends before.
        outlooks: What to look with, by the name of the route that a line asks for.
        stop: That of the outlooks.
        at_once: Pages that are looked at side by side.
    """
    lines = chain.from_iterable(job.read() for job in jobs)
    first_lines: dict[tuple[str, BillNumber], int] = {}
    while listed := await anyio.to_thread.run_sync(_next, lines, at_once * MOST_NUMBERS):
        pages = split(listed, MOST_NUMBERS)
        looked = await _look_at_all(pages, outlooks, stop)
        if looked is None:
            return
        yield [_repeat_or_not(foreseen, first_lines) for foreseen in chain.from_iterable(looked)]


async def held_numbers(ledger: Ledger, scope: str) -> dict[BillNumber, RunId]:
    """Return the numbers of a scope that some run has sent without an answer, and that run."""
    held: dict[BillNumber, RunId] = {}
    for run in await ledger.runs():
        if run.scope != scope or run.is_settled:
            continue
        counts = await ledger.counts(run.id)
        if any(counts.get(state) for state in OPEN):
            async for rows in pages_of(ledger, run, OPEN):
                held.update((row.bill, run.id) for row in rows)
    return held


async def measured_pace(ledger: Ledger, scope: str) -> float | None:
    """Return how many numbers a second the last run of a scope pushed, or None if none has."""
    for run in reversed(await ledger.runs()):
        counts = await ledger.counts(run.id) if run.scope == scope else {}
        made = counts.get(State.PUSHED, 0) + counts.get(State.DRAFT, 0)
        seconds = busy_seconds(await ledger.spans(run.id)) if made else 0.0
        if seconds:
            return made / seconds
    return None


def _next(lines: Iterator[Listed], most: int) -> list[Listed]:
    return list(islice(lines, most))


async def _look_at_all(
    pages: Sequence[Sequence[Listed]], outlooks: Mapping[str, Outlook], stop: Stop
) -> list[list[Foreseen]] | None:
    """Look at pages side by side; None if one of them could not be."""
    looked: dict[int, list[Foreseen]] = {}

    async def look(nth: int) -> None:
        with stopping(stop):
            looked[nth] = await _look_at(pages[nth], outlooks)

    async with anyio.create_task_group() as tasks:
        for nth in range(len(pages)):
            tasks.start_soon(look, nth)
    return None if stop.asked else [looked[nth] for nth in range(len(pages))]


async def _look_at(page: Sequence[Listed], outlooks: Mapping[str, Outlook]) -> list[Foreseen]:
    """Look at one page at both ends, for each of its routes."""
    by_route: dict[str, dict[BillNumber, Foreseen]] = {}
    for name in dict.fromkeys(listed.route for listed in page):
        numbers = dict.fromkeys(listed.number for listed in page if listed.route == name)
        by_route[name] = await _look_by(outlooks[name], list(numbers))
    return [replace(by_route[one.route][one.number], line=one.line) for one in page]


async def _look_by(outlook: Outlook, numbers: Sequence[BillNumber]) -> dict[BillNumber, Foreseen]:
    """Say what would become of *numbers*, wherever they stand."""
    route = outlook.route
    sources = await look_at_sources(outlook, numbers)
    refusals = {number: refusal(number, sources[number], route) for number in numbers}
    sendable = [sources[number][0].number for number in numbers if refusals[number] is None]
    targets = await look_at_targets(outlook, sendable) if route.source_number_field else {}
    seen = {}
    for number in numbers:
        bill = sources[number][0].number if len(sources[number]) == 1 else BillNumber("")
        foreseen = Foreseen(0, number, route.name, bill, Fate.READY)
        refused = refusals[number]
        if refused is not None:
            foreseen = replace(
                foreseen, fate=Fate.BLOCKED, code=refused.code, reason=refused.reason
            )
        elif bill in outlook.held:
            reason = _HELD.format(run=outlook.held[bill])
            foreseen = replace(foreseen, fate=Fate.BLOCKED, code="held", reason=reason)
        elif bill in targets:
            there = already(bill, targets[bill])
            repeats_pushes = route.allow_partial or outlook.again
            fate = Fate.PARTLY if repeats_pushes else Fate.ALREADY
            foreseen = replace(foreseen, fate=fate, targets=there.targets, reason=there.reason)
        seen[number] = foreseen
    return seen


_HELD = "结果未知 (unknown in run {run}; settle that first)"


def _repeat_or_not(foreseen: Foreseen, first_lines: dict[tuple[str, BillNumber], int]) -> Foreseen:
    key = (foreseen.route, foreseen.key)
    if key in first_lines:
        return replace(foreseen, first_line=first_lines[key])
    first_lines[key] = foreseen.line
    return foreseen
