from __future__ import annotations

from typing import Any

import pytest

from k3push.simulator import AnswerStyle, PushOrder, QueryLimits, Refusal, SandboxOptions
from k3push.simulator.query_answers.queries import Desk
from tests.simulator.clients import Client, logged_in, site_of

pytestmark = pytest.mark.anyio

PUSHED = ("CGDD0000001", "CGDD0000002", "CGDD0000003")


async def stocked(**options: Any) -> Client:
    """Give a client of a site where three orders have been pushed, one into a draft."""
    site = site_of(**options)
    site.world.refuse(PUSHED[2], Refusal(11, "单价不能为0", saving=True))
    client = await logged_in(site)
    await client.push(*PUSHED, IsDraftWhenSaveFail=True)
    return client


async def sources(client: Client, filter_string: Any) -> list[str]:
    """Give the source numbers of the stock bills that pass a filter, each once."""
    rows = await client.query(filter_string, OrderString="FID")
    return list(dict.fromkeys(row[3] for row in rows))


@pytest.mark.parametrize(
    ("filter_string", "found"),
    [
        ("", PUSHED),
        ("FSRCBillNo = 'cgdd0000001'", PUSHED[:1]),
        ("fsrcbillno in ('CGDD0000001', 'ＣＧＤＤ0000002 ')", PUSHED[:2]),
        ("FSRCBillNo <> 'CGDD0000001'", PUSHED[1:]),
        ("FSRCBillNo > 'CGDD0000001' and FSRCBillNo <= 'CGDD0000003'", PUSHED[1:]),
        ("FSRCBillNo < 'CGDD0000002' OR FDocumentStatus = 'Z'", (PUSHED[0], PUSHED[2])),
        (
            "(FDocumentStatus='Z' or FDocumentStatus='A') and FRealQty>=0 and FRealQty < 1000",
            PUSHED,
        ),
        ("FBillNo like 'CGRK%' and not FSRCBillNo like '%0002'", PUSHED[:1]),
        ("FSRCBillNo not in ('CGDD0000001') and FBillNo not like 'X_'", PUSHED[1:]),
        ("FNote is null", ()),
        ("FNote is not null and FNote = ' '", PUSHED),
        ("FBillNo = 'it''s'", ()),
        ("FBillNo = N'CGRK0000001'", PUSHED[:1]),
        ("FBillNo != ' '", PUSHED[:2]),
        ("FCreateDate >= '2026-01-02' and FCreateDate < '2026-01-03'", PUSHED),
        (None, PUSHED),
        ("FID > 'x'", ()),
        ("FID = 'x'", ()),
        ("FID = 0 or FSRCBillNo = 'CGDD0000002'", PUSHED[1:2]),
    ],
)
async def test_filters_read_like_sql(filter_string: str | None, found: tuple[str, ...]) -> None:
    """Text filters are what nearly every client sends (P 6.1)."""
    assert await sources(await stocked(), filter_string) == list(found)


def official(field: str, compare: str, value: str, **more: str) -> dict[str, str]:
    """Give one item of the official filter array."""
    item = {"Left": "(", "FieldName": field, "Compare": compare, "Value": value, "Right": ")"}
    return {**item, "Logic": "0", **more}


