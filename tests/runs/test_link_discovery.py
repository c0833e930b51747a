"""A pair that k3push does not know: its documents are found by their links, once these are proved.

The sandbox's rule from orders to notices of receipt is such a pair: no field of the notice is known
to hold the order's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from k3push.core.model import Route, State
from k3push.core.protocol.links import FormEntry, LinkRow, entries_that_may_link, found_in
from k3push.core.protocol.logins import password_login
from k3push.core.protocol.pairs import known_pair
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import (
    Accounts,
    FaultPlan,
    PushOrder,
    SandboxOptions,
    Seeded,
    WriteBack,
    fault,
)
from k3push.simulator.books.forms import PURCHASE_ORDER, ROUTES
from k3push.simulator.books.history import Maker
from k3push.simulator.fault_plans.script import Channel
from tests.runs.office import (
    ROUTE,
    SECOND,
    Office,
    Pushed,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio

UNKNOWN = Route(
    "po-receive",
    "PUR_PurchaseOrder",
    "PUR_ReceiveBill",
    rule="PUR_PurchaseOrder-PUR_ReceiveBill",
)
ENTRY, TABLE = "FDetailEntity", "t_PUR_POOrderEntry"
NO_CANARY = PushLimits(canary=False)

# Whatever a call meets: the work is done or not, and the answer is lost.
LOST = ("make-then-reset", "reset", "make-then-html-502", "make-then-empty", "late-commit")


def open_sources(plan: FaultPlan | None = None, **options: object) -> SandboxOptions:
    """Return a sandbox whose rules leave the source open, so that a second push would succeed."""
    return sandbox(plan, write_back=WriteBack.NEVER, closes=False, **options)


async def pushed_by(
    options: SandboxOptions, route: Route = UNKNOWN, count: int = 40, limits: PushLimits = NO_CANARY
) -> tuple[Office, Pushed]:
    """Push orders in an office of their own."""
    office = Office(options, route)
    await office.open_run(orders(count))
    return office, await office.execute(
        limits=limits, throttle=steered(concurrency=2, chunk_size=20)
    )


def sizes(pushed: Pushed) -> list[int]:
    """Return how many numbers each call carried."""
    return [len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings]


def most_documents(office: Office, count: int) -> int:
    """Return how many documents the bill has that has most."""
    return max(len(office.site.world.documents_of(number)) for number in orders(count))


def test_the_pair_of_these_tests_is_not_built_in() -> None:
    """Else they would show nothing."""
    assert known_pair(UNKNOWN.source, UNKNOWN.target) is None


# -- proved ---------------------------------------------------------------------------------------


async def test_a_pair_that_is_not_known_travels_in_chunks_once_its_links_are_proved() -> None:
    """The first document proves them; until then a number travels alone."""
    office = Office(sandbox(orders=200), UNKNOWN)
    await office.open_run(orders(200))
    pushed = await office.execute(throttle=steered())
    assert pushed.of(State.PUSHED) == set(orders(200))
    assert sizes(pushed)[0] == 1
    assert len(sizes(pushed)) < 80
    assert most_documents(office, 200) == 1


async def test_lost_answers_of_a_pair_that_is_not_known_are_settled_by_themselves() -> None:
    """One call in five; each bill ends with one document and a true row."""
    plan = FaultPlan(seeded=Seeded(0.2, tuple(map(fault, LOST)), 1))
    office = Office(open_sources(plan, orders=200), UNKNOWN)
    await office.open_run(orders(200))
    pushed = await office.execute(throttle=steered(concurrency=4, chunk_size=10))
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(orders(200))
    assert most_documents(office, 200) == 1


async def test_documents_that_are_there_prove_the_links_before_anything_is_sent() -> None:
    """They name the route's own rule, so that a first answer may be lost as well."""
    office, _ = await pushed_by(open_sources(steps("ok", "reset")), count=1)
    await office.open_run(orders(20, 1), SECOND)
    pushed = await office.execute(SECOND, limits=NO_CANARY, throttle=steered(chunk_size=20))
    assert pushed.of(State.PUSHED) == set(orders(20, 1))
    assert sizes(pushed)[0] == 20


@pytest.mark.parametrize("name", ["make-then-reset", "late-commit"])
async def test_a_first_answer_that_is_lost_is_found_by_its_link(name: str) -> None:
    """What a link shows is there, whatever else it may miss."""
    office, pushed = await pushed_by(open_sources(steps(name)), count=1)
    assert pushed.of(State.PUSHED) == set(orders(1))
    assert most_documents(office, 1) == 1


async def test_of_a_first_answer_that_is_lost_silence_settles_nothing() -> None:
    """Nothing shows yet that this rule keeps links: only a person knows."""
    office, pushed = await pushed_by(open_sources(steps("reset")), count=1)
    assert pushed.of(State.UNKNOWN) == set(orders(1))
    settled = await office.execute(work=only_settle)
    assert settled.of(State.UNKNOWN) == set(orders(1))


