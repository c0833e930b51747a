"""How many calls may begin in a minute: evenly spaced, since an ERP that counts dislikes bursts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import anyio

# How often the one who is next looks whether the limit has been changed meanwhile.
LONGEST_NAP_S = 1.0


class RateLimit:
    """The line in which the calls of one process wait.

    The next call begins when a minute divided by the limit has passed since the last one. A
    call that may not wait (a login while an attempt is open) is counted, and those behind it
    begin so much later.
    """

    def __init__(self, per_minute: Callable[[], int]) -> None:
        """Begin with nobody waiting.

        Args:
            per_minute: The limit as it is now; 0 is none.
        """
        self._per_minute = per_minute
        self._line: deque[object] = deque()
        self._moved = anyio.Event()
        self._last_s = 0.0
        self._owed = 0

    async def take(self, *, first: bool = False) -> None:
        """Wait for a turn.

        Args:
            first: Go before those who wait already: a push, whose look must not grow old.
        """
        if not self._per_minute() and not self._line:
            return
        mine = object()
        if first:
            self._line.appendleft(mine)
        else:
            self._line.append(mine)
        try:
            while (is_next := self._line[0] is mine) is False or self._wait_s() > 0:
                nap_s = min(self._wait_s(), LONGEST_NAP_S) if is_next else math.inf
                with anyio.move_on_after(nap_s):
                    await self._moved.wait()
            self.count()
        finally:
            self._line.remove(mine)
            self._moved.set()
            self._moved = anyio.Event()

    def count(self) -> None:
        """Count a call that begins now, whoever waits."""
        if self._wait_s() <= 0:
            self._last_s, self._owed = anyio.current_time(), 0
        self._owed += 1

    def _wait_s(self) -> float:
        per_minute = self._per_minute()
        if not per_minute or not self._owed:
            return 0.0
        return self._last_s + self._owed * 60 / per_minute - anyio.current_time()
