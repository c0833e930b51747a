"""Schedules of many tenants: found by one, spread, looked after by all, and nobody held up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import psycopg
import pytest

from k3push.adapters.ledger.postgres.database import Server
from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.fleet import worker as worker_module
from k3push.fleet.due_schedules import PLACES, Schedules
from k3push.fleet.queue import Queue
from k3push.fleet.queue_database import array_of, session_of, verbs
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.work_port import NotNowError
from tests.fleet.crew import LOST, QUICK, FakeWork, ask, outcome, serving, tenant, until, worker
from tests.fleet.test_worker import SCHEDULE, change, do

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

MANY = 1500
DUE = "UPDATE fleet_schedules SET due_at = date_trunc('minute', now())"


WAITING = """
INSERT INTO fleet_schedules (tenant, schedule, cron, due_at, wanted, begin_at)
SELECT 't' || lpad(n::text, 4, '0'), 'nightly', '', now() + interval '1 day', true, now()
FROM generate_series({first}, {last}) AS n;
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, listed, numbers)
SELECT 't' || lpad(n::text, 4, '0'), 'r' || n, 't' || n, '', '', true, 3
FROM generate_series({first}, {last}) AS n;
"""
AHEAD = """
UPDATE fleet_runs SET listed = true, numbers = 3, not_before = '2099-01-01';
UPDATE fleet_schedules SET due_at = '2099-01-01';
UPDATE fleet_schedules SET wanted = true, begin_at = '2099-01-01' WHERE tenant = 't0001';
INSERT INTO fleet_workers (worker, name, host, serves, seen_at)
VALUES ('dead', 'dead', 'dead', 0, '2099-01-01');
INSERT INTO fleet_leader (worker, until) VALUES ('dead', '2099-01-01');
"""
FETCH = "SELECT * FROM procrastinate_fetch_job_v2(%(tenants)s::varchar[], %(engine)s)"


class SlowLooks(FakeWork):
    """Looks that end when the test says so."""

    goes_on: anyio.Event

    async def look(self, tenant: Tenant, schedule: str, queue: Queue, due: datetime | None) -> str:
        """Wait for the test."""
        self.goes_on = getattr(self, "goes_on", None) or anyio.Event()
        why = await super().look(tenant, schedule, queue, due)
        if len(self.looked) > PLACES:
            await self.goes_on.wait()
        return why


def pages_read(url: str, name: str, facts: Mapping[str, object]) -> int:
    """Say how many pages a statement has read, as a worker's session plans it."""
    statement = FETCH if name == "fetch" else verbs()[name]
    with psycopg.connect(url, autocommit=True, **session_of(Server.of(url))) as session:
        asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        row = session.execute(asked.encode(), facts).fetchone()
    assert row is not None
    return int(row[0][0]["Plan"]["Shared Hit Blocks"])


def many(folder: Path, url: str, count: int = MANY, more: str = SCHEDULE) -> dict[str, Tenant]:
    """Return tenants that have one file's settings."""
    settings = tenant(folder, url, more=more).settings
    return {name: Tenant(name, settings) for name in (f"t{nth:04}" for nth in range(count))}


def count(url: str, where: str) -> int:
    """Count schedules."""
    counted = f"count(*) FILTER (WHERE {where})"
    ((found,),) = do(url, "SELECT " + counted + " FROM fleet_schedules")  # noqa: S608  # our own
    return int(str(found))


async def test_all_that_is_due_in_one_minute_is_looked_after_once(
    postgres_url: str, tmp_path: Path
) -> None:
    """A tick that asked for each took longer than its time, and healthy runs were stopped."""
    served = many(tmp_path, postgres_url)
    works = [FakeWork(served, waits=True) for _ in range(3)]
    crew = [worker(work, postgres_url, f"w{nth}") for nth, work in enumerate(works)]
    async with serving(*crew) as queue:
        await until(lambda: count(postgres_url, "true") == MANY)
        await ask(queue, "t0000", "r1")
        await until(lambda: any(work.at_once for work in works))
        await change(postgres_url, DUE)
        await until(lambda: sum(len(work.looked) for work in works) >= MANY)
        assert sum(work.at_once for work in works) == 1  # the run goes on
        await until(lambda: count(postgres_url, "wanted OR looker IS NOT NULL") == 0)
    looked = Counter(each for work in works for each in work.looked)
    assert set(looked.values()) == {1}
    assert len(looked) == MANY
    assert all(work.looked for work in works)  # they take turns
    assert "worker.lost" not in [key for work in works for key in work.said]


