"""From job files, or a plan, to a run in the ledger: its id, its scope and its rows.

Nothing is asked of the ERP, and nothing is sent.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio.to_thread

from k3push.config.real_paths import real
from k3push.core.model import FolderFile, Identified, Listed, Route, Run, RunId, State
from k3push.core.plan import Foreseen
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger, RunIdTakenError
from k3push.runs.kept_in_ledger.listed_files import keep_line_counts
from k3push.runs.kept_in_ledger.planned_runs import keep_of_plan
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.other_calls.pushed_since import keep_seen
from k3push.runs.problem import Problem

T = TypeVar("T")

# Numbers that are written to the ledger at once.
BATCH = 5000

# What results are called whose numbers come from no file.
_STEMS = {"-": "stdin", SELECTED: "selected"}

# What a shell calls a stream: /dev/stdin, or /dev/fd/63 of `<(command)`.
_DEVICES = Path("/dev")

# Bytes of the longest name that file systems allow.
MOST_NAME_BYTES = 255

# Letters that cannot be taken for one another, for ids that are typed.
_LETTERS = "abcdefghjkmnpqrstuvwxyz"


class LeftOut(NamedTuple):
    """A line of a job file, or an element of a JSON list, that is passed over; why, as a remark."""

    file: str
    sheet: str
    line: int | None
    item: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class JobSource:
    """One job file.

    Attributes:
        name: What messages call it.
        path: Where its bytes are, which may be a copy that does not last.
        read: Reads it anew at each call.
        original: Where they came from, to be compared later; None of a stream and a selection.
        left_out: Lines that were passed over, as they are read.
    """

    name: str
    path: Path
    read: Callable[[], Iterator[Listed]]
    original: Path | None = None
    left_out: Sequence[LeftOut] = ()


@dataclass(slots=True)
class AskedRoute:
    """How many lines of a job ask for one route, and where the first stands, as a remark."""

    place: str
    count: int = 0


def _place(job: str, line: int) -> str:
    return remark("setting.place", file=job, line=line)


async def survey(
    jobs: Sequence[JobSource], limiter: anyio.CapacityLimiter | None = None
) -> dict[str, AskedRoute]:
    """Read job files to their ends, so that every bad line is known before a run exists.

    Args:
        jobs: The files.
        limiter: How many are surveyed at a time, in threads of their own; None counts them among
            all others.

    Returns:
        What asks for each route, by its name; "" where a line asks for none.
    """

    def count() -> dict[str, AskedRoute]:
        lines: dict[str, AskedRoute] = {}
        for job in jobs:
            for listed in job.read():
                if listed.route not in lines:
                    lines[listed.route] = AskedRoute(_place(job.name, listed.line))
                lines[listed.route].count += 1
        return lines

    return await anyio.to_thread.run_sync(count, limiter=limiter)


def merged(surveys: Iterable[Mapping[str, AskedRoute]]) -> dict[str, AskedRoute]:
    """Add up what several surveys have found.

    >>> merged([{"": AskedRoute("a, line 2", 3)}, {"": AskedRoute("b, line 1", 4)}])
    {'': AskedRoute(place='a, line 2', count=7)}
    """
    lines: dict[str, AskedRoute] = {}
    for found in surveys:
        for route, asked in found.items():
            lines.setdefault(route, AskedRoute(asked.place)).count += asked.count
    return lines


def new_run_id(now: datetime, letters: int = 3) -> RunId:
    """Return an id that sorts by time and can be typed.

    Args:
        now: When the run begins.
        letters: How many tell it from others of that second; more where nobody looks whether the
            id is free.

    >>> new_run_id(datetime(2026, 11, 25, 20, 0, 5))[:-3]
    '20261125-200005-'
    """
    tail = "".join(secrets.choice(_LETTERS) for _ in range(letters))
    return RunId(f"{now:%Y%m%d-%H%M%S}-{tail}")


async def free_run_id(ledger: Ledger, now: datetime) -> RunId:
    """Return an id that no run of the ledger has; two may begin within one second."""
    while await ledger.run(found := new_run_id(now)) is not None:
        pass
    return found


def scope_of(acct_id: str, route: Route) -> str:
    """Name the scope in which a bill number means one bill and one kind of document.

    Neither the rule nor the name of a route tells two bills apart, nor the letter case of a form
    id (P "Traps"): two routes to one target form would make two documents of a bill.

    >>> scope_of("a1", Route("r", "PUR_PurchaseOrder", "STK_InStock", rule="any"))
    'a1|pur_purchaseorder|stk_instock'
    """
    return f"{acct_id}|{route.source.lower()}|{route.target.lower()}"


async def new_run(
    ledger: Ledger, clock: Clock, acct_id: str, route: Route, jobs: Sequence[str]
) -> Run:
    """Return a run that is not in the ledger yet."""
    now = clock.now()
    run_id = await free_run_id(ledger, now)
    return Run(
        id=run_id,
        scope=scope_of(acct_id, route),
        route=route,
        jobs=tuple(jobs),
        folder=str(folder_of_results(jobs[0], run_id)),
        started_at=now,
    )


async def open_new(ledger: Ledger, make: Callable[[], Awaitable[Run]]) -> Run:
    """Write a new run into the ledger, which *make* gives an id as often as one is taken.

    An account sees which ids its own runs have; thousands may begin theirs in one second.
    """
    while True:
        run = await make()
        with suppress(RunIdTakenError):
            await ledger.open_run(run)
            return run


async def list_numbers(
    ledger: Ledger,
    run: Run,
    jobs: Sequence[JobSource],
    takes: Callable[[Listed], bool],
    *,
    file: FolderFile | None = None,
) -> int:
    """Write the numbers that an open run *takes* from job files into the ledger; count them.

    Args:
        ledger: Where to.
        run: The run.
        jobs: The job files.
        takes: Says whether a line is the run's.
        file: The file of a watched folder; all its lines are in the ledger after this.
    """
    counts = [0] * len(jobs)
    rest: list[Listed] = []
    for at, job in enumerate(jobs):
        lines = filter(takes, job.read())
        while batch := await anyio.to_thread.run_sync(next_lines, lines, BATCH):
            if rest:
                await ledger.add(run.id, rest)
            rest = batch
            counts[at] += len(batch)
    await keep_line_counts(ledger, run, counts)
    await ledger.close_list(run.id, rest=rest, file=file)
    return sum(counts)


async def take_up_plan(
    ledger: Ledger,
    planned: Run,
    lines: Iterator[Foreseen],
    *,
    at: datetime,
    seen_at: datetime | None = None,
    clock: Clock | None = None,
) -> Run:
    """Write a planned run into the ledger, with the rows of its plan and what will not be sent.

    Goes on where an execution that died has stopped, and changes nothing once all is there. That
    one may have written lines, and not what the plan says of them.

    Args:
        ledger: Where to.
        planned: The run, with the id that the plan gives it.
        lines: The lines of the run's route, in their order.
        at: When.
        seen_at: When its bills were looked at; None for now.
        clock: Of this machine, as for `keep_seen`.

    Returns:
        The run as it is in the ledger.

    Raises:
        Problem: It was begun with `--again`, and is to go on without it, or the other way round.
        RunIsAliveError: Another process does so, or executes the run.
    """
    if await ledger.run(planned.id) is None:
        with suppress(ValueError):  # another process was faster
            await ledger.open_run(planned)
    async with ledger.own(planned.id, executes=False):
        run = await ledger.run(planned.id) or planned
        if bool(run.again_because) is not bool(planned.again_because):
            # Second documents are made only if this command asks for them, not because an earlier
            # one did, which may have written down the first of several runs.
            kind = "with" if run.again_because else "without"
            raise Problem(remark(f"plan.begun_{kind}_again", run=run.id))
        if run.whole:
            return run
        listed = sum((await ledger.counts(run.id)).values()) + len(await ledger.repeats(run.id))
        place = 0
        while batch := await anyio.to_thread.run_sync(next_lines, lines, BATCH):
            await _write_down(ledger, run, batch, at, after=place, there=listed - place)
            place += len(batch)
        await keep_of_plan(ledger, run)
        await keep_seen(ledger, run.id, seen_at or at, clock=clock)
        await ledger.close_list(run.id)
    return replace(run, whole=True)


async def take_up_list(ledger: Ledger, wanted: Run, listed: Sequence[Listed]) -> Run:
    """Write a run and its numbers into the ledger, which somebody else may have begun to do.

    Goes on where an execution that died has stopped, and changes nothing once all is there.

    Args:
        ledger: Where to.
        wanted: The run, with an id that no other has.
        listed: Its numbers, few enough for the memory.

    Returns:
        The run as it is in the ledger.

    Raises:
        RunIsAliveError: Another process does so, or executes the run.
    """
    if await ledger.run(wanted.id) is None:
        with suppress(ValueError):  # another process was faster
            await ledger.open_run(wanted)
    async with ledger.own(wanted.id, executes=False):
        run = await ledger.run(wanted.id) or wanted
        if run.whole:
            return run
        there = sum((await ledger.counts(run.id)).values()) + len(await ledger.repeats(run.id))
        if rest := listed[there:]:
            await ledger.add(run.id, rest)
        await ledger.close_list(run.id)
    return replace(run, whole=True)


async def _write_down(
    ledger: Ledger, run: Run, batch: Sequence[Foreseen], at: datetime, *, after: int, there: int
) -> None:
    """Write lines of a plan down, and what it says of them.

    Args:
        ledger: Where to.
        run: The run.
        batch: Some of its lines.
        at: When.
        after: The place of the line before them.
        there: So many of them, or more, are in the ledger, perhaps without what the plan says.
    """
    new = [Listed(one.line, one.number, id=one.listed_id) for one in batch[max(0, there) :]]
    if new:
        await ledger.add(run.id, new)
    known = {one.listed: Identified(one.bill, one.source_id) for one in batch if one.bill}
    apart = (await ledger.identify(run.id, known)).apart
    unsent = [
        outcome._replace(number=apart.get(one.listed, outcome.number))
        for one in batch
        if (outcome := one.outcome(again=bool(run.again_because)))
    ]
    # Some are told already. And where a bill got the number of another between two looks of the
    # plan, one line turns out to be a repeat.
    rows = await ledger.rows(run.id, states=[State.PLANNED], after=after, limit=len(batch))
    untold = {row.key for row in rows}
    if unsent := [outcome for outcome in unsent if outcome.number in untold]:
        await ledger.conclude(run.id, unsent, at=at, note=remark("note.planned"))


def next_lines(lines: Iterator[T], most: int) -> list[T]:
    """Return the next lines, which may be read from a file: call it in a thread."""
    return list(islice(lines, most))


def stands_beside(first_job: str) -> Path:
    """Return what results and plans stand beside and are named after: the first job file.

    >>> [stands_beside(job).as_posix() for job in ("lists/orders.csv", "-", "/dev/fd/63")]
    ['lists/orders.csv', 'stdin', 'stdin']
    """
    path = Path(first_job)
    if path.is_relative_to(_DEVICES):
        return Path(_STEMS["-"])
    return path.with_name(_STEMS[path.name]) if path.name in _STEMS else path


def folder_of_results(first_job: str, run: RunId) -> Path:
    """Return where the results of a run go.

    A name that no folder can have is cut where a character ends; the id tells it from others.
    """
    path = stands_beside(first_job)
    stem = path.stem
    room = MOST_NAME_BYTES - len(f".{run}")
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[:room].decode("utf-8", "ignore")
    # What is called results may be a link that somebody else has made, and is not followed.
    return real(path.parent) / "results" / f"{stem}.{run}"
