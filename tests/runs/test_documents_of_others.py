"""Whose a document is that stands beside ours, or that is ours although it does not look so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.core.safety.conclusion import CONTRADICTION
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import Policy
from k3push.simulator.books.conversion import Converter
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.refusals import Problem
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    VirtualClock,
    one_by_one,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    NO_CANARY,
    OPEN,
    REFUSED,
    answer_in_part,
    copy_creators,
    doubled,
    keep_a_part,
    until_lost,
    until_pushed,
)
from tests.runs.test_follow import FOLLOW, NO_HALT

pytestmark = pytest.mark.anyio

EARLIER = RunId("r0")
# So many documents that answers have named tell who makes ours.
KNOWN = ["ok"] * 4
LOST = steps(*KNOWN, "make-then-reset")


class SlowClock(VirtualClock):
    """A machine whose clock is two days behind."""

    def now(self) -> datetime:
        """Return the time of the day before yesterday."""
        return super().now() - timedelta(days=2)


def created_by(office: Office, clerk: str, numbers: list[str]) -> None:
    """Let a clerk have made bills of one supplier."""
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.creator, bill.party = clerk, "P001"


async def until(office: Office, number: str, *states: State, run: RunId = FIRST) -> None:
    """Wait until the row of a number is in one of some states."""
    while (await office.rows(run))[number].state not in states:  # noqa: ASYNC110
        await anyio.sleep(0.05)


async def vouched(office: Office, numbers: list[str]) -> str:
    """Lose the answer for a bill, and let a person say that it is pushed; return its number."""
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), limits=AT_A_DOUBT, check=False)
    lost = await until_lost(office)
    number, clock = BillNumber(lost), VirtualClock()
    await settle_by_word(office.store, clock, FIRST, number, State.PUSHED, because="seen")
    await anyio.sleep(3600)
    return lost


@pytest.mark.parametrize("hours", [0, 3])
async def test_a_clock_that_is_behind_makes_nothing_anothers(hours: int) -> None:
    """The server's clock is later than ours by days, and what a lost call has made is ours."""
    office, numbers, clock = Office(sandbox(LOST, **OPEN)), orders(6), SlowClock()
    await office.open_run(numbers)
    limits = PushLimits(halt=HaltRule(unknown_count=1 if hours else 0))
    await office.execute(throttle=one_by_one(), clock=clock, limits=limits, check=False)
    await anyio.sleep(hours * 3600)
    pushed = await office.execute(throttle=one_by_one(), clock=clock, check=False)
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_a_clerks_document_beside_ours_is_told() -> None:
    """A clerk pushes a bill as well whose answer is lost, before that is settled."""
    office, numbers = Office(sandbox(LOST, latency_s=1.0, **OPEN)), orders(6)
    await office.open_run(numbers)

    async def clerk(_: Context) -> None:
        office.site.world.add_target(IN_STOCK, await until_lost(office), creator="clerk")

    pushed = await office.execute(throttle=one_by_one(), beside=clerk, check=False)
    (twice,) = doubled(office, numbers)
    assert pushed.rows[twice].code == TWIN


async def test_a_clerks_document_beside_ours_makes_no_site_that_splits() -> None:
    """What a clerk adds to another row in the next run, hours later, is told as well."""
    plan = steps(*KNOWN, "make-then-reset", "ok", "make-then-reset")
    office, throttle = Office(sandbox(plan, latency_s=1.0, **OPEN)), one_by_one()
    await office.open_run(orders(6))

    async def clerk(_: Context) -> None:
        office.site.world.add_target(IN_STOCK, await until_lost(office), creator="clerk")

    await office.execute(throttle=throttle, beside=clerk, check=False)
    await office.open_run(orders(3, 10), SECOND)

    async def late_clerk(_: Context) -> None:
        lost = await until_lost(office, SECOND)
        throttle.pause()
        await until(office, lost, State.PUSHED, run=SECOND)
        await anyio.sleep(4 * 3600)
        office.site.world.add_target(IN_STOCK, lost, creator="clerk")
        throttle.go_on()

    pushed = await office.execute(SECOND, throttle=throttle, beside=late_clerk, check=False)
    assert all(len(row.targets) == 1 or row.code == TWIN for row in pushed.rows.values())


async def test_of_two_documents_of_a_vouched_bill_not_both_are_approved() -> None:
    """A person vouches for a bill, and another program of our user pushes it as well."""
    office = Office(sandbox(LOST, latency_s=1.0, **OPEN), FOLLOW)
    lost = await vouched(office, orders(6))
    office.site.world.add_target(IN_STOCK, lost, creator="sandbox")
    await office.execute(throttle=one_by_one(), limits=NO_HALT, check=False)
    statuses = [each.status for each in office.site.world.documents_of(lost)]
    assert statuses.count("C") < 2


