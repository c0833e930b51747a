from __future__ import annotations

import pytest

from k3push.core.model import State
from k3push.ports import LedgerLostError
from tests.adapters.ledger.samples import ACCOUNT, ANSWER, later, outcomes, planned, sent, states
from tests.memory_ledger.ledger import MemoryLedger

pytestmark = pytest.mark.anyio


async def test_nothing_that_a_dead_process_does_reaches_the_store() -> None:
    """A killed task still runs its `finally` blocks in a simulation; a killed process does not."""
    first = MemoryLedger(account=ACCOUNT)
    second = first.another_process()
    run = await planned(first, "A")
    async with first.own(run):
        attempt = await sent(first, run, "A")
        first.die()
        assert not await second.is_alive(run)
        async with second.own(run):
            told = outcomes("A", State.PUSHED)
            with pytest.raises(LedgerLostError):
                await first.record(attempt, ANSWER, "", told, at=later(1))
            assert await states(second, run) == {"A": State.UNKNOWN}


async def test_leaving_a_block_after_death_does_not_end_the_next_executor() -> None:
    """The dead one's `own` is left late, when another process has taken the run."""
    first = MemoryLedger(account=ACCOUNT)
    second = first.another_process()
    run = await planned(first, "A")
    dead = first.own(run)
    await dead.__aenter__()
    first.die()
    async with second.own(run):
        await dead.__aexit__(None, None, None)
        assert await second.is_alive(run)
