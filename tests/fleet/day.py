r"""A day of a service on virtual time: 5,000 tenants with 10,000 numbers each, and what it takes.

python -m tests.fleet.day --tenants 5000 --numbers 10000 --workers 2 --seed 1
python -m tests.fleet.day --hosts 4 --concurrency 32 --database-cores 8
python -m tests.fleet.day --hosts 4 --first-come

Each tenant has a schedule and an ERP of its own, drawn by seed; the ERPs are those that the pace
is measured on (`tests.benchmarks.draws`), so that they differ by more than real ones do. Some more
tenants have three numbers. The day begins at noon, each list is due once, and goes on until all is
done. `day_model` plays it, with what `costs` has measured.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from k3push.config.settings import MOST_SPREAD_S
from k3push.core.cron import Cron
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.samples import CallSample
from k3push.fleet.due_schedules import PLACES, spread
from k3push.fleet.turns import PLACES_FOR_SHORT
from k3push.fleet.worker_ledgers import CONNECTIONS
from tests.benchmarks.draws import draw, quantile
from tests.benchmarks.model import ModelledRun
from tests.fleet.costs import KEPT_SIZE, MEASURED, Cost, Costs
from tests.fleet.day_model import MINUTE_S, Day, Fleet, TenantList, added

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 26, 12, tzinfo=ZONE)
NIGHT = (NOON.replace(hour=22), NOON.replace(hour=6) + timedelta(days=1))
HOUR_S = 3600

SCHEDULE = "nightly"
NIGHTLY = 0.85
HOURS = {22: 6, 23: 4, 0: 4, 1: 3, 2: 2, 3: 1, 4: 1, 5: 1}
"""How often a night's schedule begins in which hour."""

MINUTES = {(0,): 60, (30,): 20, tuple(range(0, 60, 5)): 12, tuple(range(60)): 8}
"""Of which minutes a schedule is, and how often."""

SPREADS_S = (0, 600, MOST_SPREAD_S)
LOST = (0.0, 0.0, 0.0001, 0.001)
AWAY = 0.02
LONGEST_AWAY_S = 2 * HOUR_S
SMALL = 3

QUEUE_CONNECTIONS = 5
"""Of a worker: four to the queue and one for its sign of life."""

OUT_OF_ROOM = 0.9
"""A part of a resource in its busiest hour, from which on it is what limits."""

LONG_S = 60.0
ENOUGH = 0.99
"""Of a night's lists, so many are to be done by its end."""

KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class Erp:
    """What a list takes in a drawn ERP, by the model of a run.

    Attributes:
        erp_s: From its login to its last record.
        chunk: Numbers in a call, in the mean.
        calls: Calls at once, in the mean.
    """

    erp_s: float
    chunk: float
    calls: float


class _Counting(Pace):
    """Counts the calls that tell the pace how long they took."""

    def __init__(self) -> None:
        super().__init__()
        self.pushes = self.numbers = self.at_once = 0

    def add(
        self, sample: CallSample, *, concurrency: int | None = None, chunk_size: int | None = None
    ) -> None:
        """Count a call."""
        if sample.numbers:
            self.pushes += 1
            self.numbers += sample.numbers
            self.at_once += sample.at_once
        super().add(sample, concurrency=concurrency, chunk_size=chunk_size)


def erp_of(seed: int, numbers: int) -> Erp:
    """Draw an ERP, and let a list go through it."""
    pace = _Counting()
    took_s = ModelledRun(draw(seed, numbers), pace, None, math.inf).run()
    assert took_s is not None, seed
    pushes = max(1, pace.pushes)
    return Erp(took_s, pace.numbers / pushes, pace.at_once / pushes)


def draw_lists(seed: int, tenants: int, numbers: int, small: int, servers: int) -> list[TenantList]:
    """Draw the lists of a day.

    Args:
        seed: Of all that is drawn.
        tenants: With a list of *numbers*.
        numbers: Of each of them.
        small: Tenants beside them, with three numbers each.
        servers: ERPs that differ; each tenant has one that is as one of them.
    """
    able = _able(seed, numbers, servers)
    small_lists = [erp_of(kind, SMALL) for kind in able]
    lists = []
    for count, size, letter, erps in (
        (tenants, numbers, "t", list(able.values())),
        (small, SMALL, "s", small_lists),
    ):
        for nth in range(count):
            name = f"{letter}{nth:05}"
            chance = random.Random(f"{seed}/{name}")  # noqa: S311  # no secret hangs on it
            lists.append(_list_of(name, size, chance.choice(erps), chance))
    return lists


def _able(seed: int, numbers: int, count: int) -> Mapping[int, Erp]:
    """Draw ERPs that can do the list in a night; others would not be given it every night."""
    found: dict[int, Erp] = {}
    kinds = iter(range(seed * 1_000_000, (seed + 1) * 1_000_000))
    while len(found) < count:
        kind = next(kinds)
        erp = erp_of(kind, numbers)
        if erp.erp_s <= (NIGHT[1] - NIGHT[0]).total_seconds():
            found[kind] = erp
    return found


