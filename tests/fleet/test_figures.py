"""The figures of a fleet, as a collector and its alerts read them."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.postgres.database import Server
from k3push.cli.actions.fleet_status import status
from k3push.fleet.queue import open_queue
from k3push.fleet.status import samples
from k3push.reporting.metrics import (
    FLEET_ASIDE,
    FLEET_FAILED,
    FLEET_OLDEST_DUE,
    FLEET_OVERDUE,
    FLEET_PAUSED,
    FLEET_WORKERS,
)
from k3push.words.language import speaker
from tests.fleet.crew import ask, tenant
from tests.fleet.test_worker import do

pytestmark = pytest.mark.anyio

TROUBLE = """
UPDATE fleet_workers SET seen_at = now() - interval '1 hour';
INSERT INTO fleet_schedules (tenant, schedule, cron, due_at, wanted, begin_at) VALUES
    ('acme', 'a', '', now() + interval '1 day', true, now() - interval '1 hour'),
    ('acme', 'b', '', now() - interval '1 hour', false, NULL),
    ('acme', 'c', '', now() + interval '1 day', false, NULL);
INSERT INTO fleet_runs (tenant, run, lock, send_window, time_zone, outcome)
VALUES ('basf', 'r2', '', '', '', 'person');
"""


async def test_each_figure_tells_of_what_it_is_named_after(
    postgres_url: str, tmp_path: Path
) -> None:
    """An alert rings on each; a fleet at rest rings none."""
    tenant(tmp_path, postgres_url)
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        await queue.do("here", worker="w1", name="w1", host="h", serves=1)
        at_rest = {each.name: each.value for each in await samples(queue)}
        zeros = dict.fromkeys((FLEET_OVERDUE, FLEET_PAUSED, FLEET_FAILED, FLEET_ASIDE), 0.0)
        assert at_rest == {FLEET_WORKERS: 1.0, **zeros}
        await ask(queue, "acme", "r1")
        do(postgres_url, TROUBLE)
        await queue.do("pause", tenant="basf", why="")
        await queue.do("put_aside", tenant="acme", digest="d", file="a.csv")
        figures = {each.name: each.value for each in await samples(queue)}
    assert figures.pop(FLEET_OLDEST_DUE) > 0
    assert figures == {
        FLEET_WORKERS: 0.0,
        FLEET_OVERDUE: 2.0,
        FLEET_PAUSED: 1.0,
        FLEET_FAILED: 1.0,
        FLEET_ASIDE: 1.0,
    }
    path = tmp_path / "fleet.prom"
    await status(tmp_path, [], json=False, textfile=path, say=speaker("en"))
    text = await anyio.Path(path).read_text("utf-8")
    assert f"{FLEET_OVERDUE} 2.0" in text
    assert FLEET_OLDEST_DUE in text
