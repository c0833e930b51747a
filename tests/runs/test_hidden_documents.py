"""Documents that a look passes over, and what must not be concluded from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from k3push.core.model import TWIN, Follow, Route, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.push_limits import PushLimits
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.simulator import (
    AnswerStyle,
    FaultPlan,
    OnRefusal,
    Policy,
    PushOrder,
    Refusal,
    WriteBack,
)
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.conversion import Converter, Share
from k3push.simulator.books.forms import IN_STOCK, ORDER_TO_SHIPMENT, PURCHASE_ORDER, ROUTES
from k3push.simulator.books.forms import Route as Rule
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder as Order
from k3push.simulator.books.visibility import Rights
from k3push.simulator.fault_plans.script import Rival
from tests.runs.office import ROUTE, Office, give_to_another, orders, sandbox, steered, steps
from tests.runs.rough_answers import plan_again
from tests.runs.test_follow import FOLLOW, NO_HALT
from tests.runs.test_proof import accounts, login, most_documents

pytestmark = pytest.mark.anyio

NO_CANARY = PushLimits(canary=False)
ONE_BY_ONE = steered(concurrency=1, chunk_size=1)

SHIPMENT = Route(
    "s",
    "SAL_SaleOrder",
    "ZMER_Shipment",
    rule="ZMER_SaleOrder-Shipment",
    source_number_field="F_ZMER_SrcNo",
)


async def test_what_a_user_sees_of_colleagues_tells_nothing_of_strangers_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second user alone sees what persons make; the first sees what both users make."""
    users = ("sandbox", "sandbox2")

    def shows(_: Rights, user: str, target: Bill) -> bool:
        return user != users[0] or target.creator in users

    monkeypatch.setattr(Rights, "shows", shows)
    office = Office(
        sandbox(orders=120, accounts=accounts(*users), write_back=WriteBack.NEVER, closes=False)
    )
    numbers = orders(120)
    for number in numbers[-10:]:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run(numbers)
    pushed = await office.execute(
        login=login(users[0]),
        more_users={users[1]: login(users[1])},
        throttle=steered(concurrency=4, chunk_size=5),
    )
    assert pushed.of(State.ALREADY) == set(numbers[-10:])
    assert most_documents(office, numbers) == 1


@pytest.mark.parametrize("lost", [False, True])
async def test_links_that_miss_a_document_of_the_call_tell_nothing_of_the_others(
    *, lost: bool
) -> None:
    """The rule kept links once, and keeps none now; it merges lines, which bear one number."""
    options = sandbox(
        steps("make-then-reset") if lost else steps(),
        orders=60,
        policy=Policy.MERGE_LINES,
        routes=(*ROUTES, ORDER_TO_SHIPMENT),
        write_back=WriteBack.NEVER,
        closes=False,
    )
    office = Office(options, SHIPMENT, documents=False)
    world = office.site.world
    numbers = [f"XSDD{nth:07d}" for nth in range(31)]
    world.push(Order("SAL_SaleOrder", (numbers.pop(),), rule_id=SHIPMENT.rule), "x", Maker.PERSON)
    world.rules = tuple(replace(rule, keeps_links=False) for rule in world.rules)
    world._converter = replace(world._converter, routes=world.rules)  # a new rule
    await office.open_run(numbers)
    await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=30), check=False
    )
    assert most_documents(office, numbers) == 1


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("canary", [False, True])
async def test_one_linked_document_proves_nothing_where_others_are_not_linked(
    monkeypatch: pytest.MonkeyPatch, *, canary: bool, lost: bool
) -> None:
    """The rule keeps links for some types of bills alone, and merges lines."""
    made = Converter._target  # what a site may do

    def target(
        self: Converter, route: Rule, shares: tuple[Share, ...], *others: str, mislink: bool
    ) -> Bill:
        bill = made(self, route, shares, *others, mislink=mislink)
        if all(share.bill.number != orders(1)[0] for share in shares):
            for line in bill.entries:
                line.links = ()
        return bill

    monkeypatch.setattr(Converter, "_target", target)
    faults = steps("ok", "ok", "make-then-reset") if lost else steps()
    options = sandbox(faults, policy=Policy.MERGE_LINES, write_back=WriteBack.NEVER, closes=False)
    office = Office(options)
    numbers = orders(30)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=15)
    await office.execute(limits=PushLimits(canary=canary), throttle=throttle, check=False)
    assert most_documents(office, numbers) == 1


