"""A retry that was cut off between its two writes: numbers are planned, and nobody has them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from k3push.core.model import Row, State
from k3push.ports import Memo
from k3push.runs.kept_in_ledger.request_stages import Request, Stage, requests
from k3push.runs.kept_in_ledger.row_pages import pages_of
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


async def test_of_two_who_retry_at_one_moment_nobody_plans_what_no_request_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has named other bills, and both come to one request."""
    ledger = await filled(6, {1: ("11", "no stock"), 4: ("12", "closed")})
    await ledger.end_run(RUN.id, Exit.SOME_REJECTED, VirtualClock().now())
    run, remember = await ledger.run(RUN.id), ledger.remember
    assert run is not None

    def of(code: str) -> Callable[[Row], bool]:
        return lambda row: row.code == code

    async def second(memo: Memo) -> Memo:
        monkeypatch.setattr(ledger, "remember", remember)
        other = Asker(ledger.another_process(), VirtualClock(), "li", lambda _: None)
        with pytest.raises(HinderedError):
            await other.retry(run, of("12"))
        return await remember(memo)

    monkeypatch.setattr(ledger, "remember", second)
    await Asker(ledger, VirtualClock(), "wang", lambda _: None).retry(run, of("11"))
    (asked,) = await requests(ledger)
    planned = [row.place async for rows in pages_of(ledger, run, {State.PLANNED}) for row in rows]
    assert asked.chosen == set(planned) != set()
