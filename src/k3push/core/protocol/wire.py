"""The ERP's JSON, both ways; the only place that knows its keys.

Bytes come in, values go out. What cannot be read raises `UnreadableError`; it never
turns into an empty answer, since an empty answer proves something.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson

from k3push.core.model import BillNumber, FlowTask, Route, Source, Standing, Step, Target
from k3push.core.protocol.compression import PackingError, inflated
from k3push.core.protocol.links import FormEntry, LinkRow, link_fields, source_tables
from k3push.core.protocol.pairs import Ground, ground_of, known_pair
from k3push.core.protocol.source_forms import source_form
from k3push.core.remark import remark

BILL_NO = "FBillNo"
ID = "FID"
DOCUMENT_STATUS = "FDocumentStatus"
CLOSE_STATUS = "FCloseStatus"
CANCEL_STATUS = "FCancelStatus"
CREATOR = "FCreatorId.FName"
OPTIONAL_STANDING_FIELDS = (CANCEL_STATUS, CREATOR)

NEWEST_FIRST = f"{ID} DESC"
BY_ID = f"{ID} ASC"

TARGET_FIELDS = (ID, BILL_NO, DOCUMENT_STATUS)

OPTIONAL_SOURCE_FIELDS = (DOCUMENT_STATUS, CLOSE_STATUS, CANCEL_STATUS)
"""Status fields that some source forms lack (P 6.7)."""

# How .NET writes "no id".
NO_ID = "0"

APPROVED = "C"
DRAFT = "Z"
CLOSED = "B"
CANCELLED = "B"

# P 3.1-3.3. Looked at only where MsgCode is absent, and only as a whole message: the words
# also stand in validation errors ("InteractionContext is null") and may stand in data.
LOST_SESSION_MESSAGES = frozenset(
    {
        "context is null",
        "会话信息已丢失，请重新登录",
        "会话信息已丢失,请重新登录",
        "会话已失效，请重新登录",
        "会话已失效,请重新登录",
        "session 已失效",
        "会话已过期",
    }
)
LOST_SESSION_CODE = "1"

# The official client takes these two for answers and all else for failures (P 1.9).
ANSWER_STATUSES = frozenset({200, 206})

RESPONSE_ERROR = "response_error:"

PUSH = "Push"
"""The operation of `FORM_SERVICE` that makes targets; steps after it have names of their own."""

OPERATIONS = {Step.SUBMIT: "Submit", Step.AUDIT: "Audit"}

FLOW_TASKS = "WF_AssignmentBill_ProcManage"
FLOW_FIELDS = ["FBILLNUMBER", "FASSIGNNAME", "FReceiverId.FName"]
"""Open tasks of approval flows (P 10.5)."""

# What forms that are no bills call the id that their rows are ordered by.
_IDS = {FLOW_TASKS: "FAssignId"}

# What stands in a cell; a list or an object would be no value that was asked for.
CELLS = frozenset({str, int, float, bool, type(None)})

# From here on, whole numbers that came as fractions may have lost digits.
INEXACT = 2.0**53


class UnreadableError(Exception):
    """The bytes are not what the ERP sends."""


class SessionLostError(Exception):
    """A query was answered with a lost session; nothing was executed (P 3.6)."""


class QueryRefusedError(Exception):
    """A query was answered with an error.

    Attributes:
        code: MsgCode as text, or "".
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ResponseStatus:
    """One `ResponseStatus` (P 4.1).

    Attributes:
        success: `IsSuccess`, which comes as a boolean or as text.
        code: `MsgCode` as text; "" where the server is too old to send one.
        errors: The messages of `Errors`, in order.
        entities: `SuccessEntitys`.
        worked: Something stands in `SuccessEntitys`, whether it can be read or not.
        told: The messages of `SuccessMessages`: what an approval has made besides (P 7.2).
    """

    success: bool
    code: str
    errors: tuple[str, ...]
    entities: tuple[Target, ...]
    worked: bool = False
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What Push answers: saving the targets, and converting to them (P 5.3).

    Attributes:
        beside: A target is named beside the status alone, as old servers do: there may be more.
    """

    saved: ResponseStatus
    converted: ResponseStatus | None
    beside: bool = False


# -- requests ---------------------------------------------------------------------------------


def push_data(route: Route, numbers: Sequence[BillNumber], ids: Sequence[str] = ()) -> bytes:
    """Write the `data` of a Push request (P 5.1), which names its bills in one way.

    Args:
        route: Whose rule converts them.
        numbers: The bills, by number; none where there are *ids*.
        ids: The bills, by id.

    >>> route = Route("r", "PUR_PurchaseOrder", "STK_InStock", rule="PUR_PurchaseOrder-STK_InStock")
    >>> push_data(route, [BillNumber("CGDD0000017")])[:49]
    b'{"Ids":"","Numbers":["CGDD0000017"],"EntryIds":""'
    >>> push_data(route, [], ["100017", "100018"])[:41]
    b'{"Ids":"100017,100018","Numbers":[],"Entr'
    """
    return orjson.dumps(
        {
            "Ids": ",".join(ids),
            "Numbers": list(numbers),
            "EntryIds": "",
            "RuleId": route.rule,
            "TargetBillTypeId": route.target_bill_type_id,
            "TargetOrgId": route.target_org_id,
            "TargetFormId": route.target,
            "IsEnableDefaultRule": not route.rule,
            "IsDraftWhenSaveFail": route.draft_when_save_fails,
            "CustomParams": dict(route.custom_params),
        }
    )


def call_body(form: str, data: bytes) -> bytes:
    """Wrap `data` as the official client does: beside the form id, as an object (P 1.5).

    >>> call_body("PUR_PurchaseOrder", b'{"Ids":""}')
    b'{"formid":"PUR_PurchaseOrder","data":{"Ids":""}}'
    """
    head = b'"formid":' + orjson.dumps(form) + b"," if form else b""
    return b"{" + head + b'"data":' + data + b"}"


def quoted(text: str) -> str:
    """Quote a text for a filter.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def one_of(field: str, numbers: Iterable[BillNumber]) -> str:
    """Write the filter that *field* is one of *numbers*.

    >>> one_of("FBillNo", [BillNumber("A"), BillNumber("B")])
    "FBillNo in ('A','B')"
    """
    return f"{field} in ({','.join(quoted(n) for n in numbers)})"


