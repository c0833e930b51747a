"""What a server, which has no terminal, tells of executions: a line where a person should know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from k3push.core.advice.clusters import Clusters
from k3push.core.model import Run, State
from k3push.ports import Watch
from k3push.reporting.summary import cause_lines
from k3push.runs.outcome import Ending
from k3push.runs.throttle import Throttle
from k3push.words.language import Say

LONG_WAIT_S = 60.0


class LineObserver(Watch):
    """What a server tells of an execution: warnings as lines, and nothing of its progress.

    Fulfils `wiring.executor.Observer` and `Witness`.
    """

    def __init__(self, say: Say, tell: Callable[..., None], line: Callable[[str], None]) -> None:
        self._say = say
        self.warn = tell
        self._line = line
        self._waits_for = ""

    @asynccontextmanager
    async def watching(
        self,
        run: Run,  # noqa: ARG002  # the dashboard shows it
        counts: Mapping[State, int],  # noqa: ARG002
        throttle: Throttle,  # noqa: ARG002
        *,
        most: int | None,  # noqa: ARG002
    ) -> AsyncIterator[LineObserver]:
        """Watch an execution."""
        yield self

    def waiting(self, why: str, seconds: float) -> None:
        """Say what a long wait is for, as after a backup was put back: else nothing tells."""
        if seconds >= LONG_WAIT_S and why != self._waits_for:
            self._waits_for = why
            self.warn("progress.waiting", why=why, seconds=seconds)

    def settling(self, unknown: int, window_s: float) -> None:
        """Say that numbers are asked for until their window has passed."""
        self.warn("progress.settling", unknown=unknown, window=window_s)

    def set_aside(self, user: str, why: str) -> None:
        """Say that the others go on without a user."""
        self.warn("warning.identity_aside", user=user, why=why)

    def ended(self, ending: Ending) -> None:
        """Leave it to the server."""

    def summarize(self, ending: Ending, reasons: Clusters) -> None:  # noqa: ARG002
        """Say what stopped it."""
        for line in cause_lines(ending.causes, self._say):
            self._line(line)
