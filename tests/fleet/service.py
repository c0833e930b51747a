"""Plays drawn stories of a service on real processes, and checks what came of them.

After each night: every tenant's ERP has what its sound lists say, once, and nothing else; no ERP
that is to be left alone was asked for anything; what no list is was named. At the end every
ledger is its world, and each role sees the rows of its account alone.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import httpx
import psycopg

import k3push
from k3push.adapters.ledger.postgres import PostgresLedger, open_postgres
from k3push.adapters.ledger.postgres.database import Server
from k3push.fleet.isolation import isolation_sql
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.status import standing
from k3push.reporting.table_files import records_of
from k3push.runs.kept_in_ledger.row_pages import followed_pages_of
from k3push.words.language import speaker
from tests.cli.terminal import assert_true, until
from tests.fleet.night import PASSWORD, SECRET, TENANT, Plan, worlds
from tests.fleet.stories import BLOCKS, MOST, Customer, Event, Hostile, Story, fill
from tests.fleet.test_isolation import as_role, session
from tests.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
SOURCE = Path(k3push.__file__).parents[1]

MORE = """
[fleet]
database = "{url}"
spread_s = {spread_s}

[schedules.nightly]
cron = "0 20 * * *"
jobs = "{name}"
"""

WORKERS = 2
STUCK_S = 25.0
OLD_S = 60.0
WINDOW_S = 3.0

DUE = "UPDATE k3push_fleet.fleet_schedules SET due_at = date_trunc('minute', now())"
PLANNED = "SELECT count(*) FROM k3push_fleet.fleet_schedules"
THERE = "SELECT (to_regclass('k3push_fleet.fleet_leader') IS NOT NULL)::int"
LEADER = "SELECT worker FROM k3push_fleet.fleet_leader"
DROPPED = """
    SELECT coalesce(array_agg(run), '{}') FROM k3push_fleet.fleet_runs WHERE outcome = 'dropped'
"""
LEFT = """
    SELECT (
        SELECT count(*) FROM k3push_fleet.fleet_schedules
        WHERE tenant <> %(stray)s AND (wanted OR looker IS NOT NULL OR due_at <= now())
    ), (
        SELECT count(*) FROM k3push_fleet.fleet_runs
        WHERE tenant <> %(stray)s AND outcome IS NULL
    ), (
        SELECT count(*) FROM k3push_fleet.fleet_runs WHERE outcome = 'done'
    )
