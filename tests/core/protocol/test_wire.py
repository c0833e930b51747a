from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber, Route, Source, Target
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.links import link_fields
from k3push.core.protocol.pairs import Ground
from tests.core.protocol.answers import LOST, LOST_WORDS, answer, base64_of_gzip, numbers, status
from tests.said import refused

ROUTE = Route("po", "PUR_PurchaseOrder", "STK_InStock", "PUR-STK", "FSRCBillNo")
FIELDS = ["FBillNo", "FID", "FDocumentStatus", "FCloseStatus", "FCancelStatus"]
TARGET_FIELDS = bill_rows.target_fields(ROUTE, link_fields(ROUTE))
A, B = numbers("A B")

# -- requests ----------------------------------------------------------------------------------


def test_a_push_has_the_official_keys_in_their_order() -> None:
    """Nothing is left to a server's default (P 5.1)."""
    assert list(orjson.loads(wire.push_data(ROUTE, [A, B])).items()) == [
        ("Ids", ""),
        ("Numbers", ["A", "B"]),
        ("EntryIds", ""),
        ("RuleId", "PUR-STK"),
        ("TargetBillTypeId", ""),
        ("TargetOrgId", 0),
        ("TargetFormId", "STK_InStock"),
        ("IsEnableDefaultRule", False),
        ("IsDraftWhenSaveFail", False),
        ("CustomParams", {}),
    ]


def test_a_push_carries_what_the_route_asks_for() -> None:
    """Rule or default rule: one of them, never both (P 5.2)."""
    route = Route(
        "po",
        "PUR_PurchaseOrder",
        "STK_InStock",
        draft_when_save_fails=True,
        target_bill_type_id="rklx",
        target_org_id=100,
        custom_params={"batch": ["采购", 1]},
    )
    sent = orjson.loads(wire.push_data(route, [A]))
    assert (sent["RuleId"], sent["IsEnableDefaultRule"], sent["IsDraftWhenSaveFail"]) == (
        "",
        True,
        True,
    )
    assert (sent["TargetBillTypeId"], sent["TargetOrgId"]) == ("rklx", 100)
    assert sent["CustomParams"] == {"batch": ["采购", 1]}


def test_a_number_with_a_comma_stays_one_item() -> None:
    """Several numbers in one item are one unknown number (P 5.1)."""
    odd = BillNumber('A,B"\\')
    assert orjson.loads(wire.push_data(ROUTE, [odd]))["Numbers"] == [odd]


def test_a_body_holds_the_form_and_the_data_as_an_object() -> None:
    """As the official client writes it; queries send the data alone (P 1.5)."""
    assert orjson.loads(wire.call_body('F"', b'{"a":1}')) == {"formid": 'F"', "data": {"a": 1}}
    assert orjson.loads(wire.call_body("", b"{}")) == {"data": {}}


def test_a_page_is_ordered_by_the_internal_id_and_then_by_its_other_fields() -> None:
    """What is made between two pages comes behind both, and equal rows may change places."""
    data = wire.query_data("STK_InStock", ["FBillNo", "FID"], "FID > 1", start=2000, limit=500)
    assert orjson.loads(data) == {
        "FormId": "STK_InStock",
        "FieldKeys": "FBillNo,FID",
        "FilterString": "FID > 1",
        "OrderString": "FID ASC,FBillNo ASC",
        "TopRowCount": 0,
        "StartRow": 2000,
        "Limit": 500,
        "SubSystemId": "",
    }


TOKEN = re.compile(r"'((?:[^']|'')*)'")


@given(st.text())
def test_a_quoted_text_is_closed_exactly_at_its_end(text: str) -> None:
    """A number must not end its own quotes: what follows would be SQL."""
    match = TOKEN.match(wire.quoted(text) + " or 1=1")
    assert match is not None
    assert match.group(1).replace("''", "'") == text
    assert match.end() == len(wire.quoted(text))


@given(st.lists(st.text("a',() ", min_size=1), min_size=1))
def test_a_list_of_numbers_is_read_as_the_same_list(texts: list[str]) -> None:
    """Commas and brackets inside quotes part nothing."""
    written = wire.one_of("FBillNo", map(BillNumber, texts))
    listed = written.removeprefix("FBillNo in (").removesuffix(")")
    read, at = [], 0
    while at < len(listed):
        match = TOKEN.match(listed, at)
        assert match is not None
        read.append(match.group(1).replace("''", "'"))
        assert listed[match.end() : match.end() + 1] in {"", ","}
        at = match.end() + 1
    assert read == texts


