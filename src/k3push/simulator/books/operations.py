"""Whether an operation may be done with a document, and what comes of a call (P 10, 11).

As with pushes, nothing is kept while a call is worked out; the world keeps it later, which
may be much later where a transaction is slow. Then only documents are changed whose status is
still the one that was judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from k3push.simulator.books.bills import (
    APPROVED,
    CREATED,
    DRAFT,
    IN_APPROVAL,
    REOPENED,
    Bill,
    Store,
)
from k3push.simulator.books.documents import Documents
from k3push.simulator.books.forms import Form
from k3push.simulator.books.history import By
from k3push.simulator.books.orders import Operation, OperationOrder
from k3push.simulator.books.refusals import MsgCode, OnRefusal, Problem, Refusal, Texts
from k3push.simulator.sign_in import user_id


@dataclass(frozen=True, slots=True)
class BulkHabits:
    """How calls that name several documents are worked on; no real answer is known (P 11.11).

    Attributes:
        on_refusal: What one bad document does to the others of its call.
        most: Documents of a call that are worked on; the others are passed over in silence. 0
            for all.
        names_all: Whether documents that were passed over are named as done.
        verifies_flows: Whether Audit and UnAudit look for a running flow; sites before
            November 2023 do not (P 10.1).
    """

    on_refusal: OnRefusal = OnRefusal.PARTIAL
    most: int = 0
    names_all: bool = False
    verifies_flows: bool = True


class Change(NamedTuple):
    """What is to happen to a document.

    Attributes:
        before: Its status when that was decided.
        successor: What the ERP makes along with it.
    """

    bill: Bill
    before: str
    successor: Bill | None = None


@dataclass(frozen=True, slots=True)
class Operated:
    """What came of an operation, not yet kept.

    Attributes:
        addressed: The documents that were found, in the database's order.
        changes: What is to happen.
        named: The documents that the answer names as done.
        problems: Refusals, in the database's order; the index is the document's place.
    """

    order: OperationOrder
    addressed: tuple[Bill, ...] = ()
    changes: tuple[Change, ...] = ()
    named: tuple[Bill, ...] = ()
    problems: tuple[Problem, ...] = ()


def never(_: Bill) -> bool:
    """Say that no plug-in is at work on a document."""
    return False


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of one world.

    Attributes:
        forms: Forms by id in lower case.
        saving: Refusals of pushes by order of the trial, by collated source number: a draft
            that could not be saved for one cannot be submitted either.
        refusals: Refusals of operations by order of the trial, by collated source number.
    """

    store: Store
    documents: Documents
    forms: Mapping[str, Form]
    texts: Texts
    saving: Mapping[str, Refusal]
    habits: BulkHabits
    refusals: dict[tuple[Operation, str], Refusal] = field(default_factory=dict)

    def find(self, order: OperationOrder) -> tuple[Bill, ...]:
        """Find the documents that *order* names, in the database's order."""
        form = self.forms.get(order.form.lower())
        if form is None:
            return ()
        if order.ids:
            bills: Iterable[Bill | None] = (self.store.by_id(form, each) for each in order.ids)
        else:
            bills = (bill for each in order.numbers for bill in self.store.by_number(form, each))
        found = {bill.id: bill for bill in bills if bill is not None}
        return tuple(found[key] for key in sorted(found))

    def judge(
        self,
        order: OperationOrder,
        *,
        drop_one: bool = False,
        busy: Callable[[Bill], bool] = never,
    ) -> Operated:
        """Work *order* out.

        Args:
            drop_one: Pass over the last document without a word.
            busy: Tells whether plug-ins are still at work on a document (P 11.8).
        """
        found = self.find(order)
        if not found:
            return Operated(order, problems=self._nothing_found(order))
        worked = found[: self.habits.most or None]
        if drop_one and len(worked) == len(found):
            worked = worked[:-1]
        changes: list[Change] = []
        problems: list[Problem] = []
        for index, bill in enumerate(worked):
            problem = self._problem(order, bill, index, busy)
            if problem is None:
                changes.append(self._change(order, bill))
                continue
            problems.append(problem)
            if self.habits.on_refusal is OnRefusal.WHOLE:
                return Operated(order, found, problems=tuple(problems))
        done = [change.bill for change in changes]
        named = [*done, *found[len(worked) :]] if self.habits.names_all else done
        if self.habits.on_refusal is OnRefusal.SILENT and changes:
            problems = []
        return Operated(order, found, tuple(changes), tuple(named), tuple(problems))

    def carry_out(self, operated: Operated, by: By, pushes: int) -> tuple[Change, ...]:
        """Keep what came of an operation; give the changes that took place.

        Args:
            pushes: How many pushes there have been.
        """
        changed = [
            change
            for change in operated.changes
            if change.bill.living and change.bill.status == change.before
        ]
        for change in changed:
            self._carry_out(operated.order, change, by, pushes)
        return tuple(changed)

    def _change(self, order: OperationOrder, bill: Bill) -> Change:
        approves = order.operation is Operation.AUDIT
        return Change(bill, bill.status, self.documents.successor_of(bill) if approves else None)

    def _carry_out(self, order: OperationOrder, change: Change, by: By, pushes: int) -> None:
        documents, operation, bill = self.documents, order.operation, change.bill
        match operation:
            case Operation.SUBMIT:
                documents.submit(bill, by)
            case Operation.AUDIT:
                documents.approve(bill, by, successor=change.successor)
            case Operation.UNAUDIT:
                documents.reopen(bill, operation, by, documents.habits.unaudit_to)
            case Operation.CANCEL_ASSIGN:
                documents.reopen(bill, operation, by)
            case Operation.DELETE:
                documents.delete(bill, by, pushes)
            case Operation.WORKFLOW_AUDIT:
                instance = documents.flows.running(bill)
                if instance is not None:
                    documents.process(instance, order.approval, by, order.opinion)

    def _nothing_found(self, order: OperationOrder) -> tuple[Problem, ...]:
        if order.form.lower() not in self.forms:
            text = self.texts.no_such_form.replace("{value}", order.form)
            return (Problem(MsgCode.EXCEPTION, text),)
        named: Sequence[object] = order.ids or order.numbers
        if not named:
            return (Problem(MsgCode.BAD_PARAMETER, self.texts.nothing_named),)
        text = self.texts.no_such_id if order.ids else self.texts.no_such_number
        listed = (Problem(MsgCode.NO_SUCH_VALUE, text.replace("{number}", str(n))) for n in named)
        return tuple(listed)

    def _problem(
        self, order: OperationOrder, bill: Bill, index: int, busy: Callable[[Bill], bool]
    ) -> Problem | None:
        """Give why *order* may not be done with *bill*; None where it may."""
        text = self._wrong_status(order.operation, bill) or self._in_flow(order, bill)
        if text:
            return Problem(MsgCode.INVALID, self._say(text, bill), "", index)
        refusal = self._ordered(order.operation, bill)
        if refusal is not None:
            return Problem(refusal.code, self._say(refusal.text, bill), refusal.field or "", index)
        if busy(bill):
            return Problem(MsgCode.INVALID, self._say(self.texts.busy, bill), "", index)
        return None

    def _wrong_status(self, operation: Operation, bill: Bill) -> str:
        """Give what is said where the status of *bill* does not allow *operation*; else ""."""
        texts, unsubmitted = self.texts, DRAFT + CREATED + REOPENED
        allowed = {
            Operation.SUBMIT: (unsubmitted, texts.not_submittable),
            Operation.AUDIT: (IN_APPROVAL, texts.submit_first),
            Operation.UNAUDIT: (APPROVED, texts.not_unapprovable),
            Operation.CANCEL_ASSIGN: (IN_APPROVAL, texts.not_submitted),
            Operation.DELETE: (unsubmitted, texts.not_deletable),
        }
        if operation is Operation.AUDIT and bill.status == APPROVED:
            return texts.already_approved
        statuses, text = allowed.get(operation, (bill.status, ""))
        return "" if bill.status in statuses else text

    def _in_flow(self, order: OperationOrder, bill: Bill) -> str:
        """Give what is said where a flow stands against *order*, or must run and does not."""
        instance = self.documents.flows.running(bill)
        if order.operation is Operation.WORKFLOW_AUDIT:
            if instance is None or instance.open_task is None:
                return self.texts.no_task
            person = instance.open_task.node.person
            return "" if order.user_id == user_id(person) else self.texts.not_his_task
        verified = order.verify_flow and self.habits.verifies_flows
        if instance is not None and verified and order.operation in _AGAINST_FLOWS:
            return self.texts.in_flow
        return ""

    def _ordered(self, operation: Operation, bill: Bill) -> Refusal | None:
        """Give a refusal by order of the trial, of the operation or of the draft's saving."""
        for source in bill.sources:
            key = self.store.collation(source)
            refusal = self.refusals.get((operation, key))
            if refusal is not None:
                return refusal
            saving = self.saving.get(key)
            submits_draft = operation is Operation.SUBMIT and bill.status == DRAFT
            if submits_draft and saving is not None and saving.saving:
                return saving
        return None

    def _say(self, text: str, bill: Bill) -> str:
        number = bill.number or str(bill.id)
        return text.replace("{number}", number).replace("{form}", bill.form.name)


_AGAINST_FLOWS = frozenset({Operation.AUDIT, Operation.UNAUDIT})
