"""What an overload, a time-out or refused chunks bound, and how these bounds widen again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from k3push.core.pacing.samples import Setting
from k3push.core.pacing.server_model import MOST_CALLS

MOST_CONCURRENCY = MOST_CALLS
MOST_CHUNK_SIZE = 200

# Rounds without an overload, a time-out or refused chunks, after which the bounds widen by half.
# What narrowed them may have been a busy hour, or bad bills that stood together in the list.
CALM_ROUNDS = 4
WIDER = 1.5

# Whatever broke sooner has not waited for the call's own work.
LEAST_GIVEN_UP_S = 25.0


@dataclass(slots=True)
class Bounds:
    """The most calls at once, and the fewest and most numbers in each.

    Attributes:
        given_up_s: The shortest time after which somebody, a proxy as a rule, has waited for a call
            no longer.
        is_untested: Nothing has come through since the ERP was eased off.
    """

    most_calls: int = MOST_CONCURRENCY
    least_size: int = 1
    most_size: int = MOST_CHUNK_SIZE
    given_up_s: float = math.inf
    is_untested: bool = False
    _calm: int = 0

    def overloaded(self, now: Setting) -> Setting:
        """Halve the calls at once, and double the chunk: the ERP restricts calls, not numbers.

        >>> Bounds().overloaded(Setting(8, 20))
        Setting(concurrency=4, chunk_size=40)
        """
        self._ease_off()
        self.most_calls = max(1, now.concurrency // 2)
        self.least_size = min(2 * now.chunk_size, self.most_size)
        return Setting(self.most_calls, self.least_size)

    def late(self, now: Setting, after_s: float, *, fixes_size: bool) -> Setting:
        """Halve the numbers in a call, or the calls where the numbers are fixed.

        Args:
            now: The setting.
            after_s: For how long the call was waited for.
            fixes_size: The numbers are fixed.
        """
        self._ease_off()
        self.given_up_s = min(self.given_up_s, max(after_s, LEAST_GIVEN_UP_S))
        self.most_size = max(1, now.chunk_size // 2)
        self.least_size = min(self.least_size, self.most_size)
        if not fixes_size:
            return replace(now, chunk_size=self.most_size)
        self.most_calls = max(1, now.concurrency // 2)
        return replace(now, concurrency=self.most_calls)

    def refused(self, now: Setting) -> None:
        """Halve the numbers in a call: each bad bill costs its whole chunk."""
        self.most_size = max(1, now.chunk_size // 2)
        self.least_size = 1
        self._calm = 0

    def end_round(self) -> None:
        """Widen again after some rounds in which nothing has narrowed them."""
        self._calm += 1
        if self._calm >= CALM_ROUNDS:
            self._calm = 0
            self.most_calls = min(math.ceil(WIDER * self.most_calls), MOST_CONCURRENCY)
            self.most_size = min(math.ceil(WIDER * self.most_size), MOST_CHUNK_SIZE)

    def _ease_off(self) -> None:
        self.is_untested = True
        self._calm = 0
