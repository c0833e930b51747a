"""A run in a hundredth of the processor's time: its calls and their order, without what they carry.

`shapes` has k3push's own code run on virtual time, which takes a third of a millisecond of a
processor for each number. That is too much for a grid of settings over hundreds of servers.
Here only what takes virtual time is left: the calls of the intake, of each chunk and of the looks
that are joined, booked on the simulator's own load model. The pace is k3push's own.
`tests/benchmarks/test_draws.py` holds the two together.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from k3push.adapters.erp.query_batching import FIELD_LOOKS_A_CHUNK, LINK_LOOKS_A_CHUNK, WEIGHT
from k3push.core.pacing.growing_pauses import pause_s
from k3push.core.pacing.pace import ON_THEIR_WAY_FOR_EACH, Pace
from k3push.core.pacing.phases import FIRST_ON_THEIR_WAY
from k3push.core.pacing.samples import CallSample, Ended, Setting
from k3push.core.pacing.server_model import Learnt
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.runs.engine_tasks.intake import MOST_READY
from k3push.runs.throttle import CALLS_A_LOOK
from k3push.simulator.load import Load
from tests.benchmarks.shapes import Shape

Then = Callable[[], None]

# How long an answer is waited for, and about when a lost one is settled.
ANSWER_TIMEOUT_S = 300.0
SETTLES_S = 40.0


class TooLongError(Exception):
    """The run is given up."""


@dataclass(slots=True)
class Chunk:
    """A chunk on its way."""

    numbers: int
    began_s: float = 0.0
    before_s: float = 0.0
    push_s: float = 0.0
    at_once: int = 1
    late: bool = False


class _Joined:
    """Looks of one kind that wait for a place and are asked together (`query_batching`)."""

    def __init__(self, run: ModelledRun, looks_a_chunk: int) -> None:
        self.run = run
        self.looks_a_chunk = looks_a_chunk
        self.waiting: deque[tuple[int, int, Then]] = deque()
        self.under_way = 0
        self.look_s = 0.0
        self.most_rows = -1

    def look(self, numbers: int, rows: int, then: Then) -> None:
        self.waiting.append((numbers, rows, then))
        self.run.after(0.0, self.pump)

    def pump(self) -> None:
        while self.waiting and self.under_way < self.run.most_looks(self.looks_a_chunk):
            numbers, rows, then = self.waiting.popleft()
            room, taken, left = MOST_NUMBERS - numbers, [then], deque[tuple[int, int, Then]]()
            for look in self.waiting:
                if look[0] <= room:
                    room -= look[0]
                    rows += look[1]
                    taken.append(look[2])
                else:
                    left.append(look)
            self.waiting = left
            self.under_way += 1
            self._ask(rows, taken, self.run.now_s)

    def _ask(self, rows: int, taken: list[Then], began_s: float) -> None:
        def answered() -> None:
            # More rows than ever before are asked for once more: an answer may have been cut.
            if rows > self.most_rows:
                self.most_rows = rows
                self.run.call(0, answered)
                return
            took_s = self.run.now_s - began_s
            self.look_s += (took_s - self.look_s) * (WEIGHT if self.look_s else 1.0)
            self.under_way -= 1
            for then in taken:
                then()
            self.pump()

        self.run.call(0, answered)


class ModelledRun:
    """One execution, from the login to the last record."""

    def __init__(self, shape: Shape, pace: Pace, fixed: Setting | None, cut_s: float) -> None:
        options = shape.sandbox
        self.pace, self.fixed, self.cut_s = pace, fixed, cut_s
        self.load = Load(options)
        self.most_a_minute = options.most_a_minute
        plan = options.faults
        share = len(getattr(plan, "refusals", ())) / shape.numbers
        self.share, self.chance = share, random.Random(options.seed)  # noqa: S311
        self.now_s = 0.0
        self.events: list[tuple[float, int, Then]] = []
        self.order = count()
        self.total = self.unread = shape.numbers
        self.ready = self.open = self.made = self.done = self.sent = 0
        self.parts: deque[Chunk] = deque()
        self.push_s = 0.0
        self.held_s, self.overloads = -math.inf, 0
        self.reading = False
        self.field = _Joined(self, FIELD_LOOKS_A_CHUNK)
        self.links = _Joined(self, LINK_LOOKS_A_CHUNK)
        self.links.most_rows = 0
        self.field.most_rows = 0

    def run(self) -> float | None:
        """Return how long it takes, or None where that is more than *cut_s*."""
        self.call(0, self.read)
        try:
            while self.done < self.total:
                self.now_s, _, then = heapq.heappop(self.events)
                if self.now_s > self.cut_s:
                    return None
                then()
        except TooLongError:
            return None
        return self.load.book(self.now_s, "sandbox")

    # -- time and calls -------------------------------------------------------------------

    def after(self, seconds: float, then: Then) -> None:
        """Do something later."""
        heapq.heappush(self.events, (self.now_s + seconds, next(self.order), then))

    def call(self, numbers: int, then: Then, refused: Then | None = None) -> None:
        """Make a call; where it is one too many it is made again after a pause, unless told."""
        if self.most_a_minute and self.load.within_a_minute(self.now_s) >= self.most_a_minute:
            began_s = self.now_s
            end_s = self.load.book(self.now_s, "sandbox")
            self.after(
                end_s - self.now_s,
                refused or (lambda: self._look_refused(began_s, then)),
            )
            return
        self.after(self.load.book(self.now_s, "sandbox", numbers) - self.now_s, then)

    def _look_refused(self, began_s: float, then: Then, nth: int = 1) -> None:
        self.learn(CallSample(began_s, self.now_s, ended=Ended.OVERLOADED))
        self.hold(pause_s(nth))

        def again() -> None:
            started_s = self.now_s
            if self.load.within_a_minute(started_s) >= self.most_a_minute:
                end_s = self.load.book(started_s, "sandbox")
                self.after(end_s - started_s, lambda: self._look_refused(started_s, then, nth + 1))
            else:
                self.call(0, then)

        self.after(pause_s(nth), again)

    def hold(self, seconds: float) -> None:
        """Let nothing leave for some seconds."""
        self.held_s = max(self.held_s, self.now_s + seconds)
        self.after(seconds, self.send)

    # -- steering -------------------------------------------------------------------------

    @property
    def calls(self) -> int:
        """Calls at once as it is driven now."""
        return (self.fixed or self.pace.setting).concurrency

    def most_looks(self, looks_a_chunk: int) -> int:
        """Say how many queries of a kind may be under way."""
        look_s = max(self.field.look_s, self.links.look_s)
        chunk_s = FIELD_LOOKS_A_CHUNK * look_s + self.push_s
        part = looks_a_chunk * look_s / chunk_s if self.push_s else 1.0
        setting = self.fixed or self.pace.setting
        questions = setting.concurrency * math.ceil(setting.chunk_size / MOST_NUMBERS)
        return max(1, math.ceil(part * questions))

    def learn(self, sample: CallSample) -> None:
        """Tell the pace, where it steers."""
        if self.fixed is None:
            self.pace.add(sample)

    # -- intake ---------------------------------------------------------------------------

    def read(self) -> None:
        """Look at the sources of a page, a hundred numbers in a call."""
        if self.reading or not self.unread:
            return
        size = (self.fixed or self.pace.setting).chunk_size
        if self.ready >= max(MOST_READY, 2 * self.calls * size):
            return
        self.reading = True
        page = min(self.unread, max(1, self.calls // CALLS_A_LOOK) * MOST_NUMBERS)
        parts = math.ceil(page / MOST_NUMBERS)
        first = self.unread == self.total
        left = parts

        def looked() -> None:
            nonlocal left
            left -= 1
            if not left:
                self.reading = False
                self.unread -= page
                self.ready += page
                self.send()
                self.read()

        for _ in range(parts):
            self.call(0, (lambda: self.call(0, looked)) if first else looked)

    # -- chunks ---------------------------------------------------------------------------

    def send(self) -> None:
        """Send what may leave now."""
        while self.now_s >= self.held_s and self.open < self.calls:
            if self.open and self.sent < 2:
                break
            if self.parts:
                chunk = self.parts.popleft()
            elif self.ready:
                size = 1
                if self.sent:
                    left = self.ready + self.unread
                    free = max(1, self.calls - self.open)
                    size = self.pace.size(left, self.ready, free, self.made, now_s=self.now_s)
                    size = self.fixed.chunk_size if self.fixed else size
                    if not size:
                        self.after(self.pace.waits_until_s - self.now_s, self.send)
                        break
                chunk = Chunk(min(size, self.ready))
                self.ready -= chunk.numbers
            else:
                break
            self.open += 1
            self.start(chunk)
        self.read()

    def start(self, chunk: Chunk) -> None:
        """Take a place for a chunk."""
        chunk.began_s = self.now_s
        self.after(0.0, lambda: self.look_before(chunk))

    def look_before(self, chunk: Chunk) -> None:
        """Look for a chunk's documents before it is sent."""
        chunk.at_once = self.open  # all that leave now are on their way
        parts = _questions(chunk.numbers)
        left = 2 * len(parts)

        def looked() -> None:
            nonlocal left
            left -= 1
            if not left:
                self.push(chunk)

        for part in parts:
            self.field.look(part, 0, looked)
            self.links.look(part, 0, looked)

    def push(self, chunk: Chunk) -> None:
        """Send a chunk."""
        if self.now_s < self.held_s:
            self.open -= 1
            self.parts.append(chunk)
            return
        left_s = self.now_s
        chunk.before_s = left_s - chunk.began_s

        def pushed() -> None:
            chunk.push_s = self.now_s - left_s
            if chunk.push_s > ANSWER_TIMEOUT_S:
                # It is in doubt, and settled after a while; a fixed setting goes on as it was.
                if self.fixed is not None:
                    raise TooLongError
                chunk.late = True
                self.after(SETTLES_S, lambda: self.end(chunk))
                return
            self.push_s += (chunk.push_s - self.push_s) * (WEIGHT if self.push_s else 1.0)
            self.overloads = 0
            self.look_after(chunk)

        def turned_away() -> None:
            self.learn(
                CallSample(chunk.began_s, self.now_s, 0.0, 0, chunk.at_once, Ended.OVERLOADED)
            )
            self.overloads += 1
            self.hold(pause_s(self.overloads))
            self.open -= 1
            self.parts.append(chunk)
            self.send()

        self.call(chunk.numbers, pushed, turned_away)

    def look_after(self, chunk: Chunk) -> None:
        """Read back what came of a chunk."""
        parts = _questions(chunk.numbers)
        left = len(parts)
        refused = any(self.chance.random() < self.share for _ in range(chunk.numbers))

        def concluded() -> None:
            if not self.sent:  # the canary proves the links
                self.sent += 1
                self.links.look(1, 1, lambda: self.end(chunk))
            elif refused and self.share:
                self.links.look(1, 0, lambda: self.end(chunk))
            else:
                self.end(chunk)

        def looked() -> None:
            nonlocal left
            left -= 1
            if not left:
                concluded()

        for part in parts:
            self.field.look(part, part, looked)

    def end(self, chunk: Chunk) -> None:
        """Count a chunk, and go on."""
        ended = Ended.TIMED_OUT if chunk.late else Ended.OK
        self.learn(
            CallSample(
                chunk.began_s,
                self.now_s,
                chunk.push_s,
                chunk.numbers,
                chunk.at_once,
                ended,
                before_s=chunk.before_s,
            )
        )
        self.open -= 1
        self.done += chunk.numbers
        self.made += chunk.numbers
        if self.sent == 1 and self.done > 1:
            self.sent = 2
        self.send()