async def test_a_time_zone_that_a_leader_does_not_know_holds_up_no_other_schedule(
    postgres_url: str, tmp_path: Path
) -> None:
    """The machine that serves its tenant has newer zones; the leader ended, and so did the next."""
    work = FakeWork(many(tmp_path, postgres_url, 2))
    async with serving(worker(work, postgres_url)):
        await until(lambda: count(postgres_url, "true") == 2)
        await change(
            postgres_url,
            "INSERT INTO fleet_schedules (tenant, schedule, cron, due_at)"
            " VALUES ('elsewhere', 'nightly', '0 1 * * * Mars/Phobos', now())",
        )
        await change(postgres_url, DUE)
        await until(lambda: len(work.looked) == 2)
        await change(postgres_url, DUE)
        await until(lambda: len(work.looked) == 4)
    assert work.said.count("worker.schedule") == 1


async def test_what_is_due_at_one_minute_begins_spread(postgres_url: str, tmp_path: Path) -> None:
    """ERPs and database are not asked by all at once; the settings say how far apart."""
    served = many(tmp_path, postgres_url, 200, SCHEDULE + "[fleet]\nspread_s = 600\n")
    work = FakeWork(served)
    async with serving(worker(work, postgres_url)):
        await until(lambda: count(postgres_url, "true") == 200)
        await change(postgres_url, DUE)
        await until(lambda: count(postgres_url, "begin_at IS NULL") == 0)
        late = "extract(epoch FROM begin_at - now())"
        assert count(postgres_url, f"{late} > 600") == 0
        assert count(postgres_url, f"{late} > 300") in range(60, 140)
        assert len(work.looked) < 50


async def test_a_schedule_without_a_time_is_due_at_none(postgres_url: str, tmp_path: Path) -> None:
    """Somebody begins it in the dashboard."""
    by_person = '[schedules.by-person]\njobs = "inbox"\n'
    served = many(tmp_path, postgres_url, 2, SCHEDULE + by_person)
    async with serving(worker(FakeWork(served), postgres_url)):
        await until(lambda: count(postgres_url, "true") >= 2)
        assert count(postgres_url, "schedule = 'by-person'") == 0


DEAD = "SELECT worker FROM fleet_leader WHERE worker = 'dead'"


async def test_another_leads_within_seconds_of_a_leaders_death(
    postgres_url: str, tmp_path: Path
) -> None:
    """Who leads is written down with a time, by the database's clock."""
    work = FakeWork(many(tmp_path, postgres_url, 3))
    async with serving(worker(work, postgres_url)):
        await until(lambda: count(postgres_url, "true") == 3)
        dead = "UPDATE fleet_leader SET worker = 'dead', until = now() + interval '0.6 seconds'"
        await change(postgres_url, dead)
        await change(postgres_url, DUE)
        with anyio.fail_after(3):
            while len(work.looked) < 3:  # noqa: ASYNC110  # a fake tells nobody
                await anyio.sleep(0.02)
            # What was due may have been found before anybody was dead.
            await until(lambda: do(postgres_url, DEAD) == [])
    assert do(postgres_url, "SELECT worker FROM fleet_leader") == []


