"""The ERP's JSON, both ways; the only place that knows its keys.

Bytes come in, values go out. What cannot be read raises `UnreadableError`; it never
turns into an empty answer, since an empty answer proves something.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson

from k3push.core.model import BillNumber, Route, Source, Target

JsonObject = dict[str, Any]

BILL_NO = "FBillNo"
ID = "FID"
DOCUMENT_STATUS = "FDocumentStatus"
CLOSE_STATUS = "FCloseStatus"
CANCEL_STATUS = "FCancelStatus"

OPTIONAL_SOURCE_FIELDS = (DOCUMENT_STATUS, CLOSE_STATUS, CANCEL_STATUS)
"""Status fields that some source forms lack (P 6.7)."""

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

# An answer to a chunk of thousands is some hundred kilobytes; a bomb is not an answer.
MAX_INFLATED_BYTES = 256 * 1024 * 1024


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
    """

    success: bool
    code: str
    errors: tuple[str, ...]
    entities: tuple[Target, ...]
    worked: bool = False


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What Push answers: saving the targets, and converting to them (P 5.3)."""

    saved: ResponseStatus
    converted: ResponseStatus | None


# -- requests ---------------------------------------------------------------------------------


def push_data(route: Route, numbers: Sequence[BillNumber]) -> bytes:
    """Write the `data` of a Push request (P 5.1).

    >>> route = Route("r", "PUR_PurchaseOrder", "STK_InStock", rule="PUR_PurchaseOrder-STK_InStock")
    >>> push_data(route, [BillNumber("CGDD0000017")])[:49]
    b'{"Ids":"","Numbers":["CGDD0000017"],"EntryIds":""'
    """
    return orjson.dumps(
        {
            "Ids": "",
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
    newest_first: bool = False,
) -> bytes:
    """Write the `data` of one page of ExecuteBillQuery (P 6.1).

    Rows are ordered by all the *fields*, so that rows which could change places between two
    pages are equal; or by the internal id, the last first.
    """
    return orjson.dumps(
        {
            "FormId": form,
            "FieldKeys": ",".join(fields),
            "FilterString": filter_string,
            "OrderString": (
                f"{ID} DESC" if newest_first else ",".join(f"{field} ASC" for field in fields)
            ),
            "TopRowCount": 0,
            "StartRow": start,
            "Limit": limit,
            "SubSystemId": "",
        }
    )


def source_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields of the source form that a look asks for, but those it lacks."""
    lacks = {field.lower() for field in lacking}
    return [BILL_NO, ID, *(f for f in OPTIONAL_SOURCE_FIELDS if f.lower() not in lacks)]


def field_named_in(message: str, fields: Iterable[str]) -> str | None:
    """Return the status field that a refusal names as missing (P 4.4), or None.

    >>> field_named_in("元数据中标识为FCloseStatus的字段不存在", source_fields())
    'FCloseStatus'
    """
    asked = {field.lower() for field in fields}
    for field in OPTIONAL_SOURCE_FIELDS:
        if field.lower() in asked and field.lower() in message.lower():
            return field
    return None


def target_fields(route: Route) -> list[str]:
    """Return the fields of the target form that a look asks for."""
    return [ID, BILL_NO, DOCUMENT_STATUS, route.source_number_field]


# -- answers ----------------------------------------------------------------------------------


