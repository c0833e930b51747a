"""A night of many tenants on several workers, which are killed, paused and cut off."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.request import ProxyHandler, build_opener

import anyio
import psutil  # type: ignore[import-untyped]  # it has no types
import psycopg

from k3push.adapters.ledger.postgres import open_postgres
from k3push.core.model import Run, RunId
from k3push.reporting.table_files import records_of
from k3push.runs.kept_in_ledger.row_pages import followed_pages_of
from tests.cli.terminal import Rows, assert_true, begin, end, orders, until
from tests.postgres import PostgresServer

PASSWORD = "sandbox"
SECRET = "WORLD_PASSWORD"

TENANT = """\
[erp]
url = "{url}"
acct_id = "{acct_id}"
username = "sandbox"
password = {{ env = "{secret}" }}
connect_timeout_s = {connect_timeout_s}
answer_timeout_s = {answer_timeout_s}

[ledger]
url = "{ledger}"

[run]
halt = ""

[settle]
first_wait_s = {first_wait_s}
poll_s = {first_wait_s}
window_s = {window_s}

[routes.po-instock]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""

# Late work is done long before the window of `TENANT` is over.
NIGHT = """\
session_calls = 150

[seeded]
rate = 0.1
seed = {seed}
most = 40
faults = ["reset", "make-then-reset", "make-then-close", "make-then-html-502", "html-503",
  "make-then-cut-off", "make-then-empty", "response-error", "make-then-response-error-text",
  "late-commit:1", "edit-lock", "call-limit", "lose-session", "drop-one", "gzip"]
"""