async def test_a_clock_of_the_database_that_was_years_ahead_holds_up_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    """Leader, schedules, runs and the dead of that time would have waited until then."""
    work = FakeWork(many(tmp_path, postgres_url, 2))
    async with serving(worker(work, postgres_url)) as queue:
        await until(lambda: count(postgres_url, "true") == 2)
        await queue.ask("t0000", RunId("r1"), "t0000", "", "")
    await change(postgres_url, AHEAD)
    async with serving(worker(work, postgres_url)) as queue:
        assert (await outcome(queue, "t0000", "r1"))["outcome"] == "done"
        await until(lambda: work.looked == [("t0001", "nightly")])
        await until(lambda: count(postgres_url, "due_at < now() + interval '2 days'") == 2)
        ahead = "SELECT worker FROM fleet_workers WHERE seen_at > '2090-01-01'"
        assert do(postgres_url, ahead) == []


async def test_a_look_of_a_dead_worker_is_done_by_another(
    postgres_url: str, tmp_path: Path
) -> None:
    """The night's list must not be lost with a host that had begun to read it."""
    work = FakeWork(many(tmp_path, postgres_url, 1))
    async with serving(worker(work, postgres_url)):
        await until(lambda: count(postgres_url, "true") == 1)
        dead = "looker = 'dead', looked_at = now() - interval '2 seconds'"
        await change(postgres_url, "UPDATE fleet_schedules SET " + dead)  # noqa: S608  # our own
        await until(lambda: bool(work.looked))


async def test_what_a_worker_has_claimed_and_does_not_serve_any_more_is_left_to_others(
    postgres_url: str, tmp_path: Path
) -> None:
    """One that was told to end counted it as looked after, and the night's list was not read."""
    served = many(tmp_path, postgres_url, 6)
    looked: list[str] = []
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        leaving, staying = (Schedules(queue, name, QUICK) for name in ("w1", "w2"))
        await staying.plan(served)
        do(postgres_url, DUE)
        await staying.lead()

        async def look(tenant: Tenant, _: str, __: datetime) -> str:
            looked.append(tenant.name)
            return ""

        tenants = iter([served])  # it is told to end once it has claimed
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leaving.look_on, lambda: next(tenants, {}), look)
            await until(lambda: count(postgres_url, "wanted AND begin_at > now()") == 6)
            tasks.cancel_scope.cancel()
        assert looked == []
        await leaving.resign()
        do(postgres_url, "UPDATE fleet_schedules SET begin_at = now()")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(staying.look_on, lambda: served, look)
            await until(lambda: sorted(looked) == sorted(served))
            tasks.cancel_scope.cancel()


