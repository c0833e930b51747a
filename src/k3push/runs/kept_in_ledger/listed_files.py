"""Which job file a line of a run stands in, kept for the end: the ledger numbers lines alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from k3push.core.model import Run
from k3push.ports import Ledger, Memo

LISTED = "listed"


async def keep_line_counts(ledger: Ledger, run: Run, counts: Sequence[int]) -> None:
    """Keep how many lines each job file of a run has given it, in their order."""
    if len(counts) > 1:
        value = {"lines": list(counts)}
        await ledger.remember(Memo(LISTED, run.id, run.started_at, value, about=run.id))


async def kept_line_counts(ledger: Ledger, run: Run) -> list[int]:
    """Return what was kept; nothing of a run of one job file, of a plan, or of a web page."""
    memo = await ledger.memo(LISTED, run.id) if len(run.jobs) > 1 else None
    return [int(count) for count in memo.value["lines"]] if memo else []


def file_at(place: int, jobs: Sequence[str], counts: Sequence[int]) -> str:
    """Return the job file that has the line at a place; "" where that is not known.

    Args:
        place: Among all lines of the run, from 1.
        jobs: The job files; one that was given twice is told with its turn.
        counts: How many lines each has given.

    >>> [file_at(place, ["a.csv", "b.csv"], [2, 1]) for place in (1, 2, 3)]
    ['a.csv', 'a.csv', 'b.csv']
    >>> file_at(3, ["a.csv", "a.csv"], [2, 1]), file_at(1, ["a.csv"], [])
    ('a.csv (2)', '')
    """
    if place < 1 or len(jobs) != len(counts):
        return ""
    for at, last in enumerate(accumulate(counts)):
        if place <= last:
            turn = jobs[: at + 1].count(jobs[at])
            return f"{jobs[at]} ({turn})" if jobs.count(jobs[at]) > 1 else jobs[at]
    return ""
