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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_MINUTE_S = 60


class Queue(StrEnum):
    """Which calls wait for one another (P 2.9)."""

    NONE = "none"
    """None do."""

    USER = "user"
    """Those of one user."""

    SITE = "site"
    """All do."""


@dataclass(frozen=True, slots=True)
class SlowSpell:
    """A time in which the site is busy with something else.

    Attributes:
        from_s: When it begins, in seconds from the first request.
        to_s: When it ends.
        slower: How many times longer everything takes.
        capacity: What `Load` calls by this name, during it.
    """

    from_s: float
    to_s: float
    slower: float
    capacity: int = 0


class Load:
    """Books the time of requests.

    Args:
        latency_s: How long a request takes on an idle site.
        per_number_s: How much longer, for each bill number of a push.
        capacity: Requests at once up to which latency stays as it is; beyond, it grows
            in proportion, so that no more than *capacity* / *latency_s* end in a second.
            0 for no bound.
        queue: Which requests wait for one another.
        round_trip_s: How much longer the network takes, which keeps no request waiting.
        slow_spell: When all of this is worse.
        slow: How many times as long the calls of a user take.
        look_s: What *latency_s* is for a request that names no numbers, if that differs.
        degrades: With which power latency grows beyond *capacity*: 1 in proportion, 0 not at
            all; with more than 1, fewer requests end in a second the more there are.
        jitter: By how much times vary by chance: the sigma of a log-normal factor of median 1.
        seed: Of that chance.
    """

    def __init__(
        self,
        latency_s: float = 0.0,
        per_number_s: float = 0.0,
        capacity: int = 0,
        queue: Queue = Queue.NONE,
        *,
        slow: Mapping[str, float] | None = None,
        round_trip_s: float = 0.0,
        slow_spell: SlowSpell | None = None,
        look_s: float | None = None,
        degrades: float = 1.0,
        jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.latency_s = latency_s
        self.per_number_s = per_number_s
        self.capacity = capacity
        self.queue = queue
        self.round_trip_s = round_trip_s
        self.slow_spell = slow_spell
        self.look_s = latency_s if look_s is None else look_s
        self.degrades = degrades
        self.jitter = jitter
        self._chance = random.Random(seed)  # noqa: S311 - no secret hangs on it
        self._first_s: float | None = None
        self._begun: deque[float] = deque()
        self.slow = slow or {}
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
        lane = {Queue.USER: user, Queue.SITE: ""}.get(self.queue)
        begin_s = now_s if lane is None else max(now_s, self._lane_free_s.get(lane, now_s))
        working = self.at_once(now_s) + 1
        if lane is not None:
            # Only the first of each lane works; the rest wait and slow nobody down.
            others = (free_s for key, free_s in self._lane_free_s.items() if key != lane)
            working = sum(free_s > now_s for free_s in others) + 1
        call_s = self.latency_s if numbers else self.look_s
        work_s = (call_s + self.per_number_s * numbers) * self.slow.get(user, 1.0)
        if self.jitter:
            work_s *= self._chance.lognormvariate(0.0, self.jitter)
        end_s = self._end_s(begin_s, work_s, working)
        if lane is not None:
            self._lane_free_s[lane] = end_s
        heapq.heappush(self._ends, end_s)
        self._begun.append(now_s)
        return end_s + self.round_trip_s

    def _crowded(self, working: int, capacity: int) -> float:
        """Say how many times longer work takes, since so many requests are worked on."""
        return max(1.0, working / capacity) ** self.degrades if capacity else 1.0

    def _end_s(self, begin_s: float, work_s: float, working: int) -> float:
        """Give the end of work that takes *work_s* on an idle site, before, in or after a spell."""
        crowded = self._crowded(working, self.capacity)
        if self._first_s is None:
            self._first_s = begin_s
        if self.slow_spell is not None:
            spell = self.slow_spell
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
