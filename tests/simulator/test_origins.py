"""What targets say of their sources: numbers, forms and links, and fields that say nothing."""

from __future__ import annotations

from typing import Any

import pytest

from k3push.simulator import PushOrder, World
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import (
    IN_STOCK,
    OUT_STOCK,
    PAYABLE,
    PURCHASE_ORDER,
    RECEIVE_BILL,
    ROUTES,
    STOCK_TO_PAYABLE,
)
from tests.simulator.clients import Client, logged_in, site_of
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio

NUMBER = "CGDD0000001"
LINK = "FInStockEntry_Link_FSBillId,FInStockEntry_Link_FSTableName,FInStockEntry_Link_FRuleId"


async def told(client: Client, keys: str, filter_string: str = "", **asked: Any) -> set[Any]:
    """Give what targets show in some fields, each once."""
    rows = await client.query(filter_string, FieldKeys=keys, **asked)
    return {tuple(row) for row in rows}


def code_of(answer: Any) -> int:
    """Give the MsgCode of a query that failed."""
    return int(answer[0][0]["Result"]["ResponseStatus"]["MsgCode"])


async def test_a_target_names_the_form_of_its_source() -> None:
    """The field has another name in each form (P 6.6)."""
    site = site_of()
    client = await logged_in(site)
    await client.push(NUMBER)
    site.world.push(PushOrder("SAL_SaleOrder", ("XSDD0000001",), rule_id="SaleOrder-OutStock"))
    assert await told(client, "FSRCBillNo,FSRCBILLTYPEID") == {(NUMBER, "PUR_PurchaseOrder")}
    shipped = await told(client, "FSrcBillNo,FSrcType", FormId=OUT_STOCK.id)
    assert shipped == {("XSDD0000001", "SAL_SaleOrder")}


async def test_a_source_may_be_a_target_itself() -> None:
    """The payables of a stock bill name it, in fields of a third name."""
    site = site_of(routes=(*ROUTES, STOCK_TO_PAYABLE))
    client = await logged_in(site)
    await client.push(NUMBER)
    (stocked,) = site.world.documents_of(NUMBER)
    site.world.approve(stocked)
    site.world.push(PushOrder("stk_instock", (stocked.number,), rule_id=STOCK_TO_PAYABLE.rule_id))
    shown = await told(client, "FSOURCEBILLNO,FSOURCETYPE", FormId=PAYABLE.id)
    assert shown == {(stocked.number, "STK_InStock")}


@pytest.mark.parametrize(
    ("lacking", "keys"),
    [
        ({"source_form_fields": False}, "FSRCBILLTYPEID"),
        ({"link_fields": False}, "FInStockEntry_Link_FSBillId"),
        ({"link_fields": False}, "FInStockEntry_Link_FRuleId"),
    ],
)
async def test_a_site_may_lack_the_fields_that_tell_sources_apart(
    lacking: dict[str, bool], keys: str
) -> None:
    """Then a number is all that there is."""
    client = await logged_in(site_of(**lacking))
    assert code_of(await client.query(FieldKeys=keys)) == 9
    assert await client.query(FieldKeys="FSRCBillNo") == []


@pytest.mark.parametrize(
    "key", ["FSupplierId.FNumber", "FStockOrgId.FNumber", "FNote", "FMaterialId.FNumber"]
)
async def test_a_field_may_exist_and_name_no_source(key: str) -> None:
    """Nothing but its silence tells that it is the wrong one."""
    client = await logged_in(site_of())
    await client.push(NUMBER)
    assert await client.query(f"{key} = '{NUMBER}'", FieldKeys=f"FID,{key}") == []
    assert len(await client.query(FieldKeys=f"FID,{key}")) > 0


def stocked(**options: Any) -> tuple[World, Bill]:
    """Give the books of a site, and the source that targets are put in for."""
    world = site_of(**options).world
    return world, world.store.by_number(PURCHASE_ORDER, NUMBER)[0]


async def test_a_target_of_another_form_of_source_may_bear_the_same_number() -> None:
    """The number finds it; its form and its links say that it is another's."""
    site = site_of()
    site.world.add_target(IN_STOCK, NUMBER, source_form=RECEIVE_BILL)
    client = await logged_in(site)
    keys = f"FSRCBILLTYPEID,{LINK}"
    ((form, bill_id, table, rule),) = await told(client, keys, f"FSRCBillNo = '{NUMBER}'")
    assert (form, table) == ("PUR_ReceiveBill", "T_PUR_ReceiveEntry")
    assert rule == "PUR_ReceiveBill-STK_InStock"
    assert site.world.store.by_id(PURCHASE_ORDER, int(bill_id)) is None
    assert site.world.makings_of(NUMBER) == ()
    assert (await client.push(NUMBER))["IsSuccess"]


async def test_a_number_that_was_typed_in_has_neither_form_nor_link() -> None:
    """It takes no quantity, so its source can still be pushed."""
    site = site_of()
    site.world.add_target(IN_STOCK, NUMBER, typed=True)
    client = await logged_in(site)
    shown = await told(client, f"FSRCBILLTYPEID,{LINK}", f"FSRCBillNo = '{NUMBER}'")
    assert shown == {(" ", " ", " ", " ")}
    assert (await client.push(NUMBER))["IsSuccess"]


def test_a_target_by_a_persons_hand_uses_its_source_up() -> None:
    """It is linked like one that a push made."""
    world, source = stocked()
    target = world.add_target(IN_STOCK, NUMBER)
    assert source.closed
    assert [making.push for making in world.makings_of(NUMBER)] == [0]
    assert world.store.by_source_id(IN_STOCK, source.id) == [target]


async def test_a_cancelled_target_is_still_found() -> None:
    """Its status of cancelling alone tells that its source may travel."""
    site = site_of()
    site.world.add_target(IN_STOCK, NUMBER, cancelled=True)
    client = await logged_in(site)
    shown = await told(client, "FBillNo,FCancelStatus", f"FSRCBillNo = '{NUMBER}'")
    assert shown == {("CGRK0000001", "B")}
    assert (await client.push(NUMBER))["IsSuccess"]


@pytest.mark.parametrize(("default", "rule"), [(False, "PUR"), (True, "ZMER_PUR")])
def test_a_pair_of_forms_may_have_a_second_rule(default: bool, rule: str) -> None:  # noqa: FBT001
    """Two routes by two rules then make the same documents; one of them is the default."""
    routes = with_second_rule(default=default)
    world = site_of(routes=routes, write_back="never").world
    first = "PUR_PurchaseOrder-STK_InStock"
    for order in (
        PushOrder("PUR_PURCHASEORDER", (NUMBER,), rule_id=first),
        PushOrder("pur_purchaseorder", (NUMBER,), rule_id=f"zmer_{first}"),
        PushOrder("PUR_PurchaseOrder", (NUMBER,), target_form="STK_INSTOCK", default_rule=True),
    ):
        assert len(world.push(order).made) == 1
    lines = [bill.entries[0] for bill in world.documents_of(NUMBER)]
    rules = [link.rule_id for line in lines for link in line.links]
    assert rules == [first, f"ZMER_{first}", f"{rule}_PurchaseOrder-STK_InStock"]
