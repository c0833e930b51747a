r"""A service for thousands of tenants: all schedules in one minute, and a dashboard for all.

python -m tests.fleet.thousands night --tenants 5000 --workers 3 --kill-every 10
python -m tests.fleet.thousands looks --tenants 5000 --runs 100000

`night` gives each tenant a list of three numbers and lets all be due at once; workers are killed
and started again meanwhile. When all is done, some tenants get a list of 200 numbers, and all are
due once more. `looks` fills a ledger with old runs, and times what is asked of it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]  # it has no types
import psycopg

from tests.cli.terminal import begin, end
from tests.fleet.night import SECRET, TENANT
from tests.postgres import PostgresServer

SCHEDULE = '\n[schedules.nightly]\ncron = "0 20 * * *"\njobs = "inbox/{name}"\n'
NUMBERS = 3
LARGE = 200
"""So many tenants have a list of as many numbers, when the small ones are done."""
A_PROCESS = 500
BUSY = 2
"""The tenant who has as many old runs as all others together."""

OLD_S = 3600.0
LOST = "database is away"
IDLE_S = 20.0

THERE = "SELECT (to_regclass('k3push_fleet.fleet_leader') IS NOT NULL)::int"
PLANNED = "SELECT count(*) FROM k3push_fleet.fleet_schedules"
DUE = "UPDATE k3push_fleet.fleet_schedules SET due_at = date_trunc('minute', now())"
UNREAD = (
    "SELECT count(*) FROM k3push_fleet.fleet_schedules "
    "WHERE wanted OR looker IS NOT NULL OR due_at <= now()"
)
RUNS = "SELECT count(*) FROM k3push_fleet.fleet_runs"
# Whose list a kill has cut short is no run: the list is read again, and makes another.
UNDONE = "SELECT count(*) FROM k3push_fleet.fleet_runs WHERE outcome IS NULL AND listed"


@contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a server of our own."""
    server = PostgresServer()
    try:
        yield server.url
    finally:
        server.close()


