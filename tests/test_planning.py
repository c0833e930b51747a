from __future__ import annotations

import anyio

from k3push.adapters.memory import MemoryLedger
from k3push.core.model import Run, RunId
from k3push.planning import free_run_id
from tests.ledgers.samples import NOON, a_run


class Crowded(MemoryLedger):
    """A ledger in which the first ids that are asked for are taken."""

    asked: list[RunId]

    async def run(self, run: RunId) -> Run | None:
        """Say that two runs are there."""
        self.asked = [*getattr(self, "asked", []), run]
        return a_run(run) if len(self.asked) < 3 else None


def test_two_runs_of_one_second_have_two_ids() -> None:
    """Three letters tell them apart, and once in a while they are the same."""
    ledger = Crowded()
    found = anyio.run(free_run_id, ledger, NOON)
    assert ledger.asked[-1] == found
    assert len(ledger.asked) == 3