async def test_what_a_person_has_pushed_by_another_rule_is_already_there() -> None:
    """The link names the bill, whichever rule has made it."""
    routes = with_second_rule((ROUTES[1], ROUTES[0], *ROUTES[2:]))
    office = Office(open_sources(routes=routes), UNKNOWN)
    hand = PushOrder(UNKNOWN.source, (*orders(1),), rule_id=f"ZMER_{UNKNOWN.rule}")
    office.site.world.push(hand, "clerk", Maker.PERSON)
    await office.open_run(orders(3))
    pushed = await office.execute(throttle=steered(concurrency=1))
    assert pushed.of(State.ALREADY) == set(orders(1))
    assert pushed.of(State.PUSHED) == set(orders(2, 1))


@pytest.mark.parametrize("count", [1, 6])
async def test_another_rules_document_does_not_prove_the_links_of_this_one(count: int) -> None:
    """This one keeps none, and its lost answers are a person's."""
    receive = replace(ROUTES[1], keeps_links=False)
    linked = replace(ROUTES[1], rule_id="ZMER_linked")
    options = open_sources(steps("make-then-reset"), routes=(receive, linked))
    office = Office(options, UNKNOWN)
    hand = PushOrder(UNKNOWN.source, (*orders(5, 10),), rule_id=linked.rule_id)
    office.site.world.push(hand, "clerk", Maker.PERSON)
    await office.open_run(orders(count))
    pushed = await office.execute(limits=NO_CANARY, throttle=steered(concurrency=1))
    assert pushed.of(State.UNKNOWN) == set(orders(1))
    assert pushed.of(State.PUSHED) == set(orders(count - 1, 1))
    assert set(sizes(pushed)) == {1}
    assert most_documents(office, count) == 1


# -- not proved -----------------------------------------------------------------------------------


NOT_PROVED: Mapping[str, tuple[SandboxOptions, Route]] = {
    "no links to be asked": (sandbox(link_fields=False), UNKNOWN),
    "no word of the tables": (sandbox(steps(*["no-permission"] * 5, on=Channel.QUERY)), UNKNOWN),
    "another entry": (sandbox(), replace(UNKNOWN, target_entry="FOther")),
    "no right to read": (sandbox(unreadable={"sandbox": [UNKNOWN.target]}), UNKNOWN),
    "a rule without links": (
        sandbox(routes=(replace(ROUTES[1], keeps_links=False),)),
        UNKNOWN,
    ),
}


@pytest.mark.parametrize("why", NOT_PROVED)
async def test_what_cannot_be_proved_travels_one_by_one_as_before(why: str) -> None:
    """An answer to one number names what is its own."""
    options, route = NOT_PROVED[why]
    office, pushed = await pushed_by(options, route, 12, PushLimits())
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(orders(12))
    assert set(sizes(pushed)) == {1}
    assert all(row.targets for row in pushed.rows.values())
    assert most_documents(office, 12) == 1


async def test_an_entry_that_the_settings_name_is_taken_for_it() -> None:
    """Where the site does not tell its entries; the documents show what the table is called."""
    office, _ = await pushed_by(open_sources(), count=1)
    await office.open_run(orders(20, 1), SECOND)
    route = replace(UNKNOWN, target_entry=ENTRY)
    pushed = await office.execute(SECOND, route=route, throttle=steered(chunk_size=10))
    assert pushed.of(State.PUSHED) == set(orders(20, 1))
    assert max(sizes(pushed)) == 10


async def test_a_document_that_its_link_does_not_show_stops_the_run_once_links_are_proved() -> None:
    """A wrong link costs a call, and no second document."""
    plan = steps("ok", "mislink")
    office, pushed = await pushed_by(open_sources(plan), count=20)
    assert Cause.CONTRADICTION in pushed.stop.causes
    assert most_documents(office, 20) == 1


# -- which entry, and which table -----------------------------------------------------------------


def rows(*named: tuple[str, str]) -> Sequence[LinkRow]:
    """Return links by rule and table."""
    return [LinkRow(str(nth), "100017", table, rule) for nth, (rule, table) in enumerate(named)]


