"""Bills by their ids: one number in two organisations is pushed, and never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import anyio
import orjson
import pytest

from k3push.core.model import BillNumber, RunId, State, key_of
from k3push.core.remark import read_remark
from k3push.ports import Doubt
from k3push.runs.context import Context
from k3push.runs.lookup.source_check import AMBIGUOUS
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, SandboxOptions
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Step
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    SETTLE,
    Office,
    Pushed,
    one_by_one,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_HALT, OPEN

pytestmark = pytest.mark.anyio

NUMBER = BillNumber(orders(1)[0])


def two(faults: FaultPlan | None = None, **options: object) -> SandboxOptions:
    """Return a sandbox in which two organisations have the first number."""
    return sandbox(faults, twins=(NUMBER,), **options)


def bills_of(office: Office, number: str = NUMBER) -> list[Bill]:
    """Return the bills that have a number."""
    return office.site.world.store.by_number(PURCHASE_ORDER, number)


def keys_of(office: Office, number: str = NUMBER) -> list[BillNumber]:
    """Return what a job file calls the bills that have a number."""
    return [key_of(number, str(bill.id)) for bill in bills_of(office, number)]


def makers_of(office: Office, bill: Bill) -> list[str]:
    """Return the ids of the documents that were made of a bill."""
    makings = office.site.world.makings_of(bill.number)
    return [str(making.target.id) for making in makings if making.source is bill]


def requests(pushed: Pushed) -> list[tuple[str, list[str]]]:
    """Return ids and numbers of each request."""
    sent = [orjson.loads(attempt.intent.request) for attempt, _, _ in pushed.watch.sendings]
    return [(each["Ids"], each["Numbers"]) for each in sent]


async def pushed_by_hand(office: Office, bill: Bill) -> str:
    """Let somebody push a bill at the screen; return the id of the document."""
    order = PushOrder(bill.form.id, ids=(bill.id,), rule_id=ROUTE.rule)
    made = office.site.world.push(order, "somebody", Maker.PERSON).made
    return str(made[0].target.id)


async def push(office: Office, lines: Sequence[str], run: RunId = FIRST, **how: object) -> Pushed:
    """Push lines of a job file in an office."""
    await office.open_run(lines, run)
    return await office.execute(run, **how)  # type: ignore[arg-type]  # names of its own


@pytest.mark.parametrize("links", [True, False])
async def test_both_bills_of_a_number_are_pushed_by_their_ids(*, links: bool) -> None:
    """Each once, and each row names its own document, whether links tell them apart or not."""
    office = Office(two(link_fields=links))
    lines = [*keys_of(office), *orders(5, first=1)]
    pushed = await push(office, lines)
    assert set(pushed.states.values()) == {State.PUSHED}
    for bill, line in zip(bills_of(office), lines, strict=False):
        row = pushed.rows[line]
        assert [target.id for target in row.targets] == makers_of(office, bill)
        assert (row.bill, row.source_id) == (line, str(bill.id))


async def test_a_number_in_two_organisations_says_what_to_choose_from() -> None:
    """The reason names ids and organisations; a list with one of them goes through."""
    office = Office(two())
    pushed = await push(office, [NUMBER])
    row = pushed.rows[NUMBER]
    one, other = bills_of(office)
    assert (row.state, row.code) == (State.REJECTED, "ambiguous")
    assert f"{one.id} (100), {other.id} (200)" in row.reason
    # The audit would hold the document against the first run's row, which names the number alone.
    again = await push(office, [key_of("", str(other.id))], SECOND, check=False)
    assert set(again.states.values()) == {State.PUSHED}
    assert (len(makers_of(office, one)), len(makers_of(office, other))) == (0, 1)


@pytest.mark.parametrize("links", [True, False])
async def test_of_a_number_in_two_organisations_nothing_is_known_by_what_was_pushed(
    *, links: bool
) -> None:
    """The ledger knows a document of each by its id; which of the two a list means it does not."""
    office = Office(two(link_fields=links))
    await push(office, keys_of(office))
    pushed = await push(office, [NUMBER], SECOND)
    row = pushed.rows[NUMBER]
    assert (row.state, row.code, row.targets) == (State.REJECTED, "ambiguous", ())


async def test_a_call_names_bills_in_one_way() -> None:
    """Which of the two wins where both are given, nobody has written down."""
    office = Office(two())
    by_id = [key_of(number, str(bills_of(office, number)[0].id)) for number in orders(8, first=1)]
    mixed = [line for pair in zip(by_id, orders(8, first=10), strict=True) for line in pair]
    pushed = await push(office, mixed)
    assert set(pushed.states.values()) == {State.PUSHED}
    sent = requests(pushed)
    assert all(bool(ids) != bool(numbers) for ids, numbers in sent)
    assert sum(len(ids.split(",")) for ids, _ in sent if ids) == 8
    assert max(len(numbers) for _, numbers in sent) > 1 < max(ids.count(",") for ids, _ in sent)


async def test_a_bill_whose_number_is_its_own_is_known_by_the_number() -> None:
    """It is one bill, however it is listed."""
    office = Office()
    number = orders(1)[0]
    id_ = str(bills_of(office, number)[0].id)
    first = await push(office, [key_of("", id_), number])
    assert [(row.bill, row.state) for row in first.rows.values()] == [(number, State.PUSHED)]
    assert requests(first) == [(id_, [])]
    second = await push(office, [number], SECOND)
    assert second.states == {number: State.ALREADY}


async def test_number_and_id_must_be_one_bill() -> None:
    """One of them is a slip, and nobody can say which."""
    office = Office()
    one, other = (bills_of(office, number)[0] for number in orders(2))
    lines = [key_of(one.number, str(other.id)), key_of(one.number, "7"), key_of("", "7")]
    pushed = await push(office, [*lines, key_of(one.number.lower(), str(one.id))])
    assert [row.state for row in pushed.rows.values()] == [State.REJECTED] * 3 + [State.PUSHED]
    assert {row.code for row in pushed.rows.values()} == {"precheck", ""}
    assert read_remark(pushed.rows[lines[0]].reason) == (
        "note.two_bills",
        {"id": str(other.id), "number": other.number},
    )


async def test_a_blocked_bill_is_rejected_by_its_id_as_well() -> None:
    """Its namesake may be pushed."""
    office = Office(two())
    one, other = bills_of(office)
    one.status = "A"
    pushed = await push(office, keys_of(office))
    assert [row.state for row in pushed.rows.values()] == [State.REJECTED, State.PUSHED]
    assert [len(makers_of(office, bill)) for bill in (one, other)] == [0, 1]


@pytest.mark.parametrize("links", [True, False])
async def test_what_was_pushed_of_a_namesake_stops_nothing(*, links: bool) -> None:
    """By its link, or by this ledger, whose own document that is."""
    office = Office(two(link_fields=links))
    first, second = keys_of(office)
    await push(office, [first])
    pushed = await push(office, [second, first], SECOND)
    assert pushed.states == {second: State.PUSHED, first: State.ALREADY}
    assert [len(makers_of(office, bill)) for bill in bills_of(office)] == [1, 1]


async def test_a_document_that_links_to_the_namesake_is_the_namesakes() -> None:
    """Somebody has pushed the other bill."""
    office = Office(two())
    one, other = bills_of(office)
    document = await pushed_by_hand(office, one)
    pushed = await push(office, keys_of(office))
    assert [row.state for row in pushed.rows.values()] == [State.ALREADY, State.PUSHED]
    assert [target.id for target in next(iter(pushed.rows.values())).targets] == [document]
    assert len(makers_of(office, other)) == 1


async def test_a_document_that_nothing_tells_apart_lets_neither_bill_travel() -> None:
    """It may be of the one or of the other: a second document is the greater harm."""
    office = Office(two(link_fields=False, closes=False))
    await pushed_by_hand(office, bills_of(office)[0])
    pushed = await push(office, keys_of(office), check=False)
    said = {(row.state, row.code, "CGRK0000001" in row.reason) for row in pushed.rows.values()}
    assert said == {(State.REJECTED, "shared", True)}
    assert [len(makers_of(office, bill)) for bill in bills_of(office)] == [1, 0]


async def test_a_number_whose_document_is_of_an_unseen_namesake_is_not_already_pushed() -> None:
    """By its number the ERP might take it for that one; by its id it is pushed."""
    office = Office(two(unseen_orgs=("200",), closes=False))
    one, other = bills_of(office)
    document = await pushed_by_hand(office, other)
    target = office.site.world.store.by_id(IN_STOCK, int(document))
    number = target.number if target else ""
    pushed = await push(office, [NUMBER, *orders(3, first=1)])
    row = pushed.rows[NUMBER]
    assert (row.state, row.code, row.targets) == (State.REJECTED, "ambiguous", ())
    assert number in row.reason
    assert pushed.of(State.PUSHED) == set(orders(3, first=1))
    again = await push(office, [key_of(NUMBER, str(one.id))], SECOND, check=False)
    assert again.of(State.PUSHED) == {key_of(NUMBER, str(one.id))}
    assert [t.id for t in again.rows[key_of(NUMBER, str(one.id))].targets] == makers_of(office, one)
    assert [len(makers_of(office, bill)) for bill in (one, other)] == [1, 1]


async def test_what_the_erp_makes_of_an_unseen_namesake_is_a_contradiction() -> None:
    """Both bills were pushed by the one number: a row that named both would be untrue."""
    office = Office(two(unseen_orgs=("200",)))
    pushed = await push(office, [NUMBER], check=False)
    assert pushed.states == {NUMBER: State.UNKNOWN}
    assert pushed.rows[NUMBER].targets == ()
    assert Cause.CONTRADICTION in pushed.stop.causes
    assert [len(makers_of(office, bill)) for bill in bills_of(office)] == [1, 1]


async def test_what_is_left_to_a_person_does_not_let_other_doubts_wait_for_ever() -> None:
    """More of the sender's documents would prove his sight, and nothing is sent that makes them."""
    lost, *rest = orders(5, first=1)
    office = Office(two(steps("reset"), unseen_orgs=("200",)))
    one = steered(concurrency=1, chunk_size=1)
    await office.open_run([lost, NUMBER, *rest])
    stopped = await office.execute(
        limits=PushLimits(canary=False, limit=2), throttle=one, check=False
    )
    assert stopped.of(State.UNKNOWN) == {lost, NUMBER}
    with anyio.fail_after(100_000):
        again = await office.execute(limits=PushLimits(canary=False), throttle=one, check=False)
    assert Cause.CONTRADICTION in again.stop.causes
    assert again.watch.sendings == []


