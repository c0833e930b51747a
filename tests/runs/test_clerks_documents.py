"""What documents of clerks tell of a site: nothing of how it splits the bills that we push."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, RunId, State
from k3push.runs.context import Context
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.simulator import Policy, Refusal, site
from k3push.simulator.answers import AnswerStyle, failure
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.refusals import Problem
from k3push.simulator.exchange import json_reply
from tests.runs.office import ROUTE, SECOND, Office, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    answer_in_part,
    copy_creators,
    doubled,
    keep_a_part,
    name_nothing,
    until_lost,
    until_pushed,
)
from tests.runs.test_follow import FOLLOW

pytestmark = pytest.mark.anyio


def with_policy(office: Office, policy: Policy) -> None:
    """Let the rule group bills otherwise from now on: it stands for another route's rule."""
    world = office.site.world
    world._converter = replace(world._converter, policy=policy)


async def test_of_two_documents_that_clerks_have_made_none_is_approved() -> None:
    """Two clerks have pushed one bill by mistake; the route follows what is there already."""
    office = Office(sandbox(**OPEN), replace(FOLLOW, follow_already=True))
    numbers = orders(4)
    made = [
        office.site.world.add_target(IN_STOCK, numbers[2], creator=name) for name in ("li", "wang")
    ]
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), check=False)
    assert [each.status for each in made] == ["A", "A"]


async def test_parts_that_clerks_have_made_hide_no_twin() -> None:
    """A bill has two documents of clerks; of another, lost and found, a clerk makes one more."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0, **OPEN))
    numbers, throttle = orders(6), one_by_one()
    for name in ("li", "wang"):
        office.site.world.add_target(IN_STOCK, numbers[0], creator=name)
    await office.open_run(numbers)

    async def clerk(_: Context) -> None:
        lost = await until_lost(office)
        throttle.pause()
        while (await office.rows())[lost].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await anyio.sleep(4 * 3600)
        office.site.world.add_target(IN_STOCK, lost, creator="sandbox")
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=clerk, check=False)
    (twice,) = doubled(office, numbers[1:])
    row = pushed.rows[twice]
    assert len(row.targets) == 1 or row.code == TWIN, row


async def test_parts_that_clerks_have_made_make_no_lost_answer_wait() -> None:
    """A bill has two documents of clerks; a lost answer is settled after two looks all the same."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0, **OPEN))
    numbers = orders(6)
    for name in ("li", "wang"):
        office.site.world.add_target(IN_STOCK, numbers[0], creator=name)
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), settle=SettleTimes(), check=False)
    assert anyio.current_time() < 300


async def test_a_document_of_a_clerk_shows_not_that_bills_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule splits; a bill is refused after its first document, shown late; an `already` came."""
    name_nothing(monkeypatch)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(3)
    answer_in_part(monkeypatch, None, kept=slice(0, 1))

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if numbers[0] in order.numbers:
            answer = failure(self._manners.style, 11, "单据“" + numbers[0] + "”的仓库必录")
            return json_reply(answer)
        conversion = self.world.convert(order, visit.user)
        self._save(replace(conversion, made=conversion.made[:1]), now_s)
        answer = failure(self._manners.style, 11, "单据“" + order.numbers[0] + "”的仓库必录")
        return json_reply(answer)

    monkeypatch.setattr(site.Site, "_push", push)
    office.site.world.add_target(IN_STOCK, numbers[1], creator="li")
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    assert pushed.rows[numbers[2]].state is State.PUSHED, pushed.rows[numbers[2]]


@pytest.mark.parametrize("when_s", [1.0, 30.0])
async def test_of_two_documents_of_a_lost_bill_not_both_are_approved(when_s: float) -> None:
    """Twenty bills were whole; an answer is lost, and another program of our user pushes it too."""
    plan = steps(*["ok"] * 20, "make-then-reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN), FOLLOW), orders(21)
    await office.open_run(numbers)
    lost = []

    async def program(_: Context) -> None:
        lost.append(await until_lost(office))
        await anyio.sleep(when_s)
        office.site.world.add_target(IN_STOCK, lost[0], creator="sandbox")

    pushed = await office.execute(throttle=one_by_one(), beside=program, check=False)
    documents = office.site.world.documents_of(lost[0])
    assert len(documents) == 2
    assert pushed.rows[lost[0]].code == TWIN, pushed.rows[lost[0]]
    assert [each.status for each in documents] != ["C", "C"]


async def test_of_two_documents_of_a_refused_call_not_both_are_approved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused call has saved a bill, shown late; another program of our user pushes it too."""
    options = sandbox(steps(*["ok"] * 20), query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options, FOLLOW), orders(24)
    await office.open_run(numbers[:20])
    await office.execute(throttle=one_by_one(), check=False)
    keep_a_part(monkeypatch, numbers[20:], kept=2, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers[20:], SECOND)

    async def program(_: Context) -> None:
        await until_pushed(office, 21)
        await anyio.sleep(3)
        kept = [n for n in numbers[20:] if office.site.world.documents_of(n)]
        office.site.world.add_target(IN_STOCK, kept[0], creator="sandbox")

    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(
        SECOND, limits=NO_CANARY, throttle=throttle, beside=program, check=False
    )
    (twice,) = doubled(office, numbers)
    assert pushed.rows[twice].code == TWIN, pushed.rows[twice]


