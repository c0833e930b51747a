"""The fleet as people type it: commands in processes of their own, against a sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import httpx
import psycopg
import pytest

from k3push.adapters.clock import SystemClock
from k3push.adapters.ledger.postgres import open_postgres
from k3push.cli.console.person import person_here
from k3push.core.model import RunId
from k3push.runs.outcome import Exit
from k3push.runs.retry import plan_rejected
from tests.cli.terminal import (
    CONFIG,
    PASSWORD,
    Desk,
    Ran,
    Sandbox,
    assert_all_once,
    begin,
    end,
    orders,
    until,
)
from tests.cli.test_archives import LONG_AGO
from tests.cli.test_nights import Inbox, notify

pytestmark = [pytest.mark.timeout(120), pytest.mark.halved]

SECRET = "TENANT_PASSWORD"

# Its folder was looked into long ago, so that the test need not wait for eight in the evening.
SCHEDULE = """
[schedules.nightly]
cron = "0 20 * * *"
jobs = "inbox"
"""

OLD_S = 60.0
UNREACHED = "http://127.0.0.1:9/K3Cloud/"


@dataclass
class Fleet:
    """Tenants of one sandbox in a folder."""

    folder: Path
    sandbox: Sandbox
    database: str
    environment: dict[str, str] = field(default_factory=lambda: {SECRET: PASSWORD})
    said: str = ""

    def tenant(self, name: str, more: str = "", secret: str = SECRET) -> str:
        """Write a tenant's file; return its name."""
        text = CONFIG.format(url=self.sandbox.url, password="")
        text = text.replace('password = ""', f'password = {{ env = "{secret}" }}')
        (self.folder / "tenants").mkdir(exist_ok=True)
        path = self.folder / "tenants" / f"{name}.toml"
        path.write_text(f'{text}\n[ledger]\nurl = "{self.database}"\n{more}', "utf-8")
        return f"tenants/{name}.toml"

    def k3push(self, *arguments: str) -> Ran:
        """Run a command to its end."""
        return end(begin(self.folder, *arguments, environment=self.environment))

    def enqueue(self, numbers: list[str], config: str, *options: str) -> Ran:
        """Queue a list."""
        job = Desk(self.folder).job(numbers, f"list-{numbers[0]}.csv")
        return self.k3push("enqueue", job, "--config", config, *options)

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Let a worker serve beside the block; it has to end well, and `said` has its words."""
        command = ("worker", "--name", "w1", *options)
        process = begin(self.folder, *command, environment=self.environment)
        try:
            until(lambda: bool(self.workers()))
            yield process
        finally:
            process.terminate()
            ran = end(process)
            self.said = ran.err
        assert ran.exit == 0, ran

    @contextmanager
    def server(self, config: str, token: str) -> Iterator[httpx.Client]:
        """Serve a program beside the block; the server is killed at its end."""
        command = ("serve", "--enqueue", "--port", "0", "--config", config)
        process = begin(self.folder, *command, environment=self.environment)
        assert process.stdout is not None
        base = "/".join(process.stdout.readline().split("/")[:3])
        headers = {"authorization": f"Bearer {token.strip()}"}
        try:
            with httpx.Client(
                base_url=f"{base}/api/v1", headers=headers, trust_env=False, timeout=30
            ) as client:
                yield client
        finally:
            process.kill()
            process.communicate()

    def workers(self) -> list[tuple[Any, ...]]:
        """Return the workers that are there."""
        try:
            return self.do("SELECT name FROM fleet_workers")
        except psycopg.Error:
            return []

    def standing(self) -> dict[str, Any]:
        """Return what `fleet status --json` says."""
        ran = self.k3push("fleet", "status", "--json")
        assert ran.exit == 0, ran
        return dict(ran.said)

    def row(self, tenant: str) -> dict[str, Any]:
        """Return how a tenant stands."""
        (row,) = (each for each in self.standing()["tenants"] if each["tenant"] == tenant)
        return dict(row)

    def do(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the fleet's schema."""
        options = "-c search_path=k3push_fleet"
        with psycopg.connect(self.database, autocommit=True, options=options) as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def looks_again(self) -> None:
        """Wait until the worker has looked at its folder and its queue once more at least."""
        seen_at = "SELECT max(seen_at) FROM fleet_workers"
        for _ in range(2):
            before = self.do(seen_at)
            until(lambda: self.do(seen_at) != before)  # noqa: B023  # waited for here

    def done(self) -> bool:
        """Say whether nothing is to be done."""
        return self.do("SELECT count(*) FROM fleet_runs WHERE outcome IS NULL") == [(0,)]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A chat service."""
    service = Inbox()
    yield service
    service.close()


@pytest.fixture
def fleet(tmp_path: Path, postgres_url: str) -> Iterator[Fleet]:
    """A fleet without tenants, and their one ERP."""
    with Sandbox(tmp_path) as sandbox:
        yield Fleet(tmp_path, sandbox, postgres_url)


def test_a_list_is_queued_on_one_host_and_pushed_on_another(fleet: Fleet) -> None:
    """The host that queues needs no secret; the exit and the results are those of `run`."""
    config = fleet.tenant("acme")
    numbers = orders(30)
    secret = fleet.environment.pop(SECRET)
    ran = fleet.enqueue(numbers, config, "--json")
    assert ran.exit == 0, ran
    (run,) = ran.said["runs"]
    fleet.environment[SECRET] = secret
    assert fleet.row("acme")["queued"] == 1
    assert "queued for the fleet" in fleet.k3push("status", "--config", config).out
    with fleet.worker():
        until(fleet.done)
    assert_all_once(Desk(fleet.folder).rows(run), fleet.sandbox.truth(), numbers)
    row = fleet.row("acme")
    assert (row["last_run"], row["last_exit"], row["queued"], row["doing"]) == (run, 0, 0, 0)


def test_what_a_server_is_asked_for_is_pushed_by_a_worker(fleet: Fleet) -> None:
    """The server accepts and tells, and is killed in between; the worker pushes each bill once."""
    config = fleet.tenant("acme")
    token = fleet.k3push("token", "add", "wms", "--role", "approve", "--config", config).out
    numbers = orders(3)

    def told(client: httpx.Client) -> list[dict[str, Any]]:
        pushes = [{"key": number, "numbers": [number]} for number in numbers]
        return [client.post("/pushes", json=push).json() for push in pushes]

    with fleet.server(config, token) as client:
        first = told(client)
        listed = "SELECT count(*) FROM fleet_runs WHERE listed AND numbers = 1"
        until(lambda: fleet.do(listed) == [(3,)])
    assert fleet.sandbox.made() == 0
    with fleet.worker():
        until(fleet.done)
    with fleet.server(config, token) as client:
        until(lambda: {each["state"] for each in told(client)} == {"ended"})
        assert [(each["id"], each["counts"]) for each in told(client)] == [
            (each["id"], {"pushed": 1}) for each in first
        ]
        refused = {"key": "refused", "numbers": ["CGDDU000003"]}
        id_ = client.post("/pushes", json=refused).json()["id"]
        with fleet.worker():
            until(lambda: client.get(f"/pushes/{id_}").json()["state"] == "ended")
            retried = client.post(f"/pushes/{id_}/commands", json={"command": "retry"})
            assert retried.status_code == 202
            until(lambda: client.get(f"/pushes/{id_}").json()["state"] == "ended")
    assert fleet.sandbox.truth()["documents"] == len(numbers)


def test_a_worker_retries_what_was_named_and_leaves_what_was_planned_besides(
    fleet: Fleet,
) -> None:
    """It knows of the request by the ledger alone."""
    config = fleet.tenant("acme")
    token = fleet.k3push("token", "add", "wms", "--role", "approve", "--config", config).out
    refused = ["CGDDU000003", "CGDDU000004"]

    async def plan_one(name: str) -> None:
        async with open_postgres(fleet.database, account="", create=False) as shared:
            ledger = shared.of_account("sandbox")
            run = await ledger.run(RunId(name))
            assert run is not None
            async with ledger.own(run.id, executes=False):
                planned = await plan_rejected(
                    ledger, SystemClock(), run, lambda row: row.number == refused[1]
                )
            assert len(planned) == 1
            await ledger.end_run(run.id, Exit.STOPPED, SystemClock().now())

    with fleet.server(config, token) as client, fleet.worker():
        id_ = client.post("/pushes", json={"key": "e", "numbers": refused}).json()["id"]
        until(lambda: client.get(f"/pushes/{id_}").json()["state"] == "ended")
        told = client.get(f"/pushes/{id_}").json()
        assert told["counts"] == {"rejected": 2}
        anyio.run(plan_one, told["run"])
        commands = f"/pushes/{id_}/commands"
        for command, counts in (
            ("retry", {"planned": 1, "rejected": 1}),
            ("resume", {"rejected": 2}),
        ):
            assert client.post(commands, json={"command": command}).status_code == 202
            until(fleet.done)
            until(lambda: client.get(f"/pushes/{id_}").json()["state"] == "ended")
            assert client.get(f"/pushes/{id_}").json()["counts"] == counts


def test_a_worker_of_any_name_pushes(fleet: Fleet) -> None:
    """One called `host 1` could open no ledger, and said that its URL was wrong."""
    acme = fleet.tenant("acme")
    fleet.enqueue(orders(2), acme)
    with fleet.worker("--name", "host 1 &%\x1b+号"):
        until(fleet.done)
        # By them others know that it lives, and end what it holds once it does not.
        ((sessions,),) = fleet.do(
            "SELECT count(*) FROM pg_stat_activity JOIN fleet_workers ON worker = application_name"
        )
    assert sessions > 1
    assert len(fleet.sandbox.truth()["sources"]) == 2


def test_slices_hold_each_number_once(fleet: Fleet) -> None:
    """And repeats of a number are in the slice of the first."""
    config = fleet.tenant("acme")
    numbers = orders(60)
    ran = fleet.enqueue([*numbers, *numbers[:10]], config, "--slices", "3", "--json")
    assert len(ran.said["runs"]) == 3, ran
    with fleet.worker():
        until(fleet.done)
    desk = Desk(fleet.folder)
    parts = [desk.rows(run) for run in ran.said["runs"]]
    rows = sorted((row for part in parts for row in part), key=lambda row: int(row["line"]))
    assert_all_once(rows, fleet.sandbox.truth(), numbers)
    assert all(len(part) >= 10 for part in parts)


def test_slices_push_a_bill_once_however_its_lines_name_it(
    tmp_path: Path, postgres_url: str
) -> None:
    """Where bills may be pushed in parts, two slices made two documents of one bill."""
    numbers = orders(8)
    with Sandbox(tmp_path, "--write-back", "never") as sandbox:
        fleet = Fleet(tmp_path, sandbox, postgres_url)
        name = fleet.tenant("acme")
        config = fleet.folder / name
        table = "[routes.po-instock]\n"
        text = config.read_text("utf-8")
        config.write_text(text.replace(table, f"{table}allow_partial = true\n"), "utf-8")
        fleet.enqueue(numbers, name)
        with fleet.worker():
            until(fleet.done)
            desk = Desk(fleet.folder)
            by_id = "".join(f",{row['id']}\n" for row in desk.rows())
            lines = "".join(f"{number},\n" for number in numbers)
            job = desk.write("again.csv", f"number,id\n{lines}{by_id}")
            fleet.k3push("enqueue", job, "--config", name, "--slices", "4")
            until(fleet.done)
        made = sandbox.truth()["sources"]
    assert {number: len(made[number]) for number in numbers} == dict.fromkeys(numbers, 2)


def test_a_worker_without_a_secret_says_so_and_leaves_the_tenant(fleet: Fleet) -> None:
    """Where the secret should be is said, and never what it is."""
    fleet.tenant("acme")
    config = fleet.tenant("bexo", secret="BEXO_PASSWORD")
    fleet.enqueue(orders(5), config)
    fleet.environment[SECRET] = "not-to-be-seen"
    with fleet.worker():
        fleet.looks_again()
    assert "leaves bexo to others" in fleet.said
    assert "env BEXO_PASSWORD is not set" in fleet.said
    assert "serves acme\n" in fleet.said
    assert "not-to-be-seen" not in fleet.said
    assert fleet.row("bexo")["queued"] == 1
    assert fleet.sandbox.made() == 0


def test_a_worker_says_what_changes_in_its_folder_once(fleet: Fleet) -> None:
    """Its words may be a log of years; a folder that is away for a moment ends nothing."""
    fleet.tenant("acme")
    with fleet.worker():
        fleet.tenant("bexo", secret="BEXO_PASSWORD")
        fleet.tenant("cola")
        until(lambda: fleet.do("SELECT serves FROM fleet_workers") == [(2,)])
        (fleet.folder / "tenants").rename(fleet.folder / "away")
        fleet.looks_again()
        (fleet.folder / "away").rename(fleet.folder / "tenants")
        fleet.tenant("other", '[fleet]\ndatabase = "postgresql://elsewhere.example.com/k3push"\n')
        fleet.looks_again()
        fleet.looks_again()
    lines = [line[len("2026-11-25 20:00:00 ") :] for line in fleet.said.splitlines()]
    assert lines.count("serves acme") == 1
    assert lines.count("serves acme, cola") <= 2  # again after the folder was away
    assert sum("this folder of tenants cannot be read" in line for line in lines) == 1
    assert sum("leaves bexo to others" in line for line in lines) <= 2
    assert sum("leaves other to others" in line for line in lines) == 1


def test_a_drained_worker_leaves_the_rest_of_a_run_to_another(fleet: Fleet) -> None:
    """SIGTERM in the middle: what is on its way is recorded, and the next goes on at once."""
    config = fleet.tenant("acme", "[fleet]\n")
    slow = (fleet.folder / config).read_text("utf-8")
    pace = "[run]\nchunk_size = 2\nconcurrency = 1\nmax_calls_per_minute = 600\n"
    (fleet.folder / config).write_text(slow.replace("[run]\n", pace), "utf-8")
    numbers = orders(36)
    fleet.enqueue(numbers, config)
    with fleet.worker():
        until(lambda: fleet.sandbox.made() >= 4)
    assert fleet.sandbox.made() < 36
    assert fleet.do("SELECT outcome, worker, exit FROM fleet_runs") == [(None, None, 5)]
    with fleet.worker():
        until(fleet.done)
    ((run,),) = fleet.do("SELECT run FROM fleet_runs")
    assert_all_once(Desk(fleet.folder).rows(run), fleet.sandbox.truth(), numbers)


def test_a_pause_holds_the_run_that_is_under_way(fleet: Fleet) -> None:
    """And a second run of the tenant does not begin; `continue` lets both go on."""
    config = fleet.tenant("acme")
    slow = (fleet.folder / config).read_text("utf-8")
    pace = "[run]\nchunk_size = 2\nconcurrency = 1\nmax_calls_per_minute = 1200\n"
    (fleet.folder / config).write_text(slow.replace("[run]\n", pace), "utf-8")
    fleet.enqueue(orders(40), config)
    with fleet.worker():
        until(lambda: fleet.sandbox.made() >= 2)
        ran = fleet.k3push("fleet", "pause", "--tenant", "acme")
        assert ran.exit == 0, ran
        assert "acme: no run begins any more" in ran.out
        assert "paused" in ran.out
        made = fleet.sandbox.made()
        assert made < 40
        fleet.enqueue(orders(5, 40), config)
        fleet.looks_again()
        assert fleet.sandbox.made() <= made + 2  # the chunk that was on its way
        row = fleet.row("acme")
        assert (row["paused"], row["queued"], row["doing"]) == (True, 1, 1)
        assert fleet.k3push("fleet", "continue", "--tenant", "acme").exit == 0
        until(fleet.done)
    assert fleet.sandbox.made() == 45


@pytest.mark.parametrize("word", ["pause", "continue", "cancel", "retry"])
@pytest.mark.parametrize("gone", ["ledger", "secret", "file"])
def test_a_ledger_that_is_away_keeps_a_word_from_no_other_tenant(
    fleet: Fleet, word: str, gone: str
) -> None:
    """At night somebody stops all tenants, and what is wrong with one leaves the others pushing."""
    of_all = f'[fleet]\ndatabase = "{fleet.database}"\n'
    acme, bexo = fleet.tenant("acme", of_all), fleet.tenant("bexo", of_all)
    for first, file in enumerate((acme, bexo)):
        assert fleet.enqueue(orders(1, first), file).exit == 0
    if word == "retry":
        fleet.do("UPDATE fleet_runs SET outcome = 'person'")
    else:
        fleet.do("UPDATE fleet_runs SET worker = 'w9' WHERE tenant = 'acme'")
    if word == "continue":
        fleet.do("INSERT INTO fleet_pauses (tenant, why) VALUES ('acme', ''), ('bexo', '')")
    text = (fleet.folder / acme).read_text("utf-8")
    url = f'url = "{fleet.database}"'
    away = {
        "ledger": 'url = "postgresql://127.0.0.1:1/none"',
        "secret": f'{url}\npassword = {{ env = "NONE" }}',
        "file": "url = ",
    }
    (fleet.folder / acme).write_text(text.replace(url, away[gone]), "utf-8")

    ran = fleet.k3push("fleet", word, "--all")

    assert "bexo: " in ran.out
    if word in {"pause", "retry"}:
        assert "acme: " in ran.out
    if word == "retry":  # it tells no run that is under way
        assert ran.exit == 0
    else:
        assert ran.exit == 5
        assert "what is under way of acme was not told" in ran.err
        assert "Run the command again" in ran.err


def test_a_word_that_the_queue_has_lost_is_said_again(fleet: Fleet) -> None:
    """Where tenants have files of their own, `k3push status` has no settings to go by."""
    fleet.enqueue(orders(1), fleet.tenant("acme"))
    fleet.do("ALTER TABLE fleet_pauses RENAME TO away")
    ran = fleet.k3push("fleet", "pause", "--tenant", "acme")
    assert ran.exit == 5
    assert "run the command again" in ran.err
    assert "k3push status" not in ran.err


def test_cancel_and_retry(fleet: Fleet) -> None:
    """A cancelled run stays as it is until somebody wants it."""
    config = fleet.tenant("acme")
    fleet.enqueue(orders(5), config)
    ran = fleet.k3push("fleet", "cancel", "--tenant", "acme")
    assert "is cancelled" in ran.out, ran
    assert "k3push fleet retry" in fleet.k3push("status", "--config", config).out
    with fleet.worker():
        fleet.looks_again()
        assert fleet.sandbox.made() == 0
        ran = fleet.k3push("fleet", "retry", "--tenant", "acme")
        assert "is queued" in ran.out, ran
        until(lambda: fleet.sandbox.made() == 5)
    told = fleet.k3push("explain", orders(1)[0], "--config", config).out
    acts = re.findall(rf"{re.escape(person_here())}: (.+) \(run \S+\)$", told, re.MULTILINE)
    assert acts == ["queued it for the fleet", "cancelled it in the queue", "queued it again"]


def test_a_run_that_a_person_has_stopped_is_begun_by_no_worker_after_a_death(fleet: Fleet) -> None:
    """The worker that had it died right after it had obeyed; `fleet retry` goes on."""
    config = fleet.tenant("acme")
    assert fleet.enqueue(orders(10), config).exit == 0
    ((run,),) = fleet.do("SELECT run FROM fleet_runs")
    fleet.do(
        "INSERT INTO k3push.commands (run, given_at, words)"  # noqa: S608  # our own
        f" SELECT key, now() + interval '1 second', 'stop' FROM k3push.runs WHERE id = '{run}'"
    )
    ended = "SELECT outcome, exit FROM fleet_runs WHERE outcome IS NOT NULL"
    with fleet.worker():
        until(lambda: fleet.do(ended) == [("person", 5)])
        assert fleet.sandbox.made() == 0
        assert fleet.k3push("fleet", "retry", "--tenant", "acme").exit == 0
        until(lambda: fleet.sandbox.made() == 10)
        until(fleet.done)


def test_a_refused_login_is_tried_once_and_told(fleet: Fleet) -> None:
    """Five wrong logins lock the account (P 2.4), and three runs are queued."""
    config = fleet.tenant("acme")
    for first in (0, 5, 10):
        fleet.enqueue(orders(5, first), config)
    fleet.environment[SECRET] = "wrong"
    with fleet.worker():
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_runs WHERE outcome = 'person'")))
        fleet.looks_again()
    row = fleet.row("acme")
    assert (row["paused"], row["failed"], row["queued"]) == (True, 1, 2)
    assert fleet.sandbox.truth()["calls"].get("login", 0) <= 1
    ran = fleet.k3push("fleet", "status")
    assert "paused: the ERP refused the login" in ran.out
    fleet.environment[SECRET] = PASSWORD
    fleet.k3push("fleet", "retry", "--tenant", "acme")
    with fleet.worker():
        until(fleet.done)
    assert fleet.sandbox.made() == 15


def test_one_of_several_users_who_is_refused_is_tried_once_by_a_worker(fleet: Fleet) -> None:
    """Each run tried it once more, and five wrong logins lock the account (P 2.4)."""
    more = '[[erp.identities]]\nusername = "sandbox2"\npassword = { env = "K3PUSH_OTHER" }\n'
    fleet.environment["K3PUSH_OTHER"] = "wrong"
    config = fleet.tenant("acme", more)
    for first in (0, 5, 10):
        fleet.enqueue(orders(5, first), config)
    with fleet.worker():
        until(fleet.done)
    assert fleet.sandbox.made() == 15
    assert fleet.sandbox.truth()["failed_logins"] == 1


def test_a_due_schedule_takes_what_is_new_in_its_folder_once(fleet: Fleet) -> None:
    """A file that is taken stays taken, whichever worker looks."""
    fleet.tenant("acme", SCHEDULE)
    inbox = fleet.folder / "tenants" / "inbox"
    inbox.mkdir()
    path = inbox / "night.csv"
    path.write_text("number\n" + "\n".join(orders(10)), "utf-8")
    old_s = time.time() - OLD_S
    os.utime(path, (old_s, old_s))
    due = "UPDATE fleet_schedules SET due_at = now() - interval '1 minute'"
    with fleet.worker():
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_schedules")))
        fleet.do(due)
        until(lambda: fleet.sandbox.made() == 10)
        until(fleet.done)
        fleet.do(due)
        until(
            lambda: fleet.do("SELECT wanted OR due_at < now() FROM fleet_schedules") == [(False,)]
        )
    assert fleet.do("SELECT count(*) FROM fleet_runs") == [(1,)]
    assert (inbox / "results").is_dir()


def test_a_due_schedule_pushes_what_its_route_selects(fleet: Fleet) -> None:
    """Nobody has to export a list; what was selected lies with the tenant's results."""
    where = "FBillNo like 'CGDD000000%'"
    selects = f'[routes.po-instock.select]\nwhere = "{where}"\n'
    fleet.tenant("acme", SCHEDULE.replace('"inbox"', '"select"') + selects)
    with fleet.worker():
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_schedules")))
        fleet.do("UPDATE fleet_schedules SET due_at = now() - interval '1 minute'")
        until(lambda: fleet.sandbox.made() == 10)
        until(fleet.done)
    (kept,) = (fleet.folder / "tenants" / "results").glob("selected.*/selected.csv")
    assert orders(10)[-1] in kept.read_text("utf-8-sig")