@pytest.mark.parametrize(
    ("newest", "tables", "entry", "proved"),
    [
        ({ENTRY: rows((UNKNOWN.rule.upper(), TABLE))}, (), ENTRY, True),
        ({ENTRY: rows(("another", "T_X"), (UNKNOWN.rule, TABLE))}, (), ENTRY, True),
        ({"F1": rows((UNKNOWN.rule, TABLE)), "F2": rows(("x", TABLE))}, (), "F1", True),
        ({"F1": rows((UNKNOWN.rule, TABLE)), "F2": rows((UNKNOWN.rule, TABLE))}, (), "", False),
        ({ENTRY: rows(("another", TABLE))}, (), "", False),
        ({ENTRY: rows(("another", TABLE))}, (TABLE,), ENTRY, False),
        ({ENTRY: ()}, (TABLE, "T_PUR_POORDER"), ENTRY, False),
        ({"F1": (), "F2": ()}, (TABLE,), "", False),
        ({}, (TABLE,), "", False),
    ],
)
def test_the_own_rules_links_tell_the_entry_and_the_table(
    newest: Mapping[str, Sequence[LinkRow]], tables: Sequence[str], entry: str, *, proved: bool
) -> None:
    """Else it is the only entry that has links, and nothing is proved yet."""
    found = found_in(UNKNOWN, newest, tables)
    assert (found.route.target_entry, found.proved) == (entry, proved)
    assert found.absent is not bool(entry)
    assert bool(found.route.source_tables) is bool(entry)


def test_a_route_without_a_rule_has_no_rule_of_its_own() -> None:
    """A default rule is called otherwise in the links."""
    route = replace(UNKNOWN, rule="")
    assert not found_in(route, {ENTRY: rows(("", TABLE))}, ()).proved


@pytest.mark.parametrize(
    ("entries", "keys"),
    [
        ((("FBillHead", ""), ("FEntity", "FBillHead"), ("FEntity_Link", "FEntity")), ["FEntity"]),
        ((("FBillHead", ""), ("F1", "FBillHead"), ("F2", "F1")), ["F1", "F2"]),
        ((), []),
    ],
)
def test_entries_that_list_a_table_of_links_are_asked_first(
    entries: Sequence[tuple[str, str]], keys: list[str]
) -> None:
    """Where none is listed, it may be any."""
    assert entries_that_may_link([FormEntry(key, "T", of) for key, of in entries]) == keys


# -- a failed look is no absence ------------------------------------------------------------------

BLIND = replace(ROUTE, source_number_field="")


@pytest.mark.parametrize("failing", [3, 6, 10, 15, 20, 25, 30, 40, 500])
async def test_a_failed_question_for_links_sends_nothing_blindly(failing: int) -> None:
    """Nobody knows whether there are links, and what is there already would be made again."""
    plan = FaultPlan(seeded_reads=Seeded(1.0, (fault("response-error-deadlock"),), 1, failing, ""))
    site_options = open_sources(plan)
    office = Office(site_options, BLIND)
    office.site.world.push(PushOrder(PURCHASE_ORDER.id, (orders(1)[0],), rule_id=BLIND.rule))
    await office.open_run(orders(4))
    pushed = await office.execute(limits=NO_CANARY, check=False)
    assert most_documents(office, 4) == 1
    if Cause.LOOK_FAILED in pushed.stop.causes:
        assert not pushed.watch.sendings


@pytest.mark.parametrize("entry", ["", ENTRY])
async def test_a_target_form_that_is_not_there_ends_a_run_that_only_links_could_tell(
    entry: str,
) -> None:
    """Its name is written wrong: nobody looks there, while the rule makes documents elsewhere."""
    office = Office(open_sources(), replace(UNKNOWN, target="PUR_ReceivBill", target_entry=entry))
    await office.open_run(orders(4))
    pushed = await office.execute(limits=NO_CANARY)
    assert set(pushed.stop.causes) == {Cause.LOOK_REFUSED}
    assert not pushed.watch.sendings


async def test_a_right_that_is_missing_ends_no_later_run_of_a_list() -> None:
    """What the ledger has pushed is there already, whoever may read its documents."""
    office, _ = await pushed_by(sandbox(unreadable={"sandbox": [UNKNOWN.target]}), count=4)
    await office.open_run(orders(4), SECOND)
    pushed = await office.execute(SECOND, limits=NO_CANARY)
    assert not pushed.stop.causes
    assert pushed.of(State.ALREADY) == set(orders(4))


async def test_links_that_one_user_has_seen_are_there_for_all() -> None:
    """A database that fails for the other one says nothing of the form."""
    fails = Seeded(1.0, (fault("response-error-deadlock"),), 1, 8, "sandbox2")
    accounts = Accounts(users={"sandbox": "sandbox", "sandbox2": "sandbox"})
    options = open_sources(FaultPlan(seeded_reads=fails), accounts=accounts)
    office = Office(options, BLIND)
    office.site.world.push(PushOrder(PURCHASE_ORDER.id, (orders(1)[0],), rule_id=BLIND.rule))
    await office.open_run(orders(8))
    more = {"sandbox2": password_login("sandbox", "sandbox2", "sandbox", 2052)}
    pushed = await office.execute(limits=NO_CANARY, more_users=more, check=False)
    assert most_documents(office, 8) == 1
    assert pushed.rows[orders(1)[0]].state is State.ALREADY
