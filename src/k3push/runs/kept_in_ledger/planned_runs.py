"""Which runs are of a plan: what that has looked at and a person has agreed to is pushed, alone."""

from __future__ import annotations

from k3push.core.model import Run, RunId
from k3push.ports import Ledger, Memo

OF_PLAN = "of_plan"


async def keep_of_plan(ledger: Ledger, run: Run) -> None:
    """Keep that a run is of a plan."""
    await ledger.remember(Memo(OF_PLAN, run.id, run.started_at, {}, about=run.id))


async def is_of_plan(ledger: Ledger, run: RunId) -> bool:
    """Say whether a run is of a plan."""
    return await ledger.memo(OF_PLAN, run) is not None
