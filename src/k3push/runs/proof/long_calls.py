"""Which calls had taken long as an execution was killed, in the ledger: nobody else knows.

A run keeps so few calls at work that all end within one window. Where the ERP has become slow in
between, and works on one push after the other (P 5.15), they take longer. Those that were given up
tell of it by themselves.
"""

from __future__ import annotations

from contextlib import suppress

import anyio

from k3push.core.model import RunId
from k3push.core.safety.verdict import SOON_S
from k3push.ports import Clock, Ledger, LedgerLostError, Memo
from k3push.runs.kept_in_ledger.put_memo import put_memo
from k3push.runs.proof.calls_at_work import CallsAtWork

LONG = "long_calls"
"""Kind of the memo; there is one for each run."""

LOOK_EVERY_S = 5.0


async def note_long_calls(ledger: Ledger, run: RunId, clock: Clock, work: CallsAtWork) -> None:
    """Write down which calls of an execution are on their way for long, until cancelled.

    Those of earlier executions stay; of what has come back the ledger knows the end. Where it takes
    nothing, the next look tries again.
    """
    earlier: frozenset[int] | None = None
    noted = set[int]()
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        until_s = anyio.current_time() - SOON_S
        long = {id_ for id_, left_s in work.left_s.items() if left_s <= until_s}
        if long - noted:
            with suppress(LedgerLostError):
                earlier = await long_calls(ledger, run) if earlier is None else earlier
                value = {"attempts": sorted(earlier | long)}
                await put_memo(ledger, Memo(LONG, run, clock.now(), value, about=run))
                noted = long


async def long_calls(ledger: Ledger, run: RunId) -> frozenset[int]:
    """Return attempts of a run that have taken long, whatever came of them.

    Those among them that have no end were on their way for so long as their execution was killed.
    """
    memo = await ledger.memo(LONG, run)
    return frozenset(memo.value["attempts"]) if memo else frozenset()
