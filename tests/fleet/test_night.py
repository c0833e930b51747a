"""A small night on real processes; `python -m tests.fleet` makes it as long as you like."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.terminal import until
from tests.fleet.night import Plan, lines_of, night, torment
from tests.postgres import PostgresServer

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
    pytest.mark.timeout(240),
    pytest.mark.halved,
]

SMALL = Plan(
    tenants=6,
    numbers=60,
    workers=2,
    kill_every_s=3.0,
    kills=2,
    restarts=1,
    pause=False,
    cut_off=False,
    window_s=6.0,
    options="max_calls_per_minute = 300\n",
)


def test_tenants_on_workers_that_are_killed_end_as_if_nothing_had_been(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    """Every ledger is its world: no number is made twice, none is lost, all of it is done."""
    with night(SMALL, tmp_path, postgres_server, postgres_url) as fleet:
        torment(fleet)
        assert fleet.told == {"kills": 2, "restarts": 1}, fleet.said()
        assert fleet.check_ledgers() == SMALL.tenants * SMALL.numbers
        assert all(exit_code == 0 for _, exit_code, _ in fleet.outcomes().values())
        assert lines_of(fleet.said(), ["defect", "Traceback"]) == []


ZOMBIE = replace(
    SMALL,
    tenants=1,
    numbers=36,
    kills=0,
    restarts=0,
    faults=False,
    options="chunk_size = 2\nconcurrency = 1\nmax_calls_per_minute = 400\n",
)


@pytest.mark.more
def test_a_worker_that_is_paused_past_its_heartbeat_sends_nothing_when_it_wakes(
    tmp_path: Path, postgres_server: PostgresServer, postgres_url: str
) -> None:
    """It believes that the run is its own, and another has finished it meanwhile."""
    with night(ZOMBIE, tmp_path, postgres_server, postgres_url) as fleet:
        zombie = fleet.start()
        until(lambda: len(fleet.truth(0)["sources"]) >= 4)
        fleet.signal(zombie, signal.SIGSTOP)
        pushes = fleet.truth(0)["calls"]["push"]
        assert len(fleet.truth(0)["sources"]) < ZOMBIE.numbers
        fleet.start()
        until(lambda: fleet.truth(0)["calls"]["push"] > pushes + 1, 60.0)
        fleet.signal(zombie, signal.SIGCONT)
        until(lambda: fleet.open_runs() == 0, 60.0)
        until(lambda: "ended" in fleet.log_of(zombie), 60.0)
        assert "the ledger cannot be written" in fleet.log_of(zombie)
        assert fleet.check_ledgers() == ZOMBIE.numbers
        for worker in list(fleet.workers):
            assert fleet.drain(worker) == 0
