"""Executions side by side that log in as one user."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.session import LoginGate
from k3push.core.protocol.logins import LoginFailedError
from k3push.ports import ErpUnreachableError, LoginBrokeError

pytestmark = pytest.mark.anyio

LONG_S = 300.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Door:
    """A login that takes its time, and what has become of each try."""

    def __init__(self, ends: list[Exception | None]) -> None:
        """Each try ends so; beyond these, all are let in."""
        self.gate = LoginGate()
        self.ends = ends
        self.tries = 0
        self.told: list[str] = []

    async def log_in(self, asked_at_s: float = 0.0) -> None:
        """Try it once."""
        try:
            async with self.gate.turn(asked_at_s):
                self.tries += 1
                await anyio.sleep(LONG_S)
                if self.ends and (end := self.ends.pop(0)):
                    raise end
        except (LoginFailedError, ErpUnreachableError) as error:
            self.told.append(f"{type(error).__name__}: {error}")
        else:
            self.told.append("in")


async def crowd(door: Door, count: int = 8) -> None:
    """Let executions log in side by side."""
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(door.log_in)


async def test_who_waits_while_another_is_refused_tries_nothing() -> None:
    """Nor does who began before that and comes later; who begins later tries once more."""
    door = Door([LoginFailedError("wrong")])
    await crowd(door)
    await door.log_in()
    assert (door.tries, door.told) == (1, 9 * ["LoginFailedError: wrong"])
    await anyio.sleep(1)
    await door.log_in(anyio.current_time())
    assert (door.tries, door.told[-1]) == (2, "in")
    await door.log_in()
    assert (door.tries, door.told[-1]) == (3, "in")


@pytest.mark.parametrize("kind", [ErpUnreachableError, LoginBrokeError])
async def test_who_waits_while_another_is_not_answered_waits_for_no_time_out_more(
    kind: type[ErpUnreachableError],
) -> None:
    """Of eight, the last one would have waited for forty minutes; who comes later tries anew."""
    door = Door([kind("away")])
    with anyio.fail_after(LONG_S + 1):
        await crowd(door)
    assert (door.tries, door.told) == (1, 8 * [f"{kind.__name__}: away"])
    await door.log_in()
    assert (door.tries, door.told[-1]) == (2, "in")


async def test_who_is_stopped_as_it_logs_in_leaves_that_to_the_next() -> None:
    """Nothing is known of what became of it."""
    door = Door([])
    async with anyio.create_task_group() as second, anyio.create_task_group() as first:
        first.start_soon(door.log_in)
        await anyio.sleep(1)
        second.start_soon(door.log_in)
        await anyio.sleep(1)
        first.cancel_scope.cancel()
    assert (door.tries, door.told) == (2, ["in"])
