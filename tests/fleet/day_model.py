"""A fleet on virtual time: lists, workers, ERPs, a database and its disk, and who waits for what.

Nothing is sent and nothing is stored: an event is a list that is due, or a portion of its numbers
that has come through one of the queues behind each other. These are the tenant's own ERP (as quick
as the model of a run says), the worker's core, the cores of the database, and its disk. Work costs
what `costs` has measured. How a list is spread, what a worker's rhythm is, whose turn comes first
and when a vain run is tried again is k3push's own code; that looks are taken in the order of their
beginning, each in places of its own, and that a worker has places which only short runs take, is
what the queue's statements say, told once more.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import count

from k3push.fleet.due_schedules import CLAIMED, LISTS_FIRST_S, PLACES
from k3push.fleet.followup import next_try_in_s
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.turns import PLACES_FOR_SHORT, SHORT, rank_s
from tests.fleet.costs import Cost, Costs

PORTION = 400
"""Numbers that go through the queues together."""

MOST_PORTIONS = 4
"""Portions of a run on their way, where its calls are as many."""

MADE_S, WINDOW_S = 40.0, 600.0
"""When a lost answer is settled: by the documents that are there, or by `window_s`."""

UNREACHABLE_S = 10.0
"""How long a run needs to see that its ERP does not answer."""

RHYTHM = Rhythm()
MINUTE_S = 60
Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TenantList:
    """One list of a tenant's day.

    Attributes:
        begins_s: When its schedule begins, spread as the settings say.
        erp_s: How long the tenant's ERP takes for it, if nobody else holds it up.
        chunk: Numbers in a call, in the mean.
        calls: Calls at once, in the mean.
        lost: The part of calls whose answers get lost.
        away: From when to when the ERP is not reached.
    """

    tenant: str
    begins_s: float
    numbers: int
    erp_s: float
    chunk: float
    calls: float
    lost: float = 0.0
    away: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the day has to do with.

    Attributes:
        hosts: Machines that have workers.
        workers: Of each host, with a core for each; a process takes no more.
        concurrency: Runs at once of each worker, beside short ones.
        fair: Whoever has less to do goes first, and short runs have places; else first come, first
            served, as it was.
        database_cores: Of the database's host.
        disk_mb_s: What its disk writes in a second.
    """

    hosts: int
    workers: int = 2
    concurrency: int = 4
    database_cores: int = 4
    disk_mb_s: float = 100.0
    fair: bool = True

    @property
    def places(self) -> int:
        """Runs at once of all, beside short ones."""
        return self.hosts * self.workers * self.concurrency


class Line(Enum):
    """What a list waits for: a look into its folder, or the places that a run of its size gets."""

    LOOKS = "looks"
    SHORT = "short runs"
    LONG = "long runs"


