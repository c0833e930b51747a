"""Pairs of forms that are known: their usual rule, and where the target keeps the source's number.

From P 6.6. Customers copy rules under names of their own, so a route's settings win. A field
that was only guessed at is not listed: `k3push check` would have nothing to stand on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of one pair.

    Attributes:
        rule: Id of the conversion rule that the ERP ships with, or "".
        source_number_field: Field of the target form that holds the source's bill number.
        source_form_field: Field beside it that holds the source's form id, or "".
        target_entry: Key of the target's entry that carries the links to the source, or "".
        source_table: The source's table as links name it, or "".
    """

    rule: str
    source_number_field: str
    source_form_field: str = ""
    target_entry: str = ""
    source_table: str = ""


# Form ids differ in case between sites and still work (P "Traps"), so the keys are folded.
_PAIRS = {
    ("pur_purchaseorder", "stk_instock"): Pair(
        "PUR_PurchaseOrder-STK_InStock",
        "FSRCBillNo",
        "FSRCBILLTYPEID",
        "FInStockEntry",
        "t_PUR_POOrderEntry",
    ),
    ("pur_receivebill", "stk_instock"): Pair(
        "PUR_ReceiveBill-STK_InStock",
        "FSRCBillNo",
        "FSRCBILLTYPEID",
        "FInStockEntry",
        "T_PUR_ReceiveEntry",
    ),
    ("pur_requisition", "pur_purchaseorder"): Pair(
        "PUR_Requisition-PUR_PurchaseOrder", "FSrcBillNo", "", "FPOOrderEntry", "T_PUR_ReqEntry"
    ),
    ("stk_instock", "ap_payable"): Pair(
        "AP_InStockToPayableMap",
        "FSOURCEBILLNO",
        "FSOURCETYPE",
        "FEntityDetail",
        "T_STK_INSTOCKENTRY",
    ),
    ("stk_instock", "pur_mrb"): Pair(
        "STK_InStock-PUR_MRB",
        "FSRCBILLNO",
        "FSRCBILLTYPEID",
        "FPURMRBENTRY",
        "T_STK_INSTOCKENTRY",
    ),
    ("pur_mrb", "ap_payable"): Pair(
        "AP_MRBToPayableMap", "FSOURCEBILLNO", "FSOURCETYPE", "FEntityDetail", "T_PUR_MRBENTRY"
    ),
    ("ap_payable", "ap_paybill"): Pair(
        "AP_PayableToPayBill", "FSRCBILLNO", "FSOURCETYPE", "FPAYBILLSRCENTRY"
    ),
    ("sal_saleorder", "sal_outstock"): Pair(
        "SaleOrder-OutStock", "FSrcBillNo", "FSrcType", "FEntity", "T_SAL_ORDERENTRY"
    ),
    ("sal_saleorder", "sal_deliverynotice"): Pair(
        "SaleOrder-DeliveryNotice", "FSrcBillNo", "", "FEntity", "T_SAL_ORDERENTRY"
    ),
    ("sal_deliverynotice", "sal_outstock"): Pair(
        "DeliveryNotice-OutStock", "FSrcBillNo", "FSrcType", "FEntity", "T_SAL_DELIVERYNOTICEENTRY"
    ),
    ("sal_deliverynotice", "stk_transferdirect"): Pair(
        "DeliveryNotice-StkTransferDirect", "FSrcBillNo", "", "FBillEntry"
    ),
    ("sal_outstock", "ar_receivable"): Pair(
        "AR_OutStockToReceivableMap",
        "FSourceBillNo",
        "FSOURCETYPE",
        "FEntityDetail",
        "T_SAL_OUTSTOCKENTRY",
    ),
    ("ar_receivable", "ar_receivebill"): Pair(
        "AR_recableToRecBill", "FSRCBILLNO", "", "FRECEIVEBILLSRCENTRY", "t_AR_receivablePlan"
    ),
    ("prd_ppbom", "prd_pickmtrl"): Pair(
        "PRD_PPBOM2PICKMTRL_NORMAL", "FSrcBillNo", "", "FEntity", "T_PRD_PPBOMENTRY"
    ),
    ("prd_ppbom", "prd_feedmtrl"): Pair(
        "PRD_PPBOM2FEEDMTRL", "FSrcBillNo", "", "FEntity", "T_PRD_PPBOMENTRY"
    ),
    ("prd_mo", "prd_morpt"): Pair("PRD_MO2MORPT", "FMoBillNo", source_table="T_PRD_MOENTRY"),
}