def _list_of(name: str, numbers: int, erp: Erp, chance: random.Random) -> TenantList:
    hours = HOURS if chance.random() < NIGHTLY else dict.fromkeys(range(6, 22), 1)
    (hour,) = chance.choices(list(hours), list(hours.values()))
    (minutes,) = chance.choices(list(MINUTES), list(MINUTES.values()))
    due = Cron(f"{chance.choice(minutes)} {hour} * * *", ZONE).next_after(NOON)
    begins_s = (due - NOON).total_seconds() + spread(name, SCHEDULE, chance.choice(SPREADS_S))
    lost = chance.choice(LOST)
    away_s = chance.uniform(0, LONGEST_AWAY_S) if chance.random() < AWAY else 0.0
    away_from_s = begins_s + chance.uniform(-1, 1) * HOUR_S
    return TenantList(
        name,
        begins_s,
        numbers,
        erp.erp_s,
        erp.chunk,
        erp.calls,
        lost,
        (away_from_s, away_from_s + away_s),
    )


# -- what it came to ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What a fleet's day came to.

    Attributes:
        read_s: From a list's beginning until it was read, the longest of all.
        done_s: From noon until all was done.
        in_time: The part of the night's lists that were done by its end, of those whose ERP
            alone lets them.
        busiest: Numbers of the busiest minute.
        worker_cores: That all workers and readers took in their busiest minute.
        database_cores: That PostgreSQL took in its busiest minute.
        disk_mb_s: That was written in the busiest minute.
        most_open: Runs at once.
        small_s: How long a tenant of three numbers waited: median, slowest 1 %, slowest.
        connections: To PostgreSQL, at most.
        host_mb: Memory of a host's workers.
        limit: What limits first, in the busiest hour.
    """

    fleet: Fleet
    read_s: float
    done_s: float
    in_time: float
    busiest: int
    worker_cores: float
    database_cores: float
    disk_mb_s: float
    most_open: int
    small_s: tuple[float, float, float]
    connections: int
    host_mb: float
    limit: str


def tell(day: Day) -> Told:
    """Sum a day up."""
    fleet, costs, runs = day.fleet, day.costs, day.runs
    workers = fleet.hosts * fleet.workers
    cores = defaultdict[int, float](float)
    for worker in day.workers:
        for minute, busy_s in worker.core.minutes.items():
            cores[minute] += busy_s
    at_once = fleet.concurrency + (PLACES_FOR_SHORT if fleet.fair else 0)
    small = [run.waited_s or 0.0 for run in runs if run.list.numbers == SMALL] or [0.0]
    night_s = [(edge - NOON).total_seconds() for edge in NIGHT]
    nightly = [
        run
        for run in runs
        if night_s[0] <= run.list.begins_s and run.list.begins_s + run.list.erp_s <= night_s[1]
    ]
    in_time = sum((run.ended_s or math.inf) <= night_s[1] for run in nightly)
    waited = [run.waited_s or 0.0 for run in runs]
    idle_s = workers * costs.idle.worker_s
    used = {
        "the hosts' cores": (_busiest(cores, HOUR_S) + idle_s) / workers,
        "the database": (_busiest(day.database.minutes, HOUR_S) + day.idle_database_s)
        / fleet.database_cores,
        "the disk": _busiest(day.disk.minutes, HOUR_S),
    }
    limit = max(used, key=lambda name: used[name])
    if used[limit] < OUT_OF_ROOM:
        limit = "places for runs" if quantile(waited, 0.99) > LONG_S else "the ERPs"
    return Told(
        fleet,
        read_s=max((run.read_s or math.inf) - run.list.begins_s for run in runs),
        done_s=max(run.ended_s or math.inf for run in runs),
        in_time=in_time / max(1, len(nightly)),
        busiest=max(day.minutes.values()),
        worker_cores=_busiest(cores) + idle_s,
        database_cores=_busiest(day.database.minutes) + day.idle_database_s,
        disk_mb_s=_busiest(day.disk.minutes) * fleet.disk_mb_s,
        most_open=day.most_open,
        small_s=(quantile(small, 0.5), quantile(small, 0.99), max(small)),
        connections=workers * (QUEUE_CONNECTIONS + CONNECTIONS + PLACES + at_once),
        host_mb=fleet.workers * (costs.worker_mb + at_once * costs.run_mb),
        limit=limit,
    )


def _busiest(minutes: Mapping[int, float], length_s: int = MINUTE_S) -> float:
    """Return how many cores were busy in the busiest minute, or hour.

    >>> _busiest({0: 30.0, 59: 90.0, 60: 60.0}), _busiest({0: 30.0, 59: 90.0, 60: 60.0}, 3600)
    (1.5, 0.03333333333333333)
    """
    spans = defaultdict[int, float](float)
    for minute, busy_s in minutes.items():
        spans[minute * MINUTE_S // length_s] += busy_s
    return max(spans.values(), default=0.0) / length_s


def line_of(told: Told) -> str:
    """Write a fleet's day as a line of a table."""
    fleet = told.fleet
    cells = (
        f"{fleet.hosts}",
        f"{fleet.places} ({told.most_open})",
        _span(told.read_s),
        _clock(told.done_s),
        f"{told.in_time:.1%}",
        f"{told.busiest:,}",
        f"{told.worker_cores:.1f}",
        f"{told.database_cores:.1f}",
        f"{told.disk_mb_s:.0f} MB/s",
        "; ".join(_span(each) for each in told.small_s),
        f"{told.connections}",
        f"{told.host_mb / 1000:.1f} GB",
        told.limit,
    )
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "hosts",
    "runs at once (most)",
    "slowest look",
    "all done",
    "in time",
    "numbers, busiest minute",
    "cores of workers",
    "of the database",
    "disk",
    "three numbers wait: median; slowest 1 %; slowest",
    "connections",
    "memory of a host",
    "limits first",
)


