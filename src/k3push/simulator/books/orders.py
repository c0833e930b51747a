"""What a push or another operation asks for, read with the tolerance of real servers (P 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class PushOrder:
    """A push.

    Attributes:
        form: Key of the source form.
        numbers: Source bills by number.
        ids: Source bills by internal id.
        entry_ids: Source entries by id; counts only when no bill is named.
        rule_id: The rule, or "". It wins over the default rule.
        target_form: Key of the target form, or "".
        default_rule: Whether the pair's default rule may be used.
        draft_when_save_fails: Whether a target that cannot be saved becomes a draft.
    """

    form: str
    numbers: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()
    entry_ids: tuple[int, ...] = ()
    rule_id: str = ""
    target_form: str = ""
    default_rule: bool = False
    draft_when_save_fails: bool = False


class Operation(StrEnum):
    """What can be done with a document; a WebAPI service has the same name."""

    SUBMIT = "submit"
    AUDIT = "audit"
    UNAUDIT = "unaudit"
    CANCEL_ASSIGN = "cancelassign"
    """Take a submit back (P 11.5)."""

    DELETE = "delete"
    WORKFLOW_AUDIT = "workflowaudit"
    """Process a node of a flow (P 10.4)."""

    CANCEL = "cancel"
    """At the screen only, as the following are."""

    SAVE = "save"
    """Fill in and save a draft, or change a document."""


SERVICES = frozenset(Operation) - {Operation.CANCEL, Operation.SAVE}


class Approval(IntEnum):
    """What is done with a node of a flow (ApprovalType, P 10.4)."""

    PASS = 1
    REJECT = 2
    END = 3


@dataclass(frozen=True, slots=True)
class OperationOrder:
    """An operation on documents.

    Attributes:
        form: Key of their form.
        ids: Documents by internal id.
        numbers: Documents by number; they count only where no ids are given (P 11.1).
        verify_flow: Whether documents in a running flow are refused (IsVerifyProcInst).
        user_id: Who processes a node, by id.
        approval: What he decides.
        opinion: What he says.
    """

    operation: Operation
    form: str
    ids: tuple[int, ...] = ()
    numbers: tuple[str, ...] = ()
    verify_flow: bool = True
    user_id: int = 0
    approval: Approval = Approval.PASS
    opinion: str = ""


def read_operation(operation: Operation, form: str, data: Mapping[str, Any]) -> OperationOrder:
    """Read an operation on documents of *form*; see `read_order`.

    WorkflowAudit names its form in *data*, and an ApprovalType that is none passes nothing.

    >>> order = read_operation(Operation.AUDIT, "F", {"ids": "7,8", "isverifyprocinst": "false"})
    >>> order.ids, order.verify_flow
    ((7, 8), False)
    """
    kind = str(data.get("approvaltype"))
    return OperationOrder(
        operation=operation,
        form=form or str(data.get("formid") or ""),
        ids=_ids(data.get("ids")),
        numbers=numbers_of(data),
        verify_flow=str(data.get("isverifyprocinst")).lower() != "false",
        user_id=next(iter(_ids(data.get("userid"))), 0),
        approval=Approval(int(kind)) if kind in {"1", "2", "3"} else Approval.END,
        opinion=str(data.get("disposition") or ""),
    )


def read_order(form: str, data: Mapping[str, Any]) -> PushOrder:
    """Read a push of *form*.

    Booleans may be text, Ids may be a list, Numbers may be "" or hold empty ones; a comma
    inside one number is part of the number.

    Args:
        form: Key of the source form.
        data: Keys in lower case.

    >>> read_order("F", {"numbers": ["A,B", ""], "isenabledefaultrule": "true"}).numbers
    ('A,B',)
    """
    return PushOrder(
        form=form,
        numbers=numbers_of(data),
        ids=_ids(data.get("ids")),
        entry_ids=_ids(data.get("entryids")),
        rule_id=str(data.get("ruleid") or ""),
        target_form=str(data.get("targetformid") or ""),
        default_rule=_truth(data.get("isenabledefaultrule")),
        draft_when_save_fails=_truth(data.get("isdraftwhensavefail")),
    )


def numbers_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the bill numbers that *data* names, empty ones left out."""
    value = data.get("numbers") or ()
    items = [value] if isinstance(value, str) else value
    return tuple(str(item) for item in items if item not in (None, ""))


def _ids(value: Any) -> tuple[int, ...]:
    items = str(value).split(",") if isinstance(value, str | int) else value or ()
    texts = [str(item).strip() for item in items]
    # An id that is no number belongs to no bill; 0 belongs to none either.
    return tuple(int(text) if text.isdecimal() else 0 for text in texts if text)


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"