async def test_a_lost_document_may_be_tied_to_a_bill_that_nobody_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number is that of two bills, and the ERP has taken the one that the user does not see."""
    numbers = orders(3)
    pick = Converter._pick  # what a site may do

    def picked(
        self: Converter, order: PushOrder, route: Rule
    ) -> tuple[list[tuple[Bill, list[object]]], tuple[object, ...]]:
        found, unknown = pick(self, order, route)
        taken = [(b, e) for b, e in found if b.number != numbers[2] or b.org == "200"]
        return taken, unknown  # type: ignore[return-value]  # as it was

    monkeypatch.setattr(Converter, "_pick", picked)
    options = sandbox(
        steps("ok", "ok", "make-then-reset"),
        twins=(numbers[2],),
        unseen_orgs=("200",),
        write_back=WriteBack.NEVER,
        closes=False,
    )
    office = Office(options, replace(ROUTE, source_number_field=""))
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_CANARY, throttle=ONE_BY_ONE, check=False)
    assert pushed.rows[numbers[2]].state is State.UNKNOWN
    assert most_documents(office, numbers) == 1


async def test_what_a_person_makes_after_a_call_that_never_left_is_there_already() -> None:
    """Nothing of ours can have made it."""
    plan: FaultPlan = steps(*["refuse-connection"] * 5)
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False))
    numbers = orders(3)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=3)
    await office.execute(throttle=throttle, check=False)
    for number in numbers:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    pushed = await office.execute(throttle=throttle)
    assert pushed.of(State.ALREADY) == set(numbers)


async def test_what_a_person_makes_after_a_refusal_is_there_already() -> None:
    """The bill was approved and pushed by hand meanwhile, and the refused ones are tried again."""
    office = Office(sandbox(write_back=WriteBack.NEVER, closes=False))
    world, (number,) = office.site.world, orders(1)
    world.refuse(number, Refusal(11, "仓库必录"))
    await office.open_run([number])
    pushed = await office.execute()
    assert pushed.of(State.REJECTED) == {number}
    world.allow(number)
    world.add_target(IN_STOCK, number, creator="clerk")
    await plan_again(office)
    pushed = await office.execute()
    assert pushed.of(State.ALREADY) == {number}


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_a_document_that_is_another_bills_by_its_link_takes_no_step(field: str) -> None:
    """Also where nothing but links can be asked, in an execution that only follows."""
    route = replace(ROUTE, source_number_field=field, follow=())
    office = Office(sandbox(), route)
    await office.open_run(orders(2))
    await office.execute()
    document = give_to_another(office.site.world, orders(1)[0], orders(3)[2])
    steps_of = replace(route, follow=FOLLOW.follow)
    await office.execute(route=steps_of, work=follow_run, limits=NO_HALT)
    follows = [each.follow for each in (await office.documents()).values()]
    assert sorted(follows) == sorted([Follow.REFUSED, Follow.APPROVED])
    assert document.status == "A"


async def test_a_number_that_begins_with_a_blank_is_not_pushed_by_its_id() -> None:
    """No look for the number finds its documents, and no link tells."""
    office = Office(sandbox(link_fields=False, write_back=WriteBack.NEVER, closes=False))
    bill = office.site.world.add_source(PURCHASE_ORDER, " CGX1")
    office.site.world.add_target(IN_STOCK, bill.number, creator="clerk")
    await office.open_run([f",{bill.id}"])
    pushed = await office.execute(check=False)
    assert [row.state for row in pushed.rows.values()] == [State.REJECTED]
    assert len(office.site.world.documents_of(bill.number)) == 1


@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True)])
@pytest.mark.parametrize("name", ["make-then-msgcode-4", "make-then-msgcode-6"])
async def test_a_refusal_without_a_code_is_looked_at_as_late_as_looks_show(
    name: str, style: AnswerStyle
) -> None:
    """An old server gives an exception no code; a copy of the database answers the looks."""
    options = sandbox(
        steps("ok", "ok", name),
        style=style,
        query_lag_s=2.0,
        write_back=WriteBack.NEVER,
        closes=False,
    )
    office = Office(options)
    await office.open_run(orders(12))
    await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert most_documents(office, orders(12)) == 1


async def test_a_cancelled_document_that_is_brought_back_is_none_of_ours() -> None:
    """It was there before, whatever it was then."""
    office = Office(sandbox(steps("reset"), write_back=WriteBack.NEVER, closes=False))
    world, (number,) = office.site.world, orders(1)
    document = world.add_target(IN_STOCK, number, creator="clerk", cancelled=True)
    await office.open_run([number])
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(throttle=ONE_BY_ONE, limits=halts, check=False)
    document.cancelled = False
    pushed = await office.execute(throttle=ONE_BY_ONE, check=False)
    assert pushed.of(State.PUSHED) == set()
    assert len(world.documents_of(number)) == 1


async def test_what_a_success_passes_over_and_somebody_else_has_pushed_is_there_already() -> None:
    """Another program has used the bill up right before the call."""
    numbers = orders(6)
    plan = FaultPlan(rivals={numbers[5]: Rival(1)})
    office = Office(sandbox(plan, on_refusal=OnRefusal.SILENT))
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=3), check=False
    )
    assert pushed.of(State.ALREADY) == {numbers[5]}
    assert most_documents(office, numbers) == 1


async def test_a_document_beside_those_that_a_success_names_is_not_what_it_made() -> None:
    """A merged line bears a neighbour's number, while another program has pushed the bill."""
    bills = orders(15)
    # These two are of one supplier and material, so that the rule makes one line of both.
    kept, merged = bills[10], bills[14]
    plan = FaultPlan(rivals={merged: Rival(1)})
    options = sandbox(plan, policy=Policy.MERGE_LINES, write_back=WriteBack.NEVER, closes=False)
    office = Office(options)
    await office.open_run([bills[0], bills[3], kept, merged])
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=2), check=False
    )
    row = pushed.rows[merged]
    assert row.code == TWIN
    assert pushed.rows[kept].targets[0] in row.targets


