"""Which calls are written down that take long."""

from __future__ import annotations

import math
from functools import partial

import anyio
import pytest

from k3push.core.model import RunId
from k3push.core.safety.verdict import SOON_S
from k3push.runs.proof.calls_at_work import CallsAtWork
from k3push.runs.proof.long_calls import LOOK_EVERY_S, long_calls, note_long_calls
from tests.adapters.ledger.samples import ACCOUNT, planned
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import VirtualClock

pytestmark = pytest.mark.anyio

SOON_AFTER_S = SOON_S + 2 * LOOK_EVERY_S


async def _noted(ledger: MemoryLedger, run: RunId, calls: int, first: int) -> frozenset[int]:
    """Make calls that take a minute each, one after the other, and return what is known of them.

    The last one is on its way as the execution is killed.
    """
    work = CallsAtWork()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(note_long_calls, ledger, run, VirtualClock(), work))
        for attempt in range(first, first + calls):
            work.left_s[attempt] = anyio.current_time()
            await anyio.sleep(SOON_AFTER_S)
            if attempt < first + calls - 1:
                del work.left_s[attempt]
        tasks.cancel_scope.cancel()
    return await long_calls(ledger, run)


async def test_calls_that_have_come_back_are_not_kept_for_ever() -> None:
    """A night of calls that take half a minute each wrote thousands of them, every few seconds."""
    ledger = MemoryLedger(account=ACCOUNT)
    run = await planned(ledger, "A")
    assert await _noted(ledger, run, 50, 1) == {50}
    # What an execution before has left without an end stays so.
    assert await _noted(ledger, run, 50, 51) == {50, 100}


async def test_a_call_that_is_over_soon_is_none() -> None:
    """It is written down once it has taken long, and not before."""
    ledger, work = MemoryLedger(account=ACCOUNT), CallsAtWork()
    run = await planned(ledger, "A")
    work.left_s |= {1: anyio.current_time(), 2: math.inf}
    with anyio.move_on_after(SOON_S - 1):
        await note_long_calls(ledger, run, VirtualClock(), work)
    assert await long_calls(ledger, run) == frozenset()
