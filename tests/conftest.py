"""What all tests share."""

from __future__ import annotations

import gc
import os
import sys
import zlib
from pathlib import Path

# Where the environment wants no bytecode beside the sources, as that of a container may, it is
# kept apart, that of hypothesis as well: to compile all anew costs each worker ten seconds.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")

import anyio.to_thread
import pytest
from hypothesis import settings

from tests import virtual_time
from tests.postgres import (
    _postgres_home,
    _postgres_with_ledger,
    postgres_ledger_url,
    postgres_server,
    postgres_url,
)
from tests.schedules import seed_schedule
from tests.shares import is_of_other_half

__all__ = [
    "_postgres_home",
    "_postgres_with_ledger",
    "postgres_ledger_url",
    "postgres_server",
    "postgres_url",
]

# The same examples every time, and no clock: the machine may be busy.
settings.register_profile("k3push", derandomize=True, deadline=None, database=None)
settings.load_profile("k3push")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave one half of the tests of some files to `pytest -m more`."""
    if item.get_closest_marker("halved") and is_of_other_half(item.nodeid):
        item.add_marker(pytest.mark.more)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with tests that may take long: at the end, all have something to do.

    They are those that ask for more time than others. xdist gives each worker one part of the
    list, and what is left of it at the end to whoever is done with theirs.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    long = [item for item in items if item.get_closest_marker("timeout")]
    short = [item for item in items if not item.get_closest_marker("timeout")]
    ends = [len(short) * nth // workers for nth in range(workers + 1)]
    items[:] = [
        item
        for nth in range(workers)
        for item in (*long[nth::workers], *short[ends[nth] : ends[nth + 1]])
    ]


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays to the end: thousands of tests, and all modules.

    To look through it took a second each time, and a tenth of all that tests took. Looking rarely
    saves another tenth.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True)
def _patient_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let virtual time stand while a thread works."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", virtual_time.run_sync)


@pytest.fixture(autouse=True)
def _seeded_schedule(request: pytest.FixtureRequest) -> None:
    """Give each test a schedule of its own, and the same one every time."""
    seed_schedule(zlib.crc32(request.node.nodeid.encode()))
