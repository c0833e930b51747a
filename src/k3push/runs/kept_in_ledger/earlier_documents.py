"""Whether documents that were there before a run were looked at for the steps that they take.

Where a route has them follow (`follow_already`), those are taken up that nobody has submitted. The
others leave no trace in the ledger. So it keeps of how many rows the documents were looked at: an
execution that was cut off before has left something to do.
"""

from __future__ import annotations

from datetime import datetime

from k3push.core.model import Run, RunId, State
from k3push.ports import Ledger, Memo
from k3push.runs.kept_in_ledger.put_memo import put_memo

LOOKED_AT = "already_looked_at"
"""Kind of the memo about a run."""


async def note_looked_at(ledger: Ledger, run: RunId, rows: int, at: datetime) -> None:
    """Write down that the documents of so many rows that were `already` there were looked at."""
    await put_memo(ledger, Memo(LOOKED_AT, run, at, {"rows": rows}, about=run))


async def not_looked_at(ledger: Ledger, run: Run) -> int:
    """Count the rows whose documents were there before and were not looked at yet."""
    # Of a run that has ended well all were, also by a version that noted nothing.
    if not run.route.follow_already or run.exit == 0:
        return 0
    kept = await ledger.memo(LOOKED_AT, run.id)
    rows = (await ledger.counts(run.id)).get(State.ALREADY, 0)
    return max(0, rows - int(kept.value["rows"] if kept else 0))
