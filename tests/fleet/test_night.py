"""A small night on real processes; `python -m tests.fleet` makes it as long as you like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fleet.night import Plan, lines_of, night, torment
from tests.postgres import PostgresServer

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
    pytest.mark.timeout(240),
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
        assert fleet.audit() == SMALL.tenants * SMALL.numbers
        assert all(exit_code == 0 for _, exit_code, _ in fleet.outcomes().values())
        assert lines_of(fleet.said(), ["defect", "Traceback"]) == []