def test_a_field_that_the_form_lacks_is_not_asked_for() -> None:
    """Some source forms have no status to close or cancel (P 6.7)."""
    assert bill_rows.source_fields() == FIELDS
    assert bill_rows.source_fields(["fclosestatus"]) == [*FIELDS[:3], FIELDS[4]]


def test_a_look_at_targets_asks_which_form_their_source_is_of() -> None:
    """By a field and by the link, which names the bill too, for the pair's number field (P 6.6)."""
    always = ["FID", "FBillNo", "FDocumentStatus", "FSRCBillNo"]
    links = ["FInStockEntry_Link_FSTableName", "FInStockEntry_Link_FSBillId"]
    some = ["FCancelStatus", "FSRCBILLTYPEID"]
    assert bill_rows.target_fields(ROUTE) == [*always, *some, *links]
    assert bill_rows.target_fields(ROUTE, ["fsrcbilltypeid"]) == [*always, some[0], *links]
    assert bill_rows.target_fields(ROUTE, links) == [*always, *some]
    assert bill_rows.target_fields(ROUTE, [*some, *links]) == always


@pytest.mark.parametrize(
    "route",
    [replace(ROUTE, source_number_field="FPOOrderNo"), replace(ROUTE, target="AP_Payable")],
    ids=["another field", "a pair that is not known"],
)
def test_another_number_field_says_nothing_of_the_form(route: Route) -> None:
    """The order's number also stands on what was made from its receipts."""
    assert bill_rows.form_fields(route) == []
    assert bill_rows.target_fields(route)[3:] == [route.source_number_field, "FCancelStatus"]


@pytest.mark.parametrize(
    ("message", "asked", "field"),
    [
        ("元数据中标识为FCloseStatus的字段不存在", FIELDS[2:], "FCloseStatus"),
        ("元数据中标识为 FCANCELSTATUS 的字段不存在", FIELDS[2:], "FCancelStatus"),
        ("元数据中标识为FBillNo的字段不存在", FIELDS[2:], None),
        ("元数据中标识为FCloseStatus的字段不存在", FIELDS[2:3], None),
        ("没有权限", FIELDS[2:], None),
    ],
)
def test_only_an_optional_field_that_was_asked_for_can_be_left_out(
    message: str, asked: list[str], field: str | None
) -> None:
    """Leaving out another, or one twice, would ask for ever (P 4.4)."""
    assert bill_rows.field_named_in(message, asked) == field


# -- rows --------------------------------------------------------------------------------------


def test_rows_are_read() -> None:
    """No wrapper, and none for nothing (P 6.3)."""
    assert wire.read_rows(b"[]", 2) == []
    assert wire.read_rows(b'[["A",1],["B",null]]', 2) == [["A", 1], ["B", None]]
    assert wire.read_rows(base64_of_gzip(b'[["A",1]]'), 2) == [["A", 1]]
    assert wire.read_rows(b"\xef\xbb\xbf[]", 2) == []
    assert wire.read_rows(b"[[null,null]]", 2) == [[None, None]]
    assert wire.read_rows(b'[["A"]]', 1) == [["A"]]


def test_words_in_a_row_are_data() -> None:
    """A bill may be called anything (P 3.5)."""
    rows = [[LOST_WORDS, "response_error:"], ["Context Is Null", "x"]]
    assert wire.read_rows(orjson.dumps(rows), 2) == rows


NO_FIELD = answer(status("元数据中标识为FX的字段不存在", code=9))


def wrapped(body: bytes) -> dict[str, bytes]:
    """Wrap an error in each form that was seen (P 3.2, 6.3)."""
    return {
        "in two lists": b"[[" + body + b"]]",
        "with nulls beside": b"[[" + body + b",null,null]]",
        "with a null row": b"[[" + body + b"],null]",
        "in one list": b"[" + body + b"]",
        "bare": body,
        "base64 of gzip": base64_of_gzip(b"[[" + body + b"]]"),
        "byte order mark": b"\xef\xbb\xbf[[" + body + b"]]",
    }


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
@pytest.mark.parametrize("body", wrapped(NO_FIELD).values(), ids=wrapped(NO_FIELD))
def test_an_error_is_never_a_row(body: bytes, columns: int) -> None:
    """Nor is it an empty answer, which would prove absence (rule 7)."""
    with refused(wire.QueryRefusedError, "FX") as raised:
        wire.read_rows(body, columns)
    assert raised.value.code == "9"


