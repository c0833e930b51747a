"""What becomes of a run whose doubts a person settles."""

from __future__ import annotations

import pytest

from k3push.core.model import NoAnswer, State
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.outcome import Exit
from tests.adapters.ledger.samples import ACCOUNT, later, numbers, outcomes, planned, sent
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import VirtualClock

pytestmark = pytest.mark.anyio

A, B = numbers("A B")


@pytest.mark.parametrize(
    ("state", "left"), [(State.PUSHED, Exit.DONE), (State.PLANNED, Exit.SOME_UNKNOWN)]
)
async def test_a_run_whose_last_doubt_a_person_has_settled_is_over(
    state: State, left: Exit
) -> None:
    """It was told to end with unknown numbers for good, and was never archived."""
    ledger = MemoryLedger(account=ACCOUNT)
    run = await planned(ledger, "A B")
    async with ledger.own(run):
        attempt = await sent(ledger, run, "A B")
        lost = outcomes("A B", State.UNKNOWN)
        await ledger.record(attempt, NoAnswer("reset"), "doubt", lost, at=later(1))
    await ledger.close_list(run)
    await ledger.end_run(run, Exit.SOME_UNKNOWN, later(2))
    ended = []
    for bill in (A, B):
        await settle_by_word(ledger, VirtualClock(), run, bill, state, because="seen")
        told = await ledger.run(run)
        ended.append(told and told.exit)
    assert ended == [Exit.SOME_UNKNOWN, left]
