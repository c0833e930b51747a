"""Sources with more documents than they should have are found, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from k3push.adapters.erp.inspection import Inspector
from k3push.adapters.names_on_disk import names_on_disk
from k3push.core.model import BillNumber, Route, RunId, key_of
from k3push.core.protocol.audit_queries import Named
from k3push.core.protocol.logins import password_login
from k3push.core.safety.doubles import Basis
from k3push.runs.audit.audit_doubles import Audited, Books, audit
from k3push.runs.audit.audit_feeds import Batches, chained, of_documents, of_ledger
from k3push.runs.create import scope_of
from k3push.runs.forecast import ForecastContext
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop
from k3push.simulator import PushOrder, QueryLimits, Sight, World
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, RECEIVE_BILL
from k3push.simulator.books.write_back import WriteBack
from k3push.simulator.fault_plans.script import Channel
from tests.runs.office import (
    FIRST,
    LOGIN,
    NOON,
    RECEIPTS,
    ROUTE,
    SECOND,
    Notebook,
    Office,
    name_of,
    orders,
    sandbox,
    steps,
)
from tests.runs.rough_answers import OPEN
from tests.runs.test_renamed_bills import bill_of, rename
from tests.stocked_books import stocked

pytestmark = pytest.mark.anyio

SECOND_USER = password_login("sandbox", "sandbox2", "sandbox", 2052)


@dataclass
class Found:
    """What an audit came to."""

    whole: Audited = field(default_factory=Audited)
    stop: Stop = field(default_factory=Stop)

    @property
    def numbers(self) -> list[str]:
        """The numbers of the doubles, in their order."""
        return sorted(double.number for double in self.whole.doubles)


async def look_through(
    office: Office,
    numbers: Sequence[str] | None = None,
    *,
    ids: Sequence[str] = (),
    route: Route = ROUTE,
    since: str = "",
    ledger: bool = True,
    users: Sequence[object] = (LOGIN,),
    tries: int = 2,
) -> Found:
    """Audit a list, or all that has documents; the ledger says what it has made."""
    found = Found()
    logins = {name_of(login): login for login in users}  # type: ignore[arg-type]
    async with office.erp(logins) as erp:  # type: ignore[arg-type]
        look = ForecastContext(route, erp, PushLimits(max_attempts=tries), found.stop, Notebook())
        inspection = Inspector(erp)
        scope = scope_of("sandbox", route)

        async def of_list() -> Batches:
            named = [Named(BillNumber(number)) for number in numbers or ()]
            yield [*named, *(Named(BillNumber(""), id_) for id_ in ids)]

        feed = of_list() if numbers is not None else of_documents(look, inspection, since)
        if ledger and numbers is None:
            feed = chained(feed, of_ledger(office.store, scope))
        with names_on_disk() as once:
            books = Books(look, inspection, once, office.store if ledger else None, scope)
            async for audited in audit(books, feed, found.stop, at_once=2):
                found.whole.sources += audited.sources
                found.whole.doubles += audited.doubles
                found.whole.missing += audited.missing
                found.whole.unread |= audited.unread
                found.whole.strange += audited.strange
    return found


def pushed(world: World, *numbers: str) -> list[Bill]:
    """Push bills as another program does."""
    order = PushOrder(PURCHASE_ORDER.id, numbers, rule_id=ROUTE.rule)
    return [made.target for made in world.push(order, "other").made]


def by_hand(
    world: World, number: str, *, typed: bool = False, quantities: Sequence[int] = ()
) -> Bill:
    """Make a document of a bill as a person does."""
    return world.add_target(IN_STOCK, number, typed=typed, quantities=quantities)


def ordered(world: World, number: str) -> list[int]:
    """Return what a bill orders."""
    (bill,) = world.store.by_number(PURCHASE_ORDER, number)
    return [entry.quantity for entry in bill.entries]


# -- what is found -------------------------------------------------------------------------------


async def test_of_many_bills_exactly_the_doubles_are_found() -> None:
    """Pushed twice, typed in beside it, drafted, in part: and no split, nor one made by hand.

    `python -m tests.benchmarks doubles` does the same with a hundred thousand.
    """
    books = stocked(2000)
    found = await look_through(Office(site=books.site, documents=False))
    assert set(found.numbers) == books.doubles
    assert len(found.numbers) == len(books.doubles)
    assert found.whole.sources == 2000
    assert {double.expected for double in found.whole.doubles} == {1}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("typed", [True, False])
async def test_a_document_by_hand_beside_a_pushed_one_is_found(
    *, listed: bool, typed: bool
) -> None:
    """With a link, or with a number that somebody typed in; from a list, or without one."""
    office = Office(sandbox())
    world = office.site.world
    one, two = orders(2)
    (first,) = pushed(world, one)
    pushed(world, two)
    second = by_hand(world, one, typed=typed, quantities=ordered(world, one))
    found = await look_through(office, [one, two] if listed else None)
    (double,) = found.whole.doubles
    assert (double.number, double.expected) == (one, 1)
    assert double.id == str(world.store.by_number(PURCHASE_ORDER, one)[0].id)
    assert double.by is (Basis.COUNT if typed else Basis.QUANTITIES)
    assert [(held.document.number, held.document.creator, held.run) for held in double.held] == [
        (first.number, "other", ""),
        (second.number, "somebody", ""),
    ]
    assert {held.document.created for held in double.held} == {first.created}
    assert found.whole.sources >= 2
    assert not found.stop.asked


@pytest.mark.parametrize("links", [True, False])
async def test_parts_and_splits_are_no_doubles_where_links_tell(*, links: bool) -> None:
    """Without links nothing tells what a document takes, so that one is expected."""
    office = Office(sandbox(link_fields=links, policy="split"))
    world = office.site.world
    split, parts, single, cancelled = orders(4)
    pushed(world, split, single)
    halves = [quantity // 2 for quantity in ordered(world, parts)]
    by_hand(world, parts, quantities=halves)
    by_hand(world, parts)
    for half in pushed(world, cancelled):
        world.cancel(half)
    by_hand(world, cancelled, typed=True)
    found = await look_through(office)
    assert set(found.numbers) >= ({split, parts} if not links else set())
    if links:
        assert found.numbers == []


async def test_a_draft_counts_and_a_cancelled_document_does_not() -> None:
    """A draft takes no quantity in the ERP, and is a second document all the same."""
    office = Office(sandbox())
    world = office.site.world
    drafted, cancelled = orders(2)
    for number in (drafted, cancelled):
        (first,) = pushed(world, number)
        by_hand(world, number, quantities=ordered(world, number))
        if number == cancelled:
            world.cancel(first)
        else:
            first.status, first.number = "Z", ""
    found = await look_through(office)
    (double,) = found.whole.doubles
    assert double.number == drafted
    assert [held.document.status for held in double.held] == ["Z", "A"]


async def test_the_ledger_tells_which_documents_are_its_own() -> None:
    """And what is gone of them."""
    office = Office(sandbox())
    world = office.site.world
    kept, deleted = orders(2)
    await office.open_run([kept, deleted])
    await office.execute()
    by_hand(world, kept, quantities=ordered(world, kept))
    (gone,) = world.documents_of(deleted)
    world.delete(gone)
    for found in (await look_through(office), await look_through(office, [kept, deleted])):
        (double,) = found.whole.doubles
        assert [held.run for held in double.held] == ["r1", ""]
        (missing,) = found.whole.missing
        assert (missing.number, missing.target_id, missing.run) == (deleted, str(gone.id), "r1")


async def test_what_was_pushed_into_another_form_is_not_missing_from_this_one() -> None:
    """One ledger knows a receipt and an inbound document of a bill."""
    office, (number,) = Office(sandbox(**OPEN)), orders(1)
    for route, run in ((ROUTE, FIRST), (RECEIPTS, SECOND)):
        elsewhere = Office(route=route, site=office.site, ledger=office.store)
        await elsewhere.open_run([number], run)
        await elsewhere.execute(run, check=False)
    found = await look_through(office)
    assert (found.whole.missing, found.numbers) == ([], [])


async def test_a_document_of_a_run_is_its_own_though_its_bill_has_another_number_by_now() -> None:
    """A person chooses by that which of the two is to be deleted."""
    office = Office(sandbox())
    (number,) = orders(1)
    bill = bill_of(office, number)
    await office.open_run([number])
    await office.execute()
    rename(office, bill, "CGDD-NEW")
    by_hand(office.site.world, bill.number, quantities=ordered(office.site.world, bill.number))
    (double,) = (await look_through(office, [bill.number])).whole.doubles
    assert [held.run for held in double.held] == ["r1", ""]


async def test_a_document_of_a_renumbered_bill_is_told_of_the_run_that_has_made_it() -> None:
    """Two runs have pushed it, the second at a person's word."""
    office = Office(sandbox(**OPEN))
    (number,) = orders(1)
    bill = bill_of(office, number)
    for run, because in ((RunId("r1"), ""), (RunId("r2"), "the first was lost")):
        await office.open_run([number], run, again_because=because)
        await office.execute(run, check=False)  # both are wanted
    rename(office, bill, "CGDD-NEW")
    (double,) = (await look_through(office, [bill.number])).whole.doubles
    assert [held.run for held in double.held] == ["r1", "r2"]


