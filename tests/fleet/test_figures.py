"""The figures of a fleet, as a collector and its alerts read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.postgres.database import Server
from k3push.cli.actions.fleet_status import status
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.status import samples, standing
from k3push.reporting.metrics import (
    FLEET_ASIDE,
    FLEET_FOR_PERSON,
    FLEET_OLDEST_DUE,
    FLEET_OLDEST_SHORT,
    FLEET_OVERDUE,
    FLEET_PAUSED,
    FLEET_UNARCHIVED,
    FLEET_WORKERS,
    Sample,
)
from k3push.words.language import speaker
from tests.fleet.crew import ask, tenant
from tests.fleet.test_worker import do
from tests.promql import Scrape, ringing
from tests.test_deployment import rules

pytestmark = pytest.mark.anyio

TROUBLE = """
UPDATE fleet_workers SET seen_at = now() - interval '1 hour';
UPDATE fleet_runs SET not_before = now() - interval '1 hour';
INSERT INTO fleet_schedules (tenant, schedule, cron, due_at, wanted, begin_at) VALUES
    ('acme', 'a', '', now() + interval '1 day', true, now() - interval '1 hour'),
    ('acme', 'b', '', now() - interval '1 hour', false, NULL),
    ('acme', 'c', '', now() + interval '1 day', false, NULL);
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, outcome)
VALUES ('bexo', 'r2', '', '', '', 'person');
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, outcome, unarchived, ended_at)
VALUES ('acme', 'a1', '', '', '', 'done', 'full', now() - interval '2 days'),
    ('acme', 'a2', '', '', '', 'done', '', now() - interval '1 day'),
    ('bexo', 'b1', '', '', '', 'done', '', now() - interval '3 days'),
    ('bexo', 'b2', '', '', '', 'done', 'No space left on device', now() - interval '2 days'),
    ('bexo', 'b3', '', '', '', 'person', NULL, now() - interval '1 day');
"""


def rung(samples: Sequence[Sample]) -> set[str]:
    """Return the alerts that ring where figures have stood for hours."""
    values = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    now_s = time.time()
    scrapes = [Scrape(now_s - minutes * 60, values) for minutes in range(120, -1, -1)]
    return {rule["alert"] for rule in rules() if ringing(rule, scrapes)}


async def test_a_run_that_waits_for_its_own_tenant_is_no_sign_of_too_few_places(
    postgres_url: str,
) -> None:
    """Nor is a long one, however long it waits."""
    async with open_queue(Server.of(postgres_url), create=True) as queue:

        async def waits() -> bool:
            return FLEET_OLDEST_SHORT in {each.name for each in await samples(queue)}

        await ask(queue, "acme", "long", numbers=10_000)
        assert not await waits()
        (engine,) = do(postgres_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")[0]
        job = await queue.app.job_manager.fetch_job(["acme"], int(str(engine)))
        assert job is not None
        await ask(queue, "acme", "short")
        assert not await waits()
        await queue.finish(job.id or 0)
        assert await waits()


async def test_each_figure_tells_of_what_it_is_named_after(
    postgres_url: str, tmp_path: Path
) -> None:
    """An alert rings on each; a fleet at rest rings none."""
    tenant(tmp_path, postgres_url)
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await queue.do("here", worker="w1", name="w1", host="h", serves=1)
        at_rest = await samples(queue)
        zero = (FLEET_OVERDUE, FLEET_PAUSED, FLEET_FOR_PERSON, FLEET_ASIDE, FLEET_UNARCHIVED)
        assert {each.name: each.value for each in at_rest} == {
            FLEET_WORKERS: 1.0,
            **dict.fromkeys(zero, 0.0),
        }
        assert rung(at_rest) == set()
        await ask(queue, "acme", "r1")
        do(postgres_url, TROUBLE)
        await queue.pause("bexo")
        await queue.put_aside("acme", "d", "a.csv")
        troubled = await samples(queue)
        (row,) = (await standing(queue, ["bexo"]))["tenants"]
    assert row["archive_failed"] == "No space left on device"
    assert rung(troubled) == {
        "K3pushNoWorker",
        "K3pushFleetWaits",
        "K3pushShortRunsWait",
        "K3pushSchedulesOverdue",
        "K3pushTenantsPaused",
        "K3pushRunsForPerson",
        "K3pushFilesAside",
        "K3pushRunsNotArchived",
    }
    figures = {each.name: each.value for each in troubled}
    assert figures.pop(FLEET_OLDEST_DUE) > 0
    assert figures.pop(FLEET_OLDEST_SHORT) > 0
    assert figures == {
        FLEET_WORKERS: 0.0,
        FLEET_OVERDUE: 2.0,
        FLEET_PAUSED: 1.0,
        FLEET_FOR_PERSON: 2.0,
        FLEET_ASIDE: 1.0,
        FLEET_UNARCHIVED: 1.0,
    }
    path = tmp_path / "fleet.prom"
    await status(tmp_path, [], json=False, textfile=path, say=speaker("en"))
    text = await anyio.Path(path).read_text("utf-8")
    assert f"{FLEET_OVERDUE} 2.0" in text
    assert FLEET_OLDEST_DUE in text
