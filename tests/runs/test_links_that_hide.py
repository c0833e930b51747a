"""Links, or a field, that miss what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import Attempt, BillNumber, State
from k3push.core.protocol.links import FormEntry
from k3push.ports import ErpBusyError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.sending import look_after, read_back
from k3push.simulator import FaultPlan, Refusal
from k3push.simulator.books.bills import Origin
from k3push.simulator.books.conversion import Converter
from k3push.simulator.books.forms import IN_STOCK, ORDER_TO_SHIPMENT, PURCHASE_ORDER, ROUTES, Policy
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder
from tests.runs.office import ROUTE, Office, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import NO_HALT, OPEN, REFUSED, doubled, hide_newest, keep_a_part
from tests.runs.test_hidden_documents import SHIPMENT
from tests.runs.test_proof import login
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio


async def test_a_route_with_a_wrong_entry_takes_no_links_from_others() -> None:
    """A route whose entry is wrong takes no links from another to the same form."""
    office = Office(sandbox(**OPEN))
    route = replace(ROUTE, source_number_field="")
    wrong = replace(route, source="PUR_ReceiveBill", rule="r", target_entry="FEntity")
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, orders(1)[0])
    office.site.world.add_target(IN_STOCK, bill.number, creator="clerk")
    async with office.erp({"sandbox": login("sandbox")}) as erp:
        assert await erp.linked_targets_of(wrong, {BillNumber("SLTZ1"): "1"}) is None
        seen = await erp.linked_targets_of(route, {BillNumber(bill.number): str(bill.id)})
    assert seen is not None
    assert seen.targets


@pytest.mark.parametrize("busy", [False, True])
async def test_a_failure_to_learn_links_is_no_proof_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch, *, busy: bool
) -> None:
    """A question for links that fails is no proof that there are none."""
    options = sandbox(routes=(*ROUTES, ORDER_TO_SHIPMENT), **OPEN)
    office = Office(options, SHIPMENT, documents=False)
    world = office.site.world
    numbers = [f"XSDD{nth:07d}" for nth in range(4)]
    for number in numbers[:2]:
        order = PushOrder("SAL_SaleOrder", (number,), rule_id=SHIPMENT.rule)
        world.push(order, "clerk", Maker.PERSON)
    for line in world.documents_of(numbers[1])[0].entries:
        line.origin = Origin(" ", " ")
    await office.open_run(numbers)
    if busy:

        async def fail(*_: Any) -> Any:
            raise LookFailedError("busy")

        monkeypatch.setattr(ErpClient, "newest_links", fail)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


async def test_links_that_miss_ours_still_show_what_persons_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Links that miss what our rule makes still show what persons have made."""
    made = Converter._target

    def target(self: Converter, *what: Any, mislink: bool) -> Any:
        bill = made(self, *what, mislink=mislink)
        for line in bill.entries:
            line.links = ()
        return bill

    monkeypatch.setattr(Converter, "_target", target)
    route = replace(ROUTE, source_number_field="", rule=f"ZMER_{ROUTE.rule}")
    office = Office(sandbox(routes=with_second_rule(), **OPEN), route)
    numbers = orders(8)
    for number in (numbers[0], *numbers[5:]):
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=4), check=False)
    assert pushed.rows[numbers[0]].state is State.ALREADY
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("refused", [3, 12])
async def test_looks_that_show_nothing_prove_nothing_of_queries_for_links(refused: int) -> None:
    """Queries for links pass over what has none, and the first bills of a list have no document."""
    numbers = orders(refused + 3)
    plan = FaultPlan(refusals=dict.fromkeys(numbers[:refused], Refusal(11, "仓库必录")))
    routes = (replace(ROUTES[0], keeps_links=False), *ROUTES[1:])
    office = Office(sandbox(plan, joins_inwardly=True, routes=routes, **OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(
        throttle=steered(concurrency=1, chunk_size=1), limits=NO_HALT, check=False
    )
    assert pushed.of(State.PUSHED) == set(numbers[refused:])


async def test_documents_that_have_links_prove_nothing_of_those_without() -> None:
    """A plug-in takes the link of one document, on a site that passes over what has none."""
    *linked, odd = orders(25)
    plan = FaultPlan(refusals=dict.fromkeys(linked[12:], Refusal(11, "仓库必录")))
    office = Office(sandbox(plan, joins_inwardly=True, misnamed={odd: odd}, **OPEN))
    await office.open_run([*linked, odd])
    pushed = await office.execute(
        throttle=steered(concurrency=1, chunk_size=1), limits=NO_HALT, check=False
    )
    assert pushed.rows[odd].state is State.PUSHED


@pytest.mark.parametrize("entries", [1, 2])
async def test_an_entry_without_any_link_hides_not_the_one_that_has_some(
    monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    """An entry that holds no link hides not the one that holds some."""
    standard = replace(ORDER_TO_SHIPMENT, rule_id="STANDARD", default=False)
    options = sandbox(routes=(*ROUTES, ORDER_TO_SHIPMENT, standard), **OPEN)
    office = Office(options, replace(SHIPMENT, source_number_field=""), documents=False)
    world = office.site.world
    numbers = [f"XSDD{nth:07d}" for nth in range(3)]
    for number in numbers:
        order = PushOrder("SAL_SaleOrder", (number,), rule_id="STANDARD")
        world.push(order, "clerk", Maker.PERSON)
    told, newest = ErpClient.entries_of, ErpClient.newest_links

    async def entries_of(self: ErpClient, form: str) -> Any:
        found = list(await told(self, form))
        if form == SHIPMENT.target and entries > 1:
            links = [e for e in found if e.key.endswith("_Link")] or [
                FormEntry(f"{ORDER_TO_SHIPMENT.target.entry_key}_Link")
            ]
            return [*links, FormEntry("FPlan_Link")]
        return found

    async def newest_links(self: ErpClient, route: Any) -> Any:
        return [] if route.target_entry == "FPlan" else await newest(self, route)

    monkeypatch.setattr(ErpClient, "entries_of", entries_of)
    monkeypatch.setattr(ErpClient, "newest_links", newest_links)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert doubled(office, numbers) == []


async def test_a_document_of_another_rule_is_no_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of another rule does not prove that those of the own rule are found."""
    made = Converter._target

    def target(self: Converter, *what: Any, mislink: bool) -> Any:
        bill = made(self, *what, mislink=mislink)
        for line in bill.entries:
            line.links, line.origin = (), Origin(" ", " ")
        return bill

    monkeypatch.setattr(Converter, "_target", target)
    route = replace(ROUTE, rule=f"ZMER_{ROUTE.rule}")
    office = Office(sandbox(routes=with_second_rule(), **OPEN), route)
    numbers = orders(31)
    office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=4, chunk_size=10), check=False)
    assert sum(len(office.site.world.documents_of(number)) for number in numbers[1:]) == 1


async def test_a_number_that_ends_in_a_blank_is_not_sent_where_its_question_misses_it() -> None:
    """A bill whose number ends in a blank is not sent where the database compares exactly."""
    office = Office(sandbox(exact_numbers=True, link_fields=False, **OPEN))
    bill = office.site.world.add_source(PURCHASE_ORDER, "CGX1 ")
    office.site.world.add_target(IN_STOCK, bill.number, creator="clerk")
    await office.open_run([f",{bill.id}"])
    await office.execute(check=False)
    assert doubled(office, [bill.number]) == []


async def test_a_document_of_a_bill_whose_number_ends_in_a_blank_leaves_no_other_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A link ties a document that bears no number to its bill, however that is written."""
    hide_newest(monkeypatch)
    office = Office(sandbox(steps("ok", "ok", "reset"), **OPEN))
    world = office.site.world
    bill = world.add_source(PURCHASE_ORDER, "CGX1 ")
    for line in world.add_target(IN_STOCK, bill.number, creator="sandbox").entries:
        line.origin = Origin(" ", " ")
    await office.open_run(orders(4))
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1))
    assert pushed.of(State.PUSHED) == set(orders(4))


async def test_a_number_that_was_typed_in_takes_nothing_from_the_links() -> None:
    """A document that bears a bill's number, and no form, is not one that links have missed."""
    numbers = orders(6)
    office = Office(sandbox(steps("ok", "make-then-reset", "ok"), latency_s=1.0, **OPEN))
    for number in numbers[2:4]:
        office.site.world.refuse(number, REFUSED)
    office.site.world.add_target(IN_STOCK, numbers[1], typed=True)
    await office.open_run(numbers, again_because="the typed one is none")
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=5), check=False)
    assert pushed.states[numbers[2]] is State.REJECTED


