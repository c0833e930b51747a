"""When a bill has more documents than it should have, whoever made them.

Several documents of one bill are no fault by themselves: a rule may split a bill, and a part of it
may be pushed today and the rest tomorrow. So what counts is what the documents take. They are gone
through in the order in which they were made, and each has to fit into what those before it have
left of every row that it takes. A document that does not fit is surplus.

How much can be told depends on what the site shows:

- Links and quantities: a row is taken up to the quantity that the bill orders.
- Links alone: a row is taken once.
- No link (a number that somebody typed in, a site whose links cannot be read): such a document is
  taken for one of the whole bill, so that there may be no other beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from k3push.core.safety.target_sets import by_age

Rows = Mapping[str, Decimal | None]
"""Quantities by the internal id of a row of the source bill; None where it is not shown."""


class Basis(StrEnum):
    """What a bill was judged by, the best first."""

    QUANTITIES = "quantities"
    """What its documents take of its rows."""

    ROWS = "rows"
    """Which of its rows they take: quantities are not shown."""

    COUNT = "count"
    """The number of documents alone, since some do not show which rows they take."""


@dataclass(frozen=True, slots=True)
class Taker:
    """A document that stands, as far as it takes something of one bill.

    Attributes:
        id: Internal id, as text; a later document has a higher one.
        rows: What it takes of each row of the bill; empty where nothing tells.
    """

    id: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Judgement:
    """How many documents a bill should have.

    Attributes:
        expected: As many of those that are there as fit; at least 1.
        by: The evidence for that.
    """

    expected: int
    by: Basis


def judge_documents(
    ordered: Rows, documents: Collection[Taker], excess: Decimal = Decimal()
) -> Judgement:
    """Say how many of a bill's documents it should have.

    The first document of a row may take more than was ordered: one document is no double.

    Args:
        ordered: The rows of the bill, with what they order.
        documents: All that are there and not cancelled.
        excess: Which part of an ordered quantity may be taken beyond it, from 0.

    >>> ten, six, four = Decimal(10), Decimal(6), Decimal(4)
    >>> judge_documents({"r": ten}, [Taker("1", {"r": six}), Taker("2", {"r": four})])
    Judgement(expected=2, by=<Basis.QUANTITIES: 'quantities'>)
    >>> judge_documents({"r": ten}, [Taker("1", {"r": ten}), Taker("2", {"r": ten})]).expected
    1
    """
    left = _Left(ordered, excess)
    fitting, whole = 0, False
    for document in sorted(documents, key=lambda document: by_age(document.id)):
        if not document.rows:
            fits, whole = not fitting, whole or not fitting
        else:
            fits = not whole and left.has_room(document.rows)
        if fits:
            fitting += 1
            left.take(document.rows)
    return Judgement(max(1, fitting), _basis(ordered, documents))


def judge_namesakes(judged: Sequence[tuple[Judgement, int]], unlinked: int) -> int:
    """Say how many documents bills of one number should have together.

    A document that names only the number belongs to one of these bills, but nobody can say to
    which. So each bill without a linked document is allowed one of them.

    Args:
        judged: Of each bill, the judgement on the documents that link to it, and their number.
        unlinked: How many documents name the number alone.

    >>> one = Judgement(1, Basis.ROWS)
    >>> judge_namesakes([(one, 1), (one, 0)], unlinked=1)
    2
    """
    bare = sum(not count for _, count in judged)
    linked = sum(judgement.expected for judgement, count in judged if count)
    return linked + min(bare, unlinked)


class _Left:
    """What documents have left of the rows of a bill."""

    def __init__(self, ordered: Rows, excess: Decimal) -> None:
        self._ordered = ordered
        self._excess = excess
        self._taken: dict[str, Decimal | None] = {}

    def has_room(self, rows: Rows) -> bool:
        """Say whether all of *rows* may be taken."""
        return all(self._has_room(row, quantity) for row, quantity in rows.items())

    def _has_room(self, row: str, quantity: Decimal | None) -> bool:
        if row not in self._taken:
            return True
        taken, ordered = self._taken[row], self._ordered.get(row)
        if taken is None or quantity is None or ordered is None:
            return False
        return taken + quantity <= ordered * (1 + self._excess)

    def take(self, rows: Rows) -> None:
        """Take *rows*; one whose quantity is not shown is used up."""
        for row, quantity in rows.items():
            before = self._taken.get(row, Decimal())
            if before is not None and quantity is not None:
                self._taken[row] = before + quantity
            else:
                self._taken[row] = None


def _basis(ordered: Rows, documents: Collection[Taker]) -> Basis:
    if not all(document.rows for document in documents):
        return Basis.COUNT
    known = all(
        quantity is not None and ordered.get(row) is not None
        for document in documents
        for row, quantity in document.rows.items()
    )
    return Basis.QUANTITIES if known else Basis.ROWS