def _span(seconds: float) -> str:
    """Say how long something took.

    >>> _span(1.24), _span(61), _span(7300), _span(200_000)
    ('1.2 s', '61 s', '2.0 h', '2.3 days')
    """
    for unit, length_s, digits in (("days", 24 * HOUR_S, 1), ("h", HOUR_S, 1), ("min", 60, 0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.{digits}f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _clock(seconds: float) -> str:
    """Say when something was, and how many days after the night.

    >>> _clock(12 * 3600), _clock(60 * 3600)
    ('00:00', '00:00, 2 days later')
    """
    moment = NOON + timedelta(seconds=seconds)
    days = (moment.date() - NIGHT[1].date()).days
    later = "" if days <= 0 else ", a day later" if days == 1 else f", {days} days later"
    return f"{moment:%H:%M}{later}"


def cost_of(lists: Sequence[TenantList], costs: Costs) -> Cost:
    """Return what all lists cost, if no answer gets lost."""
    numbers = sum(each.numbers for each in lists)
    chunks = sum(each.numbers / each.chunk for each in lists)
    return added(
        (len(lists), costs.look),
        (numbers, costs.listed),
        (len(lists), costs.run),
        (chunks, costs.chunk),
        (numbers, costs.pushed),
    )


def growth(numbers: int, whole: Cost) -> Mapping[str, float]:
    """Return what a day writes, and what stays of it and of more, in GB."""
    kept = numbers * KEPT_SIZE / 1e9
    return {
        "WAL a day": whole.wal / 1e9,
        "database a day": kept,
        "a year": 365 * kept,
        "400 days": KEPT_DAYS * kept,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Play a day for fleets of several sizes, and print what it came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5000)
    parser.add_argument("--numbers", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=500, help="tenants of three numbers beside")
    parser.add_argument("--servers", type=int, default=100, help="ERPs that differ")
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--workers", type=int, default=2, help="of each host, and its cores")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[4, 32])
    parser.add_argument("--database-cores", type=int, default=4)
    parser.add_argument("--disk", type=float, default=100.0, metavar="MB_S")
    parser.add_argument("--first-come", action="store_true", help="as if all went in one line")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    fleets = [
        Fleet(
            hosts,
            options.workers,
            concurrency,
            options.database_cores,
            options.disk,
            fair=not options.first_come,
        )
        for concurrency in options.concurrency
        for hosts in options.hosts
    ]
    lists = draw_lists(
        options.seed, options.tenants, options.numbers, options.small, options.servers
    )
    numbers = sum(each.numbers for each in lists)
    erp_s = sorted(each.erp_s for each in lists if each.numbers != SMALL)
    sys.stdout.write(
        f"seed {options.seed}: {len(lists):,} lists, {numbers:,} numbers; an ERP takes "
        f"{quantile(erp_s, 0.5):,.0f} s for a list (median), {sum(erp_s) / len(erp_s):,.0f} s "
        f"(mean), {erp_s[-1]:,.0f} s at most\n"
    )
    whole = cost_of(lists, MEASURED)
    sys.stdout.write(
        f"hours of a core: workers {whole.worker_s / HOUR_S:,.1f}, "
        f"readers {whole.reader_s / HOUR_S:,.1f}, database {whole.database_s / HOUR_S:,.1f}\n"
    )
    for what, gigabytes in growth(numbers, whole).items():
        sys.stdout.write(f"{what}: {gigabytes:,.1f} GB\n")
    sys.stdout.write(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n")
    enough: dict[int, int] = {}
    for fleet in fleets:
        day = Day(lists, fleet, MEASURED, options.seed)
        day.play()
        told = tell(day)
        if told.in_time >= ENOUGH:
            fewest = min(fleet.hosts, enough.get(fleet.concurrency, fleet.hosts))
            enough[fleet.concurrency] = fewest
        sys.stdout.write(line_of(told) + "\n")
        sys.stdout.flush()
    for concurrency, hosts in enough.items():
        sys.stdout.write(
            f"{hosts} hosts with --concurrency {concurrency} are enough for the night\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
