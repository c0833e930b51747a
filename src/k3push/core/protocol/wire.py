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

from k3push.core.foreign_text import JSON_ESCAPE
from k3push.core.model import BillNumber, Route, Step
from k3push.core.protocol.compression import PackingError, inflated
from k3push.core.protocol.json_values import UnreadableError, text_in
from k3push.core.protocol.links import FormEntry
from k3push.core.protocol.lost_sessions import is_lost_session
from k3push.core.protocol.response_status import ResponseStatus, entity_in, status_in
from k3push.core.remark import foreign, remark

BILL_NO = "FBillNo"
ID = "FID"

NEWEST_FIRST = f"{ID} DESC"

NEWEST = 100
"""So many of the newest rows of a form tell what it holds."""
BY_ID = f"{ID} ASC"


# The official client takes these two for answers and all else for failures (P 1.9).
ANSWER_STATUSES = frozenset({200, 206})

RESPONSE_ERROR = "response_error:"

PUSH = "Push"
"""The operation of `FORM_SERVICE` that makes targets; steps after it have names of their own."""

OPERATIONS = {Step.SUBMIT: "Submit", Step.AUDIT: "Audit"}

FLOW_TASKS = "WF_AssignmentBill_ProcManage"

RULES = "BOS_ConvertRule"

# What the rows of forms that are no bills are ordered by; the id of rules may not be shown.
_IDS = {FLOW_TASKS: "FAssignId", RULES: "FNumber"}

# What stands in a cell; a list or an object would be no value that was asked for.
CELLS = frozenset({str, int, float, bool, type(None)})


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


def unmarked(body: bytes) -> bytes:
    """Return a body without the mark of UTF-8 that .NET, and files of pages, begin with."""
    return body.removeprefix(b"\xef\xbb\xbf")


def parse(body: bytes) -> Any:
    """Parse JSON, whatever it holds.

    Raises:
        UnreadableError: If it is not JSON, whole.
    """
    text = unmarked(plain(body))
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
    text = unmarked(body).strip()
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
    saved = status_in(result.get("ResponseStatus"))
    if saved is None:
        raise UnreadableError(remark("answer.no_status"))
    # Old servers name the one target beside the status, not in it (P 4.1).
    beside = entity_in(result)
    unlisted = beside is not None and beside.id not in {target.id for target in saved.entities}
    if beside is not None and unlisted:
        saved = replace(saved, entities=(*saved.entities, beside))
    if beside is not None or text_in(result.get("Number")):
        saved = replace(saved, worked=True)
    # Whether the conversion worked decides nothing; what it names does.
    converted = status_in(result.get("ConvertResponseStatus"), unsaid=False)
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
    status = status_in(result.get("ResponseStatus"))
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
        status = status_in(result.get("ResponseStatus"))
        if status is not None and not status.success:
            return status
    if "Message" in inner:
        return ResponseStatus(
            success=False, code="", errors=(text_in(inner["Message"]),), entities=()
        )
    raise UnreadableError(remark("answer.no_query"))


def _messages_in(value: Any) -> Iterator[str]:
    """Yield the messages of a .NET wrapper's exceptions, from the outermost."""
    while isinstance(value, dict):
        if message := text_in(value.get("Message")):
            yield message
        value = value.get("InnerExWrapper")
