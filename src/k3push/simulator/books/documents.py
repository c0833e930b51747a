"""What becomes of a target after it was made: its status, what it takes, its flow, its history.

Each method does one thing, whoever asks for it; `operations` decides whether a call may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from k3push.simulator.books.bills import (
    APPROVED,
    CREATED,
    DRAFT,
    IN_APPROVAL,
    REOPENED,
    Bill,
    Entry,
    Link,
    Origin,
    Stamp,
    Store,
)
from k3push.simulator.books.conversion import Ids, Share
from k3push.simulator.books.flows import Flows, Instance
from k3push.simulator.books.forms import Form
from k3push.simulator.books.history import By, Deed, History, Maker, Making
from k3push.simulator.books.orders import Approval, Operation
from k3push.simulator.books.write_back import WriteBack, give_back, take


@dataclass(frozen=True, slots=True)
class Successor:
    """A bill that the ERP makes when a document is approved (P 11.9).

    Attributes:
        approved: Whether it is approved at once.
    """

    form: Form
    approved: bool = True


@dataclass(frozen=True, slots=True)
class Habits:
    """What a site does with documents.

    Attributes:
        write_back: When they take quantity.
        closes: Whether a source is closed when its quantity is used up (P 13.3).
        unaudit_to: Their status after UnAudit; reports differ between D and B (P 11.5).
        successors: What is made when one of a form is approved; keys are forms' ids.
    """

    write_back: WriteBack = WriteBack.SAVE
    closes: bool = True
    unaudit_to: str = REOPENED
    successors: Mapping[str, Successor] = field(default_factory=dict)


class Documents:
    """The targets of one world.

    Args:
        ids: Where new ids and numbers come from.
        now: Local time of the server.
        note: Notes the making of a successor.
    """

    def __init__(
        self,
        store: Store,
        flows: Flows,
        habits: Habits,
        *,
        ids: Ids,
        now: Callable[[], str],
        note: Callable[[Making], None],
    ) -> None:
        self.flows = flows
        self.history = History()
        self.habits = habits
        self._store = store
        self._ids = ids
        self._now = now
        self._note = note

    def take(self, target: Bill, shares: Iterable[Share] | None = None) -> None:
        """Let *target*, just made, take quantity: *shares*, or what its links say that it holds."""
        if self._holds(target):
            held = self._shares_of(target) if shares is None else shares
            take(held, closes=self.habits.closes)

    def submit(self, target: Bill, by: By) -> Instance | None:
        """Submit *target*; give the flow that it enters."""
        before = self._number(target)
        self._move(target, Operation.SUBMIT, by, before, IN_APPROVAL)
        return self.flows.enter(target, by.user, self._now())

    def save(self, target: Bill, by: By, quantities: Sequence[int] = ()) -> None:
        """Save *target*, so that a draft becomes a document, with other quantities if given."""
        held = self._holds(target)
        if held and quantities:
            give_back(self._shares_of(target))
        for entry, quantity in zip(target.entries, quantities, strict=False):
            entry.quantity = entry.left = quantity
            entry.links = tuple(_shared_out(entry.links, quantity))
        if held and quantities:
            take(self._shares_of(target), closes=self.habits.closes)
        before = self._number(target)
        target.changed = Stamp(self._now(), by.user)
        after = CREATED if before == DRAFT else before
        self._move(target, Operation.SAVE, by, before, after)

    def approve(
        self,
        target: Bill,
        by: By,
        operation: Operation = Operation.AUDIT,
        successor: Bill | None = None,
    ) -> None:
        """Approve *target*.

        Args:
            operation: By a call or by hand, or by its flow.
            successor: What the ERP makes along with it, where that is worked out already.
        """
        held = self._holds(target)
        self._move(target, operation, by, target.status, APPROVED)
        target.approved = Stamp(self._now(), by.user)
        if self._holds(target) and not held:
            take(self._shares_of(target), closes=self.habits.closes)
        made = successor or self.successor_of(target)
        if made is not None:
            self._store.add(made)
            self._note(Making(0, target, made, Maker.ERP))

    def successor_of(self, target: Bill) -> Bill | None:
        """Work out what the approval of *target* makes; nothing is kept."""
        made = self.habits.successors.get(target.form.id)
        if made is None:
            return None
        now, form = self._now(), made.form
        rule = f"{target.form.id}-{form.id}"
        return Bill(
            form,
            self._ids.next_bill(),
            self._ids.next_number(form.prefix),
            target.org,
            target.party,
            APPROVED if made.approved else CREATED,
            now,
            target.creator,
            [
                Entry(
                    self._ids.next_entry(),
                    entry.seq,
                    entry.material,
                    entry.quantity,
                    entry.quantity,
                    (Link(rule, target.form.entry_table, target.id, entry.id, entry.quantity),),
                    Origin(target.form.id, target.number),
                )
                for entry in target.entries
            ],
            approved=Stamp(now, target.creator) if made.approved else None,
        )

    def reopen(self, target: Bill, operation: Operation, by: By, after: str = REOPENED) -> None:
        """Take an approval or a submit back, or reject *target* in its flow."""
        held = self._holds(target)
        self._move(target, operation, by, target.status, after)
        target.approved = None
        if held and not self._holds(target):
            give_back(self._shares_of(target))
        self.flows.end(target)

    def process(self, instance: Instance, decided: Approval, by: By, opinion: str = "") -> None:
        """Process the open task of a flow, which may approve or reject the document."""
        if not self.flows.process(instance, decided, opinion, self._now()):
            return
        if instance.bill.status != IN_APPROVAL:
            return  # it was approved past its flow
        if decided is Approval.PASS:
            self.approve(instance.bill, by, Operation.WORKFLOW_AUDIT)
        else:
            self.reopen(instance.bill, Operation.WORKFLOW_AUDIT, by)

    def cancel(self, target: Bill, by: By, pushes: int) -> None:
        """Cancel *target*: what it took is free again.

        Args:
            pushes: How many pushes there have been.
        """
        if self._holds(target):
            give_back(self._shares_of(target))
        target.cancelled, target.gone_after = True, pushes
        self._move(target, Operation.CANCEL, by, target.status, target.status)

    def delete(self, target: Bill, by: By, pushes: int) -> None:
        """Delete *target*; see `cancel`."""
        if self._holds(target):
            give_back(self._shares_of(target))
        target.deleted, target.gone_after = True, pushes
        self._store.remove(target)
        self.flows.end(target)
        self.history.did(target, Deed(Operation.DELETE, by, target.status, ""))

    def _number(self, target: Bill) -> str:
        """Give a draft its number, and let it take quantity; give the status before."""
        before = target.status
        if not target.number:
            self._store.number(target, self._ids.next_number(target.form.prefix))
            self.take(target)
        return before

    def _holds(self, target: Bill) -> bool:
        """Tell whether *target* holds quantity of its sources."""
        return (
            target.living
            and {
                WriteBack.SAVE: bool(target.number),
                WriteBack.AUDIT: target.status == APPROVED,
                WriteBack.NEVER: False,
            }[self.habits.write_back]
        )

    def _shares_of(self, target: Bill) -> list[Share]:
        """Give what the links of *target* say that it holds."""
        shares: list[Share] = []
        for line in target.entries:
            for link in line.links:
                source = self._store.by_entry(link.entry_id)
                if source:
                    entry = next(each for each in source.entries if each.id == link.entry_id)
                    shares.append(Share(source, entry, link.quantity))
        return shares

    def _move(self, target: Bill, operation: Operation, by: By, before: str, after: str) -> None:
        target.status = after
        self.history.did(target, Deed(operation, by, before, after))


def _shared_out(links: Sequence[Link], quantity: int) -> Iterator[Link]:
    """Share a new quantity of a line out to its links: the last gets the rest."""
    for link in links[:-1]:
        taken = min(link.quantity, quantity)
        quantity -= taken
        yield link._replace(quantity=taken)
    for link in links[-1:]:
        yield link._replace(quantity=quantity)


PERSON = By(Maker.PERSON, "somebody")
"""Somebody at the screen."""
