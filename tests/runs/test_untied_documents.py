"""Documents that tie themselves to no bill, one of which may be what a lost call has made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import BillNumber, RunId, State, Uptime
from k3push.core.pacing.halting import HaltRule
from k3push.core.remark import remark
from k3push.ports import LookRefusedError
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.push_limits import PushLimits
from k3push.simulator import Channel, FaultPlan, Refusal, build, fault
from k3push.simulator.books.bills import Origin
from k3push.simulator.books.conversion import Converter, Ids
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.world import World
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import (
    FIRST,
    LIMITS,
    RECEIPTS,
    ROUTE,
    SECOND,
    Office,
    VirtualClock,
    add_old_document,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    NO_HALT,
    OPEN,
    REFUSED,
    FastClock,
    copy_creators,
    doubled,
    hide_newest,
    keep_a_part,
    name_nothing,
    plan_again,
)

pytestmark = pytest.mark.anyio

PARTS = replace(ROUTE, allow_partial=True)

AT_A_DOUBT = PushLimits(halt=HaltRule(unknown_count=1))
"""It ends there, so that another process has to find out what became of it."""


@pytest.mark.parametrize("name", ["make-then-msgcode-4", "make-then-response-error"])
async def test_an_untied_document_of_a_call_that_broke_is_found_when_it_is_shown_late(
    name: str,
) -> None:
    """What broke its call is looked for among untied documents until looks surely show them."""
    numbers = orders(7)
    options = sandbox(steps(name), untied=(numbers[3],), query_lag_s=2.0, **OPEN)
    office = Office(options)
    office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert doubled(office, numbers) == []


async def test_an_untied_document_behind_a_refusal_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a refusal of several leaves is looked for among untied documents."""
    name_nothing(monkeypatch)
    numbers = orders(7)
    office = Office(sandbox(untied=(numbers[3],), **OPEN))
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("again", ["at once", "resumed", "retried", "in another run"])
@pytest.mark.parametrize(("kind", "size"), [("no licence", 1), ("no licence", 4), ("a part", 4)])
async def test_an_untied_document_behind_a_refusal_is_found_when_it_is_shown_late(
    monkeypatch: pytest.MonkeyPatch, kind: str, size: int, again: str
) -> None:
    """It is looked for once more before its bill is sent again, whoever sends it."""
    numbers = orders(4)
    plan = steps("make-then-no-licence") if kind == "no licence" else steps()
    office = Office(sandbox(plan, untied=tuple(numbers), query_lag_s=8.0, **OPEN))
    await office.open_run(numbers)
    stops = again in {"resumed", "in another run"}
    limits = replace(NO_CANARY, halt=HaltRule(fail_count=1)) if stops else NO_CANARY
    if kind == "a part":
        keep_a_part(monkeypatch, numbers, kept=1, why=Refusal(11, "仓库必录"))
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=size), "check": False}
    await office.execute(limits=limits, **how)
    if again == "resumed":
        await office.execute(**how)
    elif again == "retried":
        await anyio.sleep(60)
        await plan_again(office)
        await office.execute(**how)
    elif again == "in another run":
        await office.open_run(numbers, SECOND)
        await office.execute(SECOND, **how)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("size", [1, 4])
async def test_what_another_program_types_after_a_refusal_keeps_no_bill_from_its_next_try(
    size: int,
) -> None:
    """It makes documents of the same form, as the same user, and is not ours by its time."""
    numbers = orders(16)
    office = Office(sandbox(latency_s=1.0, on_refusal="whole", **OPEN))
    world = office.site.world
    await office.open_run(numbers[:12], SECOND)
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=size), "check": False}
    await office.execute(SECOND, limits=NO_CANARY, **how)
    world.refuse(numbers[-1], replace(REFUSED, text="仓库必录"))

    async def type_one(_: Context) -> None:
        while not (await office.rows())[numbers[-1]].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(30)  # the call was read back, and its parts wait
        world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)

    await office.open_run(numbers[12:])
    pushed = await office.execute(limits=NO_CANARY, beside=type_one, **how)
    assert pushed.of(State.PUSHED) == {*numbers[12:15]}


@pytest.mark.parametrize("days", [0, 2])
async def test_a_clock_that_is_ahead_hides_no_untied_document(days: int) -> None:
    """Untied documents are asked for by the server's time, where the machine's clock is ahead."""
    numbers = orders(14)
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, untied=(numbers[12],), **OPEN))
    await office.open_run(numbers)
    clock = FastClock() if days else VirtualClock()
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one, clock=clock, check=False)
    await office.execute(throttle=one_by_one, clock=clock, check=False)
    assert doubled(office, numbers) == []


