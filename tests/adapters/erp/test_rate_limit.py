from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.rate_limit import RateLimit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Callers:
    """Tasks that call when it is their turn, and when each did."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.turns = RateLimit(lambda: self.per_minute)
        self.began: list[tuple[str, float]] = []

    async def call(self, name: str, *, first: bool = False) -> None:
        """Wait for a turn, and note it."""
        await self.turns.take(first=first)
        self.began.append((name, anyio.current_time()))

    @property
    def at_s(self) -> list[float]:
        """When the calls began."""
        return [at for _, at in self.began]


async def test_calls_are_evenly_spaced_however_many_want_to() -> None:
    """Thirty a minute is one every two seconds, and not thirty at once."""
    callers = Callers(30)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(callers.call, "read")
    start = callers.at_s[0]
    assert [at - start for at in callers.at_s] == pytest.approx([2.0 * nth for nth in range(10)])


async def test_time_that_nobody_used_is_not_saved_up() -> None:
    """After a pause of an hour the ERP must not meet sixty calls at once."""
    callers = Callers(30)
    await callers.call("read")
    await anyio.sleep(3600)
    begun = anyio.current_time()
    for _ in range(3):
        await callers.call("read")
    assert [at - begun for at in callers.at_s[1:]] == pytest.approx([0, 2, 4])


async def test_without_a_limit_nobody_waits() -> None:
    """The default costs nothing."""
    callers = Callers(0)
    for _ in range(1000):
        await callers.call("read")
    assert set(callers.at_s) == {callers.at_s[0]}


async def test_a_push_goes_before_the_reads_that_wait() -> None:
    """What its look has found grows old while it waits."""
    callers = Callers(60)
    await callers.call("read 0")
    async with anyio.create_task_group() as tasks:
        for nth in range(1, 4):
            tasks.start_soon(callers.call, f"read {nth}")
        await anyio.sleep(0.5)
        tasks.start_soon(partial(callers.call, "push", first=True))
    assert [name for name, _ in callers.began][1] == "push"
    assert callers.at_s == pytest.approx([0, 1, 2, 3, 4])


async def test_a_call_that_may_not_wait_is_counted() -> None:
    """A login while an attempt is open makes the next call later, and none too many."""
    callers = Callers(60)
    await callers.call("read")
    await anyio.sleep(0.25)
    callers.turns.count()
    await callers.call("read")
    assert callers.at_s[1] - callers.at_s[0] == pytest.approx(2.0)


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1.0), (120, 1.0), (1, 60.0)])
async def test_a_limit_that_is_changed_counts_for_those_who_wait(
    limit: int, seconds: float
) -> None:
    """Whoever lifts it at night does not want to wait for what was booked under the old one."""
    callers = Callers(2)
    await callers.call("read")

    async def change() -> None:
        await anyio.sleep(0.5)
        callers.per_minute = limit

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(change)
        await callers.call("read")
    assert callers.at_s[1] - callers.at_s[0] == pytest.approx(seconds)


async def test_one_who_gives_up_leaves_the_line() -> None:
    """A stop must not make the others wait for somebody who has gone."""
    callers = Callers(6)
    await callers.call("read")
    with anyio.move_on_after(5):
        await callers.call("gone")
    await callers.call("read")
    assert callers.at_s[1] - callers.at_s[0] == pytest.approx(10)
