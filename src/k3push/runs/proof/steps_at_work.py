"""Calls that submit or audit and may be in the ERP yet, in front of pushes (P 2.9).

Such a call may take minutes, and pushes of its user may wait for it. A run makes only one at a
time, and none behind one that was given up, so that what it has at work is done within a window.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from k3push.core.model import StepAttempt
from k3push.core.safety.ages import later_s
from k3push.ports import Clock


@dataclass(slots=True)
class StepsAtWork:
    """Those of one execution, and of earlier ones of its run whose answers were lost.

    Their times are compared by the uptime of the machine, whatever its clock says. One whose line
    broke soon is in nobody's way; what is known of it stands in the ledger.
    """

    _open: dict[int, StepAttempt] = field(default_factory=dict)
    _over: dict[int, tuple[StepAttempt, float]] = field(default_factory=dict)

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
            took_s = later_s(now, uptime, intent.began_at, intent.uptime)
            self._over[attempt.id] = (attempt, took_s)

    def broke(self, attempt: StepAttempt) -> None:
        """Note that the line of one broke soon."""
        self._open.pop(attempt.id, None)

    def keep(self, attempts: Collection[int], clock: Clock) -> None:
        """Note that all are settled but some."""
        self.over(self._open.keys() - set(attempts), clock)

    def known(self) -> Mapping[int, tuple[StepAttempt, float | None]]:
        """Return all of them, each with how long after it had left it was over, if it is."""
        return {id_: (attempt, None) for id_, attempt in self._open.items()} | self._over
