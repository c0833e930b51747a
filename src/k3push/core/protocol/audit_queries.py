"""What an audit asks of a form, and how it reads the rows: whole documents, and who made them.

The quantities are those in the material's base unit, the one unit that source and target share
(P 14.3). Names of fields are those that public programs use; a site that lacks one is judged by
what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from k3push.core.model import BillNumber, Route
from k3push.core.protocol import bill_rows, links, wire
from k3push.core.protocol.json_values import text_in
from k3push.core.protocol.paging import Row
from k3push.core.protocol.pairs import Ground, ground_of, known_pair

QUANTITY = "FBaseUnitQty"

# Links of payables and receivables call it otherwise.
_LINK_QUANTITIES = {"ap_payable": "FBASICUNITQTY", "ar_receivable": "FBASICUNITQTY"}

# Keys of the entries of source forms, whose rows links name.
_SOURCE_ENTRIES = {
    "pur_purchaseorder": "FPOOrderEntry",
    "pur_receivebill": "FDetailEntity",
    "pur_mrb": "FPURMRBENTRY",
    "stk_instock": "FInStockEntry",
    "sal_saleorder": "FSaleOrderEntry",
    "sal_deliverynotice": "FEntity",
    "sal_outstock": "FEntity",
    "prd_mo": "FTreeEntity",
}

_NO_ID = frozenset({"", "0"})


class Named(NamedTuple):
    """A source as a line of a document names it.

    Attributes:
        number: What the number field holds, or "".
        id: The id that the link names, or "".
    """

    number: BillNumber
    id: str = ""


class Taken(NamedTuple):
    """What a line of a document takes of a source, by its link.

    Attributes:
        source: Internal id of the source.
        row: Internal id of its row, or "".
        quantity: How much, in the base unit; None where it is not shown.
    """

    source: str
    row: str
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A document of the target form.

    Attributes:
        id: Internal id, as text.
        number: Its bill number; "" for a draft.
        status: FDocumentStatus (P 6.7).
        cancelled: Whether somebody has cancelled it (作废).
        creator: Name of the user who made it, or "".
        created: When, in the server's local time, or "".
        taken: What its links say that it takes.
        bare: A line of it shows no link, so that its number is all that names a bill.
    """

    id: str
    number: str
    status: str
    cancelled: bool = False
    creator: str = ""
    created: str = ""
    taken: tuple[Taken, ...] = ()
    bare: bool = False


# -- which sources the documents of a form name -------------------------------------------------


def naming_fields(route: Route) -> list[str]:
    """Return the fields of the target form that name sources: the id of the document first."""
    number = [route.source_number_field] if route.source_number_field else []
    return [
        wire.ID,
        *number,
        *dict.fromkeys([*bill_rows.form_fields(route), *links.link_fields(route)]),
    ]


def read_naming(
    rows: Iterable[Row], fields: Sequence[str], route: Route
) -> list[tuple[int, Named]]:
    """Read rows of `naming_fields`, but those that the form lacks: document and source.

    Lines that were made from another form, and those that name nothing, are left out.
    """
    tables, keys = links.source_tables(route), [field.lower() for field in fields]
    number_key, form_key = route.source_number_field.lower(), _form_key(route)
    link_key, table_key = ([f.lower() for f in links.link_fields(route)] + ["", ""])[:2]
    found = []
    for row in rows:
        said = dict(zip(keys, map(text_in, row), strict=True))
        table = said.get(table_key, "")
        ground = ground_of(route.source, tables, said.get(form_key, ""), table)
        number = "" if ground is Ground.FOREIGN else said.get(number_key, "")
        linked = ground_of(route.source, tables, "", table) is Ground.FORM
        source_id = said.get(link_key, "") if linked else ""
        named = Named(BillNumber(number), "" if source_id in _NO_ID else source_id)
        if any(named):
            found.append((int(said[wire.ID.lower()]), named))
    return found


def _form_key(route: Route) -> str:
    pair = known_pair(route.source, route.target)
    return pair.source_form_field.lower() if pair and bill_rows.form_fields(route) else ""


def behind(after: int, since: str) -> str:
    """Write the filter for documents behind an id and, if there is one, made since a time.

    >>> behind(100001, "2026-11-01 00:00:00")
    "FID>100001 AND FCreateDate>='2026-11-01 00:00:00'"
    """
    made = f" AND {bill_rows.made_since(since)}" if since else ""
    return f"{wire.ID}>{after}{made}"


