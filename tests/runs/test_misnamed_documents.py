"""Documents that a plug-in of the site writes another order's number into, and that have no link.

Neither an answer that names one nor a look by a number tells of which bill it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import BillNumber, Identified, Listed, Outcome, RunId, State, Step, Target
from k3push.core.pacing.halting import HaltRule
from k3push.core.safety.conclusion import STRAY
from k3push.ports import LookFailedError
from k3push.runs.context import Context
from k3push.runs.create import scope_of
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.push_limits import PushLimits
from k3push.simulator import FaultPlan, Policy, fault, site
from k3push.simulator.books.bills import APPROVED
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, RECEIVE_BILL, ROUTES
from k3push.simulator.books.forms import Route as Rule
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import (
    FIRST,
    NOON,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    AT_TWO_DOUBTS,
    NO_CANARY,
    NO_HALT,
    OPEN,
    REFUSED,
    doubled,
    hide_newest,
    interrupt,
)
from tests.runs.test_proof import accounts, login
from tests.said import english

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

AT_A_DOUBT = PushLimits(halt=HaltRule(unknown_count=1))
ONE = {"concurrency": 1, "chunk_size": 1}
TWO = {"concurrency": 1, "chunk_size": 2}


async def repeating(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> tuple[Office, str, Callable[..., Awaitable[Pushed]]]:
    """Write a run down that repeats pushes, and whose answer for one bill is interrupted.

    Returns:
        The office, that bill, and what executes the run, one bill a call.
    """
    canary, named, other, *rest = orders(6)
    route = replace(ROUTE, allow_partial=True) if how == "allow_partial" else ROUTE
    office = Office(sandbox(misnamed={named: other}, link_fields=False, **OPEN), route)
    interrupt(monkeypatch, named)
    because = "wanted" if how == "again" else ""
    await office.open_run([canary, *rest, named], again_because=because)
    one = steered(**ONE)
    return office, named, partial(office.execute, throttle=one, check=False, again_because=because)


@pytest.mark.parametrize("how", ["allow_partial", "again"])
async def test_what_an_interrupted_answer_names_is_not_sent_again_where_pushes_are_repeated(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Nobody has asked for two: the document is what this run's own call has made."""
    office, named, execute = await repeating(monkeypatch, how)
    await execute()
    assert len(office.site.world.documents_of(named)) == 1


