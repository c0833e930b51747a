"""What all tests share."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import settings
from trio._core import _run as trio_run

# The same examples every time, and no clock: the machine may be busy.
settings.register_profile("k3push", derandomize=True, deadline=None, database=None)
settings.load_profile("k3push")


@pytest.fixture(autouse=True)
def _seeded_scheduler(request: pytest.FixtureRequest) -> None:
    """Give each test a schedule of its own, and the same one every time.

    trio runs tasks that are ready at the same moment in an order of chance, so that nobody
    relies on one; a failure that cannot be had again teaches nothing.
    """
    trio_run._r.seed(zlib.crc32(request.node.nodeid.encode()))
