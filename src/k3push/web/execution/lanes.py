"""How many executions of programs and schedules go on side by side, and which makes way for others.

Without a bound, each new file of a folder would ask the ERP at once: where that has a queue, the
looks of all stand in it for longer than any of them is waited for, and nothing is ever pushed.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from k3push.core.model import Run, State
from k3push.core.pacing.holds import HoldCause
from k3push.ports import Clock, Ledger, LedgerLostError
from k3push.runs.noted_waits import hold_of

MOST_AT_ONCE = 8
"""Executions that may send side by side; they share a session in the ERP."""

MOST_WAITING = 200
"""Executions beside these that only wait, each of which takes some memory."""

MOST_CONNECTED = 32
"""So many of all tenants with ledgers in PostgreSQL, since each run that is executed has a
connection of its own. While an ERP is away for minutes all would be in doubt, and a server has a
hundred connections for everybody."""

LISTS_AT_ONCE = 2
"""Executions of a schedule, each of which may have many calls on their way."""

LOOK_EVERY_S = 1.0
STILL_LOOKS = 4
"""After so many looks at which nothing has moved and nothing is on its way, one makes way."""

STILL_LOOKS_IN_QUEUE = 300
"""Likewise where bills are asked about before they are sent: an ERP with a queue answers late, and
who looks beside them makes the queue longer."""


@dataclass(slots=True)
class Crowd:
    """Counts executions that only wait, of all tenants that it is shared by."""

    most: int = MOST_WAITING
    waiting: int = 0

    @classmethod
    def connected(cls) -> Crowd:
        """Return one for tenants whose ledgers are in PostgreSQL."""
        return cls(MOST_CONNECTED)


class Lanes:
    """Lets so many executions go on, and others in the place of those that only wait.

    A bill whose answer was lost is asked about for minutes. What comes after it must not wait
    for that.
    """

    def __init__(self, crowd: Crowd, *, of_schedule: bool = False) -> None:
        self._free = anyio.Semaphore(LISTS_AT_ONCE if of_schedule else MOST_AT_ONCE)
        self._crowd = crowd
        self._of_schedule = of_schedule

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        """Wait for a lane, and have it until the block ends."""
        await self._free.acquire()
        lane = Lane(self)
        try:
            yield lane
        finally:
            lane.end()

    def still_looks(self, holds: Collection[HoldCause], *, looks: bool) -> float:
        """Return for how many looks an execution must have stood still to make way.

        Args:
            holds: What holds it.
            looks: It may be asking for the bills that it is to send.
        """
        if not self._of_schedule:
            return STILL_LOOKS_IN_QUEUE if looks else STILL_LOOKS
        # All lists of a schedule have one window, and all that had begun would send as it opens.
        return math.inf if HoldCause.WINDOW in holds else STILL_LOOKS_IN_QUEUE

    def free(self) -> None:
        """Let another one begin."""
        self._free.release()

    def make_way(self) -> bool:
        """Let another one begin in the place of one that only waits, unless very many do."""
        if self._crowd.waiting >= self._crowd.most:
            return False
        self._crowd.waiting += 1
        self._free.release()
        return True

    def wait_no_more(self) -> None:
        """One that has made way is over."""
        self._crowd.waiting -= 1


class Lane:
    """The lane of one execution."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._made_way = False

    async def watch(self, ledger: Ledger, runs: Sequence[Run], clock: Clock) -> None:
        """Make way for others once the runs only wait, until cancelled."""
        seen, still = None, 0
        while not self._made_way:
            await anyio.sleep(LOOK_EVERY_S)
            try:
                counts = [await ledger.counts(run.id) for run in runs]
                moves = counts != seen or any(each.get(State.SENT) for each in counts)
                seen, still = counts, 0 if moves else still + 1
                if still < STILL_LOOKS:
                    continue
                holds = [await hold_of(ledger, run.id, clock.now()) for run in runs]
            except LedgerLostError:
                return  # the execution will find so itself
            looks = any(each.get(State.PLANNED) for each in counts) and not any(holds)
            causes = {hold.cause for hold in holds if hold}
            if still >= self._lanes.still_looks(causes, looks=looks):
                self._made_way = self._lanes.make_way()

    def end(self) -> None:
        """Give the lane back."""
        if self._made_way:
            self._lanes.wait_no_more()
        else:
            self._lanes.free()