class SleptClock(VirtualClock):
    """A machine that sleeps for a night, in which virtual time stands still as the loop's does."""

    wakes_s = 405.0
    slept = timedelta(hours=8)

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() + (self.slept if anyio.current_time() > self.wakes_s else timedelta())

    def uptime(self) -> Uptime:
        """Return the time since the machine came up, with the time in which it has slept."""
        since = super().uptime()
        slept = self.slept if anyio.current_time() > self.wakes_s else timedelta()
        return replace(since, seconds=since.seconds + slept.total_seconds())


async def test_a_night_in_which_the_machine_sleeps_hides_no_untied_document() -> None:
    """The call left in the evening, and the server's time is learnt from what is made after it."""
    numbers = orders(14)
    plan = steps("ok", "ok", "ok", "make-then-reset")
    options = sandbox(plan, untied=(numbers[3],), latency_s=20.0, **OPEN)
    office = Office(site=build(options, clock=SleptClock().now))
    add_old_document(office.site.world)
    await office.open_run(numbers)
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}
    pushed = await office.execute(limits=NO_HALT, clock=SleptClock(), **how)
    assert pushed.rows[numbers[3]].state is State.UNKNOWN
    assert doubled(office, numbers) == []


async def test_a_form_that_keeps_the_day_alone_hides_no_untied_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Untied documents are asked for since the beginning of a day, where no time of day is kept."""

    class EveningClock(VirtualClock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=10)

    monkeypatch.setattr(World, "now", lambda _: "2026-01-02T00:00:00")
    numbers = orders(13)
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, untied=(numbers[12],), **OPEN))
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers[:12])
    await office.execute(throttle=one_by_one, check=False)
    await office.open_run(numbers[12:], SECOND)
    for limits in (AT_A_DOUBT, LIMITS):
        await office.execute(
            SECOND, limits=limits, throttle=one_by_one, clock=EveningClock(), check=False
        )
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("maker", ["sandbox", "wang"])
async def test_a_rule_that_copies_creators_hides_no_untied_document(
    monkeypatch: pytest.MonkeyPatch, maker: str
) -> None:
    """Makers tell nothing of an untied document where a rule copies them from the bill."""
    numbers = orders(14)
    made = Converter._target

    def target(self: Converter, route: Any, shares: Any, *what: Any, mislink: bool) -> Any:
        bill = made(self, route, shares, *what, mislink=mislink)
        if maker != "sandbox":
            last = shares[0].bill.number == numbers[12]
            bill.creator = maker if last else f"li {int(shares[0].bill.number[-1]) % 2}"
        return bill

    monkeypatch.setattr(Converter, "_target", target)
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, untied=(numbers[12],), **OPEN))
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


async def test_a_rule_that_copies_creators_hides_no_untied_document_of_a_sorted_list() -> None:
    """All bills that were pushed so far are of one clerk; the lost one is of the next."""
    numbers = orders(14)
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, untied=(numbers[12],), **OPEN))
    copy_creators(office)
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.creator = "wang" if number == numbers[12] else "li"
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


async def test_what_another_program_has_made_hours_before_leaves_no_lost_answer_to_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is of the same user, and names no source, and an earlier run has shown what time it is."""
    hide_newest(monkeypatch)
    numbers, one_by_one = orders(13), steered(concurrency=1, chunk_size=1)
    office = Office(sandbox(steps(*["ok"] * 12, "reset"), **OPEN))
    world = office.site.world
    await office.open_run(numbers[:12])
    await office.execute(throttle=one_by_one, check=False)
    older = world.add_target(IN_STOCK, "-", typed=True, creator="sandbox")
    for line in older.entries:
        line.links, line.origin = (), Origin(" ", " ")
    older.created = (datetime.fromisoformat(world.now()) - timedelta(hours=5)).isoformat()
    await office.open_run(numbers[12:], SECOND)
    pushed = await office.execute(SECOND, throttle=one_by_one, check=False)
    assert pushed.of(State.PUSHED) == set(numbers[12:])