@pytest.mark.parametrize("body", wrapped(LOST).values(), ids=wrapped(LOST))
def test_a_lost_session_of_a_query_is_seen_in_each_form(body: bytes) -> None:
    """Another one is opened, and the read repeated."""
    with pytest.raises(wire.SessionLostError):
        wire.read_rows(body, 1)


@pytest.mark.parametrize(
    ("message", "error"),
    [(LOST_WORDS, wire.SessionLostError), ("没有权限", wire.QueryRefusedError)],
)
def test_a_plain_list_of_messages_is_an_error(message: str, error: type[Exception]) -> None:
    """Some servers leave the wrapper out (P 3.2)."""
    body = orjson.dumps([{"FieldName": None, "Message": message, "DIndex": 0}])
    with pytest.raises(error):
        wire.read_rows(body, 3)


def test_a_response_error_refuses_a_query() -> None:
    """The filter may be too long for the database."""
    with refused(wire.QueryRefusedError, "too long"):
        wire.read_rows(b'response_error:{"Message":"too long"}', 3)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"{}", b"null", b"1", b'"A"', b"true", b'[["A",1]', b"[null]", b"[{}]"),
        *(b"[[{}]]", b'["A"]', b'[["A"]]', b'[["A",1],["B"]]', b'[["A",1,2]]', b'[["A",1],null]'),
        b'[[{"Result":{"ResponseStatus":{"IsSuccess":true}}}]]',
        b'{"Result":null}',
        b"[[" + b"[" * 2000,
        *(b'[["A",[]]]', b'[["A",{}]]', b'[["A",{"Value":1}]]', b'[["A",[null]]]'),
        *(b'[["A",NaN]]', b'[["A",1e999]]', rb'[["A","\ud800"]]', b'[["A","\xff"]]'),
    ],
)
def test_what_is_neither_rows_nor_a_known_error_is_unreadable(body: bytes) -> None:
    """It must not pass for an empty answer (rule 7)."""
    with pytest.raises(UnreadableError):
        wire.read_rows(body, 2)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_any_bytes_are_rows_or_an_error_of_ours(body: bytes, columns: int) -> None:
    """No other exception leaves the reader."""
    try:
        rows = wire.read_rows(body, columns)
    except (UnreadableError, wire.QueryRefusedError, wire.SessionLostError):
        return
    assert all(len(row) == columns for row in rows)


# -- what rows mean ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "blocked"),
    [
        (["C", "A", "A"], ""),
        (["C", " ", None], ""),
        (["A", "A", "A"], "unapproved"),
        (["B", "A", "A"], "unapproved"),
        (["D", "A", "A"], "unapproved"),
        (["Z", "A", "A"], "unapproved"),
        (["", "A", "A"], "unapproved"),
        (["C", "B", "A"], "closed"),
        (["C", "A", "B"], "cancelled"),
        (["A", "B", "A"], "closed"),
        (["A", "B", "B"], "cancelled"),
    ],
)
def test_a_source_that_the_erp_would_not_push_says_why(statuses: list[Any], blocked: str) -> None:
    """The gravest reason comes first (P 5.11, 6.7)."""
    assert bill_rows.read_sources([["A", 7, *statuses]], FIELDS) == [Source(A, "7", blocked)]


def test_a_status_that_was_not_asked_for_blocks_nothing() -> None:
    """The form has no such field."""
    assert bill_rows.read_sources([["A", "7"]], FIELDS[:2]) == [Source(A, "7")]


def test_one_source_in_several_rows_counts_once_and_two_of_one_number_twice() -> None:
    """Pages overlap; organisations do not share a bill."""
    rows: list[list[Any]] = [["A", 7], ["A", "7"], [" A ", 8]]
    assert bill_rows.read_sources(rows, FIELDS[:2]) == [Source(A, "7"), Source(A, "8")]


