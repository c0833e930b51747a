"""Parts of a bill that were saved though it was refused, where the execution was cut short."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import PARTLY, TWIN, BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.engine import push_run
from k3push.runs.outcome import Exit, anything_open
from k3push.runs.proof import split_bills
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.simulator import OnRefusal, Policy, Refusal, site
from k3push.simulator.answers import failure
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.refusals import Problem
from k3push.simulator.exchange import json_reply
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    RECEIPTS,
    ROUTE,
    SECOND,
    Office,
    VirtualClock,
    one_by_one,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    REFUSED,
    answer_in_part,
    doubled,
    keep_a_part,
    keep_but_the_last,
    name_nothing,
    plan_again,
    until_lost,
    until_pushed,
    until_rejected,
)
from tests.runs.test_follow import FOLLOW
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio


async def cut_off(office: Office, number: str, how: str) -> None:
    """Execute the first run until a number is rejected: it is killed then, or halts at once."""

    async def kill(job: Context) -> None:
        await until_rejected(office, number)
        if how == "kill":
            job.stop.scope.cancel()

    rule = HaltRule(fail_count=1, now=True) if how == "halt" else HaltRule()
    limits = PushLimits(canary=False, halt=rule)
    await office.execute(limits=limits, throttle=one_by_one(), beside=kill, check=False)
    if how == "halt":
        await office.store.end_run(FIRST, Exit.STOPPED, VirtualClock().now())
    await anyio.sleep(30)


async def killed_under_way(office: Office, times: int) -> None:
    """Execute the first run, and kill it while its last call is under way."""

    async def kill(job: Context) -> None:
        await until_pushed(office, times)
        await anyio.sleep(5)
        job.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)


@pytest.mark.parametrize("run", [FIRST, SECOND])
async def test_a_hasty_word_about_a_killed_call_sends_nothing_twice(run: RunId) -> None:
    """The process is killed; a person says `planned` a minute later, and pushes the list anew."""
    numbers = orders(2)
    office = Office(sandbox(steps("delay:300"), **OPEN))
    await office.open_run(numbers)
    await killed_under_way(office, 1)
    await anyio.sleep(60)
    clock = VirtualClock()
    async with office.store.own(FIRST):
        pass
    number = await until_lost(office)
    await settle_by_word(
        office.store, clock, FIRST, BillNumber(number), State.PLANNED, because="not there"
    )
    if run == SECOND:
        await office.open_run(numbers, SECOND)
    await office.execute(run, throttle=one_by_one(), check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("how", ["kill-retry", "halt-resume", "halt-retry", "kill-resume"])
async def test_a_part_of_a_bill_that_was_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A rule splits a bill, its first document is saved, the run ends at the refusal."""
    name_nothing(monkeypatch)
    numbers = orders(2)
    answer_in_part(monkeypatch, Problem(11, f"单据“{numbers[0]}”的仓库必录"), kept=slice(0, 1))
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    first, then = how.split("-")

    await cut_off(office, numbers[0], first)
    if then == "retry":
        await plan_again(office)
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    row = pushed.rows[numbers[0]]
    assert row.state is State.PUSHED, row
    assert row.code == PARTLY, row


