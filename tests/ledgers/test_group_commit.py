from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from anyio import to_thread

from k3push.adapters.sqlite.file import Connection, connect
from k3push.adapters.sqlite.group_commit import GroupCommit


@asynccontextmanager
async def a_writer(path: Path) -> AsyncIterator[tuple[GroupCommit, list[str]]]:
    """Return a writer, and the list of transactions that it begins and ends."""
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    said: list[str] = []

    class Listening(Connection):
        """Tells what it does."""

        def __init__(self) -> None:
            super().__init__(path, "rw")

        def do(self, name: str, **values: str | float | bytes | None) -> int:
            said.append(name)
            return super().do(name, **values)

    commits = GroupCommit(path, await to_thread.run_sync(Listening))
    yield commits, said
    for opened in (commits, reader, writer):
        await to_thread.run_sync(opened.close)


def test_verbs_that_wait_share_a_commit(tmp_path: Path) -> None:
    """A flush costs the same for one and for fifty."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            begun, go = threading.Event(), threading.Event()

            def hold(_: Connection) -> None:
                begun.set()
                go.wait()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(commits.write, hold)
                await to_thread.run_sync(begun.wait)
                for _ in range(50):
                    tasks.start_soon(commits.write, lambda _: None)
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert said.count("commit") == 2
            assert said.count("savepoint") == 51

    anyio.run(write, backend="trio")


def test_a_task_that_asyncio_cancels_takes_nobody_along(tmp_path: Path) -> None:
    """Asyncio's own cancel, as on Ctrl-C, passes shields: others must still be served."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, _):
            begun, go = threading.Event(), threading.Event()

            def hold(_: Connection) -> None:
                begun.set()
                go.wait()

            leader = asyncio.create_task(commits.write(hold))
            await to_thread.run_sync(begun.wait)
            waiters = [asyncio.create_task(commits.write(lambda _: "kept")) for _ in range(3)]
            await anyio.wait_all_tasks_blocked()
            leader.cancel()
            waiters[0].cancel()
            go.set()
            for cancelled in (leader, waiters[0]):
                with suppress(asyncio.CancelledError):
                    await cancelled
            assert [await waiter for waiter in waiters[1:]] == ["kept", "kept"]
            assert await commits.write(lambda _: "on") == "on"

    anyio.run(write, backend="asyncio")
