"""Progress on standard error: a bar with ETA on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Self

import anyio
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from k3push.cli.console.screen import can_draw
from k3push.core.control_words import Key
from k3push.core.model import Attempt, Document, Follow, Outcome, Repeat, State, StepAttempt
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.progress_rate import ProgressRate, done_of
from k3push.core.safety.verdict import Verdict
from k3push.reporting.phrases import hold_words
from k3push.runs.throttle import Throttle
from k3push.words.language import Say

LINE_EVERY_S = 30
BAR_CELLS = 16

# Waits of one cause that end so near to each other are told once.
SIDE_BY_SIDE_S = 1.0


class RunProgress:
    """Counts what a run comes to, and shows it. Fulfils `ports.Watch`."""

    def __init__(
        self,
        console: Console,
        say: Say,
        counts: Mapping[State, int],
        throttle: Throttle,
        *,
        most: int | None = None,
        quiet: bool = False,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with the rows as they are.

        Args:
            console: Standard error.
            counts: Rows by state.
            most: How many planned rows the execution takes up at most; 0 where it only settles
                doubts, and has no pace.
            now_s: A clock that only goes forward, in seconds.
        """
        self.counts: Counter[State] = Counter(counts)
        self.follows: Counter[Follow] = Counter()
        self.total = sum(counts.values())
        if most is not None:
            self.total -= max(0, counts.get(State.PLANNED, 0) - most)
        self._pushes = most != 0
        self._console = console
        self._say = say
        self._throttle = throttle
        self._quiet = quiet
        self._now_s = now_s
        self._speed = ProgressRate(now_s(), self.done)
        self._hold: Hold | None = None
        self._wait = ("", -math.inf)
        self._bar: Live | None = None

    def __enter__(self) -> Self:
        """Show the bar, where there is a terminal."""
        if can_draw(self._console) and not self._quiet:
            self._bar = Live(get_renderable=self.render, console=self._console, transient=True)
            self._bar.start()
            # rich hides it, and Ctrl-Z or a kill would leave the shell without one.
            self._console.show_cursor(show=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    @property
    def done(self) -> int:
        """How many numbers have a final state."""
        return done_of(self.counts)

    async def tell_now_and_then(self) -> None:
        """Without a terminal, write a line every 30 s until cancelled."""
        while self._bar is None and not self._quiet:
            await anyio.sleep(LINE_EVERY_S)
            course = self._course()
            told = [*course[:1], *self._waits(), *course[1:], *self._standing()]
            self._print(" · ".join(told))

    # -- ports.Watch --------------------------------------------------------------------------

    def concluded(self, outcomes: Sequence[Outcome], *, left: State) -> None:
        """Count numbers that have moved apart from a sending."""
        self.counts[left] -= len(outcomes)
        self.counts.update(outcome.state for outcome in outcomes)
        self._step()

    def repeated(self, repeats: Sequence[Repeat]) -> None:
        """Leave out rows whose bill another row has."""
        self.counts[State.PLANNED] -= len(repeats)
        self.total -= len(repeats)

    def recorded(
        self,
        attempt: Attempt,  # noqa: ARG002  # a log tells of these, a bar does not
        outcomes: Sequence[Outcome],
        verdict: Verdict,  # noqa: ARG002
        seconds: float,  # noqa: ARG002
    ) -> None:
        """Count what an attempt came to."""
        self.counts[State.PLANNED] -= len(outcomes)
        came_to = Counter(outcome.state for outcome in outcomes)
        self.counts.update(came_to)
        self._step()

    def stepped(
        self,
        attempt: StepAttempt,  # noqa: ARG002  # a log tells of these, a bar does not
        documents: Sequence[Document],
        verdict: Verdict,  # noqa: ARG002
        seconds: float,  # noqa: ARG002
    ) -> None:
        """Count how far documents have come."""
        self.follows.update(document.follow for document in documents)

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for: in the bar while it lasts, or in a line."""
        told, until_s = self._wait
        ends_s = self._now_s() + seconds
        # Looks side by side meet one failure together.
        is_news = told != why or until_s < ends_s - SIDE_BY_SIDE_S
        self._wait = (why, ends_s)
        if self._bar is None and is_news:
            self._print(self._say("progress.waiting", why=why, seconds=seconds))

    def held(self, hold: Hold | None) -> None:
        """Say what keeps all chunks from leaving, and when they leave again."""
        before, self._hold = self._hold, hold
        erp = {HoldCause.ERP}  # `waiting` has told of these
        if self._bar is None and {h.cause for h in (before, hold) if h} - erp:
            self._print(hold_words(hold, self._say) if hold else self._say("hold.over"))

    # -- showing ------------------------------------------------------------------------------

    def render(self) -> Group:
        """Draw two lines: the bar and how it goes, and below what the numbers have become.

        Why the run waits has a third line where there is no room for it beside the bar.
        """
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(self.total, 1), completed=self.done, width=BAR_CELLS)
        width = self._console.width
        waits, course = self._waits(), self._course()
        beside = self._fitting([*course[:1], *waits, *course[1:]], width - BAR_CELLS - 1)
        below = [each for each in waits if each not in beside.plain]
        if below:
            beside = self._fitting(course, width - BAR_CELLS - 1)
        grid.add_row(bar, beside)
        lines = [self._fitting([each], width) for each in below]
        return Group(grid, self._fitting(self._standing(), width), *lines)

    def _fitting(self, parts: Sequence[str], cells: int) -> Text:
        """Join as many parts as there is room for, the first ones first."""
        text = ""
        for part in parts:
            longer = f"{text} · {part}" if text else part
            if cell_len(longer) > cells:
                break
            text = longer
        whole = Text(text or " · ".join(parts), no_wrap=True, overflow="ellipsis")
        whole.truncate(cells, overflow="ellipsis")
        return whole

    def _course(self) -> list[str]:
        """Say how it goes, what matters most first."""
        say, rate = self._say, self._speed.rate(self._now_s())
        parts = [say("progress.done", done=self.done, total=self.total)]
        if not self._pushes:
            return parts
        if self.done < self.total and not self._waits():
            parts += self._time_left()
        if rate:
            slow = rate < 1
            rate = rate * 60 if slow else rate
            parts.append(say("progress.slow" if slow else "progress.rate", rate=f"{rate:.1f}"))
        throttle = self._throttle
        size, calls = throttle[Key.CHUNK_SIZE], throttle[Key.CONCURRENCY]
        parts.append(say("progress.drive", calls=calls, size=size))
        if limit := throttle[Key.CALLS_PER_MINUTE]:
            parts.append(say("progress.limit", calls=limit))
        return parts

    def _waits(self) -> list[str]:
        """Say why nothing leaves, and for how long, if that is so."""
        why, until_s = self._wait
        left_s = until_s - self._now_s()
        if left_s > 0 and (self._hold is None or self._hold.cause is HoldCause.ERP):
            return [self._say("progress.waiting", why=why, seconds=math.ceil(left_s))]
        return [] if self._hold is None else [hold_words(self._hold, self._say)]

    def _time_left(self) -> list[str]:
        """Say how long it will take: from one time to another, as far as is known."""
        left = self.total - self.done
        time_left = self._throttle.time_left(left, self._speed.time_left(self._now_s(), left))
        if time_left is None:
            return []
        least, most = (timedelta(seconds=math.ceil(each)) for each in time_left)
        if least == most:
            return [self._say("progress.eta", left=most)]
        return [self._say("progress.eta_range", least=least, most=most)]

    def _standing(self) -> list[str]:
        """Say what the numbers have become, what needs a person first; then their documents."""
        return [
            f"{self._say(f'state.{state}')} {self.counts[state]}"
            for state in (State.UNKNOWN, State.REJECTED, State.DRAFT, State.PUSHED, State.ALREADY)
            if self.counts[state]
        ] + [
            f"{self._say(f'follow.{follow}')} {self.follows[follow]}"
            for follow in (Follow.REFUSED, Follow.SUBMITTED, Follow.APPROVED)
            if self.follows[follow]
        ]

    def _step(self) -> None:
        self._speed.step(self._now_s(), self.done)

    def _print(self, line: str) -> None:
        if not self._quiet:
            self._console.print(line, highlight=False, markup=False)