async def test_a_value_that_may_not_be_asked_for_ties_a_document_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A value that the ERP lets nobody ask for ties no document to a bill."""
    numbers = orders(14)
    made, asked = Converter._target, ErpClient.sources_of

    def target(self: Converter, route: Any, shares: Any, *what: Any, mislink: bool) -> Any:
        bill = made(self, route, shares, *what, mislink=mislink)
        if shares[0].bill.number == numbers[12]:
            for line in bill.entries:
                line.links, line.origin = (), Origin(" ", "' or 1=1 --")
        return bill

    async def sources_of(self: ErpClient, route: Any, wanted: Sequence[BillNumber]) -> Any:
        if any("1=1" in number for number in wanted):
            raise LookRefusedError("filter refused", code="4", definite=False)
        return await asked(self, route, wanted)

    monkeypatch.setattr(Converter, "_target", target)
    monkeypatch.setattr(ErpClient, "sources_of", sources_of)
    office = Office(sandbox(steps(*["ok"] * 12, "make-then-reset"), **OPEN))
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("times", [1, 2])
async def test_a_passing_refusal_to_tell_what_was_made_since_leaves_nothing_to_a_person(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """One refusal may pass; what is refused each time cannot be asked."""
    asked, refusals = ErpClient.made_since, iter(range(times))

    async def made_since(self: ErpClient, *what: Any) -> Any:
        for _ in refusals:
            raise LookRefusedError("no right", code="2", definite=True)
        return await asked(self, *what)

    monkeypatch.setattr(ErpClient, "made_since", made_since)
    numbers = orders(3)
    office = Office(sandbox(steps("ok", "reset"), **OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    lost = State.PUSHED if times == 1 else State.UNKNOWN
    assert pushed.states[numbers[1]] is lost


async def test_a_site_that_told_nothing_at_an_exception_is_asked_again_for_a_lost_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was made since is asked for anew when a doubt is settled, many minutes later."""
    asked = ErpClient.made_since

    async def made_since(self: ErpClient, *what: Any) -> Any:
        if anyio.current_time() < 120:
            raise LookRefusedError("no right", code="2", definite=True)
        return await asked(self, *what)

    monkeypatch.setattr(ErpClient, "made_since", made_since)
    numbers = orders(4)
    office = Office(sandbox(steps("ok", "response-error", "reset"), **OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)


def without_time_of_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a site whose target form cannot be asked what was made since."""
    page = FormRows.page

    async def refuse(self: FormRows, form: str, fields: Sequence[str], where: str, **m: Any) -> Any:
        if form != IN_STOCK.id or "FCreateDate" not in (*fields, *where.split(">")):
            return await page(self, form, fields, where, **m)
        if "FCreateDate" in fields:
            raise LookRefusedError("字段不存在", code="9", definite=True)
        raise LookRefusedError("GetRealExpress error", code="4", definite=False)

    monkeypatch.setattr(FormRows, "page", refuse)


async def test_bills_of_a_form_without_a_time_of_making_are_told_of_no_document_that_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of four has met an edit lock, and nothing was made by anybody."""
    without_time_of_making(monkeypatch)
    office, numbers = Office(sandbox(steps("edit-lock"), **OPEN)), orders(4)
    await office.open_run(numbers)
    one_call = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=one_call, check=False)
    told = {(row.state, row.code, row.reason) for row in pushed.rows.values()}
    assert told == {(State.UNKNOWN, "stray", remark("note.stray_untold"))}


async def test_a_form_without_a_time_of_making_costs_one_wait_and_not_one_for_each_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A form that cannot be asked what was made since is asked no more in this execution."""
    without_time_of_making(monkeypatch)
    office, numbers = Office(sandbox(orders=200, latency_s=1.0)), orders(120)
    for number in numbers[5::20]:
        office.site.world.refuse(number, REFUSED)
    await office.open_run(numbers)
    never = PushLimits(halt=HaltRule())
    await office.execute(limits=never, throttle=steered(concurrency=2, chunk_size=10), check=False)
    assert anyio.current_time() < 200


async def test_bills_that_the_ledger_has_pushed_are_not_asked_for_to_find_strays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A day of a large site names thousands, and each lost answer would ask for them all."""
    asked, wanted = ErpClient.sources_of, Counter[BillNumber]()

    async def sources_of(self: ErpClient, route: Any, numbers: Sequence[BillNumber]) -> Any:
        wanted.update(numbers)
        return await asked(self, route, numbers)

    pushed, lost = orders(40), orders(2, 40)
    office = Office(sandbox(steps(*["ok"] * 41, "reset"), **OPEN))
    await office.open_run(pushed)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    monkeypatch.setattr(ErpClient, "sources_of", sources_of)
    await office.open_run(lost, run=SECOND)
    await office.execute(SECOND, throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert office.site.calls[Channel.PUSH] == 43  # what was lost was sent again
    assert wanted.keys().isdisjoint(pushed)


@pytest.mark.parametrize("made_at", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999"])
async def test_a_time_that_cannot_be_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, made_at: str
) -> None:
    """So .NET writes a time that nobody has filled in."""
    asked = ErpClient.standings_of

    async def standings_of(self: ErpClient, *what: Any) -> Any:
        told = await asked(self, *what)
        return {id_: replace(each, created=made_at) for id_, each in told.items()}

    monkeypatch.setattr(ErpClient, "standings_of", standings_of)
    numbers = orders(4)
    options = sandbox(steps("ok", "make-then-reset", "reset"), untied=(numbers[1],), **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


async def test_where_links_tell_the_number_of_another_bill_ties_no_document() -> None:
    """A plug-in wrote it, the answer was lost, and the bill was sent five times."""
    numbers = orders(20)
    lost, other = numbers[12], numbers[3]
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset"), once=False)})
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1))
    assert len(office.site.world.documents_of(lost)) == 1
    assert pushed.rows[lost].state is State.UNKNOWN, pushed.rows[lost]
    assert pushed.of(State.PUSHED) == {*numbers} - {lost}