def test_what_the_route_selects_is_not_selected_again_before_it_is_pushed(fleet: Fleet) -> None:
    """A push that takes longer than the time between two looks would be made in parts twice."""
    later = [datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=each) for each in (2, 3)]
    window = 'window = "{:%H:%M}-{:%H:%M}"\n'.format(*later)
    selects = """[routes.po-instock.select]\nwhere = "FBillNo like 'CGDD000000%'"\n"""
    name = fleet.tenant("acme", SCHEDULE.replace('"inbox"', '"select"') + window + selects)
    config = fleet.folder / name
    table = "[routes.po-instock]\n"
    text = config.read_text("utf-8")
    config.write_text(text.replace(table, f"{table}allow_partial = true\n"), "utf-8")
    due = "UPDATE fleet_schedules SET due_at = now() - interval '1 minute'"
    busy = "SELECT wanted OR due_at < now() OR looker IS NOT NULL FROM fleet_schedules"
    runs = "SELECT count(*) FROM fleet_runs"
    with fleet.worker():
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_schedules")))
        for _ in range(2):
            fleet.do(due)
            until(lambda: fleet.do(busy) == [(False,)])
            assert fleet.do(runs) == [(1,)]
        fleet.do("UPDATE fleet_runs SET send_window = '', not_before = now()")
        until(lambda: fleet.sandbox.made() == 10)
        until(fleet.done)