@pytest.mark.parametrize("source_id", [None, "", " "])
def test_a_source_without_an_id_is_unreadable(source_id: Any) -> None:
    """Two organisations' bills would pass for one."""
    with refused(UnreadableError, "source"):
        bill_rows.read_sources([["A", source_id]], FIELDS[:2])


def rows_of(*rows: list[Any], form: Any = "PUR_PurchaseOrder") -> list[list[Any]]:
    """Complete rows by "not cancelled" and the form of the source."""
    return [[*row, "A", form] for row in rows]


def linked(
    target: Target, *, cancelled: bool = False, ground: Ground = Ground.FORM
) -> bill_rows.LinkedTarget:
    """Write a document that names a source, and does not tell its id."""
    return bill_rows.LinkedTarget(
        target, cancelled, ground, frozenset({""} if ground > Ground.DENIED else ())
    )


@pytest.mark.parametrize("number", [None, "", " "])
def test_a_source_without_its_number_is_unreadable(number: Any) -> None:
    """It was asked for by its number, so something else is wrong."""
    with refused(UnreadableError, "source"):
        bill_rows.read_sources([[number, 7]], FIELDS[:2])


@pytest.mark.parametrize("number", [None, "", " "])
def test_a_target_without_the_number_of_its_source_is_unreadable(number: Any) -> None:
    """The filter let it through, so the number is hidden: to deny the target would be untrue."""
    with refused(UnreadableError, "see that field"):
        bill_rows.read_targets(rows_of([7, "T", "A", number]), TARGET_FIELDS, ROUTE)


INEXACT = [True, False, 1.5, 2.0**53, 1e300, -(2.0**60), {}, {"Id": 1}, [], [1]]


@pytest.mark.parametrize("value", INEXACT, ids=repr)
def test_what_names_no_bill_is_no_id_and_no_number(value: Any) -> None:
    """Digits may be lost, and two bills would pass for one."""
    for row in ([value, 7], ["A", value]):
        with pytest.raises(UnreadableError):
            bill_rows.read_sources([row], FIELDS[:2])
    for row in ([value, "T", "A", "A"], [7, value, "A", "A"], [7, "T", "A", value]):
        with pytest.raises(UnreadableError):
            bill_rows.read_targets(rows_of(row), TARGET_FIELDS, ROUTE)


def test_a_whole_number_that_comes_as_a_fraction_is_the_same_id() -> None:
    """The row and the answer of a push must name one target in one way."""
    assert bill_rows.read_sources([["A", 100001.0]], FIELDS[:2]) == [Source(A, "100001")]
    found = bill_rows.read_targets(rows_of([7.0, 8.0, "A", "A"]), TARGET_FIELDS, ROUTE)
    assert found == [(A, linked(Target("7", "8")))]
    pushed = wire.read_push(answer(status(success=True, entities=[{"Id": 7.0, "Number": 8}])))
    assert pushed.saved.entities == (Target("7", "8"),)


@pytest.mark.parametrize("number", [None, "", " ", "7", 7])
def test_a_draft_has_no_number(number: Any) -> None:
    """It comes as null, as nothing, as one blank or as its id (P 5.9)."""
    rows = rows_of([7, number, "Z", "A"])
    found = bill_rows.read_targets(rows, TARGET_FIELDS, ROUTE)
    assert found == [(A, linked(Target("7", "", draft=True)))]


def test_a_target_is_a_draft_by_its_status_alone() -> None:
    """A draft may have a number, and a saved bill one that looks like an id."""
    rows = rows_of([7, "CGRK7", "Z", "A"], [8, "8", "A", "A"])
    assert bill_rows.read_targets(rows, TARGET_FIELDS, ROUTE) == [
        (A, linked(Target("7", "CGRK7", draft=True))),
        (A, linked(Target("8", "8"))),
    ]


def test_a_target_in_many_entry_rows_counts_once_for_each_source() -> None:
    """Heads are repeated for each entry (P 6.3), and rules merge sources (P 5.6)."""
    rows = rows_of(*([7, "T", "A", source] for source in ("A", "A", "B ", "A")))
    found = bill_rows.read_targets(rows, TARGET_FIELDS, ROUTE)
    assert found == [(A, linked(Target("7", "T"))), (B, linked(Target("7", "T")))]


