"""The fields of each form that queries can select, filter and sort by (P 6.4, 6.5, 13.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k3push.simulator.books.bills import Bill, Entry, Link
from k3push.simulator.books.forms import Form
from k3push.simulator.sandbox_options import SandboxOptions
from k3push.simulator.selecting import Field, Kind, Value, whole

Row = tuple[Bill, Entry | None, Link | None]
"""A bill, one of its entries where rows are flattened by entries, and likewise one of its links."""


def fields_of(
    form: Form, draft_number: str | None, site: SandboxOptions
) -> Mapping[str, Field[Row]]:
    """Give the fields of *form* by their keys in lower case.

    Args:
        draft_number: What a draft shows as its number; "id" for its internal id (P 5.9).
    """
    fields = [*_head_fields(form, draft_number), *_entry_fields(form), *_source_fields(form)]
    if site.source_form_fields:
        fields += _source_form_fields(form)
    if not site.creators:
        fields = [field for field in fields if not field.key.startswith("FCreatorId")]
    if site.link_fields:
        fields += _link_fields(form)
    return {field.key.lower(): field for field in fields}


def _head_fields(form: Form, draft_number: str | None) -> tuple[Field[Row], ...]:
    def number(bill: Bill) -> Value:
        return bill.number or (str(bill.id) if draft_number == "id" else draft_number)

    def head(
        key: str, name: str, of: Callable[[Bill], Value], kind: Kind = Kind.TEXT
    ) -> Field[Row]:
        return Field(key, name, lambda row: of(row[0]), kind)

    org, party = form.org_field, form.party_field
    return (
        head("FID", "内码", lambda bill: bill.id, Kind.NUMBER),
        head("FBillNo", "单据编号", number),
        head("FDocumentStatus", "单据状态", lambda bill: bill.status),
        head("FCloseStatus", "关闭状态", lambda bill: "B" if bill.closed else "A"),
        head("FCancelStatus", "作废状态", lambda bill: "B" if bill.cancelled else "A"),
        head(
            "FDate", "日期", lambda bill: f"{bill.dated or bill.created[:10]}T00:00:00", Kind.DATE
        ),
        head("FCreateDate", "创建日期", lambda bill: bill.created, Kind.DATE),
        head("FCreatorId.FName", "创建人", lambda bill: bill.creator, Kind.BASE),
        head(
            "FModifyDate",
            "最后修改日期",
            lambda bill: bill.changed.at if bill.changed else bill.created,
            Kind.DATE,
        ),
        head(
            "FModifierId.FName",
            "最后修改人",
            lambda bill: bill.changed.by if bill.changed else bill.creator,
            Kind.BASE,
        ),
        head(
            "FApproveDate",
            "审核日期",
            lambda bill: bill.approved.at if bill.approved else None,
            Kind.DATE,
        ),
        head(
            "FApproverId.FName",
            "审核人",
            lambda bill: bill.approved.by if bill.approved else " ",
            Kind.BASE,
        ),
        # A text field that nobody filled holds one blank (P 6.4).
        head("FNote", "备注", lambda _: " "),
        head(f"{party}.FNumber", "往来单位", lambda bill: bill.party, Kind.BASE),
        head(org, "组织内码", lambda bill: whole(bill.org), Kind.NUMBER),
        head(f"{org}.FNumber", "组织", lambda bill: bill.org, Kind.BASE),
        head(f"{org}.FName", "组织名称", lambda bill: f"组织{bill.org}", Kind.BASE),
    )


def _line(key: str, name: str, of: Callable[[Entry], Value], kind: Kind = Kind.TEXT) -> Field[Row]:
    return Field(key, name, lambda row: None if row[1] is None else of(row[1]), kind, of_entry=True)


def _entry_fields(form: Form) -> list[Field[Row]]:
    key = form.entry_key
    fields = [
        _line(f"{key}_FEntryId", "分录内码", lambda e: e.id, Kind.NUMBER),
        _line(f"{key}_FSeq", "行号", lambda e: e.seq, Kind.NUMBER),
        _line("FMaterialId.FNumber", "物料编码", lambda e: e.material, Kind.BASE),
        _line(form.quantity_field, "数量", lambda e: e.quantity, Kind.QUANTITY),
        # Everything is ordered and delivered in its base unit.
        _line("FBaseUnitQty", "基本单位数量", lambda e: e.quantity, Kind.QUANTITY),
    ]
    fields += [
        _line(left, "剩余数量", lambda e: max(0, e.left), Kind.QUANTITY)
        for left in form.left_fields
    ]
    fields += [
        _line(taken, "累计数量", lambda e: e.quantity - max(0, e.left), Kind.QUANTITY)
        for taken in form.taken_fields
    ]
    if form.left_fields:
        fields += [_line("FMrpCloseStatus", "业务关闭", lambda e: "B" if e.closed else "A")]
    return fields


def _source_fields(form: Form) -> list[Field[Row]]:
    return [
        _line(key, "源单编号", lambda e: e.origin.number if e.origin else " ")
        for key in form.source_fields
    ]


def _source_form_fields(form: Form) -> list[Field[Row]]:
    key = form.source_form_field
    return [_line(key, "源单类型", lambda e: e.origin.form if e.origin else " ")] if key else []


def _link_fields(form: Form) -> list[Field[Row]]:
    key = f"{form.entry_key}_Link"

    def line(
        name: str,
        title: str,
        of: Callable[[Link], Value],
        kind: Kind = Kind.TEXT,
        empty: Value = " ",
    ) -> Field[Row]:
        return Field(
            f"{key}_{name}",
            title,
            lambda row: None if row[1] is None else of(row[2]) if row[2] else empty,
            kind,
            of_entry=True,
            of_link=True,
        )

    return [
        line("FSBillId", "源单内码", lambda link: str(link.bill_id), Kind.NUMBER),
        line("FSId", "源单分录内码", lambda link: str(link.entry_id), Kind.NUMBER),
        line("FSTableName", "源单表", lambda link: link.table),
        line("FRuleId", "转换规则", lambda link: link.rule_id),
        # Each form has such a field, and each calls it otherwise (P 14.3).
        line("FBaseUnitQty", "基本单位数量", lambda link: link.quantity, Kind.QUANTITY, None),
    ]