def test_a_faulty_list_of_a_schedule_is_told_in_the_status(fleet: Fleet) -> None:
    """The other tenants' night goes on, and somebody reads it in the morning."""
    fleet.tenant("acme", SCHEDULE.replace('"inbox"', '"gone.csv"'))
    with fleet.worker():
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_schedules")))
        fleet.do("UPDATE fleet_schedules SET due_at = now() - interval '1 minute'")
        until(lambda: bool(fleet.do("SELECT 1 FROM fleet_schedules WHERE why <> ''")))
    assert "gone.csv" in fleet.k3push("fleet", "status").out


def test_the_status_tells_of_numbers_in_doubt_until_they_are_settled(fleet: Fleet) -> None:
    """As the ledger has them now: whoever settles them needs no worker for that."""
    config = fleet.tenant("acme")
    fleet.enqueue(orders(10), config)
    with fleet.worker():
        until(fleet.done)
    ((run,),) = fleet.do("UPDATE fleet_runs SET in_doubt = 3 RETURNING run")
    assert fleet.row("acme")["in_doubt"] == {}
    fleet.do(
        "INSERT INTO k3push.tallies (run, state, shard, n)"
        " SELECT key, 'unknown', 1, 2 FROM k3push.runs"
    )
    assert fleet.row("acme")["in_doubt"] == {run: 2}
    shown = fleet.k3push("fleet", "status").out
    assert f"in doubt: 2, in run {run}" in " ".join(shown.split())