WORLDS_PATIENCE_S = 120.0
FINAL = {"pushed", "already"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done to a fleet.

    Attributes:
        kill_every_s: A worker is killed and another started, so often; 0 never.
        kills: At most so many times.
        restarts: How often PostgreSQL crashes and comes back.
        pause: A worker is stopped past its heartbeat, and woken.
        cut_off: PostgreSQL answers nobody for some seconds.
        clock: How far off the clock of one worker is, for `faketime`; "" is not at all.
    """

    tenants: int = 30
    numbers: int = 2000
    workers: int = 3
    concurrency: int = 4
    kill_every_s: float = 3.0
    kills: int = 10_000
    restarts: int = 2
    pause: bool = True
    cut_off: bool = True
    clock: str = ""
    faults: bool = True
    latency_s: float = 0.0
    options: str = ""
    window_s: float = 10.0
    seed: int = 1
    patience_s: float = 1800.0


@dataclass
class Night:
    """A fleet at work: one server, one process of worlds, workers.

    Attributes:
        workers: Processes that live, the oldest first.
        ends: What each dead worker said; a SIGKILL leaves what it had said before.
        told: What was done to them, for the report.
    """

    plan: Plan
    folder: Path
    server: PostgresServer
    ledger: str
    urls: list[str]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    _logs: dict[int, IO[bytes]] = field(default_factory=dict)
    _started: int = 0

    # -- the tenants --------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Name the tenants."""
        return [f"tenant{index:02d}" for index in range(self.plan.tenants)]

    def configure(self) -> None:
        """Write the tenants' files and their lists."""
        (self.folder / "tenants").mkdir(exist_ok=True)
        for name, url in zip(self.names(), self.urls, strict=True):
            text = TENANT.format(
                url=url,
                acct_id=_account(name),
                secret=SECRET,
                ledger=self.ledger,
                first_wait_s=min(1.0, self.plan.window_s / 5),
                window_s=self.plan.window_s,
                # Together they must be shorter than the window.
                connect_timeout_s=self.plan.window_s * 0.2,
                answer_timeout_s=self.plan.window_s * 0.7,
            )
            options = f"[run]\n{self.plan.options}"
            (self.folder / "tenants" / f"{name}.toml").write_text(
                text.replace("[run]", options), "utf-8"
            )
            lines = ["number", *orders(self.plan.numbers)]
            (self.folder / f"{name}.csv").write_text("\n".join(lines), "utf-8")

    def enqueue(self) -> None:
        """Queue each tenant's list, from a host that has no secret."""
        with ThreadPoolExecutor(2) as people:
            list(people.map(self._enqueue, self.names()))

    def _enqueue(self, name: str) -> None:
        command = ("enqueue", f"{name}.csv", "--config", f"tenants/{name}.toml")
        ran = end(begin(self.folder, *command), patience_s=WORLDS_PATIENCE_S)
        assert ran.exit == 0, ran

    # -- the workers --------------------------------------------------------------------------

    def start(self, clock: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        self._started += 1
        name = f"w{self._started}"
        log = (self.folder / f"{name}.log").open("wb")
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        clean |= {SECRET: PASSWORD} | environment
        wrapper = ["faketime", "-m", "-f", clock] if clock else []
        if clock:
            # Timers that go by an unchangeable clock go on as they are.
            clean["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [
                *wrapper,
                *(sys.executable, "-m", "k3push", "worker", "--name", name),
                *("--concurrency", str(self.plan.concurrency)),
            ],
            cwd=self.folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._logs[process.pid] = log
        self.workers.append(process)
        return process

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker as the power does."""
        self.signal(worker, signal.SIGKILL)
        worker.wait()
        self._forget(worker)

    def drain(self, worker: subprocess.Popen[bytes], patience_s: float = 60.0) -> int:
        """Tell a worker that has begun to end; return its exit code."""
        until(lambda: "serves" in self.log_of(worker))
        self.signal(worker, signal.SIGTERM)
        code = worker.wait(patience_s)
        self._forget(worker)
        return code

    def signal(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Send a signal to a worker, and to nothing but it."""
        if number == signal.SIGTERM and (inner := psutil.Process(worker.pid).children()):
            inner[0].send_signal(number)  # the wrapper of a clock does not hand it on
        else:
            os.killpg(worker.pid, number)

    def log_of(self, worker: subprocess.Popen[bytes]) -> str:
        """Return what a worker that lives has said."""
        return Path(self._logs[worker.pid].name).read_text("utf-8", "replace")

    def said(self) -> str:
        """Return what all workers have said."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text('utf-8', 'replace')}"
            for path in sorted(self.folder.glob("w*.log"))
        )

    def _forget(self, worker: subprocess.Popen[bytes]) -> None:
        self._logs.pop(worker.pid).close()
        self.workers.remove(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in list(self.workers):
            self.kill(worker)

    # -- how it stands ------------------------------------------------------------------------

    def open_runs(self) -> int | None:
        """Count the runs that are not done; None where PostgreSQL does not answer."""
        try:
            with psycopg.connect(self.ledger, autocommit=True, connect_timeout=2) as session:
                query = "SELECT count(*) FROM k3push_fleet.fleet_runs WHERE outcome IS NULL"
                row = session.execute(query).fetchone()
                return int(row[0]) if row else None
        except psycopg.Error:
            return None

    def outcomes(self) -> dict[str, tuple[str | None, int | None, str]]:
        """Return how each tenant's run ended."""
        with psycopg.connect(self.ledger, autocommit=True) as session:
            query = "SELECT tenant, outcome, exit, why FROM k3push_fleet.fleet_runs"
            return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query)}

    def truth(self, tenant: int) -> dict[str, Any]:
        """Return what really happened in a tenant's ERP."""
        opener = build_opener(ProxyHandler({}))
        url = self.urls[tenant].replace("K3Cloud/", "sandbox/truth")
        with opener.open(url, timeout=60) as answer:
            return dict(json.load(answer))

    # -- the end ------------------------------------------------------------------------------

    def check_ledgers(self) -> int:
        """Hold every ledger against its world; return how many documents there are."""
        rows = anyio.run(self._rows)
        documents = 0
        for index, name in enumerate(self.names()):
            until(partial(self._is_at_rest, index), 60.0)
            truth = self.truth(index)
            assert_true(rows[name], truth)
            assert [row["number"] for row in rows[name]] == orders(self.plan.numbers), name
            states = {row["state"] for row in rows[name]}
            assert states <= FINAL, (name, states)
            assert len(truth["sources"]) == self.plan.numbers, name
            documents += len(truth["sources"])
        return documents

    def _is_at_rest(self, tenant: int) -> bool:
        return bool(self.truth(tenant)["work_to_come"] == 0)

    async def _rows(self) -> dict[str, Rows]:
        """Read the rows of each tenant's one run."""
        with psycopg.connect(self.ledger, autocommit=True) as session:
            query = "SELECT tenant, run FROM k3push_fleet.fleet_runs"
            runs: dict[str, RunId] = dict(session.execute(query).fetchall())
        found: dict[str, Rows] = {}
        async with open_postgres(self.ledger, account="", create=False) as shared:
            for tenant, run_id in runs.items():
                ledger = shared.of_account(_account(tenant))
                run: Run | None = await ledger.run(run_id)
                assert run is not None
                found[tenant] = [
                    {key: str(value) for key, value in record._asdict().items()}
                    async for rows in followed_pages_of(ledger, run)
                    for record in records_of(rows, run)
                ]
        return found

    def count(self, what: str) -> None:
        """Note what was done."""
        self.told[what] = self.told.get(what, 0) + 1


