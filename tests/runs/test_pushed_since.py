"""What another run has pushed since a plan, or a selection, is not pushed once more by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State
from k3push.runs.create import take_up_plan
from k3push.runs.other_calls.pushed_since import keep_seen
from k3push.simulator.books.write_back import WriteBack
from tests.runs.office import (
    FIRST,
    NOON,
    RECEIPTS,
    ROUTE,
    Office,
    VirtualClock,
    orders,
    sandbox,
)
from tests.runs.test_forecast import job, look

pytestmark = pytest.mark.anyio

IN_PARTS = replace(ROUTE, allow_partial=True)
SECOND = RunId("r2")
HOUR = timedelta(hours=1)
SOON = timedelta(minutes=1)


def office() -> Office:
    """Return a site where a bill may be pushed in parts for ever."""
    return Office(sandbox(write_back=WriteBack.NEVER, closes=False), route=IN_PARTS)


@pytest.mark.parametrize("because", ["", "the rest"])
async def test_a_plan_pushes_nothing_that_another_run_has_pushed_since(because: str) -> None:
    """Whoever approves it has seen a bill that nobody had pushed; `--again` says otherwise."""
    first, second = orders(2)
    here = office()
    foreseen = await look(here, [job([first, second])], route=IN_PARTS)
    await here.open_run([first])
    await here.execute(check=False)
    planned = here.run(SECOND, again_because=because)
    await take_up_plan(here.store, planned, iter(foreseen), at=NOON + HOUR, seen_at=NOON)
    pushed = await here.execute(SECOND, check=False)
    state = State.PUSHED if because else State.ALREADY
    assert [pushed.rows[n].state for n in (first, second)] == [state, State.PUSHED]
    assert because or FIRST in pushed.rows[first].reason
    assert len(here.site.world.documents_of(first)) == (2 if because else 1)


async def test_what_was_pushed_before_it_was_planned_is_pushed_once_more() -> None:
    """The plan has shown it, and bills may be pushed in parts."""
    (number,) = orders(1)
    here = office()
    await here.open_run([number])
    await here.execute(check=False)
    foreseen = await look(here, [job([number])], route=IN_PARTS)
    planned = here.run(SECOND)
    await take_up_plan(here.store, planned, iter(foreseen), at=NOON + HOUR, seen_at=NOON + HOUR)
    pushed = await here.execute(SECOND, check=False)
    assert pushed.rows[BillNumber(number)].state is State.PUSHED


class SetBack(VirtualClock):
    """A clock that somebody has set back by an hour; the machine has not been started since."""

    def now(self) -> datetime:
        """Return an hour less."""
        return super().now() - HOUR


async def test_a_clock_that_is_set_back_hides_nothing_that_was_pushed_since() -> None:
    """The uptime tells that the push has left after the look, as long as the machine is up."""
    (number,) = orders(1)
    here = office()
    for run in (FIRST, SECOND):
        await here.open_run([number], run)
    await anyio.sleep(2 * SOON.total_seconds())
    await keep_seen(here.store, SECOND, NOON + SOON, clock=VirtualClock())
    await here.execute(clock=SetBack(), check=False)
    pushed = await here.execute(SECOND, clock=SetBack(), check=False)
    assert pushed.rows[BillNumber(number)].state is State.ALREADY
    assert len(here.site.world.documents_of(number)) == 1


async def test_what_was_pushed_before_a_look_is_pushed_once_more_by_the_uptime_too() -> None:
    """A look of a minute ago has seen what was pushed two minutes ago."""
    (number,) = orders(1)
    here = office()
    for run in (FIRST, SECOND):
        await here.open_run([number], run)
    await here.execute(check=False)
    await anyio.sleep(HOUR.total_seconds())
    await keep_seen(here.store, SECOND, VirtualClock().now() - SOON, clock=VirtualClock())
    pushed = await here.execute(SECOND, check=False)
    assert pushed.rows[BillNumber(number)].state is State.PUSHED


async def test_a_selection_is_of_its_time() -> None:
    """Of two who select at one moment, such as a worker and Run now, one pushes a bill."""
    (number,) = orders(1)
    here = office()
    for run in (FIRST, SECOND):
        await here.open_run([number], run)
        await keep_seen(here.store, run, NOON)
    await here.execute(check=False)
    pushed = await here.execute(SECOND, check=False)
    assert pushed.rows[BillNumber(number)].state is State.ALREADY
    assert len(here.site.world.documents_of(number)) == 1


async def test_what_was_pushed_into_another_form_since_is_no_push_of_this_one() -> None:
    """A plan of a bill that was pushed before: nobody has pushed its rest since."""
    (number,) = orders(1)
    here = office()
    await here.open_run([number])
    await here.execute(check=False)
    foreseen = await look(here, [job([number])], route=IN_PARTS)
    await anyio.sleep(2 * SOON.total_seconds())
    other = Office(route=replace(RECEIPTS, allow_partial=True), site=here.site, ledger=here.store)
    await other.open_run([number], RunId("r3"))
    received = await other.execute(RunId("r3"), check=False)
    assert received.of(State.PUSHED) == {number}
    planned = here.run(SECOND)
    await take_up_plan(here.store, planned, iter(foreseen), at=NOON + HOUR, seen_at=NOON + SOON)
    pushed = await here.execute(SECOND, check=False)
    assert pushed.of(State.PUSHED) == {number}, pushed.rows