async def test_a_kill_leaves_no_bill_half_way_as_its_part_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process dies once a refused bill has moved; what it moved to is what it is."""
    monkeypatch.setattr(split_bills, "ENOUGH_KNOWN", 1)
    options = sandbox(query_lag_s=8.0, look_s=0.1, latency_s=5.0, **OPEN)
    office, numbers = Office(options), orders(9)
    refused, conclude = numbers[2], MemoryLedger.conclude
    keep_a_part(monkeypatch, [refused], kept=1)
    await office.open_run(numbers)
    jobs: list[Context] = []

    async def die(self: MemoryLedger, run: RunId, outcomes: Any, **how: Any) -> None:
        was = (await office.rows())[refused].state
        await conclude(self, run, outcomes, **how)
        if was is State.REJECTED and jobs:
            jobs.pop().stop.scope.cancel()
            self.die()

    async def begin(job: Context) -> None:
        jobs.append(job)

    monkeypatch.setattr(MemoryLedger, "conclude", die)
    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=begin, check=False)
    assert not jobs
    await anyio.sleep(600)
    row = (await office.execute(throttle=one_by_one())).rows[refused]
    assert (row.state, row.code) == (State.PUSHED, PARTLY), row


async def test_a_part_that_is_taken_back_after_a_second_sending_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call of four is refused and names nobody; alone, half of the bad bill is saved, late."""
    numbers = orders(4)
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if numbers[3] not in order.numbers:
            return work(self, visit, now_s)
        if len(order.numbers) == 1:
            conversion = self.world.convert(order, visit.user)
            assert len(conversion.made) > 1
            self._save(replace(conversion, made=conversion.made[:1]), now_s)
        return json_reply(failure(self._manners.style, 11, "仓库必录"))

    monkeypatch.setattr(site.Site, "_push", push)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    row = pushed.rows[numbers[3]]
    assert row.state is State.PUSHED, row
    assert row.code == PARTLY, row


@pytest.mark.parametrize("how", ["kill-retry", "halt-retry"])
async def test_a_part_of_a_bill_that_was_refused_is_not_pushed_twice(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The same on a route where bills are pushed in parts."""
    name_nothing(monkeypatch)
    numbers = orders(2)
    answer_in_part(monkeypatch, Problem(11, f"单据“{numbers[0]}”的仓库必录"), kept=slice(0, 1))
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options, replace(ROUTE, allow_partial=True))
    await office.open_run(numbers)

    await cut_off(office, numbers[0], how.partition("-")[0])
    await plan_again(office)
    await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    assert len(office.site.world.documents_of(numbers[0])) <= 2


async def as_executed(job: Context) -> None:
    """Push as `execute` does: where nothing is open, nothing is done."""
    if await anything_open(job.ledger, job.run):
        await push_run(job)


@pytest.mark.parametrize("then", ["resume", "settle"])
async def test_a_part_of_the_last_bill_that_was_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The last bill is refused in part; the process is killed as it waits for the look."""
    name_nothing(monkeypatch)
    numbers = orders(2)
    bad = numbers[0] if then == "settle" else numbers[1]
    office = Office(
        sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    )
    keep_a_part(monkeypatch, [bad], kept=1)
    await office.open_run(numbers)

    await cut_off(office, bad, "kill")
    if then == "settle":
        await office.execute(work=only_settle, check=False)
        await office.store.end_run(FIRST, 5, VirtualClock().now())
    pushed = await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), work=as_executed, check=False
    )
    assert pushed.rows[bad].state is State.PUSHED, pushed.rows[bad]


async def test_what_was_refused_long_ago_is_recalled_by_no_later_kill() -> None:
    """Another program of our user has pushed it hours later."""
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN)), orders(6)
    office.site.world.refuse(numbers[1], REFUSED)
    await office.open_run(numbers)
    limited = PushLimits(canary=False, limit=3)
    await office.execute(limits=limited, throttle=one_by_one(), check=False)
    await office.store.end_run(FIRST, 5, VirtualClock().now())
    await anyio.sleep(3 * 3600)
    office.site.world.add_target(IN_STOCK, numbers[1], creator="sandbox")

    async def kill(job: Context) -> None:
        await until_pushed(office, 4)
        job.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)
    await anyio.sleep(60)
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    assert pushed.rows[numbers[1]].state is State.REJECTED, pushed.rows[numbers[1]]