async def test_whole_bills_of_another_rule_tell_nothing_of_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another route's rule makes one document of each; this one's first bill is refused in part."""
    office = Office(
        sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN),
        replace(ROUTE, name="other", rule="other"),
    )
    numbers = orders(6)
    await office.open_run(numbers[:4], RunId("r0"))
    await office.execute(RunId("r0"), route=ROUTE, throttle=one_by_one(), check=False)
    with_policy(office, Policy.SPLIT)
    keep_a_part(monkeypatch, numbers[4:5], kept=1)
    mine = Office(site=office.site, ledger=office.store)
    await mine.open_run(numbers[4:5])
    pushed = await mine.execute(throttle=one_by_one(), limits=NO_CANARY, check=False)
    assert pushed.rows[numbers[4]].state is State.PUSHED, pushed.rows[numbers[4]]


async def test_split_bills_of_another_rule_hide_no_twin_of_this_one() -> None:
    """Another route's rule splits bills; of one of ours a clerk makes a second document later."""
    office = Office(
        sandbox(steps(*["ok"] * 2, "make-then-reset"), latency_s=1.0, policy=Policy.SPLIT, **OPEN),
        replace(ROUTE, name="other", rule="other"),
    )
    numbers, throttle = orders(6), one_by_one()
    await office.open_run(numbers[:2], RunId("r0"))
    await office.execute(RunId("r0"), route=ROUTE, throttle=one_by_one(), check=False)
    with_policy(office, Policy.ONE_TO_ONE)
    mine = Office(site=office.site, ledger=office.store)
    await mine.open_run(numbers[2:])

    async def clerk(_: Context) -> None:
        lost = await until_lost(mine)
        throttle.pause()
        while (await mine.rows())[lost].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await anyio.sleep(4 * 3600)
        mine.site.world.add_target(IN_STOCK, lost, creator="sandbox")
        throttle.go_on()

    pushed = await mine.execute(throttle=throttle, beside=clerk, limits=NO_CANARY, check=False)
    (twice,) = doubled(mine, numbers[2:])
    row = pushed.rows[twice]
    assert len(row.targets) == 1 or row.code == TWIN, row


async def test_what_a_clerk_adds_hours_later_is_told_where_bills_are_split() -> None:
    """The rule splits bills; hours after a lost answer was found a clerk adds a document."""
    plan = steps(*["ok"] * 4, "make-then-reset")
    office = Office(sandbox(plan, latency_s=1.0, policy=Policy.SPLIT, **OPEN))
    numbers, throttle = orders(7), one_by_one()
    await office.open_run(numbers)
    lost = []

    async def clerk(_: Context) -> None:
        lost.append(await until_lost(office))
        throttle.pause()
        while (await office.rows())[lost[0]].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await anyio.sleep(4 * 3600)
        office.site.world.add_target(IN_STOCK, lost[0], creator="clerk")
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=clerk, check=False)
    row = pushed.rows[lost[0]]
    assert len(office.site.world.documents_of(lost[0])) == 3
    assert len(row.targets) == 2 or row.code == TWIN, row