async def test_the_official_array_is_a_filter_too() -> None:
    """Logic joins an item with the next: 0 is and, 1 is or (P 6.1)."""
    client = await stocked()
    either = [
        official("FSRCBillNo", "67", PUSHED[0], Logic="1"),
        official("FBillNo", "17", "0000002", Left="", Right=""),
    ]
    assert await sources(client, either) == list(PUSHED[:2])
    assert await sources(client, [official("FSRCBillNo", "39", PUSHED[2])]) == [PUSHED[2]]
    assert await sources(client, []) == list(PUSHED)


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"FieldKeys": "FID,FNope"}, 9, "元数据中标识为FNope的字段不存在"),
        ({"FieldKeys": ""}, 8, "FieldKeys"),
        ({"FormId": "XX_Nope"}, 4, "XX_Nope"),
        ({"FilterString": "FID = "}, 4, "GetRealExpress error"),
        ({"FilterString": "FID = 1 FID"}, 4, "GetRealExpress error"),
        ({"FilterString": "(" * 200 + "FID = 1"}, 4, "GetRealExpress error"),
        ({"FilterString": "FID ; 1"}, 4, "GetRealExpress error"),
        ({"FilterString": "'a' = FID"}, 4, "GetRealExpress error"),
        ({"FilterString": "FID not = 1"}, 4, "GetRealExpress error"),
        ({"FilterString": "FID in (1"}, 4, "GetRealExpress error"),
        ({"FilterString": [{"FieldName": "FID", "Compare": "99"}]}, 4, "GetRealExpress error"),
        ({"FilterString": ["FID"]}, 4, "GetRealExpress error"),
        ({"FilterString": 7}, 4, "GetRealExpress error"),
        ({"FilterString": "FNope = 1"}, 9, "FNope"),
        ({"OrderString": "FNope"}, 9, "FNope"),
    ],
)
async def test_errors_are_nested_where_rows_would_be(
    changes: dict[str, Any], code: int, text: str
) -> None:
    """A client that counts rows takes one of these for a bill (P 6.3)."""
    client = await stocked()
    answer = await client.query(**{"filter_string": "", **changes})
    status = answer[0][0]["Result"]["ResponseStatus"]
    assert (status["IsSuccess"], status["MsgCode"]) == (False, code)
    assert text in status["Errors"][0]["Message"]


async def test_rows_are_flattened_by_entries_when_an_entry_field_is_used() -> None:
    """Head fields are repeated; without a field of entries there is one row a bill (P 6.3)."""
    client = await logged_in(site_of())
    order = {"FormId": "pur_purchaseorder", "FilterString": "FBillNo='CGDD0000001'"}
    heads = await client.query(**order, FieldKeys="FBillNo")
    lines = await client.query(**order, FieldKeys="FBillNo,FPOOrderEntry_FEntryId")
    assert heads == [["CGDD0000001"]]
    assert len(lines) == 2
    assert {line[0] for line in lines} == {"CGDD0000001"}


async def test_links_can_be_selected_and_filtered() -> None:
    """They are the proof of which source a target came from (P 6.5)."""
    client = await stocked()
    ((source_id,),) = await client.query(
        "FBillNo='CGDD0000002'", FormId="PUR_PurchaseOrder", FieldKeys="FID"
    )
    keys = "FBillNo,FInStockEntry_Link_FSTableName,FInStockEntry_Link_FRuleId,FPOOrderNo"
    rows = await client.query(f"FInStockEntry_Link_FSBillId = {source_id}", FieldKeys=keys)
    assert rows[0] == [
        "CGRK0000002",
        "t_PUR_POOrderEntry",
        "PUR_PurchaseOrder-STK_InStock",
        "CGDD0000002",
    ]


async def test_pages_are_cut_by_start_limit_and_the_absolute_last_row() -> None:
    """TopRowCount does not count from StartRow (P 6.2)."""
    client = await logged_in(site_of())
    order = {"FormId": "PUR_PurchaseOrder", "FieldKeys": "FBillNo", "OrderString": "FBillNo desc"}
    everything = await client.query("FBillNo < 'CGDD0000010'", **order)
    assert everything[0] == ["CGDD0000009"]
    page = await client.query("FBillNo < 'CGDD0000010'", **order, StartRow=4, Limit=3)
    assert page == everything[4:7]
    top = await client.query("FBillNo < 'CGDD0000010'", **order, StartRow=4, TopRowCount=5)
    assert top == everything[4:5]


