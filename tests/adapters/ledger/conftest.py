"""One suite, every ledger, on both event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from k3push.adapters.ledger.postgres import open_postgres
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.ports import Ledger
from tests.adapters.ledger.samples import ACCOUNT, OTHER_ACCOUNT
from tests.memory_ledger.ledger import MemoryLedger


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every asynchronous test on both loops."""
    return str(request.param)


@pytest.hookimpl(tryfirst=True)  # before cases are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out PostgreSQL on trio: psycopg works on asyncio.

    SQLite on trio is for the longer run: commands are on asyncio, and what is different in trio
    the ledger in memory shows.
    """
    for item in tuple(items):
        drawn = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        if drawn.get("anyio_backend") != "trio":
            continue
        if drawn.get("kind") == "postgres":
            items.remove(item)
        elif drawn.get("kind") == "sqlite":
            item.add_marker(pytest.mark.more)


@pytest.fixture(autouse=True)
def _no_blocking() -> Iterator[None]:
    """Fail a test that touches SQLite or the disk on asyncio's thread, but for what is brief."""
    with blockbuster_ctx() as blockbuster:
        brief = {"_begin_and_work", "_undo", "_read_briefly"}
        for name in ("sqlite3.Connection.execute", "sqlite3.Cursor.fetchall"):
            blockbuster.functions[name].can_block_in("sqlite/group_commit.py", brief)
        yield


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Say which ledger a test is about."""
    return str(request.param)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> str:
    """Return where the ledger is to be, which a fixture of the loop cannot ask for itself."""
    return str(request.getfixturevalue("postgres_ledger_url")) if kind == "postgres" else ""


@pytest.fixture
async def processes(kind: str, place: str, tmp_path: Path) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """Open one ledger twice, as two processes would."""
    if kind == "memory":
        first = MemoryLedger(account=ACCOUNT)
        yield first, first.another_process()
        return
    async with AsyncExitStack() as opened:
        if kind == "postgres":
            yield (
                await opened.enter_async_context(open_postgres(place, account=ACCOUNT)),
                await opened.enter_async_context(open_postgres(place, account=ACCOUNT)),
            )
            return
        path = tmp_path / "ledger.db"
        yield (
            await opened.enter_async_context(open_sqlite(path, account=ACCOUNT)),
            await opened.enter_async_context(open_sqlite(path, account=ACCOUNT)),
        )


@pytest.fixture
def ledger(processes: tuple[Ledger, Ledger]) -> Ledger:
    """Return the ledger as the process under test sees it."""
    return processes[0]


@pytest.fixture
def theirs(processes: tuple[Ledger, Ledger]) -> Ledger:
    """Return the same ledger, opened for another account."""
    return processes[1].of_account(OTHER_ACCOUNT)


@pytest.fixture
def other(processes: tuple[Ledger, Ledger]) -> Ledger:
    """Return the same ledger as another process sees it."""
    return processes[1]
