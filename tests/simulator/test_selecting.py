"""What a client asks to choose bills: rules, filters, pages by id, ids and organisations."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from k3push.simulator import Aimed, FaultPlan, PushOrder, Rival, fault
from k3push.simulator.books.forms import ORDER_TO_SHIPMENT, PURCHASE_ORDER, ROUTES, Route
from tests.simulator.clients import Client, logged_in, site_of

pytestmark = pytest.mark.anyio

ORDERS = {"FormId": "PUR_PurchaseOrder", "OrderString": "FID"}
RULES = {"FormId": "BOS_ConvertRule", "FieldKeys": "FNumber,FIsDefault,FStatus,FTargetFormId"}
A = "CGDD0000001"
RULE = "PUR_PurchaseOrder-STK_InStock"


async def rules(client: Client, where: str = "", **more: Any) -> Any:
    """List conversion rules."""
    return await client.query(where, **{**RULES, **more})


async def test_rules_can_be_filtered_and_tell_their_forms() -> None:
    """FNumber and FName were seen on a real site, the others are guessed (P 12.1)."""
    disabled = Route("GUID-7", *_pair(ROUTES[0]), default=False, enabled=False)
    client = await logged_in(site_of(routes=(*ROUTES, disabled)))
    found = await rules(client, "FSourceFormId = 'PUR_PurchaseOrder'")
    assert found == [
        ["GUID-7", "0", "0", "STK_InStock"],
        ["PUR_PurchaseOrder-PUR_ReceiveBill", "1", "1", "PUR_ReceiveBill"],
        [RULE, "1", "1", "STK_InStock"],
    ]
    assert await rules(client, "FName like '%出库%'", FieldKeys="FNumber") == [
        ["SaleOrder-OutStock"]
    ]
    refused = await client.push(A, RuleId="GUID-7")
    assert "运行时不允许加载" in refused["Errors"][0]["Message"]


def _pair(route: Route) -> tuple[Any, Any]:
    return route.source, route.target


@pytest.mark.parametrize(
    ("options", "code"),
    [({"rules": "names"}, 9), ({"unreadable": {"sandbox": ["BOS_ConvertRule"]}}, 2)],
)
async def test_a_site_may_not_tell_its_rules(options: dict[str, Any], code: int) -> None:
    """Then a client does not know, and must not say that a rule is wrong."""
    client = await logged_in(site_of(**options))
    answer = await rules(client)
    assert answer[0][0]["Result"]["ResponseStatus"]["MsgCode"] == code


async def test_a_site_may_list_no_rules() -> None:
    """An empty list says nothing of the rules that work."""
    client = await logged_in(site_of(rules="none"))
    assert await rules(client) == []
    assert (await client.push(A))["IsSuccess"]


async def test_a_site_without_default_rules_wants_the_rule_named() -> None:
    """In these words (P 12.2)."""
    client = await logged_in(site_of(default_rules=False))
    default = {"RuleId": "", "TargetFormId": "STK_InStock", "IsEnableDefaultRule": "true"}
    refused = await client.push(A, **default)
    text = "未启用默认转换规则，转换规则内码（RuleId）必填"
    assert refused["Errors"][0]["Message"] == text
    assert (await client.push(A))["IsSuccess"]


async def test_bills_are_chosen_by_status_date_organisation_and_quantity_left() -> None:
    """The filter of a night: approved, open, not cancelled, of the last days, not used up."""
    client = await logged_in(site_of(dated_days=7, twins=(A, "CGDD0000003")))
    await client.push("CGDD0000002")
    where = (
        "FDocumentStatus = 'C' and FCloseStatus = 'A' and FCancelStatus = 'A'"
        " and FDate >= '2026-01-01 00:00:00' and FPurchaseOrgId.FNumber = '100'"
        " and FRemainStockINQty > 0 and FBillNo like 'CGDD00000%'"
    )
    rows = await client.query(where, **ORDERS, FieldKeys="FBillNo,FDate,FPurchaseOrgId,FModifyDate")
    assert {(row[0][-2:], row[1][:10]) for row in rows} == {
        (f"{index:02}", str(date(2026, 1, 2 - index % 7)))
        for index in range(20)
        if index % 7 < 2 and index != 2
    }
    assert {row[2] for row in rows} == {100}


async def test_pages_by_id_are_stable_and_end_early() -> None:
    """A page goes on after the last id of the one before (P 6.2)."""
    client = await logged_in(site_of())
    everything = await client.query(**ORDERS, FieldKeys="FID")
    paged: list[list[int]] = []
    while True:
        last = paged[-1][0] if paged else 0
        page = await client.query(f"FID > {last}", **ORDERS, FieldKeys="FID", Limit=7)
        paged += page
        if len(page) < 7:
            break
    assert paged == everything
    tail = await client.query(f"FID >= {last}", **ORDERS, FieldKeys="FID")
    assert tail == [[last], *everything[everything.index([last]) + 1 :]]
    lines = {**ORDERS, "FieldKeys": "FID,FPOOrderEntry_FSeq"}
    assert (
        await client.query("", **lines, StartRow=2, Limit=3)
        == (await client.query("", **lines))[2:5]
    )
    assert await client.query(
        **{**ORDERS, "OrderString": "FID desc"}, FieldKeys="FID", Limit=1
    ) == [everything[-1]]


async def test_a_number_of_two_organisations_is_pushed_by_its_id() -> None:
    """By number both are pushed, by id one, and faults find it by its number all the same."""
    plan = FaultPlan(aimed={A: Aimed(fault("edit-lock"))}, rivals={A: Rival()})
    site = site_of(twins=(A,), faults=plan, write_back="never")
    client = await logged_in(site)
    rows = await client.query(f"FBillNo = '{A}'", **ORDERS, FieldKeys="FID,FPurchaseOrgId.FNumber")
    assert [org for _, org in rows] == ["100", "200"]
    ids = [str(row[0]) for row in rows]
    assert (await client.push(Ids=ids[1]))["MsgCode"] == 13
    site.faults.end()
    await client.push(Ids=ids[1], Numbers=[])
    await client.push(A)
    made = [making.source.org for making in site.world.makings_of(A)]
    assert made.count("200") == 3
    assert made.count("100") == 2


async def test_a_pair_that_no_client_knows_has_links_too() -> None:
    """Its entry's key is told by QueryBusinessInfo, as a table with a parent (P 15.1)."""
    site = site_of(routes=(*ROUTES, ORDER_TO_SHIPMENT))
    client = await logged_in(site)
    asked = {"data": {"FormId": "ZMER_Shipment"}}
    info = (await client.call("DynamicFormService.QueryBusinessInfo", asked)).json()
    tables = {each["Key"]: each for each in info["Result"]["NeedReturnData"]["Entrys"]}
    assert tables["FShipEntry"]["ParentKey"] == "FBillHead"
    assert tables["FShipEntry_Link"]["ParentKey"] == "FShipEntry"
    order = PushOrder("SAL_SaleOrder", ("XSDD0000001",), rule_id=ORDER_TO_SHIPMENT.rule_id)
    (made,) = site.world.push(order).made
    (source,) = made.sources
    rows = await client.query(
        f"FShipEntry_Link_FSBillId in ({source.id})",
        FormId="ZMER_Shipment",
        FieldKeys="FID,FShipEntry_Link_FSBillId,FShipEntry_Link_FSId",
    )
    assert {(row[0], row[1]) for row in rows} == {(made.target.id, str(source.id))}


async def test_business_info_needs_the_right_to_read_the_form() -> None:
    """No right is an error, and no empty description."""
    client = await logged_in(site_of(unreadable={"sandbox": ["STK_InStock"]}))
    asked = {"data": {"FormId": "STK_InStock"}}
    answer = await client.call("DynamicFormService.QueryBusinessInfo", asked)
    assert answer.json()["Result"]["ResponseStatus"]["MsgCode"] == 2


async def test_a_document_made_by_hand_may_take_a_part() -> None:
    """So a legitimate part delivery is no double."""
    world = site_of().world
    (source,) = world.store.by_number(PURCHASE_ORDER, A)
    before = [entry.left for entry in source.entries]
    world.add_target(ROUTES[0].target, A, quantities=[1])
    assert source.entries[0].left == before[0] - 1
    assert [entry.left for entry in source.entries[1:]] == before[1:]