# -- documents with their makers and lines ------------------------------------------------------


def line_fields(route: Route) -> list[str]:
    """Return the fields of whole documents; all behind `bill_rows.TARGET_FIELDS` may be lacking."""
    linked = links.link_fields(route)
    if linked:
        prefix = linked[0].removesuffix("FSBillId")
        linked = [*linked, f"{prefix}FSId", prefix + _link_quantity(route.target)]
    made = (bill_rows.CANCEL_STATUS, bill_rows.CREATOR, bill_rows.CREATED)
    return [*bill_rows.TARGET_FIELDS, *made, *linked]


def _link_quantity(target: str) -> str:
    return _LINK_QUANTITIES.get(target.lower(), QUANTITY)


def read_lines(rows: Sequence[Row], fields: Sequence[str], route: Route) -> dict[str, Inspected]:
    """Read rows of `line_fields`, but those that the form lacks, by the document's id.

    Raises:
        UnreadableError: If a document comes without an id.
    """
    heads = len(bill_rows.TARGET_FIELDS) + (bill_rows.CANCEL_STATUS in fields)
    standings = bill_rows.read_standings([row[:heads] for row in rows], fields[:heads])
    found = {
        id_: Inspected(id_, each.number, each.status, each.cancelled)
        for id_, each in standings.items()
    }
    keys, tables = [field.lower() for field in fields], links.source_tables(route)
    wanted = [field.lower() for field in line_fields(route)][len(bill_rows.TARGET_FIELDS) + 1 :]
    for row in rows:
        said = dict(zip(keys, row, strict=True))
        creator, created, *link = (said.get(key) for key in wanted)
        document = found[text_in(said[wire.ID.lower()])]
        table = text_in(link[1]) if link else ""
        ground = ground_of(route.source, tables, "", table)
        taken = document.taken
        if ground is Ground.FORM:
            taken = (
                *taken,
                Taken(text_in(link[0]), text_in(link[2]), _quantity(link[3])),
            )
        found[document.id] = replace(
            document,
            creator=text_in(creator),
            created=text_in(created),
            taken=taken,
            bare=document.bare or ground not in {Ground.FORM, Ground.FOREIGN},
        )
    return found


# -- source bills -------------------------------------------------------------------------------


def row_fields(route: Route) -> list[str]:
    """Return the fields of a source's rows and what they order; none where they are not known."""
    entry = _SOURCE_ENTRIES.get(route.source.lower())
    return [wire.ID, f"{entry}_FEntryId", QUANTITY] if entry else []


def read_ordered(
    rows: Iterable[Row], fields: Sequence[str], route: Route
) -> dict[str, Mapping[str, Decimal | None]]:
    """Read rows of `row_fields`, but those that the form lacks: quantities by row, by bill."""
    found: dict[str, dict[str, Decimal | None]] = {}
    _, row_key, quantity_key = row_fields(route)
    for row in rows:
        said = dict(zip(fields, row, strict=True))
        if row_id := text_in(said.get(row_key)):
            ordered = found.setdefault(text_in(said[wire.ID]), {})
            ordered[row_id] = _quantity(said.get(quantity_key))
    return {**found}


def read_numbers(rows: Iterable[Row]) -> dict[str, BillNumber]:
    """Read rows of id and number: the numbers of bills that have one, by id."""
    numbers = {text_in(id_): BillNumber(text_in(number)) for id_, number in rows}
    return {id_: number for id_, number in numbers.items() if number not in {"", id_}}


def without(fields: Iterable[str], lacking: Iterable[str]) -> list[str]:
    """Return the fields but those that a form lacks, in any letter case."""
    lacks = {field.lower() for field in lacking}
    return [field for field in fields if field.lower() not in lacks]


def sums(taken: Iterable[Taken], source: str) -> Mapping[str, Decimal | None]:
    """Return what a document takes of each row of a source; None where it is not shown.

    Nothing comes back where one of its lines does not tell its row.
    """
    rows: dict[str, Decimal | None] = {}
    for _, row, quantity in (each for each in taken if each.source == source):
        if row in _NO_ID:
            return {}
        before = rows.get(row, Decimal())
        rows[row] = None if before is None or quantity is None else before + quantity
    return rows


def _quantity(value: object) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value).strip())
    except InvalidOperation:
        return None