def query_data(
    form: str,
    fields: Sequence[str],
    filter_string: str,
    *,
    start: int,
    limit: int,
    order: str = "",
) -> bytes:
    """Write the `data` of one page of ExecuteBillQuery (P 6.1).

    Without an *order* rows are ordered by the internal id, then by the other *fields*: what is
    made between two pages comes behind both, and rows which could change places are equal.
    """
    id_ = _IDS.get(form, ID)
    by_all = [id_, *(field for field in fields if field != id_)]
    return orjson.dumps(
        {
            "FormId": form,
            "FieldKeys": ",".join(fields),
            "FilterString": filter_string,
            "OrderString": order or ",".join(f"{field} ASC" for field in by_all),
            "TopRowCount": 0,
            "StartRow": start,
            "Limit": limit,
            "SubSystemId": "",
        }
    )


def form_data(form: str) -> bytes:
    """Write the `data` of QueryBusinessInfo (P 11.1).

    >>> form_data("STK_InStock")
    b'{"FormId":"STK_InStock"}'
    """
    return orjson.dumps({"FormId": form})


def source_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the source form that a look asks for, but those it lacks."""
    lacks = {field.lower() for field in lacking}
    return [BILL_NO, ID, *(f for f in OPTIONAL_SOURCE_FIELDS if f.lower() not in lacks)]


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
    source: an order's number also stands on what was made from its receipts.
    """
    pair = known_pair(route.source, route.target)
    if pair is None or pair.source_number_field.lower() != route.source_number_field.lower():
        return []
    return [field for field in (pair.source_form_field, *link_fields(route)[1:]) if field]


def source_id_fields(route: Route) -> list[str]:
    """Return the field that tells from which bill a line was made, beside its source number."""
    return link_fields(route)[:1] if form_fields(route) else []


def whole_numbers_in(field: str, ids: Iterable[str]) -> str:
    """Write the filter that a numeric field is one of some ids, unquoted (P 13.4).

    >>> whole_numbers_in("FID", ["100001", "100002"])
    'FID in (100001,100002)'
    """
    shown = [id_ if id_.isascii() and id_.isdigit() else quoted(id_) for id_ in ids]
    return f"{field} in ({','.join(shown)})"


