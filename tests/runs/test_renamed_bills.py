"""Bills that get another number while calls for them are open: the id stays, the number changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    Follow,
    Intent,
    Outcome,
    RunId,
    State,
    key_of,
)
from k3push.core.pacing.halting import HaltRule
from k3push.ports import Identification
from k3push.runs.context import Context
from k3push.runs.create import scope_of
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.lookup.source_check import AMBIGUOUS
from k3push.runs.proof.seen_since import note_numbers
from k3push.runs.proof.stray_calls import OpenCall
from k3push.runs.proof.unclear_documents import SHARED
from k3push.runs.push_limits import PushLimits
from k3push.runs.sending.before_sending import FIRST_LOOK_KEEPS_S, renewed
from k3push.runs.sending.read_back import read_back
from k3push.runs.stop import Cause, Stop
from k3push.runs.throttle import Throttle
from k3push.simulator import site
from k3push.simulator.answers import failure
from k3push.simulator.books.bills import APPROVED, REOPENED, Bill
from k3push.simulator.books.conversion import Converter, Share
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, ROUTES
from k3push.simulator.books.forms import Route as Rule
from k3push.simulator.books.refusals import Refusal
from k3push.simulator.exchange import json_reply
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
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
    AT_A_DOUBT,
    NO_HALT,
    OPEN,
    REFUSED,
    doubled,
    plan_again,
    until_rejected,
)
from tests.runs.test_documents_of_others import until
from tests.runs.test_follow import FOLLOW

pytestmark = pytest.mark.anyio


# Links cannot be asked, or may be, and the rule keeps none.
NO_LINKS: tuple[dict[str, object], ...] = (
    {"link_fields": False},
    {"routes": tuple(replace(each, keeps_links=False) for each in ROUTES)},
)


def bill_of(office: Office, number: str) -> Bill:
    """Return the bill that has a number."""
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
    return bill


def rename(office: Office, bill: Bill, number: str) -> None:
    """Give a bill another number."""
    store = office.site.world.store
    store.remove(bill)
    bill.number = number
    store.add(bill)


def made_of(office: Office, bill: Bill) -> list[str]:
    """Return the ids of all documents of a bill, whatever it was called as they were made."""
    office.site.finish()
    makings = office.site.world.makings_from(bill)
    return sorted({str(making.target.id) for making in makings})


@pytest.mark.parametrize("by_id", [False, True])
async def test_a_doubt_is_settled_though_another_bill_has_got_its_number(*, by_id: bool) -> None:
    """A run that waits for the number looks for the other run's bill, and not for its own."""
    numbers = orders(2)
    office = Office(sandbox(steps("make-then-reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run([key_of("", str(bill.id)) if by_id else numbers[0]])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.open_run(numbers[:1], SECOND)
    await office.execute(SECOND, throttle=one_by_one(), check=False)
    (row,) = (await office.rows(FIRST)).values()
    assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, made_of(office, bill)), row
    assert made_of(office, other) == []  # the document of the other bill names its number


@pytest.mark.parametrize("links", [{}, *NO_LINKS])
@pytest.mark.parametrize("by_number", [False, True])
async def test_what_a_call_by_id_has_made_is_found_by_the_number_of_that_moment(
    monkeypatch: pytest.MonkeyPatch, *, by_number: bool, links: dict[str, object]
) -> None:
    """The bill gets it between the look and the call, whose answer is lost."""
    (number,) = orders(1)
    office = Office(sandbox(steps("make-then-reset"), **links, **OPEN))
    bill = bill_of(office, number)
    await office.open_run([key_of(number if by_number else "", str(bill.id))])
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number == number:
            rename(office, bill, "CGDD-NEW")
        return push(self, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    (made,) = made_of(office, bill)
    if "routes" in links:
        # Other documents have links, so that the number alone is not believed.
        assert (row.state, row.code) == (State.UNKNOWN, SHARED)
    else:
        assert (row.state, [target.id for target in row.targets]) == (State.PUSHED, [made]), row


async def test_what_was_made_of_the_bill_that_had_a_new_number_before_is_no_call_by_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number that a bill gets was another's, which this ledger has pushed; the call is lost."""
    number, taken = orders(2)
    office = Office(sandbox(steps("ok", "reset"), link_fields=False, **OPEN))
    bill, other = bill_of(office, number), bill_of(office, taken)
    await office.open_run([taken], SECOND)
    await office.execute(SECOND, throttle=one_by_one())
    await office.open_run([key_of("", str(bill.id))])
    rename(office, other, "CGDD-OLD")
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number == number:
            rename(office, bill, taken)
        return push(self, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    assert made_of(office, bill) == []
    for _ in range(3):
        await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert {target.id for target in row.targets}.isdisjoint(made_of(office, other)), row
    assert len(made_of(office, bill)) <= 1


async def test_a_neighbour_that_gets_another_number_leaves_no_bill_to_a_person() -> None:
    """The ledger knows its id, by which its document is told from one that is of no bill."""
    numbers = orders(2)
    office = Office(sandbox(steps("make-then-html-503"), **OPEN))
    office.site.world.refuse(numbers[1], Refusal(4, "不行"))
    await office.open_run(numbers)
    at_once = steered(concurrency=1, chunk_size=2)
    await office.execute(limits=AT_A_DOUBT, throttle=at_once, check=False)

    async def interrupt(job: Context) -> None:
        await until(office, numbers[0], State.PUSHED)
        job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    await office.execute(throttle=at_once, beside=interrupt, check=False)
    rename(office, bill_of(office, numbers[0]), "CGDD-NEW")
    await office.execute(throttle=at_once, check=False)
    assert [row.state for row in (await office.rows()).values()] == [State.PUSHED, State.REJECTED]


async def test_neighbours_that_exchange_their_numbers_leave_no_bill_to_a_person() -> None:
    """Asking for what is known by the numbers of today tells nothing of whose they were."""
    *numbers, other = orders(4)
    wrong_field = replace(ROUTE, source_number_field="FSupplierId.FNumber")
    office = Office(sandbox(steps("drop-one-then-html-503"), **OPEN), wrong_field)
    bills = [bill_of(office, number) for number in (numbers[0], other)]
    office.site.world.add_target(IN_STOCK, other)
    await office.open_run(numbers)
    at_once = steered(concurrency=1, chunk_size=3)
    await office.execute(limits=AT_A_DOUBT, throttle=at_once, check=False)
    rename(office, bills[0], "TMP")
    rename(office, bills[1], numbers[0])
    rename(office, bills[0], other)
    await office.execute(throttle=at_once, check=False)
    assert {row.state for row in (await office.rows()).values()} == {State.PUSHED}


async def test_the_row_of_a_bill_that_is_entered_anew_has_its_id() -> None:
    """A lost call made nothing; meanwhile its number has gone to a bill that was entered anew."""
    numbers = orders(2)
    office = Office(sandbox(steps("reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    pushed = await office.execute(throttle=one_by_one(), check=False)
    (row,) = pushed.rows.values()
    assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, made_of(office, other))
    assert row.source_id == str(other.id), row
    await office.check()


async def test_a_row_stays_of_the_bill_that_has_got_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who resumes knows that what was sent was another bill: another's document is not ours."""
    numbers = orders(2)
    office = Office(sandbox(steps("reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    identify, stop = MemoryLedger.identify, Stop()

    async def interrupted(self: MemoryLedger, *what: Any) -> Identification:
        repeats = await identify(self, *what)
        stop.ask(Cause.INTERRUPTED, "Ctrl-C")
        return repeats

    with monkeypatch.context() as patch:
        patch.setattr(MemoryLedger, "identify", interrupted)
        await office.execute(throttle=one_by_one(), stop=stop, check=False)
    (row,) = (await office.rows()).values()
    assert (row.state, row.source_id) == (State.PLANNED, str(other.id)), row
    there = office.site.world.add_target(IN_STOCK, numbers[0], creator="sandbox")
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert (row.state, [t.id for t in row.targets]) == (State.ALREADY, [str(there.id)]), row


async def test_what_others_have_made_of_the_bill_that_has_got_a_number_is_there_already() -> None:
    """A lost call made nothing of a bill; its number goes to one that another run has pushed."""
    numbers = orders(2)
    office = Office(sandbox(steps("reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await office.open_run(numbers[1:], SECOND)
    await office.execute(SECOND, throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert (row.state, row.source_id) == (State.ALREADY, str(other.id)), row
    assert [target.id for target in row.targets] == made_of(office, other)


async def test_what_has_waited_for_another_run_is_looked_at_anew_before_it_leaves() -> None:
    """Its number goes to a bill that was pushed, while the other run waits for its window."""
    numbers, third = orders(2), RunId("r3")
    office = Office(sandbox(steps("ok", "reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[1:])
    await office.execute(throttle=one_by_one())
    await office.open_run(numbers[:1], SECOND)
    await office.open_run(numbers[:1], third)

    async def wait() -> None:
        await anyio.sleep(60)
        await office.execute(third, throttle=one_by_one(), check=False)

    async with anyio.create_task_group() as both:
        both.start_soon(wait)
        both.start_soon(partial(office.execute, SECOND, throttle=one_by_one(), check=False))
        await anyio.sleep(300)
        rename(office, bill, "CGDD-OLD")
        rename(office, other, numbers[0])
    assert len(made_of(office, other)) == 1
    (row,) = (await office.rows(third)).values()
    assert [target.id for target in row.targets] == made_of(office, other)
    assert (row.state, row.source_id) == (State.ALREADY, str(other.id))


async def test_a_bill_that_was_entered_anew_is_not_pushed_twice_where_nobody_can_look() -> None:
    """The ledger alone knows what was made, and its row is of the bill that was sent last."""
    route = replace(ROUTE, source_number_field="")
    office = Office(sandbox(steps("reset"), link_fields=False, **OPEN), route)
    numbers = orders(2)
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await anyio.sleep(900)
    (row,) = (await office.rows()).values()
    await settle_by_word(
        office.store, VirtualClock(), FIRST, row.bill, State.PLANNED, because="not there"
    )
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.execute(throttle=one_by_one(), check=False)
    await office.open_run(numbers[:1], SECOND)
    second = await office.execute(SECOND, throttle=one_by_one(), check=False)
    assert (len(made_of(office, other)), second.states) == (1, {numbers[0]: State.ALREADY})


async def test_a_bill_waits_for_a_call_that_carried_it_under_its_old_number() -> None:
    """A person has said too early that nothing is there, and another list names it anew."""
    (number,) = orders(1)
    office = Office(sandbox(steps("commit-late-then-reset:100"), **OPEN))
    bill = bill_of(office, number)
    await office.open_run([number])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await settle_by_word(
        office.store, VirtualClock(), FIRST, BillNumber(number), State.PLANNED, because="no"
    )
    rename(office, bill, "CGDD-NEW")
    await office.open_run([bill.number], SECOND)
    second = await office.execute(SECOND, throttle=one_by_one(), check=False)
    assert (len(made_of(office, bill)), second.states) == (1, {"CGDD-NEW": State.ALREADY})


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("links", [False, True])
async def test_a_bill_that_has_got_a_number_inherits_no_document_of_the_one_that_had_it(
    *, by_id: bool, links: bool
) -> None:
    """The ledger tells of which bill it has made it, where no link does."""
    numbers = orders(2)
    office = Office(sandbox(link_fields=links, write_back="audit"))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute()
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.open_run([key_of("", str(other.id)) if by_id else numbers[0]], SECOND)
    second = await office.execute(SECOND, check=False)
    (row,) = second.rows.values()
    if by_id:
        assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, made_of(office, other))
    else:
        assert (row.state, row.code, made_of(office, other)) == (State.REJECTED, AMBIGUOUS, [])


class EndsAfter(MemoryLedger):
    """A ledger whose run is told to stop once a call for a number is written down."""

    stop: Stop
    number: str

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Write it down, and stop."""
        await super().record(attempt, exchange, verdict, outcomes, at=at, keep_claims=keep_claims)
        if self.number in attempt.intent.numbers:
            self.stop.ask(Cause.INTERRUPTED, "Ctrl-C")


@pytest.mark.parametrize("links", [True, False])
async def test_a_row_whose_number_leads_to_the_bill_of_another_row_makes_no_second_document(
    *, links: bool
) -> None:
    """This run has pushed it under its old number, and nothing in the ERP need tell of it."""
    numbers = orders(2)
    office = Office(sandbox(steps("reset"), link_fields=links, **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers)
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await office.execute(throttle=one_by_one(), check=False, work=only_settle)
    ledger = EndsAfter(office.store._store, account="sandbox")
    ledger.stop, ledger.number = Stop(), numbers[1]
    await office.execute(throttle=one_by_one(), check=False, stop=ledger.stop, ledger=ledger)
    states = [row.state for row in (await office.rows()).values()]
    assert states == [State.PLANNED, State.PUSHED]
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.execute(throttle=one_by_one(), check=False)
    assert len(made_of(office, other)) == 1
    first, second = (await office.rows()).values()
    assert (first.state, first.code, second.state) == (State.REJECTED, AMBIGUOUS, State.PUSHED)


async def test_a_bill_that_has_got_the_number_of_another_row_is_pushed_by_whoever_resumes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes by its number and its id, whoever looks at it how often."""
    numbers = orders(2)
    office = Office(sandbox(**OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run([numbers[0], key_of("", str(other.id))])
    ledger = EndsAfter(office.store._store, account="sandbox")
    ledger.stop, ledger.number = Stop(), numbers[0]
    await office.execute(throttle=one_by_one(), check=False, stop=ledger.stop, ledger=ledger)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    identify, stop = MemoryLedger.identify, Stop()

    async def interrupted(self: MemoryLedger, *what: Any) -> Identification:
        repeats = await identify(self, *what)
        stop.ask(Cause.INTERRUPTED, "Ctrl-C")
        return repeats

    with monkeypatch.context() as patch:
        patch.setattr(MemoryLedger, "identify", interrupted)
        await office.execute(throttle=one_by_one(), stop=stop, check=False)
    await office.execute(throttle=one_by_one(), check=False)
    first, second = (await office.rows()).values()
    assert [target.id for target in first.targets] == made_of(office, bill), first
    assert second.state is State.PUSHED, second
    assert [target.id for target in second.targets] == made_of(office, other), second


@pytest.mark.parametrize("links", [True, False])
async def test_a_bill_that_is_retried_by_its_id_is_looked_for_by_its_number_of_today(
    *, links: bool
) -> None:
    """It was refused, has got another number since, and somebody has pushed it by hand."""
    (number,) = orders(1)
    office = Office(sandbox(link_fields=links, **OPEN))
    bill = bill_of(office, number)
    office.site.world.refuse(number, REFUSED)
    await office.open_run([key_of("", str(bill.id))])
    await office.execute(throttle=one_by_one(), check=False)
    assert [row.state for row in (await office.rows()).values()] == [State.REJECTED]
    rename(office, bill, "CGDD-NEW")
    there = office.site.world.add_target(IN_STOCK, "CGDD-NEW", creator="somebody")
    await plan_again(office)
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert made_of(office, bill) == [str(there.id)]
    assert row.state is State.ALREADY, row


@pytest.mark.parametrize("how", ["end", "kill"])
async def test_what_was_refused_by_its_id_is_looked_for_by_its_number_of_today(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It got another number right before the call, which has made a document that is shown late."""
    (number,) = orders(1)
    office = Office(sandbox(link_fields=False, query_lag_s=8.0, **OPEN))
    bill = bill_of(office, number)
    listed = key_of("", str(bill.id))
    await office.open_run([listed])

    def pushed(self: Any, visit: Any, now_s: float) -> Any:
        rename(office, bill, "CGDD-NEW")
        self._save(self.world.convert(self._order(visit), visit.user), now_s)
        return json_reply(failure(self._manners.style, 11, "仓库必录"))

    monkeypatch.setattr(site.Site, "_push", pushed)

    async def kill(job: Context) -> None:
        await until_rejected(office, listed)
        if how == "kill":
            job.stop.scope.cancel()

    await office.execute(throttle=one_by_one(), beside=kill, check=False)
    if how == "kill":
        await anyio.sleep(30)
        await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    (made,) = made_of(office, bill)
    assert [target.id for target in row.targets] == [made], row


@pytest.mark.parametrize("links", NO_LINKS)
@pytest.mark.parametrize("stopped", [False, True])
async def test_what_was_made_under_a_number_of_that_moment_is_followed(
    monkeypatch: pytest.MonkeyPatch, *, stopped: bool, links: dict[str, object]
) -> None:
    """It names no number that the row knows, and is its bill's document all the same."""
    (number,) = orders(1)
    route = replace(ROUTE, follow=FOLLOW.follow)
    office = Office(sandbox(steps(), **links, **OPEN), route)
    bill = bill_of(office, number)
    await office.open_run([key_of("", str(bill.id))])
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number == number:
            rename(office, bill, "CGDD-NEW")
        return push(self, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    ledger = EndsAfter(office.store._store, account="sandbox")
    ledger.stop, ledger.number = Stop(), number if stopped else ""
    stop = ledger.stop
    once = await office.execute(throttle=one_by_one(), check=False, stop=stop, ledger=ledger)
    assert Cause.CONTRADICTION not in once.stop.causes
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, made_of(office, bill)), row
    (document,) = (await office.documents()).values()
    assert document.follow is Follow.APPROVED, document


async def test_bills_that_have_swapped_numbers_are_told_no_document_of_each_other() -> None:
    """A document tells the number that its bill had as it was made, and no link tells the bill."""
    numbers = orders(2)
    office = Office(sandbox(steps("make-then-reset"), link_fields=False, **OPEN))
    bills = [bill_of(office, number) for number in numbers]
    await office.open_run([key_of("", str(bill.id)) for bill in bills])
    at_once = steered(concurrency=1, chunk_size=2)
    await office.execute(limits=AT_A_DOUBT, throttle=at_once, check=False)
    rename(office, bills[0], "TMP")
    rename(office, bills[1], numbers[0])
    rename(office, bills[0], numbers[1])
    for _ in range(2):
        await office.execute(throttle=at_once, check=False)
    for bill, row in zip(bills, (await office.rows()).values(), strict=True):
        made = made_of(office, bill)
        assert len(made) == 1
        assert {target.id for target in row.targets} <= set(made), row


async def test_what_was_there_of_a_bill_that_has_got_a_number_is_none_of_ours() -> None:
    """The first call was at another bill, and what was there before it tells nothing of this."""
    numbers = orders(2)
    office = Office(sandbox(steps("reset"), **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1], again_because="anew")
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await office.execute(throttle=one_by_one(), check=False, work=only_settle)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    office.site.world.refuse(numbers[0], REFUSED)
    there = office.site.world.add_target(IN_STOCK, numbers[0], creator="sandbox")

    async def kill(job: Context) -> None:
        await until_rejected(office, numbers[0])
        job.stop.scope.cancel()

    await office.execute(throttle=one_by_one(), beside=kill, check=False)
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert made_of(office, other) == [str(there.id)]
    assert row.state is State.REJECTED, row


async def test_a_number_that_has_gone_to_another_bill_tells_no_documents_of_the_first() -> None:
    """Two runs are in doubt, about the bill that had it and about the one that has it now."""
    numbers = orders(2)
    faults = steps("reset", "reset", "make-then-reset")
    office = Office(sandbox(faults, link_fields=False, **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    await office.open_run(numbers[:1])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await office.open_run([key_of("", str(other.id))], SECOND)
    await office.execute(SECOND, limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-OLD")
    rename(office, other, numbers[0])
    await office.execute(SECOND, limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    (made,) = made_of(office, other)
    for run in (FIRST, SECOND, FIRST, SECOND):
        await office.execute(run, throttle=one_by_one(), check=False)
    assert made_of(office, other) == [made]
    (row,) = (await office.rows(FIRST)).values()
    assert row.targets == (), row


@pytest.mark.parametrize("later_s", [0.5, 3.0])
async def test_two_runs_do_not_send_one_bill_under_two_numbers_at_once(later_s: float) -> None:
    """One waits for its turn with the number that it has read; the other has read the new one."""
    (number,) = orders(1)
    office = Office(sandbox(look_s=0.2, latency_s=30.0, **OPEN))
    bill = bill_of(office, number)
    for run in (FIRST, SECOND):
        await office.open_run([key_of("", str(bill.id))], run)
    slow = Throttle(VirtualClock(), concurrency=1, chunk_size=1, calls_per_minute=6)
    async with anyio.create_task_group() as both:
        both.start_soon(partial(office.execute, FIRST, throttle=slow, check=False))
        await anyio.sleep(60)
        rename(office, bill, "CGDD-NEW")
        await anyio.sleep(later_s)
        both.start_soon(partial(office.execute, SECOND, throttle=one_by_one(), check=False))
    assert len(made_of(office, bill)) == 1
    states = [row.state for run in (FIRST, SECOND) for row in (await office.rows(run)).values()]
    assert sorted(states) == [State.ALREADY, State.PUSHED]


async def test_a_refused_call_has_made_nothing_that_another_run_has_made_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its bill has lost its number to the bill of that run while both were on their way."""
    numbers = orders(2)
    office = Office(sandbox(link_fields=False, **OPEN))
    bill, other = bill_of(office, numbers[0]), bill_of(office, numbers[1])
    for run, each in ((FIRST, bill), (SECOND, other)):
        await office.open_run([key_of("", str(each.id))], run)
    office.site.world.refuse(numbers[0], REFUSED)
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number != numbers[0] and other.number == numbers[1]:
            rename(office, other, numbers[0])
            office.site.world._refusals.clear()
        return push(self, *what)

    async def late(context: Context, *what: Any) -> Any:
        if context.run.id == FIRST and bill.number == numbers[0]:
            rename(office, bill, "CGDD-OLD")
            await office.execute(SECOND, throttle=one_by_one(), check=False)
            office.site.world.refuse("CGDD-OLD", REFUSED)
        return await read_back(context, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    monkeypatch.setattr("k3push.runs.sending.attempt.read_back", late)
    await office.execute(throttle=one_by_one(), check=False)
    (row,) = (await office.rows()).values()
    assert len(made_of(office, other)) == 1
    assert (row.state, row.targets) == (State.REJECTED, ()), row


async def test_of_two_runs_that_see_each_other_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They have written their calls down at one moment, and neither is ended by it."""
    (number,) = orders(1)
    office = Office(sandbox(look_s=0.2, latency_s=30.0, **OPEN))
    bill = bill_of(office, number)
    for run in (FIRST, SECOND):
        await office.open_run([key_of("", str(bill.id))], run)
    begin, there, both_there = MemoryLedger.begin, set[RunId](), anyio.Event()

    async def begin_together(self: MemoryLedger, intent: Intent) -> Attempt:
        if intent.run == FIRST and not there:
            rename(office, bill, "CGDD-NEW")
        there.add(intent.run)
        if there == {FIRST, SECOND}:
            both_there.set()
        await both_there.wait()
        return await begin(self, intent)

    monkeypatch.setattr(MemoryLedger, "begin", begin_together)
    stops = {run: Stop() for run in (FIRST, SECOND)}
    async with anyio.create_task_group() as both:
        for run, stop in stops.items():
            execute = partial(office.execute, throttle=one_by_one(), stop=stop, check=False)
            both.start_soon(execute, run)
            await anyio.sleep(5)
    assert [stop.causes for stop in stops.values()] == [{}, {}]
    assert len(made_of(office, bill)) == 1


async def test_what_another_run_has_begun_and_ended_since_the_look_makes_no_second_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has carried the bill under its old number while this one waited for its turn.

    What does not leave for that is no sending that the ERP has let pass.
    """
    (number,) = orders(1)
    office = Office(sandbox(**OPEN))
    bill = bill_of(office, number)
    for run in (FIRST, SECOND):
        await office.open_run([key_of("", str(bill.id))], run)
    begin, has_looked, is_over = MemoryLedger.begin, anyio.Event(), anyio.Event()

    async def begin_in_turn(self: MemoryLedger, intent: Intent) -> Attempt:
        if intent.run == FIRST:
            rename(office, bill, "CGDD-NEW")
            once = PushLimits(max_attempts=1)
            second = partial(office.execute, SECOND, limits=once, throttle=one_by_one())
            both.start_soon(partial(second, check=False))
            await has_looked.wait()
        else:
            has_looked.set()
            await is_over.wait()
        return await begin(self, intent)

    monkeypatch.setattr(MemoryLedger, "begin", begin_in_turn)
    async with anyio.create_task_group() as both:
        await office.execute(FIRST, throttle=one_by_one(), check=False)
        is_over.set()
    assert len(made_of(office, bill)) == 1
    states = [row.state for run in (FIRST, SECOND) for row in (await office.rows(run)).values()]
    assert states == [State.PUSHED, State.ALREADY]


@pytest.mark.parametrize("by_turn", [False, True])
async def test_what_another_run_was_refused_since_the_look_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, *, by_turn: bool
) -> None:
    """Its call of several has saved a part that looks show late, under the bill's old number.

    This run waits so long for its turn that it looks once more, or has looked a moment ago.
    """
    number, other = orders(2)
    office = Office(sandbox(query_lag_s=5.0, **OPEN))
    bill = bill_of(office, number)
    await office.open_run([key_of("", str(bill.id)), key_of("", str(bill_of(office, other).id))])
    await office.open_run([key_of("", str(bill.id))], SECOND)
    begin, record = MemoryLedger.begin, MemoryLedger.record
    has_looked, is_refused = anyio.Event(), anyio.Event()

    async def wait(run: RunId) -> None:
        if run == FIRST and not has_looked.is_set():
            rename(office, bill, "CGDD-NEW")
            second = partial(office.execute, SECOND, throttle=one_by_one(), check=False)
            both.start_soon(second)
            await has_looked.wait()
            await anyio.sleep(FIRST_LOOK_KEEPS_S if by_turn else 0)
        elif run == SECOND and not has_looked.is_set():
            has_looked.set()
            await is_refused.wait()

    async def begin_in_turn(self: MemoryLedger, intent: Intent) -> Attempt:
        await wait(intent.run)
        return await begin(self, intent)

    async def renewed_late(context: Context, *what: Any) -> Any:
        if by_turn and context.run.id == SECOND:
            await wait(SECOND)
        return await renewed(context, *what)

    async def record_and_tell(self: MemoryLedger, *what: Any, **how: Any) -> None:
        await record(self, *what, **how)
        is_refused.set()

    work, met = site.Site._push, iter([True])

    def pushed(self: Any, visit: Any, now_s: float) -> Any:
        if not next(met, False):
            return work(self, visit, now_s)
        conversion = self.world.convert(self._order(visit), visit.user)
        self._save(replace(conversion, made=conversion.made[:1]), now_s)
        return json_reply(failure(self._manners.style, 11, "仓库必录"))

    monkeypatch.setattr(MemoryLedger, "begin", begin_in_turn)
    monkeypatch.setattr(MemoryLedger, "record", record_and_tell)
    monkeypatch.setattr("k3push.runs.sending.attempt.renewed", renewed_late)
    monkeypatch.setattr(site.Site, "_push", pushed)
    async with anyio.create_task_group() as both:
        throttle = steered(concurrency=1, chunk_size=2)
        await office.execute(limits=PushLimits(canary=False), throttle=throttle, check=False)
    assert is_refused.is_set()
    assert len(made_of(office, bill)) == 1


async def test_what_another_run_has_pushed_while_the_ledger_is_asked_makes_no_second_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody can look, and the ledger is asked for its documents first, and then for its calls."""
    (number,) = orders(1)
    blind = replace(ROUTE, source_number_field="")
    office = Office(sandbox(link_fields=False, **OPEN), blind)
    bill = bill_of(office, number)
    for run in (FIRST, SECOND):
        await office.open_run([key_of("", str(bill.id))], run)
    made_of_others = MemoryLedger.made_of

    async def made_of_late(self: MemoryLedger, run: RunId, bills: Any) -> Any:
        made = await made_of_others(self, run, bills)
        if run == FIRST and bill.number == number and await self.rows_of(BillNumber(number)):
            rename(office, bill, "CGDD-NEW")
            await office.execute(SECOND, throttle=one_by_one(), check=False)
        return made

    monkeypatch.setattr(MemoryLedger, "made_of", made_of_late)
    await office.execute(throttle=one_by_one(), check=False)
    assert bill.number == "CGDD-NEW"
    assert len(made_of(office, bill)) == 1
    states = [row.state for run in (FIRST, SECOND) for row in (await office.rows(run)).values()]
    assert states == [State.ALREADY, State.PUSHED]


@asynccontextmanager
async def passing_on(
    monkeypatch: pytest.MonkeyPatch,
    office: Office,
    bill: Bill,
    heir: Bill,
    *,
    but: str,
    then: str = "CGDD-NEW",
) -> AsyncIterator[None]:
    """Give a bill another number as its call comes, and that number to an heir a minute later."""
    number, push = bill.number, site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if but not in str(what) and bill.number == number:
            rename(office, bill, "CGDD-NEW")
            both.start_soon(move_on)
        return push(self, *what)

    async def move_on() -> None:
        await anyio.sleep(60)
        rename(office, bill, "CGDD-NEWER")
        rename(office, heir, then)

    monkeypatch.setattr(site.Site, "_push", pushed)
    async with anyio.create_task_group() as both:
        yield


async def test_what_a_call_makes_late_is_asked_for_by_each_number_that_looks_have_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bill has had that number for a minute, and another bill has it by now."""
    other, number, third = orders(3)
    faults = steps("ok", "commit-late-then-reset:100")
    office = Office(sandbox(faults, latency_s=1.0, link_fields=False, **OPEN))
    bill, heir = bill_of(office, number), bill_of(office, third)
    await office.open_run([other, key_of("", str(bill.id))])
    async with passing_on(monkeypatch, office, bill, heir, but=other):
        await office.execute(throttle=one_by_one(), check=False)
    for _ in range(2):
        assert len(made_of(office, bill)) == 1
        _, row = (await office.rows()).values()
        assert (row.state, row.code) == (State.UNKNOWN, SHARED), row
        await office.execute(throttle=one_by_one(), check=False)  # knows it still


@pytest.mark.parametrize("spelled", ["CGDD-NEW", "cgdd-new"])
async def test_a_number_that_two_bills_in_doubt_have_had_gives_the_document_to_neither(
    monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    """One has had it for a minute, in which its call is carried out; the other one has it now."""
    other, number, third = orders(3)
    faults = steps("ok", "commit-late-then-reset:100", "reset")
    office = Office(sandbox(faults, latency_s=1.0, link_fields=False, **OPEN))
    bill, heir = bill_of(office, number), bill_of(office, third)
    await office.open_run([other, *(key_of("", str(each.id)) for each in (bill, heir))])
    async with passing_on(monkeypatch, office, bill, heir, but=other, then=spelled):
        await office.execute(throttle=one_by_one(), check=False)
    for _ in range(2):
        _, *rows = (await office.rows()).values()
        assert [(row.state, row.code) for row in rows] == [(State.UNKNOWN, SHARED)] * 2, rows
        assert (len(made_of(office, bill)), made_of(office, heir)) == (1, [])
        await office.execute(throttle=one_by_one(), check=False)


async def test_a_number_that_a_bill_of_another_run_has_had_tells_no_document_of_who_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That run is in doubt over it, and has seen the bill under the number."""
    other, number, third = orders(3)
    faults = steps("ok", "commit-late-then-reset:100")
    office = Office(sandbox(faults, latency_s=1.0, link_fields=False, **OPEN))
    bill, heir = bill_of(office, number), bill_of(office, third)
    await office.open_run([other, key_of("", str(bill.id))])
    async with passing_on(monkeypatch, office, bill, heir, but=other):
        await office.execute(throttle=one_by_one(), check=False)
    await office.open_run([heir.number], SECOND)
    await office.execute(SECOND, throttle=one_by_one(), check=False)
    (row,) = (await office.rows(SECOND)).values()
    assert (row.code, row.targets, made_of(office, heir)) == (SHARED, (), []), row


async def lost_as_it_is_renamed(
    monkeypatch: pytest.MonkeyPatch, spelled: str, *, handed_on: bool = False, again: bool = False
) -> tuple[Office, Any]:
    """Push a bill by id that is renamed with its call, on a database that compares exactly.

    Its answer is lost. Where its number is handed on, another bill has it by then. Where it is
    pushed again, it has a document that was there before.
    """
    other, number, heir = orders(3)
    faults = steps("ok", "commit-late-then-reset:100")
    compares = {"exact_numbers": True, "link_fields": False}
    office = Office(sandbox(faults, latency_s=1.0, **compares, **OPEN))
    bill = bill_of(office, number)
    if again:
        office.site.world.add_target(IN_STOCK, number, creator="sandbox")
    because = "the rest" if again else ""
    await office.open_run([other, key_of("", str(bill.id))], again_because=because)
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if other not in str(what) and bill.number == number:
            rename(office, bill, spelled.format(number))
            if handed_on:
                rename(office, bill_of(office, heir), number)
        return push(self, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    await office.execute(throttle=one_by_one(), check=False)
    return office, bill


async def test_a_bill_that_gets_other_letters_is_asked_for_by_these_where_they_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that compares exactly finds its document by the spelling of that moment alone."""
    lower = orders(2)[1].lower()
    office, bill = await lost_as_it_is_renamed(monkeypatch, lower)
    _, row = (await office.rows()).values()
    (made,) = made_of(office, bill)
    assert (row.state, [target.id for target in row.targets]) == (State.PUSHED, [made]), row


@pytest.mark.parametrize("again", [False, True])
async def test_a_bill_whose_number_has_blanks_about_it_by_now_is_left_to_a_person(
    monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    """A database that compares exactly finds its document by none of the numbers that are asked.

    It names what another bill's number is by now. A document that was there before is found, and
    tells nothing of the call. That it may be a stray would hold the bill back as well, and is left
    out here.
    """

    async def none(*_: object, **__: object) -> list[OpenCall]:
        return []

    monkeypatch.setattr(Context, "calls_with_strays", none)
    office, bill = await lost_as_it_is_renamed(monkeypatch, "{} ", handed_on=True, again=again)
    _, row = (await office.rows()).values()
    assert (row.state, len(made_of(office, bill))) == (State.UNKNOWN, 1 + again), row


@pytest.mark.parametrize("together", [False, True])
async def test_a_number_that_the_ledger_has_pushed_ties_no_document_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """A bill had it for the moment of its call, and nobody has it by now: whose is it?"""
    number, taken = orders(2)
    office = Office(sandbox(steps("ok", "make-then-reset"), link_fields=False, **OPEN))
    bill, other = bill_of(office, number), bill_of(office, taken)
    await office.open_run([taken, key_of("", str(bill.id))] if together else [taken])
    if not together:
        await office.execute(throttle=one_by_one())
        await office.open_run([key_of("", str(bill.id))], SECOND)
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number != number or taken in str(what):
            return push(self, *what)
        rename(office, other, "CGDD-OLD")
        rename(office, bill, taken)
        answer = push(self, *what)
        rename(office, bill, "CGDD-NEW")
        return answer

    monkeypatch.setattr(site.Site, "_push", pushed)
    run = FIRST if together else SECOND
    await office.execute(run, throttle=one_by_one(), check=False)
    *_, row = (await office.rows(run)).values()
    assert len(made_of(office, bill)) == 1, row
    assert row.state is State.UNKNOWN, row


@pytest.mark.parametrize("links", NO_LINKS)
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_bill_that_had_the_number_of_another_for_its_call_makes_no_second_document(
    monkeypatch: pytest.MonkeyPatch, *, is_known: bool, links: dict[str, object]
) -> None:
    """The other one has it again: its number tells nothing of a document that nobody knows."""
    number, taken, third = orders(3)
    office = Office(sandbox(steps("ok", "make-then-reset"), **links, **OPEN))
    bill, other = bill_of(office, number), bill_of(office, taken)
    first = taken if is_known else third
    await office.open_run([first, key_of("", str(bill.id))])
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if bill.number != number or first in str(what):
            return push(self, *what)
        rename(office, other, "CGDD-OLD")
        rename(office, bill, taken)
        answer = push(self, *what)
        rename(office, bill, "CGDD-NEW")
        rename(office, other, taken)
        return answer

    monkeypatch.setattr(site.Site, "_push", pushed)
    await office.execute(throttle=one_by_one(), check=False)
    _, row = (await office.rows()).values()
    assert (row.state, len(made_of(office, bill))) == (State.UNKNOWN, 1), row


@pytest.mark.parametrize("answer", ["ok", "make-then-reset"])
@pytest.mark.parametrize("by_id", [False, True])
async def test_a_bill_inherits_no_document_of_the_one_that_had_its_number_for_a_call(
    monkeypatch: pytest.MonkeyPatch, *, by_id: bool, answer: str
) -> None:
    """The ledger has made it under the number that the other bill has in its row."""
    other, number, third = orders(3)
    office = Office(sandbox(steps("ok", answer), latency_s=1.0, link_fields=False, **OPEN))
    bill, heir = bill_of(office, number), bill_of(office, third)
    await office.open_run([other, key_of("", str(bill.id))])
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if other not in str(what):
            rename(office, bill, "CGDD-NEW")
        return push(self, *what)

    with monkeypatch.context() as for_now:
        for_now.setattr(site.Site, "_push", pushed)
        await office.execute(throttle=one_by_one(), check=False)
    rename(office, bill, "CGDD-NEWER")
    rename(office, heir, "CGDD-NEW")
    await office.open_run([key_of("", str(heir.id)) if by_id else "CGDD-NEW"], SECOND)
    await office.execute(SECOND, throttle=one_by_one(), check=False)
    (row,) = (await office.rows(SECOND)).values()
    if by_id:
        assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, made_of(office, heir))
    else:
        assert (row.state, row.code, made_of(office, heir)) == (State.REJECTED, AMBIGUOUS, [])


@pytest.mark.parametrize("moves", ["exchange", "pass on", "share"])
async def test_two_bills_of_one_call_are_told_no_document_of_each_other(
    monkeypatch: pytest.MonkeyPatch, moves: str
) -> None:
    """One gets the number of the other with the call, whose answer names both documents."""
    third, number, taken = orders(3)
    office = Office(sandbox(link_fields=False, **OPEN))
    bills = [bill_of(office, number), bill_of(office, taken)]
    await office.open_run([third, *(key_of("", str(each.id)) for each in bills)])
    push = site.Site._push

    def pushed(self: site.Site, *what: Any) -> Any:
        if third not in str(what):
            if moves != "share":
                rename(office, bills[1], "CGDD-NEW")
            rename(office, bills[0], taken)
            if moves == "exchange":
                rename(office, bills[1], number)
        return push(self, *what)

    monkeypatch.setattr(site.Site, "_push", pushed)
    for _ in range(2):
        throttle = steered(concurrency=1, chunk_size=2)
        await office.execute(throttle=throttle, check=False)
    _, *rows = (await office.rows()).values()
    for row, bill in zip(rows, bills, strict=True):
        (made,) = made_of(office, bill)
        told = [target.id for target in row.targets]
        assert row.state is State.UNKNOWN or told == [made], row


async def test_a_link_tells_whose_a_document_is_though_the_rule_keeps_none_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another bill in doubt has got the number that it names."""
    third, number, taken = orders(3)
    office = Office(sandbox(steps("ok", "make-then-reset", "reset"), **OPEN))
    bill, heir = bill_of(office, number), bill_of(office, taken)
    await office.open_run([third, number, key_of("", str(heir.id))])
    made, push = Converter._target, site.Site._push

    def target(
        self: Converter, route: Rule, shares: tuple[Share, ...], *others: str, mislink: bool
    ) -> Bill:
        document = made(self, route, shares, *others, mislink=mislink)
        if shares[0].bill.number == third:
            for line in document.entries:
                line.links = ()
        return document

    def pushed(self: site.Site, *what: Any) -> Any:
        answer = push(self, *what)
        if bill.number == number and made_of(office, bill):
            rename(office, bill, "CGDD-OLD")
            rename(office, heir, number)
        return answer

    monkeypatch.setattr(Converter, "_target", target)
    monkeypatch.setattr(site.Site, "_push", pushed)
    await office.execute(throttle=one_by_one(), check=False)
    _, *rows = (await office.rows()).values()
    for row, each in zip(rows, (bill, heir), strict=True):
        (document,) = made_of(office, each)
        assert (row.state, [t.id for t in row.targets]) == (State.PUSHED, [document]), row


async def test_a_bill_of_another_form_tells_nothing_of_a_number() -> None:
    """Each form counts its ids from one, and another run has seen such a one to have the number."""
    third, number, other = orders(3)
    faults = steps("ok", "make-then-reset", "reset")
    office = Office(sandbox(faults, link_fields=False, **OPEN))
    doubted = str(bill_of(office, other).id)
    sales = replace(ROUTE, source="SAL_SaleOrder", target="SAL_OUTSTOCK")
    run = replace(office.run(SECOND), scope=scope_of("sandbox", sales), route=sales)
    await office.store.open_run(run)
    now = VirtualClock().now()
    await note_numbers(office.store, SECOND, doubted, [BillNumber(number)], at=now)
    await office.open_run([third, number, key_of("", doubted)])
    await office.execute(throttle=one_by_one(), check=False)
    assert [row.state for row in (await office.rows()).values()] == [State.PUSHED] * 3


@pytest.mark.parametrize("links", NO_LINKS)
async def test_bills_that_a_person_vouches_for_and_that_exchange_numbers_share_no_document(
    links: dict[str, object],
) -> None:
    """One of them has a document, which names the number that the other one has by now."""
    third, number, taken = orders(3)
    route = replace(ROUTE, follow=FOLLOW.follow)
    faults = steps("ok", "make-then-reset", "reset")
    office = Office(sandbox(faults, **links, **OPEN), route)
    bill, other = bill_of(office, number), bill_of(office, taken)
    await office.open_run([third, *(key_of("", str(each.id)) for each in (bill, other))])
    doubts = replace(AT_A_DOUBT, halt=HaltRule(unknown_count=2))
    await office.execute(limits=doubts, throttle=one_by_one(), check=False)
    for each in (number, taken):
        told = (office.store, VirtualClock(), FIRST, BillNumber(each), State.PUSHED)
        await settle_by_word(*told, because="seen")
    rename(office, bill, "CGDD-NEW")
    rename(office, other, number)
    rename(office, bill, taken)
    await office.execute(throttle=one_by_one(), check=False)
    _, *rows = (await office.rows()).values()
    assert [row.state for row in rows] == [State.PUSHED] * 2
    assert len(made_of(office, bill)) == 1
    assert [t.id for t in rows[1].targets] == [], rows


async def test_bills_that_exchange_numbers_before_a_retry_keep_a_row_each() -> None:
    """One was refused by the ERP and the other unsent: each line is of the bill that it names."""
    one, other = orders(2)
    office = Office(sandbox(**OPEN))
    world = office.site.world
    world.refuse(one, Refusal(11, "仓库必录"))
    bills = [world.store.by_number(PURCHASE_ORDER, number)[0] for number in (one, other)]
    bills[1].status = REOPENED
    await office.open_run([one, other])
    await office.execute(limits=NO_HALT, check=False)
    world.exchange(PURCHASE_ORDER, one, other)
    bills[1].status = APPROVED
    world.allow(one)
    await anyio.sleep(3600)
    await plan_again(office)
    rows = (await office.execute(limits=NO_HALT, check=False)).rows
    assert {number: (row.source_id, row.state) for number, row in rows.items()} == {
        one: (str(bills[1].id), State.PUSHED),
        other: (str(bills[0].id), State.PUSHED),
    }
    assert doubled(office, [one, other]) == []


@pytest.mark.parametrize("ends", ["alive", "killed"])
@pytest.mark.parametrize("links", NO_LINKS)
async def test_what_a_lost_call_makes_under_a_new_number_of_its_bill_leaves_a_doubt(
    links: dict[str, Any], ends: str
) -> None:
    """The bill gets another number while the ERP is at work; its document bears that one.

    Nobody else has ever had the number, so the document is told to be another bill's by nothing.
    """
    numbers = orders(2)
    office = Office(sandbox(steps("ok", "reset"), **OPEN, **links))
    bill = bill_of(office, numbers[1])
    await office.open_run(numbers)

    async def beside(job: Context) -> None:
        while (await office.rows())[numbers[1]].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        rename(office, bill, "NEW1")
        office.site.world.add_target(IN_STOCK, "NEW1", creator="sandbox")
        if ends == "killed":
            job.stop.scope.cancel()

    await office.execute(throttle=one_by_one(), beside=beside, check=False)
    await office.execute(throttle=one_by_one(), check=False)
    row = (await office.rows())[numbers[1]]
    is_found = [target.id for target in row.targets] == made_of(office, bill)
    assert row.state is State.UNKNOWN or is_found, row
    rename(office, bill, numbers[1])
    await office.execute(throttle=one_by_one(), check=False)
    assert len(made_of(office, bill)) == 1


async def test_a_route_that_cannot_ask_ends_though_a_number_of_its_own_is_in_doubt() -> None:
    """Two bills exchange numbers, and the answer to a call for one of them was lost."""
    plan, route = steps("make-then-reset"), replace(ROUTE, source_number_field="")
    office, numbers = Office(sandbox(plan, link_fields=False, **OPEN), route), orders(2)
    await office.open_run(numbers)
    await office.execute(limits=PushLimits(canary=False, limit=1), check=False)
    assert (await office.rows())[numbers[0]].state is State.UNKNOWN
    first, second = (bill_of(office, number) for number in numbers)
    rename(office, first, "TMP")
    rename(office, second, numbers[0])
    rename(office, first, numbers[1])
    with anyio.fail_after(3600):
        pushed = await office.execute(limits=PushLimits(canary=False), check=False)
    assert Cause.BARRED in pushed.stop.causes or Cause.PERSON in pushed.stop.causes
    assert len(office.site.world.makings_of(numbers[0])) == 1
