"""Whether an execution was cut off before it looked once more at what was refused or in doubt.

A refused call may have saved a part that looks show late (P 5.7), and a call in doubt may be
carried out after its window, as its number was sent again, or save a second document of a bill; so
both are looked at again at the end of each execution. A kill, a second Ctrl-C or a halt at once
cuts that look off; whoever goes on with the run makes it. The ledger knows that it is due from
before the first refusal of an execution is written down, or the first doubt is settled, until the
look is made.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from k3push.core.model import RunId
from k3push.ports import Ledger, Memo

DUE = "due_look"
"""Kind of the memo about a run."""


async def note_due(ledger: Ledger, run: RunId, since: datetime) -> None:
    """Write down that what is refused from now on has to be looked at once more.

    Where that is due already, it counts since the earlier of the two times: a clock may have been
    set back.
    """
    # Times of rows are kept to a millisecond, and what moves within this one counts.
    since = since.replace(microsecond=since.microsecond // 1000 * 1000)
    memo = Memo(DUE, run, since, {"since": since.isoformat()}, about=run, open=True)
    kept = await ledger.remember(memo)
    if not kept.open or since < _since(kept):
        await ledger.revise(replace(kept, value=memo.value, open=True))


async def note_made(ledger: Ledger, run: RunId) -> None:
    """Write down that the look was made."""
    kept = await ledger.memo(DUE, run)
    if kept is not None and kept.open:
        await ledger.revise(replace(kept, open=False))


async def due_since(ledger: Ledger, run: RunId) -> datetime | None:
    """Return since when refusals of a run wait for that look; None where none does."""
    kept = await ledger.memo(DUE, run)
    return _since(kept) if kept is not None and kept.open else None


def _since(memo: Memo) -> datetime:
    return datetime.fromisoformat(str(memo.value["since"]))