async def test_a_document_of_an_unseen_namesake_is_no_absence() -> None:
    """A lost answer, and then a document that the push may have made of the other bill."""
    office = Office(
        two(FaultPlan(steps=(Step(fault("ok")), Step(fault("reset")))), unseen_orgs=("200",))
    )
    _, other = bills_of(office)

    async def push_the_other(context: Context) -> None:
        doubts: Sequence[Doubt] = ()
        while not doubts:
            await anyio.sleep(0.1)
            doubts = await context.ledger.doubts(FIRST)
        await pushed_by_hand(office, other)
        await anyio.sleep_forever()

    pushed = await push(
        office,
        [*orders(1, first=1), NUMBER],
        check=False,
        beside=push_the_other,
        throttle=steered(concurrency=1, chunk_size=1),
    )
    assert (pushed.states[NUMBER], pushed.rows[NUMBER].code) == (State.UNKNOWN, AMBIGUOUS)
    assert [len(makers_of(office, bill)) for bill in bills_of(office)] == [0, 1]


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("late", ["make-then-reset", "late-commit", "make-then-response-error"])
async def test_a_lost_answer_of_a_bill_by_id_settles(late: str, *, links: bool) -> None:
    """Its namesake waits for that, since what appears may be either's."""
    faults = FaultPlan(steps=(Step(fault(late)),))
    office = Office(two(link_fields=links, faults=faults))
    pushed = await push(office, keys_of(office), throttle=steered(concurrency=4, chunk_size=1))
    made = [len(makers_of(office, bill)) for bill in bills_of(office)]
    assert max(made) <= 1
    if links:
        assert (set(pushed.states.values()), made) == ({State.PUSHED}, [1, 1])
    else:
        first, second = pushed.rows.values()
        assert first.state is State.UNKNOWN
        assert (second.state, made) == (State.PLANNED, [1, 0])
        assert set(pushed.stop.causes) == {Cause.PERSON}


