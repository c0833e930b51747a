"""ExecuteBillQuery, BillQuery and QueryBusinessInfo over the world's bills (P 6).

A query reads bills in the order of the database. Where a filter pins a number or an
id, the store's look-ups give the candidates, so that a query by links stays quick in
a world of many bills; the whole filter is then tested on each candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from k3push.simulator.bills import Bill, Entry
from k3push.simulator.fields import Field, Value, fields_of
from k3push.simulator.filters import And, FilterError, Literal, Node, Not, Or, Test, parse
from k3push.simulator.forms import Form
from k3push.simulator.refusals import MsgCode
from k3push.simulator.world import World

Row = tuple[Bill, Entry | None]


class QueryError(Exception):
    """The ERP refuses a query.

    Attributes:
        code: MsgCode.
        text: What the ERP says.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class FilterTooLongError(Exception):
    """The database cannot take the filter: the server throws instead of answering."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Where the server stops.

    Attributes:
        rows: Rows in one answer: 10,000 now, 2,000 in 2020 (P 6.1). More are cut in silence.
        filter_chars: Length of a filter above which the server throws; 0 for none.
    """

    rows: int = 10_000
    filter_chars: int = 0


class Desk:
    """Answers queries about one world.

    Args:
        world: What is asked about.

        limits: Where the server stops.

        draft_number: What a draft shows as its number (P 5.9).
    """

    def __init__(
        self, world: World, limits: QueryLimits | None = None, draft_number: str | None = " "
    ) -> None:
        self._world = world
        self._limits = limits or QueryLimits()
        self._fields = {form.id: fields_of(form, draft_number) for form in world.forms.values()}

    def rows(self, data: Mapping[str, Any]) -> tuple[list[str], list[list[Value]]]:
        """Answer a query with its field keys, as asked for, and its rows.

        Args:
            data: The query, keys in lower case.

        Raises:
            QueryError: If the ERP would refuse it.
            FilterTooLongError: If the filter is longer than the server can take.
        """
        form = self._form(data)
        keys = [key.strip() for key in str(data.get("fieldkeys") or "").split(",") if key.strip()]
        if not keys:
            raise QueryError(MsgCode.BAD_PARAMETER, self._world.texts.no_field_keys)
        selected = [self._field(form, key) for key in keys]
        order = [
            (self._field(form, part.split()[0]), part.lower().endswith(" desc"))
            for part in str(data.get("orderstring") or "").split(",")
            if part.strip()
        ]
        tree = self._filter(data.get("filterstring"))
        used = [*selected, *(field for field, _ in order)]
        used += [self._field(form, key) for key in _keys_of(tree)]
        by_entry = any(field.of_entry for field in used)
        rows: list[Row] = []
        passes = self._predicate(form, tree)
        for bill in self._candidates(form, tree):
            if by_entry:
                rows += [row for entry in bill.entries if passes(row := (bill, entry))]
            elif passes((bill, None)):
                rows.append((bill, None))
        for field, descending in reversed(order):
            rows.sort(key=partial(self._sort_key, field), reverse=descending)
        window = rows[self._window(data, len(rows))]
        return keys, [[field.of(*row) for field in selected] for row in window]

    def business_info(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Describe a form's fields; the official shape is not known, this one is plausible.

        Raises:
            QueryError: If there is no such form.
        """
        form = self._form(data)
        tables = []
        for key, of_entry in (("FBillHead", False), (form.entry_key, True)):
            fields = [
                {"Key": field.key, "Name": [{"Key": 2052, "Value": field.name}]}
                for field in self._fields[form.id].values()
                if field.of_entry is of_entry
            ]
            tables.append({"Key": key, "Fields": fields})
        return {"Id": form.id, "Name": [{"Key": 2052, "Value": form.name}], "Entrys": tables}

    def _form(self, data: Mapping[str, Any]) -> Form:
        key = str(data.get("formid") or "")
        form = self._world.forms.get(key.lower())
        if form is None:
            text = self._world.texts.no_such_form.replace("{value}", key)
            raise QueryError(MsgCode.EXCEPTION, text)
        return form

    def _field(self, form: Form, key: str) -> Field:
        field = self._fields[form.id].get(key.lower())
        if field is None:
            text = self._world.texts.no_such_field.replace("{value}", key)
            raise QueryError(MsgCode.NO_SUCH_VALUE, text)
        return field

    def _filter(self, filter_string: Any) -> Node | None:
        longest = self._limits.filter_chars
        if longest and isinstance(filter_string, str) and len(filter_string) > longest:
            raise FilterTooLongError
        try:
            return parse(filter_string)
        except FilterError as error:
            text = self._world.texts.bad_filter.replace("{value}", str(error))
            raise QueryError(MsgCode.EXCEPTION, text) from error

    def _window(self, data: Mapping[str, Any], count: int) -> slice:
        """Give the rows asked for; TopRowCount is the absolute last row (P 6.2)."""
        start = _whole(data.get("startrow"))
        limit = _whole(data.get("limit")) or self._limits.rows
        top = _whole(data.get("toprowcount")) or count
        return slice(start, min(start + min(limit, self._limits.rows), top))

    def _sort_key(self, field: Field, row: Row) -> tuple[int, int | str]:
        value = field.of(*row)
        if value is None:
            return 0, 0
        return (1, value) if isinstance(value, int) else (2, self._world.collation(value))

    def _candidates(self, form: Form, tree: Node | None) -> Iterable[Bill]:
        pinned = None if tree is None else self._pinned(form, tree)
        if pinned is None:
            return self._world.store.of_form(form)
        return [pinned[key] for key in sorted(pinned)]

    def _pinned(self, form: Form, node: Node) -> dict[int, Bill] | None:
        """Give bills by id that hold all that *node* lets through, or None for any bill."""
        if isinstance(node, And):
            each = (self._pinned(form, part) for part in node.parts)
            return next((bills for bills in each if bills is not None), None)
        if isinstance(node, Or):
            union: dict[int, Bill] = {}
            for part in node.parts:
                bills = self._pinned(form, part)
                if bills is None:
                    return None
                union |= bills
            return union
        if isinstance(node, Test) and node.operator in {"=", "in"}:
            key = node.field.lower()
            look_up = self._look_up(form, key)
            if look_up is not None:
                # What a draft shows as its number is not what the store knows it by.
                drafts = self._world.store.by_number(form, "") if key == "fbillno" else ()
                found = {bill.id: bill for value in node.values for bill in look_up(value)}
                return found | {bill.id: bill for bill in drafts}
        return None

    def _look_up(self, form: Form, key: str) -> Callable[[Literal], Sequence[Bill]] | None:
        store = self._world.store
        if key == "fbillno":
            return lambda value: store.by_number(form, str(value))
        if key == "fid":
            return lambda value: _present(store.by_id(form, _whole(value)))
        if key in {field.lower() for field in form.source_fields}:
            return lambda value: store.by_source_number(form, str(value))
        if key == f"{form.entry_key}_Link_FSBillId".lower():
            return lambda value: store.by_source_id(form, _whole(value))
        return None

    def _predicate(self, form: Form, node: Node | None) -> Callable[[Row], bool]:
        if node is None:
            return lambda _: True
        if isinstance(node, And):
            parts = [self._predicate(form, part) for part in node.parts]
            return lambda row: all(part(row) for part in parts)
        if isinstance(node, Or):
            parts = [self._predicate(form, part) for part in node.parts]
            return lambda row: any(part(row) for part in parts)
        if isinstance(node, Not):
            inner = self._predicate(form, node.part)
            return lambda row: not inner(row)
        field = self._field(form, node.field)
        test = _tester(node, self._world.collation)
        return lambda row: test(field.of(*row))


def _tester(node: Test, collate: Callable[[str], str]) -> Callable[[Value], bool]:
    """Give the comparison of *node* as a function; nothing but ``null`` is true of NULL."""
    if node.operator == "null":
        return lambda value: value is None
    texts = [collate(_text(value)) for value in node.values]
    if node.operator in {"=", "in", "<>"}:
        wanted = frozenset(texts)
        equal = node.operator != "<>"
        return lambda value: value is not None and (collate(_text(value)) in wanted) is equal
    if node.operator in {"like", "contains"}:
        pattern = re.escape(texts[0])
        if node.operator == "like":
            pattern = pattern.replace("%", ".*").replace("_", ".")
        match = re.compile(pattern, re.DOTALL)
        meets = match.fullmatch if node.operator == "like" else match.search
        return lambda value: value is not None and meets(collate(_text(value))) is not None
    return lambda value: value is not None and _in_order(node, value, texts[0], collate)


def _in_order(node: Test, value: Value, text: str, collate: Callable[[str], str]) -> bool:
    """Compare by size: numbers as numbers, everything else as text."""
    left: Any = value
    right: Any = text
    if isinstance(value, int):
        try:
            right = float(text)
        except ValueError:
            return False
    else:
        left = collate(_text(value))
    if node.operator in {"<", "<="}:
        left, right = right, left
    return bool(left >= right) if node.operator.endswith("=") else bool(left > right)


def _text(value: Value | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whole(value: Any) -> int:
    try:
        return max(0, int(value or 0))
    except ValueError:
        return 0


def _present(bill: Bill | None) -> tuple[Bill, ...]:
    return () if bill is None else (bill,)


def _keys_of(node: Node | None) -> Iterable[str]:
    """Give the key of each field that *node* tests."""
    if isinstance(node, Test):
        yield node.field
    elif isinstance(node, Not):
        yield from _keys_of(node.part)
    elif node is not None:
        for part in node.parts:
            yield from _keys_of(part)
