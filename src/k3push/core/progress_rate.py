"""Which numbers of a run count as done, and how quickly they are done of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from k3push.core.model import State
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.safety.legal_moves import FINAL

# Long enough for slow calls to even out, short enough to follow what is steered.
RATE_OVER_S = 60.0

# The last third of the time is compared with the one before it. A run begins with one number and
# ends with many calls at once, so one that has become quicker is expected to become quicker still.
SPANS = 3
MOST_GROWTH = 32.0
# Numbers come in chunks, so that a span may have one too many or too few.
CHANCE = 1.15


def done_of(counts: Mapping[State, int]) -> int:
    """Return how many numbers have a final state.

    >>> done_of({State.PUSHED: 7, State.REJECTED: 1, State.UNKNOWN: 2})
    8
    """
    return sum(counts.get(state, 0) for state in FINAL)


class ProgressRate:
    """Steps of a run: how many numbers were done when, of late.

    >>> course = ProgressRate(0.0, done=100)
    >>> course.step(10.0, done=150)
    >>> course.rate(10.0), course.rate(20.0)
    (5.0, 2.5)
    """

    def __init__(self, now_s: float, done: int) -> None:
        """Begin, in seconds of a clock that only goes forward."""
        self._steps = deque([(now_s, done)])

    def step(self, now_s: float, done: int) -> None:
        """Note how many are done now; where some are planned again, the course begins anew."""
        if done < self._steps[-1][1]:
            self._steps.clear()
        self._steps.append((now_s, done))
        while len(self._steps) > 2 and self._steps[1][0] < now_s - SPANS * RATE_OVER_S:  # noqa: PLR2004
            self._steps.popleft()

    def is_old(self, now_s: float) -> bool:
        """Say whether the last step is too long ago to tell anything."""
        return self._steps[-1][0] < now_s - SPANS * RATE_OVER_S

    def rate(self, now_s: float) -> float:
        """Return numbers a second of the last minute; 0 before the first step."""
        then_s = max(self._steps[0][0], now_s - RATE_OVER_S)
        seconds = now_s - then_s
        return self._done_between(then_s, now_s) / seconds if seconds > 0 else 0.0

    def time_left(self, now_s: float, left: int) -> TimeLeft | None:
        """Say how long *left* numbers take, or None before the first step.

        >>> course = ProgressRate(0.0, done=0)
        >>> for second in range(1, 31):
        ...     course.step(float(second), done=10 * second)
        >>> [round(seconds) for seconds in course.time_left(30.0, 600)]
        [52, 69]
        """
        whole_s = now_s - self._steps[0][0]
        whole = self._done_between(self._steps[0][0], now_s)
        if whole_s <= 0 or not whole:
            return None
        span_s = min(whole_s / SPANS, RATE_OVER_S)
        late = self._done_between(now_s - span_s, now_s)
        early = self._done_between(now_s - 2 * span_s, now_s - span_s)
        rates = [late / span_s, (early + late) / (2 * span_s)]
        if not early:
            rates.append(whole / whole_s)
        growth = min(MOST_GROWTH, max(1.0, late / early)) if early else MOST_GROWTH
        quick, slow = max(rates) * growth, min(filter(None, rates))
        return TimeLeft(left / quick / CHANCE, left / slow * CHANCE)

    def _done_between(self, begin_s: float, end_s: float) -> int:
        """Return how many were done after one time and up to another."""
        return self._done_at(end_s) - self._done_at(begin_s)

    def _done_at(self, at_s: float) -> int:
        first = self._steps[0][1]
        return next((done for then_s, done in reversed(self._steps) if then_s <= at_s), first)
