"""Servers of many shapes, and how long a list takes on each, on virtual time.

The simulator's load model stands for the ERP: it is k3push's own code that runs, over its
HTTP adapter and the memory ledger, and only the waiting is virtual. So a makespan is exact,
the same on every machine, and holds the looks before and after each push.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio
import trio
from trio.testing import MockClock

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.core.model import BillNumber, State
from k3push.core.pacing.chunking import split
from k3push.core.pacing.samples import Setting
from k3push.core.protocol import wire
from k3push.core.safety.verdict import ReadBack, judge
from k3push.simulator import SandboxOptions, build
from k3push.simulator.sandbox_options import SlowSpell
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import FIRST, LOGIN, NOON, ROUTE, Office, VirtualClock, orders, steered
from tests.simulator.transport import SandboxTransport


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of server, and a list that fits it.

    Attributes:
        what: In words.
        numbers: Length of the list.
        options: Of the sandbox, besides its orders.
    """

    what: str
    numbers: int
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def sandbox(self) -> SandboxOptions:
        """The server."""
        return SandboxOptions(orders=self.numbers, **self.options)  # type: ignore[arg-type]  # names of its own fields


SHAPES = {
    "user-queue": Shape(
        "one call of a user at a time",
        2000,
        {"latency_s": 0.2, "per_number_s": 0.05, "queue": "user"},
    ),
    "site-queue": Shape(
        "one call at a time",
        2000,
        {"latency_s": 0.1, "per_number_s": 0.1, "queue": "site"},
    ),
    "capacity-4": Shape(
        "4 calls at once, beyond them slower",
        2000,
        {"latency_s": 0.3, "per_number_s": 0.1, "capacity": 4},
    ),
    "capacity-16": Shape(
        "16 calls at once, beyond them slower",
        5000,
        {"latency_s": 0.3, "per_number_s": 0.1, "capacity": 16},
    ),
    "capacity-64": Shape(
        "64 calls at once, beyond them slower",
        10_000,
        {"latency_s": 0.3, "per_number_s": 0.2, "capacity": 64},
    ),
    "heavy": Shape(
        "a second for each number",
        2000,
        {"latency_s": 0.1, "per_number_s": 1.0, "capacity": 8},
    ),
    "far": Shape(
        "300 ms of network for each call, little work",
        20_000,
        {"latency_s": 0.02, "per_number_s": 0.02, "capacity": 16, "round_trip_s": 0.3},
    ),
    "slow-hour": Shape(
        "five times slower for a while, at half the capacity",
        5000,
        {
            "latency_s": 0.2,
            "per_number_s": 0.1,
            "capacity": 16,
            "slow_spell": SlowSpell(from_s=20, to_s=80, slower=5, capacity=8),
        },
    ),
    "call-limit": Shape(
        "MsgCode 14 above 900 calls a minute",
        5000,
        {"latency_s": 0.1, "per_number_s": 0.1, "capacity": 16, "most_a_minute": 900},
    ),
}


def makespan_s(
    shape: Shape, fixed: Setting | None = None, *, cut_s: float = math.inf
) -> float | None:
    """Return how long a list takes, in virtual seconds, from the login to the last record.

    Args:
        shape: The server and the list.
        fixed: Calls at once and numbers in each; None for auto.
        cut_s: Give up after so long, and return None.
    """
    return trio.run(_push, shape, fixed, cut_s, clock=MockClock(autojump_threshold=0))


def nights_s(shape: Shape, count: int) -> list[float]:
    """Return how long `auto` takes night after night: each begins with what the last came to.

    Each night has a list of its own, so that a ledger of its own holds nothing else of the others.
    """
    took_s: list[float] = []
    before: MemoryLedger | None = None
    for _ in range(count):
        ledger = MemoryLedger(account="sandbox")
        each_s = trio.run(
            partial(_push, shape, None, math.inf, ledger, before),
            clock=MockClock(autojump_threshold=0),
        )
        before = ledger
        took_s.append(each_s or math.inf)
    return took_s


async def _push(
    shape: Shape,
    fixed: Setting | None,
    cut_s: float,
    ledger: MemoryLedger | None = None,
    before: MemoryLedger | None = None,
) -> float | None:
    office = Office(shape.sandbox, ledger=ledger)
    await office.open_run(orders(shape.numbers))
    scope = office.run(FIRST).scope
    if before is not None and (kept := await before.pace(scope)):
        await office.store.keep_pace(scope, kept[0], at=VirtualClock().now())
    throttle = steered()
    if fixed is not None:
        throttle = steered(concurrency=fixed.concurrency, chunk_size=fixed.chunk_size)
    began_s = anyio.current_time()
    with anyio.move_on_after(cut_s):
        pushed = await office.execute(throttle=throttle, check=False)
        # A setting that the server's limit stops halfway has not finished the list.
        if len(pushed.of(State.PUSHED) | pushed.of(State.REJECTED)) == shape.numbers:
            return anyio.current_time() - began_s
    return None


SDK_CHUNK_SIZE = 50


def sdk_loop_s(shape: Shape) -> float:
    """Return how long the official SDK's usual loop takes: a Push after the other, and no look."""
    return trio.run(_push_in_a_loop, shape, clock=MockClock(autojump_threshold=0))


async def _push_in_a_loop(shape: Shape) -> float:
    site = build(shape.sandbox, clock=lambda: NOON)
    address = Endpoint("http://sandbox/K3Cloud/", lambda _: LOGIN)
    began_s = anyio.current_time()
    async with ErpClient(address, transport=lambda: SandboxTransport(site)) as erp:
        await erp.open_session()
        for chunk in split([BillNumber(n) for n in orders(shape.numbers)], SDK_CHUNK_SIZE):
            async with erp.turn() as turn:
                data = wire.push_data(ROUTE, chunk)
                verdict = judge(await turn.perform(wire.PUSH, ROUTE.source, data, held_back=str))
            assert isinstance(verdict, ReadBack), verdict
            assert verdict.said.success, verdict
        return anyio.current_time() - began_s
