"""Bills, their entries and links, and the store that finds them.

Sources and targets are both bills. A target's entries carry a link to the entry
that they were made from, as the link tables of the ERP do (P 6.5).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from k3push.simulator.books.collation import Collation
from k3push.simulator.books.forms import Form

# FDocumentStatus (P 6.7).
DRAFT = "Z"
CREATED = "A"
IN_APPROVAL = "B"
APPROVED = "C"
REOPENED = "D"


class Stamp(NamedTuple):
    """When and by whom something was done.

    Attributes:
        at: Local time in ISO 8601 without offset.
        by: Name of the user.
    """

    at: str
    by: str


class Link(NamedTuple):
    """Where a target's entry says that it came from.

    Attributes:
        table: Entry table of the source.
        quantity: What it takes of that entry.
    """

    rule_id: str
    table: str
    bill_id: int
    entry_id: int
    quantity: int


class Origin(NamedTuple):
    """What a target's entry says of its source for people to read (P 6.6).

    Attributes:
        form: Id of the source's form; a blank where somebody typed the number in.
    """

    form: str
    number: str


@dataclass(slots=True)
class Entry:
    """A line of a bill.

    Attributes:
        id: Id of the line, unique over all bills.
        seq: Place in the bill, from 1.
        quantity: What the line orders or delivers.
        left: What may still be pushed; below 0 where two pushes took the same at once.
        links: Set on targets that a rule made: one for each source entry in the line.
        origin: Set on targets.
        closed: Whether its quantity was used up, on a site that closes such lines.
    """

    id: int
    seq: int
    material: str
    quantity: int
    left: int
    links: tuple[Link, ...] = ()
    origin: Origin | None = None
    closed: bool = False


@dataclass(slots=True)
class Bill:
    """A source or a target.

    Attributes:
        id: Internal id, unique over all bills; the database's order.
        number: Bill number; "" for a draft (P 5.9).
        party: Number of the supplier or customer.
        status: FDocumentStatus: Z draft, A created, B in approval, C approved, D re-edit (P 6.7).
        created: When it was made, local time in ISO 8601 without offset.
        creator: Name of the user who made it.
        closed: Whether FCloseStatus is B.
        cancelled: Whether FCancelStatus is B.
        deleted: Whether it was deleted, so that no query shows it.
        gone_after: How many pushes there had been when it was cancelled or deleted.
        dated: FDate, if it is not the day when it was made.
        changed: The last change of what it says; None since it was made.
        approved: The approval that holds.
    """

    form: Form
    id: int
    number: str
    org: str
    party: str
    status: str
    created: str
    creator: str
    entries: list[Entry] = field(default_factory=list)
    closed: bool = False
    cancelled: bool = False
    deleted: bool = False
    gone_after: int = 0
    dated: str = ""
    changed: Stamp | None = None
    approved: Stamp | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The numbers of its sources, each once."""
        origins = (entry.origin for entry in self.entries)
        return tuple(dict.fromkeys(origin.number for origin in origins if origin is not None))

    @property
    def living(self) -> bool:
        """Whether it still counts as a document."""
        return not (self.cancelled or self.deleted)

    @property
    def used_up(self) -> bool:
        """Whether it is closed because all of its lines were."""
        return all(entry.closed for entry in self.entries)


class Store:
    """All bills, found by form with id, number, or the source that their entries name.

    Args:
        collation: How numbers are compared.
    """

    def __init__(self, collation: Collation) -> None:
        self.collation = collation
        self._forms: defaultdict[str, dict[int, Bill]] = defaultdict(dict)
        self._ids: defaultdict[str, list[int]] = defaultdict(list)
        self._numbers: defaultdict[tuple[str, str], list[Bill]] = defaultdict(list)
        self._source_numbers: defaultdict[tuple[str, str], list[Bill]] = defaultdict(list)
        self._source_ids: defaultdict[tuple[str, int], list[Bill]] = defaultdict(list)
        self._entries: dict[int, Bill] = {}

    def add(self, bill: Bill) -> None:
        """Take *bill* in."""
        form = bill.form.id
        self._forms[form][bill.id] = bill
        insort(self._ids[form], bill.id)
        self._numbers[form, self.collation(bill.number)].append(bill)
        for entry in bill.entries:
            self._entries[entry.id] = bill
        for lists in self._by_source(bill):
            lists.append(bill)

    def remove(self, bill: Bill) -> None:
        """Forget *bill*."""
        form = bill.form.id
        del self._forms[form][bill.id]
        self._ids[form].remove(bill.id)
        self._numbers[form, self.collation(bill.number)].remove(bill)
        for entry in bill.entries:
            del self._entries[entry.id]
        for lists in self._by_source(bill):
            lists.remove(bill)

    def number(self, bill: Bill, number: str) -> None:
        """Give *bill* its number: a draft so far, or one that is called otherwise from now on."""
        self._numbers[bill.form.id, self.collation(bill.number)].remove(bill)
        bill.number = number
        self._numbers[bill.form.id, self.collation(number)].append(bill)

    def _by_source(self, bill: Bill) -> Iterator[list[Bill]]:
        """Give the lists in which *bill* stands for what its entries name."""
        form = bill.form.id
        origins = {entry.origin.number for entry in bill.entries if entry.origin is not None}
        for number in {self.collation(number) for number in origins}:
            yield self._source_numbers[form, number]
        for bill_id in {link.bill_id for entry in bill.entries for link in entry.links}:
            yield self._source_ids[form, bill_id]

    def of_form(self, form: Form, above: int = 0) -> Iterator[Bill]:
        """Give the bills of *form* whose ids are larger than *above*, by their ids."""
        if form.id in self._forms:
            bills, ids = self._forms[form.id], self._ids[form.id]
            for place in range(bisect_right(ids, above), len(ids)):
                yield bills[ids[place]]

    def by_id(self, form: Form, bill_id: int) -> Bill | None:
        """Give the bill with this internal id."""
        return self._forms[form.id].get(bill_id) if form.id in self._forms else None

    def by_number(self, form: Form, number: str) -> list[Bill]:
        """Give the bills with this number: more than one where organisations share it."""
        return self._numbers.get((form.id, self.collation(number)), [])

    def by_entry(self, entry_id: int) -> Bill | None:
        """Give the bill that holds this entry."""
        return self._entries.get(entry_id)

    def by_source_number(self, form: Form, number: str) -> list[Bill]:
        """Give the bills of *form* whose entries name *number* as their source."""
        return self._source_numbers.get((form.id, self.collation(number)), [])

    def by_source_id(self, form: Form, bill_id: int) -> list[Bill]:
        """Give the bills of *form* whose entries link to the source bill *bill_id*."""
        return self._source_ids.get((form.id, bill_id), [])
