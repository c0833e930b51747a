"""The ERP's books: sources, the targets made from them, and a count of both.

The world is pure: it has no clock, no network and no chance. What a client may know of
it is what queries show; what really happened is in `documents_of` and `truth`, which
count makings, not links, so that a wrong link cannot hide a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from k3push.simulator.bills import APPROVED, Bill, Entry, Store
from k3push.simulator.collation import Collation, loose
from k3push.simulator.conversion import Conversion, Converter, Ids
from k3push.simulator.forms import ROUTES, Form, Policy, Route
from k3push.simulator.orders import PushOrder
from k3push.simulator.refusals import OnRefusal, Refusal, Texts


class Making(NamedTuple):
    """One target made from one source.

    Attributes:
        push: Which push made it, counted from 1.
        source: The source bill.
        target: The target bill.
    """

    push: int
    source: Bill
    target: Bill


class World:
    """The books of one data centre.

    Args:
        clock: Local time of the server, for the dates of bills only.

        routes: Conversion rules.

        policy: How they group sources.

        on_refusal: What one bad source does to the others of its call.

        texts: What the ERP says.

        collation: Which spellings are one number.
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
    ) -> None:
        self.store = Store(collation)
        self.collation = collation
        self.texts = texts or Texts()
        self.pushes = 0
        self._ids = Ids()
        self._clock = clock
        self._refusals: dict[str, Refusal] = {}
        self._makings: dict[str, list[Making]] = {}
        self._converter = Converter(
            self.store,
            tuple(routes),
            policy,
            on_refusal,
            self.texts,
            self._refusals,
            self._ids,
            self._local_time,
        )
        self.forms: Mapping[str, Form] = {
            form.id.lower(): form for route in routes for form in (route.source, route.target)
        }

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
    ) -> Bill:
        """Put a source bill into the books, with one entry for each of *quantities*."""
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
            self._local_time(),
            "sandbox",
            entries,
            closed=closed,
            cancelled=cancelled,
        )
        self.store.add(bill)
        return bill

    def refuse(self, number: str, refusal: Refusal) -> None:
        """From now on, push *number* in vain."""
        self._refusals[self.collation(number)] = refusal

    def allow(self, number: str) -> None:
        """Take back what `refuse` said of *number*."""
        self._refusals.pop(self.collation(number), None)

    def convert(
        self, order: PushOrder, user: str, *, drop_one: bool = False, mislink: bool = False
    ) -> Conversion:
        """Work a push out without keeping anything; see `Converter.convert`."""
        return self._converter.convert(order, user, drop_one=drop_one, mislink=mislink)

    def commit(self, conversion: Conversion) -> None:
        """Keep *conversion*: its targets are in the books, saved ones take quantity (P 5.12)."""
        self.pushes += 1
        for made in conversion.made:
            self.store.add(made.target)
            for source in made.sources:
                making = Making(self.pushes, source, made.target)
                self._makings.setdefault(self.collation(source.number), []).append(making)
            if made.target.number:
                for share in made.shares:
                    share.entry.left = max(0, share.entry.left - share.quantity)

    def push(self, order: PushOrder, user: str = "sandbox") -> Conversion:
        """Work a push out and keep it at once."""
        conversion = self.convert(order, user)
        self.commit(conversion)
        return conversion

    def documents_of(self, number: str) -> tuple[Bill, ...]:
        """Give every target that was ever made from *number*, drafts included."""
        return tuple(making.target for making in self.makings_of(number))

    def makings_of(self, number: str) -> tuple[Making, ...]:
        """Give how the targets of *number* were made, in the order of time."""
        return tuple(self._makings.get(self.collation(number), ()))

    def numbers_with_documents(self) -> Iterable[str]:
        """Give each source number, as the books spell it, from which something was made."""
        return (makings[0].source.number for makings in self._makings.values())

    def truth(self) -> dict[str, Any]:
        """Tell what really happened, as data that JSON can carry."""
        return {
            "pushes": self.pushes,
            "documents": len(
                {making.target.id for each in self._makings.values() for making in each}
            ),
            "sources": {
                makings[0].source.number: [
                    {
                        "form": making.target.form.id,
                        "id": making.target.id,
                        "number": making.target.number,
                        "status": making.target.status,
                        "creator": making.target.creator,
                        "push": making.push,
                    }
                    for making in makings
                ]
                for makings in self._makings.values()
            },
        }

    def _local_time(self) -> str:
        return self._clock().replace(tzinfo=None).isoformat(timespec="seconds")
