"""What becomes of a run whose doubts a person settles."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from k3push.core.model import BillNumber, NoAnswer, RunId, State
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.outcome import Exit
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator.books.forms import IN_STOCK
from tests.adapters.ledger.samples import ACCOUNT, later, numbers, outcomes, planned, sent
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    SECOND,
    WINDOW_S,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
)
from tests.runs.rough_answers import NO_HALT, OPEN
from tests.runs.test_calls_that_meet import killed_after
from tests.simulator.transport import SandboxTransport

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


async def lost_again(ledger: MemoryLedger, run: RunId, chunk: int) -> None:
    """Send a number, and lose the answer."""
    async with ledger.own(run):
        attempt = await sent(ledger, run, "A", chunk=chunk)
        lost = outcomes("A", State.UNKNOWN)
        await ledger.record(attempt, NoAnswer("reset"), "doubt", lost, at=later(chunk))


async def test_a_word_about_an_earlier_sending_settles_no_later_one() -> None:
    """Somebody looks and finds nothing; by then another execution has sent the bill once more."""
    ledger = MemoryLedger(account=ACCOUNT)
    elsewhere = await planned(ledger, "A B", "r0", "s|po|other")
    run = await planned(ledger, "A B")
    await lost_again(ledger, run, 1)
    word = partial(settle_by_word, ledger, VirtualClock(), run, A, State.PLANNED, because="seen")
    await word(attempts=1)
    await lost_again(ledger, run, 2)
    with pytest.raises(IllegalMoveError):
        await word(attempts=1)
    states = {of: row.state for of, row in await ledger.rows_of(A)}
    assert states == {elsewhere: State.PLANNED, run: State.UNKNOWN}
    # How often another run has sent it does not matter.
    await word(attempts=2)
    assert {row.state for _, row in await ledger.rows_of(A)} == {State.PLANNED}


async def test_a_word_holds_beside_calls_that_were_over_before_the_one_that_was_lost() -> None:
    """Many were lost while the ERP was away, and others were answered before the bill's call left.

    Each counted for a window, so that the word covered nothing for hours.
    """
    light, away, (lost,) = orders(2), orders(12, 2), orders(1, 50)
    office = Office(sandbox(**OPEN))

    class Away(SandboxTransport):
        """Gives the calls of one list up, and breaks the first call for the lost bill."""

        broken = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            body = (await request.aread()).decode()
            if "Push" in str(request.url) and any(number in body for number in away):
                await anyio.sleep(60)
                return httpx.Response(504, text="gateway")
            if "Push" in str(request.url) and lost in body and not Away.broken:
                Away.broken = True
                raise httpx.ReadError("reset")
            return await super().handle_async_request(request)

    async def type_one(_: Context) -> None:
        while not (await office.rows(SECOND))[lost].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(1)
        await anyio.sleep(30)
        office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)

    how: dict[str, Any] = {"transport": Away, "limits": NO_HALT, "check": False}
    how |= {"settle": SettleTimes()}
    await office.open_run([*light, *away])
    at_once = steered(concurrency=12, chunk_size=1)
    await office.execute(FIRST, throttle=at_once, beside=killed_after(100.0), **how)
    await anyio.sleep(WINDOW_S + 100)
    how |= {"throttle": steered(concurrency=1, chunk_size=1)}
    await office.open_run(orders(2, 30), RunId("quick"))
    assert len((await office.execute(RunId("quick"), **how)).of(State.PUSHED)) == 2
    await office.open_run([lost], SECOND)
    doubted = await office.execute(SECOND, beside=type_one, **how)
    assert doubted.of(State.UNKNOWN) == {lost}
    await anyio.sleep(WINDOW_S)
    word = (SECOND, BillNumber(lost), State.PLANNED)
    await settle_by_word(office.store, VirtualClock(), *word, because="it is the WMS's")
    pushed = await office.execute(SECOND, **how)
    assert pushed.of(State.PUSHED) == {lost}, pushed.rows[lost]
