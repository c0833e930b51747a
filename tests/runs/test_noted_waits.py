"""What a run waits for stands in the ledger, for whoever looks from elsewhere."""

from __future__ import annotations

import anyio
import pytest

from k3push.core.pacing.holds import Hold, HoldCause
from k3push.ports import Ledger
from k3push.runs.control import Orders
from k3push.runs.noted_waits import ASKING, NotedWaits, with_wait
from tests.runs.office import FIRST, NOON, Office, VirtualClock, orders

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
        waits.concluded(())
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
