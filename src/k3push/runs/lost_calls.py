"""Calls of the account's runs that were lost, and how long one behind them may take.

Calls of several runs may stand in one queue of the ERP (P 5.15). At the end of its window a call
may be believed to have made nothing, and the queue be none the shorter; so it counts until a call
that was written down later is answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from k3push.core.model import RunId
from k3push.core.safety.ages import behind_s

TIE = timedelta(seconds=2)
"""Of calls that were written down within that time nobody knows which came first."""


@dataclass(slots=True)
class LostCalls:
    """Those that one execution knows of.

    >>> calls, one, two = LostCalls(), RunId("one"), RunId("two")
    >>> noon = datetime(2026, 1, 2, 12)
    >>> calls.note(7, one, noon)
    >>> calls.behind_s(9, one, noon, 600)
    0.0
    >>> calls.note(8, two, noon)
    >>> calls.behind_s(9, one, noon, 600)
    1200.0
    >>> calls.forget_before(10)
    >>> calls.behind_s(9, one, noon, 600)
    0.0
    """

    _calls: dict[int, tuple[RunId, datetime]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The first of those that may not be over, or 0."""
        return min(self._calls, default=0)

    def note(self, attempt: int, run: RunId, left_at: datetime) -> None:
        """Note a call, whose it is and when it left."""
        self._calls[attempt] = run, left_at

    def forget_before(self, answered: int) -> None:
        """Forget what was written down before a call that was answered: it is over."""
        self._calls = {id_: call for id_, call in self._calls.items() if id_ > answered}

    def behind_s(self, attempt: int, run: RunId, left_at: datetime, window_s: float) -> float:
        """Return how many seconds later a call may be carried out for those before it.

        What calls of one run tell of each other is known otherwise (`doubt_ages`).
        """
        before = [
            call
            for id_, call in sorted(self._calls.items())
            if id_ != attempt and _may_be_before(id_, call[1], attempt, left_at)
        ]
        if all(other == run for other, _ in before):
            return 0.0
        return behind_s(left_at, [at for _, at in before], window_s)


def _may_be_before(one: int, one_at: datetime, other: int, other_at: datetime) -> bool:
    """Say whether one call may have come to the ERP before another.

    Ids grow in the order in which calls are written down, whatever clocks say; on its way the later
    one may overtake.
    """
    return one < other or one_at <= other_at + TIE
