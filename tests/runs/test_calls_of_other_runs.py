"""A call of another run is open or in doubt: what it may have made is that run's."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from k3push.core.model import TWIN, RunId, State
from k3push.runs.context import Context
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator import Policy
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import RECEIPTS, ROUTE, SECOND, Office, one_by_one, orders, sandbox, steps
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    NO_CANARY,
    OPEN,
    REFUSED,
    doubled,
    until_lost,
    until_rejected,
)
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("allow_partial", [False, True])
@pytest.mark.parametrize("in_doubt", [False, True])
async def test_the_look_that_is_due_after_a_kill_takes_no_document_of_an_open_call(
    *, in_doubt: bool, allow_partial: bool
) -> None:
    """A bill is refused, and its run killed; another run pushes it as the first is resumed."""
    plan = steps("ok", "ok", "ok", "make-then-reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN)), orders(6)
    bill = numbers[2]
    office.site.world.refuse(bill, REFUSED)
    await office.open_run(numbers[:3])

    async def kill(job: Context) -> None:
        await until_rejected(office, bill)
        job.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)
    office.site.world.allow(bill)
    await anyio.sleep(3600)
    route = replace(ROUTE, allow_partial=allow_partial)
    later = Office(site=office.site, ledger=office.store, route=route)
    await later.open_run(numbers[2:], SECOND)

    async def resume(_: Context) -> None:
        while not office.site.world.documents_of(bill):  # noqa: ASYNC110
            await anyio.sleep(0.05)
        if in_doubt:
            await until_lost(office, SECOND)
            await anyio.sleep(5)
        await office.execute(throttle=one_by_one(), check=False)

    pushed = await later.execute(
        SECOND, limits=NO_CANARY, throttle=one_by_one(), beside=resume, check=False
    )
    assert doubled(office, numbers) == []
    assert pushed.rows[bill].state is State.PUSHED, pushed.rows[bill]
    assert (await office.rows())[bill].state is State.REJECTED


async def test_a_doubt_about_another_target_form_holds_up_no_find() -> None:
    """What that call may have made of the bill is a receipt, and no document of ours."""
    office = Office(sandbox(steps("reset", "ok", "make-then-reset"), **OPEN))
    numbers = orders(2)
    elsewhere = Office(route=RECEIPTS, site=office.site, ledger=office.store)
    await elsewhere.open_run(numbers[1:], SECOND)
    await elsewhere.execute(SECOND, limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    assert (await elsewhere.rows(SECOND))[numbers[1]].state is State.UNKNOWN
    began_s = anyio.current_time()
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert pushed.of(State.PUSHED) == {*numbers}
    assert anyio.current_time() - began_s < 300


@pytest.mark.more
async def test_the_look_at_the_end_takes_no_document_of_an_open_call() -> None:
    """A bill was lost and found; another run pushes it `--again`, and its answer is lost."""
    plan = steps("ok", "make-then-reset", "make-then-reset")
    office, numbers, throttle = (
        Office(sandbox(plan, latency_s=1.0, **OPEN)),
        orders(6),
        one_by_one(),
    )
    await office.open_run(numbers)
    lost = []

    async def go_on(_: Context) -> None:
        await until_lost(office, SECOND)
        throttle.go_on()

    async def again() -> None:
        lost.append(await until_lost(office))
        throttle.pause()
        while (await office.rows())[lost[0]].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await office.open_run(lost, SECOND, again_because="the first one was lost in the mail")
        await office.execute(
            SECOND, limits=NO_CANARY, throttle=one_by_one(), beside=go_on, check=False
        )

    async with anyio.create_task_group() as both:
        both.start_soon(again)
        await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    first, second = [(await office.rows(run))[lost[0]] for run in (RunId("r1"), SECOND)]
    assert len(office.site.world.documents_of(lost[0])) == 2
    assert (first.code, second.code, second.attempts) == ("", "", 1)
    assert {*first.targets}.isdisjoint(second.targets)


@pytest.mark.more
async def test_a_bill_of_another_rule_that_splits_is_settled_after_its_window() -> None:
    """Its run was killed, and a run of a rule that makes one document of each asks for it."""
    options = sandbox(
        steps(*["ok"] * 3, "make-then-reset"),
        latency_s=1.0,
        policy=Policy.SPLIT,
        save_gap_s=200.0,
        routes=with_second_rule(),
        **OPEN,
    )
    office, numbers = (
        Office(options, replace(ROUTE, name="other", rule=with_second_rule()[-1].rule_id)),
        orders(56),
    )
    first = RunId("r0")
    await office.open_run(numbers[:4], first)
    lost = []

    async def kill(job: Context) -> None:
        lost.append(await until_lost(office, first))
        job.stop.scope.cancel()

    await office.execute(first, limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)
    world, manners = office.site.world, office.site._manners
    world._converter = replace(world._converter, policy=Policy.ONE_TO_ONE)
    office.site._manners = replace(manners, save_gap_s=0.0)
    mine = Office(site=office.site, ledger=office.store)
    await mine.open_run([*lost, *numbers[10:]])
    often = SettleTimes()
    await mine.execute(limits=NO_CANARY, throttle=one_by_one(), settle=often, check=False)
    office.site.finish()
    row = (await office.rows(first))[lost[0]]
    assert len(row.targets) == len(world.documents_of(lost[0])) == 2, row


async def waited_for(late_s: int = 800) -> tuple[Office, str]:
    """Return an office where a run waits for a killed one's call, which is carried out late.

    An answer of its own is lost as well, so that it is at work still when that comes.
    """
    plan = steps(*["ok"] * 3, f"commit-late-then-reset:{late_s}", *["ok"] * 13, "reset")
    office, numbers = Office(sandbox(plan, latency_s=20.0, look_s=0.1, **OPEN)), orders(20)
    await office.open_run(numbers[:6])
    lost = []

    async def kill(job: Context) -> None:
        lost.append(await until_lost(office))
        job.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)
    await office.open_run([*lost, *numbers[6:]], SECOND)
    return office, lost[0]


async def until_documents(office: Office, number: str, count: int) -> None:
    """Wait until a bill has so many documents."""
    while len(office.site.world.documents_of(number)) < count:  # noqa: ASYNC110
        await anyio.sleep(1)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_late_document_of_a_run_that_was_waited_for_is_told(*, killed: bool) -> None:
    """The bill was pushed once the window had passed; the look at the end may be a resume's."""
    office, bill = await waited_for()

    async def kill(job: Context) -> None:
        await until_documents(office, bill, 2)
        if killed:
            job.stop.scope.cancel()

    pushed = await office.execute(
        SECOND, limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False
    )
    if killed:
        pushed = await office.execute(SECOND, throttle=one_by_one(), check=False)
    assert len(pushed.rows[bill].targets) == 2, pushed.rows[bill]
    assert pushed.rows[bill].code == TWIN


async def test_a_late_document_of_a_run_that_was_waited_for_makes_what_was_unsent_already() -> None:
    """The bill was unapproved before its turn came, and refused unsent."""
    office, bill = await waited_for(900)
    refused: list[int] = []

    async def unapprove(_: Context) -> None:
        await anyio.sleep(550)
        (order,) = office.site.world.store.by_number(PURCHASE_ORDER, bill)
        order.status = "D"
        while (await office.rows(SECOND))[bill].state is not State.REJECTED:  # noqa: ASYNC110
            await anyio.sleep(1)
        refused.append(len(office.site.world.documents_of(bill)))

    pushed = await office.execute(
        SECOND,
        limits=NO_CANARY,
        throttle=one_by_one(),
        settle=SettleTimes(poll_s=170),
        beside=unapprove,
        check=False,
    )
    row = pushed.rows[bill]
    assert refused == [0]
    assert (row.state, row.attempts) == (State.ALREADY, 0), row
    assert [target.id for target in row.targets] == [
        str(each.id) for each in office.site.world.documents_of(bill)
    ]
