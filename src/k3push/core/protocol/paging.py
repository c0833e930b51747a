"""When a page of a query proves that nothing follows it.

A site may cut pages at a limit of its own, and says nothing of it. But one that cuts at L never
delivers more than L rows. So the largest page that it has delivered for a kind of query (a form
and its fields) is a size that L is not below, and a page with fewer rows than that is whole. A
page as large or larger is asked on, until one comes that is smaller, or empty.

Lists often yield as many rows again and again, and each such page would be asked on in vain.
So after a few, the newest rows of the form are asked for without a filter: as many as come
prove that L is not below them either.

Rows are ordered by the internal id, and new bills have higher ids than all others. So what is
made between two pages comes behind them, and moves no row from the second page to the first.
What is deleted between them does; therefore a page that is asked on begins with the last row
that is known, and where this row is missing, some other may have been passed over. A site that
cuts at one row is asked for the known row by itself, once the new one has come.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from k3push.core.remark import remark

# What servers of every age give out in one page (P 6.1).
PAGE_ROWS = 2000

# Where a site cuts at one row, this many are all that one look can read.
MOST_PAGES = 1000

# How many pages may be asked on in vain before a probe; each probe doubles it, so that a form
# of few rows is not probed for ever.
VAIN_PAGES = 3

# A row so far behind that no look can get there.
FAR = PAGE_ROWS * MOST_PAGES

Row = Sequence[Any]


class PagesError(Exception):
    """Pages do not fit together, so that their rows may not be all."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A page to ask for.

    Attributes:
        start: The place of its first row, from 0.
        limit: How many rows at most.
        probes: It is to be the newest rows of the form, without a filter; its failure is no
            failure of the look.
    """

    start: int
    limit: int = PAGE_ROWS
    probes: bool = False


PROBE = Ask(0, probes=True)


@dataclass(slots=True)
class Proof:
    """What a site has shown about its pages of one kind of query; looks at once may share it.

    Attributes:
        largest: The most rows that it has delivered in one page.
        starts: It was seen to begin a page where it was told to.
        singly: It was seen to give out row by row.
        vain: Pages that were asked on in vain since the last probe.
        most_vain: How many of them call for a probe.
    """

    largest: int = 0
    starts: bool = False
    singly: bool = False
    vain: int = 0
    most_vain: int = VAIN_PAGES

    def is_whole(self, rows: int) -> bool:
        """Say whether a page of so many rows cannot have been cut.

        >>> Proof(largest=50).is_whole(49), Proof(largest=50).is_whole(50), Proof().is_whole(0)
        (True, False, True)
        """
        return rows < self.largest or not rows

    def delivered(self, rows: int) -> None:
        """Take note of a page that came."""
        # More than was asked for is no promise to give as much again.
        self.largest = max(self.largest, min(rows, PAGE_ROWS))

    def calls_for_probe(self) -> bool:
        """Say whether it is time for a probe, which the caller then makes."""
        if self.vain < self.most_vain:
            return False
        self.vain, self.most_vain = 0, 2 * self.most_vain
        return True


def whole(proof: Proof) -> Generator[Ask, Sequence[Row] | None, list[Row]]:
    """Read all rows of a query: yields each page to ask for, and is sent its rows.

    A probe that failed is sent as None.

    Args:
        proof: What is known of this kind of query; it is added to.

    Raises:
        PagesError: The server does not begin pages where it is told to, rows were deleted in
            the meantime, or the pages have no end.
    """
    rows: list[Row] = []
    start = 0
    for _ in range(MOST_PAGES):
        known = 1 if rows and proof.largest > 1 else 0
        page = (yield Ask(start - known)) or ()
        before: Sequence[Row] = page
        if rows and not known:
            proof.singly = proof.singly or bool(page)
            before = ((yield Ask(start - 1)) or ()) if proof.singly else rows
        if rows and not _holds(before, rows[-1:]):
            raise PagesError(remark("answer.pages_shifted"))
        if rows and len(page) == known:
            proof.vain += 1
            proof.starts = True
        elif rows and not proof.starts and _holds(rows, page):
            # Entries of one bill may look alike; behind all rows there are none.
            if (yield Ask(start + FAR, limit=1)):
                raise PagesError(remark("answer.pages_repeat"))
            proof.starts = True
        rows += page[1:] if known and _holds(rows[-1:], page[:1]) else page
        start += len(page) - known
        is_whole = proof.is_whole(len(page))
        proof.delivered(len(page))
        if not is_whole and proof.calls_for_probe():
            proof.delivered(len((yield PROBE) or ()))
            is_whole = proof.is_whole(len(page))
        if is_whole:
            return rows
    raise PagesError(remark("answer.pages_endless", pages=MOST_PAGES))


def _holds(rows: Sequence[Row], page: Sequence[Row]) -> bool:
    """Say whether rows are among others; an id may come as text and as a number."""
    return {tuple(map(str, row)) for row in rows}.issuperset(tuple(map(str, row)) for row in page)
