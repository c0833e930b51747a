"""Which rows hold what a person looks for: a number, an id, a document, a code, a reason, a cause.

The ledger finds what a row holds. The cause that people are shown beside it stands in no row: it
follows from code and reason, so that rows which ask for a person are read for it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from k3push.core.advice.clusters import TOLD
from k3push.core.advice.diagnosis import advise, code_of
from k3push.core.model import BillNumber, Row, RunId
from k3push.ports import Ledger
from k3push.runs.kept_in_ledger.row_pages import pages_of
from k3push.words import causes_saying, remarks_saying

SHORTEST_PART = 4
"""Characters of the shortest part of a number that is searched for."""

MOST_FOUND = 100

MOST_READ = 5000
"""Rows whose causes are compared with what is looked for, those of the newest runs first."""

MOST_RUNS = 500
"""Runs of which these are read."""


def is_long_enough(words: str) -> bool:
    """Say whether a part of a number, a document or a cause is looked for."""
    return len(words) >= SHORTEST_PART or not words.isascii()


async def rows_under(ledger: Ledger, number: BillNumber) -> list[tuple[RunId, Row]]:
    """Return the rows of all bills that a spelling names, the oldest run first.

    Each list spells a bill as it likes, so other runs may have it in another spelling.
    """
    found = {(run, row.place): row for run, row in await ledger.rows_of(number)}
    for bill in {row.key for row in found.values()} - {number}:
        found |= {(run, row.place): row for run, row in await ledger.rows_of(bill)}
    return [(run, found[run, place]) for run, place in sorted(found)]


async def rows_holding(ledger: Ledger, words: str) -> Sequence[tuple[RunId, Row]]:
    """Return rows that hold what is looked for, the newest first; those of a cause after others."""
    if not is_long_enough(words):
        return []
    found: dict[tuple[RunId, int], Row] = {}
    for each in _spellings(words):
        for run, row in await ledger.find_rows(each, remarks=remarks_saying(each)):
            found[run, row.place] = row
    if len(found) < MOST_FOUND:
        async with aclosing(_rows_of_cause(ledger, words)) as rows:
            async for run, row in rows:
                found[run, row.place] = row
                if len(found) >= MOST_FOUND:
                    break
    return [(run, row) for (run, _), row in found.items()][:MOST_FOUND]


async def runs_holding(ledger: Ledger, words: str) -> set[RunId]:
    """Return the runs of rows that hold what is looked for."""
    found: set[RunId] = set()
    if not is_long_enough(words):
        return found
    for each in _spellings(words):
        found |= await ledger.runs_holding(each, remarks=remarks_saying(each))
    async with aclosing(_rows_of_cause(ledger, words)) as rows:
        async for run, _ in rows:
            found.add(run)
    return found


def _spellings(words: str) -> list[str]:
    """Return what is looked for as it was typed, and in the width in which numbers are kept.

    >>> _spellings("ＣＧＤＤ０１（紧急）")
    ['ＣＧＤＤ０１（紧急）', 'CGDD01（紧急）']
    """
    narrow = (unicodedata.normalize("NFKC", each) for each in words)
    plain = "".join(n if n.isalnum() else each for n, each in zip(narrow, words, strict=True))
    return list(dict.fromkeys((words, plain)))


async def _rows_of_cause(ledger: Ledger, words: str) -> AsyncGenerator[tuple[RunId, Row], None]:
    """Yield rows of the newest runs that are told with a cause of these words, in any language."""
    causes = causes_saying(words)
    left = MOST_READ
    newest = await ledger.runs(last=MOST_RUNS, undone=True) if causes else ()
    for run in reversed(newest):
        async with aclosing(pages_of(ledger, run, TOLD)) as pages:
            async for page in pages:
                for row in page:
                    advice = advise(code_of(row), row.reason)
                    if advice is not None and advice.cause in causes:
                        yield run.id, row
                left -= len(page)
                if left <= 0:
                    return
