from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import Route
from k3push.core.protocol import bill_rows
from k3push.core.protocol.pairs import Ground, ground_of, known_pair

SOURCE = "PUR_PurchaseOrder"
PAIR = known_pair(SOURCE, "STK_InStock")
TABLE = "t_PUR_POOrderEntry"


@pytest.mark.parametrize("source", [SOURCE, SOURCE.lower(), SOURCE.upper()])
def test_a_pair_is_known_in_any_letter_case(source: str) -> None:
    """Form ids differ in case between sites and still work."""
    assert known_pair(source, "stk_INSTOCK") == PAIR
    assert PAIR is not None


@pytest.mark.parametrize(
    ("form", "table", "ground"),
    [
        (SOURCE, "", Ground.FORM),
        (SOURCE.upper(), "", Ground.FORM),
        (SOURCE, "T_PUR_ReceiveEntry", Ground.FORM),
        ("PUR_ReceiveBill", "", Ground.DENIED),
        ("XX_OwnBill", "", Ground.ODD),
        ("CGDD01_SYS", "", Ground.ODD),
        ("T_PUR_POOrder", "", Ground.ODD),
        ("PUR_ReceiveBill", "T_PUR_ReceiveEntry", Ground.FOREIGN),
        ("PUR_ReceiveBill", "T_OWN_TABLE", Ground.DENIED),
        ("XX_OwnBill", "T_OWN_TABLE", Ground.ODD),
        ("PUR_ReceiveBill", TABLE, Ground.FORM),
        ("", TABLE, Ground.FORM),
        ("", TABLE.upper(), Ground.FORM),
        ("", "T_PUR_ReceiveEntry", Ground.FOREIGN),
        ("", "T_OWN_TABLE", Ground.NUMBER),
        ("", "", Ground.NUMBER),
        ("a1ff32276cd9469dad3bf2494366fa4f", "", Ground.NUMBER),
        ("83d822ca3e374b4ab01e5dd46a0062bd", TABLE, Ground.FORM),
        ("采购订单", "", Ground.NUMBER),
        ("标准_采购订单", "", Ground.NUMBER),
        ("12", "", Ground.NUMBER),
    ],
)
def test_only_what_is_recognised_as_another_form_is_foreign(
    form: str, table: str, ground: Ground
) -> None:
    """A document that is taken for a foreign one lets its bill be pushed again."""
    assert ground_of(SOURCE, {TABLE.lower()}, form, table) is ground


@pytest.mark.parametrize(
    ("form", "ground"),
    [("XX_Own", Ground.FORM), ("PUR_ReceiveBill", Ground.DENIED), ("", Ground.NUMBER)],
)
def test_a_pair_that_is_not_known_goes_by_the_form_alone(form: str, ground: Ground) -> None:
    """Which table is the source's own nobody can say."""
    assert ground_of("XX_Own", (), form, "T_PUR_ReceiveEntry") is ground


@given(st.text(), st.text())
def test_what_nobody_has_seen_is_never_foreign(form: str, table: str) -> None:
    """Only a form id of ASCII with a prefix, or a table of a known pair, can say so."""
    ground = ground_of(SOURCE, {TABLE.lower()}, form, table)
    assert ground is not Ground.FOREIGN or table.lower().startswith("t_")
    assert ground not in {Ground.DENIED, Ground.ODD} or "_" in form


def test_the_strongest_ground_is_the_greatest() -> None:
    """One line that names our form is enough."""
    assert sorted(Ground) == [
        Ground.FOREIGN,
        Ground.DENIED,
        Ground.ODD,
        Ground.NUMBER,
        Ground.FORM,
    ]


def test_links_tell_of_an_unlisted_pair_whose_number_another_form_bears_too() -> None:
    """The document of an order is none of the custom bill that has its number."""
    fields = ("FInStockEntry", ("t_abc_order",))
    route = Route("r", "ABC_Order", "STK_InStock", source_number_field="FSRCBillNo")
    learnt = replace(route, target_entry=fields[0], source_tables=fields[1])
    asked = bill_rows.target_fields(learnt)
    assert asked[-2:] == ["FInStockEntry_Link_FSTableName", "FInStockEntry_Link_FSBillId"]

    def row(table: str) -> list[object]:
        values = {"FID": 7, "FBillNo": "RK7", "FDocumentStatus": "A", "FSRCBillNo": "N1"}
        values |= {asked[-2]: table, asked[-1]: 100}
        return [values.get(field, "") for field in asked]

    (theirs,) = bill_rows.read_targets([row("t_PUR_POOrderEntry")], asked, learnt)
    (ours,) = bill_rows.read_targets([row("T_ABC_ORDER")], asked, learnt)
    assert (theirs[1].ground, ours[1].ground) == (Ground.FOREIGN, Ground.FORM)
    assert not {*bill_rows.form_fields(route), *bill_rows.source_id_fields(route)}
