"""The rows of bills: which fields of a form are asked for, and what their columns say.

A form may lack some of the fields, and every row is a document's line, not a document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from k3push.core.model import BillNumber, FlowTask, Route, Source, Standing, Target
from k3push.core.protocol.json_values import NO_ID, UnreadableError, name_in, text_in
from k3push.core.protocol.links import LinkRow, link_fields, source_tables, target_entry
from k3push.core.protocol.pairs import Ground, ground_of, known_pair
from k3push.core.protocol.response_status import target_in
from k3push.core.protocol.source_forms import source_form
from k3push.core.protocol.wire import BILL_NO, ID, one_of, quoted
from k3push.core.remark import remark

DOCUMENT_STATUS = "FDocumentStatus"
CLOSE_STATUS = "FCloseStatus"
CANCEL_STATUS = "FCancelStatus"
CREATOR = "FCreatorId.FName"
CREATED = "FCreateDate"

OPTIONAL_STANDING_FIELDS = (CANCEL_STATUS, CREATOR, CREATED)

TARGET_FIELDS = (ID, BILL_NO, DOCUMENT_STATUS)

OPTIONAL_SOURCE_FIELDS = (DOCUMENT_STATUS, CLOSE_STATUS, CANCEL_STATUS)
"""Status fields that some source forms lack (P 6.7)."""

APPROVED = "C"
DRAFT = "Z"
CLOSED = "B"
CANCELLED = "B"

FLOW_FIELDS = ["FBILLNUMBER", "FASSIGNNAME", "FReceiverId.FName"]
"""Open tasks of approval flows (P 10.5)."""


def source_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the source form that a look asks for, but those it lacks."""
    lacks = {field.lower() for field in lacking}
    return [BILL_NO, ID, *(f for f in OPTIONAL_SOURCE_FIELDS if f.lower() not in lacks)]


def made_since(when: str) -> str:
    """Write the filter for documents that were made at a local time of the server or later.

    >>> made_since("2026-11-01 00:00:00")
    "FCreateDate>='2026-11-01 00:00:00'"
    """
    return f"{CREATED}>={quoted(when)}"


def field_named_in(message: str, fields: Iterable[str]) -> str | None:
    """Return the field of several that a refusal names as missing (P 4.4), or None.

    >>> field_named_in("元数据中标识为FCloseStatus的字段不存在", OPTIONAL_SOURCE_FIELDS)
    'FCloseStatus'
    """
    return next((field for field in fields if field.lower() in message.lower()), None)


def organisation_fields(form: str) -> list[str]:
    """Return the fields that tell the organisations of bills by their ids; none if not known."""
    field = source_form(form).organisation
    return [ID, f"{field}.FNumber"] if field else []


