r"""What a fleet costs: measured in small, and written down for the simulation of a day.

python -m tests.fleet.costs

One worker and a PostgreSQL of its own take lists of several lengths, in chunks of several sizes,
from folders to the end of their runs; sandboxes answer at once. Processor time, WAL and size are
read before and after. A list is looked after without being pushed where its window is closed. So
the cost of a list, of a chunk and of a number are told apart by least squares.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no types
import psycopg

from tests.fleet.thousands import (
    DUE,
    OLD_S,
    PLANNED,
    THERE,
    UNDONE,
    UNREAD,
    Thousands,
    settings_of,
    worlds,
    write_tenants,
)
from tests.fleet.thousands import postgres as own_postgres

PATIENCE_S = 900.0
IDLE_S = 30.0
MANY = 5000

SCHEDULE = (
    '\n[schedules.nightly]\ncron = "0 20 * * *"\njobs = "inbox/{name}"\nwindow = "{window}"\n'
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs a fleet: seconds of processors, and bytes.

    Attributes:
        worker_s: Of the worker's process.
        reader_s: Of the processes that read its lists.
        database_s: Of PostgreSQL.
        wal: Bytes that it writes ahead.
        size: Bytes by which its database grows.
    """

    worker_s: float = 0.0
    reader_s: float = 0.0
    database_s: float = 0.0
    wal: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Costs:
    """What all things cost.

    Attributes:
        look: At a list, whatever its length.
        listed: A number of a list, as it is read and written down.
        run: From its beginning to its end.
        chunk: With its looks before and after.
        pushed: A number of a chunk.
        idle: A second of a worker that has nothing to do for 5,000 tenants.
        worker_mb: Memory of a worker and of its readers that have nothing to do.
        run_mb: Memory of each run under way beside.
    """

    look: Cost
    listed: Cost
    run: Cost
    chunk: Cost
    pushed: Cost
    idle: Cost
    worker_mb: float
    run_mb: float


MEASURED = Costs(
    look=Cost(0.0291, 0.0055, 0.0235, 28_300, 25_900),
    listed=Cost(23e-6, 14e-6, 45e-6, 440, 300),
    run=Cost(0.0449, 0.0, 0.0234, 12_100, 7_450),
    chunk=Cost(0.0116, 0.0, 0.0072, 850, 0),
    pushed=Cost(198e-6, 0.0, 184e-6, 2_280, 700),
    idle=Cost(0.0136, 0.0, 0.0076, 3_900, 1_090),
    worker_mb=180,
    run_mb=5,
)
"""By `main`, in November 2026: Linux x86_64, two cores of an AMD EPYC that other processes kept
busy (a load of 11 to 17), Python 3.11.7, PostgreSQL 16.14 in memory."""

KEPT_SIZE = 500
"""Bytes of a number in a ledger in PostgreSQL, once vacuum has made room: see `ledger.md`."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Some tenants with a list each.

    Attributes:
        pushes: Whether the lists are pushed, or only written down.
    """

    tenants: int
    numbers: int
    chunk_size: int = 50
    pushes: bool = True


