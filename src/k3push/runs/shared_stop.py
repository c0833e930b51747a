"""What all runs share that one command executes: one stop, one limit, one set of deadlines.

A list of several routes, a folder and a plan are several runs, executed one after another. To
whoever typed the command they are one thing: what stops one stops all, and `--limit`,
`--until`, `--max-duration` and a refused login count once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial

import anyio

from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.ports import Clock
from k3push.runs.stop import Cause, Stop

LOOK_EVERY_S = 30.0
"""How late a deadline may be seen that came while the machine slept, or as its clock was set."""

# The run has come to its end, and some of its numbers wait for a person; other runs do not.
_OF_ONE_RUN = frozenset({Cause.BARRED})


def _left_until_s(clock: Clock, at: datetime) -> float:
    return (at - clock.now()).total_seconds()


class SharedStop:
    """The fate of one command.

    Attributes:
        group: Id of the first run that the command began (`Run.group`); None before that.
        limit: Numbers that may still be taken up, or None.
        causes: Why no further run is begun, the first cause first, each with its words.
    """

    def __init__(self, limit: int | None = None, stop: Stop | None = None) -> None:
        """Begin with nothing that stops it, on an event loop or in a thread without one.

        Args:
            limit: Numbers that all runs together take up at most, or None.
            stop: The first execution's, where somebody else holds it as well.
        """
        self.group: RunId | None = None
        self.limit = limit
        self.causes: dict[Cause, str] = {}
        self._whole_limit = limit
        self._stop = stop
        self._between: anyio.CancelScope | None = None

    @property
    def over(self) -> bool:
        """Whether no further run is begun."""
        return bool(self.causes)

    def ask(self, cause: Cause, why: str) -> None:
        """Stop the execution under way, and begin no other."""
        self.causes.setdefault(cause, why)
        if self._stop is not None:
            self._stop.ask(cause, why)

    def cut_short(self) -> None:
        """End what goes on at once, and leave the rest to `resume`."""
        if self._stop is not None:
            self._stop.scope.cancel()
        if self._between is not None:
            self._between.cancel()

    @contextmanager
    def execution(self) -> Iterator[Stop]:
        """Give an execution a stop of its own; what stops it stops the command."""
        stop = self._stop = self._stop or Stop()
        try:
            yield stop
        finally:
            self._stop = None
            for cause, why in stop.causes.items():
                if cause not in _OF_ONE_RUN:
                    self.causes.setdefault(cause, why)

    @contextmanager
    def between(self) -> Iterator[anyio.CancelScope]:
        """Let `cut_short` end what is done between two executions."""
        with anyio.CancelScope() as scope:
            self._between = scope
            yield scope
        self._between = None

    @asynccontextmanager
    async def deadlines(
        self,
        clock: Clock,
        *,
        until: datetime | None = None,
        max_duration: timedelta | None = None,
        closes_in_s: float | None = None,
    ) -> AsyncIterator[None]:
        """Stop all runs at the first deadline that passes while the block goes on.

        Args:
            clock: Tells when one has passed, also while the machine slept.
            until: `--until`.
            max_duration: `--max-duration`, counted from now on.
            closes_in_s: When the window ends, in seconds, where the execution ends with it.
        """
        times: dict[str, datetime] = {}
        if until is not None:
            times["--until"] = until
        if closes_in_s is not None:
            times["window"] = clock.now() + timedelta(seconds=closes_in_s)
        left_s: dict[str, Callable[[], float]] = {
            option: partial(_left_until_s, clock, at) for option, at in times.items()
        }
        if max_duration is not None:
            ends_s = clock.uptime().seconds + max_duration.total_seconds()
            left_s["--max-duration"] = lambda: ends_s - clock.uptime().seconds
        async with anyio.create_task_group() as waiting:
            for option, left in left_s.items():
                waiting.start_soon(self._stop_after, option, left)
            yield
            waiting.cancel_scope.cancel()

    def took_up(self, numbers: int) -> None:
        """Count what an execution has taken up."""
        if self.limit is None:
            return
        self.limit = max(0, self.limit - numbers)
        if not self.limit:
            self.causes.setdefault(Cause.LIMIT, remark("why.limit", limit=self._whole_limit))

    async def _stop_after(self, option: str, left_s: Callable[[], float]) -> None:
        # The loop's clock stands still while the machine sleeps, and knows of no time that is set.
        while (seconds := left_s()) > 0:  # noqa: ASYNC110  # no event tells of it
            await anyio.sleep(min(seconds, LOOK_EVERY_S))
        self.ask(Cause.DEADLINE, remark("why.deadline", option=option))
