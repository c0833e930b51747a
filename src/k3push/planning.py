"""From job files to a run in the ledger. Nothing is asked of the ERP, and nothing is sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import anyio.to_thread

from k3push.core.model import BillNumber, Listed, Outcome, Route, Run, RunId, State
from k3push.core.plan import Foreseen
from k3push.ports import Clock, Ledger
from k3push.reporting.tables import pages_of

# Numbers that are written to the ledger at once.
BATCH = 5000

# Letters that cannot be taken for one another, for ids that are typed.
_LETTERS = "abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class JobSource:
    """One job file.

    Attributes:
        name: What messages call it.
        path: Where its bytes are.
        read: Reads it anew at each call.
    """

    name: str
    path: Path
    read: Callable[[], Iterator[Listed]]


@dataclass(slots=True)
class Asked:
    """How many lines of a job ask for one route, and where the first of them stands."""

    place: str
    count: int = 0


async def survey(jobs: Sequence[JobSource]) -> dict[str, Asked]:
    """Read job files to their ends, so that every bad line is known before a run exists.

    Returns:
        What asks for each route, by its name; "" where a line asks for none.
    """

    def count() -> dict[str, Asked]:
        lines: dict[str, Asked] = {}
        for job in jobs:
            for listed in job.read():
                if listed.route not in lines:
                    lines[listed.route] = Asked(f"{job.name}, line {listed.line}")
                lines[listed.route].count += 1
        return lines

    return await anyio.to_thread.run_sync(count)


def merged(surveys: Iterable[Mapping[str, Asked]]) -> dict[str, Asked]:
    """Add up what several surveys have found.

    >>> merged([{"": Asked("a, line 2", 3)}, {"": Asked("b, line 1", 4)}])
    {'': Asked(place='a, line 2', count=7)}
    """
    lines: dict[str, Asked] = {}
    for found in surveys:
        for route, asked in found.items():
            lines.setdefault(route, Asked(asked.place)).count += asked.count
    return lines


def new_run_id(now: datetime) -> RunId:
    """Return an id that sorts by time and can be typed.

    >>> new_run_id(datetime(2026, 11, 25, 20, 0, 5))[:-3]
    '20261125-200005-'
    """
    tail = "".join(secrets.choice(_LETTERS) for _ in range(3))
    return RunId(f"{now:%Y%m%d-%H%M%S}-{tail}")


async def free_run_id(ledger: Ledger, now: datetime) -> RunId:
    """Return an id that no run of the ledger has; two may begin within one second."""
    while await ledger.run(found := new_run_id(now)) is not None:
        pass
    return found


def scope_of(acct_id: str, route: Route) -> str:
    """Name the scope in which a bill number means one bill and one kind of target."""
    return f"{acct_id}|{route.source}|{route.rule or route.target}"


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
        folder=str(results_folder(jobs[0], run_id)),
        started_at=now,
    )


async def open_run(
    ledger: Ledger,
    run: Run,
    jobs: Sequence[JobSource],
    takes: Callable[[Listed], bool],
) -> None:
    """Write a run and the numbers that it *takes* from job files into the ledger."""
    await ledger.open_run(run)
    await list_numbers(ledger, run, jobs, takes)


async def list_numbers(
    ledger: Ledger,
    run: Run,
    jobs: Sequence[JobSource],
    takes: Callable[[Listed], bool],
) -> None:
    """Write the numbers that an open run *takes* from job files into the ledger."""
    for job in jobs:
        lines = filter(takes, job.read())
        while batch := await anyio.to_thread.run_sync(_next_batch, lines):
            await ledger.add(run.id, batch)
    await ledger.close_list(run.id)


async def fill_planned_run(
    ledger: Ledger, run: Run, lines: Iterator[Foreseen], *, lines_listed: int, at: datetime
) -> None:
    """Write the rows of a plan into a run that the caller owns, and what will not be sent.

    Args:
        ledger: Where to.
        run: One that is there.
        lines: The lines of the run's route, in their order.
        lines_listed: How many of them an execution that died has written down.
        at: When.
    """
    rest = islice(lines, lines_listed, None)
    while batch := await anyio.to_thread.run_sync(_next_foreseen, rest):
        await ledger.add(run.id, [Listed(one.line, one.number) for one in batch])
        await ledger.identify(run.id, {one.number: one.bill for one in batch if one.bill})
        again = bool(run.again_because)
        outcomes = [one.outcome(again=again) for one in batch]
        unsent = [outcome for outcome in outcomes if outcome is not None]
        if unsent:
            await ledger.conclude(run.id, unsent, at=at, note="as the plan has found it")


def _next_foreseen(lines: Iterator[Foreseen]) -> list[Foreseen]:
    return list(islice(lines, BATCH))


def _next_batch(lines: Iterator[Listed]) -> list[Listed]:
    return list(islice(lines, BATCH))


async def plan_rejected(ledger: Ledger, clock: Clock, run: Run, reason: str = "") -> int:
    """Plan the rejected numbers of a run again, those whose reason or code holds *reason*.

    Returns:
        How many.
    """
    planned = 0
    async for rows in pages_of(ledger, run, {State.REJECTED}):
        outcomes = [
            Outcome(
                BillNumber(row.bill or row.number), State.PLANNED, code=row.code, reason=row.reason
            )
            for row in rows
            if reason in row.reason or reason == row.code
        ]
        if outcomes:
            await ledger.conclude(run.id, outcomes, at=clock.now(), note="planned again by retry")
        planned += len(outcomes)
    return planned


def results_folder(first_job: str, run: RunId) -> Path:
    """Return where the results of a run go: beside its first job file."""
    path = Path(first_job if first_job != "-" else "stdin")
    return (path.parent / "results" / f"{path.stem}.{run}").resolve()