async def test_a_lost_answer_that_made_nothing_travels_again_by_its_id() -> None:
    """Absence counts for the number, and so for each bill that has it."""
    faults = FaultPlan(steps=(Step(fault("reset")),))
    office = Office(two(link_fields=False, faults=faults))
    pushed = await push(office, keys_of(office))
    assert set(pushed.states.values()) == {State.PUSHED}
    assert all(ids and not numbers for ids, numbers in requests(pushed))
    assert [len(makers_of(office, bill)) for bill in bills_of(office)] == [1, 1]


@pytest.mark.parametrize("between", [0, 100, 250])
@pytest.mark.parametrize("met", ["ok", "refuse-connection", "lose-session"])
async def test_a_bill_that_is_not_sent_takes_the_number_from_none_that_is(
    met: str, between: int
) -> None:
    """The one is on its way, and the other, which is not approved, is read a page later."""
    office = Office(two(FaultPlan(steps=(Step(fault(met)),)), latency_s=0.3))
    one, other = bills_of(office)
    other.status = "A"
    mine, not_sent = keys_of(office)
    await office.open_run([mine, *orders(between, 10_000), not_sent])
    pushed = await office.execute()
    assert not pushed.stop.causes
    assert pushed.states[mine] is State.PUSHED
    assert pushed.states[not_sent] is State.REJECTED
    assert len(makers_of(office, one)) == 1


