"""The bill types that the stand-in knows, and the rules that convert one into another (P 6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """How a rule groups sources into targets (P 5.6)."""

    ONE_TO_ONE = "one-to-one"
    """Each source makes a target of its own."""

    MERGE = "merge"
    """The sources of one call that share a supplier or customer make one target."""

    MERGE_LINES = "merge-lines"
    """So do they, and lines of one material are one line, which bears the number of the first."""

    SPLIT = "split"
    """Each source makes two targets, with half of the quantity in each."""


@dataclass(frozen=True, slots=True)
class Form:
    """A bill type.

    Attributes:
        id: The form's key; requests may spell it in any letter case.
        prefix: How the numbers of its bills begin.
        entry_key: Key of the entry table, which also begins the keys of its id, seq and links.
        entry_table: Database table of the entries, as links name it.
        party_field: Field of the supplier or customer.
        org_field: Field of the organisation that owns the bill.
        source_fields: Entry fields that carry the number of the source bill.
        source_form_field: Entry field that carries the id of the source's form (P 6.6).
        quantity_field: Entry field of the quantity.
        left_fields: Entry fields that tell what may still be pushed (P 13.4).
        taken_fields: Entry fields that tell what was pushed.
    """

    id: str
    name: str
    prefix: str
    entry_key: str
    entry_table: str
    party_field: str
    org_field: str
    source_fields: tuple[str, ...] = ()
    source_form_field: str = ""
    quantity_field: str = "FQty"
    left_fields: tuple[str, ...] = ()
    taken_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A conversion rule between two forms.

    Attributes:
        rule_id: The rule's id; compared passing over letter case.
        source: Where sources come from.
        target: What the rule makes.
        default: Whether a push that asks for the default rule of the pair gets this one.
        enabled: Whether it can be used at all (P 12.1).
        allow_blocked: Whether the rule was customised to take sources that are not
            approved, or closed, or cancelled (P 5.11).
        keeps_links: Whether what it makes is linked to its source.
        copies_creators: Whether what it makes bears who made its first source.
    """

    rule_id: str
    source: Form
    target: Form
    default: bool = True
    allow_blocked: bool = False
    enabled: bool = True
    keeps_links: bool = True
    copies_creators: bool = False


PURCHASE_ORDER = Form(
    "PUR_PurchaseOrder",
    "采购订单",
    "CGDD",
    "FPOOrderEntry",
    "t_PUR_POOrderEntry",
    "FSupplierId",
    "FPurchaseOrgId",
    left_fields=("FRemainStockINQty", "FRemainReceiveQty"),
    taken_fields=("FStockInQty", "FReceiveQty"),
)
IN_STOCK = Form(
    "STK_InStock",
    "采购入库单",
    "CGRK",
    "FInStockEntry",
    "T_STK_INSTOCKENTRY",
    "FSupplierId",
    "FStockOrgId",
    ("FSRCBillNo", "FPOOrderNo"),
    "FSRCBILLTYPEID",
    "FRealQty",
)
RECEIVE_BILL = Form(
    "PUR_ReceiveBill",
    "收料通知单",
    "CGSL",
    "FDetailEntity",
    "T_PUR_ReceiveEntry",
    "FSupplierId",
    "FStockOrgId",
    ("FSrcBillNo", "FOrderBillNo"),
    quantity_field="FActReceiveQty",
)
SALE_ORDER = Form(
    "SAL_SaleOrder",
    "销售订单",
    "XSDD",
    "FSaleOrderEntry",
    "T_SAL_ORDERENTRY",
    "FCustId",
    "FSaleOrgId",
    left_fields=("FRemainOutQty", "FCanOutQty", "FBaseCanOutQty"),
    taken_fields=("FStockOutQty",),
)
OUT_STOCK = Form(
    "SAL_OUTSTOCK",
    "销售出库单",
    "XSCK",
    "FEntity",
    "T_SAL_OUTSTOCKENTRY",
    "FCustomerID",
    "FStockOrgId",
    ("FSrcBillNo", "FSoorDerno"),
    "FSrcType",
    "FRealQty",
)

FORMS = (PURCHASE_ORDER, IN_STOCK, RECEIVE_BILL, SALE_ORDER, OUT_STOCK)

ROUTES = (
    Route("PUR_PurchaseOrder-STK_InStock", PURCHASE_ORDER, IN_STOCK),
    Route("PUR_PurchaseOrder-PUR_ReceiveBill", PURCHASE_ORDER, RECEIVE_BILL),
    Route("SaleOrder-OutStock", SALE_ORDER, OUT_STOCK),
)

PAYABLE = Form(
    "AP_Payable",
    "应付单",
    "AP",
    "FEntityDetail",
    "T_AP_PAYABLEENTRY",
    "FSUPPLIERID",
    "FSETTLEORGID",
    ("FSOURCEBILLNO",),
    "FSOURCETYPE",
    "FPriceQty",
)
STOCK_TO_PAYABLE = Route("AP_InStockToPayableMap", IN_STOCK, PAYABLE)
"""A rule whose sources are the targets of another; no site has it unless its options say so."""


SHIPMENT = Form(
    "ZMER_Shipment",
    "自定义发货单",
    "ZFH",
    "FShipEntry",
    "T_ZMER_SHIPMENTENTRY",
    "FCustId",
    "FShipOrgId",
    ("F_ZMER_SrcNo",),
)
ORDER_TO_SHIPMENT = Route("ZMER_SaleOrder-Shipment", SALE_ORDER, SHIPMENT)
"""A site's own pair, which no client has built in; no site has it unless its options say so."""
