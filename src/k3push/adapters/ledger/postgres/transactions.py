"""Transactions that outlive a lost connection, such as a restart of the server.

A transaction that was not committed is gone with its connection and can be done again. One whose
COMMIT was on its way may be there or not: it has written a number of its own beside its work, and
the server is asked for that. So no verb is done twice, or taken for done when it is not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import psycopg
from anyio.lowlevel import checkpoint_if_cancelled
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.postgres.database import (
    Connection,
    Server,
    cut_after,
    is_of_the_line,
    is_of_the_moment,
    let_last,
)
from k3push.adapters.ledger.postgres.telling_pool import TellingPool

T = TypeVar("T")

PATIENCE_S = 30.0
"""For how long a server that went away is waited for."""

SILENCE_S = 300.0
"""For how long a transaction waits for a server that is there, and whose disk may hang."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

CONNECTIONS = 8

IDLE_S = 60.0


class Connections:
    """The connections to a database that the verbs of one process share.

    Nothing that is idle for a while stays connected, nor what is not used while another database
    of the server waits for a place.

    Args:
        places: Those that all databases of its server share.
    """

    def __init__(self, server: Server, most: int, places: ConnectionPlaces) -> None:
        self.server = server.address
        self.most = most
        self._conninfo = server.conninfo
        self._places = places
        self._pool: TellingPool | None = None

    @property
    def size(self) -> int:
        """How many there are, in use or not."""
        return 0 if self._pool is None else self._pool.get_stats()["pool_size"]

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for a connection that the block opens; raises `PoolTimeout`."""
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._places.one(self))
            except TimeoutError:
                raise PoolTimeout(f"{self._places.most} connections to {self.server}") from None
            yield

    @asynccontextmanager
    async def one(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend a connection, as long as the block lasts; raises `psycopg.Error`."""
        async with self.place():
            pool = self._pool = self._pool or self._new_pool()
            await pool.open()
            async with pool.connection() as raw:
                with cut_after(SILENCE_S, raw):
                    yield raw

    def _new_pool(self) -> TellingPool:
        return TellingPool(
            self._conninfo,
            kwargs={"autocommit": True},
            configure=let_last,
            min_size=0,
            max_size=self.most,
            max_idle=IDLE_S,
            timeout=PATIENCE_S,
            reconnect_timeout=PATIENCE_S,
            open=False,
        )

    async def let_go(self) -> None:
        """Close all; they are opened again when they are asked for."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def close(self) -> None:
        """Close all for good."""
        await self.let_go()
        self._places.leave(self)


class Transactions:
    """The one way to read and to write."""

    def __init__(
        self,
        server: Server,
        connections: Connections,
        first: Callable[[Connection], Awaitable[None]],
    ) -> None:
        """Begin without a transaction.

        Args:
            first: Done with a connection before each transaction that writes.
        """
        self._server = server
        self._connections = connections
        self._first = first
        self._slots: list[str] = []
        self._numbers = count(1)

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
        patience = Patience(self._server)
        slot = self._slots.pop() if self._slots else uuid4().hex
        try:
            while True:
                begun = _Begun(slot, next(self._numbers))
                try:
                    async with self._connections.one() as raw:
                        await self._first(Connection(raw))
                        await begun.run(Connection(raw), work)
                except psycopg.Error as said:
                    await patience.after(said)
                    if not (begun.signed and await self._is_there(begun, patience)):
                        continue
                value: T = begun.value
                return value
        finally:
            self._slots.append(slot)

    async def _is_there(self, begun: _Begun, patience: Patience) -> bool:
        """Find out whether a transaction was committed, whose connection was lost meanwhile."""
        while True:
            try:
                async with self._connections.one() as raw:
                    return await Connection(raw).one("signed", slot=begun.slot) == (begun.nth,)
            except psycopg.Error as said:
                await patience.after(said)

    async def read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what *look* sees; each answer is waited for, so that nothing travels together.

        Raises:
            LedgerLostError: The server could not be reached, or did not answer.
        """
        await checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            seen = await self._read(look)
        return seen  # noqa: RET504  # as above

    async def _read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        patience = Patience(self._server)
        while True:
            try:
                async with self._connections.one() as raw:
                    return await look(Connection(raw))
            except psycopg.Error as said:
                await patience.after(said)


class _Begun:
    """A transaction; when it is signed, its work is done and only its commit is in doubt."""

    __slots__ = ("nth", "signed", "slot", "value")

    def __init__(self, slot: str, nth: int) -> None:
        self.slot = slot
        self.nth = nth
        self.signed = False
        self.value: Any = None

    async def run(
        self, connection: Connection, work: Callable[[Connection], Awaitable[Any]]
    ) -> None:
        async with connection.transaction():
            signature = await connection.ask("sign", slot=self.slot, nth=self.nth)
            self.value = await work(connection)
            # Read before COMMIT is sent: from here on the server holds the slot to its end.
            await signature.fetchall()
            self.signed = True


class Patience:
    """How long a verb goes on trying."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._until = 0.0
        self._pause = FIRST_PAUSE_S

    async def after(self, said: psycopg.Error) -> None:
        """Wait a moment after an error that may pass; any other is raised as ours."""
        # From the first error on: a line that is dead may take long to be known as such.
        self._until = self._until or anyio.current_time() + PATIENCE_S
        passing = is_of_the_line(said) or is_of_the_moment(said)
        if not passing or anyio.current_time() >= self._until:
            raise self._server.lost(said) from said
        await anyio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
