"""Which attempts at a number were at another bill, which had it before.

A row that is planned again is of the bill that has its number now. What was sent before has made
nothing of that one, so that none of its documents is ours; whoever goes on with the run knows so.
"""

from __future__ import annotations

from datetime import datetime

from k3push.core.model import BillNumber, RunId
from k3push.ports import Ledger, Memo
from k3push.runs.kept_in_ledger.put_memo import put_memo

MOVED = "moved_row"
"""Kind of the memo about a run."""


async def note_moved(
    ledger: Ledger, run: RunId, bill: BillNumber, attempts: int, *, at: datetime
) -> None:
    """Write down that so many attempts of a run at a number were at another bill."""
    value = {"attempts": attempts}
    await put_memo(ledger, Memo(MOVED, _id(run, bill), at, value, about=run))


async def attempts_at_another(ledger: Ledger, run: RunId, bill: BillNumber) -> int:
    """Return how many attempts of a run at a number, from the first, were at another bill."""
    kept = await ledger.memo(MOVED, _id(run, bill))
    return int(kept.value["attempts"]) if kept else 0


def _id(run: RunId, bill: BillNumber) -> str:
    return f"{run} {bill}"
