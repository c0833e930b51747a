"""Who made a document, and what was done with it since: calls, and what they changed.

A *call* is a Submit or Audit that names a document, and of which its client cannot know without
a look that nothing came of it. A *deed* is a change that really happened, whoever made it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from k3push.simulator.books.bills import Bill
from k3push.simulator.books.orders import Operation


class Maker(StrEnum):
    """Who made a target, or did something with it."""

    CLIENT = "client"
    """The client that is on trial, whoever its users are."""

    OTHER = "other"
    """Another program, which pushes the same bills."""

    PERSON = "person"
    """Somebody at the screen."""

    ERP = "erp"
    """The ERP itself, when another document was approved (P 11.9)."""


class Making(NamedTuple):
    """One target made from one source.

    Attributes:
        push: Which push made it, in the order in which pushes are kept, from 1; 0 for none.
        call: Which push a client asked for it by, in the order of arrival, from 1; 0 for none.
    """

    push: int
    source: Bill
    target: Bill
    maker: Maker = Maker.CLIENT
    call: int = 0


class By(NamedTuple):
    """Who does something.

    Attributes:
        maker: What kind of actor.
        call: Which call, counted from 1; 0 for none.
    """

    maker: Maker
    user: str
    call: int = 0


class Deed(NamedTuple):
    """A change of a document.

    Attributes:
        before: The status before.
        after: The status after; "" where the document is gone.
    """

    operation: Operation
    by: By
    before: str
    after: str


class Call(NamedTuple):
    """A call that named a document.

    Attributes:
        nth: Which call, counted from 1.
        looked: Whether the document's status was read since the call before it.
    """

    nth: int
    operation: Operation
    looked: bool


class History:
    """Calls and deeds, by the id of the document.

    Attributes:
        count: Calls so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._calls: defaultdict[int, list[Call]] = defaultdict(list)
        self._deeds: defaultdict[int, list[Deed]] = defaultdict(list)
        self._looked: set[int] = set()

    def called(self, operation: Operation, bills: Iterable[Bill]) -> int:
        """Note a call that names *bills*; give its place among all calls."""
        self.count += 1
        for bill in bills:
            self._calls[bill.id].append(Call(self.count, operation, bill.id in self._looked))
            self._looked.discard(bill.id)
        return self.count

    def looked(self, ids: Iterable[int]) -> None:
        """Note that a client has read the status of documents."""
        self._looked.update(bill_id for bill_id in ids if bill_id in self._calls)

    def did(self, bill: Bill, deed: Deed) -> None:
        """Note what was done with *bill*."""
        self._deeds[bill.id].append(deed)

    @property
    def named(self) -> tuple[int, ...]:
        """The ids of all documents that calls have named."""
        return tuple(self._calls)

    def calls_of(self, bill: Bill) -> tuple[Call, ...]:
        """Give the calls that named *bill*, in the order of time."""
        return tuple(self._calls.get(bill.id, ()))

    def deeds_of(self, bill: Bill) -> tuple[Deed, ...]:
        """Give what was done with *bill*, in the order of time."""
        return tuple(self._deeds.get(bill.id, ()))