@pytest.mark.parametrize("meets", ["reset", "make-then-reset"])
@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("more", [0, 5])
async def test_a_run_does_not_wait_for_itself(meets: str, more: int, *, links: bool) -> None:
    """Of two bills of one number the first is in doubt for good, and the second waits for it."""
    options = sandbox(steps(meets), twins=tuple(orders(1)), link_fields=links, **OPEN)
    (number,) = orders(1)
    office = Office(options, documents=False)
    bills = office.site.world.store.by_number(PURCHASE_ORDER, number)
    await office.open_run([*(key_of(number, str(bill.id)) for bill in bills), *orders(more, 5)])
    with anyio.fail_after(SETTLE.shown_by_s + 3 * SETTLE.poll_s):
        first = await office.execute(limits=NO_HALT, throttle=one_by_one(), check=False)
    with anyio.fail_after(3 * SETTLE.poll_s):
        pushed = await office.execute(limits=NO_HALT, throttle=one_by_one(), check=False)
    waits = [why for each in (first, pushed) for why, _ in each.watch.waits]
    assert not any(FIRST in why for why in waits)
    states = Counter(row.state for row in pushed.rows.values())
    if states[State.UNKNOWN]:
        assert set(pushed.stop.causes) <= {Cause.PERSON, Cause.UNPROVED}
        (second,) = pushed.of(State.PLANNED)
        assert "held_by_namesake" in pushed.rows[BillNumber(second)].reason
    else:
        assert states == {State.PUSHED: 2 + more}
