"""Which numbers of a run count as done, and how quickly they are done of late."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from k3push.core.model import State
from k3push.core.safety.life import FINAL

# Long enough for slow calls to even out, short enough to follow what is steered.
RATE_OVER_S = 60.0

# So many steps tell how quickly a run goes. Before them it may become quicker by as many times as
# are missing: it begins with one number, and ends with many calls at once.
ENOUGH_STEPS = 32


def done_of(counts: Mapping[State, int]) -> int:
    """Return how many numbers have a final state.

    >>> done_of({State.PUSHED: 7, State.REJECTED: 1, State.UNKNOWN: 2})
    8
    """
    return sum(counts.get(state, 0) for state in FINAL)


class ProgressRate:
    """Steps of a run: how many numbers were done when, over the last minute.

    >>> course = ProgressRate(0.0, done=100)
    >>> course.step(10.0, done=150)
    >>> course.rate(10.0), course.rate(20.0)
    (5.0, 2.5)
    """

    def __init__(self, now_s: float, done: int) -> None:
        """Begin, in seconds of a clock that only goes forward."""
        self._steps = deque([(now_s, done)])
        self._seen = 0

    def step(self, now_s: float, done: int) -> None:
        """Note how many are done now."""
        self._seen += done != self._steps[-1][1]
        self._steps.append((now_s, done))
        while len(self._steps) > 2 and self._steps[1][0] < now_s - RATE_OVER_S:  # noqa: PLR2004
            self._steps.popleft()

    def rate(self, now_s: float) -> float:
        """Return numbers a second of late; 0 before the first step."""
        then_s, before = self._steps[0]
        _, done = self._steps[-1]
        seconds = now_s - then_s
        return (done - before) / seconds if seconds > 0 else 0.0

    @property
    def soonest(self) -> float:
        """The part of the time left, at the rate of late, that it may take at least.

        >>> course = ProgressRate(0.0, done=0)
        >>> course.step(1.0, done=1)
        >>> course.soonest * 3200 / course.rate(1.0)
        100.0
        """
        return min(1.0, self._seen / ENOUGH_STEPS)
