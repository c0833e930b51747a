"""What a run waits for stands in the ledger, for whoever looks from elsewhere."""

from __future__ import annotations

from datetime import timedelta, timezone

import anyio
import pytest

from k3push.core.model import State
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.ports import Ledger, LedgerLostError, Memo
from k3push.runs.context import Context
from k3push.runs.control import Orders
from k3push.runs.noted_waits import ASKING, NotedWaits, with_wait
from k3push.runs.stop import Cause
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    NOON,
    SECOND,
    SETTLE,
    Notebook,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_HALT

pytestmark = pytest.mark.anyio

PAUSED = Hold(HoldCause.CONTROL, since=NOON)


async def wait_in(ledger: Ledger) -> Hold | None:
    """Return what a page shows of the first run."""
    return (await with_wait(Orders(), ledger, FIRST, VirtualClock().now())).hold


async def test_what_a_person_holds_goes_before_what_is_waited_for() -> None:
    """And a wait that is long over is not told."""
    office = Office()
    await office.open_run(orders(1))
    clock, told = VirtualClock(), "ConnectError"
    waits = NotedWaits(office.store, FIRST, clock)
    async with anyio.create_task_group() as group:
        group.start_soon(waits.note)
        waits.waiting(told, 30)
        await anyio.sleep(1)
        assert await wait_in(office.store) == Hold(HoldCause.WAIT, told)
        held = await with_wait(Orders(hold=PAUSED), office.store, FIRST, clock.now())
        assert held.hold is PAUSED
        await anyio.sleep(30 + ASKING.total_seconds())
        assert await wait_in(office.store) is None
        waits.waiting(told, 30)
        waits.concluded((), left=State.PLANNED)
        await anyio.sleep(1)
        assert await wait_in(office.store) is None
        waits.waiting(told, 30)
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    # Killed while it waited; the next execution waits for nothing.
    async with anyio.create_task_group() as group:
        group.start_soon(NotedWaits(office.store, FIRST, clock).note)
        await anyio.sleep(1)
        assert await wait_in(office.store) is None
        group.cancel_scope.cancel()


async def test_the_window_that_an_execution_goes_by_is_told() -> None:
    """It may be a schedule's own, by a clock of its own; of the settings nobody could tell it."""
    office = Office()
    await office.open_run(orders(1))
    opens = NOON + timedelta(hours=10)
    waits = NotedWaits(office.store, FIRST, VirtualClock())
    async with anyio.create_task_group() as group:
        group.start_soon(waits.note)
        waits.held(Hold(HoldCause.WINDOW, until=opens.astimezone(timezone(timedelta(hours=9)))))
        await anyio.sleep(1)
        held = await wait_in(office.store)
        assert held == Hold(HoldCause.WINDOW, until=opens)
        assert held.until is not None
        assert held.until.utcoffset() == NOON.utcoffset()
        waits.held(PAUSED)
        await anyio.sleep(1)
        assert await wait_in(office.store) is None
        waits.held(Hold(HoldCause.WINDOW, until=opens))
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    # Killed while it waited; the next execution goes by no window.
    async with anyio.create_task_group() as group:
        group.start_soon(NotedWaits(office.store, FIRST, VirtualClock()).note)
        await anyio.sleep(1)
        assert await wait_in(office.store) is None
        group.cancel_scope.cancel()


async def test_a_ledger_that_takes_no_notes_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program holds its lock, or its disk is full; the run itself has nothing to write."""
    office = Office()
    await office.open_run(orders(1))

    async def full(_: MemoryLedger, __: Memo) -> Memo:
        raise LedgerLostError("ledger.busy{}")

    waits = NotedWaits(office.store, FIRST, VirtualClock())
    async with anyio.create_task_group() as group:
        with monkeypatch.context() as patch:
            patch.setattr(MemoryLedger, "remember", full)
            group.start_soon(waits.note)
            waits.waiting("ConnectError", 30)
            await anyio.sleep(1)
        waits.waiting("ConnectError", 60)
        await anyio.sleep(1)
        assert await wait_in(office.store) == Hold(HoldCause.WAIT, "ConnectError")
        group.cancel_scope.cancel()


async def test_a_wait_for_another_run_is_told_for_as_long_as_it_lasts() -> None:
    """That run is over and has lost its answer, so that its window is waited for."""
    office = Office(sandbox(steps("reset"), latency_s=1.0))
    await office.open_run(orders(4))

    async def stop(job: Context) -> None:
        await anyio.sleep(20)
        job.stop.ask(Cause.CONTROL, "")

    at_once = steered(concurrency=1, chunk_size=4)
    await office.execute(limits=NO_HALT, throttle=at_once, beside=stop, check=False)
    await office.open_run(orders(4), SECOND)
    notes = Notebook()
    began_s = anyio.current_time()
    await office.execute(SECOND, watch=notes, check=False)
    told = [why for why, _ in notes.waits if "waits_for_runs" in why]
    lasted_s = anyio.current_time() - began_s
    assert len(told) * (SETTLE.poll_s + ASKING.total_seconds()) > lasted_s > SETTLE.window_s / 2
