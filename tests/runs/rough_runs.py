"""Whole runs over real sockets: what was never sent is what the line says, and not a stand-in."""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from typing import Any

from k3push.core.model import Row, State
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator import FAULT_NAMES, FaultPlan, build, fault
from k3push.simulator.fault_plans.faults import Ending, Work
from k3push.simulator.fault_plans.script import Channel, Seeded, Step
from tests.runs.office import NOON, Office, orders, sandbox, steered
from tests.runs.rough_server import served_roughly

# How many seconds pass in one: sockets cannot do with virtual time, which jumps.
QUICK = 50
SETTLE = SettleTimes(first_wait_s=2, poll_s=10, window_s=60)
NUMBERS = orders(60)
MOST_EXECUTIONS = 8

# These take long, or need a connection that is never made, which sockets here always make.
UNFIT = {Ending.SILENCE, Ending.DELAY, Ending.REFUSE_CONNECTION, Ending.CONNECT_TIMEOUT}
FAULTS = tuple(
    each
    for each in map(fault, FAULT_NAMES)
    if each.ending not in UNFIT and each.work in {Work.NONE, Work.MAKE}
)
BROKEN_READS = tuple(map(fault, ("reset", "close", "cut-off", "html-502", "empty", "garbage")))


class _QuickSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / QUICK if timeout else timeout)


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes quickly."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        """Return the time."""
        return super().time() * QUICK


def plan(seed: int) -> FaultPlan:
    """Plan faults of pushes by a seed, and some of the reads between them."""
    reads = [Step(fault("ok"), Channel.QUERY)] * (3 + seed)
    for nth, each in enumerate(BROKEN_READS):
        reads += [Step(each, Channel.QUERY), *[Step(fault("ok"), Channel.QUERY)] * (2 + nth % 3)]
    pages = [Step(BROKEN_READS[seed % len(BROKEN_READS)], Channel.PAGE)] if seed % 2 else []
    return FaultPlan(
        steps=(*reads, *pages),
        seeded=Seeded(0.3, FAULTS, seed, most=15),
        session_calls=40 if seed % 3 == 0 else 0,
    )


def run_roughly(seed: int) -> Counter[State]:
    """Push a list to its end, hold the books to it after each execution, and count the rows."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(_run_roughly(seed))


async def _run_roughly(seed: int) -> Counter[State]:
    site = build(sandbox(plan(seed), latency_s=0.05), clock=lambda: NOON)
    rows: dict[str, Row] = {}
    async with served_roughly(site, seed) as address:
        office = Office(site=site, served_at=address)
        await office.open_run(NUMBERS)
        for _ in range(MOST_EXECUTIONS):
            throttle = steered(concurrency=4, chunk_size=5)
            rows = (await office.execute(throttle=throttle, settle=SETTLE)).rows
            if not {row.state for row in rows.values()} & {State.PLANNED, State.UNKNOWN}:
                break
    states = Counter(row.state for row in rows.values())
    assert set(states) <= {State.PUSHED, State.REJECTED}
    assert states[State.PUSHED] > len(NUMBERS) / 2
    return states
