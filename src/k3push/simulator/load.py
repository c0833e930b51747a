"""How long requests take, and in which order their work is done.

Nothing here waits. A request books its end when it arrives, and its work is put on an
agenda for that moment. Whoever looks at the site later first has the agenda done up to
then. So the server goes on with a request whose client has left, as real ones do, and
needs no task in the background for it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from enum import StrEnum


class Queue(StrEnum):
    """Which calls wait for one another (P 2.9)."""

    NONE = "none"
    """None do."""

    USER = "user"
    """Those of one user."""

    SITE = "site"
    """All do."""


class Load:
    """Books the time of requests.

    Args:
        latency_s: How long a request takes on an idle site.

        per_number_s: How much longer, for each bill number of a push.

        capacity: Requests at once up to which latency stays as it is; beyond, it grows
            in proportion, so that no more than *capacity* / *latency_s* end in a second.
            0 for no bound.

        queue: Which requests wait for one another.

        slow: How many times as long the calls of a user take.
    """

    def __init__(
        self,
        latency_s: float = 0.0,
        per_number_s: float = 0.0,
        capacity: int = 0,
        queue: Queue = Queue.NONE,
        slow: Mapping[str, float] | None = None,
    ) -> None:
        self.latency_s = latency_s
        self.per_number_s = per_number_s
        self.capacity = capacity
        self.queue = queue
        self.slow = slow or {}
        self._ends: list[float] = []
        self._lane_free_s: dict[str, float] = {}

    def at_once(self, now_s: float) -> int:
        """Count the requests that are booked and not at their end."""
        while self._ends and self._ends[0] <= now_s:
            heapq.heappop(self._ends)
        return len(self._ends)

    def book(self, now_s: float, user: str, numbers: int = 0) -> float:
        """Book a request that arrives now, and give the time of its end.

        Args:
            now_s: The site's clock.

            user: Who calls.

            numbers: Bill numbers in it.
        """
        lane = {Queue.USER: user, Queue.SITE: ""}.get(self.queue)
        begin_s = now_s if lane is None else max(now_s, self._lane_free_s.get(lane, now_s))
        working = self.at_once(now_s) + 1
        if lane is not None:
            # Only the first of each lane works; the rest wait and slow nobody down.
            others = (free_s for key, free_s in self._lane_free_s.items() if key != lane)
            working = sum(free_s > now_s for free_s in others) + 1
        slower = max(1.0, working / self.capacity) if self.capacity else 1.0
        slower *= self.slow.get(user, 1.0)
        end_s = begin_s + (self.latency_s + self.per_number_s * numbers) * slower
        if lane is not None:
            self._lane_free_s[lane] = end_s
        heapq.heappush(self._ends, end_s)
        return end_s


class Agenda:
    """Work by the time when it is due; equal times keep the order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_s: float, work: Callable[[], None]) -> None:
        """Put *work* down for *due_s*."""
        heapq.heappush(self._heap, (due_s, next(self._count), work))

    def run_until(self, now_s: float) -> None:
        """Do all that is due by *now_s*."""
        while self._heap and self._heap[0][0] <= now_s:
            heapq.heappop(self._heap)[2]()
