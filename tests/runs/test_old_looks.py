"""Looks that have grown old before a number leaves are made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.form_rows import FormRows
from k3push.adapters.erp.link_queries import LinkQueries
from k3push.core.model import State, Uptime
from k3push.core.pacing.halting import HaltRule
from k3push.ports import LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.lookup.retried_reads import open_turn
from k3push.runs.push_limits import PushLimits
from k3push.runs.sending import attempt
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.orders import PushOrder
from tests.runs.office import (
    ROUTE,
    Office,
    VirtualClock,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import OPEN, doubled

pytestmark = pytest.mark.anyio


class SleepyClock(VirtualClock):
    """The clocks of a machine that sleeps."""

    slept_s = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() + timedelta(seconds=self.slept_s)

    def uptime(self) -> Uptime:
        """Return the time since the boot, of which some passed asleep."""
        shown = super().uptime()
        return replace(shown, seconds=shown.seconds + self.slept_s)


async def test_a_look_is_as_old_as_its_older_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is as old as the half of it that was answered first."""
    asked = LinkQueries._asked

    async def ask(self: LinkQueries, route: Any, ids: Sequence[str]) -> Any:
        if second in ids and anyio.current_time() < 190:
            raise LookFailedError("busy")
        return await asked(self, route, ids)

    monkeypatch.setattr(LinkQueries, "_asked", ask)
    office = Office(sandbox(**OPEN))
    numbers = orders(2)
    second = str(office.site.world.store.by_number(PURCHASE_ORDER, numbers[1])[0].id)
    await office.open_run(numbers)

    async def person(_: Context) -> None:
        await anyio.sleep(60)
        office.site.world.add_target(IN_STOCK, numbers[1], typed=True, creator="clerk")

    pushed = await office.execute(
        beside=person, throttle=steered(concurrency=1, chunk_size=1), check=False
    )
    assert pushed.rows[numbers[1]].state is State.ALREADY
    assert doubled(office, numbers) == []