async def test_a_part_that_a_person_pushes_after_a_call_that_never_left_is_not_ours() -> None:
    """Where a bill may have several documents, ours is still due."""
    plan: FaultPlan = steps(*["refuse-connection"] * 5)
    route = replace(ROUTE, allow_partial=True)
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False), route)
    (number,) = orders(1)
    await office.open_run([number])
    await office.execute(check=False)
    part = office.site.world.add_target(IN_STOCK, number, creator="clerk")
    pushed = await office.execute(check=False)
    assert pushed.of(State.PUSHED) == {number}
    assert str(part.id) not in {target.id for target in pushed.rows[number].targets}
    assert len(office.site.world.documents_of(number)) == 2


async def test_a_target_that_bears_its_sources_number_is_a_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the saving names is one, though no look ties it to its bill: nothing is sent again."""
    numbers, made = orders(12), Converter._target

    def named_as_its_source(
        self: Converter, route: Rule, shares: Sequence[Share], *of: str, mislink: bool
    ) -> Bill:
        target = made(self, route, shares, *of, mislink=mislink)
        target.number = shares[0].bill.number
        return target

    monkeypatch.setattr(Converter, "_target", named_as_its_source)
    office = Office(sandbox(untied=(numbers[7],), write_back=WriteBack.NEVER, closes=False))
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=4), check=False)
    assert most_documents(office, numbers) == 1


async def test_what_an_earlier_call_made_late_is_not_all_of_a_second_doubt() -> None:
    """Two calls were lost; both were carried out, the first after its window."""
    plan: FaultPlan = steps(
        "commit-late-then-empty:640", "commit-late-then-response-error-timeout:400"
    )
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False))
    (number,) = orders(1)
    await office.open_run([number])
    pushed = await office.execute(check=False)
    row = pushed.rows[number]
    assert row.code == TWIN
    assert len(row.targets) == len(office.site.world.documents_of(number)) == 2


async def test_several_twins_are_all_written_down() -> None:
    """Both calls for each number were lost and carried out; a few twins end the execution."""
    late = "commit-late-then-response-error-timeout:400"
    plan: FaultPlan = steps("commit-late-then-empty:640", late, late)
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False))
    await office.open_run(orders(4))
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=2, chunk_size=4), check=False
    )
    assert {row.code for row in pushed.rows.values()} == {TWIN}
    assert pushed.of(State.PUSHED) == set(orders(4))