def read_organisations(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Read rows that were asked for by `organisation_fields`: organisation by id.

    Raises:
        UnreadableError: If an id cannot be read.
    """
    return {name_in(row[0]): text_in(row[1]) for row in rows}


def target_fields(route: Route, lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the target form that a look asks for, but those it lacks.

    Beside what every form has these are the cancelling, what tells the source's form, and the id
    that the link names (P 6.5, 6.6).
    """
    lacks = {field.lower() for field in lacking}
    # An id says nothing without its form, and one refusal tells of both.
    no_link = any(field.lower() in lacks for field in link_fields(route))
    ids = [] if no_link else source_id_fields(route)
    wanted = [CANCEL_STATUS, *form_fields(route), *ids]
    fields = [field for field in wanted if field.lower() not in lacks]
    return [*TARGET_FIELDS, route.source_number_field, *fields]


def form_fields(route: Route) -> list[str]:
    """Return the fields of the target form that tell the source's form: its own, and the link's.

    They belong to the pair's own source number; beside another field they would tell of another
    source: an order's number also stands on what was made from its receipts. Of a pair that is not
    known the links tell, where the site has told which they are.
    """
    pair = known_pair(route.source, route.target)
    if pair is None:
        return link_fields(route)[1:]
    if pair.source_number_field.lower() != route.source_number_field.lower():
        return []
    return [field for field in (pair.source_form_field, *link_fields(route)[1:]) if field]


def source_id_fields(route: Route) -> list[str]:
    """Return the field that tells from which bill a line was made, beside its source number."""
    return link_fields(route)[:1] if form_fields(route) else []


def standing_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the target form that tell how a document stands."""
    lacks = {field.lower() for field in lacking}
    return [*TARGET_FIELDS, *(f for f in OPTIONAL_STANDING_FIELDS if f.lower() not in lacks)]


def open_tasks(form: str, numbers: Iterable[str]) -> str:
    """Write the filter for open tasks of running flows of documents (P 10.5)."""
    bills = one_of("FBILLNUMBER", map(BillNumber, numbers))
    pending = "FStatus='0' AND FActivityStatus='0' AND FInstStatus='2'"
    return f"{bills} AND FObjectTypeId={quoted(form.upper())} AND {pending}"


def read_sources(
    rows: Iterable[Sequence[Any]], fields: Sequence[str], *, by_id: bool = False
) -> list[Source]:
    """Read rows that were asked for by `source_fields`; a bill that comes twice counts once.

    Args:
        rows: The rows.
        fields: What their columns hold.
        by_id: They were asked for by id; a draft among them has no number (P 5.9), and what has
            blanks about its number has them in what is returned.

    Raises:
        UnreadableError: If a bill comes without an id, which alone tells two bills of one
            number from one bill that came twice; or without the number that it was asked for by.
    """

    @cache  # nearly all bills of a list stand alike
    def blocked(*statuses: str) -> str:
        said = dict(zip(fields[2:], statuses, strict=True))
        if said.get(CANCEL_STATUS) == CANCELLED:
            return "cancelled"
        if said.get(CLOSE_STATUS) == CLOSED:
            return "closed"
        return "unapproved" if said.get(DOCUMENT_STATUS, APPROVED) != APPROVED else ""

    found: dict[str, Source] = {}
    for row in rows:
        number, source_id = name_in(row[0]), name_in(row[1])
        if not source_id:
            raise UnreadableError(remark("answer.source_id"))
        if not number and not by_id:
            raise UnreadableError(remark("answer.source_number"))
        if by_id and number == source_id:
            number = ""
        elif by_id and number and isinstance(row[0], str):
            number = row[0]
        statuses = map(text_in, row[2:])
        found.setdefault(source_id, Source(BillNumber(number), source_id, blocked(*statuses)))
    return list(found.values())


def check_asked(
    rows: Sequence[Sequence[Any]], ids: Iterable[str], *, place: int = 0, document: int = 0
) -> None:
    """See that each document of an answer has a row of what was asked for.

    A filter that was passed over, or an answer to another question, shows what was not asked for;
    what such an answer lacks may be there all the same.

    Args:
        rows: The rows.
        ids: What the filter has named.
        place: The column that the filter was about.
        document: The column of the document's id.

    Raises:
        UnreadableError: If a document has none.
    """
    asked = {_spelled(id_) for id_ in ids}
    of_asked = {name_in(row[document]) for row in rows if _spelled(name_in(row[place])) in asked}
    if not of_asked.issuperset(name_in(row[document]) for row in rows):
        raise UnreadableError(remark("answer.not_asked"))


def _spelled(id_: str) -> str:
    """Spell an id as all spellings that a database takes for it."""
    return id_.lower().lstrip("0")


@dataclass(frozen=True, slots=True)
class LinkedTarget:
    """A document that names a source number.

    Attributes:
        target: The document.
        cancelled: Whether somebody has cancelled it (作废).
        ground: What says that the number is one of the source form.
        sources: Ids of the bills that its lines of that number were made from; "" for a line that
            does not tell.
    """

    target: Target
    cancelled: bool
    ground: Ground
    sources: frozenset[str] = frozenset({""})

    def with_line(self, line: LinkedTarget) -> LinkedTarget:
        """Add what another line of the same document tells."""
        if line.ground <= self.ground and line.sources <= self.sources:
            return self
        sources = self.sources | line.sources
        return replace(line, ground=max(self.ground, line.ground), sources=sources)

    def is_of(self, source_id: str) -> bool:
        """Say whether a link shows that it was made from a bill."""
        return source_id in self.sources

    def may_be_of(self, source_id: str) -> bool:
        """Say whether nothing shows that it was made from other bills alone."""
        return not self.sources.isdisjoint({source_id, ""})


def read_targets(
    rows: Iterable[Sequence[Any]], fields: Sequence[str], route: Route
) -> list[tuple[BillNumber, LinkedTarget]]:
    """Read rows that were asked for by `target_fields`: source number and document, each once.

    A document has a row for each of its lines; one line that names our form is enough.

    A filter by source numbers lets no target through that has none. Where the number is blank
    all the same, it is hidden, such as by a right to see the field. To pass the target over
    would deny it, and to give it to a number would be a guess.

    Raises:
        UnreadableError: If a target comes without an id or without the number of its source.
    """
    pair = known_pair(route.source, route.target)
    by_form = pair.source_form_field.lower() if pair else ""
    by_link = "".join(source_id_fields(route)).lower()
    mine = source_tables(route)
    names = [field.lower() for field in fields[4:]]
    found: dict[tuple[BillNumber, str], LinkedTarget] = {}
    for row in rows:
        target_id, number, source = name_in(row[0]), name_in(row[1]), name_in(row[3])
        status = text_in(row[2])
        if not target_id:
            raise UnreadableError(remark("answer.target_id"))
        if not source:
            raise UnreadableError(remark("answer.target_source"))
        said = dict(zip(names, map(text_in, row[4:]), strict=True))
        cancelled = said.pop(CANCEL_STATUS.lower(), "") == CANCELLED
        form, link = said.pop(by_form, ""), said.pop(by_link, "")
        table = "".join(said.values())
        ground = ground_of(route.source, mine, form, table)
        # An id says nothing without its form, nor a line of another form anything of ours.
        tells = link != NO_ID and table.lower() in {"", *mine}
        sources = frozenset({link if tells else ""} if ground > Ground.ODD else ())
        key = (BillNumber(source), target_id)
        target = target_in(target_id, number, draft=status == DRAFT)
        line = LinkedTarget(target, cancelled, ground, sources)
        found[key] = found[key].with_line(line) if key in found else line
    return [(number, linked) for (number, _), linked in found.items()]


def each_once(linked: Iterable[LinkedTarget]) -> list[LinkedTarget]:
    """Join what is one document: its lines may spell the number in several ways (P 4.7)."""
    found: dict[str, LinkedTarget] = {}
    for each in linked:
        id_ = each.target.id
        found[id_] = found[id_].with_line(each) if id_ in found else each
    return list(found.values())


def read_links(
    rows: Iterable[Sequence[Any]], fields: Sequence[str], route: Route
) -> list[tuple[str, LinkedTarget]]:
    """Read rows of `TARGET_FIELDS`, the cancelling if it is there, and `link_fields`.

    Returns:
        The source's id, and a document that was made from it; links to other forms are left out.

    Raises:
        UnreadableError: If a target comes without an id.
    """
    tables = source_tables(route)
    found: dict[tuple[str, str], LinkedTarget] = {}
    for row in rows:
        target_id, number, status = name_in(row[0]), name_in(row[1]), text_in(row[2])
        if not target_id:
            raise UnreadableError(remark("answer.target_id"))
        source_id, table = name_in(row[-2]), text_in(row[-1])
        cancelled = len(fields) > len(TARGET_FIELDS) + 2 and text_in(row[3]) == CANCELLED
        ground = ground_of(route.source, tables, "", table)
        # A link that keeps the form to itself may be ours: to pass over it would deny a document.
        if ground is Ground.FORM or not table.strip():
            target = target_in(target_id, number, draft=status == DRAFT)
            found[source_id, target_id] = LinkedTarget(target, cancelled, ground)
    return [(source_id, linked) for (source_id, _), linked in found.items()]


def read_link_rows(rows: Iterable[Sequence[Any]]) -> list[LinkRow]:
    """Read rows of the id of a document and `links.any_link_fields`; lines without a link are out.

    Raises:
        UnreadableError: If an id cannot be read.
    """
    read = (LinkRow(name_in(row[0]), name_in(row[1]), *map(text_in, row[2:])) for row in rows)
    return [row for row in read if row.source_id not in {"", NO_ID}]


def line_fields(route: Route) -> list[str]:
    """Return the fields of a document's lines: its own id, and theirs.

    >>> line_fields(Route("r", "A_B", "C_D", target_entry="FEntity"))
    ['FID', 'FEntity_FEntryId']
    """
    return [ID, f"{target_entry(route)}_FEntryId"]


def read_partly_linked(every: Iterable[Sequence[Any]], linked: Iterable[Sequence[Any]]) -> set[str]:
    """Return the ids of documents that have a line without a link.

    Args:
        every: Rows of the lines; there are none if the form does not tell its lines apart.
        linked: The same with the source's id that the line's link names.

    Raises:
        UnreadableError: If an id cannot be read.

    >>> sorted(read_partly_linked([(7, 1), (7, 2), (8, 3)], [(7, 1, 100017), (8, 3, 100018)]))
    ['7']
    >>> sorted(read_partly_linked([], [(7, 100017), (8, 0)]))
    ['8']
    """
    rows = [tuple(map(name_in, row)) for row in linked]
    whole = {row[:-1] for row in rows if row[-1] not in {"", NO_ID}}
    lines = {row[:-1] for row in rows if row[-1] in {"", NO_ID}}
    lines |= {tuple(map(name_in, row)) for row in every} - whole
    return {line[0] for line in lines}


def read_standings(rows: Iterable[Sequence[Any]], fields: Sequence[str]) -> dict[str, Standing]:
    """Read rows that were asked for by `standing_fields`, by id.

    Raises:
        UnreadableError: If a document comes without an id.
    """
    found = {}
    for row in rows:
        target_id, number, status = name_in(row[0]), name_in(row[1]), text_in(row[2])
        if not target_id:
            raise UnreadableError(remark("answer.target_id"))
        more = dict(zip(fields, row, strict=True))
        found[target_id] = Standing(
            number=target_in(target_id, number, draft=status == DRAFT).number,
            status=status,
            cancelled=text_in(more.get(CANCEL_STATUS)) == CANCELLED,
            creator=text_in(more.get(CREATOR)),
            created=text_in(more.get(CREATED)),
        )
    return found


def read_flow_tasks(rows: Iterable[Sequence[Any]]) -> list[tuple[str, FlowTask]]:
    """Read rows of `FLOW_FIELDS`: a bill number and its open task."""
    return [(name_in(row[0]), FlowTask(text_in(row[1]), text_in(row[2]))) for row in rows]
