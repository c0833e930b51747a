"""A selection is whole, or there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from k3push.adapters.job_files import read_job
from k3push.adapters.job_files.writing import new_list
from k3push.core.model import Listed, Route, key_of
from k3push.core.protocol.logins import password_login
from k3push.core.protocol.selection import Selected, Selection
from k3push.ports import LookFailedError, LookRefusedError
from k3push.runs.select import HaveDocuments, SelectContext, Selecting, none_have, select_bills
from k3push.runs.stop import Stop
from k3push.simulator import SandboxOptions
from k3push.simulator.books.forms import PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder
from k3push.simulator.fault_plans.script import Channel
from k3push.simulator.sandbox_options import QueryLimits
from tests.runs.office import LIMITS, LOGIN, NOON, ROUTE, Notebook, Office, orders, sandbox, steps

pytestmark = pytest.mark.anyio

DIGITS = 40  # orders of the sandbox whose numbers are digits only


@dataclass
class Found:
    """What a selection has taken, and what it said of itself."""

    bills: list[Selected] = field(default_factory=list)
    said: Selecting = field(default_factory=lambda: Selecting(0))
    watch: Notebook = field(default_factory=Notebook)

    async def take(self, bills: Sequence[Selected]) -> None:
        """Take bills; some time passes meanwhile."""
        self.bills += bills
        await anyio.sleep(1)

    @property
    def numbers(self) -> list[str]:
        """The numbers, in their order."""
        return [bill.number for bill in self.bills]


async def select(
    office: Office,
    selection: Selection | None = None,
    *,
    route: Route = ROUTE,
    today: date | None = None,
    found: Found | None = None,
    have: HaveDocuments = none_have,
) -> Found:
    """Select bills in an office."""
    found = found or Found()
    async with office.erp({"sandbox": LOGIN}) as erp:
        context = SelectContext(route, erp, LIMITS, Stop(), found.watch)
        found.said = await select_bills(
            context,
            selection or Selection(),
            today=today or NOON.date(),
            take=found.take,
            have=have,
        )
    return found


def small(rows: int = 10_000, **options: object) -> SandboxOptions:
    """Return a sandbox that gives out few rows at a time."""
    return replace(sandbox(limits=QueryLimits(rows=rows)), **options)  # type: ignore[arg-type]  # names of its own


@pytest.mark.parametrize("rows", [1, 2, 7, 10_000])
async def test_all_bills_come_once_wherever_pages_are_cut(rows: int) -> None:
    """Between two bills or between the lines of one: only an empty page ends the list."""
    office = Office(small(rows))
    found = await select(office)
    assert found.numbers == [*orders(60), *found.numbers[60:]]
    assert len(found.bills) == len(set(found.numbers)) == 60 + DIGITS == found.said.count
    assert found.bills[0][2:] == (str(NOON.date()), "100")
    assert not found.said.more


async def test_what_is_pushed_or_made_between_two_pages_moves_nothing_out_of_sight() -> None:
    """Pages by their places would pass over as many bills as have gone from the pages before."""
    office = Office(small(5))

    class Busy(Found):
        async def take(self, bills: Sequence[Selected]) -> None:
            await Found.take(self, bills)
            world = office.site.world
            order = PushOrder(
                PURCHASE_ORDER.id, ids=tuple(int(bill.id) for bill in bills), rule_id=ROUTE.rule
            )
            world.push(order, "somebody", Maker.PERSON)

    found = await select(office, found=Busy())
    assert len(found.numbers) == len(set(found.numbers)) == 60 + DIGITS


async def test_a_site_whose_pages_end_early_is_read_on() -> None:
    """It costs one question more, and no bill."""
    office = Office(small(10_000))
    await select(office)
    assert office.site.calls[Channel.QUERY] == 2


@pytest.mark.parametrize("page", [0, 1, 3])
@pytest.mark.parametrize("fault", ["reset", "html-502", "empty", "short-rows", "garbage"])
async def test_a_page_that_fails_for_good_is_no_end_of_the_list(fault: str, page: int) -> None:
    """Nobody may take the half list for the whole one."""
    office = Office(small(9, faults=steps(*["ok"] * page, *[fault] * 50, on=Channel.QUERY)))
    with pytest.raises(LookFailedError):
        await select(office)


@pytest.mark.parametrize("page", [0, 1, 3])
@pytest.mark.parametrize("fault", ["reset", "html-502", "empty", "lose-session"])
async def test_a_page_that_fails_once_is_read_again(fault: str, page: int) -> None:
    """A recycle of the server costs no night."""
    office = Office(small(9, faults=steps(*["ok"] * page, fault, on=Channel.QUERY)))
    found = await select(office)
    assert len(found.numbers) == len(set(found.numbers)) == 60 + DIGITS


@pytest.mark.parametrize("most", [1, 30, 99])
async def test_more_than_max_count_stops_with_what_was_found(most: int) -> None:
    """The oldest come first, so that the next selection goes on."""
    found = await select(Office(small(7)), Selection(max_count=most))
    assert (len(found.bills), found.said.count, found.said.more) == (most, most, True)


@pytest.mark.parametrize(
    ("most", "count", "passed"),
    [(5, 5, 10), (80, 80, 10), (90, 90, 10), (95, 95, 5), (200, 100, 0)],
)
async def test_bills_with_documents_take_the_places_that_others_leave(
    most: int, count: int, passed: int
) -> None:
    """Else the oldest would be selected night after night, and no other bill ever."""
    oldest = set(orders(10))

    async def have(bills: Sequence[Selected]) -> list[str]:
        return [bill.id for bill in bills if bill.number in oldest]

    found = await select(Office(small(7)), Selection(max_count=most), have=have)
    assert len(found.bills) == found.said.count == count
    assert (found.said.more, found.said.passed) == (most < 90, passed)
    assert set(found.numbers[:90]).isdisjoint(oldest)
    assert found.numbers[90:] == orders(10)[: max(0, count - 90)]


async def test_as_many_as_max_count_are_all() -> None:
    """There is no more to be said of them."""
    found = await select(Office(small()), Selection(max_count=60 + DIGITS))
    assert (found.said.count, found.said.more) == (60 + DIGITS, False)


async def test_days_are_told_from_the_day_of_the_run() -> None:
    """The sandbox dates one bill in six on each of six days."""
    office = Office(small(dated_days=6))
    found = await select(office, Selection(days=1))
    recent = [bill for bill in found.bills if bill.number.startswith("CGDD")]
    assert {bill.date for bill in recent} == {"2026-01-02", "2026-01-01"}
    assert len(recent) == 20
    same = await select(office, Selection(where="FDate>=today-1"))
    assert same.bills == found.bills


async def test_an_organisation_selects_its_own_bills() -> None:
    """One number may be in two; the list tells them apart by their ids."""
    office = Office(small(twins=(orders(1)[0],)))
    found = await select(office, Selection(organisation="200"))
    assert [(bill.number, bill.organisation) for bill in found.bills] == [(orders(1)[0], "200")]
    both = await select(office, Selection(where=f"FBillNo='{orders(1)[0]}'"))
    assert [bill.organisation for bill in both.bills] == ["100", "200"]


async def test_a_filter_that_the_erp_refuses_is_told_at_once() -> None:
    """It is no server that is away: nobody waits for it to come back."""
    found = Found()
    with pytest.raises(LookRefusedError) as raised:
        await select(Office(small()), Selection(where="FNote like"), found=found)
    assert raised.value.definite
    assert sum(seconds for _, seconds in found.watch.waits) < 10
    assert found.bills == []


async def test_what_was_selected_is_pushed_by_its_ids() -> None:
    """One number in two organisations is no dead end there."""
    office = Office(small(twins=(orders(1)[0],)))
    found = await select(office)
    await office.open_run([key_of(bill.number, bill.id) for bill in found.bills])
    pushed = await office.execute()
    assert set(pushed.states.values()) == {"pushed"}
    assert len(pushed.states) == 60 + DIGITS + 1
    assert (await select(office)).bills == []


async def test_a_user_who_is_refused_leaves_it_to_the_others() -> None:
    """As every look does."""
    office = Office(small())
    wrong = password_login("sandbox", "sandbox", "no", 2052)
    able = password_login("sandbox", "sandbox2", "sandbox", 2052)
    async with office.erp({"sandbox": wrong, "sandbox2": able}) as erp:
        page = await erp.selected(ROUTE, Selection(), today=NOON.date(), after="0")
        last = page.bills[-1].id
        then = await erp.selected(ROUTE, Selection(), today=NOON.date(), after=last)
    assert (len(page.bills), then.bills) == (60 + DIGITS, [])


async def test_a_bill_whose_number_no_list_can_hold_is_pushed_by_its_id(tmp_path: Path) -> None:
    """One such bill in the ERP must not end each night."""
    office = Office(sandbox(orders=2))
    odd = ["CG,1", "CG，2", "x" * 90]
    for number in odd:
        office.site.world.add_source(PURCHASE_ORDER, number)
    path = tmp_path / "selected.csv"
    async with new_list(path) as put:
        put((await select(office)).bills)
    await office.open_run([listed.key for listed in await to_thread.run_sync(_listed, path)])
    pushed = await office.execute()
    assert set(pushed.states.values()) == {"pushed"}
    assert all(len(office.site.world.documents_of(number)) == 1 for number in odd)


def _listed(path: Path) -> list[Listed]:
    return list(read_job(path))