def test_the_status_tells_of_runs_of_a_tenant_whose_file_was_renamed(fleet: Fleet) -> None:
    """Nobody executes them, and no other line would say so."""
    config = fleet.tenant("acme")
    fleet.enqueue(orders(10), config)
    assert fleet.standing()["others"] == {}
    (fleet.folder / config).rename(fleet.folder / "tenants" / "bexo.toml")
    assert fleet.standing()["others"] == {"acme": 1}
    shown = fleet.k3push("fleet", "status").out
    assert "their files may be on other hosts: acme (1)" in " ".join(shown.split())


def test_a_database_without_a_fleet_is_told_with_the_cure(fleet: Fleet) -> None:
    """Nothing was begun that could be resumed, as where there is no ledger."""
    fleet.tenant("acme")
    for command in (("status",), ("pause", "--all"), ("retry", "--all")):
        ran = fleet.k3push("fleet", *command)
        assert ran.exit == 2, ran
        assert "`k3push enqueue` makes one" in ran.err


def test_the_status_fits_a_terminal(fleet: Fleet) -> None:
    """Of eighty columns, in both languages."""
    fleet.enqueue(orders(5), fleet.tenant("acme"))
    fleet.tenant("a-tenant-with-a-very-long-name-indeed", SCHEDULE)
    for lang in ("en", "zh"):
        ran = fleet.k3push("fleet", "status", "--lang", lang)
        assert ran.exit == 0, ran
        lines = ran.out.splitlines()
        assert all(len(line) <= 80 for line in lines), lines


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("worker",), "this folder of tenants cannot be read"),
        (("fleet", "status", "--tenants", "nowhere"), "nowhere"),
        (("fleet", "cancel", "--tenants", "mine"), "--tenant NAME, or --all"),
        (("fleet", "cancel", "--tenants", "mine", "--tenant", "b"), "there is no tenant 'b'"),
        (("worker", "--tenants", "sqlite"), "postgresql://"),
        (("enqueue", "a.csv", "--config", "sqlite/a.toml"), "postgresql://"),
        (("worker", "--tenants", "two"), "K3PUSH_FLEET__DATABASE"),
    ],
)
def test_a_mistake_is_told_with_the_cure(
    tmp_path: Path, postgres_url: str, arguments: tuple[str, ...], what: str
) -> None:
    """Exit 2: nothing was sent."""
    text = CONFIG.format(url="http://127.0.0.1:9/K3Cloud/", password="x")
    for folder, name, url in (
        ("mine", "a", postgres_url),
        ("sqlite", "a", "sqlite:///ledger.db"),
        ("two", "a", postgres_url),
        ("two", "b", "postgresql://elsewhere.example.com/k3push"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.toml").write_text(f'{text}\n[ledger]\nurl = "{url}"\n')
    if arguments[:2] == ("fleet", "cancel"):
        Desk(tmp_path).job(["A"])
        end(begin(tmp_path, "enqueue", "orders.csv", "--config", "mine/a.toml"))
    ran = end(begin(tmp_path, *arguments))
    assert ran.exit == 2, ran
    assert what in ran.err


def test_without_the_extra_the_command_that_installs_it_is_told(tmp_path: Path) -> None:
    """Most people need no fleet."""
    (tmp_path / "without").mkdir()
    stub = "raise ImportError('No module named procrastinate')"
    (tmp_path / "without" / "procrastinate.py").write_text(stub, "utf-8")
    places = [str(tmp_path / "without"), *filter(None, [os.environ.get("PYTHONPATH")])]
    without = {"PYTHONPATH": os.pathsep.join(places)}
    said = "worker", "fleet status", "fleet pause --all", "fleet init-tenant a", "enqueue a.csv"
    for command in map(str.split, said):
        ran = end(begin(tmp_path, *command, environment=without))
        assert (ran.exit, ran.out) == (2, ""), ran
        assert "pip install 'k3push[fleet]'" in ran.err
    helped = end(begin(tmp_path, "fleet", "status", "--help", environment=without))
    assert (helped.exit, helped.err) == (0, ""), helped


def test_old_runs_that_cannot_be_archived_are_told_until_they_are(fleet: Fleet) -> None:
    """A full disk of archives lets the ledger grow, and no run fails of it."""
    acme = fleet.tenant("acme", 'keep = "400d"\n')
    place = fleet.folder / "tenants" / "archive"
    told = []
    with fleet.worker():
        for nth in range(3):
            fleet.enqueue(orders(1, nth), acme)
            until(fleet.done)
            told.append(fleet.row("acme")["archive_failed"])
            if nth == 0:
                fleet.do(f"UPDATE k3push.runs SET ended_at = '{LONG_AGO}'")  # noqa: S608
                place.write_text("a file in its place")
            if nth == 1:
                place.unlink()
    assert [bool(each) for each in told] == [False, True, False]
    assert told[1] in fleet.said
    assert len(list(place.iterdir())) == 1


def test_people_are_told_once_that_an_erp_is_away(fleet: Fleet, inbox: Inbox) -> None:
    """Each run of the tenant had told it, as often as it was tried."""
    config = fleet.tenant("acme", notify(f'["{inbox.url}"]'))
    path = fleet.folder / config
    path.write_text(path.read_text("utf-8").replace(fleet.sandbox.url, UNREACHED), "utf-8")
    for first in range(3):
        assert fleet.enqueue(orders(1, first), config).exit == 0
    tried = "SELECT count(*) FROM fleet_runs WHERE exit = 6"
    with fleet.worker():
        until(lambda: fleet.do(tried) == [(3,)])
    assert len(inbox.messages) == 1
