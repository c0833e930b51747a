"""Fields of source forms that a bill is chosen by: its date, its organisation, what is left of it.

From P 13.4 and what public programs query. A field that was only guessed at is not listed, since
a filter with a wrong one is refused at best.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceForm:
    """What is known of one form.

    Attributes:
        date: Field of the bill's own date.
        organisation: Field of the organisation that it belongs to, or "".
    """

    date: str = "FDate"
    organisation: str = ""


# Form ids differ in case between sites and still work (P "Traps"), so the keys are folded.
_FORMS = {
    "pur_requisition": SourceForm("FApplicationDate", "FApplicationOrgId"),
    "pur_purchaseorder": SourceForm(organisation="FPurchaseOrgId"),
    "pur_receivebill": SourceForm(organisation="FStockOrgId"),
    "pur_mrb": SourceForm(organisation="FStockOrgId"),
    "stk_instock": SourceForm(organisation="FStockOrgId"),
    "sal_saleorder": SourceForm(organisation="FSaleOrgId"),
    "sal_deliverynotice": SourceForm(organisation="FDeliveryOrgID"),
    "sal_outstock": SourceForm(organisation="FStockOrgId"),
    "ap_payable": SourceForm(organisation="FSETTLEORGID"),
    "ar_receivable": SourceForm(organisation="FSETTLEORGID"),
    "prd_mo": SourceForm(organisation="FPrdOrgId"),
    "prd_ppbom": SourceForm(organisation="FPrdOrgId"),
}

# Of an entry: what a target of that form may still be made of.
_LEFT = {
    ("pur_purchaseorder", "stk_instock"): "FRemainStockINQty",
    ("pur_purchaseorder", "pur_receivebill"): "FRemainReceiveQty",
    ("sal_saleorder", "sal_outstock"): "FRemainOutQty",
}


def source_form(form: str) -> SourceForm:
    """Return what is known of a form; nearly all have their date in FDate.

    >>> source_form("SAL_SaleOrder"), source_form("ABC_Order")
    (SourceForm(date='FDate', organisation='FSaleOrgId'), SourceForm(date='FDate', organisation=''))
    """
    return _FORMS.get(form.lower(), SourceForm())


def quantity_left(source: str, target: str) -> str:
    """Return the field of the source form that tells what is left for a target form, or "".

    >>> quantity_left("SAL_SaleOrder", "SAL_OutStock")
    'FRemainOutQty'
    """
    return _LEFT.get((source.lower(), target.lower()), "")
