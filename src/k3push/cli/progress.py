"""Progress on standard error: a bar with ETA on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from k3push.cli.words import Say
from k3push.core.model import Attempt, Outcome, State
from k3push.core.verdict import Verdict

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LINE_EVERY_S = 30


class RunProgress:
    """Counts what a run comes to, and shows it. Fulfils `ports.Watch`."""

    def __init__(
        self,
        console: Console,
        say: Say,
        counts: Mapping[State, int],
        *,
        quiet: bool = False,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """Begin with the rows as they are.

        Args:
            console: Standard error.
            say: Sentences.
            counts: Rows by state.
            quiet: Show nothing.
            log: Takes one event for each attempt, or None.
        """
        self.counts: Counter[State] = Counter(counts)
        self.total = sum(counts.values())
        self._console = console
        self._say = say
        self._quiet = quiet
        self._log = log
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar, where there is a terminal."""
        if self._console.is_terminal and not self._quiet:
            self._bar = Progress(
                BarColumn(bar_width=24),
                TextColumn("{task.fields[line]}"),
                TimeElapsedColumn(),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=self.total, completed=self.done, line="")
            self._show()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def done(self) -> int:
        """How many numbers have a final state."""
        return self.total - sum(self.counts[s] for s in (State.PLANNED, State.SENT, State.UNKNOWN))

    async def tell_now_and_then(self) -> None:
        """Without a terminal, write a line every 30 s until cancelled."""
        while self._bar is None and not self._quiet:
            await anyio.sleep(LINE_EVERY_S)
            self._console.print(self._line(), highlight=False, markup=False)

    # -- ports.Watch --------------------------------------------------------------------------

    def concluded(self, outcomes: Sequence[Outcome]) -> None:
        """Count numbers that have moved apart from a sending."""
        for outcome in outcomes:
            unsent = outcome.state in {State.ALREADY, State.REJECTED}
            self.counts[State.PLANNED if unsent else State.UNKNOWN] -= 1
            self.counts[outcome.state] += 1
        self._show()

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Count what an attempt came to."""
        self.counts[State.PLANNED] -= len(outcomes)
        came_to = Counter(outcome.state for outcome in outcomes)
        self.counts.update(came_to)
        if self._log is not None:
            states: dict[str, Any] = {state.value: count for state, count in came_to.items()}
            self._log.info(
                "attempt.recorded",
                chunk=attempt.intent.chunk,
                nth=attempt.intent.nth,
                verdict=type(verdict).__name__,
                **states,
                seconds=round(seconds, 2),
            )
        self._show()

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        if not self._quiet:
            self._console.print(
                self._say("waiting", why=why, seconds=seconds), highlight=False, markup=False
            )

    def _show(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, line=self._line())

    def _line(self) -> str:
        parts = [
            f"{state.value} {self.counts[state]}"
            for state in (State.PUSHED, State.ALREADY, State.DRAFT, State.REJECTED, State.UNKNOWN)
            if self.counts[state]
        ]
        return " · ".join([self._say("progress", done=self.done, total=self.total), *parts])
