"""The filter that selects bills, and what comes back for it."""

from __future__ import annotations

from datetime import date

import pytest

from k3push.core.model import BillNumber, Route
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.selection import (
    FilterFlawError,
    Selected,
    Selection,
    check_where,
    fields_to_spare,
    read_selected,
    selection_fields,
    selection_filter,
    with_dates,
)
from k3push.core.remark import read_remark

TODAY = date(2026, 3, 1)
ROUTE = Route("r", "PUR_PurchaseOrder", "STK_InStock")
STRANGE = Route("r", "ABC_Order", "ABC_Receipt")


def filter_of(route: Route = ROUTE, **selection: object) -> str:
    """Return the filter of the first page."""
    made = Selection(**selection)  # type: ignore[arg-type]  # names of its own
    return selection_filter(route, made, today=TODAY, after="0")


def test_bills_that_the_erp_would_not_push_are_left_out() -> None:
    """Not approved, closed, cancelled, or with nothing left; numbers stand without quotes."""
    assert filter_of() == (
        "FID>0 AND FDocumentStatus='C' AND FCloseStatus<>'B' AND FCancelStatus<>'B'"
        " AND FRemainStockINQty>0"
    )


def test_a_route_that_sends_blocked_bills_selects_them() -> None:
    """Its rule takes them, so that their status is no reason to pass them over."""
    route = Route("r", "ABC_Order", "ABC_Receipt", send_blocked=True)
    assert filter_of(route) == "FID>0"


def test_days_organisation_and_a_filter_of_ones_own_are_joined() -> None:
    """Each must hold, whatever the own filter says."""
    text = filter_of(days=1, organisation="O'1", where="FNote='a' OR FNote='b'")
    assert text.endswith(
        "AND FDate>='2026-02-28' AND FPurchaseOrgId.FNumber='O''1' AND (FNote='a' OR FNote='b')"
    )


@pytest.mark.parametrize(
    ("where", "dated"),
    [
        ("FDate>=today-1", "FDate>='2026-02-28'"),
        ("FDate >= TODAY - 30", "FDate >= '2026-01-30'"),
        ("FDate<today+1 and FDate>=today", "FDate<'2026-03-02' and FDate>='2026-03-01'"),
        ("FNote='today-1' and F_today=1", "FNote='today-1' and F_today=1"),
        ("FNote='it''s today'", "FNote='it''s today'"),
    ],
)
def test_today_stands_for_a_date_outside_of_texts(where: str, dated: str) -> None:
    """A nightly schedule writes no date of its own."""
    assert with_dates(where, TODAY) == dated


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("FNote='a", "select.open_quote"),
        ("FNote='（a", "select.open_quote"),
        ("FNote=‘a’", "select.wide_marks"),
        ("（FNote='，') OR FID＞1", "select.wide_marks"),
        ("(FNote='a'", "select.open_bracket"),
        ("FNote='a') OR (1=1", "select.open_bracket"),
        ("FID='7'", "select.quoted_number"),
        ("FRemainStockINQty > '0'", "select.quoted_number"),
        ("FPOOrderEntry_FEntryId in ('7','8')", "select.quoted_number"),
    ],
)
def test_a_filter_that_would_mean_something_else_is_refused(where: str, said: str) -> None:
    """An open bracket lets bills of all kinds in; a quoted number counts wrong in silence."""
    with pytest.raises(FilterFlawError) as raised:
        check_where(where)
    key, _ = read_remark(str(raised.value)) or ("", {})
    assert key == said


@pytest.mark.parametrize("where", ["", "FID>7", "FNote='a)' and (FSeq=1)", "FBillNo='7'"])
def test_a_sound_filter_stays_as_it_is(where: str) -> None:
    """A bill number of digits is a text."""
    assert check_where(where) == where


def test_an_organisation_needs_a_field_that_is_known() -> None:
    """A guess might select bills of others."""
    with pytest.raises(FilterFlawError):
        filter_of(STRANGE, organisation="100")


def test_fields_that_a_form_lacks_are_done_without_unless_they_were_asked_for() -> None:
    """A date that was asked for is needed; one that is shown is not."""
    assert "FDate" in fields_to_spare(ROUTE, Selection())
    assert "FDate" not in fields_to_spare(ROUTE, Selection(days=1))
    assert "FPurchaseOrgId" not in fields_to_spare(ROUTE, Selection(organisation="100"))
    lacking = ["FCloseStatus", "FRemainStockINQty", "FDate", "FPurchaseOrgId"]
    assert selection_fields(ROUTE, lacking) == ["FID", "FBillNo"]
    text = selection_filter(ROUTE, Selection(), today=TODAY, after="7", lacking=lacking)
    assert text == "FID>7 AND FDocumentStatus='C' AND FCancelStatus<>'B'"


def test_a_bill_with_several_lines_is_one() -> None:
    """A filter by a quantity of lines gives a row for each."""
    rows: list[list[object]] = [
        [7, "A", "2026-02-28T00:00:00", "100"],
        [7, "A", "2026-02-28T00:00:00", "100"],
        ["8", "B", None, " "],
    ]
    assert read_selected(rows, selection_fields(ROUTE), "6") == [
        Selected(BillNumber("A"), "7", "2026-02-28", "100"),
        Selected(BillNumber("B"), "8"),
    ]


@pytest.mark.parametrize("ids", [[8, 7], [6], [5, 8], ["x"], [None], [0.5]])
def test_a_row_out_of_its_order_proves_that_others_may_be_missing(ids: list[object]) -> None:
    """A server that does not sort would pass bills over."""
    rows = [[id_, "A", "", ""] for id_ in ids]
    with pytest.raises(UnreadableError):
        read_selected(rows, selection_fields(ROUTE), "6")
