"""A field that QueryBusinessInfo lists and queries refuse is waited for, and not for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, State
from k3push.core.protocol.selection import Selected, Selection
from k3push.ports import LookFailedError
from k3push.runs.select import SelectContext, select_bills
from k3push.runs.stop import Stop
from k3push.simulator.query_answers.queries import Desk, Found
from tests.adapters.erp.sites import ROUTE as ROUTE_OF_SITES
from tests.adapters.erp.sites import erp_of
from tests.adapters.erp.sites import sandbox as small_site
from tests.runs.office import LIMITS, LOGIN, NOON, ROUTE, Notebook, Office, orders, push, sandbox

pytestmark = pytest.mark.anyio

# A person waits so long for a command that says what it waits for.
PATIENCE_S = 240.0

FIELD = "FCloseStatus"
STATUSES = ("FDocumentStatus", FIELD, "FCancelStatus")


@pytest.mark.parametrize("fields", [STATUSES[1:2], STATUSES[2:], STATUSES[1:]])
async def test_a_run_goes_on_without_a_field_that_metadata_tell_and_queries_refuse(
    fields: tuple[str, ...],
) -> None:
    """Two nodes of a farm may differ, or the field has no column; each form is like this."""
    with anyio.fail_after(PATIENCE_S):
        pushed = await push(orders(30), sandbox(hollow_fields=fields))
    assert pushed.of(State.PUSHED) == set(orders(30))


async def test_a_run_says_meanwhile_which_field_it_waits_for() -> None:
    """Else it stands still without a word."""
    pushed = await push(orders(3), sandbox(hollow_fields=STATUSES[1:2]))
    told = [s for why, s in pushed.watch.waits if "told_and_refused" in why and FIELD in why]
    assert sum(told) >= PATIENCE_S / 4


async def test_all_statuses_of_a_form_are_given_up_within_some_minutes() -> None:
    """Each refusal names one field; what metadata tell of the others is believed less by then."""
    async with erp_of(small_site(hollow_fields=STATUSES)) as erp:
        with anyio.fail_after(PATIENCE_S):
            found = await erp.sources_of(ROUTE_OF_SITES, [BillNumber("CGDD0000001")])
        assert erp.lacking(ROUTE.source) == sorted(STATUSES)
    assert [[each.number for each in bills] for bills in found.values()] == [["CGDD0000001"]]


async def test_a_selection_goes_on_without_a_field_that_metadata_tell() -> None:
    """The field is in its filter too."""
    office, taken, watch = Office(sandbox(hollow_fields=STATUSES[1:])), list[Selected](), Notebook()

    async def take(bills: Sequence[Selected]) -> None:
        taken.extend(bills)

    async with office.erp({"sandbox": LOGIN}) as erp:
        context = SelectContext(ROUTE, erp, LIMITS, Stop(), watch)
        with anyio.fail_after(PATIENCE_S):
            found = await select_bills(context, Selection(), today=NOON.date(), take=take)
    assert found.lacking == sorted(STATUSES[1:])
    assert {bill.number for bill in taken} >= set(orders(60))
    assert any(FIELD in why for why, _ in watch.waits)


async def test_a_field_that_cannot_be_left_out_ends_the_look() -> None:
    """The settings name a field of the form's own for the source's number, and it is refused."""
    site = small_site(hollow_fields=STATUSES[2:], latency_s=0.1)
    route = replace(ROUTE_OF_SITES, source_number_field="FCancelStatus")
    async with erp_of(site) as erp:
        with anyio.fail_after(PATIENCE_S), pytest.raises(LookFailedError, match="FCancelStatus"):
            await erp.targets_of(route, [BillNumber("CGDD0000001")])


async def test_a_field_that_is_refused_while_a_site_loads_its_metadata_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The metadata are told whole meanwhile, by another node."""
    site = small_site()
    rows = Desk.rows

    def refuse(self: Desk, data: Mapping[str, Any], user: str = "") -> Found:
        self.hollow = frozenset({"fdocumentstatus"} if anyio.current_time() < 90 else ())
        return rows(self, data, user)

    monkeypatch.setattr(Desk, "rows", refuse)
    async with erp_of(site) as erp:
        found = await erp.sources_of(ROUTE_OF_SITES, [BillNumber("CGDDU000000")])
        assert erp.lacking(ROUTE.source) == []
    assert [each.blocked for bills in found.values() for each in bills] == ["unapproved"]