LOOKS = (Trial(60, 3, pushes=False), Trial(3, 2000, pushes=False), Trial(12, 2000, pushes=False))
RUNS = (
    Trial(60, 3),
    Trial(3, 2000, chunk_size=200),
    Trial(3, 2000, chunk_size=50),
    Trial(3, 2000, chunk_size=10),
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent by a moment, or between two.

    Attributes:
        memory_mb: Of a worker and its readers; of a trial, what came to it meanwhile.
    """

    cost: Cost
    chunks: int
    memory_mb: float

    def since(self, before: Spent) -> Spent:
        """Return what was spent meanwhile."""
        mine, theirs = asdict(self.cost), asdict(before.cost)
        cost = Cost(**{name: mine[name] - theirs[name] for name in mine})
        return Spent(cost, self.chunks - before.chunks, self.memory_mb)


def spent(fleet: Thousands) -> Spent:
    """Look at what the fleet has spent by now."""
    (backend,) = fleet.session.execute("SELECT pg_backend_pid()").fetchall()
    postmaster = psutil.Process(backend[0]).parent()
    # Those of sessions that have ended are their parent's.
    database_s = sum(postmaster.cpu_times()[:4])
    database_s += sum(sum(each.cpu_times()[:2]) for each in postmaster.children())
    (worker,) = (psutil.Process(each.pid) for each in fleet.crew)
    readers = worker.children(recursive=True)
    reader_s = sum(worker.cpu_times()[2:4]) + sum(sum(each.cpu_times()[:2]) for each in readers)
    wal = fleet.one("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
    there = fleet.one("SELECT (to_regclass('k3push.attempts') IS NOT NULL)::int")
    return Spent(
        Cost(
            worker_s=sum(worker.cpu_times()[:2]),
            reader_s=reader_s,
            database_s=database_s,
            wal=wal,
            size=fleet.one("SELECT pg_database_size(current_database())"),
        ),
        fleet.one("SELECT count(*) FROM k3push.attempts") if there else 0,
        sum(each.memory_info().rss for each in (worker, *readers)) / 2**20,
    )


def play(trial: Trial) -> Spent:
    """Let one worker take the lists of some tenants."""
    with (
        own_postgres() as url,
        worlds(trial.tenants, trial.numbers) as addresses,
        tempfile.TemporaryDirectory(prefix="k3push-costs-") as scratch,
        psycopg.connect(url, autocommit=True) as session,
    ):
        fleet = Thousands(Path(scratch), session, PATIENCE_S)
        _write(fleet.folder, addresses, url, trial)
        _begin(fleet, trial.tenants)
        try:
            before = spent(fleet)
            session.execute(DUE)
            fleet.wait(lambda: fleet.one(UNREAD) == 0)
            most_mb = before.memory_mb

            def over() -> bool:
                nonlocal most_mb
                most_mb = max(most_mb, spent(fleet).memory_mb)
                return not trial.pushes or fleet.one(UNDONE) == 0

            fleet.wait(over)
            whole = spent(fleet).since(before)
            return Spent(whole.cost, whole.chunks, most_mb - before.memory_mb)
        finally:
            fleet.crew[0].terminate()
            fleet.crew[0].wait()


def idle() -> Spent:
    """Let a worker serve thousands who have nothing to do; return what a second costs."""
    with (
        own_postgres() as url,
        tempfile.TemporaryDirectory(prefix="k3push-costs-") as scratch,
        psycopg.connect(url, autocommit=True) as session,
    ):
        fleet = Thousands(Path(scratch), session, PATIENCE_S)
        write_tenants(fleet.folder, ["http://127.0.0.1:9/K3Cloud/"] * MANY, url, lists=False)
        _begin(fleet, MANY)
        try:
            before, began_s = spent(fleet), time.monotonic()
            time.sleep(IDLE_S)
            found, took_s = spent(fleet).since(before), time.monotonic() - began_s
        finally:
            fleet.crew[0].terminate()
            fleet.crew[0].wait()
    cost = {name: value / took_s for name, value in asdict(found.cost).items()}
    return Spent(Cost(**cost), 0, found.memory_mb)


def _begin(fleet: Thousands, tenants: int) -> None:
    fleet.crew.append(fleet.start())
    fleet.wait(lambda: fleet.one(THERE) > 0)
    fleet.wait(lambda: fleet.one(PLANNED) == tenants)


def _write(folder: Path, addresses: Sequence[str], url: str, trial: Trial) -> None:
    (folder / "tenants").mkdir()
    hour = (time.localtime().tm_hour + 12) % 24
    window = "" if trial.pushes else f"{hour:02}:00-{(hour + 1) % 24:02}:00"
    for nth, address in enumerate(addresses):
        name, text = settings_of(nth, address, url)
        pace = f'halt = ""\nchunk_size = {trial.chunk_size}\nconcurrency = 4'
        text = text.replace('halt = ""', pace) + SCHEDULE.format(name=name, window=window)
        (folder / "tenants" / f"{name}.toml").write_text(text)
        inbox = folder / "tenants" / "inbox" / name
        inbox.mkdir(parents=True)
        path = inbox / "list.csv"
        path.write_text("number\n" + "".join(f"CGDD{n:07}\n" for n in range(trial.numbers)))
        old_s = time.time() - OLD_S
        os.utime(path, (old_s, old_s))


# -- costs out of trials --------------------------------------------------------------------------


def fit(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Return the parts, none below zero, whose sums come nearest to the values.

    Each row counts by its value, so that short lists are told as exactly as long ones.

    >>> [round(part, 6) for part in fit([[1, 3], [1, 2000]], [0.013, 2.01])]
    [0.01, 0.001]
    """
    weighed = [
        ([each / value for each in row], 1.0)
        for row, value in zip(rows, values, strict=True)
        if value > 0
    ]
    width = len(rows[0])
    parts = [0.0] * width
    squares = [sum(row[nth] ** 2 for row, _ in weighed) for nth in range(width)]
    for _ in range(20_000):  # one part after the other, until none moves
        moved = 0.0
        for nth in range(width):
            if not squares[nth]:
                continue
            rest = sum(
                row[nth] * (value - sum(a * b for a, b in zip(row, parts, strict=True)))
                for row, value in weighed
            )
            part = max(0.0, parts[nth] + rest / squares[nth])
            moved = max(moved, abs(part - parts[nth]))
            parts[nth] = part
        if moved < 1e-15:
            break
    return parts


def fitted(rows: Sequence[Sequence[float]], found: Sequence[Cost]) -> list[Cost]:
    """Part costs, each kind for itself."""
    kinds = list(asdict(Cost()))
    parts = {kind: fit(rows, [getattr(each, kind) for each in found]) for kind in kinds}
    return [Cost(**{kind: parts[kind][nth] for kind in kinds}) for nth in range(len(rows[0]))]


def measure() -> Costs:
    """Play all trials, and say what each thing costs."""

    def played(trial: Trial) -> Spent:
        found = play(trial)
        sys.stdout.write(json.dumps({**asdict(trial), **asdict(found)}) + "\n")
        sys.stdout.flush()
        return found

    looks = [played(trial) for trial in LOOKS]
    runs = [played(trial) for trial in RUNS]
    rows = [[trial.tenants, trial.tenants * trial.numbers] for trial in LOOKS]
    look, listed = fitted(rows, [each.cost for each in looks])
    pushing = []
    for trial, each in zip(RUNS, runs, strict=True):
        lists, numbers = trial.tenants, trial.tenants * trial.numbers
        whole, one, many = asdict(each.cost), asdict(look), asdict(listed)
        whole["reader_s"] = 0.0  # they read lists, and nothing else
        pushing.append(
            Cost(**{k: max(0.0, whole[k] - lists * one[k] - numbers * many[k]) for k in whole})
        )
    rows = [
        [trial.tenants, each.chunks, trial.tenants * trial.numbers]
        for trial, each in zip(RUNS, runs, strict=True)
    ]
    run, chunk, pushed = fitted(rows, pushing)
    resting = idle()
    reader_mb = max(each.memory_mb for each in looks)
    # Of short lists, so many are under way that four have begun before the first has ended.
    long_mb = max(
        each.memory_mb for trial, each in zip(RUNS, runs, strict=True) if trial.numbers > 3
    )
    worker_mb = resting.memory_mb + reader_mb
    run_mb = max(0.0, long_mb - reader_mb) / RUNS[-1].tenants
    return Costs(look, listed, run, chunk, pushed, resting.cost, worker_mb, run_mb)


def main() -> int:
    """Measure, and print what it came to."""
    told: dict[str, Any] = asdict(measure())
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