class Cores:
    """Some servers of one queue: who comes first is served first."""

    def __init__(self, cores: int, speed: float = 1.0) -> None:
        """Begin with all cores free; *speed* is what other work leaves of each."""
        self.free_s = [0.0] * cores
        self.speed = speed
        self.busy_s = 0.0
        self.minutes: defaultdict[int, float] = defaultdict(float)

    def book(self, now_s: float, work_s: float) -> float:
        """Give a core some work; return when it is done."""
        begin_s = max(now_s, self.free_s[0])
        took_s = work_s / self.speed
        heapq.heapreplace(self.free_s, begin_s + took_s)
        self.busy_s += work_s
        self.minutes[int(begin_s // MINUTE_S)] += work_s
        return begin_s + took_s


@dataclass(slots=True)
class _Worker:
    """A process, with those that read its lists, on a core; and its free places.

    Attributes:
        looks: Places for looks.
        runs: Places for runs, those that only short ones take among them.
        long: How many of these long runs may still take.
    """

    core: Cores
    offset_s: float
    looks: int
    runs: int
    long: int

    def has_place(self, line: Line) -> bool:
        """Say whether somebody of a line may come."""
        if line is Line.LOOKS:
            return self.looks > 0
        return self.runs > 0 and (line is Line.SHORT or self.long > 0)

    def give(self, line: Line, more: int) -> None:
        """Take a place, or so many back."""
        if line is Line.LOOKS:
            self.looks += more
            return
        self.runs += more
        if line is Line.LONG:
            self.long += more

    def next_poll_s(self, now_s: float) -> float:
        """Say when it looks for work next."""
        turns = math.ceil((now_s - self.offset_s) / RHYTHM.poll)
        return max(now_s, self.offset_s + turns * RHYTHM.poll)


@dataclass(slots=True)
class Run:
    """A list on its way.

    Attributes:
        todo: Numbers that have to travel, with those that come back from doubt.
        made: Numbers in doubt whose documents were found.
        settling: Numbers in doubt.
        done: Numbers that are written down as done.
        waited_s: From its schedule's beginning until it began to push; None before.
    """

    list: TenantList
    todo: int
    worker: _Worker | None = None
    made: int = 0
    settling: int = 0
    done: int = 0
    on_their_way: int = 0
    erp_free_s: float = 0.0
    vain: int = 0
    leaves: bool = False
    read_s: float | None = None
    waited_s: float | None = None
    ended_s: float | None = None


class Day:
    """The lists of some tenants, and a fleet for them."""

    def __init__(self, lists: list[TenantList], fleet: Fleet, costs: Costs, seed: int) -> None:
        self.fleet, self.costs = fleet, costs
        self.chance = random.Random(f"{seed}/day")  # noqa: S311  # no secret hangs on it
        self.runs = [Run(each, each.numbers) for each in lists]
        workers = fleet.hosts * fleet.workers
        idle = costs.idle
        self.workers = [
            _Worker(
                Cores(1, 1.0 - idle.worker_s),
                self.chance.random() * RHYTHM.poll,
                PLACES,
                fleet.concurrency + (PLACES_FOR_SHORT if fleet.fair else 0),
                fleet.concurrency,
            )
            for _ in range(workers)
        ]
        self.idle_database_s = workers * idle.database_s
        left = max(0.05, 1.0 - self.idle_database_s / fleet.database_cores)
        self.database = Cores(fleet.database_cores, left)
        self.disk = Cores(1)
        self.minutes: defaultdict[int, int] = defaultdict(int)
        self.events: list[tuple[float, int, Then]] = []
        self.order = count()
        self.now_s = 0.0
        self.waiting: dict[Line, list[tuple[float, int, Run]]] = {line: [] for line in Line}
        self.many_since_s: float | None = None
        self.open = self.most_open = 0

    def play(self) -> None:
        """Let the day pass, until all is done."""
        for run in self.runs:
            tick_s = math.ceil(run.list.begins_s / RHYTHM.tick) * RHYTHM.tick
            self.at(tick_s, partial(self.wait, Line.LOOKS, run, run.list.begins_s))
        while self.events:
            self.now_s, _, then = heapq.heappop(self.events)
            then()

    def at(self, moment_s: float, then: Then) -> None:
        """Do something at a moment."""
        heapq.heappush(self.events, (moment_s, next(self.order), then))

    # -- places -------------------------------------------------------------------------------

    def line_of(self, run: Run) -> Line:
        """Return where a list stands that has been read."""
        return Line.SHORT if self.fleet.fair and run.list.numbers <= SHORT else Line.LONG

    def queue(self, run: Run) -> None:
        """Let a list that has been read wait for its turn."""
        numbers = run.list.numbers if self.fleet.fair else 0
        self.wait(self.line_of(run), run, rank_s(self.now_s, numbers))

    def wait(self, line: Line, run: Run, rank_s: float) -> None:
        """Stand in a line, and be seen by the first worker that looks and has a place."""
        heapq.heappush(self.waiting[line], (rank_s, next(self.order), run))
        self.offer(line)

    def holds_back(self) -> bool:
        """Say whether runs wait until the lists are read, of which many are due."""
        if not self.fleet.fair or len(self.waiting[Line.LOOKS]) < CLAIMED * len(self.workers):
            self.many_since_s = None
            return False
        if self.many_since_s is None:
            self.many_since_s = self.now_s
        return self.now_s - self.many_since_s < LISTS_FIRST_S

    def offer(self, line: Line) -> None:
        """Let the worker that looks first, of those that have a place, take whoever is first."""
        able = [each for each in self.workers if each.has_place(line)]
        if self.waiting[line] and able:
            poll_s, worker = min(
                ((each.next_poll_s(self.now_s), each) for each in able), key=lambda pair: pair[0]
            )
            self.at(poll_s, partial(self.take, line, worker))

    def take(self, line: Line, worker: _Worker) -> None:
        """Let a worker take whoever is first of those that it has a place for, or else another."""
        if not worker.has_place(line):
            self.offer(line)
            return
        if line is not Line.LOOKS and self.holds_back():
            self.at(self.now_s + RHYTHM.poll, partial(self.take, line, worker))
            return
        lines = [line] if line is Line.LOOKS else [Line.SHORT, Line.LONG]
        heads = [
            (self.waiting[each][0], each)
            for each in lines
            if self.waiting[each] and worker.has_place(each)
        ]
        if not heads:
            return
        _, first = min(heads, key=lambda pair: pair[0][:2])
        worker.give(first, -1)
        _, _, run = heapq.heappop(self.waiting[first])
        if first is not line:
            self.offer(line)
        (self.look if first is Line.LOOKS else self.begin)(run, worker)

    def leave(self, line: Line, worker: _Worker) -> None:
        """Free a place; a worker that had none takes the next at once, another when it looks."""
        looks_s = worker.next_poll_s(self.now_s) if worker.has_place(Line.SHORT) else self.now_s
        worker.give(line, 1)
        self.at(self.now_s if line is Line.LOOKS else looks_s, partial(self.take, line, worker))

    # -- work ---------------------------------------------------------------------------------

    def work(self, worker: _Worker, cost: Cost, then: Then) -> None:
        """Go through the worker's process, the database and its disk."""

        def stored() -> None:
            written_s = (cost.wal + cost.size) / (self.fleet.disk_mb_s * 1e6)
            self.at(self.disk.book(self.now_s, written_s), then)

        def asked() -> None:
            self.at(self.database.book(self.now_s, cost.database_s), stored)

        self.at(worker.core.book(self.now_s, cost.worker_s), asked)

    def look(self, run: Run, worker: _Worker) -> None:
        """Read a list, and write it down; a process of its own reads."""
        cost = added((1, self.costs.look), (run.list.numbers, self.costs.listed))

        def written() -> None:
            run.read_s = self.now_s
            self.leave(Line.LOOKS, worker)
            self.queue(run)

        read_s = worker.core.book(self.now_s, cost.reader_s)
        self.at(read_s, partial(self.work, worker, cost, written))

    # -- a run --------------------------------------------------------------------------------

    def begin(self, run: Run, worker: _Worker) -> None:
        """Execute a run, or go on with it."""
        run.worker, run.leaves = worker, False
        run.erp_free_s = self.now_s
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        if run.waited_s is None:
            run.waited_s = self.now_s - run.list.begins_s
        if self.is_away(run):
            self.at(self.now_s + UNREACHABLE_S, partial(self.put_off, run))
            return
        self.work(worker, self.costs.run, partial(self.send, run))

    def is_away(self, run: Run) -> bool:
        """Say whether a run's ERP cannot be reached now."""
        from_s, to_s = run.list.away
        return from_s <= self.now_s < to_s

    def send(self, run: Run) -> None:
        """Send what may be on its way, and end a run that has nothing left."""
        if run.worker is None:
            return  # a doubt was settled before it had begun to send, and was all that it had
        most = max(1, min(MOST_PORTIONS, round(run.list.calls)))
        while not run.leaves and run.on_their_way < most and (run.todo or run.made):
            if self.is_away(run):
                run.leaves = True
                break
            run.on_their_way += 1
            if run.made:
                numbers, run.made = run.made, 0
                self.record(run, numbers)
                continue
            numbers = min(PORTION, run.todo)
            run.todo -= numbers
            share_s = run.list.erp_s * numbers / run.list.numbers
            run.erp_free_s = max(run.erp_free_s, self.now_s) + share_s
            self.at(run.erp_free_s, partial(self.answered, run, numbers))
        if run.on_their_way:
            return
        if run.leaves:
            self.put_off(run)
        elif not (run.todo or run.made or run.settling):
            self.end(run)

    def answered(self, run: Run, numbers: int) -> None:
        """Take an answer of the ERP, or see that one call's got lost."""
        chunks = numbers / run.list.chunk
        if self.chance.random() >= 1.0 - (1.0 - run.list.lost) ** chunks:
            self.record(run, numbers)
            return
        lost = min(numbers, math.ceil(run.list.chunk))
        run.settling += lost
        made = self.chance.random() < 0.5
        settled_s = self.now_s + (MADE_S if made else WINDOW_S)
        self.at(settled_s, partial(self.settled, run, lost, made=made))
        self.record(run, numbers - lost)

    def settled(self, run: Run, numbers: int, *, made: bool) -> None:
        """Know of numbers in doubt that they were made, or let them travel again."""
        run.settling -= numbers
        if made:
            run.made += numbers
        else:
            run.todo += numbers
        if run.worker is not None:
            self.send(run)

    def record(self, run: Run, numbers: int) -> None:
        """Write down what was done."""
        assert run.worker is not None, run
        chunks = numbers / run.list.chunk

        def recorded() -> None:
            run.on_their_way -= 1
            run.done += numbers
            self.minutes[int(self.now_s // MINUTE_S)] += numbers
            self.send(run)

        cost = added((chunks, self.costs.chunk), (numbers, self.costs.pushed))
        self.work(run.worker, cost, recorded)

    def end(self, run: Run) -> None:
        """Give the place of a run that is done to the next."""
        run.ended_s = self.now_s
        self._let_go(run)

    def put_off(self, run: Run) -> None:
        """Try again later, as the fleet does with what was in vain."""
        if run.worker is None:
            return  # a doubt that was settled meanwhile has told it before
        again_s = self.now_s + next_try_in_s(run.vain)
        run.vain += 1
        self.at(again_s, partial(self.queue, run))
        self._let_go(run)

    def _let_go(self, run: Run) -> None:
        worker, run.worker = run.worker, None
        assert worker is not None, run
        self.open -= 1
        self.leave(self.line_of(run), worker)


def added(*parts: tuple[float, Cost]) -> Cost:
    """Return what several things cost together.

    >>> added((2, Cost(worker_s=1.0)), (1, Cost(worker_s=0.5, wal=3))).worker_s
    2.5
    """
    return Cost(
        sum(n * each.worker_s for n, each in parts),
        sum(n * each.reader_s for n, each in parts),
        sum(n * each.database_s for n, each in parts),
        sum(n * each.wal for n, each in parts),
        sum(n * each.size for n, each in parts),
    )
