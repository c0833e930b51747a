"""What a run did when, gathered while its rows and attempts are read once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from statistics import median, quantiles

from k3push.core.model import NeverSent, Row, State
from k3push.ports import AttemptRecord
from k3push.reporting.charts import BINS, Chart, Series, TimeAxis, bars, lines, stacked
from k3push.words.language import Say

# In the order in which they lie upon one another.
_DONE = (State.PUSHED, State.ALREADY, State.DRAFT, State.REJECTED)


FEWEST = 3
"""Of fewer moments a figure shows nothing that a number does not."""


@dataclass(slots=True)
class Timeline:
    """Moments of a run; seconds are as fine as its pictures need.

    Attributes:
        calls: Beginning, seconds and numbers of each attempt that has left; the seconds of one
            that was never recorded are None.
        settled: How many numbers came to each state in each second.
    """

    calls: list[tuple[datetime, float | None, int]] = field(default_factory=list)
    settled: Counter[tuple[datetime, State]] = field(default_factory=Counter)

    def add_attempt(self, kept: AttemptRecord) -> None:
        """Note an attempt, unless its request has never left."""
        if isinstance(kept.exchange, NeverSent):
            return
        intent = kept.attempt.intent
        took_s = (kept.ended_at - intent.began_at).total_seconds() if kept.ended_at else None
        self.calls.append((intent.began_at, took_s, len(intent.numbers)))

    def add_span(self, began: datetime, ended: datetime) -> None:
        """Note an attempt of which only the times are known."""
        self.calls.append((began, (ended - began).total_seconds(), 0))

    def add_row(self, row: Row) -> None:
        """Note a number that is done."""
        if row.settled_at is not None and row.state in _DONE:
            self.settled[row.settled_at.replace(microsecond=0), row.state] += 1

    def charts(self, say: Say) -> list[Chart]:
        """Draw numbers over time, calls, answer times and pace; none of a moment or two."""
        moments = [began for began, _, _ in self.calls] + [at for at, _ in self.settled]
        if len(moments) < FEWEST:
            return []
        axis = TimeAxis(moments)
        drawn = [self._numbers(axis, say)]
        if self.calls:
            drawn += [*self._pace(axis, say), self._sizes(axis, say)]
        return drawn

    def pace(self, say: Say) -> list[Chart]:
        """Draw what the times of attempts alone tell; none of a moment or two."""
        if len(self.calls) < FEWEST:
            return []
        axis = TimeAxis([began for began, _, _ in self.calls])
        return self._pace(axis, say)

    def _pace(self, axis: TimeAxis, say: Say) -> list[Chart]:
        return [self._calls(axis, say), self._answers(axis, say), self._at_once(axis, say)]

    def _numbers(self, axis: TimeAxis, say: Say) -> Chart:
        series = []
        for state in _DONE:
            bins = [0] * BINS
            for (at, came_to), count in self.settled.items():
                if came_to is state:
                    bins[axis.bin(at)] += count
            if any(bins):
                series.append(Series(say(f"state.{state}"), f"c-{state}", list(accumulate(bins))))
        return stacked(axis, series, say("report.numbers_over_time"))

    def _calls(self, axis: TimeAxis, say: Say) -> Chart:
        # Of each bar; one in which idle time was cut stands for more.
        seconds = round(max(axis.seconds, 1) / BINS, 2)
        bins = [0] * BINS
        for began, _, _ in self.calls:
            bins[axis.bin(began)] += 1
        name = say("report.calls_in", seconds=seconds)
        return bars(axis, Series(name, "c-calls", bins), say("report.calls_over_time"))

    def _answers(self, axis: TimeAxis, say: Say) -> Chart:
        took: list[list[float]] = [[] for _ in range(BINS)]
        for began, took_s, _ in self.calls:
            if took_s is not None:
                took[axis.bin(began)].append(took_s)
        middle = [median(each) if each else None for each in took]
        slow = [_slowest_twentieth(each) for each in took]
        return lines(
            axis,
            [
                # Broad and pale, so that the median is seen upon it.
                Series(say("report.slow"), "c-slow", slow),
                Series(say("report.median"), "c-median", middle),
            ],
            say("report.answer_times"),
        )

    def _at_once(self, axis: TimeAxis, say: Say) -> Chart:
        events = [(began, 1) for began, _, _ in self.calls]
        for began, took_s, _ in self.calls:
            # Of a call whose end a kill kept from being recorded, the beginning alone is known.
            known = timedelta.resolution if took_s is None else timedelta(seconds=took_s)
            events.append((began + known, -1))
        peaks: list[float | None] = [None] * BINS
        there = 0
        last = 0
        # Of those at one moment the ends are counted first.
        for at, change in sorted(events):
            now = axis.bin(at)
            for each in range(last, now + 1):
                peaks[each] = max(peaks[each] or 0, there)
            there += change
            peaks[now] = max(peaks[now] or 0, there)
            last = now
        name = say("report.most_at_once")
        return bars(axis, Series(name, "c-at-once", peaks), say("report.at_once"))

    def _sizes(self, axis: TimeAxis, say: Say) -> Chart:
        largest: list[float | None] = [None] * BINS
        for began, _, numbers in self.calls:
            here = axis.bin(began)
            largest[here] = max(largest[here] or 0, numbers)
        name = say("report.largest_chunk")
        return bars(axis, Series(name, "c-chunk", largest), say("report.chunk"))


def _slowest_twentieth(took_s: list[float]) -> float | None:
    """Return the 95th percentile."""
    if len(took_s) < 2:  # noqa: PLR2004  # a percentile needs two values
        return took_s[0] if took_s else None
    return quantiles(took_s, n=20, method="inclusive")[-1]