def test_rows_without_a_value_come_first() -> None:
    """As SQL Server sorts its nulls; only ``is null`` is true of them."""
    world = site_of().world
    world.refuse(PUSHED[0], Refusal(11, "单价不能为0", saving=True))
    rule = "PUR_PurchaseOrder-STK_InStock"
    world.push(PushOrder("PUR_PurchaseOrder", PUSHED, rule_id=rule, draft_when_save_fails=True))
    desk = Desk(world, SandboxOptions(), draft_number=None)
    ask = {"formid": "STK_InStock", "fieldkeys": "FBillNo", "limit": "many"}
    _, rows, _ = desk.rows({**ask, "orderstring": "FBillNo"})
    assert rows == [[None], ["CGRK0000001"], ["CGRK0000002"]]
    assert desk.rows({**ask, "filterstring": "FBillNo is null"})[1] == [[None]]
    assert desk.rows({**ask, "filterstring": "FBillNo <> 'x'"})[1] == rows[1:]


async def test_a_page_longer_than_the_server_allows_is_cut_in_silence() -> None:
    """A client that does not page takes the rest for absent."""
    client = await logged_in(site_of(limits=QueryLimits(rows=7)))
    rows = await client.query(FormId="PUR_PurchaseOrder", FieldKeys="FID", Limit=5000)
    assert len(rows) == 7


async def test_a_filter_longer_than_the_server_allows_throws() -> None:
    """The answer is then text and no list."""
    client = await logged_in(site_of(limits=QueryLimits(filter_chars=20)))
    data = {"FormId": "STK_InStock", "FieldKeys": "FID", "FilterString": "FID=1 or " * 9 + "FID=2"}
    answer = await client.call("DynamicFormService.ExecuteBillQuery", {"data": data})
    assert answer.text.startswith("response_error:")


async def test_bill_query_gives_objects_and_bare_errors() -> None:
    """Its keys are spelt as they were asked for (P 6.3)."""
    client = await stocked()
    service = "DynamicFormService.BillQuery"
    data = {
        "FormId": "STK_InStock",
        "FieldKeys": "fid, FBillNo",
        "FilterString": "FBillNo like 'CGRK%'",
    }
    rows = (await client.call(service, {"data": data})).json()
    assert [set(row) for row in rows] == [{"fid", "FBillNo"}] * 2
    bad = (await client.call(service, {"data": {**data, "FieldKeys": "x"}})).json()
    assert bad["Result"]["ResponseStatus"]["MsgCode"] == 9


@pytest.mark.parametrize(("shown", "seen"), [(None, " "), ("", ""), (" ", " ")])
async def test_a_draft_has_no_number_in_rows(shown: str | None, seen: str) -> None:
    """Text fields hold one blank rather than null (P 6.4), and drafts are found by status."""
    client = await stocked(style=AnswerStyle(draft_number=shown))
    rows = await client.query("FDocumentStatus='Z'")
    assert {(row[1], row[3]) for row in rows} == {(seen, PUSHED[2])}
    assert await client.query("FBillNo=' '") == rows


async def test_business_info_lists_the_fields_of_a_form() -> None:
    """A check of the settings looks the source-number field up in it."""
    client = await logged_in(site_of())
    service = "DynamicFormService.QueryBusinessInfo"
    info = (await client.call(service, {"data": {"FormId": "STK_InStock"}})).json()
    tables = info["Result"]["NeedReturnData"]["Entrys"]
    keys = {field["Key"] for table in tables for field in table["Fields"]}
    assert {"FBillNo", "FSRCBillNo"} <= keys
    nope = (await client.call(service, {"data": {"FormId": "Nope"}})).json()
    assert nope["Result"]["ResponseStatus"]["MsgCode"] == 4


async def test_conversion_rules_are_listed() -> None:
    """What `check` asks for; other columns of that form were not seen on a real site."""
    client = await logged_in(site_of())
    service = "DynamicFormService.ExecuteBillQuery"
    asked = {"FormId": "BOS_ConvertRule", "FieldKeys": "FNumber,FName"}
    rows = (await client.call(service, {"data": asked})).json()
    assert ["PUR_PurchaseOrder-STK_InStock", "采购订单至采购入库单"] in rows
    refused = (await client.call(service, {"data": asked | {"FieldKeys": "FGuess"}})).json()
    assert refused[0][0]["Result"]["ResponseStatus"]["IsSuccess"] is False