@contextmanager
def worlds(plan: Plan, folder: Path) -> Iterator[list[str]]:
    """Serve the tenants' ERPs from one process of their own."""
    faults = "none"
    if plan.faults:
        faults = str(folder / "night.toml")
        Path(faults).write_text(NIGHT.format(seed=plan.seed), "utf-8")
    log = (folder / "worlds.log").open("wb")
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        [
            *(sys.executable, "-m", "tests.fleet.worlds", "--faults", faults),
            *("--tenants", str(plan.tenants), "--orders", str(plan.numbers)),
            *("--seed", str(plan.seed), "--latency", str(plan.latency_s)),
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield [process.stdout.readline().strip() for _ in range(plan.tenants)]
    finally:
        process.kill()
        process.wait()
        log.close()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def night(plan: Plan, folder: Path, server: PostgresServer, ledger: str) -> Iterator[Night]:
    """Set a fleet up, its lists queued and no worker started."""
    with worlds(plan, folder) as urls:
        fleet = Night(plan, folder, server, ledger, urls)
        fleet.configure()
        fleet.enqueue()
        try:
            yield fleet
        finally:
            fleet.close()


def torment(fleet: Night) -> float:
    """Let workers come and go until all runs are done; return the seconds that took."""
    plan = fleet.plan
    chance = random.Random(plan.seed)  # noqa: S311  # no secret
    began_s = time.monotonic()
    for index in range(plan.workers):
        fleet.start(plan.clock if index == 0 else "")
    next_kill_s = began_s + plan.kill_every_s
    troubles = _troubles(plan, chance)
    next_trouble_s = began_s + 6.0
    while (left := fleet.open_runs()) != 0:
        now_s = time.monotonic()
        assert now_s - began_s < plan.patience_s, (left, fleet.said()[-4000:])
        if plan.kill_every_s and now_s >= next_kill_s and fleet.told.get("kills", 0) < plan.kills:
            fleet.kill(chance.choice(fleet.workers))
            fleet.count("kills")
            fleet.start(plan.clock if chance.random() < 1 / plan.workers else "")
            next_kill_s = now_s + plan.kill_every_s * chance.uniform(0.5, 1.5)
        if troubles and now_s >= next_trouble_s:
            _make(troubles.pop(0), fleet, chance)
            next_trouble_s = time.monotonic() + chance.uniform(4, 8)
        time.sleep(0.25)
    assert not troubles, f"the night was over before {troubles}"
    return time.monotonic() - began_s


def _troubles(plan: Plan, chance: random.Random) -> list[str]:
    troubles = ["restarts"] * plan.restarts
    troubles += ["pauses"] * plan.pause + ["cuts"] * plan.cut_off
    chance.shuffle(troubles)
    return troubles


def _make(trouble: str, fleet: Night, chance: random.Random) -> None:
    match trouble:
        case "restarts":
            fleet.server.restart("immediate")
        case "pauses":
            _pause(chance.choice(fleet.workers), fleet)
        case "cuts":
            _cut_off(fleet, chance.uniform(3, 6))
    fleet.count(trouble)


def _pause(worker: subprocess.Popen[bytes], fleet: Night, seconds: float = 26.0) -> None:
    """Stop a worker until others have taken its runs up, then let it go on."""
    fleet.signal(worker, signal.SIGSTOP)
    time.sleep(seconds)
    fleet.signal(worker, signal.SIGCONT)


def _cut_off(fleet: Night, seconds: float) -> None:
    """Stop PostgreSQL with all of its processes, which then answer nobody."""
    with psycopg.connect(fleet.ledger, autocommit=True) as session:
        row = session.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        postmaster = psutil.Process(row[0]).parent()
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    time.sleep(seconds)
    for process in reversed(family):
        process.resume()


def report(fleet: Night, seconds: float, documents: int) -> str:
    """Say what a night came to."""
    plan = fleet.plan
    done = ", ".join(f"{count} {what}" for what, count in sorted(fleet.told.items()))
    exits = sorted({exit_code for _, exit_code, _ in fleet.outcomes().values() if exit_code})
    return (
        f"{plan.tenants} tenants × {plan.numbers} numbers on {plan.workers} workers: "
        f"{seconds:.0f} s, {documents} documents, none twice; {done or 'untroubled'}"
        f"{f'; exits {exits}' if exits else ''}"
    )


def lines_of(said: str, words: Sequence[str]) -> list[str]:
    """Return the lines that hold any of *words*."""
    return [line for line in said.splitlines() if any(word in line for word in words)]


def _account(tenant: str) -> str:
    return tenant.replace("tenant", "world")
