"""One suite, every ledger, on both event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from k3push.adapters.memory import MemoryLedger
from k3push.adapters.sqlite import open_sqlite
from k3push.ports import Ledger


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every asynchronous test on both loops."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_blocking() -> Iterator[None]:
    """Fail a test that touches SQLite or the disk on asyncio's thread."""
    with blockbuster_ctx():
        yield


@pytest.fixture(params=["memory", "sqlite"])
async def processes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Open one ledger twice, as two processes would."""
    if request.param == "memory":
        first = MemoryLedger()
        yield first, first.another_process()
        return
    async with AsyncExitStack() as opened:
        path = tmp_path / "ledger.db"
        yield (
            await opened.enter_async_context(open_sqlite(path)),
            await opened.enter_async_context(open_sqlite(path)),
        )


@pytest.fixture
def ledger(processes: tuple[Ledger, Ledger]) -> Ledger:
    """Return the ledger as the process under test sees it."""
    return processes[0]


@pytest.fixture
def other(processes: tuple[Ledger, Ledger]) -> Ledger:
    """Return the same ledger as another process sees it."""
    return processes[1]