@pytest.mark.parametrize("route", [ROUTE, FOLLOW])
async def test_what_was_refused_at_the_end_of_yesterday_is_recalled_by_no_resume(
    route: Any,
) -> None:
    """`--limit` ends a run whose last bill was refused; hours later a program pushes that bill."""
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN), route), orders(12)
    office.site.world.refuse(numbers[5], REFUSED)
    await office.open_run(numbers)
    limited = PushLimits(canary=False, limit=6)
    await office.execute(limits=limited, throttle=one_by_one(), check=False)
    await office.store.end_run(FIRST, 5, VirtualClock().now())
    assert (await office.rows())[numbers[5]].state is State.REJECTED
    await anyio.sleep(6 * 3600)
    made = office.site.world.add_target(IN_STOCK, numbers[5], creator="sandbox")
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    assert made.status == "A"
    assert pushed.rows[numbers[5]].state is State.REJECTED, pushed.rows[numbers[5]]


async def test_a_whole_bill_is_not_told_to_be_a_part_for_its_neighbours_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule splits bills; three are saved whole and shown late, the fourth refused by name."""
    numbers = orders(4)
    keep_but_the_last(monkeypatch, numbers, f"单据“{numbers[3]}”的仓库必录")
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    rows = [pushed.rows[number] for number in numbers[:3]]
    assert [len(row.targets) for row in rows] == [2, 2, 2]
    assert [row.code for row in rows] == ["", "", ""], [row.reason for row in rows]


class SetBackWhilePushing(VirtualClock):
    """A machine whose clock is set back by an hour after its first refusal."""

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() - (timedelta(hours=1) if anyio.current_time() > 6 else timedelta())


async def test_a_part_that_was_refused_after_a_clock_was_set_back_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One bill was refused before, and the run is killed as the half of another is saved."""
    name_nothing(monkeypatch)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=8.0, look_s=0.1, latency_s=2.0, **OPEN)
    office, numbers, clock = Office(options), orders(5), SetBackWhilePushing()
    half = numbers[4]
    office.site.world.refuse(numbers[0], REFUSED)
    keep_a_part(monkeypatch, [half], kept=1)
    await office.open_run(numbers)

    async def kill(job: Context) -> None:
        await until_rejected(office, half)
        job.stop.scope.cancel()

    throttle = one_by_one()
    await office.execute(limits=NO_CANARY, throttle=throttle, beside=kill, clock=clock, check=False)
    await anyio.sleep(60)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, clock=clock, check=False)
    assert pushed.rows[half].state is State.PUSHED, pushed.rows[half]


async def test_what_a_bill_that_was_given_up_has_become_after_its_window_is_told() -> None:
    """Its only call is carried out while the run still goes on."""
    plan = steps(*["ok"] * 3, "commit-late-then-reset:720")
    office, numbers = Office(sandbox(plan, latency_s=20.0, look_s=0.1, **OPEN)), orders(50)
    await office.open_run(numbers)
    once = PushLimits(canary=False, max_attempts=1)
    pushed = await office.execute(
        limits=once, throttle=one_by_one(), settle=SettleTimes(), check=False
    )
    lost = numbers[3]
    assert len(office.site.world.documents_of(lost)) == 1
    assert lost in {
        outcome.number for outcome in pushed.watch.moves if outcome.code == "unanswered"
    }
    row = pushed.rows[lost]
    assert (row.state, row.code, len(row.targets)) == (State.PUSHED, "", 1), row