async def test_a_look_grows_old_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look grows old while the machine sleeps."""
    office, clock = Office(sandbox(**OPEN)), SleepyClock()
    numbers = orders(2)
    wait = open_turn

    async def sleep(*what: Any) -> Any:
        turn = await wait(*what)
        if office.site.world.documents_of(numbers[0]) and not clock.slept_s:
            clock.slept_s = 8 * 3600.0
            office.site.world.add_target(IN_STOCK, numbers[1], creator="clerk")
        return turn

    monkeypatch.setattr(attempt, "open_turn", sleep)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), clock=clock, check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("what", ["unapproved", "namesake"])
async def test_a_look_at_the_source_grows_old_while_the_machine_sleeps(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """A bill that changes while its chunk waits for its turn is not pushed as it is."""
    office, clock = Office(sandbox(allow_blocked=True, **OPEN)), SleepyClock()
    numbers, world = orders(2), office.site.world
    (bill,) = world.store.by_number(PURCHASE_ORDER, numbers[1])
    wait = open_turn

    async def sleep(*asked: Any) -> Any:
        turn = await wait(*asked)
        if world.documents_of(numbers[0]) and not clock.slept_s:
            clock.slept_s = 8 * 3600.0
            if what == "unapproved":
                bill.status = "D"
            else:
                world.add_source(PURCHASE_ORDER, numbers[1], org="200")
        return turn

    monkeypatch.setattr(attempt, "open_turn", sleep)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), clock=clock, check=False)
    assert clock.slept_s
    if what == "unapproved":
        assert not world.documents_of(numbers[1])
    assert {each.source.org for each in world.makings_of(numbers[1])} <= {"100"}


async def test_a_bill_that_is_unapproved_while_the_run_waits_is_rejected() -> None:
    """A bill that is unapproved while the run waits is rejected unsent, where rules take any."""
    office = Office(sandbox(allow_blocked=True, **OPEN))
    numbers = orders(2)
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, numbers[1])
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)

    async def person(_: Context) -> None:
        throttle.pause()
        await anyio.sleep(4 * 3600)
        bill.status = "D"
        await anyio.sleep(4 * 3600)
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=person, check=False)
    assert pushed.rows[numbers[1]].state is State.REJECTED
    assert not office.site.world.documents_of(numbers[1])


async def test_a_bill_that_is_unapproved_before_a_resume_is_not_sent_again() -> None:
    """What was in doubt is looked at on its source form before a resume sends it again."""
    office = Office(sandbox(steps("ok", "reset"), allow_blocked=True, **OPEN))
    numbers = orders(2)
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, numbers[1])
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=steered(concurrency=1, chunk_size=1), check=False)
    await anyio.sleep(24 * 3600)
    bill.status = "D"
    pushed = await office.execute(check=False)
    assert pushed.rows[numbers[1]].state is not State.PUSHED
    assert not office.site.world.documents_of(numbers[1])


async def test_a_namesake_that_comes_while_the_run_waits_is_not_pushed() -> None:
    """A number that a second bill gets while the run waits pushes no other bill."""
    office = Office(sandbox(**OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)

    async def person(_: Context) -> None:
        throttle.pause()
        await anyio.sleep(4 * 3600)
        office.site.world.add_source(PURCHASE_ORDER, numbers[0], org="200")
        await anyio.sleep(4 * 3600)
        throttle.go_on()

    await office.execute(throttle=throttle, beside=person, check=False)
    makings = office.site.world.makings_of(numbers[0])
    assert [each.source.org for each in makings] in ([], ["100"])


async def test_a_document_of_a_later_namesake_settles_no_doubt() -> None:
    """A document of a bill that came later with the same number settles no doubt."""
    office = Office(sandbox(steps("ok", "reset"), **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=steered(concurrency=1, chunk_size=1), check=False)
    world = office.site.world
    bill = world.add_source(PURCHASE_ORDER, numbers[1], org="200")
    world.push(PushOrder("PUR_PurchaseOrder", ids=(bill.id,), rule_id=ROUTE.rule), "clerk")
    pushed = await office.execute(work=only_settle, check=False)
    assert pushed.rows[numbers[1]].state is not State.PUSHED, pushed.rows[numbers[1]]


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_a_bill_that_is_entered_anew_is_looked_for_by_its_new_id(field: str) -> None:
    """A bill that is entered anew under its number is looked for by its new id."""
    office = Office(sandbox(**OPEN), replace(ROUTE, source_number_field=field))
    numbers = orders(3)
    world = office.site.world
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)

    async def person(_: Context) -> None:
        throttle.pause()
        await anyio.sleep(4 * 3600)
        (bill,) = world.store.by_number(PURCHASE_ORDER, numbers[2])
        world.store.remove(bill)
        world.add_source(PURCHASE_ORDER, numbers[2])
        world.add_target(IN_STOCK, numbers[2], creator="clerk")
        await anyio.sleep(4 * 3600)
        throttle.go_on()

    await office.execute(throttle=throttle, beside=person, check=False)
    assert doubled(office, numbers) == []


async def test_one_refusal_takes_no_status_from_the_source_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One refused question takes no status from a source form that has told it before."""
    asked, refused = FormRows.whole, [True]

    async def whole(self: FormRows, form: str, fields: Sequence[str], wanted: str) -> Any:
        if form == PURCHASE_ORDER.id and "FDocumentStatus" in fields and refused[0]:
            refused[0] = False
            why = "元数据中标识为FDocumentStatus的字段不存在"
            raise LookRefusedError(why, code="9", definite=True)
        return await asked(self, form, fields, wanted)

    monkeypatch.setattr(FormRows, "whole", whole)
    office = Office(sandbox(allow_blocked=True, **OPEN))
    numbers = ["CGDDU000000", *orders(1)]
    await office.open_run(numbers)
    await office.execute(check=False)
    assert not office.site.world.documents_of(numbers[0])