def standing_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the target form that tell how a document stands."""
    lacks = {field.lower() for field in lacking}
    return [*TARGET_FIELDS, *(f for f in OPTIONAL_STANDING_FIELDS if f.lower() not in lacks)]


def step_data(route: Route, step: Step, ids: Sequence[str]) -> bytes:
    """Write the `data` of a Submit or an Audit request (P 7.1, 11.1).

    >>> route = Route("r", "PUR_PurchaseOrder", "STK_InStock")
    >>> step_data(route, Step.SUBMIT, ["100001", "100002"])[:49]
    b'{"CreateOrgId":0,"Numbers":[],"Ids":"100001,10000'
    """
    asked: dict[str, object] = {"CreateOrgId": 0, "Numbers": [], "Ids": ",".join(ids)}
    if step is Step.SUBMIT:
        more: dict[str, object] = {"SelectedPostId": 0, "UseOrgId": 0, "NetworkCtrl": ""}
    else:
        verify = "true" if route.verify_flow else "false"
        more = {
            "InterationFlags": "",
            "UseOrgId": 0,
            "NetworkCtrl": "",
            "IsVerifyProcInst": verify,
        }
    return orjson.dumps(asked | more | {"IgnoreInterationFlag": ""})


def open_tasks(form: str, numbers: Iterable[str]) -> str:
    """Write the filter for open tasks of running flows of documents (P 10.5)."""
    bills = one_of("FBILLNUMBER", map(BillNumber, numbers))
    pending = "FStatus='0' AND FActivityStatus='0' AND FInstStatus='2'"
    return f"{bills} AND FObjectTypeId={quoted(form.upper())} AND {pending}"


# -- answers ----------------------------------------------------------------------------------


def plain(body: bytes) -> bytes:
    """Undo the base64 of gzip that some sites send instead of a body (P 1.8)."""
    stripped = body.strip()
    if not stripped.startswith(b"H4sI"):
        return body
    try:
        return inflated(base64.b64decode(stripped, validate=True))
    except (binascii.Error, PackingError) as error:
        raise UnreadableError(remark("answer.gzip", why=str(error))) from error


def parse(body: bytes) -> Any:
    """Parse JSON, whatever it holds.

    Raises:
        UnreadableError: If it is not JSON, whole.
    """
    text = plain(body).removeprefix(b"\xef\xbb\xbf")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableError(describe(text)) from error


def describe(body: bytes) -> str:
    """Say what an unreadable body is, as a remark.

    >>> describe(b"  <html><body>502 Bad Gateway")
    'note.page{"start":"<html><body>502 Bad Gateway"}'
    """
    text = body.strip()
    if not text:
        return remark("note.empty_body")
    start = text[:120].decode("utf-8", "replace")
    return remark("note.page" if text.startswith(b"<") else "note.text", start=start)


def read_push(body: bytes) -> PushAnswer:
    """Read the answer of a Push.

    Raises:
        UnreadableError: If it is not a whole `Result.ResponseStatus`.
    """
    answer = parse(body)
    result = answer.get("Result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise UnreadableError(remark("answer.no_result"))
    saved = _status(result.get("ResponseStatus"))
    if saved is None:
        raise UnreadableError(remark("answer.no_status"))
    # Old servers name the one target beside the status, not in it (P 4.1).
    beside = _entity(result)
    unlisted = beside is not None and beside.id not in {target.id for target in saved.entities}
    if beside is not None and unlisted:
        saved = replace(saved, entities=(*saved.entities, beside))
    if beside is not None or text_in(result.get("Number")):
        saved = replace(saved, worked=True)
    # Whether the conversion worked decides nothing; what it names does.
    converted = _status(result.get("ConvertResponseStatus"), unsaid=False)
    return PushAnswer(saved, converted, beside=unlisted)


def read_response_error(body: bytes) -> str | None:
    """Return what a `response_error:` answer says, or None if it is none (P 1.10)."""
    try:
        text = plain(body).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    except UnreadableError:
        return None
    if not text.startswith(RESPONSE_ERROR):
        return None
    said = text.removeprefix(RESPONSE_ERROR).strip()
    try:
        wrapped = orjson.loads(said)
    except orjson.JSONDecodeError:
        return said
    message = _innermost_message(wrapped)
    return message or said


def is_lost_session(*statuses: ResponseStatus | None) -> bool:
    """Say whether statuses have the structure of a lost session (rule 4).

    IsSuccess false, no SuccessEntitys anywhere, and MsgCode 1 or, where MsgCode is absent,
    nothing but a whole message from the known list.
    """
    seen = [status for status in statuses if status is not None]
    if not seen or seen[0].success or any(status.worked for status in seen):
        return False
    first = seen[0]
    if first.code:
        return first.code == LOST_SESSION_CODE
    messages = {message.strip().lower() for message in first.errors}
    return bool(messages) and messages <= LOST_SESSION_MESSAGES


def read_rows(body: bytes, columns: int) -> list[list[Any]]:
    """Read one page of ExecuteBillQuery (P 6.3).

    Raises:
        SessionLostError: The session is lost.
        QueryRefusedError: The ERP refused the query.
        UnreadableError: Anything else but rows of *columns* values.
    """
    answer = _read(body)
    status = _query_status(answer)
    if status is not None:
        raise _refusal(status)
    if not isinstance(answer, list):
        raise UnreadableError(remark("answer.no_rows"))
    for row in answer:
        if not isinstance(row, list) or len(row) != columns:
            raise UnreadableError(remark("answer.columns", columns=columns))
        if not CELLS.issuperset(map(type, row)):
            raise UnreadableError(remark("answer.no_cell"))
    return answer


def read_sources(
    rows: Iterable[Sequence[Any]], fields: Sequence[str], *, by_id: bool = False
) -> list[Source]:
    """Read rows that were asked for by `source_fields`; a bill that comes twice counts once.

    Args:
        rows: The rows.
        fields: What their columns hold.
        by_id: They were asked for by id; a draft among them has no number (P 5.9).

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
        number = "" if by_id and number == source_id else number
        statuses = map(text_in, row[2:])
        found.setdefault(source_id, Source(BillNumber(number), source_id, blocked(*statuses)))
    return list(found.values())


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
    found: dict[tuple[BillNumber, str], LinkedTarget] = {}
    for row in rows:
        target_id, number, source = name_in(row[0]), name_in(row[1]), name_in(row[3])
        status, more = text_in(row[2]), map(text_in, row[4:])
        if not target_id:
            raise UnreadableError(remark("answer.target_id"))
        if not source:
            raise UnreadableError(remark("answer.target_source"))
        said = dict(zip([field.lower() for field in fields[4:]], more, strict=True))
        cancelled = said.pop(CANCEL_STATUS.lower(), "") == CANCELLED
        form, link = said.pop(by_form, ""), said.pop(by_link, "")
        table = "".join(said.values())
        ground = ground_of(route.source, mine, form, table)
        # An id says nothing without its form, nor a line of another form anything of ours.
        tells = link != NO_ID and table.lower() in {"", *mine}
        sources = frozenset({link if tells else ""} if ground > Ground.DENIED else ())
        key = (BillNumber(source), target_id)
        if key in found:
            ground = max(ground, found[key].ground)
            sources |= found[key].sources
        target = _target(target_id, number, draft=status == DRAFT)
        found[key] = LinkedTarget(target, cancelled, ground, sources)
    return [(number, linked) for (number, _), linked in found.items()]


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
        if ground_of(route.source, tables, "", table) is Ground.FORM:
            target = _target(target_id, number, draft=status == DRAFT)
            found[source_id, target_id] = LinkedTarget(target, cancelled, Ground.FORM)
    return [(source_id, linked) for (source_id, _), linked in found.items()]


