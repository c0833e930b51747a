"""Which of several users a push goes through: whoever is likely to be served first.

The ERP may run the calls of one user one after another (P 2.9), and may serve one user
faster than another. A user whose calls meet a limit on calls or licences is answered fast, and
would draw all pushes; so such a user rests while others get through.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

# How much the newest call counts in the average: chunks grow, and an ERP slows down by day.
NEWEST_COUNTS = 0.3

# How much of a user's average is left each time that a push passes by the idle user, so that
# one slow answer does not bar the user for the rest of the night.
LEFT_WHEN_PASSED_BY = 0.9


# How many pushes pass by a user who has met a limit, doubled with each limit in a row, and at most.
FIRST_REST = 4
LONGEST_REST = 64

# One behind each push, and one before the next that takes its place.
LOOKS_A_PUSH = 2


class QueuedCall(StrEnum):
    """What a user's queue holds."""

    PUSH = "push"
    LOOK = "look"


class UserCalls:
    """The calls of one user: how many are on their way, and how long one takes.

    A call is timed from its leaving, or from the return of the one before it where that was
    later, so that time in the user's own queue does not pass for work.

    >>> user = UserCalls()
    >>> for _ in range(2):
    ...     user.leaves(QueuedCall.PUSH)
    >>> user.returns(QueuedCall.PUSH, left_s=0, now_s=3)
    >>> user.returns(QueuedCall.PUSH, left_s=0, now_s=6)
    >>> user.seconds[QueuedCall.PUSH]
    3.0
    """

    def __init__(self) -> None:
        """Begin with nothing on its way and nothing known."""
        self.on_their_way: Counter[QueuedCall] = Counter()
        self.seconds: dict[QueuedCall, float] = {}
        self.rests = 0
        self._limits = 0
        self._returned_s = -math.inf

    def leaves(self, call: QueuedCall) -> None:
        """Count a call that leaves now."""
        self.on_their_way[call] += 1

    def returns(
        self,
        call: QueuedCall,
        left_s: float,
        now_s: float,
        *,
        measures: bool = True,
        given_up: bool = False,
    ) -> None:
        """Count a call that is over.

        Args:
            call: Its kind.
            left_s: When it left.
            now_s: When it came back, on the same clock.
            measures: Whether it tells how fast the user is served; a connection that breaks
                at once does not.
            given_up: It may be at work still, so that all of the time counts.
        """
        self.on_their_way[call] -= 1
        if measures:
            since_s = left_s if given_up else max(left_s, self._returned_s)
            took_s = float(now_s - since_s)
            average_s = self.seconds.get(call, took_s)
            self.seconds[call] = average_s + NEWEST_COUNTS * (took_s - average_s)
        self._returned_s = now_s

    def expected_s(self, guess_s: float) -> float:
        """Return when a push would be back that leaves now.

        Args:
            guess_s: What a push takes, where none was measured.
        """
        pushes = self.on_their_way[QueuedCall.PUSH] + 1
        looks = self.on_their_way[QueuedCall.LOOK]
        push_s, look_s = (
            self.seconds.get(QueuedCall.PUSH, guess_s),
            self.seconds.get(QueuedCall.LOOK, 0.0),
        )
        return pushes * push_s + looks * look_s

    def meet_limit(self) -> None:
        """Rest for some pushes: one has met a limit, on this user's calls or licences maybe.

        >>> user = UserCalls()
        >>> user.meet_limit(), user.meet_limit()
        (None, None)
        >>> user.rests
        8
        """
        self.rests = min(FIRST_REST << self._limits, LONGEST_REST)
        self._limits += 1

    def get_through(self) -> None:
        """Note that a push has met no limit."""
        self.rests = self._limits = 0

    def pass_by(self) -> None:
        """Let what was measured fade, where nothing is on its way that would measure anew."""
        self.rests = max(0, self.rests - 1)
        if QueuedCall.PUSH in self.seconds and not self.on_their_way[QueuedCall.PUSH]:
            self.seconds[QueuedCall.PUSH] *= LEFT_WHEN_PASSED_BY


def choose(users: Sequence[UserCalls]) -> int:
    """Return the index of the user that the next push takes; the others are passed by.

    The push takes the user who is expected to answer first:

    - The first user takes all looks, so the looks that pushes under way will need count for it.
    - A user who was not tried counts as fast as the fastest one.
    - Among equals, one who was not tried is preferred, then the one with fewer calls under way,
      then the first.
    - A limit that all users have met is no reason to prefer one.
    """
    least = min(user.rests for user in users) if users[1:] else 0
    for user in users:
        user.rests -= least
    known = [user.seconds[QueuedCall.PUSH] for user in users if QueuedCall.PUSH in user.seconds]
    guess_s = min(known, default=1.0)
    expected_s = [user.expected_s(guess_s) for user in users]
    pushes = sum(user.on_their_way[QueuedCall.PUSH] for user in users) + 1
    expected_s[0] += pushes * LOOKS_A_PUSH * users[0].seconds.get(QueuedCall.LOOK, 0.0)
    chosen = min(
        range(len(users)),
        key=lambda place: (
            users[place].rests > 0,
            expected_s[place],
            QueuedCall.PUSH in users[place].seconds,
            users[place].on_their_way.total(),
        ),
    )
    for place, user in enumerate(users):
        if place != chosen:
            user.pass_by()
    return chosen
