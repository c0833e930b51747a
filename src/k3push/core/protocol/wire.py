"""The ERP's JSON, both ways: the data of each call, and what an answer says.

Bytes come in, values go out. What cannot be read raises `UnreadableError`; it never
turns into an empty answer, since an empty answer proves something. Which columns a form has,
and what they say of bills, is in `bill_rows`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from k3push.core.foreign_text import JSON_ESCAPE, flaw_of
from k3push.core.model import BillNumber, Route, Step, Target
from k3push.core.protocol.compression import PackingError, inflated
from k3push.core.protocol.links import FormEntry
from k3push.core.remark import foreign, remark

BILL_NO = "FBillNo"
ID = "FID"

NEWEST_FIRST = f"{ID} DESC"

NEWEST = 100
"""So many of the newest rows of a form tell what it holds."""
BY_ID = f"{ID} ASC"


# How .NET writes "no id".
NO_ID = "0"


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


def rule_in(data: bytes) -> str:
    """Return the rule that the `data` of a Push request names; "" for the default rule.

    >>> route = Route("r", "PUR_PurchaseOrder", "STK_InStock", rule="PUR_PurchaseOrder-STK_InStock")
    >>> rule_in(push_data(route, [BillNumber("CGDD0000017")]))
    'PUR_PurchaseOrder-STK_InStock'
    """
    return str(orjson.loads(data)["RuleId"])


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


def whole_numbers_in(field: str, ids: Iterable[str]) -> str:
    """Write the filter that a numeric field is one of some ids, unquoted (P 13.4).

    >>> whole_numbers_in("FID", ["100001", "100002"])
    'FID in (100001,100002)'
    """
    shown = [id_ if id_.isascii() and id_.isdigit() else quoted(id_) for id_ in ids]
    return f"{field} in ({','.join(shown)})"


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


def _without_halves(body: bytes) -> bytes:
    """Put a sign of replacement where a text of JSON has half a surrogate pair.

    .NET writes one where a text was cut in the middle of a character; it stands for no character.
    Only for what says something of a call: in a row, a name would become another one.
    """
    return JSON_ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], plain(body))


def describe(body: bytes) -> str:
    """Say what an unreadable body is, as a remark.

    >>> describe(b"  <html><body>502 Bad Gateway")
    'note.page{"start":"<html><body>502 Bad Gateway"}'
    """
    text = body.strip()
    if not text:
        return remark("note.empty_body")
    start = foreign(text[:120].decode("utf-8", "replace"))
    return remark("note.page" if text.startswith(b"<") else "note.text", start=start)


def read_push(body: bytes) -> PushAnswer:
    """Read the answer of a Push.

    Raises:
        UnreadableError: If it is not a whole `Result.ResponseStatus`.
    """
    try:
        answer = parse(body)
    except UnreadableError:
        answer = parse(_without_halves(body))
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


@dataclass(frozen=True, slots=True)
class Thrown:
    """What a `response_error:` answer says (P 1.10).

    Attributes:
        message: The words of the innermost exception, or the whole text.
        messages: The words of each exception, from the outermost.
        text: All of it: the kinds of the exceptions and their stacks as well.
    """

    message: str
    messages: tuple[str, ...]
    text: str


def read_response_error(body: bytes) -> Thrown | None:
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
        return Thrown(foreign(said), (said,), said)
    messages = tuple(_messages_in(wrapped))
    try:
        text = orjson.dumps(wrapped).decode()
    except TypeError:  # it reads what is nested deeper than it writes
        text = said
    return Thrown(messages[-1] if messages else foreign(said), messages or (said,), text)


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


def read_entries(body: bytes) -> list[FormEntry]:
    """Read what QueryBusinessInfo tells of the tables of a form (P 15.1).

    Raises:
        SessionLostError: The session is lost.
        QueryRefusedError: The ERP refused the question.
        UnreadableError: Anything else but the tables of a form.
    """
    read = (
        FormEntry(*(text_in(each.get(key)) for key in ("Key", "TableName", "ParentKey")))
        for each in _read_tables(body)
    )
    return [entry for entry in read if entry.key]


def read_field_keys(body: bytes) -> frozenset[str]:
    """Read which fields QueryBusinessInfo tells of a form, in lower case (P 15.1).

    It raises what `read_entries` does.
    """
    fields = [field for each in _read_tables(body) for field in _list_in(each.get("Fields"))]
    keys = (text_in(field.get("Key")) for field in fields if isinstance(field, dict))
    return frozenset(key.lower() for key in keys if key)


def _read_tables(body: bytes) -> list[dict[str, Any]]:
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
    return [each for each in entries if isinstance(each, dict)]


def _list_in(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def target_in(target_id: str, number: str, *, draft: bool) -> Target:
    """Return a document; a draft has no number."""
    # A draft's number comes as null, "", " " or as its id (P 5.9).
    return Target(target_id, "" if draft and number == target_id else number, draft)


def _read(body: bytes) -> Any:
    """Read the answer to a question that broke on no exception."""
    exception = read_response_error(body)
    if exception is not None:
        raise QueryRefusedError(exception.message, "response_error")
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
    # What no database and no question can hold names nothing.
    if target_id in {"", NO_ID} or flaw_of(target_id):
        return None
    return target_in(target_id, number, draft=number in {"", target_id})


def _listed(value: Any) -> list[Any]:
    """Return the items of a list, or the one that stands in the place of a list."""
    return value if isinstance(value, list) else [value]


def _messages_in(value: Any) -> Iterator[str]:
    """Yield the messages of a .NET wrapper's exceptions, from the outermost."""
    while isinstance(value, dict):
        if message := text_in(value.get("Message")):
            yield message
        value = value.get("InnerExWrapper")


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
        return foreign(value.strip())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or isinstance(value, dict | list) else str(value)