"""
OF_ROLE = {
    "runs": "account = %(account)s",
    "rows": "run IN (SELECT key FROM runs WHERE account = %(account)s)",
    "attempts": "run IN (SELECT key FROM runs WHERE account = %(account)s)",
    "claims": "split_part(scope, '|', 1) = %(account)s",
}


@dataclass
class Service:
    """A service at work: one server, one process of worlds, workers.

    Attributes:
        roles: Names of the roles of PostgreSQL, by the account that each is bound to.
        crew: Workers that live.
        logs: What each worker has said, by its process.
    """

    story: Story
    folder: Path
    server: PostgresServer
    url: str
    addresses: list[str]
    roles: dict[str, str] = field(default_factory=dict)
    crew: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: dict[int, Path] = field(default_factory=dict)

    # -- tenants ------------------------------------------------------------------------------

    def configure(self) -> None:
        """Make the roles, as an operator would, and write the tenants' files."""
        database = urlsplit(self.url).path[1:]
        with session(self.url) as owner:
            for account in sorted({each.role for each in self.story.everybody} - {""}):
                self.roles[account] = f"{account}_{uuid4().hex[:8]}"
                owner.execute(isolation_sql(self.roles[account], account, database).encode())
        for each, address in zip(self.story.everybody, self.addresses, strict=True):
            text = TENANT.format(
                url=address,
                acct_id=each.account,
                secret=SECRET,
                ledger=as_role(self.url, self.roles[each.role]) if each.role else self.url,
                connect_timeout_s=WINDOW_S * 0.2,
                answer_timeout_s=WINDOW_S * 0.7,
                first_wait_s=WINDOW_S / 5,
                window_s=WINDOW_S,
            )
            text += MORE.format(url=self.url, spread_s=self.story.spread_s, name=each.name)
            (self.folder / f"{each.name}.toml").write_text(text, "utf-8")

    # -- workers ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a worker."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}",
            SECRET: PASSWORD,
        }
        path = self.folder / f"w{len(self.logs)}.log"
        with path.open("wb") as log:
            worker = subprocess.Popen(  # our own module
                [sys.executable, "-m", "tests.fleet.quick_worker", "worker", "--tenants", "."],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.crew.append(worker)
        self.logs[worker.pid] = path

    def end(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """End a worker, and start another."""
        if number == signal.SIGTERM:  # which it obeys once it has begun
            until(lambda: "serves" in self.logs[worker.pid].read_text("utf-8"), STUCK_S)
        worker.send_signal(number)
        code = worker.wait(STUCK_S)
        assert code == (0 if number == signal.SIGTERM else -number), self.said()
        self.crew.remove(worker)
        self.start()

    def close(self) -> None:
        """End all workers."""
        for worker in self.crew:
            worker.kill()
            worker.wait()

    def said(self) -> str:
        """Return what all workers have said."""
        texts = (path.read_text("utf-8", "replace") for path in self.logs.values())
        return "\n".join(texts)

    def asked(self, statement: str, **values: object) -> tuple[Any, ...]:
        """Return the row that a statement finds; nothing where PostgreSQL does not answer."""
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as owner:
                return owner.execute(statement.encode(), values).fetchone() or ()
        except psycopg.OperationalError:
            return ()

    # -- what happens -------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the workers, and wait until they have planned all schedules."""
        for _ in range(WORKERS):
            self.start()
        planned = len(self.story.customers) + 1  # the stray is served as well as its role allows
        until(lambda: self.asked(THERE) == (1,) and self.asked(PLANNED) >= (planned,), STUCK_S)

    def play(self, night: int, chance: random.Random) -> None:
        """Let all be due at once, and the night's events happen, until nothing is left to do."""
        fill(self.folder, self.story, night)
        _age(self.folder)
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute(DUE.encode())
        began_s = moved_s = time.monotonic()
        events = list(self.story.events[night])
        left: tuple[Any, ...] = ()
        while events or left[:2] != (0, 0):
            if events and time.monotonic() - began_s >= events[0][0]:
                self._make(events.pop(0)[1], chance)
            now = self.asked(LEFT, stray=self.story.stray.name)
            if now != left:
                left, moved_s = now, time.monotonic()
            assert time.monotonic() - moved_s < STUCK_S, (left, self.said()[-3000:])
            time.sleep(0.1)

    def _make(self, event: Event, chance: random.Random) -> None:
        match event:
            case Event.KILL:
                self.end(chance.choice(self.crew), signal.SIGKILL)
            case Event.KILL_LEADER:
                self.end(self._leader() or self.crew[0], signal.SIGKILL)
            case Event.DRAIN:
                self.end(chance.choice(self.crew), signal.SIGTERM)
            case Event.CRASH:
                self.server.restart("immediate")

    def _leader(self) -> subprocess.Popen[bytes] | None:
        named = {str(worker).split("-")[1] for worker in self.asked(LEADER)}
        return next((worker for worker in self.crew if str(worker.pid) in named), None)

    # -- what came of it ----------------------------------------------------------------------

    def truth(self, customer: Customer) -> Mapping[str, Any]:
        """Return what really happened in a tenant's ERP."""
        address = self.addresses[customer.nth].replace("K3Cloud/", "sandbox/truth")
        told: Mapping[str, Any] = httpx.get(address, trust_env=False, timeout=30).json()
        return told

    def check(self, night: int) -> None:
        """Hold the worlds and what an operator sees against the rules."""
        for each in self.story.everybody:
            truth = self.truth(each)
            assert set(truth["sources"]) == each.expected(night), (each, self.said())
            if not each.served:
                assert (truth["calls"], truth["failed_logins"]) == ({}, 0), each
        self._check_status(night)
        said = self.said()
        assert "Traceback" not in said, said
        assert "\x1b" not in said, said
        one, other = self.story.twins
        assert speaker("en")("fleet.clash", tenant=one.name, others=other.name) in said, said

    def _check_status(self, night: int) -> None:
        names = [each.name for each in self.story.customers]

        async def status() -> dict[str, Any]:
            async with open_queue(Server.of(self.url), create=False) as queue:
                return await standing(queue, names)

        for each, told in zip(self.story.customers, anyio.run(status)["tenants"], strict=True):
            blocked = night == 0 and each.hostile in BLOCKS
            aside = ["killer.xlsx"] * (each.hostile is Hostile.KILLER)
            assert list(told["schedules_failed"]) == ["nightly"] * blocked, told
            assert [Path(file).name for file in told["files_aside"]] == aside, told
            assert (told["queued"], told["doing"], told["failed"]) == (0, 0, 0), told

    def audit(self) -> None:
        """Hold every ledger against its world, and each role against its account."""
        anyio.run(self._audit_ledgers)
        with session(self.url) as owner:
            for account, role in self.roles.items():
                with session(self.url, role) as bound:
                    for table, where in OF_ROLE.items():
                        every = f"SELECT count(*) FROM {table}"  # noqa: S608  # our own
                        mine = owner.execute(
                            f"{every} WHERE {where}".encode(), {"account": account}
                        ).fetchone()
                        assert bound.execute(every.encode()).fetchone() == mine, (table, role)

    async def _audit_ledgers(self) -> None:
        async with open_postgres(self.url, account="", create=False) as shared:
            for each in self.story.everybody:
                await self._audit_ledger(each, shared.of_account(each.account))

    async def _audit_ledger(self, customer: Customer, ledger: PostgresLedger) -> None:
        truth, states = self.truth(customer), dict[str, set[str]]()
        dropped = self.asked(DROPPED)[0]
        for run in await ledger.runs():
            rows = [
                {key: str(value) for key, value in record._asdict().items()}
                async for page in followed_pages_of(ledger, run)
                for record in records_of(page, run)
            ]
            if run.id in dropped:  # its list was cut short by a death, and read again
                assert {row["state"] for row in rows} <= {"planned"}, rows
                continue
            assert_true(rows, truth)
            for row in rows:
                states.setdefault(row["number"], set()).add(row["state"])
        assert set(states) == set(truth["sources"]), customer
        assert all(found <= {"pushed", "already"} for found in states.values()), states


@contextmanager
def service(story: Story, folder: Path, server: PostgresServer, url: str) -> Iterator[Service]:
    """Set a service up."""
    numbers = len(story.everybody) * len(story.events) * MOST
    plan = Plan(tenants=len(story.everybody), numbers=numbers, faults=False, seed=story.seed)
    with worlds(plan, folder) as addresses:
        played = Service(story, folder, server, url, addresses)
        played.configure()
        try:
            yield played
        finally:
            played.close()


def play(story: Story, folder: Path, server: PostgresServer, url: str) -> None:
    """Play a story to its end.

    Raises:
        AssertionError: A rule was broken.
    """
    chance = random.Random(story.seed)  # noqa: S311  # no secret
    with service(story, folder, server, url) as played:
        played.begin()
        for night in range(len(story.events)):
            played.play(night, chance)
            played.check(night)
        played.audit()


def _age(folder: Path) -> None:
    """Let all files of all folders be old; they are whole."""
    old_s = time.time() - OLD_S
    for path in folder.glob("tenant*/*"):
        os.utime(path, (old_s, old_s), follow_symlinks=False)
