"""How long requests take, and in which order their work is done.

Nothing here waits. A request books its end when it arrives, and its work is put on an
agenda for that moment. Whoever looks at the site later first has the agenda done up to
then. So the server goes on with a request whose client has left, as real ones do, and
needs no task in the background for it.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

from k3push.simulator.sandbox_options import Queue, SandboxOptions

_MINUTE_S = 60


class Load:
    """Books the time of requests, as the options say how long they take."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._queue = Queue(options.queue or "none")
        self._chance = random.Random(options.seed)  # noqa: S311 - no secret hangs on it
        self._first_s: float | None = None
        self._begun: deque[float] = deque()
        self._ends: list[float] = []
        self._lane_free_s: dict[str, float] = {}

    def at_once(self, now_s: float) -> int:
        """Count the requests that are booked and not at their end."""
        while self._ends and self._ends[0] <= now_s:
            heapq.heappop(self._ends)
        return len(self._ends)

    def within_a_minute(self, now_s: float) -> int:
        """Count the requests that were booked in the minute before."""
        while self._begun and self._begun[0] <= now_s - _MINUTE_S:
            self._begun.popleft()
        return len(self._begun)

    def book(self, now_s: float, user: str, numbers: int = 0) -> float:
        """Book a request that arrives now, and give the time of its end.

        Args:
            now_s: The site's clock.
            numbers: Bill numbers in it.
        """
        lane = {Queue.USER: user, Queue.SITE: ""}.get(self._queue)
        begin_s = now_s if lane is None else max(now_s, self._lane_free_s.get(lane, now_s))
        working = self.at_once(now_s) + 1
        if lane is not None:
            # Only the first of each lane works; the rest wait and slow nobody down.
            others = (free_s for key, free_s in self._lane_free_s.items() if key != lane)
            working = sum(free_s > now_s for free_s in others) + 1
        options = self._options
        call_s = options.latency_s
        if not numbers and options.look_s is not None:
            call_s = options.look_s
        work_s = (call_s + options.per_number_s * numbers) * options.slow_users.get(user, 1.0)
        if options.jitter:
            work_s *= self._chance.lognormvariate(0.0, options.jitter)
        end_s = self._end_s(begin_s, work_s, working)
        if lane is not None:
            self._lane_free_s[lane] = end_s
        heapq.heappush(self._ends, end_s)
        self._begun.append(now_s)
        return end_s + options.round_trip_s

    def _crowded(self, working: int, capacity: int) -> float:
        """Say how many times longer work takes, since so many requests are worked on."""
        return max(1.0, working / capacity) ** self._options.degrades if capacity else 1.0

    def _end_s(self, begin_s: float, work_s: float, working: int) -> float:
        """Give the end of work that takes *work_s* on an idle site, before, in or after a spell."""
        crowded = self._crowded(working, self._options.capacity)
        if self._first_s is None:
            self._first_s = begin_s
        if (spell := self._options.slow_spell) is not None:
            slower = self._crowded(working, spell.capacity)
            stages = ((spell.from_s, crowded), (spell.to_s, slower * spell.slower))
            for to_s, times in stages:
                left_s = self._first_s + to_s - begin_s
                if left_s >= work_s * times:
                    break
                if left_s > 0:
                    work_s -= left_s / times
                    begin_s += left_s
            else:
                times = crowded
            return begin_s + work_s * times
        return begin_s + work_s * crowded


class Agenda:
    """Work by the time when it is due; equal times keep the order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due_s: float, work: Callable[[], object]) -> None:
        """Put *work* down for *due_s*."""
        heapq.heappush(self._heap, (due_s, next(self._count), work))

    def run_until(self, now_s: float) -> None:
        """Do all that is due by *now_s*."""
        while self._heap and self._heap[0][0] <= now_s:
            heapq.heappop(self._heap)[2]()
