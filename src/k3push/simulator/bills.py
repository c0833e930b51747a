"""Bills, their entries and links, and the store that finds them.

Sources and targets are both bills. A target's entries carry a link to the entry
that they were made from, as the link tables of the ERP do (P 6.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from k3push.simulator.collation import Collation
from k3push.simulator.forms import Form

DRAFT = "Z"
CREATED = "A"
APPROVED = "C"


class Link(NamedTuple):
    """Where a target's entry says that it came from.

    Attributes:
        rule_id: The rule that made it.
        table: Entry table of the source.
        bill_id: Id of the source bill.
        entry_id: Id of the source entry.
        number: Number of the source bill, as the target's text fields show it.
    """

    rule_id: str
    table: str
    bill_id: int
    entry_id: int
    number: str


@dataclass(slots=True)
class Entry:
    """A line of a bill.

    Attributes:
        id: Id of the line, unique over all bills.
        seq: Place in the bill, from 1.
        material: Material number.
        quantity: What the line orders or delivers.
        left: What may still be pushed; saved targets take from it, drafts do not (P 5.12).
        link: Set on targets.
    """

    id: int
    seq: int
    material: str
    quantity: int
    left: int
    link: Link | None = None


@dataclass(slots=True)
class Bill:
    """A source or a target.

    Attributes:
        form: Its type.
        id: Internal id, unique over all bills; the database's order.
        number: Bill number; "" for a draft (P 5.9).
        org: Number of the organisation.
        party: Number of the supplier or customer.
        status: FDocumentStatus: Z draft, A created, B in approval, C approved, D re-edit (P 6.7).
        created: When it was made, local time in ISO 8601 without offset.
        creator: Name of the user who made it.
        entries: Its lines.
        closed: Whether FCloseStatus is B.
        cancelled: Whether FCancelStatus is B.
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


class Store:
    """All bills, found by form with id, number, or the source that their entries name.

    Args:
        collation: How numbers are compared.
    """

    def __init__(self, collation: Collation) -> None:
        self.collation = collation
        self._forms: defaultdict[str, dict[int, Bill]] = defaultdict(dict)
        self._numbers: defaultdict[tuple[str, str], list[Bill]] = defaultdict(list)
        self._source_numbers: defaultdict[tuple[str, str], list[Bill]] = defaultdict(list)
        self._source_ids: defaultdict[tuple[str, int], list[Bill]] = defaultdict(list)
        self._entries: dict[int, Bill] = {}

    def add(self, bill: Bill) -> None:
        """Take *bill* in."""
        form = bill.form.id
        self._forms[form][bill.id] = bill
        self._numbers[form, self.collation(bill.number)].append(bill)
        for entry in bill.entries:
            self._entries[entry.id] = bill
        links = [entry.link for entry in bill.entries if entry.link is not None]
        for number in {self.collation(link.number) for link in links}:
            self._source_numbers[form, number].append(bill)
        for bill_id in {link.bill_id for link in links}:
            self._source_ids[form, bill_id].append(bill)

    def of_form(self, form: Form) -> Iterable[Bill]:
        """Give every bill of *form*, in the order in which they were taken in."""
        return self._forms[form.id].values() if form.id in self._forms else ()

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
