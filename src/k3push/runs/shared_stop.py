"""What all runs share that one command executes: one stop, one limit, one deadline.

A list of several routes, a folder and a plan are several runs, executed one after another. To
whoever typed the command they are one thing: what stops one stops all, and `--limit`,
`--max-duration` and a refused login count once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.runs.stop import Cause, Stop

# The run has come to its end, and some of its numbers wait for a person; other runs do not.
_OF_ONE_RUN = frozenset({Cause.BARRED})


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

    def took_up(self, numbers: int) -> None:
        """Count numbers that an execution was free to take up."""
        if self.limit is None:
            return
        self.limit = max(0, self.limit - numbers)
        if not self.limit:
            self.causes.setdefault(Cause.LIMIT, remark("why.limit", limit=self._whole_limit))
