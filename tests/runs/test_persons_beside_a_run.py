"""What people push, mend, cancel and say while a run is open, and whose each document is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, State
from k3push.core.pacing.halting import HaltRule
from k3push.core.remark import read_remark
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.push_limits import PushLimits
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.simulator import Refusal
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from tests.runs.office import (
    FIRST,
    ROUTE,
    Office,
    VirtualClock,
    give_to_another,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    REFUSED,
    FastClock,
    doubled,
    keep_a_part,
    plan_again,
    until_pushed,
)
from tests.runs.test_follow import FOLLOW, NO_HALT

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("on_refusal", ["partial", "silent"])
async def test_what_a_person_made_of_a_rejected_bill_before_its_retry_is_already_there(
    on_refusal: str, *, told: bool
) -> None:
    """Whether the ERP has refused it or passed over it, and whether makers are told or not."""
    office = Office(sandbox(on_refusal=on_refusal, creators=told, **OPEN))
    numbers = orders(4)
    world = office.site.world
    world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(throttle=throttle)
    assert pushed.of(State.REJECTED) == {numbers[-1]}
    world.allow(numbers[-1])
    world.add_target(IN_STOCK, numbers[-1], creator="clerk")
    await plan_again(office)
    pushed = await office.execute(throttle=throttle, check=False)
    assert pushed.rows[numbers[-1]].state is State.ALREADY


async def test_a_clock_that_was_ahead_makes_nothing_ours() -> None:
    """Attempts before a retry count no more, whatever time the clock of their machine has shown."""
    office = Office(sandbox(**OPEN))
    world, (number,) = office.site.world, orders(1)
    world.refuse(number, Refusal(4, "未将对象引用设置到对象的实例。"))
    await office.open_run([number])
    pushed = await office.execute(clock=FastClock(), check=False)
    assert pushed.of(State.REJECTED) == {number}
    world.allow(number)
    world.add_target(IN_STOCK, number, creator="clerk")
    await plan_again(office)
    pushed = await office.execute(check=False)
    assert pushed.of(State.ALREADY) == {number}


async def test_a_part_of_a_person_after_a_final_refusal_spares_no_push() -> None:
    """Where bills are pushed in parts, what a person made after a refusal is none of ours."""
    route = replace(ROUTE, allow_partial=True)
    office = Office(sandbox(**OPEN), route)
    world, (number,) = office.site.world, orders(1)
    world.refuse(number, REFUSED)
    await office.open_run([number])
    pushed = await office.execute()
    assert pushed.of(State.REJECTED) == {number}
    world.allow(number)
    world.add_target(IN_STOCK, number, creator="clerk", quantities=[1])
    await plan_again(office)
    await office.execute(check=False)
    assert [each.creator for each in world.documents_of(number)] == ["clerk", "sandbox"]


async def test_what_a_person_made_of_a_refused_bill_while_the_run_goes_on_is_not_ours() -> None:
    """What a person makes of a refused bill an hour later is none of ours."""
    office = Office(sandbox(latency_s=1.0, **OPEN))
    numbers, throttle = orders(6), steered(concurrency=1, chunk_size=1)
    world = office.site.world
    world.refuse(numbers[1], REFUSED)
    await office.open_run(numbers)

    async def person(_: Context) -> None:
        while (await office.rows())[numbers[1]].state is not State.REJECTED:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        throttle.pause()
        await anyio.sleep(3600)
        world.allow(numbers[1])
        world.add_target(IN_STOCK, numbers[1], creator="clerk")
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=person, check=False)
    row = pushed.rows[numbers[1]]
    assert row.state is not State.PUSHED, row


async def test_what_a_person_has_made_and_cancelled_is_no_document_of_ours() -> None:
    """A document that a person has made and cancelled does not settle a doubt."""
    office = Office(sandbox(steps("ok", "reset"), **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)

    async def person(_: Context) -> None:
        await anyio.sleep(60)
        office.site.world.add_target(IN_STOCK, numbers[1], creator="clerk", cancelled=True)

    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(throttle=throttle, beside=person, check=False)
    there = [each for each in office.site.world.documents_of(numbers[1]) if not each.cancelled]
    assert pushed.rows[numbers[1]].state is not State.PUSHED or there


async def test_a_lost_document_that_was_cancelled_since_is_no_absence() -> None:
    """A lost document that a person has cancelled is no absence, and nothing is sent again."""
    office = Office(sandbox(steps("ok", "make-then-reset"), **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    world = office.site.world

    async def person(_: Context) -> None:
        while not world.documents_of(numbers[1]):  # noqa: ASYNC110
            await anyio.sleep(1)
        world.cancel(world.documents_of(numbers[1])[0])

    pushed = await office.execute(
        beside=person, throttle=steered(concurrency=1, chunk_size=1), check=False
    )
    assert doubled(office, numbers) == []
    row = pushed.rows[numbers[1]]
    # The row says what a person has to decide, and names the document.
    (cancelled,) = world.documents_of(numbers[1])
    assert (row.state, row.code) == (State.UNKNOWN, "cancelled_since"), row
    assert read_remark(row.reason) == ("note.cancelled_since", {"documents": cancelled.number})


@pytest.mark.parametrize("again_because", ["", "the first one was lost in the mail"])
async def test_what_a_refused_call_has_saved_and_a_person_cancels_is_not_pushed_again(
    monkeypatch: pytest.MonkeyPatch, again_because: str
) -> None:
    """The bill may be pushed in parts, or again; its document is shown before it goes on alone."""
    options = sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options, replace(ROUTE, allow_partial=not again_because)), orders(3)
    keep_a_part(monkeypatch, numbers, kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers, again_because=again_because)
    world = office.site.world

    async def person(_: Context) -> None:
        while not world.documents_of(numbers[0]):  # noqa: ASYNC110
            await anyio.sleep(1)
        world.cancel(world.documents_of(numbers[0])[0])

    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(beside=person, limits=NO_CANARY, throttle=throttle, check=False)
    assert len(world.makings_of(numbers[0])) == 1
    assert pushed.rows[numbers[0]].code == "cancelled_since"
    assert pushed.of(State.PUSHED) == {*numbers[1:]}


async def test_a_row_goes_on_to_name_a_lost_document_that_was_cancelled() -> None:
    """A person has pushed the bill by hand since, which passes for what the call has made."""
    office, numbers = Office(sandbox(steps("ok", "make-then-reset"), **OPEN)), orders(2)
    await office.open_run(numbers)
    world = office.site.world
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}

    async def person(_: Context) -> None:
        while not world.documents_of(numbers[1]):  # noqa: ASYNC110
            await anyio.sleep(1)
        world.cancel(world.documents_of(numbers[1])[0])

    await office.execute(beside=person, **how)
    (cancelled,) = world.documents_of(numbers[1])
    world.add_target(IN_STOCK, numbers[1], creator="sandbox")
    row = (await office.execute(**how)).rows[numbers[1]]
    assert row.state is State.PUSHED
    told = read_remark(row.reason)
    assert told == ("note.cancelled_before", {"documents": cancelled.number})


async def test_a_person_who_looked_too_early_sends_nothing_twice() -> None:
    """A person's `absent` lets a number travel when the window is over, and not before."""
    office = Office(sandbox(steps("ok", "commit-late-then-reset:300"), **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=steered(concurrency=1, chunk_size=1), check=False)
    await anyio.sleep(60)
    await settle_by_word(
        office.store,
        VirtualClock(),
        FIRST,
        BillNumber(numbers[1]),
        State.PLANNED,
        because="no target in the list of targets",
    )
    await office.execute(check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("by_id", [False, True])
async def test_a_retry_of_a_number_in_other_letters_forgets_what_was_refused(
    *, by_id: bool
) -> None:
    """What was refused, and pushed by hand since, is there already, however it is listed."""
    office = Office(sandbox(on_refusal="partial", **OPEN))
    numbers, world = orders(4), office.site.world
    (bill,) = world.store.by_number(PURCHASE_ORDER, numbers[-1])
    world.refuse(bill.number, REFUSED)
    await office.open_run([*numbers[:-1], f",{bill.id}" if by_id else bill.number.lower()])
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(throttle=throttle, check=False)
    assert pushed.of(State.REJECTED)
    world.allow(bill.number)
    world.add_target(IN_STOCK, bill.number, creator="clerk")
    await plan_again(office)
    pushed = await office.execute(throttle=throttle, check=False)
    assert pushed.of(State.ALREADY)


async def test_who_locks_a_bill_may_push_and_cancel_it_meanwhile() -> None:
    """What a person makes of a bill that he has open, and cancels, ends no run."""
    office = Office(sandbox(steps("ok", "edit-lock"), latency_s=1.0, **OPEN))
    numbers = orders(3)
    await office.open_run(numbers)

    async def person(_: Context) -> None:
        await until_pushed(office, 2)
        office.site.world.add_target(IN_STOCK, numbers[1], creator="clerk", cancelled=True)

    pushed = await office.execute(
        throttle=steered(concurrency=1, chunk_size=1), beside=person, check=False
    )
    assert numbers[2] in pushed.of(State.PUSHED)


async def test_a_document_by_word_alone_takes_no_step_after_a_restore() -> None:
    """A document that an answer alone ties to a bill takes no step once its maker does not fit."""
    route = replace(ROUTE, source_number_field="", follow=())
    office = Office(sandbox(link_fields=False), route)
    await office.open_run(orders(2))
    await office.execute(check=False)
    document = give_to_another(office.site.world, orders(1)[0], orders(3)[2])
    document.created = "2026-02-01T08:00:00"
    document.creator = "clerk"
    steps_of = replace(route, follow=FOLLOW.follow)
    await office.execute(route=steps_of, work=follow_run, limits=NO_HALT, check=False)
    assert document.status == "A"


async def test_a_retry_without_again_pushes_nothing_again() -> None:
    """An earlier `retry --again` asked for second documents, and this one does not."""
    office, numbers = Office(sandbox(**OPEN)), orders(2)
    office.site.world.refuse(numbers[1], REFUSED)
    await office.open_run(numbers)
    await office.execute(check=False)
    await plan_again(office)
    await office.execute(again_because="they want it twice", check=False)
    await plan_again(office)
    await anyio.sleep(3 * 24 * 3600)
    office.site.world.allow(numbers[1])
    office.site.world.add_target(IN_STOCK, numbers[1], creator="clerk")
    pushed = await office.execute(check=False)
    assert pushed.rows[numbers[1]].state is State.ALREADY
    assert doubled(office, numbers) == []