@pytest.mark.parametrize("how", ["allow_partial", "again"])
async def test_what_an_interrupted_answer_names_is_not_repeated_on_a_mistaken_word(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A person who has gone by the numbers has said that nothing was made."""
    office, named, execute = await repeating(monkeypatch, how)
    stopped = await execute(limits=AT_A_DOUBT)
    assert stopped.rows[named].state is State.UNKNOWN
    word = FIRST, BillNumber(named), State.PLANNED
    await settle_by_word(office.store, VirtualClock(), *word, because="it is not there")
    await execute()
    assert len(office.site.world.documents_of(named)) == 1


async def test_settling_says_of_no_bill_that_it_has_nothing_if_an_interrupted_answer_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever reads `planned` may push it by hand, and its document is there."""
    canary, named, other, *rest = orders(6)
    office = Office(sandbox(misnamed={named: other}, link_fields=False, **OPEN))
    interrupt(monkeypatch, named)
    await office.open_run([canary, *rest, named])
    stopped = await office.execute(limits=AT_A_DOUBT, throttle=steered(**ONE), check=False)
    assert stopped.rows[named].state is State.UNKNOWN
    settled = await office.execute(work=only_settle, check=False)
    (document,) = office.site.world.documents_of(named)
    row = settled.rows[named]
    assert (row.state, [each.id for each in row.targets]) == (State.PUSHED, [str(document.id)])


async def test_what_an_interrupted_answer_of_two_bills_names_is_told_as_either_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No look shows of which it is, and another run has found it for the bill that it bears."""
    first, named, mate, other, *rest = orders(8)
    plan = FaultPlan(aimed={named: Aimed(fault("make-then-delay:30"))})
    office = Office(sandbox(plan, misnamed={named: other}, link_fields=False, **OPEN))
    interrupt(monkeypatch, named)
    push = site.Site._push

    def refuse_mate(self: site.Site, visit: Any, now_s: float) -> Any:
        (bill,) = self.world.store.by_number(PURCHASE_ORDER, mate)
        bill.status = "A" if named in self._order(visit).numbers else APPROVED
        return push(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", refuse_mate)

    async def push_beside(_: Context) -> None:
        await anyio.sleep(5)
        await office.open_run([other, *rest], SECOND)
        found = await office.execute(SECOND, limits=NO_CANARY, check=False)
        assert found.rows[other].state is State.ALREADY
        await anyio.sleep_forever()

    await office.open_run([first, *orders(1, first=20), named, mate])
    throttle = steered(concurrency=2, chunk_size=2)
    how: dict[str, Any] = {"limits": NO_CANARY, "throttle": throttle, "check": False}
    await office.execute(beside=push_beside, **how)
    pushed = await office.execute(**how)
    (document,) = office.site.world.documents_of(named)
    for number in (named, mate):
        row = pushed.rows[number]
        assert row.state is State.UNKNOWN, row
        assert document.number in english(row.reason), row
        assert english(row.reason).count(f"also stands in the row of {other}") == 1, row


@pytest.mark.parametrize("links", [False, True])
async def test_a_document_that_a_row_has_taken_before_its_answer_came_is_told(
    *, links: bool
) -> None:
    """The ERP has saved it, and its answer is on its way: nobody knows yet of which bill it is."""
    first, named, beside, other, *rest = orders(8)
    plan = FaultPlan(aimed={named: Aimed(fault("make-then-delay:30"))})
    office = Office(sandbox(plan, misnamed={named: other}, link_fields=links))
    await office.open_run([first, named, beside, other, *rest])
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=2, chunk_size=1), check=False
    )
    assert pushed.rows[other].state is State.ALREADY
    assert f"also stands in the row of {other}" in english(pushed.rows[named].reason)


async def test_documents_that_bear_the_beginning_of_a_longer_number_are_told() -> None:
    """The field holds so many letters and no more, no link tells, and the list is the first one."""
    office = Office(sandbox(orders=0, misnamed={"A-1": "A"}, link_fields=False, **OPEN))
    for number in ("A", "A-1"):
        office.site.world.add_source(PURCHASE_ORDER, number)
    await office.open_run(["A", "A-1"])
    pushed = await office.execute(limits=NO_CANARY, throttle=steered(**TWO), check=False)
    rows = pushed.rows
    assert {number: row.state for number, row in rows.items()} == {
        "A": State.PUSHED,
        "A-1": State.UNKNOWN,
    }
    assert rows["A"].code == "twin"
    assert "nothing tells of which bill" in english(rows["A"].reason)


async def stopped_at_a_lost_answer() -> tuple[Office, str, str]:
    """Lose the answer to the last call of a run, which ends; its document bears another's number.

    Returns:
        The office, the bill, and the other one, which is not of the run.
    """
    numbers = orders(20)
    lost, other = numbers[12], numbers[15]
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset"))})
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    await office.open_run(numbers[:13])
    await office.execute(limits=AT_A_DOUBT, throttle=steered(**ONE), check=False)
    return office, lost, other


class Behind(VirtualClock):
    """The clock of another machine, an hour behind."""

    def now(self) -> datetime:
        """Tell the time."""
        return super().now() - timedelta(hours=1)


async def test_a_clock_that_is_behind_makes_a_lost_document_no_earlier_one() -> None:
    """Another machine has taken it for the bill whose number it bears."""
    office, lost, other = await stopped_at_a_lost_answer()
    await office.open_run([other], SECOND)
    await office.execute(SECOND, clock=Behind(), check=False)
    await office.execute(throttle=steered(**ONE), check=False)
    assert len(office.site.world.documents_of(lost)) == 1


async def test_a_document_of_another_form_makes_a_lost_one_no_earlier_one() -> None:
    """Each form counts its ids from one, and the order was pushed to another form before."""
    office, lost, other = await stopped_at_a_lost_answer()
    (document,) = office.site.world.documents_of(lost)
    receive = replace(ROUTE, target="PUR_ReceiveBill", rule="PUR_PurchaseOrder-PUR_ReceiveBill")
    before = replace(office.run(SECOND), scope=scope_of("sandbox", receive), route=receive)
    await office.store.open_run(before)
    await office.store.add(SECOND, [Listed(1, BillNumber(other))])
    await office.store.close_list(SECOND)
    await office.store.identify(SECOND, {BillNumber(other): Identified(BillNumber(other), "1")})
    await office.store.conclude(
        SECOND,
        [Outcome(BillNumber(other), State.ALREADY, (Target(str(document.id), "CGSL1"),))],
        at=NOON - timedelta(days=2),
    )
    await office.execute(throttle=steered(**ONE), check=False)
    assert len(office.site.world.documents_of(lost)) == 1


async def test_a_target_form_that_cannot_be_read_lets_a_run_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person has settled what an interrupted answer has named; all others stand still."""
    named, *rest = orders(8)
    route = replace(ROUTE, source_number_field="")
    options = sandbox(link_fields=False, unreadable={"sandbox": [IN_STOCK.id]}, **OPEN)
    office = Office(options, route)
    interrupt(monkeypatch, named)
    await office.open_run([named, *rest])
    first = await office.execute(limits=AT_A_DOUBT, throttle=steered(**ONE), check=False)
    assert first.rows[named].state is State.UNKNOWN
    await settle_by_word(
        office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED, because="none there"
    )
    await office.open_run([named, *rest], SECOND)
    again = await office.execute(SECOND, throttle=steered(**ONE), check=False)
    assert again.of(State.PUSHED) >= set(rest)


@pytest.mark.parametrize("sees", ["none", "own"])
async def test_a_named_document_that_nobody_here_may_see_is_not_gone(sees: str) -> None:
    """Its answer was the ERP's own word; what no user sees is no deleted document."""
    canary, named, *rest = orders(6)
    two = login("sandbox2")
    office = Office(
        sandbox(
            untied=(named,),
            accounts=accounts("sandbox", "sandbox2"),
            sees={"sandbox": sees, "sandbox2": sees},
            **OPEN,
        )
    )
    await office.open_run([canary, named, *rest])
    first = await office.execute(throttle=steered(**ONE), check=False)
    for row in (await office.rows()).values():
        if row.state is State.UNKNOWN:
            await settle_by_word(
                office.store, VirtualClock(), FIRST, row.bill, State.PLANNED, because="none listed"
            )
    doubted = first.of(State.UNKNOWN)
    for _ in range(2):
        await office.execute(login=two, limits=NO_CANARY, throttle=steered(**ONE), check=False)
    assert {n for n in doubted if len(office.site.world.documents_of(n)) > 1} == set()


async def test_a_document_that_the_ledger_has_made_of_another_bill_is_not_this_ones() -> None:
    """The ERP was restored, and gave the id out again; a person has said that nothing is there."""
    canary, named, other = orders(3)
    office = Office(sandbox(untied=(named,), **OPEN))
    world = office.site.world
    await office.open_run([canary, named])
    await office.execute(throttle=steered(**ONE), check=False)
    (document,) = world.documents_of(named)
    world.store.remove(document)
    world._makings.clear()
    await settle_by_word(
        office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED, because="restored"
    )
    world._ids.bill = document.id - 1
    await office.open_run([other], SECOND)
    second = await office.execute(SECOND, throttle=steered(**ONE), check=False)
    pushed = await office.execute(limits=NO_CANARY, throttle=steered(**ONE), check=False)
    theirs = {target.id for target in second.rows[other].targets}
    assert not theirs & {target.id for target in pushed.rows[named].targets}


async def test_another_list_says_already_of_a_closed_bill_whose_document_an_answer_names() -> None:
    """Its run says `pushed` of it, and the source is closed for that very document."""
    canary, named, *rest = orders(5)
    office = Office(sandbox(untied=(named,)))
    await office.open_run([canary, *rest, named])
    await office.execute(throttle=steered(**ONE), check=False)
    await settle_by_word(
        office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED, because="none listed"
    )
    await office.open_run([named], SECOND)
    pushed = await office.execute(SECOND, throttle=steered(**ONE), check=False)
    assert pushed.rows[named].state is State.ALREADY, pushed.rows[named]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_question_for_the_newest_links_that_has_failed_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    """A failure is not an answer: the site keeps links, and the number of another ties nothing."""
    lost, other, *linked = orders(8)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-response-error"))})
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    for number in linked:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    asked, failed = ErpClient.linked_sources, list[float]()

    async def linked_sources(self: ErpClient, *what: Any) -> Any:
        if fails and (not failed or anyio.current_time() < failed[0] + 3000):
            failed.append(anyio.current_time())
            raise LookFailedError("the query timed out")
        return await asked(self, *what)

    monkeypatch.setattr(ErpClient, "linked_sources", linked_sources)
    await office.open_run([lost])
    for _ in range(2):
        await office.execute(throttle=steered(**ONE), check=False)
    assert len(office.site.world.documents_of(lost)) == 1


@pytest.mark.parametrize("at_once", [1, 2])
async def test_what_one_call_is_asking_for_is_not_known_to_another_yet(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Two calls break side by side: the second goes on before the links have told the first."""
    asked = ErpClient.linked_sources

    async def linked_sources(self: ErpClient, *what: Any) -> Any:
        await anyio.sleep(60)  # of a large table, sorted
        return await asked(self, *what)

    monkeypatch.setattr(ErpClient, "linked_sources", linked_sources)
    lost, other, second, third, *linked = orders(9)
    plan = FaultPlan(
        aimed={
            lost: Aimed(fault("make-then-response-error")),
            second: Aimed(fault("make-then-response-error")),
        }
    )
    office = Office(sandbox(plan, misnamed={lost: other, second: third}, look_s=0.5, **OPEN))
    for number in linked:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run([lost, second])
    await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=at_once, chunk_size=1), check=False
    )
    assert [len(office.site.world.documents_of(each)) for each in (lost, second)] == [1, 1]


@pytest.mark.parametrize("same", [True, False])
async def test_a_document_that_passes_for_a_twin_may_be_what_a_lost_call_has_made(
    *, same: bool
) -> None:
    """Links tell, and the lost bill stays `unknown`, as it does where nobody pushes the other."""
    numbers = orders(16)
    lost, other, *rest = numbers
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset"))})
    office = Office(sandbox(plan, misnamed={lost: other}, latency_s=3.0, look_s=0.1, **OPEN))
    if same:
        await office.open_run([*rest, lost, other])
        throttle = steered(concurrency=2, chunk_size=1)
        await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    else:
        await office.open_run([*rest[:7], lost])
        await office.open_run([*rest[7:], other], SECOND)

        async def one(run: RunId) -> None:
            await office.execute(run, limits=NO_CANARY, throttle=steered(**ONE), check=False)

        async with anyio.create_task_group() as both:
            both.start_soon(one, FIRST)
            both.start_soon(one, SECOND)
    assert len(office.site.world.documents_of(lost)) == 1


@pytest.mark.parametrize("named", [False, True])
async def test_a_refused_bill_is_not_pushed_with_what_another_call_has_made(*, named: bool) -> None:
    """Links tell. It is looked for once more, and the other call's document bears its number."""
    numbers = orders(16)
    lost, other, *rest = numbers
    plan = FaultPlan(
        aimed={lost: Aimed(fault("make-then-delay:60" if named else "make-then-reset"))}
    )
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    office.site.world.refuse(other, REFUSED)
    await office.open_run([*rest, other, lost])
    pushed = await office.execute(
        limits=PushLimits(canary=False, halt=HaltRule()), throttle=steered(**ONE), check=False
    )
    made = len(office.site.world.documents_of(lost))
    assert (pushed.rows[other].state, made) == (State.REJECTED, 1)


@pytest.mark.parametrize(("written", "exact"), [(" {}", False), (" {}", True), ("{} ", True)])
async def test_a_number_with_a_blank_about_it_is_no_other_bill(
    written: str, *, exact: bool
) -> None:
    """No look finds the document of a lost call by its bill's number, which it names all the same.

    Blanks at an end are left out of what is read; a filter may count them.
    """
    (lost,) = orders(1)
    plan = steps(*["ok"] * 3, "make-then-reset")
    options: dict[str, Any] = {"misnamed": {lost: written.format(lost)}, "exact_numbers": exact}
    how: dict[str, Any] = {"throttle": steered(**ONE), "limits": NO_HALT, "check": False}
    office = Office(sandbox(plan, link_fields=False, **options, **OPEN))
    await office.open_run(orders(3, first=10), SECOND)
    await office.execute(SECOND, **how)
    await anyio.sleep(60)
    await office.open_run([lost])
    row = (await office.execute(**how)).rows[lost]
    assert doubled(office, [lost]) == []
    assert row.state is State.UNKNOWN


async def test_of_two_lost_calls_the_one_that_made_a_document_is_not_sent_again() -> None:
    """Links tell; the other's call never arrived, and the one document bears its number."""
    numbers = orders(16)
    lost, other, *rest = numbers
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset")), other: Aimed(fault("reset"))})
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    await office.open_run([*rest, other, lost])
    await office.execute(limits=NO_CANARY, throttle=steered(**ONE), check=False)
    assert len(office.site.world.documents_of(lost)) == 1


def both_lost(named: str, other: str) -> FaultPlan:
    """Lose the answers to the calls of two bills that have made their documents."""
    return FaultPlan(aimed={bill: Aimed(fault("make-then-reset")) for bill in (named, other)})


async def test_a_document_that_another_row_has_taken_keeps_its_bill_from_being_sent_again() -> None:
    """No answer gives it to that row; and a person has said that nothing was made."""
    canary, named, other, *rest = orders(8)
    plan = FaultPlan(
        aimed={
            other: Aimed(fault("make-then-reset")),
            named: Aimed(fault("make-then-delay:290")),
        }
    )
    office = Office(sandbox(plan, misnamed={named: other}, link_fields=False, **OPEN))
    await office.open_run([canary, *rest, other, named])
    throttle = steered(concurrency=2, chunk_size=1)
    await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    told = (office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED)
    await settle_by_word(*told, because="none listed")
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.rows[named].state is State.PUSHED, pushed.rows[named]
    assert len(office.site.world.documents_of(named)) == 1


async def test_a_link_settles_a_doubt_whatever_else_bears_the_number() -> None:
    """What bears it without a link is another's."""
    named, other, *rest = orders(16)
    office = Office(sandbox(both_lost(named, other), misnamed={named: other}, **OPEN))
    await office.open_run([*rest[:12], other, named])
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    (made,) = office.site.world.documents_of(other)
    row = pushed.rows[other]
    assert (row.state, [each.id for each in row.targets]) == (State.PUSHED, [str(made.id)])


async def test_a_document_that_bears_the_number_of_a_settled_bill_is_no_late_twin() -> None:
    """Taken for one it would say that links miss what calls of ours have made."""
    named, other, *rest = orders(30)
    lost = both_lost(named, other)
    office = Office(sandbox(lost, misnamed={named: other}, latency_s=30.0, **OPEN))
    await office.open_run([*rest[:6], other, *rest[6:20], named])
    await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert (pushed.rows[other].code, len(pushed.rows[other].targets)) == ("", 1)
    assert len(office.site.world.documents_of(named)) == 1


async def test_whoever_deletes_documents_may_have_their_bills_sent_again() -> None:
    """That some are gone does not mean that the others are out of sight."""
    canary, named, *rest = orders(8)
    office = Office(sandbox(untied=(named,), **OPEN))
    world = office.site.world
    await office.open_run([canary, *rest, named])
    await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    for bill in (canary, named, *rest):
        for document in world.documents_of(bill):
            world.store.remove(document)
    world.add_target(IN_STOCK, "somebody else's", creator="clerk")
    told = (office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED)
    await settle_by_word(*told, because="deleted")
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.rows[named].state is not State.REJECTED, pushed.rows[named]
    assert pushed.rows[named].attempts == 2


async def test_a_bill_is_not_pushed_with_a_document_that_somebody_has_cancelled() -> None:
    """Nothing but the answer ties that document to its bill; a person has said that it is void."""
    canary, named, *rest = orders(8)
    office = Office(sandbox(untied=(named,), **OPEN))
    await office.open_run([canary, *rest, named])
    await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    (document,) = office.site.world.documents_of(named)
    document.cancelled = True
    told = (office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED)
    await settle_by_word(*told, because="cancelled")
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert str(document.id) not in {each.id for each in pushed.rows[named].targets}
    assert pushed.rows[named].attempts == 2


async def test_links_are_asked_about_before_a_number_settles_a_doubt() -> None:
    """The execution that knew of them was killed: two calls were lost, and one has left at all."""
    lost, other, *rest = orders(16)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset")), other: Aimed(fault("reset"))})
    office = Office(sandbox(plan, misnamed={lost: other}, latency_s=1.0, **OPEN))
    await office.open_run([*rest, other, lost])
    await office.execute(limits=AT_TWO_DOUBTS, throttle=steered(**ONE), check=False)
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.rows[other].state is State.UNKNOWN, pushed.rows[other]
    assert len(office.site.world.documents_of(lost)) == 1


async def test_links_of_others_count_where_a_run_has_pushed_nothing_yet() -> None:
    """Each of its calls is in doubt."""
    lost, other, *linked = orders(8)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset")), other: Aimed(fault("reset"))})
    office = Office(sandbox(plan, misnamed={lost: other}, **OPEN))
    for number in linked:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run([other, lost])
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.of(State.UNKNOWN) == {lost, other}
    assert len(office.site.world.documents_of(lost)) == 1


@pytest.mark.parametrize("meets", ["call-limit", "edit-lock", "lose-session"])
async def test_a_bill_that_was_put_off_is_not_pushed_by_what_another_call_has_made(
    meets: str,
) -> None:
    """Its own call has done nothing, and the other's document bears its number."""
    lost, other, *rest = orders(16)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-reset")), other: Aimed(fault(meets))})
    office = Office(sandbox(plan, misnamed={lost: other}, latency_s=1.0, **OPEN))
    await office.open_run([*rest, other, lost])
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    (document,) = office.site.world.documents_of(lost)
    row = pushed.rows[other]
    assert row.state is not State.PUSHED or str(document.id) not in {t.id for t in row.targets}


@pytest.mark.parametrize("size", [1, 2])
async def test_a_session_that_ends_in_the_midst_of_a_call_hides_no_document(size: int) -> None:
    """The answer tells of a lost session, and what was made ties itself to no bill."""
    lost, other, *linked = orders(6)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-lose-session"))})
    office = Office(sandbox(plan, untied=(lost,), **OPEN))
    await office.open_run([*linked, lost, other])
    throttle = steered(concurrency=1, chunk_size=size)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert len(office.site.world.documents_of(lost)) == 1
    assert (pushed.rows[lost].state, pushed.rows[lost].code) == (State.UNKNOWN, STRAY)
    assert pushed.of(State.PUSHED) == {other, *linked}


@pytest.mark.parametrize("merged", [False, True])
async def test_a_word_that_is_said_while_a_call_may_be_at_work_covers_nothing_that_comes_later(
    *, merged: bool
) -> None:
    """A person looks before the window has passed, and rightly says that nothing is there."""
    *linked, first, lost = orders(6)
    met = FaultPlan(aimed={lost: Aimed(fault("commit-late-then-reset:60"))})
    policy = Policy.MERGE_LINES if merged else Policy.ONE_TO_ONE
    untied = () if merged else (lost,)
    office = Office(
        sandbox(met, policy=policy, link_fields=not merged, untied=untied, look_s=0.1, **OPEN)
    )
    for number in (first, lost):
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
        bill.entries[1:] = []
        bill.entries[0].material = "M0001"
    await office.open_run(linked, RunId("r0"))
    await office.execute(RunId("r0"), throttle=steered(**ONE), check=False)
    await office.open_run([first, lost])

    async def kill(job: Context) -> None:
        while (await office.rows())[lost].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        job.stop.scope.cancel()

    throttle = steered(concurrency=1, chunk_size=2)
    await office.execute(throttle=throttle, limits=NO_HALT, beside=kill, check=False)
    word = BillNumber(lost), State.PLANNED
    await settle_by_word(office.store, VirtualClock(), FIRST, *word, because="nothing is there")
    pushed = await office.execute(throttle=throttle, limits=NO_HALT, check=False)
    assert len(office.site.world.documents_of(lost)) == 1
    assert pushed.rows[lost].state is State.UNKNOWN
    await settle_by_word(office.store, VirtualClock(), FIRST, *word, because="it is deleted")
    pushed = await office.execute(throttle=throttle, limits=NO_HALT, check=False)
    assert pushed.rows[lost].attempts == 2


async def test_a_question_for_links_that_always_fails_keeps_no_lost_call_from_its_end() -> None:
    """A table so large is never sorted in time."""
    (lost,) = orders(1)
    office = Office(sandbox(FaultPlan(aimed={lost: Aimed(fault("reset"))}), **OPEN))

    async def linked_sources(*_: Any) -> Any:
        raise LookFailedError("the query timed out")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ErpClient, "linked_sources", linked_sources)
        await office.open_run([lost])
        pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.rows[lost].state is State.PUSHED


async def test_what_another_route_has_pushed_into_the_form_is_no_stray(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of two routes, where links cannot be queried: a call of the second never arrives."""
    hide_newest(monkeypatch)
    numbers = orders(20)
    receipts, lost, rest = numbers[:5], numbers[10], numbers[11:]
    plan = FaultPlan(aimed={lost: Aimed(fault("reset"))})
    both = (*ROUTES, Rule("PUR_ReceiveBill-STK_InStock", RECEIVE_BILL, IN_STOCK))
    office = Office(sandbox(plan, link_fields=False, routes=both, **OPEN))
    bills = [office.site.world.add_target(RECEIVE_BILL, number) for number in receipts]
    for bill in bills:
        bill.status = APPROVED
    receive = replace(ROUTE, source="PUR_ReceiveBill", rule="PUR_ReceiveBill-STK_InStock")
    run = replace(office.run(SECOND), scope=scope_of("sandbox", receive), route=receive)
    await office.store.open_run(run)
    listed = [Listed(line, BillNumber(bill.number)) for line, bill in enumerate(bills, start=1)]
    await office.store.add(SECOND, listed)
    await office.store.close_list(SECOND)
    await office.execute(SECOND, limits=NO_HALT, throttle=steered(**ONE), check=False)
    await anyio.sleep(600)
    await office.open_run([lost, *rest])
    pushed = await office.execute(limits=NO_HALT, throttle=steered(**ONE), check=False)
    assert pushed.rows[lost].state is State.PUSHED, pushed.rows[lost]


async def test_a_document_that_bears_the_number_alone_is_told_beside_a_surer_one() -> None:
    """It may be another bill's, and so may be a second one of this: neither is approved."""
    office = Office(
        sandbox(**OPEN),
        replace(ROUTE, follow=(Step.SUBMIT, Step.AUDIT), follow_already=True),
    )
    (bill,) = orders(1)
    made = [
        office.site.world.add_target(IN_STOCK, bill, creator="clerk", typed=typed)
        for typed in (False, True)
    ]
    await office.open_run([bill])
    row = (await office.execute(check=False)).rows[bill]
    assert (row.state, len(row.targets)) == (State.ALREADY, 2)
    assert made[1].number in english(row.reason)
    assert made[0].number not in english(row.reason)
    assert {document.status for document in made} == {"A"}
