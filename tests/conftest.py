"""What all tests share."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import settings

from tests.postgres import _postgres_home, postgres_server, postgres_url
from tests.schedules import seed_schedule

__all__ = ["_postgres_home", "postgres_server", "postgres_url"]

# The same examples every time, and no clock: the machine may be busy.
settings.register_profile("k3push", derandomize=True, deadline=None, database=None)
settings.load_profile("k3push")


@pytest.fixture(autouse=True)
def _seeded_schedule(request: pytest.FixtureRequest) -> None:
    """Give each test a schedule of its own, and the same one every time."""
    seed_schedule(zlib.crc32(request.node.nodeid.encode()))
