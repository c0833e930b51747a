"""Calls that submit or audit and may be in the ERP yet, in front of pushes (P 2.9).

Such a call may take minutes, and pushes of its user may wait for it. Only one is made at a time,
and none behind one that was given up, so that what is at work is done within a window.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from k3push.core.model import RunId, StepAttempt
from k3push.core.safety.ages import later_s
from k3push.ports import Clock, Doubt
from k3push.runs.proof.lost_calls import TIE_S, Lost

STEPS = RunId("steps")
"""Stands for all of them, as for one run more that calls may wait behind."""


@dataclass(slots=True)
class StepsAtWork:
    """Those of one execution, and of earlier ones of its run whose answers were lost."""

    _open: dict[int, StepAttempt] = field(default_factory=dict)
    _last_over: tuple[StepAttempt, float] | None = None

    @property
    def open(self) -> Collection[int]:
        """Those that are on their way, or were given up and are not settled."""
        return self._open.keys()

    def left(self, attempt: StepAttempt) -> None:
        """Note that one has left, or was left open by an earlier execution."""
        self._open[attempt.id] = attempt

    def over(self, attempts: Collection[int], clock: Clock) -> None:
        """Note that some were answered, or are settled."""
        now, uptime = clock.now(), clock.uptime()
        for attempt in [self._open.pop(id_) for id_ in attempts if id_ in self._open]:
            intent = attempt.intent
            self._last_over = attempt, later_s(now, uptime, intent.began_at, intent.uptime)

    def keep(self, attempts: Collection[int], clock: Clock) -> None:
        """Note that all are settled but some."""
        self.over(self._open.keys() - set(attempts), clock)

    def in_front(self, doubt: Doubt) -> list[Lost]:
        """Return those that the call of a doubt may wait for, as lost calls in front of it."""
        return [
            Lost(doubt.attempt - 1, STEPS, each_s)
            for each in self._open.values()
            if (each_s := _later_than(doubt, each)) <= TIE_S
        ]

    def over_after_s(self, doubt: Doubt) -> float:
        """Return how long after a call had left the last one in front of it was over."""
        if self._last_over is None:
            return -math.inf
        attempt, took_s = self._last_over
        later = _later_than(doubt, attempt)
        return later + took_s if later <= TIE_S else -math.inf


def _later_than(doubt: Doubt, step: StepAttempt) -> float:
    intent = step.intent
    return later_s(intent.began_at, intent.uptime, doubt.began_at, doubt.uptime)