async def test_bills_of_one_number_have_documents_of_their_own() -> None:
    """Two organisations may use a number; a third document is one too many."""
    office = Office(sandbox(twins=tuple(orders(2))))
    world = office.site.world
    one, two = orders(2)
    for number in (one, two):
        pushed(world, number)
    by_hand(world, two, typed=True)
    found = await look_through(office, [one, two])
    (double,) = found.whole.doubles
    assert (double.number, double.expected, double.by) == (two, 2, Basis.COUNT)
    assert len(double.id.split(";")) == 2
    assert found.whole.sources == 4


async def test_a_list_may_name_a_bill_by_its_id() -> None:
    """An id that no bill has is told apart, as such a number is."""
    office = Office(sandbox())
    world = office.site.world
    (number,) = orders(1)
    pushed(world, number)
    by_hand(world, number, quantities=ordered(world, number))
    (bill,) = world.store.by_number(PURCHASE_ORDER, number)
    found = await look_through(office, [], ids=[str(bill.id), "1"])
    assert found.numbers == [number]
    assert (found.whole.sources, found.whole.strange) == (1, 1)


async def test_documents_of_another_form_are_not_counted() -> None:
    """A receipt may have the number of an order."""
    office = Office(sandbox())
    (number,) = orders(1)
    pushed(office.site.world, number)
    office.site.world.add_target(IN_STOCK, number, source_form=RECEIVE_BILL)
    assert (await look_through(office)).numbers == []