async def test_a_document_of_another_run_joins_no_vouched_row() -> None:
    """Nothing was made, a person says it was, and pushes the bill once more on purpose."""
    office = Office(sandbox(steps(*KNOWN, "reset"), **OPEN), FOLLOW)
    lost = await vouched(office, orders(6))
    await office.open_run([lost], SECOND, again_because="it was not there")
    second = await office.execute(SECOND, throttle=one_by_one(), limits=NO_HALT, check=False)
    first = await office.execute(throttle=one_by_one(), limits=NO_HALT, check=False)
    ids = {target.id for target in second.rows[lost].targets}
    assert ids
    assert ids.isdisjoint(target.id for target in first.rows[lost].targets)


async def test_a_merged_document_that_bears_one_bills_creator_is_of_all_its_bills() -> None:
    """The rule copies the creator of the first bill, and the bills are of two clerks."""
    plan = steps(*["ok"] * 5, "make-then-reset")
    office, numbers = Office(sandbox(plan, policy=Policy.MERGE, **OPEN)), orders(8)
    copy_creators(office)
    created_by(office, "li", numbers)
    created_by(office, "wang", [numbers[4], numbers[7]])
    await office.open_run(numbers[:5], EARLIER)
    await office.execute(EARLIER, throttle=one_by_one(), check=False)
    await office.open_run(numbers[5:])
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == set(numbers[5:])


async def test_what_a_clerk_makes_of_a_part_of_a_refused_bill_is_not_taken_back() -> None:
    """Where bills are pushed in parts, the part of a clerk is none of ours."""
    route = replace(ROUTE, allow_partial=True)
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN), route), orders(12)
    world, bad = office.site.world, numbers[5]
    world.refuse(bad, REFUSED)
    await office.open_run(numbers)

    async def clerk(_: Context) -> None:
        await until(office, bad, State.REJECTED)
        await anyio.sleep(5)
        world.add_target(IN_STOCK, bad, creator="clerk", quantities=[1])

    pushed = await office.execute(limits=NO_HALT, throttle=one_by_one(), beside=clerk, check=False)
    assert world.documents_of(bad)
    assert pushed.rows[bad].state is State.REJECTED


@pytest.mark.parametrize("untied", [True, False])
async def test_makers_of_one_rule_tell_nothing_of_another(*, untied: bool) -> None:
    """Two rules make one form: by the first the user is the maker, the second copies the bill's."""
    numbers, throttle = orders(21), one_by_one()
    lost = numbers[20]
    options = sandbox(
        steps(*["ok"] * 12, "make-then-reset"), untied=(lost,) if untied else (), **OPEN
    )
    office = Office(options, replace(ROUTE, name="returns", rule="returns"))
    created_by(office, "li", numbers)
    await office.open_run(numbers[:12], EARLIER)
    await office.execute(EARLIER, throttle=throttle, route=ROUTE, check=False)
    copy_creators(office)
    other = Office(site=office.site, ledger=office.store)
    await other.open_run([lost])
    pushed = await other.execute(throttle=throttle, limits=NO_CANARY, check=False)
    assert doubled(office, numbers) == []
    assert pushed.rows[lost].state is not State.ALREADY


