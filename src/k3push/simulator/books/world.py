"""The ERP's books: sources, the targets made from them, and a count of both.

The world is pure: it has no clock, no network and no chance. What a client may know of
it is what queries show; what really happened is in `documents_of` and `truth`, which
count makings, not links, so that a wrong link cannot hide a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from k3push.simulator.books.bills import APPROVED, CREATED, Bill, Entry, Link, Origin, Store
from k3push.simulator.books.collation import Collation, loose
from k3push.simulator.books.conversion import Conversion, Converter, Ids
from k3push.simulator.books.documents import PERSON, Documents, Habits
from k3push.simulator.books.flows import Flow, Flows, Instance
from k3push.simulator.books.forms import ROUTES, Form, Policy, Route
from k3push.simulator.books.history import By, Maker, Making
from k3push.simulator.books.operations import BulkHabits, Change, Operated, Operations
from k3push.simulator.books.orders import Approval, Operation, PushOrder
from k3push.simulator.books.refusals import OnRefusal, Refusal, Texts

BUYER = "buyer"
"""Who has made the source bills, as the ERP names him."""


class World:
    """The books of one data centre.

    Args:
        clock: Local time of the server, for the dates of bills only.
        policy: How they group sources.
        on_refusal: What one bad source does to the others of its call.
        collation: Which spellings are one number.
        habits: What becomes of targets after they were made.
        bulk: How calls that name several documents are worked on.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        routes: Sequence[Route] = ROUTES,
        policy: Policy = Policy.ONE_TO_ONE,
        on_refusal: OnRefusal = OnRefusal.PARTIAL,
        texts: Texts | None = None,
        collation: Collation = loose,
        habits: Habits | None = None,
        bulk: BulkHabits | None = None,
        flows: Sequence[Flow] = (),
    ) -> None:
        self.store = Store(collation)
        self.collation = collation
        self.texts = texts or Texts()
        self.pushes = 0
        self.rules = tuple(routes)
        self._clock = clock
        self._ids = Ids()
        self._refusals: dict[str, Refusal] = {}
        self._untied: dict[str, str] = {}
        self._makings: dict[str, list[Making]] = {}
        self._converter = Converter(
            self.store,
            self.rules,
            policy,
            on_refusal,
            self.texts,
            self._refusals,
            self._untied,
            self._ids,
            self.now,
        )
        habits = habits or Habits()
        successors = {made.form.id for made in habits.successors.values()}
        self.made_forms = frozenset(route.target.id for route in routes) | successors
        all_forms = [form for route in routes for form in (route.source, route.target)]
        all_forms += [made.form for made in habits.successors.values()]
        self.forms: Mapping[str, Form] = {form.id.lower(): form for form in all_forms}
        self.documents = Documents(
            self.store,
            Flows(flows, collation),
            habits,
            ids=self._ids,
            now=self.now,
            note=self._note,
        )
        self.operations = Operations(
            self.store,
            self.documents,
            self.forms,
            self.texts,
            self._refusals,
            bulk or BulkHabits(),
        )

    def add_source(
        self,
        form: Form,
        number: str,
        *,
        quantities: Sequence[int] = (10,),
        party: str = "P001",
        org: str = "100",
        status: str = APPROVED,
        closed: bool = False,
        cancelled: bool = False,
        dated: str = "",
    ) -> Bill:
        """Put a source bill into the books, with one entry for each of *quantities*.

        Its FDate is *dated*, in ISO 8601, or the day when it is made.
        """
        entries = [
            Entry(self._ids.next_entry(), seq, f"M{seq:04d}", quantity, quantity)
            for seq, quantity in enumerate(quantities, start=1)
        ]
        bill = Bill(
            form,
            self._ids.next_bill(),
            number,
            org,
            party,
            status,
            self.now(),
            BUYER,
            entries,
            closed=closed,
            cancelled=cancelled,
            dated=dated,
        )
        self.store.add(bill)
        return bill

    def add_target(
        self,
        form: Form,
        number: str,
        *,
        source_form: Form | None = None,
        typed: bool = False,
        cancelled: bool = False,
        creator: str = "somebody",
        quantities: Sequence[int] = (),
    ) -> Bill:
        """Put a target into the books that a person made.

        It is a document of the source that its number and form name, if there is one. Else
        its links name a source that is in no query, as another module's bills may be.

        Args:
            number: Number of its source.
            source_form: Form of its source; as the first rule that makes *form* has it, unless
                given.
            typed: Whether the number was typed in: then neither a link nor the source's form
                is there, and no quantity is taken.
            cancelled: Whether it was cancelled since.
            creator: Name of the user who made it.
            quantities: What it takes of each entry of its source; all that is left unless given.
        """
        route = next(route for route in self.rules if route.target is form)
        origin = source_form or route.source
        rule = f"{origin.id}-{form.id}" if source_form else route.rule_id
        sources = self.store.by_number(origin, number)
        entries = [(bill, entry) for bill in sources for entry in bill.entries]
        lefts = [max(0, entry.left) for _, entry in entries]
        held = [
            (bill.id, entry.id, quantity)
            for (bill, entry), quantity in zip(entries, quantities or lefts, strict=False)
        ]
        target = Bill(
            form,
            self._ids.next_bill(),
            self._ids.next_number(form.prefix),
            sources[0].org if sources else "100",
            sources[0].party if sources else "P001",
            CREATED,
            self.now(),
            creator,
        )
        unknown = (self._ids.next_bill(), self._ids.next_entry(), 1)
        target.entries = [
            Entry(
                self._ids.next_entry(),
                seq,
                f"M{seq:04d}",
                quantity,
                quantity,
                () if typed else (Link(rule, origin.entry_table, bill_id, entry_id, quantity),),
                Origin(" " if typed else origin.id, number),
            )
            for seq, (bill_id, entry_id, quantity) in enumerate(held or [unknown], start=1)
        ]
        self.store.add(target)
        for source in sources:
            self._note(Making(0, source, target, Maker.PERSON))
        self.documents.take(target)
        if cancelled:
            self.cancel(target)
        return target

    def refuse(self, number: str, refusal: Refusal, operation: Operation | None = None) -> None:
        """From now on, push *number* in vain, or do *operation* in vain with its documents."""
        key = self.collation(number)
        if operation is None:
            self._refusals[key] = refusal
        else:
            self.operations.refusals[operation, key] = refusal

    def untie(self, number: str, other: str = "") -> None:
        """From now on, let targets of *number* keep no link, and name another source or none."""
        self._untied[self.collation(number)] = other

    def renumber(self, form: Form, number: str, to: str) -> None:
        """Give the bills of *number* another one; what was made of them is known by both."""
        for bill in list(self.store.by_number(form, number)):
            self.store.number(bill, to)
        made = self._makings.setdefault(self.collation(number), [])
        self._makings[self.collation(to)] = made

    def exchange(self, form: Form, one: str, other: str) -> None:
        """Give the bills of two numbers each other's; what was made keeps that of its time."""
        first, second = list(self.store.by_number(form, one)), self.store.by_number(form, other)
        for bill in list(second):
            self.store.number(bill, one)
        for bill in first:
            self.store.number(bill, other)

    def allow(self, number: str) -> None:
        """Take back what `refuse` said of *number*."""
        key = self.collation(number)
        self._refusals.pop(key, None)
        for operation in Operation:
            self.operations.refusals.pop((operation, key), None)

    def convert(
        self, order: PushOrder, user: str, *, drop_one: bool = False, mislink: bool = False
    ) -> Conversion:
        """Work a push out without keeping anything; see `Converter.convert`."""
        return self._converter.convert(order, user, drop_one=drop_one, mislink=mislink)

    def commit(self, conversion: Conversion, maker: Maker = Maker.CLIENT, *, push: int = 0) -> int:
        """Keep *conversion*: its targets are in the books, and take quantity where saving does.

        Args:
            conversion: What came of a push, or of a part of it.
            maker: Who pushed.
            push: Which push it belongs to; a new one unless given.

        Returns:
            Which push it belongs to.
        """
        if not push:
            self.pushes += 1
            push = self.pushes
        for made in conversion.made:
            self.store.add(made.target)
            for source in made.sources:
                self._note(Making(push, source, made.target, maker, conversion.call))
            self.documents.take(made.target, made.shares)
        return push

    def push(
        self, order: PushOrder, user: str = "sandbox", maker: Maker = Maker.CLIENT
    ) -> Conversion:
        """Work a push out and keep it at once."""
        conversion = self.convert(order, user)
        self.commit(conversion, maker)
        return conversion

    def carry_out(self, operated: Operated, by: By) -> tuple[Change, ...]:
        """Keep what came of an operation; give the changes that took place."""
        return self.operations.carry_out(operated, by, self.pushes)

    def submit(self, target: Bill) -> Instance | None:
        """Submit a target, as a person does; give the flow that it enters."""
        return self.documents.submit(target, PERSON)

    def approve(self, target: Bill) -> None:
        """Approve a target, as a person does; it may take quantity only now."""
        self.documents.approve(target, PERSON)

    def unapprove(self, target: Bill) -> None:
        """Take the approval of a target back, as a person does."""
        self.documents.reopen(target, Operation.UNAUDIT, PERSON, self.documents.habits.unaudit_to)

    def take_back(self, target: Bill) -> None:
        """Take the submit of a target back, as a person does."""
        self.documents.reopen(target, Operation.CANCEL_ASSIGN, PERSON)

    def save(self, target: Bill, quantities: Sequence[int] = ()) -> None:
        """Save a target, as a person does who fills in a draft or changes quantities."""
        self.documents.save(target, PERSON, quantities)

    def process(self, instance: Instance, decided: Approval) -> None:
        """Process the open task of a flow, as the person does whose task it is."""
        task = instance.open_task
        if task is not None:
            self.documents.process(instance, decided, By(Maker.PERSON, task.node.person))

    def cancel(self, target: Bill) -> None:
        """Cancel a target, as a person does: what it took is free again."""
        self.documents.cancel(target, PERSON, self.pushes)

    def delete(self, target: Bill) -> None:
        """Delete a target, as a person does: no query shows it any more."""
        self.documents.delete(target, PERSON, self.pushes)

    def _note(self, making: Making) -> None:
        self._makings.setdefault(self.collation(making.source.number), []).append(making)

    def documents_of(self, number: str) -> tuple[Bill, ...]:
        """Give every target that was ever made from *number*, drafts included."""
        return tuple(making.target for making in self.makings_of(number))

    def makings_of(self, number: str) -> tuple[Making, ...]:
        """Give how the targets of *number* were made, in the order of time."""
        return tuple(self._makings.get(self.collation(number), ()))

    def makings_from(self, bill: Bill) -> tuple[Making, ...]:
        """Give how the targets of one bill were made, whatever its number was."""
        return tuple(each for made in self._made() for each in made if each.source is bill)

    def number_of(self, bill_id: str) -> str:
        """Give the number of the bill with an id; "" where there is none."""
        forms = self.forms.values() if bill_id.isdecimal() else ()
        bills = (self.store.by_id(form, int(bill_id)) for form in forms)
        return next((bill.number for bill in bills if bill is not None), "")

    def numbers_with_documents(self) -> Iterable[str]:
        """Give each source number, as the books spell it, from which something was made."""
        return (makings[0].source.number for makings in self._made())

    def _made(self) -> Iterable[list[Making]]:
        """Give what was made, by source: a renumbered one is known by two numbers."""
        return {id(makings): makings for makings in self._makings.values() if makings}.values()

    def truth(self) -> dict[str, Any]:
        """Tell what really happened, as data that JSON can carry."""
        return {
            "pushes": self.pushes,
            "documents": len(
                {
                    making.target.id
                    for makings in self._made()
                    for making in makings
                    if making.maker is not Maker.ERP
                }
            ),
            "sources": {
                makings[0].source.number: [self._told(making) for making in makings]
                for makings in self._made()
            },
        }

    def _told(self, making: Making) -> dict[str, Any]:
        """Tell of one target; each deed is operation, who, and the status before and after."""
        target = making.target
        return {
            "form": target.form.id,
            "id": target.id,
            "number": target.number,
            "status": target.status,
            "creator": target.creator,
            "push": making.push,
            "by": str(making.maker),
            "cancelled": target.cancelled,
            "deleted": target.deleted,
            "in_flow": self.documents.flows.running(target) is not None,
            "deeds": [
                [str(deed.operation), str(deed.by.maker), deed.before, deed.after]
                for deed in self.documents.history.deeds_of(target)
            ],
        }

    def now(self) -> str:
        """Give the local time of the server in ISO 8601 without offset."""
        return self._clock().replace(tzinfo=None).isoformat(timespec="seconds")
