from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread
import pytest

from k3push.core.model import Uptime
from k3push.core.remark import remark
from k3push.runs.shared_stop import LOOK_EVERY_S, SharedStop
from k3push.runs.stop import Cause
from tests.runs.office import VirtualClock

pytestmark = pytest.mark.anyio


async def test_it_begins_in_a_thread_without_a_loop() -> None:
    """A worker of the fleet reads settings there, since a secret may come from a command."""
    fate = await anyio.to_thread.run_sync(SharedStop)
    with fate.execution() as stop:
        fate.ask(Cause.DEADLINE, "late")
        assert stop.asked


async def test_what_stops_one_run_stops_the_command() -> None:
    """A refused login would be refused to the next run as well, and five lock the account."""
    fate = SharedStop()
    with fate.execution() as stop:
        stop.ask(Cause.LOGIN_REFUSED, "no")
        stop.ask(Cause.INTERRUPTED, "Ctrl-C")
    assert (fate.over, fate.causes) == (
        True,
        {Cause.LOGIN_REFUSED: "no", Cause.INTERRUPTED: "Ctrl-C"},
    )


async def test_what_stops_the_command_stops_the_run_under_way() -> None:
    """A signal and a deadline belong to no run."""
    fate = SharedStop()
    with fate.execution() as first:
        pass
    with fate.execution() as second:
        fate.ask(Cause.DEADLINE, "late")
        assert (first.asked, second.asked) == (False, True)


async def test_the_first_deadline_that_passes_stops_the_command() -> None:
    """One that has passed already counts at once, and one that is ahead does not."""
    fate, clock = SharedStop(), VirtualClock()
    now = clock.now()
    async with fate.deadlines(clock, until=now + timedelta(hours=1), closes_in_s=3600):
        await anyio.wait_all_tasks_blocked()
    assert not fate.over
    past = now - timedelta(seconds=1)
    with fate.execution() as stop, anyio.fail_after(5):
        async with fate.deadlines(clock, until=past, max_duration=timedelta(hours=1)):
            await stop.event.wait()
    assert fate.causes == {Cause.DEADLINE: remark("why.deadline", option="--until")}


@dataclass
class Suspended(VirtualClock):
    """Clocks of a machine that has slept for some seconds, which the loop knows nothing of."""

    slept_s: float = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() + timedelta(seconds=self.slept_s)

    def uptime(self) -> Uptime:
        """Return how long it has been up, sleep included."""
        up = super().uptime()
        return replace(up, seconds=up.seconds + self.slept_s)


@pytest.mark.parametrize("option", ["--until", "--max-duration", "window"])
async def test_a_deadline_that_came_while_the_machine_slept_has_passed(option: str) -> None:
    """A laptop that sleeps for an hour pushed for an hour too long."""
    fate, clock = SharedStop(), Suspended()
    each: dict[str, dict[str, Any]] = {
        "--until": {"until": clock.now() + timedelta(hours=6)},
        "--max-duration": {"max_duration": timedelta(hours=6)},
        "window": {"closes_in_s": 6 * 3600.0},
    }
    with fate.execution() as stop:
        async with fate.deadlines(clock, **each[option]):
            await anyio.sleep(5 * 3600 - 10)
            before = stop.asked
            clock.slept_s = 3600.0
            await anyio.sleep(10 + LOOK_EVERY_S)
            assert (before, stop.asked) == (False, True)
    assert fate.causes == {Cause.DEADLINE: remark("why.deadline", option=option)}


async def test_numbers_that_wait_for_a_person_hold_no_other_run_back() -> None:
    """The run has come to its end; another route's bills are other bills."""
    fate = SharedStop()
    with fate.execution() as stop:
        stop.ask(Cause.BARRED, "2 numbers wait for a person")
    assert not fate.over


async def test_a_limit_is_used_up_over_all_runs() -> None:
    """What one run was free to take up is not there for the next."""
    fate = SharedStop(limit=5)
    fate.took_up(3)
    assert (fate.limit, fate.over) == (2, False)
    fate.took_up(7)
    assert (fate.limit, fate.causes) == (0, {Cause.LIMIT: remark("why.limit", limit=5)})


async def test_what_is_cut_short_between_two_runs_ends_at_once() -> None:
    """A second Ctrl-C waits for no message to a service that does not answer."""
    fate = SharedStop()
    with anyio.fail_after(5), fate.between() as scope:
        fate.cut_short()
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with fate.execution() as stop, stop.scope:
        fate.cut_short()
        await anyio.sleep_forever()
    assert stop.scope.cancelled_caught
