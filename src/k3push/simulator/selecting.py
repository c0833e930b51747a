"""What a query asks of rows of any kind: fields, filter, order and page (P 6.1, 6.2, 13.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from k3push.simulator.books.collation import Collation
from k3push.simulator.books.refusals import MsgCode, Texts
from k3push.simulator.filters import And, FilterError, Literal, Node, Not, Or, Test, Untyped, parse

R = TypeVar("R")
Value = str | int | None


class QueryError(Exception):
    """The ERP refuses a query."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class FilterTooLongError(Exception):
    """The database cannot take the filter: the server throws instead of answering."""


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    """A number, which rows may show as text."""

    DATE = "date"
    QUANTITY = "quantity"
    """A number as well."""

    BASE = "base"
    """A field of base data: a number or a name in a list."""


class Quoted(StrEnum):
    """What becomes of a quoted literal where a field holds a number (P 13.4)."""

    FALSE = "false"
    """It is compared as text and equals nothing, so that counts are false in silence."""

    FINE = "fine"
    """It is read as a number."""

    REFUSED = "refused"
    """The query errs."""


@dataclass(frozen=True, slots=True)
class Field(Generic[R]):
    """A field of rows.

    Attributes:
        key: Its key; requests may spell it in any letter case.
        of: Reads it from a row.
        of_entry: Whether each entry has its own, so that rows are flattened by entries.
        of_link: Whether each link of an entry has its own, so that rows are flattened by links.
    """

    key: str
    name: str
    of: Callable[[R], Value]
    kind: Kind = Kind.TEXT
    of_entry: bool = False
    of_link: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one site reads queries.

    Attributes:
        collation: How text is compared.
        filter_chars: Length of a filter above which the server throws; 0 for none.
        quoted: What becomes of quoted numbers.
    """

    texts: Texts
    collation: Collation
    filter_chars: int = 0
    quoted: Quoted = Quoted.FALSE


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """A query that could be read.

    Attributes:
        keys: Field keys, as asked for.
        order: What rows are sorted by, and whether that descends.
        by_entry: Whether rows are those of entries.
        by_link: Whether rows are those of the entries' links.
        start: The place of the first row asked for, from 0.
        stop: The place behind the last one; None for no end (P 6.2).
        passes: Tells whether a row passes the filter.
    """

    keys: Sequence[str]
    selected: Sequence[Field[R]]
    order: Sequence[tuple[Field[R], bool]]
    tree: Node | None
    by_entry: bool
    by_link: bool
    start: int
    stop: int | None
    passes: Callable[[R], bool]

    def page(self, rows: Iterable[R], collate: Collation, *, ordered: bool = False) -> list[R]:
        """Give the rows asked for out of those that pass.

        Args:
            rows: All that may pass.
            collate: How text is sorted.
            ordered: Whether they come in the order asked for, so that the rest can be left.
        """
        passing = filter(self.passes, rows)
        if ordered:
            return list(islice(passing, self.start, self.stop))
        found = list(passing)
        for field, descending in reversed(self.order):
            found.sort(key=partial(_sort_key, field, collate), reverse=descending)
        return found[self.start : self.stop]

    def values(self, rows: Iterable[R]) -> list[list[Value]]:
        """Give the selected fields of rows."""
        return [[field.of(row) for field in self.selected] for row in rows]


def read_query(
    data: Mapping[str, Any], fields: Mapping[str, Field[R]], dialect: Dialect, most: int
) -> Query[R]:
    """Read a query.

    Args:
        data: What came, keys in lower case.
        fields: The fields there are, by their keys in lower case.
        most: Rows above which an answer is cut in silence.

    Raises:
        QueryError: If the ERP would refuse it.
        FilterTooLongError: If the filter is longer than the server can take.
    """
    texts = dialect.texts

    def find(key: str) -> Field[R]:
        field = fields.get(key.lower())
        if field is None:
            raise QueryError(MsgCode.NO_SUCH_VALUE, texts.no_such_field.replace("{value}", key))
        return field

    keys = [key.strip() for key in str(data.get("fieldkeys") or "").split(",") if key.strip()]
    if not keys:
        raise QueryError(MsgCode.BAD_PARAMETER, texts.no_field_keys)
    selected = [find(key) for key in keys]
    order = [
        (find(part.split()[0]), part.lower().endswith(" desc"))
        for part in str(data.get("orderstring") or "").split(",")
        if part.strip()
    ]
    tree = _filter(data.get("filterstring"), dialect)
    used = [*selected, *(field for field, _ in order), *map(find, keys_of(tree))]
    start = whole(data.get("startrow"))
    limit = min(whole(data.get("limit")) or most, most)
    top = whole(data.get("toprowcount"))
    return Query(
        keys,
        selected,
        order,
        tree,
        any(field.of_entry for field in used),
        any(field.of_link for field in used),
        start,
        min(start + limit, top) if top else start + limit,
        _predicate(tree, find, dialect),
    )


def whole(value: Any) -> int:
    """Read a whole number from 0 up; 0 for anything else."""
    try:
        return max(0, int(value or 0))
    except ValueError:
        return 0


def keys_of(node: Node | None) -> Iterable[str]:
    """Give the key of each field that *node* tests."""
    if isinstance(node, Test):
        yield node.field
    elif isinstance(node, Not):
        yield from keys_of(node.part)
    elif node is not None:
        for part in node.parts:
            yield from keys_of(part)


def _filter(filter_string: Any, dialect: Dialect) -> Node | None:
    longest = dialect.filter_chars
    if longest and isinstance(filter_string, str) and len(filter_string) > longest:
        raise FilterTooLongError
    try:
        return parse(filter_string)
    except FilterError as error:
        raise _bad_filter(str(error), dialect.texts) from error


def _bad_filter(why: str, texts: Texts) -> QueryError:
    return QueryError(MsgCode.EXCEPTION, texts.bad_filter.replace("{value}", why))


def _sort_key(field: Field[R], collate: Collation, row: R) -> tuple[int, int | str]:
    value = field.of(row)
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int) else (2, collate(value))


def _predicate(
    node: Node | None, find: Callable[[str], Field[R]], dialect: Dialect
) -> Callable[[R], bool]:
    if node is None:
        return lambda _: True
    if isinstance(node, And):
        parts = [_predicate(part, find, dialect) for part in node.parts]
        return lambda row: all(part(row) for part in parts)
    if isinstance(node, Or):
        parts = [_predicate(part, find, dialect) for part in node.parts]
        return lambda row: any(part(row) for part in parts)
    if isinstance(node, Not):
        inner = _predicate(node.part, find, dialect)
        return lambda row: not inner(row)
    field = find(node.field)
    test = _tester(node, field.kind, dialect)
    return lambda row: test(field.of(row))


def _tester(node: Test, kind: Kind, dialect: Dialect) -> Callable[[Value], bool]:
    """Give the comparison of *node* as a function; nothing but ``null`` is true of NULL."""
    if node.operator == "null":
        return lambda value: value is None
    if kind in {Kind.NUMBER, Kind.QUANTITY} and node.operator in _COMPARISONS:
        numbers = [_number(value, dialect) for value in node.values]
        if all(number is not None for number in numbers):
            return _compared(node.operator, numbers, _number_of)
    collate = _date if kind is Kind.DATE else dialect.collation

    def text_of(value: Value) -> str:
        return collate(_text(value))

    texts = [collate(_text(value)) for value in node.values]
    if node.operator in _COMPARISONS:
        # A quoted number equals no number, though the two may look alike.
        are_numbers = kind in {Kind.NUMBER, Kind.QUANTITY}
        known = [] if are_numbers and node.operator in {"=", "in"} else texts
        return _compared(node.operator, known, text_of)
    pattern = re.escape(texts[0])
    if node.operator == "like":
        pattern = pattern.replace("%", ".*").replace("_", ".")
    match = re.compile(pattern, re.DOTALL)
    meets = match.fullmatch if node.operator == "like" else match.search
    return lambda value: value is not None and meets(text_of(value)) is not None


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "in": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _compared(
    operator: str, known: Sequence[Any], of: Callable[[Value], Any]
) -> Callable[[Value], bool]:
    """Compare values, as *of* reads them, with those that are known."""
    if operator in {"=", "in"}:
        wanted = frozenset(known)
        return lambda value: value is not None and of(value) in wanted
    compare, right = _COMPARISONS[operator], known[0]

    def meets(value: Value) -> bool:
        left = None if value is None else of(value)
        return left is not None and compare(left, right)

    return meets


def _number(literal: Literal, dialect: Dialect) -> float | None:
    """Read a literal as a number, as the site does; None where it stays text."""
    if not isinstance(literal, str):
        return literal
    if dialect.quoted is Quoted.REFUSED:
        raise _bad_filter(f"Error converting {literal!r} to a number", dialect.texts)
    if isinstance(literal, Untyped) or dialect.quoted is Quoted.FINE:
        return _number_of(literal)
    return None


def _number_of(value: Value) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _date(text: str) -> str:
    """Give a date and time such that text order is the order of time.

    >>> _date("2026-01-02") < _date("2026-01-02 08:00:00") == _date("2026-01-02T08:00:00")
    True
    """
    day, _, time = text.strip().replace(" ", "T").partition("T")
    return f"{day}T{time or '00:00:00'}"


def _text(value: Value | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