@pytest.mark.parametrize("in_one_run", [False, True])
async def test_a_part_of_a_first_bill_shows_not_that_bills_are_whole(
    monkeypatch: pytest.MonkeyPatch, *, in_one_run: bool
) -> None:
    """The first bill was refused in part; of the next call a part of one is saved as well."""
    options = sandbox(policy=Policy.SPLIT, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers, words = Office(options), orders(4), Refusal(11, "仓库必录")
    keep_a_part(monkeypatch, numbers[:1], kept=1, why=words)
    keep_a_part(monkeypatch, numbers[1:], kept=1, why=words)
    throttle, run = steered(concurrency=1, chunk_size=3), FIRST
    if in_one_run:
        await office.open_run(numbers)
        await office.execute(throttle=throttle, check=False)
    else:
        run = SECOND
        await office.open_run(numbers[:1])
        await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
        await office.open_run(numbers[1:], SECOND)
        await office.execute(SECOND, limits=NO_CANARY, throttle=throttle, check=False)
    row = (await office.rows(run))[numbers[1]]
    assert (row.state, row.code, len(row.targets)) == (State.PUSHED, PARTLY, 1), row


async def test_what_closes_its_bill_and_is_shown_late_is_told_after_a_resume(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two copies of the database answer: one shows the bill closed, the other no document yet."""
    office, numbers = Office(sandbox(look_s=0.1, latency_s=1.0)), orders(8)
    page, made = FormRows.page, office.site.world.documents_of

    async def stale(self: FormRows, form: str, *what: Any, **more: Any) -> Any:
        rows = await page(self, form, *what, **more)
        is_late = form == IN_STOCK.id and anyio.current_time() < 15
        hidden = {str(each.id) for each in made(numbers[1])} if is_late else set()
        return [row for row in rows if str(row[0]) not in hidden]

    monkeypatch.setattr(FormRows, "page", stale)
    keep_a_part(monkeypatch, numbers[1:3], kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers)

    async def kill(job: Context) -> None:
        while (await office.rows())[numbers[1]].code != "11":  # noqa: ASYNC110
            await anyio.sleep(0.05)
        job.stop.scope.cancel()

    throttle = steered(concurrency=1, chunk_size=2)
    await office.execute(throttle=throttle, beside=kill, check=False)
    await anyio.sleep(1)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert len(made(numbers[1])) == 1
    assert pushed.rows[numbers[1]].state is State.PUSHED, pushed.rows[numbers[1]]


@pytest.mark.parametrize("lag_s", [0.0, 8.0])
async def test_what_a_bill_of_several_documents_was_refused_for_is_told(
    monkeypatch: pytest.MonkeyPatch, lag_s: float
) -> None:
    """The bills before it had one document each, so that another program may be told as well."""
    options = sandbox(policy=Policy.SPLIT, query_lag_s=lag_s, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(3)
    for number in numbers[:2]:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.entries[1:] = []
        bill.entries[0].quantity = bill.entries[0].left = 1
    keep_a_part(monkeypatch, numbers[2:], kept=2)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), check=False)
    row = pushed.rows[numbers[2]]
    assert (row.state, len(row.targets)) == (State.PUSHED, 2), row
    assert row.code in {TWIN, PARTLY}, row
    assert "仓库必录" in row.reason, row


@pytest.mark.parametrize("how", ["one run", "killed", "another run", "after another form"])
async def test_what_a_refused_call_has_merged_and_shows_late_is_sent_twice_by_nobody(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A document of three bills bears the number of one, and no link; queries lag behind it."""
    numbers = orders(4)
    why = Refusal(11, "第1行分录，数量大于入库上限！")
    keep_a_part(monkeypatch, numbers[:3], kept=1, why=why)
    options = sandbox(
        policy=Policy.MERGE_LINES, link_fields=False, query_lag_s=13.0, look_s=0.1, **OPEN
    )
    office = Office(options)
    for number in numbers[:3]:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
    await office.open_run(numbers[3:], RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    await office.open_run(numbers[:3])
    chunk = steered(concurrency=1, chunk_size=3)

    async def kill(job: Context) -> None:
        while True:
            row = (await office.rows())[numbers[0]]
            if row.attempts and row.state is not State.SENT:
                break
            await anyio.sleep(0.05)
        job.stop.scope.cancel()

    beside = None if how == "one run" else kill
    await office.execute(limits=NO_CANARY, throttle=chunk, beside=beside, check=False)
    run = FIRST
    if how == "after another form":
        other = Office(route=RECEIPTS, site=office.site, ledger=office.store)
        await other.open_run(numbers[:1], RunId("rx"))
        received = await other.execute(RunId("rx"), check=False)
        assert received.of(State.PUSHED) == {numbers[0]}
    if how in {"another run", "after another form"}:
        run = SECOND
        await office.open_run(numbers[:3], SECOND)
    await office.execute(run, limits=NO_CANARY, throttle=chunk, check=False)
    assert doubled(office, numbers[1:] if how == "after another form" else numbers) == []
    made = [each.form.id for each in office.site.world.documents_of(numbers[0])]
    assert made.count(IN_STOCK.id) == 1
    rows = await office.rows(run)
    assert {rows[number].state for number in numbers[1:3]} <= {State.UNKNOWN, State.PLANNED}


async def test_what_a_neighbour_shows_keeps_a_bill_in_doubt_past_its_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit takes up one bill of a refused call, whose document bears another's number."""
    first, lost, third = numbers = orders(3)
    why = Refusal(11, "第1行分录，数量大于入库上限！")
    keep_a_part(monkeypatch, numbers, kept=1, why=why)
    office = Office(
        sandbox(policy=Policy.MERGE_LINES, link_fields=False, query_lag_s=13.0, look_s=0.1, **OPEN)
    )
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
    await office.open_run(orders(1, first=9), RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    await office.open_run([lost, first, third])
    chunk = steered(concurrency=1, chunk_size=3)

    async def kill(job: Context) -> None:
        while not (await office.rows())[lost].attempts:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        while (await office.rows())[lost].state is State.SENT:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        job.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=chunk, beside=kill, check=False)
    one = replace(NO_CANARY, limit=1)
    await office.execute(limits=one, throttle=chunk, check=False)
    assert (await office.rows())[lost].state is State.UNKNOWN
    await anyio.sleep(2000)
    await office.execute(work=only_settle, check=False)
    await office.execute(limits=one, throttle=chunk, check=False)
    assert doubled(office, numbers) == []
    assert (await office.rows())[lost].state is State.UNKNOWN


async def test_a_route_that_asks_links_alone_finds_no_bill_of_a_merged_document_absent() -> None:
    """The list's rule keeps no links; another rule does, and the second list asks by them alone."""
    *merged, refused = numbers = orders(4)
    one, *_, other = with_second_rule()
    routes = [replace(one, keeps_links=False), other]
    office = Office(
        sandbox(policy=Policy.MERGE_LINES, on_refusal=OnRefusal.PARTIAL, routes=routes, **OPEN)
    )
    world = office.site.world
    world.refuse(refused, Refusal(8, "仓库 {number} 必录"))
    for number in merged:
        (bill,) = world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
    await office.open_run(orders(3, first=30), RunId("learnt"))
    await office.execute(RunId("learnt"), throttle=one_by_one(), check=False)
    await office.open_run(numbers)
    chunk = steered(concurrency=1, chunk_size=4)
    stopped = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    office.route = replace(ROUTE, name="other", rule=other.rule_id)
    await office.open_run(orders(12, first=9), RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    await anyio.sleep(2000)
    office.route = replace(ROUTE, source_number_field="")
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, limits=NO_CANARY, throttle=one_by_one(), check=False)
    assert doubled(office, numbers) == []
    assert len(stopped.of(State.PUSHED)) == 1
    rows = await office.rows()
    assert {n for n in rows if rows[n].state is State.UNKNOWN} == stopped.of(State.UNKNOWN)


@pytest.mark.parametrize("lag_s", [0.0, 13.0])
async def test_a_persons_word_about_a_bill_beside_a_saved_part_lets_it_go(
    monkeypatch: pytest.MonkeyPatch, lag_s: float
) -> None:
    """The rule makes one document of each bill, and nothing tells that; a person has looked."""
    numbers = orders(4)
    keep_a_part(monkeypatch, numbers, kept=1, why=Refusal(11, "第1行分录，数量大于入库上限！"))
    office = Office(sandbox(link_fields=False, query_lag_s=lag_s, look_s=0.1, **OPEN))
    await office.open_run(numbers)
    chunk = steered(concurrency=1, chunk_size=4)
    stopped = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    for number in stopped.of(State.UNKNOWN):
        ledger, bill = office.store.another_process(), BillNumber(number)
        clock = VirtualClock()
        await settle_by_word(ledger, clock, FIRST, bill, State.PLANNED, because="not there")
    pushed = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    assert stopped.of(State.UNKNOWN) == set(numbers[1:])
    assert pushed.of(State.PUSHED) == set(numbers)
    assert doubled(office, numbers) == []


async def test_what_a_refusal_has_named_alone_is_held_for_no_other_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its neighbours were saved; it is mended the next day, and stands in the next list."""
    numbers = orders(4)
    keep_but_the_last(monkeypatch, numbers, f"单据“{numbers[-1]}”的仓库必录")
    office = Office(sandbox(link_fields=False, look_s=0.1, **OPEN))
    await office.open_run(numbers)
    chunk = steered(concurrency=1, chunk_size=4)
    first = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    assert first.of(State.REJECTED) == {numbers[-1]}
    monkeypatch.undo()
    await anyio.sleep(3600)
    await office.open_run(numbers[-1:], SECOND)
    second = await office.execute(SECOND, limits=NO_CANARY, throttle=chunk, check=False)
    assert second.of(State.PUSHED) == {numbers[-1]}


@pytest.mark.parametrize("seed", [1, 3, 4])
async def test_parts_of_a_refused_call_that_travel_together_do_not_doubt_each_other(
    seed: int,
) -> None:
    """What one of them has made meanwhile is not what the refused call has made."""
    numbers = orders(16)
    office = Office(
        sandbox(
            link_fields=False,
            look_s=1.0,
            latency_s=1.0,
            jitter=0.3,
            seed=seed,
            on_refusal=OnRefusal.WHOLE,
        )
    )
    await office.open_run(orders(3, first=30), RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    office.site.world.refuse(numbers[-1], Refusal(11, "仓库必录"))
    await office.open_run(numbers)
    began_s = anyio.current_time()
    throttle = steered(concurrency=4, chunk_size=16)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == {*numbers[:-1]}
    # Each doubt would take the window.
    assert anyio.current_time() - began_s < 300


@pytest.mark.parametrize("again", ["retry", "another run"])
async def test_a_refusal_of_one_bill_may_hide_its_document_whatever_the_rule_has_shown(
    monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Many bills have one document each, and that of the refused bill ties itself to none."""
    *shown, lost = orders(25)
    why = Refusal(11, "第1行分录，数量大于入库上限！")
    keep_a_part(monkeypatch, [lost], kept=1, why=why)
    office = Office(sandbox(untied=(lost,), **OPEN))
    await office.open_run(shown, RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    await office.open_run([lost])
    pushed = await office.execute(limits=NO_CANARY, check=False)
    assert pushed.rows[lost].state is State.REJECTED
    run = FIRST
    if again == "retry":
        await plan_again(office)
    else:
        run = SECOND
        await office.open_run([lost], SECOND)
    await office.execute(run, limits=NO_CANARY, check=False)
    assert len(office.site.world.documents_of(lost)) == 1


async def test_what_a_refusal_has_made_lets_another_run_push_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bills may be pushed in parts; the first run is over, and nobody can go on with it."""
    numbers = orders(4)
    keep_a_part(monkeypatch, numbers[1:], kept=3, why=Refusal(11, "库存异常，是否继续"))
    office = Office(sandbox(**OPEN), replace(ROUTE, allow_partial=True))
    await office.open_run(numbers)
    first = await office.execute(check=False)
    assert [first.rows[n].code for n in numbers[1:]] == [PARTLY] * 3
    await office.open_run(numbers, SECOND)
    pushed = await office.execute(SECOND, check=False)
    assert pushed.of(State.PUSHED) == set(numbers), pushed.rows
