"""How many calls a list takes, and how long, before any of it is sent.

With `auto` the size of chunks is found while a run goes. So the pace itself is played, on a server
as the run before has found it. Calls side by side that were never seen may be free, or may wait
for one another: both are played, and the truth is taken to lie between them.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from itertools import count

from k3push.core.pacing.chunking import count_chunks
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.samples import CallSample
from k3push.core.pacing.server_model import FittedServer, Learnt
from k3push.core.pacing.time_left import CALLS_A_CHUNK, TimeLeft, of_whole_list

# Assumed of a server of which nothing is known: the number of calls is played on it, and no time.
UNKNOWN = Learnt(FittedServer(call_s=0.4, number_s=0.05, look_s=0.1, knee=4.0), tried=1)

# Numbers and calls that are played at most; the rest is taken to go on as the last of them did. A
# call takes about a millisecond, and a server with many tenants waits meanwhile.
MOST_PLAYED, MOST_CALLS_PLAYED = 20_000, 500


@dataclass(frozen=True, slots=True)
class Driven:
    """How a run is going to be driven; None is `auto`.

    Attributes:
        canary: One number travels first.
        calls_per_minute: To the ERP, at most; 0 is no limit.
    """

    concurrency: int | None = None
    chunk_size: int | None = None
    canary: bool = True
    calls_per_minute: int = 0
    answer_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What an earlier run has shown, where its model was not kept.

    Attributes:
        numbers: Those that came to a document.
        calls: Calls that carried them.
        seconds: For how long one of these was under way.
    """

    numbers: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What the sending of a list comes to.

    Attributes:
        calls: If no number is refused.
        is_counted: Whether their number is exact, since a person has set the size of a chunk.
        time: How long they take; None where nothing was measured.
    """

    calls: int
    is_counted: bool
    time: TimeLeft | None = None


def expect(
    numbers: int, driven: Driven, learnt: Learnt | None = None, measured: Measured | None = None
) -> Expected:
    """Say what the sending of a list comes to.

    Args:
        numbers: That would be sent.
        driven: How.
        learnt: What the last run has found of the server.
        measured: What it took, where that was not kept.

    >>> took = Measured(numbers=20, calls=2, seconds=3.0)
    >>> expect(100, Driven(chunk_size=50), measured=took)
    Expected(calls=3, is_counted=True, time=TimeLeft(least_s=3.0, most_s=30.0))
    >>> expect(101, Driven()).time is None
    True
    """
    if not numbers:
        return Expected(0, is_counted=True)
    found = learnt or UNKNOWN
    # Beyond what was tried a crowd may be free, or be served no more at once.
    free = found.server
    crowded = replace(free, knee=min(free.knee, max(1, found.tried)))
    plays = [_play(numbers, driven, replace(found, server=each)) for each in (free, crowded)]
    counted = driven.chunk_size is not None
    calls = math.sqrt(plays[0].calls * plays[1].calls)
    if driven.chunk_size is not None:
        calls = count_chunks(numbers, driven.chunk_size, canary=driven.canary)
    calls = round(calls)
    least_s = most_s = math.nan
    if learnt is not None:
        least_s, most_s = sorted(each.seconds for each in plays)
    elif measured is not None:
        # All of its time was its calls', or all of it its numbers'.
        by_call_s = measured.seconds / measured.calls * calls
        by_number_s = measured.seconds / measured.numbers * numbers
        least_s, most_s = sorted((by_call_s, by_number_s))
    if math.isnan(least_s):
        return Expected(calls, counted)
    if driven.calls_per_minute:
        limited_s = CALLS_A_CHUNK * calls * 60 / driven.calls_per_minute
        least_s, most_s = max(least_s, limited_s), max(most_s, limited_s)
    return Expected(calls, counted, of_whole_list(least_s, most_s))


@dataclass(frozen=True, slots=True)
class _Play:
    calls: int
    seconds: float


def _play(numbers: int, driven: Driven, learnt: Learnt) -> _Play:
    """Play the sending of a list, on the server that was learnt."""
    server = learnt.server
    pace = Pace(answer_timeout_s=driven.answer_timeout_s)
    pace.recall(learnt)
    # The canary travels alone, and so does the chunk behind it.
    alone = 2 if driven.canary else 1
    left = min(numbers, MOST_PLAYED)
    beyond = numbers - left
    now_s, made, calls, order = 0.0, 0, 0, count()
    under_way: list[tuple[float, int, CallSample]] = []
    while left or under_way:
        most = driven.concurrency or pace.setting.concurrency
        leaving: list[int] = []
        wait_s = math.inf
        while left and (open_ := len(under_way) + len(leaving)) < most:
            if open_ and calls + len(leaving) <= alone:
                break
            # The pace is asked also where a person has set the size: it learns what is left.
            rest = left + beyond
            size = pace.size(rest, rest, max(1, most - open_), made, now_s=now_s)
            size = 1 if driven.canary and not calls else driven.chunk_size or size
            if not size:
                wait_s = pace.waits_until_s
                break
            leaving.append(min(size, left))
            left -= leaving[-1]
        calls += len(leaving)
        goes_beyond = left if calls >= MOST_CALLS_PLAYED else 0
        left, beyond = left - goes_beyond, beyond + goes_beyond
        at_once = len(under_way) + len(leaving)
        for size in leaving:
            slowed = server.slowed(at_once)
            push_s = server.push_s(at_once, size)
            ends_s = now_s + push_s + server.look_s * slowed
            before_s = server.look_s * slowed / 2
            sample = CallSample(now_s, ends_s, push_s, size, at_once, before_s=before_s)
            heapq.heappush(under_way, (ends_s, next(order), sample))
        if wait_s < under_way[0][0]:
            now_s = wait_s
            continue
        now_s, _, sample = heapq.heappop(under_way)
        made += sample.numbers
        pace.add(sample, concurrency=driven.concurrency, chunk_size=driven.chunk_size)
    if beyond:
        per_call = driven.chunk_size or pace.setting.chunk_size
        calls += math.ceil(beyond / per_call)
        now_s += server.rest_s(beyond, driven.concurrency or pace.setting.concurrency, per_call)
    return _Play(calls, now_s)