async def test_a_look_that_a_long_absence_of_the_database_ended_is_done_again(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stayed claimed by a worker that lives, which nobody frees: it was never looked after."""
    monkeypatch.setattr("k3push.fleet.due_schedules._AGAIN_S", 0.05)
    work = FakeWork(many(tmp_path, postgres_url, 1))
    away = iter([LOST] * 4)
    do_there = Queue.do

    async def look(*_: object) -> str:
        if error := next(away, None):
            raise error
        work.looked.append(("t0000", "nightly"))
        return ""

    async def do_if_there(queue: Queue, name: str, /, **values: object) -> None:
        if name == "look_again" and (error := next(away, None)):
            raise error
        await do_there(queue, name, **values)

    monkeypatch.setattr(work, "look", look)
    monkeypatch.setattr(Queue, "do", do_if_there)
    async with serving(worker(work, postgres_url)):
        await until(lambda: count(postgres_url, "true") == 1)
        await change(postgres_url, DUE)
        await until(lambda: count(postgres_url, "wanted AND looker IS NULL") == 1)
        await change(postgres_url, "UPDATE fleet_schedules SET begin_at = now()")
        await until(lambda: bool(work.looked))


async def test_what_could_not_be_read_is_looked_after_again_for_the_same_turn(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ever more seldom, and at once where a person says so; until then its state says why."""
    work = FakeWork(many(tmp_path, postgres_url, 1))
    dues: list[object] = []

    async def look(*facts: object) -> str:
        dues.append(facts[-1])
        if len(dues) == 1:
            raise NotNowError("away")
        return ""

    monkeypatch.setattr(work, "look", look)
    async with serving(worker(work, postgres_url)) as queue:
        await until(lambda: count(postgres_url, "true") == 1)
        await change(postgres_url, DUE)
        later = "begin_at BETWEEN now() + interval '30 seconds' AND now() + interval '2 minutes'"
        waits = f"wanted AND looker IS NULL AND why = 'away' AND {later}"
        await until(lambda: count(postgres_url, waits) == 1)
        await queue.retry("t0000")
        await until(lambda: len(dues) == 2)
        await until(lambda: count(postgres_url, "why = '' AND NOT wanted") == 1)
    assert dues[0] == dues[1]


async def test_no_work_holds_up_the_sign_of_life(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that waits for a lock was taken for a database that is away."""
    monkeypatch.setattr(worker_module, "TICK_PATIENCE_S", 0.5)
    work = FakeWork(many(tmp_path, postgres_url, 3), waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        await ask(queue, "t0000", "r1")
        await until(lambda: work.at_once == 1)

        def hold() -> None:
            with psycopg.connect(postgres_url) as other:
                other.execute("LOCK TABLE k3push_fleet.fleet_schedules")
                other.execute("SELECT pg_sleep(4)")

        await anyio.to_thread.run_sync(hold)
        assert work.at_once == 1
        ((age,),) = do(
            postgres_url,
            "SELECT extract(epoch FROM now() - max(seen_at))::float FROM fleet_workers",
        )
        assert float(str(age)) < 2
        ((found,),) = do(postgres_url, "SELECT count(*) FROM fleet_runs WHERE worker IS NOT NULL")
        assert found == 1


async def test_long_pushes_hold_up_no_look(postgres_url: str, tmp_path: Path) -> None:
    """Looks into folders have places of their own."""
    work = FakeWork(many(tmp_path, postgres_url, 8), waits=True)
    async with serving(worker(work, postgres_url)) as queue:
        for nth in range(6):
            await ask(queue, f"t000{nth}", f"r{nth}", numbers=10_000)
        await until(lambda: work.at_once == 4)
        await change(postgres_url, DUE)
        await until(lambda: len(work.looked) == 8)
        assert work.at_once == 4


async def test_runs_wait_while_many_lists_are_read_and_no_longer_than_a_minute(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose turn it is, all lists tell; what a server was asked for does not wait for that."""
    work = SlowLooks(many(tmp_path, postgres_url, 40))
    async with serving(worker(work, postgres_url)) as queue:
        await until(lambda: count(postgres_url, "true") == 40)
        await change(postgres_url, DUE)
        await until(lambda: len(work.looked) > PLACES)
        await ask(queue, "t0001", "r1")
        await queue.hand_over("t0002", RunId("r2"), "t0002", "request", 1)
        await queue.make_jobs("t0002", [RunId("r2")])
        await outcome(queue, "t0002", "r2")
        assert [run for _, run, _ in work.began] == ["r2"]
        monkeypatch.setattr("k3push.fleet.due_schedules.LISTS_FIRST_S", 0.0)
        await outcome(queue, "t0001", "r1")
        assert len(work.looked) == PLACES * 2  # which still take their time
        work.goes_on.set()
        await until(lambda: len(work.looked) == 40)


async def test_what_is_first_is_found_without_a_look_at_all_that_waits(postgres_url: str) -> None:
    """Thousands come within a minute, before PostgreSQL has counted them."""
    read = {}
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await queue.do("here", worker="w1", name="w1", host="h", serves=1)
        for first, last in ((1, 300), (301, 3000)):
            do(postgres_url, WAITING.format(first=first, last=last))
            await queue.make_jobs()
            tenants = array_of(tuple(f"t{nth:04}" for nth in range(1, 3001)))
            facts = {"tenants": tenants, "worker": "w1", "most": 1, "engine": None, "short": 100}
            facts |= {"asked": False, "tenant": "t0001", "runs": ["r1"]}
            read[last] = [
                sum(pages_read(postgres_url, name, facts) for _ in range(3))
                for name in ("claim_looks", "fetch_short", "due_of", "fetch")
            ]
    assert all(more <= 3 * few + 100 for few, more in zip(read[300], read[3000], strict=True)), read