async def test_what_links_of_other_lines_name_takes_no_document_from_a_line_without_one() -> None:
    """A clerk's document holds two listed bills, and the lines of one have lost their links."""
    office, numbers = Office(sandbox(policy=Policy.MERGE, **OPEN)), orders(4)
    world = office.site.world
    for number in numbers:
        (order,) = world.store.by_number(PURCHASE_ORDER, number)
        order.party = ""
    pair = (numbers[1], numbers[2])
    world.push(PushOrder(ROUTE.source, pair, rule_id=ROUTE.rule), "clerk", Maker.PERSON)
    (document,) = world.documents_of(numbers[2])
    for line in document.entries:
        if line.origin is not None and line.origin.number == numbers[2]:
            line.links = ()
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=4), check=False)
    assert pushed.of(State.ALREADY) == set(pair)
    assert world.documents_of(numbers[2]) == (document,)


async def test_lost_answers_whose_documents_links_have_found_end_no_run() -> None:
    """A pair that k3push does not know; the answers to its first three calls are lost."""
    plan = steps(*["make-then-reset"] * 3)
    options = sandbox(plan, routes=(*ROUTES, ORDER_TO_SHIPMENT), **OPEN)
    office = Office(options, replace(SHIPMENT, source_number_field=""), documents=False)
    numbers = [f"XSDD{nth:07d}" for nth in range(6)]
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert pushed.of(State.PUSHED) == set(numbers), pushed.stop.causes