@contextmanager
def worlds(tenants: int, numbers: int = NUMBERS, large: int = 0) -> Iterator[list[str]]:
    """Give the addresses of sandboxes, some hundreds in a process.

    Args:
        tenants: How many sandboxes.
        numbers: Bills of each.
        large: The first ones have as many bills more, and are as many themselves.
    """
    processes = []
    addresses: list[str] = []
    large = min(large, tenants)
    firsts = [*range(0, large, A_PROCESS), *range(large, tenants, A_PROCESS)]
    try:
        for first, last in itertools.pairwise([*firsts, tenants]):
            count = last - first
            orders = numbers + (large if first < large else 0)
            command = [sys.executable, "-m", "tests.fleet.worlds", "--tenants", str(count)]
            process = subprocess.Popen(  # noqa: S603  # our own module
                [*command, "--orders", str(orders), "--first", str(first)],
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
            assert process.stdout is not None
            found = [process.stdout.readline().strip() for _ in range(count)]
            assert all(found), "a world did not begin"
            addresses += found
        yield addresses
    finally:
        for process in processes:
            process.kill()
            process.wait()


def settings_of(nth: int, address: str, url: str) -> tuple[str, str]:
    """Return the name of a tenant, and the text of its file without a schedule."""
    text = TENANT.format(
        url=address,
        acct_id=f"world{nth:02d}",
        secret=SECRET,
        connect_timeout_s=10,
        answer_timeout_s=60,
        ledger=url,
        first_wait_s=1,
        window_s=71,
    )
    return f"t{nth:05}", text


def write_tenants(folder: Path, addresses: list[str], url: str, *, lists: bool = True) -> None:
    """Write the tenants' files, and their lists where there are to be any."""
    (folder / "tenants").mkdir()
    for nth, address in enumerate(addresses):
        name, text = settings_of(nth, address, url)
        (folder / "tenants" / f"{name}.toml").write_text(text + SCHEDULE.format(name=name))
        inbox = folder / "tenants" / "inbox" / name
        inbox.mkdir(parents=True)
        if lists:
            write_list(inbox / "list.csv", 0)


def write_list(path: Path, first: int, numbers: int = NUMBERS) -> None:
    """Write a list that nobody has touched for long."""
    path.write_text("number\n" + "".join(f"CGDD{first + n:07}\n" for n in range(numbers)))
    old_s = time.time() - OLD_S
    os.utime(path, (old_s, old_s))


@dataclass
class Thousands:
    """A night of many tenants.

    Attributes:
        folder: Where their files are, and the log of all workers.
        session: Of the database.
        patience_s: How long anything may take.
    """

    folder: Path
    session: psycopg.Connection[tuple[Any, ...]]
    patience_s: float
    crew: list[subprocess.Popen[str]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    def start(self) -> subprocess.Popen[str]:
        """Start a worker."""
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(  # our own command
                [sys.executable, "-m", "k3push", "worker", "--tenants", "tenants"],
                cwd=self.folder,
                env={**os.environ, SECRET: "sandbox"},
                stdout=log,
                stderr=log,
                text=True,
            )

    def one(self, statement: str) -> int:
        """Return the number that a statement finds."""
        row = self.session.execute(statement.encode()).fetchone()
        return int(str(row[0])) if row else 0

    def wait(self, until: Callable[[], bool]) -> float:
        """Wait until something holds; return for how long."""
        began = time.monotonic()
        while not until():
            if time.monotonic() - began > self.patience_s:
                raise AssertionError((self.folder / "log").read_text()[-3000:])
            time.sleep(0.2)
        return time.monotonic() - began

    def idle(self) -> None:
        """Note what workers take of a core that have nothing to do."""
        processes = [psutil.Process(each.pid) for each in self.crew]
        before = [sum(each.cpu_times()[:2]) for each in processes]
        time.sleep(IDLE_S)
        spent = [sum(each.cpu_times()[:2]) for each in processes]
        percents = [(b - a) / IDLE_S * 100 for a, b in zip(before, spent, strict=True)]
        self.told["idle_percent"] = [round(each, 1) for each in percents]

    def play(self, kill_every_s: float) -> dict[str, Any]:
        """Let all be due at once, and workers be killed, until all is done; return what it took."""
        chance = random.Random(1)  # noqa: S311  # a trial that can be played again
        before, runs = self.spent(), self.one(RUNS)
        self.session.execute(DUE)
        began = killed_s = time.monotonic()
        kills = sessions = 0
        read_s = 0.0
        while time.monotonic() - began < self.patience_s and not (read_s and not self.one(UNDONE)):
            time.sleep(0.5)
            sessions = max(sessions, self.one("SELECT count(*) FROM pg_stat_activity"))
            if not read_s and self.one(UNREAD) == 0:
                read_s = time.monotonic() - began
            if kill_every_s and time.monotonic() - killed_s > kill_every_s:
                killed_s, kills = time.monotonic(), kills + 1
                victim = chance.randrange(len(self.crew))
                self.crew[victim].kill()
                self.crew[victim].wait()
                self.crew[victim] = self.start()
        runs = self.one(RUNS) - runs
        told: dict[str, Any] = {
            "last_list_read_s": round(read_s, 1),
            "all_done_s": round(time.monotonic() - began, 1),
            "undone": self.one(UNDONE),
            "runs": runs,
            "kills": kills,
            "most_sessions": sessions,
            "memory_mb": [psutil.Process(each.pid).memory_info().rss >> 20 for each in self.crew],
        }
        if not kills:  # what the dead have spent is gone with them
            after = self.spent()
            spent = {who: (after[who] - before[who]) / max(runs, 1) * 1000 for who in after}
            told["processor_ms_a_run"] = {who: round(ms, 1) for who, ms in spent.items()}
        return told

    def spent(self) -> dict[str, float]:
        """Return the seconds of a processor that workers and PostgreSQL have taken by now."""
        (backend,) = self.session.execute("SELECT pg_backend_pid()").fetchall()
        postmaster = psutil.Process(backend[0]).parent()
        # Those of sessions that have ended are their parent's.
        server = sum(postmaster.cpu_times()[:4])
        server += sum(sum(each.cpu_times()[:2]) for each in postmaster.children())
        workers = sum(sum(psutil.Process(each.pid).cpu_times()[:4]) for each in self.crew)
        return {"workers": workers, "postgres": server}

    def end(self) -> None:
        """Drain the workers, and look at what they have left."""
        for each in self.crew:
            each.terminate()
        for each in self.crew:
            each.wait()
        states = self.session.execute("SELECT state, sum(n)::int FROM k3push.tallies GROUP BY 1")
        self.told["numbers"] = {str(state): n for state, n in states.fetchall() if n}
        said = (self.folder / "log").read_text()
        self.told["stopped_for_the_database"] = said.count(LOST)


def night(tenants: int, workers: int, kill_every_s: float, patience_s: float) -> dict[str, Any]:
    """Play a night; say how long what took, and what was bounded."""
    with (
        postgres() as url,
        worlds(tenants, large=LARGE) as addresses,
        tempfile.TemporaryDirectory(prefix="k3push-thousands-") as scratch,
        psycopg.connect(url, autocommit=True) as session,
    ):
        played = Thousands(Path(scratch), session, patience_s)
        write_tenants(played.folder, addresses, url)
        played.told |= {"tenants": tenants, "workers": workers}
        played.crew += [played.start() for _ in range(workers)]
        played.wait(lambda: played.one(THERE) > 0)
        planned_s = played.wait(lambda: played.one(PLANNED) == tenants)
        played.told["planned_s"] = round(planned_s, 1)
        played.idle()
        played.told["three_numbers"] = played.play(kill_every_s)
        for nth in range(min(LARGE, tenants)):
            list_ = played.folder / "tenants" / "inbox" / f"t{nth:05}" / "large.csv"
            write_list(list_, NUMBERS, LARGE)
        played.told["large_lists"] = played.play(kill_every_s)
        played.end()
        played.told["documents_twice"] = twice(addresses)
    return played.told


def twice(addresses: list[str]) -> int:
    """Count the bills from which something was made twice, by the books of all worlds."""
    return sum(
        len({target["push"] for target in made}) > 1
        for books in books_of(addresses)
        for made in books["sources"].values()
    )


def books_of(addresses: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what really happened in each world."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        for address in addresses:
            yield client.get(address.replace("K3Cloud/", "sandbox/truth")).json()


# -- looks ----------------------------------------------------------------------------------------


def fill(url: str, tenants: int, runs: int) -> None:
    """Write old runs of all tenants and as many of a busy one, and a queue that knows them."""
    from k3push.adapters.ledger.postgres import migrate  # noqa: PLC0415
    from k3push.adapters.ledger.postgres.database import Server  # noqa: PLC0415
    from k3push.fleet.queue_opening import open_queue  # noqa: PLC0415

    async def made() -> None:
        await migrate(url, create=True)
        async with open_queue(Server.of(url), create=True):
            pass

    asyncio.run(made())
    route = {"name": "po-instock", "source": "PUR_PurchaseOrder", "target": "STK_InStock"}
    with psycopg.connect(url, autocommit=True) as session:
        values = {"tenants": tenants, "runs": runs, "busy": BUSY, "route": json.dumps(route)}
        session.execute(
            """
            INSERT INTO k3push.runs (id, account, scope, route, jobs, folder, started_at, ended_at,
                exit, whole, listed)
            SELECT 'run-' || n, account, account || '|pur_purchaseorder|stk_instock',
                %(route)s, '["list.csv"]', '', at, at, 0, 1, 3
            FROM (
                SELECT n, 'world' || CASE WHEN nth < 10 THEN '0' ELSE '' END || nth AS account,
                    to_char(now() - n * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
                FROM generate_series(1, 2 * %(runs)s) AS n CROSS JOIN LATERAL (
                    SELECT CASE WHEN n > %(runs)s THEN %(busy)s ELSE n %% %(tenants)s END AS nth
                ) AS whose
            ) AS each
            """,
            values,
        )
        session.execute(
            """
            INSERT INTO k3push.rows (run, place, line, number, bill, state, account_hash)
            SELECT key, place, place + 1, 'CGDD' || lpad((key * 3 + place)::text, 8, '0'),
                'CGDD' || lpad((key * 3 + place)::text, 8, '0'), 'pushed',
                ('x' || left(encode(sha256(account::bytea), 'hex'), 8))::bit(32)::int
            FROM k3push.runs, generate_series(1, 3) AS place
            """
        )
        session.execute(
            "INSERT INTO k3push.tallies (run, state, shard, n) SELECT key, 'pushed', 0, 3 "
            "FROM k3push.runs"
        )
        session.execute(
            """
            INSERT INTO k3push_fleet.fleet_runs (tenant, run, lock, send_window, time_zone, listed,
                outcome, exit, ended_at)
            SELECT 't' || lpad((n %% %(tenants)s)::text, 5, '0'), 'run-' || n, '', '', '', true,
                'done', 0, now() - n * interval '1 minute'
            FROM generate_series(1, %(runs)s) AS n
            """,
            values,
        )
        session.execute("VACUUM ANALYZE")


def looks(tenants: int, runs: int) -> dict[str, Any]:
    """Time what a dashboard and `fleet status` are asked for."""
    with postgres() as url, tempfile.TemporaryDirectory(prefix="k3push-thousands-") as scratch:
        folder = Path(scratch)
        write_tenants(folder, ["http://127.0.0.1:9/K3Cloud/"] * tenants, url)
        fill(url, tenants, runs)
        told: dict[str, Any] = {"tenants": tenants, "runs": runs}
        began = time.monotonic()
        process = begin(folder, "serve", "--port", "0", "--tenants", "tenants")
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        told["serve_begins_s"] = round(time.monotonic() - began, 1)
        base = "/".join(address.split("/")[:3])
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=300) as client:
            client.get(address)
            pages = {
                "first_page": "/",
                "tenant": "/t/t00001/",
                "search": "/numbers?q=CGDD00000300",
                "search_part": "/numbers?q=GDD00000300",
                "search_tenant": "/t/t00001/numbers?q=CGDD00000300",
                "busy_tenant": f"/t/t{BUSY:05}/",
                "busy_tenant_by_list": f"/t/t{BUSY:05}/?words=list.csv",
                "busy_tenant_by_nothing": f"/t/t{BUSY:05}/?words=nothing",
                "metrics_first": "/metrics",
                "metrics": "/metrics",
            }
            for name, path in pages.items():
                times = []
                for _ in range(1 if name == "metrics_first" else 5):
                    if name == "metrics":
                        time.sleep(2)  # so that they are made anew
                    began = time.monotonic()
                    answer = client.get(base + path)
                    times.append(time.monotonic() - began)
                    assert answer.status_code in {200, 404}, answer.text
                told[f"{name}_s"] = round(sorted(times)[len(times) // 2], 3)
        told["serve_mb"] = psutil.Process(process.pid).memory_info().rss >> 20
        process.terminate()
        end(process)
        config = ("--config", f"tenants/t{BUSY:05}.toml")
        commands = {
            "fleet_status": ("fleet", "status", "--json"),
            "busy_status": ("status", "run-9999", *config),
            "busy_runs": ("runs", "--limit", "20", *config),
            "busy_runs_by_nothing": ("runs", "--find", "nothing", *config),
        }
        for name, words in commands.items():
            times = []
            for _ in range(3):
                began = time.monotonic()
                end(begin(folder, *words, environment={SECRET: "sandbox"}))
                times.append(time.monotonic() - began)
            told[f"{name}_s"] = round(sorted(times)[1], 2)
    return told


def main() -> int:
    """Play one of them; print what it came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("night", "looks"))
    parser.add_argument("--tenants", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--kill-every", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--patience", type=float, default=1800.0, metavar="SECONDS")
    options = parser.parse_args()
    if options.what == "looks":
        told = looks(options.tenants, options.runs)
    else:
        told = night(options.tenants, options.workers, options.kill_every, options.patience)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