@pytest.mark.parametrize("act", ["delete", "cancel"])
async def test_what_a_clerk_does_between_two_looks_leaves_no_call_in_doubt(
    monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """A call is refused in part; a clerk takes one of its documents back, and pushes the bill."""
    options = sandbox(steps(*["ok"] * 4), latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(9)
    await office.open_run(numbers[:4])
    await office.execute(throttle=one_by_one(), check=False)
    answer_in_part(
        monkeypatch, Problem(4, f"单据“{numbers[8]}”的数量大于入库上限"), kept=slice(0, 4)
    )
    await office.open_run(numbers[4:], SECOND)
    world = office.site.world

    async def clerk(_: Context) -> None:
        await until_pushed(office, 5)
        await anyio.sleep(4)
        (made,) = world.documents_of(numbers[5])
        if act == "delete":
            world.delete(made)
        else:
            world.cancel(made)
        world.add_target(IN_STOCK, numbers[5], creator="clerk")

    throttle = steered(concurrency=1, chunk_size=5)
    pushed = await office.execute(
        SECOND, limits=NO_CANARY, throttle=throttle, beside=clerk, check=False
    )
    assert pushed.of(State.PUSHED) >= {numbers[4], numbers[6], numbers[7]}
    row = pushed.rows[numbers[5]]
    assert (row.state, row.code) == (State.PUSHED, TWIN)
    assert pushed.of(State.REJECTED) == {numbers[8]}


async def test_what_another_program_makes_of_a_refused_bill_is_not_approved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has our user; the answer refuses that bill by name, and names the documents it made."""
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN), FOLLOW), orders(5)
    await office.open_run(numbers)
    await office.execute(
        limits=PushLimits(canary=False, limit=1), throttle=one_by_one(), check=False
    )
    work = site.Site._push
    made: list[Any] = []

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if numbers[2] in self._order(visit).numbers and not made:
            made.append(self.world.add_target(IN_STOCK, numbers[2], creator="sandbox"))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    office.site.world.refuse(numbers[2], Refusal(11, "单据“{number}”没有可下推的数量"))
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert len(pushed.of(State.PUSHED)) >= len(numbers) - 1
    assert made[0].status == "A"


async def test_what_another_program_makes_of_a_bill_that_a_success_passes_over_is_there_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has our user; the answer names what it has made, and a link names the bill."""
    plan = steps(*["ok"] * 4, "drop-one-then-ok")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN), FOLLOW), orders(7)
    await office.open_run(numbers[:4])
    await office.execute(throttle=one_by_one(), check=False)
    work, made = site.Site._push, list[Any]()

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if not made:
            made.append(self.world.add_target(IN_STOCK, numbers[-1], creator="sandbox"))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    await office.open_run(numbers[4:], SECOND)
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(SECOND, limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == {*numbers[4:-1]}
    row = pushed.rows[numbers[-1]]
    assert (row.state, [t.id for t in row.targets]) == (State.ALREADY, [str(made[0].id)])
    assert made[0].status == "A"


@pytest.mark.parametrize("refused", [True, False])
async def test_the_maker_of_one_bill_makes_no_document_of_its_neighbours_ours(
    monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    """A rule copies makers; who made bill A pushes B by hand while the call saves A."""
    style = AnswerStyle() if refused else AnswerStyle(old=True, short=True)
    office = Office(sandbox(latency_s=1.0, style=style, **OPEN))
    copy_creators(office)
    *known, first, second = numbers = orders(14)
    store = office.site.world.store
    for nth, number in enumerate(numbers):
        (bill,) = store.by_number(PURCHASE_ORDER, number)
        bill.creator = "zhang" if number == first else ("li", "wang")[nth % 2]
    await office.open_run(known, RunId("r0"))
    await office.execute(RunId("r0"), throttle=one_by_one(), check=False)
    if refused:
        office.site.world.refuse(second, Refusal(11, "单据“{number}”的仓库必录"))
    work, by_hand = site.Site._push, list[Any]()

    def push(self: Any, visit: Any, now_s: float) -> Any:
        answer = work(self, visit, now_s)
        if not by_hand:
            by_hand.append(self.world.add_target(IN_STOCK, second, creator="zhang"))
        return answer

    monkeypatch.setattr(site.Site, "_push", push)
    await office.open_run([first, second])
    chunk = steered(concurrency=1, chunk_size=2)
    pushed = await office.execute(throttle=chunk, check=False, limits=NO_CANARY)
    row = pushed.rows[second]
    assert row.state is (State.ALREADY if refused else State.PUSHED), row
    assert row.code == ("" if refused else TWIN), row