@pytest.mark.parametrize("target_id", [None, "", " "])
def test_a_target_without_an_id_is_unreadable(target_id: Any) -> None:
    """It could not be told from another."""
    with refused(UnreadableError, "target"):
        bill_rows.read_targets(rows_of([target_id, "T", "A", "A"]), TARGET_FIELDS, ROUTE)


@pytest.mark.parametrize(("status", "cancelled"), [("A", False), ("B", True), (None, False)])
def test_a_cancelled_target_is_told_apart(status: Any, *, cancelled: bool) -> None:
    """It takes nothing of its source (P 6.7)."""
    ((_, found),) = bill_rows.read_targets(
        [[7, "T", "A", "A", status, "PUR_PurchaseOrder"]], TARGET_FIELDS, ROUTE
    )
    assert found.cancelled is cancelled


@pytest.mark.parametrize(
    ("forms", "ground"),
    [
        (["PUR_PurchaseOrder"], Ground.FORM),
        (["pur_purchaseorder"], Ground.FORM),
        (["PUR_ReceiveBill"], Ground.DENIED),
        (["PUR_ReceiveBill", "PUR_PurchaseOrder"], Ground.FORM),
        (["PUR_PurchaseOrder", "PUR_ReceiveBill"], Ground.FORM),
        (["PUR_ReceiveBill", ""], Ground.NUMBER),
        ([None], Ground.NUMBER),
        (["a1ff32276cd9469dad3bf2494366fa4f"], Ground.NUMBER),
    ],
)
def test_one_line_that_names_our_form_makes_the_document_ours(
    forms: list[Any], ground: Ground
) -> None:
    """A document can be made of bills of two forms."""
    rows = [[7, "T", "A", "A", "A", form] for form in forms]
    assert bill_rows.read_targets(rows, TARGET_FIELDS, ROUTE) == [
        (A, linked(Target("7", "T"), ground=ground))
    ]


@pytest.mark.parametrize(
    ("table", "ground"),
    [
        ("t_PUR_POOrderEntry", Ground.FORM),
        ("T_PUR_POORDERENTRY", Ground.FORM),
        ("T_PUR_ReceiveEntry", Ground.FOREIGN),
        ("T_SITE_OWNENTRY", Ground.NUMBER),
        ("", Ground.NUMBER),
    ],
)
def test_a_link_tells_the_form_where_the_field_is_lacking(table: str, ground: Ground) -> None:
    """By the source's table (P 6.5)."""
    fields = bill_rows.target_fields(ROUTE, ["FSRCBILLTYPEID", "FInStockEntry_Link_FSBillId"])
    found = bill_rows.read_targets([[7, "T", "A", "A", "A", table]], fields, ROUTE)
    assert found == [(A, linked(Target("7", "T"), ground=ground))]


@pytest.mark.parametrize(
    ("links", "sources"),
    [
        ([("t_PUR_POOrderEntry", "100017")], {"100017"}),
        ([("T_PUR_POORDERENTRY", 100017), ("", " ")], {"100017", ""}),
        ([("T_SITE_OWNENTRY", "100017")], {""}),
        ([("T_PUR_ReceiveEntry", "100017"), ("T_PUR_POOrderEntry", "100018")], {"100018"}),
        ([("t_PUR_POOrderEntry", 0)], {""}),
    ],
)
def test_a_link_names_the_bill_that_a_line_was_made_from(
    links: list[tuple[str, Any]], sources: set[str]
) -> None:
    """By its id, which says nothing without the source's table (P 6.5)."""
    rows = [[7, "T", "A", "A", "A", "", table, id_] for table, id_ in links]
    ((_, found),) = bill_rows.read_targets(rows, bill_rows.target_fields(ROUTE), ROUTE)
    assert found.sources == sources


def test_without_a_field_of_the_form_the_number_is_all_there_is() -> None:
    """The row says then what its proof rests on."""
    route = replace(ROUTE, source="XX_Own")
    fields = bill_rows.target_fields(route)
    found = bill_rows.read_targets([[7, "T", "A", "A", "A"]], fields, route)
    assert found == [(A, linked(Target("7", "T"), ground=Ground.NUMBER))]
