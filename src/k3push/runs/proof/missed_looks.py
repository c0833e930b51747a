"""Whether an execution was cut off before it looked once more at what was refused or in doubt.

A refused call may have saved a part that looks show late (P 5.7). A call in doubt may be carried
out after its window, when its number has been sent again; or it may save a second document of a
bill. So both are looked at again at the end of each execution. A kill, a second Ctrl-C or a halt at
once cuts that look off; whoever goes on with the run makes it. The ledger knows that it is due from
before the first refusal of an execution is written down, or the first doubt is settled, until the
look is made. Where the ERP refuses to be asked for some bills, it is due for these alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from k3push.core.model import BillNumber, RunId
from k3push.ports import Ledger, Memo

DUE = "due_look"
"""Kind of the memo about a run."""

# Where the ERP refuses to be asked for more, the look is due for all once more.
MOST_LEFT = 1000


class DueLook(NamedTuple):
    """What waits to be looked at once more.

    Attributes:
        since: All that has come to its end since then.
        left: Bills that came to their end before, and that the ERP has refused to be asked for;
            since when each waits.
    """

    since: datetime
    left: Mapping[BillNumber, datetime] = {}

    @property
    def first(self) -> datetime:
        """Since when something waits."""
        return min([self.since, *self.left.values()])

    def since_of(self, bill: BillNumber) -> datetime:
        """Return since when a bill waits, if it does."""
        return min(self.since, self.left.get(bill, self.since))


async def note_due(ledger: Ledger, run: RunId, since: datetime) -> None:
    """Write down that what is refused from now on has to be looked at once more.

    Where that is due already, it counts since the earlier of the two times: a clock may have been
    set back.
    """
    memo = Memo(DUE, run, since, _kept(DueLook(since)), about=run, open=True)
    kept = await ledger.remember(memo)
    due = _read(kept) if kept.open else DueLook(since)
    if not kept.open or since < due.since:
        value = _kept(DueLook(min(since, due.since), due.left))
        await ledger.revise(replace(kept, value=value, open=True))


async def note_made(
    ledger: Ledger, run: RunId, *, left: Collection[BillNumber] = (), at: datetime
) -> None:
    """Write down that the look was made.

    Args:
        ledger: Holds the run.
        run: The run.
        left: Bills that the ERP has refused to be asked for.
        at: Now.
    """
    kept = await ledger.memo(DUE, run)
    if kept is None or not kept.open or len(left) > MOST_LEFT:
        return
    due = _read(kept)
    value = _kept(DueLook(at, {bill: due.since_of(bill) for bill in left})) if left else kept.value
    await ledger.revise(replace(kept, value=value, open=bool(left)))


async def due_look(ledger: Ledger, run: RunId) -> DueLook | None:
    """Return what of a run waits for that look; None where nothing does."""
    kept = await ledger.memo(DUE, run)
    return _read(kept) if kept is not None and kept.open else None


def _kept(due: DueLook) -> dict[str, Any]:
    # Times of rows are kept to a millisecond, and what moves within this one counts.
    since = due.since.replace(microsecond=due.since.microsecond // 1000 * 1000)
    left = {bill: at.isoformat() for bill, at in due.left.items()}
    return {"since": since.isoformat()} | ({"left": left} if left else {})


def _read(memo: Memo) -> DueLook:
    left: Mapping[str, str] = memo.value.get("left", {})
    return DueLook(
        datetime.fromisoformat(str(memo.value["since"])),
        {BillNumber(bill): datetime.fromisoformat(at) for bill, at in left.items()},
    )
