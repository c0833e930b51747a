"""What lost answers cost: the time of a list of which some calls fail, on virtual time.

A list goes to a server on which a share of the pushes fails, drawn by seed, and is executed until
each number has an end, as a patient person does. The same list without failures is what its time
is compared with.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from statistics import median
from typing import Any

import anyio
import trio
from trio.testing import MockClock

from k3push.core.model import State
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator import FaultPlan, SandboxOptions
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Channel, Seeded
from tests.runs.office import Office, orders, steered

WAYS = {
    "reset": "the connection breaks, and nothing was done",
    "make-then-reset": "the connection breaks, and all was done",
    "html-502": "a proxy's error page, and nothing was done",
    "silence": "no answer in time, and nothing was done",
    "make-then-silence": "no answer in time, and all was done",
    "response-error-timeout": "an exception that speaks of time, and nothing was done",
}
SHARES = (0.01, 0.05)
NUMBERS_AT_ONCE = (1, 20)
CALLS_AT_ONCE = 4
ANSWER_TIMEOUT_S = 60.0
MOST_EXECUTIONS = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What one list came to.

    Attributes:
        took_s: From the first login to the last record, over all executions.
        executions: Until all numbers had an end.
        pushes: Calls.
        open: Numbers that had none after the last.
    """

    took_s: float
    executions: int
    pushes: int
    open: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("ways", nargs="*", metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--numbers", type=int, default=400, metavar="N", help="length of the lists")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="lists for each line")
    parser.add_argument("--seed", type=int, default=76_000, metavar="N", help="of the first")
    parser.add_argument("--processes", type=int, default=2, metavar="N")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare the time of lists of which calls are lost with that of lists without losses."""
    sys.stdout.write(
        f"{'a call that fails':24}{'share':>6}{'in a call':>10}{'without':>10}{'median':>10}"
        f"{'longest':>10}{'pushes':>14}{'executions':>12}{'open':>6}\n"
    )
    rows = []
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    with ProcessPoolExecutor(arguments.processes) as pool:
        for size, share, way in product(NUMBERS_AT_ONCE, SHARES, arguments.ways or list(WAYS)):
            push = partial(push_list, arguments.numbers, size, way)
            plain = push(0.0, 0)
            costs = list(pool.map(partial(push, share), seeds))
            times_s = [each.took_s for each in costs]
            sys.stdout.write(
                f"{way:24}{share:6.0%}{size:10}{plain.took_s:8.0f} s{median(times_s):8.0f} s"
                f"{max(times_s):8.0f} s"
                f"{median(each.pushes for each in costs):8.0f}/{plain.pushes:<5}"
                f"{max(each.executions for each in costs):12}"
                f"{sum(each.open for each in costs):6}\n"
            )
            sys.stdout.flush()
            rows.append(
                {"way": way, "share": share, "in_a_call": size, "without_s": plain.took_s}
                | {"lists": [asdict(each) for each in costs]}
            )
    return {"losses": rows}


def push_list(numbers: int, size: int, way: str, share: float, seed: int) -> Cost:
    """Push one list to its end.

    Args:
        numbers: Its length.
        size: Numbers in a call.
        way: How calls fail.
        share: Of the calls, from 0 to 1.
        seed: Which calls these are.
    """
    plan = FaultPlan(seeded=Seeded(share, (fault(way),), seed))
    options = SandboxOptions(
        orders=numbers, latency_s=1.0, per_number_s=0.2, look_s=0.1, faults=plan
    )
    return trio.run(_push, options, numbers, size, clock=MockClock(autojump_threshold=0))


async def _push(options: SandboxOptions, numbers: int, size: int) -> Cost:
    office = Office(options, answer_timeout_s=ANSWER_TIMEOUT_S)
    await office.open_run(orders(numbers))
    began_s = anyio.current_time()
    executions, left = 0, {*orders(numbers)}
    while left and executions < MOST_EXECUTIONS:
        throttle = steered(concurrency=CALLS_AT_ONCE, chunk_size=size)
        pushed = await office.execute(throttle=throttle, settle=SettleTimes())
        left = pushed.of(State.PLANNED) | pushed.of(State.UNKNOWN)
        executions += 1
    pushes = office.site.calls[Channel.PUSH]
    return Cost(anyio.current_time() - began_s, executions, pushes, len(left))
