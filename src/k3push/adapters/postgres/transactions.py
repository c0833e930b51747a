"""Transactions that outlive a lost connection, such as a restart of the server.

A transaction that was not committed is gone with its connection and can be done again. One whose
COMMIT was on its way may be there or not: the server is asked by the transaction's id, so a verb
is never done twice, and never taken for done when it is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import psycopg
from anyio.lowlevel import checkpoint_if_cancelled
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from k3push.adapters.postgres.server import (
    Connection,
    Server,
    is_of_the_line,
    is_of_the_moment,
)
from k3push.ports import LedgerLostError

T = TypeVar("T")

PATIENCE_S = 30.0
"""For how long a server that went away is waited for."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

CONNECTIONS = 8

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def pool_of(server: Server) -> Pool:
    """Return the connections that the verbs of one process share; it is still closed."""
    return AsyncConnectionPool(
        server.conninfo,
        kwargs={"autocommit": True},
        min_size=1,
        max_size=CONNECTIONS,
        timeout=PATIENCE_S,
        reconnect_timeout=PATIENCE_S,
        open=False,
    )


class Transactions:
    """The one way to read and to write."""

    def __init__(self, server: Server, pool: Pool) -> None:
        self._server = server
        self._pool = pool

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run *work* in a transaction and return its value once that is on the server's disk.

        A caller that is cancelled before it begins writes nothing; afterwards it is not let go
        before the commit. *work* may be run again, in a new transaction, after one that is
        known to have been undone.

        Raises:
            LedgerLostError: It is not certain that the work is on disk.
            Exception: Whatever *work* raised; it has changed nothing.
        """
        await checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            value = await self._write(work)
        return value  # noqa: RET504  # mypy thinks that a scope may swallow errors

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        patience = _Patience(self._server)
        while True:
            begun = _Begun()
            try:
                async with self._pool.connection() as raw:
                    await begun.run(Connection(raw), work)
            except psycopg.Error as said:
                await patience.after(said)
                if not (begun.id and await self._is_there(begun.id, patience)):
                    continue
            value: T = begun.value
            return value

    async def _is_there(self, transaction: str, patience: _Patience) -> bool:
        """Find out whether a transaction was committed, whose connection was lost meanwhile."""
        while True:
            try:
                async with self._pool.connection() as raw:
                    found = await Connection(raw).one("fate_of_transaction", id=transaction)
            except psycopg.Error as said:
                await patience.after(said)
                continue
            match found:
                case ("committed",):
                    return True
                case ("aborted",):
                    return False
                case ("in progress",):
                    await patience.wait()
                case _:
                    raise LedgerLostError(
                        f"{self._server.place}: the server does not know any more what became of"
                        " a write. `k3push resume` finds out."
                    )

    async def read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what *look* sees; what it asks travels together.

        Raises:
            LedgerLostError: The server could not be reached, or did not answer.
        """
        await checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            seen = await self._read(look)
        return seen  # noqa: RET504  # as above

    async def _read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        patience = _Patience(self._server)
        while True:
            try:
                async with self._pool.connection() as raw, raw.pipeline():
                    return await look(Connection(raw))
            except psycopg.Error as said:
                await patience.after(said)


class _Begun:
    """A transaction; when its id is known, its work is done and only its commit is in doubt."""

    __slots__ = ("id", "value")

    def __init__(self) -> None:
        self.id = ""
        self.value: Any = None

    async def run(
        self, connection: Connection, work: Callable[[Connection], Awaitable[Any]]
    ) -> None:
        async with connection.transaction():
            asked = await connection.ask("transaction_id")
            self.value = await work(connection)
            ((self.id,),) = await asked.fetchall()


class _Patience:
    """How long a verb goes on trying."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._until = anyio.current_time() + PATIENCE_S
        self._pause = FIRST_PAUSE_S

    async def after(self, said: psycopg.Error) -> None:
        """Wait a moment after an error that may pass; any other is raised as ours."""
        passing = is_of_the_line(said) or is_of_the_moment(said)
        if not passing or anyio.current_time() >= self._until:
            raise self._server.lost(said) from said
        await self._sleep()

    async def wait(self) -> None:
        """Wait a moment for the server to end what it is doing."""
        if anyio.current_time() >= self._until:
            raise LedgerLostError(
                f"{self._server.place}: a write has not ended for {PATIENCE_S:g} s."
                " `k3push resume` finds out what became of it."
            )
        await self._sleep()

    async def _sleep(self) -> None:
        await anyio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
