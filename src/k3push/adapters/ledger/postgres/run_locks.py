"""Who executes a run: an advisory lock that the server releases with its connection.

The lock says who lives. What keeps a process that was paused, cut off and given up from writing
is the run's epoch: each new owner counts it up, and every verb compares it in its transaction.

A standby that has taken over may be behind: calls that left last are not in it. So no run that
was begun before goes on there. Every verb compares where the ledger is (`Place`) as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import psycopg
from psycopg import AsyncConnection

from k3push.adapters.ledger.postgres.database import Connection, Server, cut_after
from k3push.adapters.ledger.postgres.transactions import Patience
from k3push.adapters.ledger.sql_steps.step_connection import run_key
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.ports import LedgerLostError, NoRunError, RunIsAliveError

RETAKE_PATIENCE_S = 60.0
"""For how long a lost lock is asked for again: longer than a server keeps a dead connection."""

RETAKE_PAUSE_S = 0.5

GIVE_BACK_S = 10.0
"""For how long a server is told that a lock is free; the end of the connection says so as well."""

MOST_SPARE = 2
"""Sessions that wait for the next run: a new one costs as much as a hundred statements."""

SPARE_S = 30.0

Place = tuple[Any, ...] | None
"""Where a ledger is: which server, and which of its histories (`sql/12.sql`)."""


async def is_alive(connection: Connection, run: RunId) -> bool:
    """Say whether some process holds the lock of a run."""
    try:
        key = await run_key(connection, run)
    except NoRunError:
        return False
    return await connection.one("is_alive", run=key) == (True,)


@dataclass(slots=True, eq=False)
class RunLock:
    """A run that this process owns.

    Attributes:
        epoch: The run's epoch under this owner, and in which table.
        place: Where the ledger was then.
        lost: Why it does not own it any more, or "".
    """

    run: RunId
    key: int
    epoch: str
    place: Place
    connection: Connection
    lost: str = ""
    keeper: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class _Spare:
    """A session without a lock, and what closes it if no run comes."""

    connection: Connection
    closing: asyncio.Task[None]


class RunLocks:
    """The runs that one process owns."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._held: dict[RunId, RunLock] = {}
        self._spare: list[_Spare] = []
        self._places: WeakKeyDictionary[AsyncConnection[Any], Place] = WeakKeyDictionary()

    async def look_where(self, connection: Connection) -> None:
        """Learn where the ledger is that a connection leads to, if a run is executed here."""
        if self._held:
            await self._place_of(connection)

    async def _place_of(self, connection: Connection) -> Place:
        if connection.raw not in self._places:
            self._places[connection.raw] = await connection.one("seen_here")
        return self._places[connection.raw]

    def check(self, run: RunId, epoch: str, connection: AsyncConnection[Any]) -> None:
        """Raise if this process has owned *run*, and another has taken it over or the ledger moved.

        Args:
            run: The run.
            epoch: What the ledger says now, while nobody can change it; "" where the run is gone.
            connection: By which it says so.
        """
        lock = self._held.get(run)
        if lock is None:
            return
        is_there = self._places.get(connection, lock.place) == lock.place
        if not is_there or _table_in(epoch) != _table_in(lock.epoch):
            lock.lost = _moved(run)
        elif lock.epoch != epoch:
            lock.lost = _taken_over(run)
        if lock.lost:
            place = self._server.place
            raise LedgerLostError(remark("ledger.lost", place=place, why=lock.lost))

    async def take(
        self, run: RunId, account: str, enter: Callable[[Connection], Awaitable[tuple[int, str]]]
    ) -> None:
        """Become the executor of *run*.

        Args:
            account: Whose run it is.
            enter: Puts in order what the last executor left behind, in a transaction that
                begins with a new epoch; it returns the run's key and the epoch.

        Raises:
            NoRunError: There is no such run.
            RunIsAliveError: Another process, or another task of this one, is.
        """
        if run in self._held:
            # Its lock may be lost for a moment, and would be had here a second time.
            raise RunIsAliveError(remark("ledger.run_alive", run=run))
        patience = Patience(self._server)
        lock: RunLock | None = None
        while lock is None:
            try:
                lock = await self._enter(run, account, enter)
            except psycopg.Error as said:
                # Whatever of it was committed, to enter again changes nothing for anybody else.
                await patience.after(said)
        self._held[run] = lock
        lock.keeper = asyncio.create_task(self._keep(lock))

    async def _enter(
        self, run: RunId, account: str, enter: Callable[[Connection], Awaitable[tuple[int, str]]]
    ) -> RunLock:
        connection = await self._connection(account)
        try:
            await _lock(connection, run)
            place = await self._place_of(connection)
            async with connection.transaction():
                key, epoch = await enter(connection)
        except BaseException:
            await connection.close()
            raise
        return RunLock(run, key, epoch, place, connection)

    async def give_back(self, run: RunId) -> None:
        """Be the executor of *run* no longer."""
        lock = self._held.pop(run)
        if lock.keeper:
            lock.keeper.cancel()
            with suppress(asyncio.CancelledError):
                await lock.keeper
        # Said aloud, since the server notices the end of a connection only after a moment.
        try:
            with cut_after(GIVE_BACK_S, lock.connection.raw):
                await lock.connection.do("give_run_lock_back")
        except psycopg.Error:
            await lock.connection.close()
        else:
            await self._keep_spare(lock.connection)

    async def close(self) -> None:
        """Close the sessions that are held for the next runs."""
        while self._spare:
            spare = self._spare.pop()
            spare.closing.cancel()
            await spare.connection.close()

    async def _connection(self, account: str) -> Connection:
        """Return a session of its own for a run: the one that was given back last, or a new one."""
        while self._spare:
            spare = self._spare.pop()
            spare.closing.cancel()
            if not spare.connection.raw.closed:
                return Connection(spare.connection.raw, account)
        return await self._server.connect(account)

    async def _keep_spare(self, connection: Connection) -> None:
        """Hold a session, which has no lock any more, for the next run; but not for long."""
        if len(self._spare) >= MOST_SPARE:
            await connection.close()
            return

        async def close_later() -> None:
            await asyncio.sleep(SPARE_S)
            self._spare.remove(spare)
            await connection.close()

        spare = _Spare(connection, asyncio.create_task(close_later()))
        self._spare.append(spare)

    async def _keep(self, lock: RunLock) -> None:
        """Wait for the connection to be lost, and take the lock again if nobody else has."""
        while not lock.lost:
            with suppress(psycopg.Error):
                # Nobody notifies: it ends when the connection does.
                async for _ in lock.connection.raw.notifies():
                    pass
            await lock.connection.close()
            lock.lost = await self._retake(lock)

    async def _retake(self, lock: RunLock) -> str:
        """Take the lock again; return why not, or ""."""
        until = anyio.current_time() + RETAKE_PATIENCE_S
        while anyio.current_time() < until:
            with suppress(psycopg.Error):
                connection = await self._server.connect()
                try:
                    if await self._place_of(connection) != lock.place:
                        return _moved(lock.run)
                    had = await connection.one("try_run_lock", run=lock.key) == (True,)
                    if await connection.one("epoch", run=lock.key) != (lock.epoch,):
                        return _taken_over(lock.run)
                    if had:
                        lock.connection, connection = connection, lock.connection
                        return ""
                finally:
                    await connection.close()
            await asyncio.sleep(RETAKE_PAUSE_S)
        return remark("ledger.lock_lost", run=lock.run)


async def _lock(connection: Connection, run: RunId) -> None:
    found = await connection.one("run_key", run=run)
    if found is None:
        raise NoRunError(run)
    if await connection.one("try_run_lock", run=found[0]) != (True,):
        raise RunIsAliveError(remark("ledger.run_alive", run=run))


def _table_in(epoch: str) -> str:
    return epoch.partition(" ")[2]


def _moved(run: RunId) -> str:
    return remark("ledger.moved_since", run=run)


def _taken_over(run: RunId) -> str:
    return remark("ledger.taken_over", run=run)