async def test_an_answer_tells_nothing_of_several_bills_whose_looks_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a source-number field, what an answer names is of one bill if that was alone."""
    look = look_after.look_after

    async def fail(context: Context, attempt: Attempt, *given: Any, **more: Any) -> Any:
        if len(attempt.intent.numbers) > 1:
            raise LookFailedError("busy")
        return await look(context, attempt, *given, **more)

    monkeypatch.setattr(read_back, "look_after", fail)
    office, numbers = Office(sandbox(**OPEN), replace(ROUTE, source_number_field="")), orders(4)
    await office.open_run(numbers)
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(numbers)
    assert max(len(attempt.intent.numbers) for attempt, *_ in pushed.watch.sendings) > 1


async def test_a_look_that_fails_after_a_refusal_leaves_its_bill_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failed look is no look: links tell what a refused call has made, once they can be asked."""
    office, numbers = Office(sandbox(**OPEN), replace(ROUTE, source_number_field="")), orders(4)
    keep_a_part(monkeypatch, numbers[-1:], kept=1)
    asked = ErpClient.linked_targets_of

    async def fail(erp: ErpClient, *given: Any, **more: Any) -> Any:
        if office.site.world.documents_of(numbers[-1]):
            raise ErpBusyError("busy")
        return await asked(erp, *given, **more)

    with monkeypatch.context() as now:
        now.setattr(ErpClient, "linked_targets_of", fail)
        await office.open_run(numbers)
        pushed = await office.execute(throttle=one_by_one(), check=False)
    assert pushed.of(State.REJECTED) == set()
    await office.execute(check=False)
    assert {row.state for row in (await office.rows()).values()} == {State.PUSHED}
    assert doubled(office, numbers) == []


async def test_bills_go_alone_once_the_look_before_their_call_has_shown_that_nobody_may_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call of several has been put together by then; its answer alone would tell of none."""
    office = Office(sandbox(look_s=0.1, **OPEN), replace(ROUTE, source_number_field=""))
    first, *_ = numbers = orders(9)
    asked = ErpClient.linked_targets_of

    async def linked_targets_of(self: ErpClient, *what: Any, **how: Any) -> Any:
        is_proved = (await office.rows())[first].state is State.PUSHED
        return None if is_proved else await asked(self, *what, **how)

    monkeypatch.setattr(ErpClient, "linked_targets_of", linked_targets_of)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=2, chunk_size=4), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert sorted(pushed.watch.carried) == numbers
    assert len(pushed.watch.sendings) == len(numbers)
