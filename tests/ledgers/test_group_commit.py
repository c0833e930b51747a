from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from k3push.adapters.sqlite import reads, runs
from k3push.adapters.sqlite.file import Connection, connect
from k3push.adapters.sqlite.group_commit import GroupCommit
from tests.ledgers.samples import a_run


@asynccontextmanager
async def a_writer(path: Path) -> AsyncIterator[tuple[GroupCommit, list[str]]]:
    """Return a writer, and the list of transactions that it begins and ends."""
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    said: list[str] = []

    class Listening(Connection):
        """Tells what it does."""

        def __init__(self) -> None:
            super().__init__(path, "rw")
            self.script("write.sql")

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
            done: list[int] = []

            def hold(_: Connection) -> None:
                begun.set()
                go.wait()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(commits.write, hold)
                await to_thread.run_sync(begun.wait)
                for nth in range(50):
                    tasks.start_soon(commits.write, lambda _, nth=nth: done.append(nth))
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert said.count("commit") == 2
            assert sorted(done) == list(range(50))

    anyio.run(write, backend="trio")


def test_a_work_that_is_refused_is_undone_alone(tmp_path: Path) -> None:
    """What shares a commit with it is as if it had never been there, before it and after it."""

    def refuse(connection: Connection) -> None:
        runs.open_run(connection, a_run("refused"))
        raise LookupError("refused")

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            begun, go = threading.Event(), threading.Event()

            def hold(_: Connection) -> None:
                begun.set()
                go.wait()

            async def be_refused() -> None:
                with pytest.raises(LookupError, match="refused"):
                    await commits.write(refuse)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(commits.write, hold)
                await to_thread.run_sync(begun.wait)
                tasks.start_soon(commits.write, lambda c: runs.open_run(c, a_run("before")))
                tasks.start_soon(be_refused)
                tasks.start_soon(be_refused)
                tasks.start_soon(commits.write, lambda c: runs.open_run(c, a_run("after")))
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert said.count("commit") == 2
            kept = await commits.write(reads.runs)
            assert {run.id for run in kept} == {"before", "after"}

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