async def test_a_link_finds_what_the_number_field_does_not_name() -> None:
    """A rule that merges lines may write anything there."""
    office = Office(sandbox())
    world = office.site.world
    (number,) = orders(1)
    for document in (
        *pushed(world, number),
        by_hand(world, number, quantities=ordered(world, number)),
    ):
        for entry in document.entries:
            assert entry.origin is not None
            entry.origin = entry.origin._replace(number="see the note")
    assert (await look_through(office)).numbers == [number]


async def test_a_document_that_links_to_another_bill_is_that_bills_whatever_its_number() -> None:
    """A field that is too short cuts `A-1` to `A`; a line that was added by hand still counts."""
    office = Office(sandbox())
    world = office.site.world
    one, other = orders(2)
    pushed(world, one)
    document = by_hand(world, one, quantities=ordered(world, one))
    (bill,) = world.store.by_number(PURCHASE_ORDER, other)
    for entry, line in zip(document.entries, bill.entries, strict=False):
        (link,) = entry.links
        entry.links = (link._replace(bill_id=bill.id, entry_id=line.id),)
    assert (await look_through(office, [one])).numbers == []
    document.entries[0].links = ()
    assert (await look_through(office, [one])).numbers == [one]


# -- which documents count as new ----------------------------------------------------------------


async def test_since_looks_at_bills_that_have_a_newer_document() -> None:
    """An older document of such a bill counts, however old it is."""
    office = Office(sandbox())
    world = office.site.world
    old, both, new = orders(3)
    for number in (old, both):
        for document in pushed(world, number):
            document.created = "2025-12-24T08:00:00"
    for document in (by_hand(world, old, quantities=ordered(world, old)),):
        document.created = "2025-12-31T23:59:59"
    by_hand(world, both, quantities=ordered(world, both))
    pushed(world, new)
    found = await look_through(office, since="2026-01-01 00:00:00")
    assert found.numbers == [both]
    assert found.whole.sources == 2


async def test_a_ledger_is_asked_for_what_was_worked_on_since() -> None:
    """Rows of the night before are another night's audit."""
    office = Office(sandbox())
    await office.open_run(orders(3))
    await office.execute()
    scope = scope_of("sandbox", ROUTE)
    for since, count in ((NOON - timedelta(days=1), 3), (NOON + timedelta(days=1), 0)):
        batches = [batch async for batch in of_ledger(office.store, scope, since)]
        assert sum(map(len, batches)) == count


# -- what an ERP may do --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 7])
async def test_a_site_that_cuts_pages_hides_nothing(cut: int) -> None:
    """A page that was cut is no end."""
    office = Office(sandbox(limits=QueryLimits(rows=cut)))
    world = office.site.world
    numbers = orders(6)
    for number in numbers:
        pushed(world, number)
    by_hand(world, numbers[4], quantities=ordered(world, numbers[4]))
    found = await look_through(office)
    assert found.numbers == [numbers[4]]
    assert not found.stop.asked


