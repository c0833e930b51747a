"""Users who see less than others, without a word of it."""

from __future__ import annotations

from typing import Any

import pytest

from k3push.simulator import QueryLimits, Sight, Site
from tests.simulator.clients import Client, client_of, site_of

pytestmark = pytest.mark.anyio

NUMBERS = tuple(f"CGDD{index:07d}" for index in range(20))


async def entered(site: Site, user: str) -> Client:
    """Give a client that is logged in as *user*."""
    client = client_of(site)
    await client.log_in(username=user)
    return client


async def seen(site: Site, user: str, **asked: Any) -> set[str]:
    """Give the source numbers of the targets that *user* sees."""
    client = await entered(site, user)
    return {row[3] for row in await client.query(**asked)}


@pytest.mark.parametrize(
    ("sees", "found"),
    [
        ({}, set(NUMBERS[:4])),
        ({"sandbox": Sight.ALL}, set(NUMBERS[:4])),
        ({"sandbox": Sight.OWN}, set(NUMBERS[:2])),
        ({"sandbox": Sight.NONE}, set()),
        ({"sandbox2": Sight.NONE}, set(NUMBERS[:4])),
    ],
)
async def test_a_user_sees_the_targets_that_his_rights_show(
    sees: dict[str, str], found: set[str]
) -> None:
    """What is hidden is missing from the rows, and no error says so."""
    site = site_of(sees=sees)
    await (await entered(site, "sandbox")).push(*NUMBERS[:2])
    await (await entered(site, "sandbox2")).push(*NUMBERS[2:4])
    assert await seen(site, "sandbox") == found


async def test_half_of_the_targets_may_be_hidden_the_same_half_each_time() -> None:
    """Two such users do not see the same half."""
    site = site_of(sees={"sandbox": "half", "sandbox2": "half"})
    await (await entered(site, "sandbox")).push(*NUMBERS)
    first, again = await seen(site, "sandbox"), await seen(site, "sandbox")
    assert first == again
    assert 4 < len(first) < 16
    assert await seen(site, "sandbox2") not in (first, set(NUMBERS))


async def test_sources_are_seen_by_all() -> None:
    """Rights to data are a matter of the targets here."""
    site = site_of(sees={"sandbox": "none"})
    client = await entered(site, "sandbox")
    asked = {"FormId": "PUR_PurchaseOrder", "FieldKeys": "FBillNo"}
    assert await client.query("FBillNo = 'CGDD0000001'", **asked) == [["CGDD0000001"]]


async def test_a_form_that_a_user_may_not_read_is_an_error_row() -> None:
    """The right to a form is another thing than rights to data: it is refused aloud (P 6.3)."""
    site = site_of(unreadable={"sandbox": ["stk_instock"]})
    answer = await (await entered(site, "sandbox")).query()
    assert answer[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 2
    assert await seen(site, "sandbox2") == set()


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
async def test_a_page_may_be_cut_at_any_size_and_the_next_one_goes_on(rows: int) -> None:
    """A client that takes a short page for the last one misses the rest."""
    limits = QueryLimits(user_rows={"sandbox": rows})
    site = site_of(limits=limits)
    client = await entered(site, "sandbox")
    await client.push(*NUMBERS)
    whole = await (await entered(site, "sandbox2")).query(OrderString="FID", Limit=2000)
    pages: list[list[Any]] = []
    while page := await client.query(OrderString="FID", Limit=2000, StartRow=sum(map(len, pages))):
        pages.append(page)
    assert {len(page) for page in pages[:-1]} == {rows}
    assert [row for page in pages for row in page] == whole
    assert len(whole) > len(NUMBERS)
