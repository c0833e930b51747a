"""Calls that were given up, and at which the ERP may be at work all the same (P 5.15).

Pushes may wait for each other in the ERP: for a lock in its database, or in a queue. If a new one
took the place of each that was given up, the queue would grow, and calls be carried out long after
the window in which looks wait for them. So such a call keeps its place among those at once until
looks have settled what became of it, or its window is over.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from k3push.core.safety.verdict import GIVEN_UP, InDoubt

SOON_S = 25.0
"""A call that breaks sooner was not given up: what stands between waits longer than that."""


@dataclass(slots=True)
class CallsAtWork:
    """Those of one execution.

    >>> calls = CallsAtWork()
    >>> calls.note(7, InDoubt("timeout", "no answer within 300 s"), after_s=300.0)
    >>> calls.note(8, InDoubt("broken", "reset"), after_s=0.5)
    >>> calls.count
    1
    >>> calls.keep({8})
    >>> calls.count
    0
    """

    _attempts: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How many there may be."""
        return len(self._attempts)

    def note(self, attempt: int, doubt: InDoubt, *, after_s: float) -> None:
        """Note that the answer to an attempt is lost.

        Args:
            attempt: The attempt.
            doubt: What is known instead.
            after_s: Seconds after it left.
        """
        if doubt.code in GIVEN_UP or (after_s >= SOON_S and doubt.said is None):
            self._attempts.add(attempt)

    def keep(self, attempts: Collection[int]) -> None:
        """Leave out all but *attempts*: the others are settled, or their window is over."""
        self._attempts.intersection_update(attempts)
