from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from k3push.adapters.ledger.sql_steps import reads, writes
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection, run_to_end
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.group_commit import GroupCommit, Reader
from k3push.adapters.ledger.sqlite.opening import connect
from k3push.core.model import Run
from k3push.ports import LedgerLostError
from tests.adapters.ledger.samples import ACCOUNT, a_run


class Said(list[str]):
    """The statements of a connection by their names.

    Attributes:
        threads: In which thread each was run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.threads: defaultdict[str, list[int]] = defaultdict(list)
        self._before: dict[str, Callable[[], object]] = {}

    def before(self, name: str, act: Callable[[], object]) -> None:
        """Do something before each statement of a name."""
        self._before[name] = act

    def tell(self, name: str) -> None:
        """Take in that a statement is about to be run."""
        self.append(name)
        self.threads[name].append(threading.get_ident())
        self._before.get(name, lambda: None)()


def open_run(name: str, connection: Connection) -> None:
    """Do a work that leaves something to be seen."""
    run_to_end(writes.open_run(AccountConnection(connection, ACCOUNT), a_run(name)))


def seen(connection: Connection) -> Sequence[Run]:
    """Return what was left."""
    return run_to_end(reads.runs(AccountConnection(connection, ACCOUNT)))


def pause(here: threading.Event, go: threading.Event) -> None:
    """Tell that this point is reached, and stay there."""
    here.set()
    go.wait()


@asynccontextmanager
async def a_writer(path: Path) -> AsyncIterator[tuple[GroupCommit, Said]]:
    """Return a writer, and the transactions that it begins and ends."""
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    said = Said()

    class Listening(Connection):
        """Tells what it does."""

        def __init__(self) -> None:
            super().__init__(path, "rw")
            self.script("write.sql")

        def do(self, name: str) -> None:
            said.tell(name)
            super().do(name)

    commits = GroupCommit(path, await to_thread.run_sync(Listening))
    yield commits, said
    for opened in (commits, reader, writer):
        await to_thread.run_sync(opened.close)


@asynccontextmanager
async def a_reader(path: Path) -> AsyncIterator[Reader]:
    """Return what reads a ledger."""
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    looks = Reader(path, reader, lambda: None)
    yield looks
    for opened in (looks, writer):
        await to_thread.run_sync(opened.close)


def done_with(done: list[int], nth: int, _: Connection) -> None:
    """Do a work that only says so."""
    done.append(nth)


@pytest.mark.parametrize("brief", [False, True])
def test_verbs_that_wait_share_a_commit(tmp_path: Path, *, brief: bool) -> None:
    """A flush costs the same for one and for fifty."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            begun, go = threading.Event(), threading.Event()
            done: list[int] = []

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(commits.write, lambda _: pause(begun, go))
                await to_thread.run_sync(begun.wait)
                for nth in range(50):
                    work = partial(done_with, done, nth)
                    tasks.start_soon(partial(commits.write, work, brief=brief))
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert said.count("commit") == 2
            assert sorted(done) == list(range(50))

    anyio.run(write, backend="trio")


@pytest.mark.parametrize("brief", [False, True])
def test_a_work_that_is_refused_is_undone_alone(tmp_path: Path, *, brief: bool) -> None:
    """What shares a commit with it is as if it had never been there, before it and after it."""

    def refuse(connection: Connection) -> None:
        open_run("refused", connection)
        raise LookupError("refused")

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            begun, go = threading.Event(), threading.Event()

            async def be_refused() -> None:
                with pytest.raises(LookupError, match="refused"):
                    await commits.write(refuse, brief=brief)

            async def open_one(name: str) -> None:
                await commits.write(partial(open_run, name), brief=brief)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(commits.write, lambda _: pause(begun, go))
                await to_thread.run_sync(begun.wait)
                tasks.start_soon(open_one, "before")
                tasks.start_soon(be_refused)
                tasks.start_soon(be_refused)
                tasks.start_soon(open_one, "after")
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert said.count("commit") == 2
            kept = await commits.write(seen)
            assert {run.id for run in kept} == {"before", "after"}

    anyio.run(write, backend="trio")


@pytest.mark.parametrize("brief", [False, True])
def test_a_task_that_asyncio_cancels_takes_nobody_along(tmp_path: Path, *, brief: bool) -> None:
    """Asyncio's own cancel, as on Ctrl-C, passes shields: others must still be served."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, _):
            begun, go = threading.Event(), threading.Event()

            leader = asyncio.create_task(commits.write(lambda _: pause(begun, go)))
            await to_thread.run_sync(begun.wait)
            waiters = [
                asyncio.create_task(commits.write(lambda _: "kept", brief=brief)) for _ in range(3)
            ]
            await anyio.wait_all_tasks_blocked()
            leader.cancel()
            waiters[0].cancel()
            go.set()
            for cancelled in (leader, waiters[0]):
                with suppress(asyncio.CancelledError):
                    await cancelled
            assert [await waiter for waiter in waiters[1:]] == ["kept", "kept"]
            assert await commits.write(lambda _: "on", brief=brief) == "on"

    anyio.run(write, backend="asyncio")


def test_what_is_brief_is_done_on_the_event_loop_and_flushed_beside_it(tmp_path: Path) -> None:
    """A flush may take long, and calls go on meanwhile."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            flushing, go = threading.Event(), threading.Event()
            said.before("commit", partial(pause, flushing, go))
            async with anyio.create_task_group() as tasks:
                where: list[int] = []
                work = partial(done_with, where, threading.get_ident())
                tasks.start_soon(partial(commits.write, work, brief=True))
                await to_thread.run_sync(flushing.wait)
                await checkpoint()
                go.set()
            assert said.threads["begin_write"] == where == [threading.get_ident()]
            assert threading.get_ident() not in said.threads["commit"]

    anyio.run(write, backend="trio")