def modelled_s(
    shape: Shape,
    fixed: Setting | None = None,
    *,
    cut_s: float = math.inf,
    pace: Pace | None = None,
) -> float | None:
    """Return about how long a list takes; see `shapes.makespan_s`."""
    return ModelledRun(shape, pace or Pace(), fixed, cut_s).run()


def modelled_nights_s(shape: Shape, count: int) -> list[float]:
    """Return about how long `auto` takes night after night; see `shapes.nights_s`."""
    took_s: list[float] = []
    learnt: Learnt | None = None
    for _ in range(count):
        pace = Pace()
        if learnt is not None:
            pace.recall(learnt)
        took_s.append(modelled_s(shape, pace=pace) or math.inf)
        learnt = pace.learnt() or learnt
    return took_s


class KnownPace(Pace):
    """Knows from the beginning which setting is best, and keeps the bound on numbers on their way.

    What it takes is what no pace can do better that is bound so.
    """

    def __init__(self, setting: Setting, first: int) -> None:
        """Begin with a setting, and the size of the first chunk."""
        super().__init__()
        self.setting = setting
        self._first = first

    def size(self, left: int, ready: int, free: int, made: int, *, now_s: float = -math.inf) -> int:
        """Share what is left out, within the bound."""
        del ready, free, now_s
        if made <= 1:
            return self._first
        calls, size = self.setting.concurrency, self.setting.chunk_size
        most = max(FIRST_ON_THEIR_WAY, ON_THEIR_WAY_FOR_EACH * made)
        return max(1, min(size, most // calls, math.ceil(left / calls)))

    def add(
        self, sample: CallSample, *, concurrency: int | None = None, chunk_size: int | None = None
    ) -> None:
        """Learn nothing: all is known."""


def _questions(numbers: int) -> list[int]:
    """Say how many numbers each look at a chunk asks for."""
    whole, rest = divmod(numbers, MOST_NUMBERS)
    return [MOST_NUMBERS] * whole + ([rest] if rest else [])