def read_link_rows(rows: Iterable[Sequence[Any]]) -> list[LinkRow]:
    """Read rows of the id of a document and `links.any_link_fields`; lines without a link are out.

    Raises:
        UnreadableError: If an id cannot be read.
    """
    read = (LinkRow(name_in(row[0]), name_in(row[1]), *map(text_in, row[2:])) for row in rows)
    return [row for row in read if row.source_id not in {"", NO_ID}]


def read_entries(body: bytes) -> list[FormEntry]:
    """Read what QueryBusinessInfo tells of the tables of a form (P 15.1).

    Raises:
        SessionLostError: The session is lost.
        QueryRefusedError: The ERP refused the question.
        UnreadableError: Anything else but the tables of a form.
    """
    answer = _read(body)
    result = answer.get("Result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise UnreadableError(remark("answer.no_result"))
    status = _status(result.get("ResponseStatus"))
    if status is not None and not status.success:
        raise _refusal(status)
    told = result.get("NeedReturnData")
    if isinstance(told, str):
        told = parse(told.encode())
    entries = told.get("Entrys") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise UnreadableError(remark("answer.no_entries"))
    read = (
        FormEntry(*(text_in(each.get(key)) for key in ("Key", "TableName", "ParentKey")))
        for each in entries
        if isinstance(each, dict)
    )
    return [entry for entry in read if entry.key]


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
            number=_target(target_id, number, draft=status == DRAFT).number,
            status=status,
            cancelled=text_in(more.get(CANCEL_STATUS)) == CANCELLED,
            creator=text_in(more.get(CREATOR)),
        )
    return found