@pytest.mark.parametrize("nth", range(9))
@pytest.mark.parametrize("name", ["html-502", "null-values"])
async def test_a_look_that_fails_is_never_silence(name: str, nth: int) -> None:
    """Whichever look it is: the audit goes on after it, or says that it is not whole."""
    faults = steps(*["ok"] * nth, *[name] * 30, on=Channel.QUERY)
    office = Office(sandbox(faults=faults))
    world = office.site.world
    (number,) = orders(1)
    pushed(world, number)
    by_hand(world, number, quantities=ordered(world, number))
    found = await look_through(office)
    failed = found.stop.causes.keys() & {Cause.LOOK_FAILED, Cause.LOOK_REFUSED}
    assert found.numbers == [number] or failed or found.whole.unread


async def test_what_one_user_does_not_see_another_may() -> None:
    """Somebody with narrower rights would call a double one document."""
    office = Office(sandbox(sees={"sandbox": Sight.OWN, "sandbox2": Sight.OWN}))
    world = office.site.world
    (number,) = orders(1)
    for document, user in zip(
        (*pushed(world, number), by_hand(world, number, quantities=ordered(world, number))),
        ("sandbox", "sandbox2"),
        strict=True,
    ):
        document.creator = user
    assert (await look_through(office)).numbers == []
    assert (await look_through(office, users=(LOGIN, SECOND_USER))).numbers == [number]


async def test_a_number_that_is_no_bill_is_told_apart() -> None:
    """A list may hold what somebody mistyped."""
    found = await look_through(Office(sandbox()), ["nothing", *orders(1)])
    assert (found.whole.strange, found.whole.sources) == (1, 1)


async def test_a_form_that_lacks_fields_is_judged_by_what_it_shows() -> None:
    """Quantities are hidden, and a row is taken once."""
    office = Office(sandbox())
    world = office.site.world
    (number,) = orders(1)
    pushed(world, number)
    by_hand(world, number, quantities=ordered(world, number))
    route = replace(ROUTE, source_number_field="FPOOrderNo")
    (double,) = (await look_through(office, route=route)).whole.doubles
    assert double.by is Basis.QUANTITIES


@pytest.mark.parametrize("listed", [True, False])
async def test_documents_of_a_bill_that_is_not_shown_are_judged_by_their_links(
    *, listed: bool
) -> None:
    """Its organisation is another's, or somebody has deleted it: the double stands all the same."""
    one, two = orders(2)
    free = sandbox(write_back=WriteBack.NEVER, closes=False)
    office = Office(replace(free, twins=(one, two), unseen_orgs=("200",)))
    world = office.site.world
    theirs = {number: world.store.by_number(PURCHASE_ORDER, number)[1].id for number in (one, two)}
    for number in (one, one, two):
        world.push(PushOrder(PURCHASE_ORDER.id, ids=(theirs[number],), rule_id=ROUTE.rule), "other")
    hidden = str(theirs[one])
    found = await look_through(office, [] if listed else None, ids=[hidden] if listed else ())
    (double,) = found.whole.doubles
    assert (double.id, double.expected, double.by) == (hidden, 1, Basis.ROWS)
    assert double.number == ("" if listed else one)
    assert len(double.held) == 2
    assert found.whole.strange == 0


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("listed", [True, False])
async def test_a_bill_is_not_accused_of_what_was_made_of_another_that_had_its_number(
    *, listed: bool, links: bool
) -> None:
    """The first bill got another number, and a new one its own; the ledger knows both by ids."""
    office, (number,) = Office(sandbox(link_fields=links, **OPEN)), orders(1)
    await office.open_run([number])
    await office.execute()
    world = office.site.world
    world.renumber(PURCHASE_ORDER, number, f"R{number}")
    world.add_source(PURCHASE_ORDER, number)
    await office.open_run([key_of(number, str(bill_of(office, number).id))], SECOND)
    await office.execute(SECOND)
    found = await look_through(office, [number] if listed else None)
    assert found.whole.doubles == []


@pytest.mark.parametrize("links", [True, False])
async def test_a_second_document_under_another_number_is_told_as_the_ledger_knows_the_bill(
    *, links: bool
) -> None:
    """A colleague has pushed it once more under its new number."""
    office, (number,) = Office(sandbox(link_fields=links, **OPEN)), orders(1)
    await office.open_run([number])
    await office.execute()
    office.site.world.renumber(PURCHASE_ORDER, number, f"R{number}")
    pushed(office.site.world, f"R{number}")
    found = await look_through(office, None)
    (double,) = found.whole.doubles
    assert (double.number, double.expected, len(double.held)) == (f"R{number}", 1, 2)
