"""How many calls may begin in a minute: evenly spaced, since an ERP that counts dislikes bursts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

# How often the one who is next looks whether the limit has been changed meanwhile.
LONGEST_NAP_S = 1.0


@dataclass(slots=True, eq=False)
class CallLine:
    """A line in which calls wait, and when the last of them began."""

    waiting: deque[object] = field(default_factory=deque)
    moved: anyio.Event = field(default_factory=anyio.Event)
    last_s: float = 0.0
    owed: int = 0


class RateLimit:
    """How many calls of one execution may begin in a minute.

    All executions of a process that share a line count together. The next call begins when a
    minute divided by the limit has passed since the last one. A call that may not wait (a login
    while an attempt is open) is counted, and those behind it begin so much later.
    """

    def __init__(self, per_minute: Callable[[], int], line: CallLine | None = None) -> None:
        """Begin at the end of a line, or of one of its own.

        Args:
            per_minute: The limit as it is now; 0 is none.
            line: Where the calls of others wait as well.
        """
        self._per_minute = per_minute
        self._line = line or CallLine()

    async def take(self, *, first: bool = False) -> None:
        """Wait for a turn.

        Args:
            first: Go before those who wait already: a push, whose look must not grow old.
        """
        line = self._line
        if not self._per_minute():
            return  # nor does it wait for others, whose limit a person may have set
        mine = object()
        if first:
            line.waiting.appendleft(mine)
        else:
            line.waiting.append(mine)
        try:
            while (is_next := line.waiting[0] is mine) is False or self._wait_s() > 0:
                nap_s = min(self._wait_s(), LONGEST_NAP_S) if is_next else math.inf
                with anyio.move_on_after(nap_s):
                    await line.moved.wait()
            self.count()
        finally:
            line.waiting.remove(mine)
            line.moved.set()
            line.moved = anyio.Event()

    def count(self) -> None:
        """Count a call that begins now, whoever waits."""
        if self._wait_s() <= 0:
            self._line.last_s, self._line.owed = anyio.current_time(), 0
        self._line.owed += 1

    def _wait_s(self) -> float:
        per_minute = self._per_minute()
        if not per_minute or not self._line.owed:
            return 0.0
        return self._line.last_s + self._line.owed * 60 / per_minute - anyio.current_time()
