"""The query that selects the bills a route would push, with dates such as `today-1` (P 6.1, 13.4).

The caller says which day is today: commands by their machine, a schedule by its time zone.

Bills come in the order of their ids, and a page begins behind the last id of the one before: so
no bill that is made, pushed or deleted between two pages moves another out of sight.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from k3push.core.model import BillNumber, Route
from k3push.core.protocol import wire
from k3push.core.protocol.bill_rows import (
    APPROVED,
    CANCEL_STATUS,
    CANCELLED,
    CLOSE_STATUS,
    CLOSED,
    DOCUMENT_STATUS,
    OPTIONAL_SOURCE_FIELDS,
)
from k3push.core.protocol.json_values import UnreadableError, name_in, text_in
from k3push.core.protocol.source_forms import quantity_left, source_form
from k3push.core.remark import remark

DEFAULT_MAX_COUNT = 10_000

# Texts in quotes, in which a quote is written twice.
_TEXT = re.compile(r"'(?:[^']|'')*'")
# What a Chinese keyboard types in the place of marks that the ERP knows.
_WIDE_MARKS = re.compile("[“”‘’＂＇＝＜＞！，（）％]")
_TODAY = re.compile(r"(?<![\w.])today(?:\s*([+-])\s*([0-9]{1,5}))?(?![\w.])", re.IGNORECASE)

# Fields that hold numbers in every form. Compared with a quoted one they give wrong counts in
# silence (P 13.4).
_QUOTED_NUMBER = re.compile(
    r"(?<![\w.])(FID|\w*FEntryID|\w*FSeq|\w*_FSBillId|\w*_FSId|\w*Qty)"
    r"\s*(?:=|<>|!=|<=|>=|<|>|in\s*\()\s*'\s*-?[0-9.]+\s*'",
    re.IGNORECASE,
)


class FilterFlawError(ValueError):
    """A filter cannot be used; a remark says why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which bills a route selects (`[routes.NAME.select]`).

    Attributes:
        where: A filter of the ERP's own syntax beside the others, with dates such as `today-1`.
        days: Bills dated within so many days before today, and later; 0 for all.
        organisation: Number of the organisation that they belong to, or "".
        max_count: So many bills at most.
        pushable: Only bills that the ERP would push now; an audit wants the others as well.
    """

    where: str = ""
    days: int = 0
    organisation: str = ""
    max_count: int = DEFAULT_MAX_COUNT
    pushable: bool = True


class Selected(NamedTuple):
    """A bill that was selected.

    Attributes:
        number: The ERP's spelling; "" for a draft (P 5.9).
        id: Internal id, in digits.
        date: Its own date, such as 2026-11-26; "" where the form is not known to have one.
        organisation: Number of its organisation; "" where that is not known.
    """

    number: BillNumber
    id: str
    date: str = ""
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class SelectedPage:
    """Bills with consecutive ids among those selected.

    Attributes:
        bills: Empty where no more follow.
        lacking: Fields that the form lacks, by which bills are not told apart for that.
    """

    bills: Sequence[Selected]
    lacking: Collection[str] = ()


def check_where(where: str) -> str:
    """Return a filter that may be joined with others.

    >>> check_where("FNote='(' AND FDate>=today-1")
    "FNote='(' AND FDate>=today-1"

    Raises:
        FilterFlawError: A quote or a bracket is left open, a number stands in quotes, or a mark is
            one of a Chinese keyboard.
    """
    rest = _TEXT.sub("", where)
    if "'" in rest:
        raise FilterFlawError(remark("select.open_quote"))
    if marks := dict.fromkeys(_WIDE_MARKS.findall(rest)):
        raise FilterFlawError(remark("select.wide_marks", marks=" ".join(marks)))
    depth = 0
    for char in rest:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
    if depth:
        raise FilterFlawError(remark("select.open_bracket"))
    if found := _QUOTED_NUMBER.search(where):
        raise FilterFlawError(remark("select.quoted_number", field=found[1]))
    return where


def joined(one: str, other: str) -> str:
    """Return the filter that lets through what two filters do; "" lets all through.

    >>> joined("FNote='x' OR FNote='y'", "FDate>=today-1")
    "(FNote='x' OR FNote='y') AND (FDate>=today-1)"
    >>> joined("", "FDate>=today-1")
    'FDate>=today-1'
    """
    return f"({one}) AND ({other})" if one and other else one or other


def with_dates(where: str, today: date) -> str:
    """Put dates in the place of `today`, `today-1`, ...; texts in quotes stay as they are.

    >>> with_dates("FDate>=today-1 AND FNote<>'today'", date(2026, 11, 26))
    "FDate>='2026-11-25' AND FNote<>'today'"
    """

    def day(found: re.Match[str]) -> str:
        days = int(f"{found[1] or '+'}{found[2] or 0}")
        return wire.quoted((today + timedelta(days)).isoformat())

    return "".join(part if is_text else _TODAY.sub(day, part) for part, is_text in _parts_of(where))


def _parts_of(where: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a filter, and whether each is a text in quotes."""
    end = 0
    for found in _TEXT.finditer(where):
        yield where[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield where[end:], False


def selection_fields(route: Route, lacking: Collection[str] = ()) -> list[str]:
    """Return the fields that are asked for, but those that the form lacks."""
    form = source_form(route.source)
    organisation = [f"{form.organisation}.FNumber"] if form.organisation else []
    more = [form.date, *organisation]
    return [wire.ID, wire.BILL_NO, *(field for field in more if not _is_in(field, lacking))]


def fields_to_spare(route: Route, selection: Selection) -> list[str]:
    """Return the fields that a selection can do without, where the form lacks them."""
    form = source_form(route.source)
    spare = [*OPTIONAL_SOURCE_FIELDS, quantity_left(route.source, route.target)]
    if not selection.days:
        spare.append(form.date)
    if form.organisation and not selection.organisation:
        spare.append(form.organisation)
    return [field for field in spare if field]


def selection_filter(
    route: Route, selection: Selection, *, today: date, after: str, lacking: Collection[str] = ()
) -> str:
    """Write the filter of one page.

    What the ERP would not push is left out (P 5.11), unless the route sends it all the same.

    >>> route = Route("r", "PUR_PurchaseOrder", "STK_InStock", send_blocked=True)
    >>> choice = Selection(where="FNote='x' OR FNote='y'", days=1)
    >>> selection_filter(route, choice, today=date(2026, 11, 26), after="7")
    "FID>7 AND FRemainStockINQty>0 AND FDate>='2026-11-25' AND (FNote='x' OR FNote='y')"

    Raises:
        FilterFlawError: Nobody knows which field holds the organisation.
    """
    form = source_form(route.source)
    statuses = [
        (DOCUMENT_STATUS, f"{DOCUMENT_STATUS}={wire.quoted(APPROVED)}"),
        (CLOSE_STATUS, f"{CLOSE_STATUS}<>{wire.quoted(CLOSED)}"),
        (CANCEL_STATUS, f"{CANCEL_STATUS}<>{wire.quoted(CANCELLED)}"),
    ]
    conditions = statuses if selection.pushable and not route.send_blocked else []
    left = quantity_left(route.source, route.target)
    if left and selection.pushable:
        conditions.append((left, f"{left}>0"))
    if selection.days:
        since = today - timedelta(selection.days)
        conditions.append((form.date, f"{form.date}>={wire.quoted(since.isoformat())}"))
    if selection.organisation:
        if not form.organisation:
            raise FilterFlawError(remark("select.no_organisation_field", form=route.source))
        field = f"{form.organisation}.FNumber"
        conditions.append((field, f"{field}={wire.quoted(selection.organisation)}"))
    parts = [f"{wire.ID}>{after}"]
    parts += [condition for field, condition in conditions if not _is_in(field, lacking)]
    if selection.where.strip():
        parts.append(f"({with_dates(selection.where, today)})")
    return " AND ".join(parts)


def _is_in(field: str, lacking: Collection[str]) -> bool:
    return field.partition(".")[0].lower() in {each.lower() for each in lacking}


def read_selected(
    rows: Sequence[Sequence[Any]], fields: Sequence[str], after: str
) -> list[Selected]:
    """Read a page of rows that were asked for by `selection_fields`, one or more to each bill.

    Args:
        rows: As they came.
        fields: What their columns hold.
        after: The id that all of them have to be behind.

    Raises:
        UnreadableError: A row is not in its place, so that others may be missing.
    """
    found: dict[str, Selected] = {}
    last = int(after)
    for row in rows:
        id_, number = name_in(row[0]), name_in(row[1])
        if not (id_.isascii() and id_.isdigit()):
            raise UnreadableError(remark("answer.source_id"))
        if int(id_) < last or id_ == after:
            raise UnreadableError(remark("answer.unordered", id=id_, last=last))
        last = int(id_)
        told = {field: text_in(value) for field, value in zip(fields[2:], row[2:], strict=True)}
        day = next((text[:10] for field, text in told.items() if "." not in field), "")
        organisation = next((text for field, text in told.items() if "." in field), "")
        bill = Selected(BillNumber("" if number == id_ else number), id_, day, organisation)
        found.setdefault(id_, bill)
    return list(found.values())
