"""Whose turn it is: short runs wait for no long ones, and long ones come to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from procrastinate.manager import JobManager

from k3push.adapters.ledger.postgres.database import Server
from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.fleet.execution_terms import Terms
from k3push.fleet.queue import Queue
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.turns import PLACES_FOR_SHORT, SHORT, priority
from k3push.runs.outcome import Ending
from k3push.runs.stop import Stop
from tests.fleet.crew import FakeWork, ask, outcome, serving, tenant, until, worker
from tests.fleet.test_worker import do

pytestmark = pytest.mark.anyio

LONG = 10_000
PLACES = 4
"""Of the worker of these tests."""

OLDER = """
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, listed)
VALUES ('acme', 'r1', 'acme', '', '', true)
"""
"""What a version writes that does not count numbers."""


class Slow(FakeWork):
    """Long runs do not end, short ones do."""

    async def execute(self, tenant: Tenant, run: RunId, terms: Terms, stop: Stop) -> Ending:
        """Wait until told to stop, or end."""
        self.waits = run.startswith("long")
        return await super().execute(tenant, run, terms, stop)


def tenants(folder: Path, url: str, *names: str) -> Mapping[str, Tenant]:
    """Return tenants that have one file's settings."""
    settings = tenant(folder, url).settings
    return {name: Tenant(name, settings) for name in names}


async def fill(queue: Queue, work: FakeWork, lists: int) -> None:
    """Let long lists take all places that they get, and as many more wait."""
    for nth in range(lists):
        await ask(queue, f"t{nth}", f"long{nth}", numbers=LONG)
    await until(lambda: work.at_once == PLACES)


async def test_a_short_run_waits_for_none_of_the_long_ones_that_have_all_places(
    postgres_url: str, tmp_path: Path
) -> None:
    """First come, first served let three numbers wait for hours behind lists of 10,000."""
    names = [f"t{nth}" for nth in range(2 * PLACES)]
    work = Slow(dict(tenants(tmp_path, postgres_url, *names, "small", "smaller")))
    async with serving(worker(work, postgres_url)) as queue:
        await fill(queue, work, len(names))
        for name, numbers in (("small", SHORT), ("smaller", 1)):
            await ask(queue, name, f"short-{name}", numbers=numbers)
            assert (await outcome(queue, name, f"short-{name}"))["outcome"] == "done"
        assert work.most_at_once == PLACES + PLACES_FOR_SHORT
        assert len(work.began) == PLACES + 2


async def test_the_place_for_short_runs_is_not_taken_by_long_ones(
    postgres_url: str, tmp_path: Path
) -> None:
    """Also where short ones have taken the others, and have come to their end."""
    names = [f"t{nth}" for nth in range(2 * PLACES)]
    work = Slow(dict(tenants(tmp_path, postgres_url, *names, "a", "b", "c", "d", "e", "f")))
    async with serving(worker(work, postgres_url)) as queue:
        for name in "abcdef":
            await ask(queue, name, name)
        await fill(queue, work, len(names))
        for name in "abcdef":
            await outcome(queue, name, name)
        await anyio.sleep(0.3)
        assert work.at_once == PLACES


async def test_the_less_a_run_has_to_do_the_sooner_it_begins(
    postgres_url: str, tmp_path: Path
) -> None:
    """By the numbers of each, and those of one size in the order of their coming."""
    sizes = {"a": LONG, "b": LONG, "c": 2000, "d": 200, "e": SHORT + 1}
    work = FakeWork(dict(tenants(tmp_path, postgres_url, *sizes)))
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        for name, numbers in sizes.items():
            await ask(queue, name, name, numbers=numbers)
    async with serving(replace(worker(work, postgres_url), concurrency=1)) as queue:
        for name in sizes:
            await outcome(queue, name, name)
    assert [name for name, _, _ in work.began] == ["e", "d", "c", "a", "b"]


async def test_a_long_run_goes_before_what_came_half_a_day_later(
    postgres_url: str, tmp_path: Path
) -> None:
    """However many small ones come, each of them waits its turn, and the long one has its own."""
    work = FakeWork(dict(tenants(tmp_path, postgres_url, "long", "small")))
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await queue.ask("long", RunId("r1"), "long", "", "")
        do(postgres_url, "UPDATE fleet_runs SET not_before = now() - interval '12 hours'")
        await queue.listed("long", RunId("r1"), 1_000_000)
        await ask(queue, "small", "r2", numbers=SHORT + 1)
    async with serving(replace(worker(work, postgres_url), concurrency=1)) as queue:
        for name, run in (("long", "r1"), ("small", "r2")):
            await outcome(queue, name, run)
    assert [name for name, _, _ in work.began] == ["long", "small"]


async def test_a_short_run_waits_for_the_run_of_its_own_tenant(
    postgres_url: str, tmp_path: Path
) -> None:
    """Side by side the two would only wait for each other's numbers."""
    names = [f"t{nth}" for nth in range(PLACES)]
    work = Slow(dict(tenants(tmp_path, postgres_url, *names)))
    async with serving(worker(work, postgres_url)) as queue:
        await fill(queue, work, PLACES)
        await ask(queue, "t0", "short")
        await ask(queue, "t1", "program", lock="t1/programs/1", numbers=1)
        await outcome(queue, "t1", "program")
        assert "short" not in [run for _, run, _ in work.began]


async def test_a_run_that_an_older_version_has_queued_is_executed(
    postgres_url: str, tmp_path: Path
) -> None:
    """It does not say how many numbers it has, and is no short one."""
    work = FakeWork(dict(tenants(tmp_path, postgres_url, "acme")))
    async with serving(worker(work, postgres_url)) as queue:
        do(postgres_url, OLDER)
        assert (await outcome(queue, "acme", "r1"))["outcome"] == "done"


async def test_a_worker_of_an_older_version_takes_what_is_queued(postgres_url: str) -> None:
    """It asks the engine alone, which goes by the priorities that it is given."""
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        for name, numbers in (("a", LONG), ("b", 3)):
            await ask(queue, name, name, numbers=numbers)
        (engine,) = do(postgres_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")[0]
        older = JobManager(queue.app.connector)
        jobs = [await older.fetch_job(["a", "b"], int(str(engine))) for _ in range(3)]
    assert [job and job.queue for job in jobs] == ["b", "a", None]


async def test_two_workers_never_take_one_short_run(postgres_url: str) -> None:
    """They look at the same moment, each by what is written down."""
    server = Server.of(postgres_url)
    async with (
        open_queue(server, create=True, most_long=0) as one,
        open_queue(server, create=True, most_long=0) as other,
    ):
        await ask(one, "long", "long", numbers=LONG)
        for nth in range(20):
            await ask(one, f"t{nth // 2}", f"r{nth}")
        engines = [
            int(
                str(
                    do(postgres_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")[0][
                        0
                    ]
                )
            )
            for _ in range(2)
        ]
        taken: list[str] = []

        async def take(queue: Queue, engine: int) -> None:
            names = ["long", *(f"t{nth}" for nth in range(10))]
            for _ in range(20):
                job = await queue.app.job_manager.fetch_job(names, engine)
                if job is not None:
                    taken.append(job.queue)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take, one, engines[0])
            tasks.start_soon(take, other, engines[1])
    assert sorted(taken) == sorted(f"t{nth}" for nth in range(10))


def test_ranks_fit_into_the_engines_priorities() -> None:
    """They have 32 bits, which is enough for this century."""
    for since_s in (1_700_000_000.0, 3_800_000_000.0):
        assert -(2**31) <= priority(since_s, 10**9) < 2**31
