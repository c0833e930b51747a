"""Calls that were given up, and at which the ERP may be at work all the same (P 5.15).

Pushes may wait for each other in the ERP: for a lock in its database, or in a queue. If a new one
took the place of each that was given up, the queue would grow, and calls be carried out long after
the window in which looks wait for them. So such a call keeps its place among those at once until
looks have settled what became of it, or its window is over.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from k3push.core.safety.verdict import InDoubt, was_given_up
from k3push.ports import AttemptRecord, StepRecord
from k3push.runs.kept_in_ledger.kept_attempts import verdict_of

FIRST_PAUSE_S = 40.0
"""Before a first call leaves though all places are kept."""


@dataclass(slots=True)
class CallsAtWork:
    """Those of one execution.

    >>> calls = CallsAtWork()
    >>> calls.note(7, InDoubt("timeout", "no answer within 300 s"), after_s=300.0, now_s=0.0)
    >>> calls.note(8, InDoubt("broken", "reset"), after_s=0.5, now_s=0.0)
    >>> calls.count, [calls.leaves_room(1, 0, now_s, 9) for now_s in (39.0, 40.0)]
    (1, [False, True])
    >>> calls.keep({8}, calls.known)
    >>> calls.count
    0

    Attributes:
        left_s: When each call left that is on its way, on the loop's clock.
        next_s: On the loop's clock, when one may leave though all places are kept.
        try_s: On the loop's clock, when one may leave though nothing has told how long calls take.
        of_others: How many calls of other runs there may be besides.
        others_counted_s: On the loop's clock, when these were counted last.
        over: The newest call of the account that is known to be over, and all before it.
    """

    _attempts: set[int] = field(default_factory=set)
    _seeds: frozenset[int] = frozenset()
    _pause_s: float = FIRST_PAUSE_S
    left_s: dict[int, float] = field(default_factory=dict)
    next_s: float = -math.inf
    try_s: float = math.inf
    of_others: int = 0
    others_counted_s: float = -math.inf
    over: int = 0

    @property
    def count(self) -> int:
        """How many there may be."""
        return len(self._attempts) + self.of_others

    @property
    def known(self) -> frozenset[int]:
        """Their attempts."""
        return frozenset(self._attempts)

    def note(self, attempt: int, doubt: InDoubt, *, after_s: float, now_s: float) -> None:
        """Note that the answer to an attempt is lost.

        Args:
            attempt: The attempt.
            doubt: What is known instead.
            after_s: Seconds after it left.
            now_s: On the loop's clock.
        """
        self.try_s = math.inf  # it has told nothing of those in front
        if was_given_up(doubt, after_s):
            self._pause_s = FIRST_PAUSE_S if not self._attempts else 2 * self._pause_s
            self.next_s = now_s + self._pause_s
            self._attempts.add(attempt)

    def seed(self, attempts: Collection[int], try_s: float) -> None:
        """Take in calls of an earlier execution, once.

        Args:
            attempts: The calls.
            try_s: On the loop's clock, when one may leave all the same: its answer tells whether
                they are over.
        """
        self._seeds = frozenset(attempts)
        self._attempts |= self._seeds
        self.try_s = try_s if attempts else math.inf

    def keep(self, attempts: Collection[int], known: Collection[int]) -> None:
        """Forget the calls that were *known* as a look began, all but *attempts*.

        The others are settled, or their window is over.
        """
        self._attempts -= {*known, *self._seeds} - {*attempts}

    def leaves_room(self, most: int, open_: int, now_s: float, in_time: float) -> bool:
        """Say whether one more call may leave.

        With all places kept and nothing on its way, one leaves after a pause that doubles each time
        that another is given up: most sites lose a call now and then, and are at work on none.
        Behind calls of an earlier execution one leaves after a window: most are over then. Behind
        those of other runs none does, which may have been lost since.

        Args:
            most: Calls that may be at work at once.
            open_: Calls that are on their way.
            now_s: On the loop's clock.
            in_time: How many the ERP works on within the window, one after the other.
        """
        at_work = open_ + self.count
        are_over = not self.of_others and now_s >= self.try_s
        may_try = now_s >= self.next_s and (at_work < in_time or are_over)
        return at_work < most or (not open_ and may_try)


def may_run(kept: AttemptRecord | StepRecord) -> bool:
    """Say whether the ERP may be at work on an earlier execution's call, whose end nobody heard."""
    verdict = verdict_of(kept) if kept.exchange is not None else None
    if not isinstance(verdict, InDoubt) or kept.ended_at is None:
        return verdict is None
    return was_given_up(verdict, (kept.ended_at - kept.attempt.intent.began_at).total_seconds())


def broke_soon(kept: AttemptRecord | StepRecord) -> bool:
    """Say whether the answer to a call was lost before anybody could have given it up."""
    is_lost = kept.exchange is not None and isinstance(verdict_of(kept), InDoubt)
    return is_lost and not may_run(kept)