def test_what_is_brief_waits_for_another_process_in_a_thread(tmp_path: Path) -> None:
    """Another run may be writing a long list."""

    async def write() -> None:
        async with (
            a_writer(tmp_path / "ledger.db") as (commits, said),
            a_writer(tmp_path / "ledger.db") as (others, _),
        ):
            begun, go, waits = threading.Event(), threading.Event(), threading.Event()
            said.before("wait_while_locked", waits.set)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(others.write, lambda _: pause(begun, go))
                await to_thread.run_sync(begun.wait)
                run = partial(commits.write, partial(open_run, "patient"), brief=True)
                tasks.start_soon(run)
                await to_thread.run_sync(waits.wait)
                go.set()
            kept = await others.write(seen)
            assert [run.id for run in kept] == ["patient"]

    anyio.run(write, backend="trio")


@pytest.mark.parametrize("begun", [False, True])
def test_a_flush_whose_task_asyncio_cancels_is_made_or_undone(
    tmp_path: Path, *, begun: bool
) -> None:
    """Nothing is left half open, which would bar the ledger to all others."""

    async def write() -> None:
        async with a_writer(tmp_path / "ledger.db") as (commits, said):
            flushing, go = threading.Event(), threading.Event()
            said.before("commit", partial(pause, flushing, go))
            holder = object()
            if not begun:
                commits._limiter.acquire_on_behalf_of_nowait(holder)
            leader = asyncio.create_task(commits.write(partial(open_run, "left"), brief=True))
            if begun:
                await to_thread.run_sync(flushing.wait)
            else:
                await anyio.wait_all_tasks_blocked()
            leader.cancel()
            await asyncio.wait([leader])
            go.set()
            if not begun:
                commits._limiter.release_on_behalf_of(holder)
            await commits.write(partial(open_run, "next"), brief=True)
            kept = await commits.write(seen)
            assert {run.id for run in kept} == ({"left", "next"} if begun else {"next"})

    anyio.run(write, backend="asyncio")


def test_a_brief_look_is_done_on_the_event_loop(tmp_path: Path) -> None:
    """A thread for each of the looks of a chunk takes a tenth more time."""

    async def read() -> None:
        async with a_reader(tmp_path / "ledger.db") as looks:
            assert await looks.read(lambda _: threading.get_ident()) != threading.get_ident()
            brief = await looks.read(lambda _: threading.get_ident(), brief=True)
            assert brief == threading.get_ident()

    anyio.run(read, backend="trio")


def test_a_brief_look_behind_a_long_one_waits_in_a_thread(tmp_path: Path) -> None:
    """Calls go on while a report reads a million rows."""

    async def read() -> None:
        async with a_reader(tmp_path / "ledger.db") as looks:
            begun, go = threading.Event(), threading.Event()
            where: list[int] = []

            async def look() -> None:
                where.append(await looks.read(lambda _: threading.get_ident(), brief=True))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(looks.read, lambda _: pause(begun, go))
                await to_thread.run_sync(begun.wait)
                tasks.start_soon(look)
                await anyio.wait_all_tasks_blocked()
                assert not where
                go.set()
            assert where != [threading.get_ident()]

    anyio.run(read, backend="trio")


def test_a_brief_look_that_fails_lets_others_look(tmp_path: Path) -> None:
    """It stumbles over one row that is damaged, say."""

    async def read() -> None:
        async with a_reader(tmp_path / "ledger.db") as looks:
            with pytest.raises(LedgerLostError, match="damaged"):
                await looks.read(lambda _: dict[str, str]()["cell"], brief=True)
            assert await looks.read(seen, brief=True) == await looks.read(seen) == []

    anyio.run(read, backend="trio")


def test_who_is_cancelled_before_a_brief_look_looks_at_nothing(tmp_path: Path) -> None:
    """A row of looks that never wait could not be stopped."""

    async def read() -> None:
        async with a_reader(tmp_path / "ledger.db") as looks:
            done: list[int] = []
            with anyio.CancelScope() as scope:
                scope.cancel()
                await looks.read(partial(done_with, done, 1), brief=True)
            assert scope.cancelled_caught
            assert not done

    anyio.run(read, backend="trio")