async def test_what_is_taken_back_is_taken_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The execution ends between the two words that turn `rejected` into `pushed`."""
    conclude = MemoryLedger.conclude

    async def far(self: MemoryLedger, *what: Any, **more: Any) -> None:
        await conclude(self, *what, **more)
        await anyio.sleep(0.2)

    monkeypatch.setattr(MemoryLedger, "conclude", far)
    options = sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, policy=Policy.SPLIT, **OPEN)
    office, numbers, throttle = Office(options), orders(3), one_by_one()
    keep_a_part(monkeypatch, [numbers[1]], kept=1)
    await office.open_run(numbers)

    async def end(job: Context) -> None:
        await until(office, numbers[1], State.REJECTED)
        throttle.pause()
        await until(office, numbers[1], State.PLANNED, State.PUSHED)
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(throttle=throttle, limits=NO_CANARY, beside=end, check=False)
    throttle.go_on()
    pushed = await office.execute(throttle=throttle, limits=NO_CANARY, check=False)
    assert pushed.rows[numbers[1]].state is State.PUSHED


@pytest.mark.parametrize("fault", ["response-error", "msgcode-6", "no-permission", "edit-lock"])
async def test_what_a_clerk_makes_while_a_call_is_refused_is_not_ours(fault: str) -> None:
    """Makers are told; a clerk pushes a bill by hand while our call for it is under way."""
    plan = steps(*["ok"] * 4, fault)
    office, numbers = Office(sandbox(plan, latency_s=5.0, look_s=0.1, **OPEN), FOLLOW), orders(6)
    await office.open_run(numbers[:4], RunId("r0"))
    await office.execute(RunId("r0"), throttle=one_by_one(), check=False)
    await office.open_run(numbers[4:])
    made = []

    async def clerk(_: Context) -> None:
        while (await office.rows())[numbers[4]].state is not State.SENT:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await anyio.sleep(2)
        made.append(office.site.world.add_target(IN_STOCK, numbers[4], creator="clerk"))

    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=2), beside=clerk, check=False
    )
    row = pushed.rows[numbers[4]]
    if row.state is State.PUSHED:
        ids = {target.id for target in row.targets}
        assert str(made[0].id) not in ids or row.code == TWIN, row


@pytest.mark.parametrize("creator", ["clerk", "sandbox"])
async def test_a_second_document_beside_what_a_refusal_names_is_a_twin(
    monkeypatch: pytest.MonkeyPatch, creator: str
) -> None:
    """It names one of each good bill; a clerk, or a proxy that sends twice, makes the second."""
    numbers = orders(4)
    answer_in_part(monkeypatch, Problem(11, "仓库必录"), kept=slice(0, 3))
    office = Office(sandbox(latency_s=5.0, look_s=0.1, **OPEN))
    await office.open_run(numbers)
    made = []

    async def beside(_: Context) -> None:
        await until_pushed(office)
        made.append(office.site.world.add_target(IN_STOCK, numbers[0], creator=creator))

    limits = replace(NO_CANARY, halt=HaltRule())
    chunk = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=limits, throttle=chunk, beside=beside, check=False)
    row = pushed.rows[numbers[0]]
    assert (row.state, row.code) == (State.PUSHED, TWIN), row
    assert made[0].number in row.reason
    assert {pushed.rows[n].code for n in numbers[1:3]}.isdisjoint({TWIN})


async def test_a_second_document_beside_a_contradiction_leaves_it_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer names a document that no look ties to a bill, and a clerk pushes as well."""
    numbers = orders(4)
    answer_in_part(monkeypatch, Problem(11, "仓库必录"), kept=slice(0, 3))
    office = Office(sandbox(latency_s=5.0, look_s=0.1, untied=(numbers[2],), **OPEN))
    await office.open_run(numbers)

    async def beside(_: Context) -> None:
        await until_pushed(office)
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")

    limits = replace(NO_CANARY, halt=HaltRule())
    chunk = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=limits, throttle=chunk, beside=beside, check=False)
    assert {row.code for row in pushed.rows.values()} == {CONTRADICTION}


@pytest.mark.parametrize("named", [1, 2])
async def test_few_documents_of_one_maker_make_ours_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, named: int
) -> None:
    """A rule gives each document the person who keeps its goods, and not its bill's maker."""
    made = Converter._target
    numbers = orders(8)

    def target(self: Converter, route: Any, shares: Any, *what: Any, mislink: bool) -> Any:
        bill = made(self, route, shares, *what, mislink=mislink)
        bill.creator = "zhao" if shares[0].bill.number == numbers[named] else "qian"
        return bill

    monkeypatch.setattr(Converter, "_target", target)
    plan = steps(*["ok"] * named, "make-then-reset")
    office = Office(sandbox(plan, latency_s=1.0, **OPEN))
    await office.open_run(numbers[: named + 1])
    pushed = await office.execute(throttle=one_by_one(), limits=NO_CANARY, check=False)
    assert pushed.of(State.PUSHED) == set(numbers[: named + 1]), pushed.rows


async def test_a_clerks_document_in_doubt_is_asked_for_by_the_run_that_made_the_call() -> None:
    """A run with --again settles another run's doubt: nothing was made, and a clerk has pushed."""
    plan = steps(*["ok"] * 4, "reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN)), orders(5)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(throttle=one_by_one(), limits=halts, check=False)
    lost = await until_lost(office)
    office.site.world.add_target(IN_STOCK, lost, creator="clerk")
    await office.open_run([lost], SECOND, again_because="twice")
    await office.execute(SECOND, throttle=one_by_one(), limits=NO_CANARY, check=False)
    row = (await office.rows())[lost]
    assert row.state is not State.PUSHED, row


@pytest.mark.parametrize("count", [0, 1, 2, 4])
async def test_a_clerks_document_that_bears_the_bills_maker_is_not_approved(
    count: int,
) -> None:
    """A rule copies the bill's maker; an answer is lost, nothing was made, the maker pushes."""
    plan = steps(*["ok"] * count, "reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN), FOLLOW), orders(count + 2)
    copy_creators(office)
    created_by(office, "li", numbers)
    await office.open_run(numbers)
    made = []

    async def clerk(_: Context) -> None:
        lost = await until_lost(office)
        await anyio.sleep(30)
        made.append(office.site.world.add_target(IN_STOCK, lost, creator="li"))

    await office.execute(throttle=one_by_one(), beside=clerk, check=False)
    assert made[0].status == "A"


async def test_documents_that_bear_the_makers_of_several_bills_end_no_run() -> None:
    """A lost answer has made two, one of a maker whose document an answer has named."""
    plan = steps("ok", "make-then-reset", "make-then-reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN), FOLLOW), orders(4)
    copy_creators(office)
    created_by(office, "li", numbers)
    created_by(office, "wang", numbers[2:3])
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(numbers)