_TABLES = frozenset(pair.source_table.lower() for pair in _PAIRS.values()) - {""}

_FORMS = frozenset(form for pair in _PAIRS for form in pair)

# Form ids have a prefix of their module. Numbers of bill types and names of tables, which may stand
# in the same field, can look like one.
_FORM_ID = re.compile(r"[A-Za-z0-9]+_\w+", re.ASCII)


class Ground(IntEnum):
    """What says that a document was made from a bill of the source form, the weakest first."""

    FOREIGN = 0
    """It names the source's number, and its link another form as its source."""

    DENIED = 1
    """It names the source's number, and a field alone names another form: a rule may copy it."""

    ODD = 2
    """It names the source's number, and a field alone what may be another form, and may be not."""

    NUMBER = 3
    """It names the source's number, and nothing says of which form."""

    FORM = 4
    """It names the source's number and form, by a field or by its link."""


def ground_of(source: str, tables: Collection[str], form: str, table: str) -> Ground:
    """Say what a row of the target form shows of its source.

    Only what is recognised as another form is another: a field may hold what nobody has seen
    yet, and a bill whose document is taken for a foreign one would be pushed again.

    Args:
        source: Form id of the source bills.
        tables: Its tables as links name them, in lower case; none where they are not known.
        form: What the field of the source's form holds, or "".
        table: The source table that the row's link names, or "".

    >>> order = "PUR_PurchaseOrder", {"t_pur_poorderentry"}
    >>> ground_of(*order, "PUR_ReceiveBill", "").name
    'DENIED'
    >>> ground_of(*order, "PUR_ReceiveBill", "T_PUR_ReceiveEntry").name
    'FOREIGN'
    >>> ground_of(*order, "CGDD01_SYS", "").name
    'ODD'
    >>> ground_of(*order, "a1ff32276cd9469dad3b", "").name
    'NUMBER'
    >>> ground_of(*order, "", "T_PUR_POORDERENTRY").name
    'FORM'
    """
    if form.lower() == source.lower() or table.lower() in tables:
        return Ground.FORM
    if tables and table.lower() in _TABLES:
        return Ground.FOREIGN
    if form.lower() in _FORMS:
        return Ground.DENIED
    return Ground.ODD if _FORM_ID.fullmatch(form) else Ground.NUMBER


def odd_form(source: str, values: Iterable[str]) -> str:
    """Return a value that may be a form id and is none that is known; "" where all is well.

    Args:
        source: Form id of the source bills.
        values: What documents hold in the field of the source's form. Where one holds the source's
            own, it is as it should be.

    >>> odd_form("PUR_PurchaseOrder", ["", "CGDD01_SYS"])
    'CGDD01_SYS'
    >>> odd_form("PUR_PurchaseOrder", ["CGDD01_SYS", "PUR_PurchaseOrder"])
    ''
    """
    grounds = {value: ground_of(source, (), value, "") for value in values}
    odd = (value for value, ground in grounds.items() if ground is Ground.ODD)
    return "" if Ground.FORM in grounds.values() else next(odd, "")


def known_pair(source: str, target: str) -> Pair | None:
    """Return what is known of a pair of forms, or None.

    >>> known_pair("SAL_SaleOrder", "SAL_OutStock").source_number_field
    'FSrcBillNo'
    """
    return _PAIRS.get((source.lower(), target.lower()))
