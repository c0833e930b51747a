"""Pairs of forms that are known: their usual rule, and where the target keeps the source's number.

From P 6.6. Customers copy rules under names of their own, so a route's settings win. A field
that was only guessed at is not listed: `k3push check` would have nothing to stand on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of one pair.

    Attributes:
        rule: Id of the conversion rule that the ERP ships with, or "".
        source_number_field: Field of the target form that holds the source's bill number.
    """

    rule: str
    source_number_field: str


# Form ids differ in case between sites and still work (P "Traps"), so the keys are folded.
_PAIRS = {
    ("pur_purchaseorder", "stk_instock"): Pair("PUR_PurchaseOrder-STK_InStock", "FSRCBillNo"),
    ("pur_receivebill", "stk_instock"): Pair("PUR_ReceiveBill-STK_InStock", "FSRCBillNo"),
    ("pur_requisition", "pur_purchaseorder"): Pair(
        "PUR_Requisition-PUR_PurchaseOrder", "FSrcBillNo"
    ),
    ("stk_instock", "ap_payable"): Pair("AP_InStockToPayableMap", "FSOURCEBILLNO"),
    ("stk_instock", "pur_mrb"): Pair("STK_InStock-PUR_MRB", "FSRCBILLNO"),
    ("pur_mrb", "ap_payable"): Pair("AP_MRBToPayableMap", "FSOURCEBILLNO"),
    ("ap_payable", "ap_paybill"): Pair("AP_PayableToPayBill", "FSRCBILLNO"),
    ("sal_saleorder", "sal_outstock"): Pair("SaleOrder-OutStock", "FSrcBillNo"),
    ("sal_saleorder", "sal_deliverynotice"): Pair("SaleOrder-DeliveryNotice", "FSrcBillNo"),
    ("sal_deliverynotice", "sal_outstock"): Pair("DeliveryNotice-OutStock", "FSrcBillNo"),
    ("sal_deliverynotice", "stk_transferdirect"): Pair(
        "DeliveryNotice-StkTransferDirect", "FSrcBillNo"
    ),
    ("sal_outstock", "ar_receivable"): Pair("AR_OutStockToReceivableMap", "FSourceBillNo"),
    ("ar_receivable", "ar_receivebill"): Pair("AR_recableToRecBill", "FSRCBILLNO"),
    ("prd_ppbom", "prd_pickmtrl"): Pair("PRD_PPBOM2PICKMTRL_NORMAL", "FSrcBillNo"),
    ("prd_ppbom", "prd_feedmtrl"): Pair("PRD_PPBOM2FEEDMTRL", "FSrcBillNo"),
    ("prd_mo", "prd_morpt"): Pair("PRD_MO2MORPT", "FMoBillNo"),
}


def known_pair(source: str, target: str) -> Pair | None:
    """Return what is known of a pair of forms, or None.

    >>> known_pair("SAL_SaleOrder", "SAL_OutStock").source_number_field
    'FSrcBillNo'
    """
    return _PAIRS.get((source.lower(), target.lower()))
