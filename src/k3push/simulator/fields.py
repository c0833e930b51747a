"""The fields of each form that queries can select, filter and sort by (P 6.4, 6.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from k3push.simulator.bills import Bill, Entry
from k3push.simulator.forms import Form

Value = str | int | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Attributes:
        key: Its key; requests may spell it in any letter case.
        name: What users call it.
        of_entry: Whether each entry has its own, so that rows are flattened by entries.
        of: Reads it from a bill and, for a field of entries, one of its entries.
    """

    key: str
    name: str
    of_entry: bool
    of: Callable[[Bill, Entry | None], Value]


def fields_of(form: Form, draft_number: str | None) -> Mapping[str, Field]:
    """Give the fields of *form* by their keys in lower case.

    Args:
        form: The form.

        draft_number: What a draft shows as its number; "id" for its internal id (P 5.9).
    """
    head = _head_fields(form, draft_number)
    return {field.key.lower(): field for field in (*head, *_entry_fields(form))}


def _head_fields(form: Form, draft_number: str | None) -> tuple[Field, ...]:
    def number(bill: Bill, _: Entry | None) -> Value:
        return bill.number or (str(bill.id) if draft_number == "id" else draft_number)

    def head(key: str, name: str, of: Callable[[Bill, Entry | None], Value]) -> Field:
        return Field(key, name, of_entry=False, of=of)

    return (
        head("FID", "内码", lambda bill, _: bill.id),
        head("FBillNo", "单据编号", number),
        head("FDocumentStatus", "单据状态", lambda bill, _: bill.status),
        head("FCloseStatus", "关闭状态", lambda bill, _: "B" if bill.closed else "A"),
        head("FCancelStatus", "作废状态", lambda bill, _: "B" if bill.cancelled else "A"),
        head("FDate", "日期", lambda bill, _: bill.created[:10] + "T00:00:00"),
        head("FCreateDate", "创建日期", lambda bill, _: bill.created),
        head("FCreatorId.FName", "创建人", lambda bill, _: bill.creator),
        # A text field that nobody filled holds one blank (P 6.4).
        head("FNote", "备注", lambda _, __: " "),
        head(f"{form.party_field}.FNumber", "往来单位", lambda bill, _: bill.party),
        head(f"{form.org_field}.FNumber", "组织", lambda bill, _: bill.org),
    )


def _entry_fields(form: Form) -> tuple[Field, ...]:
    def line(key: str, name: str, of: Callable[[Entry], Value]) -> Field:
        return Field(key, name, of_entry=True, of=lambda _, e: None if e is None else of(e))

    key = form.entry_key
    link = f"{key}_Link"
    fields = [
        line(f"{key}_FEntryId", "分录内码", lambda e: e.id),
        line(f"{key}_FSeq", "行号", lambda e: e.seq),
        line("FMaterialId.FNumber", "物料编码", lambda e: e.material),
        line("FQty", "数量", lambda e: e.quantity),
        line(f"{link}_FSBillId", "源单内码", lambda e: str(e.link.bill_id) if e.link else " "),
        line(f"{link}_FSId", "源单分录内码", lambda e: str(e.link.entry_id) if e.link else " "),
        line(f"{link}_FSTableName", "源单表", lambda e: e.link.table if e.link else " "),
        line(f"{link}_FRuleId", "转换规则", lambda e: e.link.rule_id if e.link else " "),
    ]
    fields += [
        line(source, "源单编号", lambda e: e.link.number if e.link else " ")
        for source in form.source_fields
    ]
    return tuple(fields)
