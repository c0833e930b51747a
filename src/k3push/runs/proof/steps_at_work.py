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
from k3push.core.safety.verdict import InDoubt, judge
from k3push.ports import Clock, Doubt, StepRecord
from k3push.runs.proof.lost_calls import TIE_S, Lost, later_than

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

    def in_front(self, doubt: Doubt, of_others: Collection[StepRecord]) -> list[Lost]:
        """Return those that the call of a doubt may wait for, as lost calls in front of it.

        Args:
            doubt: A number whose answer was lost.
            of_others: Steps of other runs that were lost or took long. Each run makes one at a
                time, too.
        """
        steps = [(STEPS, each.intent) for each in self._open.values()]
        lost = [each.attempt.intent for each in of_others if _is_lost(each)]
        steps += [(RunId(STEPS + intent.run), intent) for intent in lost]
        return [
            Lost(doubt.attempt - 1, run, each_s)
            for run, intent in steps
            if (each_s := later_than(doubt, intent)) <= TIE_S
        ]

    def over_after_s(self, doubt: Doubt, of_others: Collection[StepRecord]) -> float:
        """Return how long after a call had left the last one in front of it was over."""
        over = [self._last_over] if self._last_over else []
        for each in of_others:
            if each.ended_at and not _is_lost(each):
                took = each.ended_at - each.attempt.intent.began_at
                over.append((each.attempt, took.total_seconds()))
        ends_s = [
            later + took_s
            for attempt, took_s in over
            if (later := later_than(doubt, attempt.intent)) <= TIE_S
        ]
        return max(ends_s, default=-math.inf)


def _is_lost(kept: StepRecord) -> bool:
    exchange = kept.exchange
    return kept.ended_at is None or exchange is None or isinstance(judge(exchange), InDoubt)
