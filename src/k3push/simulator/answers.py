"""The ERP's answers as JSON, in the newer and the older style (P 4.1, 5.3, 5.4, 5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from k3push.simulator.books.bills import APPROVED, Bill
from k3push.simulator.books.conversion import Conversion
from k3push.simulator.books.operations import Operated
from k3push.simulator.books.refusals import MsgCode, OnRefusal, Problem, Texts


class DraftForm(StrEnum):
    """How an answer tells of drafts (P 5.8)."""

    A = "A"
    """ResponseStatus fails; the draft is only in ConvertResponseStatus."""

    B = "B"
    """ResponseStatus succeeds and names the draft among the others."""


class FailedQuery(StrEnum):
    """How ExecuteBillQuery tells that it failed (P 3.2)."""

    WRAPPED = "wrapped"
    """The failure, where the first value of the first row would be."""

    PADDED = "padded"
    """The same, and nulls in the row's other places."""

    ERRORS = "errors"
    """The lines of its Errors and nothing around them."""


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How answers look.

    Attributes:
        old: Without MsgCode, DIndex, EntryIds and ConvertResponseStatus.
        short: An old server's success names the first target alone, beside its status (P 4.1).
        text_values: MsgCode, IsSuccess and Id are text, as in the official templates.
        draft_form: How drafts are told.
        draft_number: Number of a draft in answers and query rows: null, "", " " or "id"
            for its internal id (P 5.9).
        failed_query: How failed queries are told.
        conversion_names_all: Whether the conversion names every target, by id alone.
        names_no_part: Whether a refusal keeps to itself what was saved all the same.
    """

    old: bool = False
    short: bool = False
    text_values: bool = False
    draft_form: DraftForm = DraftForm.B
    draft_number: str | None = None
    failed_query: FailedQuery = FailedQuery.WRAPPED
    conversion_names_all: bool = False
    names_no_part: bool = False

    def number_of(self, bill: Bill) -> str | None:
        """Give the number that is shown for *bill*."""
        if bill.number:
            return bill.number
        return str(bill.id) if self.draft_number == "id" else self.draft_number


def status(
    style: AnswerStyle,
    *,
    success: bool,
    problems: Sequence[Problem] = (),
    entities: Sequence[dict[str, Any]] = (),
    messages: Sequence[str] = (),
) -> dict[str, Any]:
    """Give a ResponseStatus (P 4.1). ErrorCode is there on failure only."""
    errors: list[dict[str, Any]] = [
        {"FieldName": problem.field, "Message": problem.text} for problem in problems
    ]
    answer: dict[str, Any] = {} if success else {"ErrorCode": 500}
    answer["IsSuccess"] = str(success).lower() if style.text_values else success
    told: list[dict[str, Any]] = [{"FieldName": None, "Message": text} for text in messages]
    answer |= {"Errors": errors, "SuccessEntitys": list(entities), "SuccessMessages": told}
    if not style.old:
        for message in told:
            message["DIndex"] = 0
        for error, problem in zip(errors, problems, strict=True):
            error["DIndex"] = problem.index
        code = 0 if success or not problems else int(problems[0].code)
        answer["MsgCode"] = str(code) if style.text_values else code
    return answer


def failure(style: AnswerStyle, code: int, text: str) -> dict[str, Any]:
    """Give the whole answer of an operation that did nothing."""
    problem = Problem(code, text)
    return {"Result": {"ResponseStatus": status(style, success=False, problems=[problem])}}


def query_failure(style: AnswerStyle, code: int, text: str, *, objects: bool) -> Any:
    """Give the answer of a query that failed (P 3.2, 6.3).

    Args:
        objects: Whether rows are objects (BillQuery), which leaves the failure bare.
    """
    answer = failure(style, code, text)
    if objects:
        return answer
    if style.failed_query is FailedQuery.ERRORS:
        return answer["Result"]["ResponseStatus"]["Errors"]
    return [[answer, None, None]] if style.failed_query is FailedQuery.PADDED else [[answer]]


def session_lost(style: AnswerStyle, text: str, *, rows: bool, objects: bool) -> Any:
    """Give the answer to a call whose session is lost (P 3.1, 3.2)."""
    if rows:
        return query_failure(style, MsgCode.CONTEXT_LOST, text, objects=objects)
    return failure(style, MsgCode.CONTEXT_LOST, text)


def push_answer(style: AnswerStyle, conversion: Conversion, on_refusal: str) -> Any:
    """Give the answer to a push (P 5.3 to 5.8).

    Entities are targets, in the order of the database; no source is named anywhere.
    """
    targets = [made.target for made in conversion.made]
    problems = list(conversion.problems)
    if on_refusal == OnRefusal.SILENT and targets:
        problems = []
    converted = not problems
    shown = targets
    drafts: list[dict[str, Any]] = []
    if style.draft_form is DraftForm.A:
        shown = [target for target in targets if target.number]
        problems += conversion.draft_problems
        drafts = [
            {"Id": str(target.id), "Number": style.number_of(target), "DIndex": index}
            for index, target in enumerate(targets)
            if not target.number
        ]
    if style.conversion_names_all:
        drafts = [
            {"Id": str(target.id), "Number": None, "DIndex": index}
            for index, target in enumerate(targets)
        ]
    if style.names_no_part and problems:
        shown = []
    entities = [_entity(style, target, index) for index, target in enumerate(shown)]
    saving = status(style, success=not problems, problems=problems, entities=entities)
    if style.old and style.short and entities and not problems:
        named = {key: entities[0][key] for key in ("Id", "Number")}
        return {"Result": {"ResponseStatus": {"IsSuccess": saving["IsSuccess"]}, **named}}
    if style.old:
        return {"Result": {"ResponseStatus": saving}}
    converting = status(
        style,
        success=converted,
        problems=conversion.problems if not converted else (),
        entities=drafts,
    )
    return {"Result": {"ResponseStatus": saving, "ConvertResponseStatus": converting}}


def operation_answer(style: AnswerStyle, operated: Operated, texts: Texts) -> Any:
    """Give the answer to an operation on documents (P 7.2, 11)."""
    places = {bill.id: index for index, bill in enumerate(operated.addressed)}
    entities = [_document(style, bill, places[bill.id]) for bill in operated.named]
    messages = []
    for change in operated.changes:
        if change.successor is not None:
            bill = change.successor
            text = texts.approved_as_well if bill.status == APPROVED else texts.made_as_well
            messages.append(text.replace("{number}", bill.number).replace("{form}", bill.form.name))
    told = status(
        style,
        success=not operated.problems,
        problems=operated.problems,
        entities=entities,
        messages=messages,
    )
    return {"Result": {"ResponseStatus": told}}


def _document(style: AnswerStyle, bill: Bill, index: int) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "Id": str(bill.id) if style.text_values else bill.id,
        "Number": style.number_of(bill),
    }
    if not style.old:
        entity["DIndex"] = index
    return entity


def _entity(style: AnswerStyle, target: Bill, index: int) -> dict[str, Any]:
    entity = _document(style, target, index)
    if not style.old:
        entity["EntryIds"] = {target.form.entry_key: [entry.id for entry in target.entries]}
    return entity
