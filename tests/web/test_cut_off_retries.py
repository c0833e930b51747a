"""A retry that was cut off between its two writes: numbers are planned, and nobody has them."""

from __future__ import annotations

import pytest

from k3push.core.model import State
from k3push.runs.kept_in_ledger.request_stages import Request, Stage, requests
from k3push.runs.outcome import Exit
from k3push.runs.retry import plan_rejected
from k3push.web.execution.resume_and_retry import Asker, HinderedError
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import RUN, filled
from tests.runs.office import VirtualClock

pytestmark = pytest.mark.anyio


async def asked_again(ledger: MemoryLedger) -> list[Request]:
    """Ask for a retry of all that is rejected, and return what was begun."""
    begun: list[Request] = []
    run = await ledger.run(RUN.id)
    assert run is not None
    asker = Asker(ledger, VirtualClock(), "wms", begun.append)
    await asker.retry(run, lambda _: True)
    assert await requests(ledger) == begun
    return begun


async def test_a_retry_that_was_cut_off_may_be_asked_for_again() -> None:
    """A program that got no answer asks once more, as it is told to."""
    ledger = await filled(4, {1: ("11", "no stock")})
    await ledger.end_run(RUN.id, Exit.SOME_REJECTED, VirtualClock().now())
    async with ledger.own(RUN.id, executes=False):
        await plan_rejected(ledger, VirtualClock(), RUN, lambda _: True)
    assert (await ledger.counts(RUN.id))[State.PLANNED] == 1
    (asked,) = await asked_again(ledger)
    assert (asked.stage, asked.runs) == (Stage.APPROVED, [RUN.id])


@pytest.mark.parametrize("ended", [Exit.STOPPED, Exit.SOME_UNKNOWN])
async def test_a_run_that_was_stopped_with_numbers_left_is_resumed_and_not_retried(
    ended: Exit,
) -> None:
    """Nothing of it is rejected, and `resume` says what is done with the rest."""
    ledger = await filled(4, {1: ("11", "no stock")})
    async with ledger.own(RUN.id, executes=False):
        await plan_rejected(ledger, VirtualClock(), RUN, lambda _: True)
    await ledger.end_run(RUN.id, ended, VirtualClock().now())
    with pytest.raises(HinderedError):
        await asked_again(ledger)