def plain(body: bytes) -> bytes:
    """Undo the base64 of gzip that some sites send instead of a body (P 1.8)."""
    stripped = body.strip()
    if not stripped.startswith(b"H4sI"):
        return body
    try:
        inflate = zlib.decompressobj(wbits=31)
        text = inflate.decompress(base64.b64decode(stripped, validate=True), MAX_INFLATED_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise UnreadableError(f"base64 of gzip that does not unpack: {error}") from error
    if not inflate.eof:
        raise UnreadableError("base64 of gzip that was cut off, or is too large")
    return text


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
    """Say in a few words what an unreadable body is.

    >>> describe(b"  <html><body>502 Bad Gateway")
    'a page instead of JSON: <html><body>502 Bad Gateway'
    """
    text = body.strip()
    if not text:
        return "an empty body"
    start = text[:120].decode("utf-8", "replace")
    kind = "a page" if text.startswith(b"<") else "a text"
    return f"{kind} instead of JSON: {start}"


def read_push(body: bytes) -> PushAnswer:
    """Read the answer of a Push.

    Raises:
        UnreadableError: If it is not a whole `Result.ResponseStatus`.
    """
    answer = parse(body)
    result = answer.get("Result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise UnreadableError("JSON without a Result")
    saved = _status(result.get("ResponseStatus"))
    if saved is None:
        raise UnreadableError("JSON without a ResponseStatus that says IsSuccess")
    # Old servers name the one target beside the status, not in it (P 4.1).
    beside = _entity(result)
    if beside is not None and beside.id not in {target.id for target in saved.entities}:
        saved = replace(saved, entities=(*saved.entities, beside))
    if beside is not None or _text(result.get("Number")):
        saved = replace(saved, worked=True)
    # Whether the conversion worked decides nothing; what it names does.
    return PushAnswer(saved, _status(result.get("ConvertResponseStatus"), unsaid=False))


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
    refusal = read_response_error(body)
    if refusal is not None:
        raise QueryRefusedError(refusal, "response_error")
    answer = parse(body)
    status = _query_status(answer)
    if status is not None:
        if is_lost_session(status):
            raise SessionLostError(*status.errors)
        raise QueryRefusedError(" ".join(status.errors) or "refused without a word", status.code)
    if not isinstance(answer, list):
        raise UnreadableError("JSON that is no list of rows")
    for row in answer:
        if not isinstance(row, list) or len(row) != columns:
            raise UnreadableError(f"a row that does not have {columns} columns")
    return answer


def read_sources(rows: Iterable[Sequence[Any]], fields: Sequence[str]) -> list[Source]:
    """Read rows that were asked for by `source_fields`; a bill that comes twice counts once.

    Raises:
        UnreadableError: If a bill comes without an id, which alone tells two bills of one
            number from one bill that came twice.
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
        number, source_id, *statuses = map(_text, row)
        if not source_id:
            raise UnreadableError("a source without an id")
        found.setdefault(source_id, Source(BillNumber(number), source_id, blocked(*statuses)))
    return list(found.values())


def read_targets(rows: Iterable[Sequence[Any]]) -> list[tuple[BillNumber, Target]]:
    """Read rows that were asked for by `target_fields`: source number and target, each once.

    Raises:
        UnreadableError: If a target comes without an id.
    """
    found: dict[tuple[BillNumber, Target], None] = {}
    for row in rows:
        target_id, number, status, source = map(_text, row)
        if not target_id:
            raise UnreadableError("a target without an id")
        found[(BillNumber(source), _target(target_id, number, draft=status == DRAFT))] = None
    return list(found)


def _target(target_id: str, number: str, *, draft: bool) -> Target:
    # A draft's number comes as null, "", " " or as its id (P 5.9).
    return Target(target_id, "" if draft and number == target_id else number, draft)


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
            success=False, code="", errors=(_text(inner["Message"]),), entities=()
        )
    raise UnreadableError("JSON that is neither rows nor a known error")


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
        _text(value.get("MsgCode")),
        tuple(
            _text(error.get("Message"))
            for error in (errors if isinstance(errors, list) else ())
            if isinstance(error, dict) and _text(error.get("Message"))
        ),
        tuple(
            target
            for entity in (entities if isinstance(entities, list) else ())
            if (target := _entity(entity)) is not None
        ),
        worked=bool(entities),
    )


def _entity(value: Any) -> Target | None:
    if not isinstance(value, dict):
        return None
    target_id = _text(value.get("Id"))
    # 0 is how .NET writes "no id".
    if target_id in {"", "0"}:
        return None
    number = _text(value.get("Number"))
    return _target(target_id, number, draft=number in {"", target_id})


def _innermost_message(value: Any) -> str:
    """Return the message of the innermost exception of a .NET wrapper."""
    message = ""
    while isinstance(value, dict):
        message = _text(value.get("Message")) or message
        value = value.get("InnerExWrapper")
    return message


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return None


def _text(value: Any) -> str:
    """Read an id, a code or a text, which come as numbers, as text, as null or as one blank."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int):  # the ids of every row, and quicker told than what they are not
        return str(value)
    return "" if value is None or isinstance(value, dict | list) else str(value)