async def test_a_row_of_another_form_clears_no_document_of_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each form counts its ids for itself: a receipt of the other bill has that of the document."""
    *known, lost, other = orders(14)
    office = Office(sandbox(steps(*["ok"] * 13, "make-then-reset"), misnamed={lost: other}, **OPEN))
    elsewhere = Office(route=RECEIPTS, site=office.site, ledger=office.store)
    await elsewhere.open_run([other], RunId("rx"))
    (receipt,) = (await elsewhere.execute(RunId("rx"), check=False)).rows[other].targets
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.open_run(known)
    await office.execute(throttle=one_by_one, check=False)
    await anyio.sleep(2 * 86_400)
    monkeypatch.setattr(Ids, "next_bill", lambda _: int(receipt.id))
    await office.open_run([lost], SECOND)
    pushed = await office.execute(SECOND, throttle=one_by_one, check=False)
    assert pushed.rows[lost].state is State.UNKNOWN, pushed.rows[lost]
    assert [each.id for each in office.site.world.documents_of(lost)] == [int(receipt.id)]


async def test_a_list_that_is_mended_and_pushed_again_soon_waits_for_no_clerk() -> None:
    """The ERP named each bill that it refused; what somebody types meanwhile is none of them."""
    numbers = orders(6)
    office = Office(sandbox(**OPEN))
    world = office.site.world
    for number in numbers:
        world.refuse(number, REFUSED)
    await office.open_run(numbers)
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=3), "check": False}
    await office.execute(**how)
    for number in numbers:
        world.allow(number)
    world.add_target(IN_STOCK, "WMS", creator="clerk", typed=True)
    await office.open_run(numbers, SECOND)
    pushed = await office.execute(SECOND, **how)
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_a_persons_word_about_a_late_document_holds() -> None:
    """It is another program's, and was made while the call was under way."""
    numbers = orders(4)
    office = Office(sandbox(latency_s=5.0, on_refusal="whole", **OPEN))
    world = office.site.world
    world.refuse(numbers[-1], replace(REFUSED, text="仓库必录"))

    async def type_one(_: Context) -> None:
        while not (await office.rows())[numbers[-1]].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(2)
        world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)

    await office.open_run(numbers)
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=4), "check": False}
    await office.execute(limits=NO_CANARY, beside=type_one, **how)
    for bill, row in (await office.rows()).items():
        assert (row.state, row.code) == (State.UNKNOWN, "stray")
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), State.PLANNED)
        await settle_by_word(*told, because="looked up by hand")
    world.allow(numbers[-1])
    pushed = await office.execute(limits=NO_CANARY, **how)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert doubled(office, numbers) == []


async def test_an_older_refusal_of_its_own_hides_no_document_of_a_later_call_of_another_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run is stopped after a refusal, another saves a part of the same bills, and it goes on."""
    known = RunId("r0")
    numbers = orders(4)
    office = Office(sandbox(untied=tuple(numbers), latency_s=1.0, query_lag_s=8.0, **OPEN))
    why = Refusal(11, "仓库必录")
    stops = replace(NO_CANARY, halt=HaltRule(fail_count=1))
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=4), "check": False}
    await office.open_run(orders(12, first=20), known)
    await office.execute(known, limits=NO_CANARY, **how)
    for run, kept in ((FIRST, 0), (SECOND, 1)):
        keep_a_part(monkeypatch, numbers, kept=kept, why=why)
        await office.open_run(numbers, run)
        await office.execute(run, limits=stops, **how)
        await anyio.sleep(60)
    await office.execute(FIRST, **how)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("links", [False, True])
async def test_a_document_of_one_lost_bill_leaves_no_other_to_a_person(*, links: bool) -> None:
    """A clerk has pushed it in part right before; both answers are lost and settled together."""
    office = Office(sandbox(steps("ok", "reset", "reset"), link_fields=links, **OPEN), PARTS)
    numbers = orders(4)
    for number in (numbers[1], *orders(1, first=20)):
        office.site.world.add_target(IN_STOCK, number, creator="sandbox")
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert pushed.of(State.PUSHED) == {*numbers}