def read_flow_tasks(rows: Iterable[Sequence[Any]]) -> list[tuple[str, FlowTask]]:
    """Read rows of `FLOW_FIELDS`: a bill number and its open task."""
    return [(name_in(row[0]), FlowTask(text_in(row[1]), text_in(row[2]))) for row in rows]


def _target(target_id: str, number: str, *, draft: bool) -> Target:
    # A draft's number comes as null, "", " " or as its id (P 5.9).
    return Target(target_id, "" if draft and number == target_id else number, draft)


def _read(body: bytes) -> Any:
    """Read the answer to a question that broke on no exception."""
    exception = read_response_error(body)
    if exception is not None:
        raise QueryRefusedError(exception, "response_error")
    return parse(body)


def _refusal(status: ResponseStatus) -> SessionLostError | QueryRefusedError:
    """Return the error that an answer to a question stands for."""
    if is_lost_session(status):
        return SessionLostError(*status.errors)
    return QueryRefusedError(" ".join(status.errors) or remark("answer.no_words"), status.code)


def _query_status(answer: Any) -> ResponseStatus | None:
    """Find the error in a query's answer, in each form that P 3.2 and 6.3 have seen."""
    inner = answer
    while isinstance(inner, list) and inner and all(value is None for value in inner[1:]):
        inner = inner[0]
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        inner = inner[0]
    if not isinstance(inner, dict):
        return None
    result = inner.get("Result")
    if isinstance(result, dict):
        status = _status(result.get("ResponseStatus"))
        if status is not None and not status.success:
            return status
    if "Message" in inner:
        return ResponseStatus(
            success=False, code="", errors=(text_in(inner["Message"]),), entities=()
        )
    raise UnreadableError(remark("answer.no_query"))


def _status(value: Any, *, unsaid: bool | None = None) -> ResponseStatus | None:
    """Read a status; *unsaid* stands for an IsSuccess that cannot be read, None for no status."""
    if not isinstance(value, dict):
        return None
    success = _boolean(value.get("IsSuccess"))
    if success is None:
        success = unsaid
    if success is None:
        return None
    errors = value.get("Errors")
    entities = value.get("SuccessEntitys")
    return ResponseStatus(
        success,
        text_in(value.get("MsgCode")),
        _messages(errors),
        tuple(target for entity in _listed(entities) if (target := _entity(entity)) is not None),
        worked=bool(entities),
        told=_messages(value.get("SuccessMessages")),
    )


def _messages(value: Any) -> tuple[str, ...]:
    each = (text_in(item.get("Message")) for item in _listed(value) if isinstance(item, dict))
    return tuple(filter(None, each))


def _entity(value: Any) -> Target | None:
    if not isinstance(value, dict):
        return None
    try:
        target_id, number = name_in(value.get("Id")), name_in(value.get("Number"))
    except UnreadableError:
        return None
    if target_id in {"", NO_ID}:
        return None
    return _target(target_id, number, draft=number in {"", target_id})


def _listed(value: Any) -> list[Any]:
    """Return the items of a list, or the one that stands in the place of a list."""
    return value if isinstance(value, list) else [value]


def _innermost_message(value: Any) -> str:
    """Return the message of the innermost exception of a .NET wrapper."""
    message = ""
    while isinstance(value, dict):
        message = text_in(value.get("Message")) or message
        value = value.get("InnerExWrapper")
    return message


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def name_in(value: Any) -> str:
    """Read an id or a number, by which one bill is told from another.

    Raises:
        UnreadableError: If it is neither text nor a whole number with all its digits.
    """
    if isinstance(value, str):
        return value.strip()
    if type(value) is int:  # a truth value is one as well, and names nothing
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < INEXACT:
        return str(int(value))
    if value is None:
        return ""
    raise UnreadableError(remark("answer.no_id", value=str(value)[:40]))


def text_in(value: Any) -> str:
    """Read a code or a text, which come as numbers, as text, as null or as one blank."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or isinstance(value, dict | list) else str(value)
