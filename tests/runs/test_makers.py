"""Whose a document is that has come since a call which was refused for a neighbour."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from k3push.core.model import RunId, State
from k3push.runs.context import Context
from k3push.runs.stop import Cause
from k3push.simulator import Policy, build
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from tests.runs.office import (
    Notebook,
    Office,
    one_by_one,
    orders,
    sandbox,
    server_time,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_CANARY, OPEN, REFUSED, copy_creators, until_pushed

pytestmark = pytest.mark.anyio

A_DAY_S = 20 * 3600
WHOLE = {"on_refusal": "whole", "latency_s": 0.5, **OPEN}


async def until_sent(watch: Notebook, number: str) -> None:
    """Wait until the answer to a call with a number was read."""
    while number not in map(str, watch.carried):  # noqa: ASYNC110
        await anyio.sleep(0.1)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("resumes", [True, False])
async def test_what_clerks_push_a_day_later_of_its_neighbours_is_already_there(
    *, resumes: bool, told: bool
) -> None:
    """Whether the run is resumed then or waits meanwhile, and whether makers are told or not."""
    office = Office(sandbox(**WHOLE, creators=told))
    numbers, throttle = orders(6), steered(concurrency=1, chunk_size=6)
    office.site.world.refuse(numbers[3], REFUSED)
    await office.open_run(numbers)

    async def push_by_hand() -> None:
        await anyio.sleep(A_DAY_S)
        for number in numbers[4:]:
            office.site.world.add_target(IN_STOCK, number, creator="clerk")

    async def beside(job: Context) -> None:
        await until_pushed(office)
        if resumes:
            job.stop.ask(Cause.INTERRUPTED, "")
            return
        throttle.pause()
        await push_by_hand()
        throttle.go_on()

    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, beside=beside, check=False)
    if resumes:
        await push_by_hand()
        pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.ALREADY) == set(numbers[4:])


async def test_what_a_clerk_has_pushed_and_cancelled_hinders_no_push() -> None:
    """A cancelled document of another is none of ours, and its bill is sent."""
    office, watch = Office(sandbox(**WHOLE)), Notebook()
    numbers, throttle = orders(13), steered(concurrency=1, chunk_size=6)
    office.site.world.refuse(numbers[-2], REFUSED)
    await office.open_run(numbers)

    async def beside(_: Context) -> None:
        await until_sent(watch, numbers[-1])
        throttle.pause()
        await anyio.sleep(A_DAY_S)
        office.site.world.add_target(IN_STOCK, numbers[-1], creator="clerk", cancelled=True)
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, watch=watch, beside=beside, check=False)
    assert pushed.rows[numbers[-1]].state is State.PUSHED


@pytest.mark.parametrize("hours", [4, 20])
async def test_a_user_who_has_made_the_bills_as_well_hides_no_clerk(hours: int) -> None:
    """A rule that copies who made the bill would name him too, and a clerk is neither."""
    office, watch = Office(sandbox(**WHOLE)), Notebook()
    numbers, throttle = orders(6), steered(concurrency=1, chunk_size=6)
    world, earlier = office.site.world, RunId("r0")
    for number in orders(60):
        for bill in world.store.by_number(PURCHASE_ORDER, number):
            bill.creator = "sandbox"
    await office.open_run(orders(5, 20), earlier)
    await office.execute(earlier, check=False)
    world.refuse(numbers[3], REFUSED)
    await office.open_run(numbers)

    async def interrupt(job: Context) -> None:
        await until_sent(watch, numbers[0])
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(
        limits=NO_CANARY, throttle=throttle, watch=watch, beside=interrupt, check=False
    )
    await anyio.sleep(hours * 3600)
    world.add_target(IN_STOCK, numbers[5], creator="clerk")
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.rows[numbers[5]].state is State.ALREADY


@pytest.mark.parametrize("hours", [16.0, 22.0])
async def test_a_server_whose_clock_is_hours_ahead_makes_ours_nobody_elses(hours: float) -> None:
    """No answer has named a document yet, so that nothing tells of the server's clock."""
    options = sandbox(steps("make-then-reset"), **OPEN)
    site = build(options, clock=lambda: server_time() + timedelta(hours=hours))
    office, numbers = Office(site=site), orders(1)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_a_merged_document_bears_the_maker_of_one_of_its_bills() -> None:
    """That three of them bear one clerk by chance makes no document of another clerk's bill his."""
    office = Office(
        sandbox(steps("ok", "ok", "ok", "make-then-reset"), policy=Policy.MERGE, **OPEN)
    )
    copy_creators(office)
    numbers = orders(7)
    for nth, number in enumerate(numbers):
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party, bill.creator = "", "li" if nth % 2 or nth == 6 else "zhao"
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=2), check=False
    )
    assert pushed.of(State.PUSHED) == set(numbers)
