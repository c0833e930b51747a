"""A ledger in PostgreSQL, for the processes of many machines.

    url = "postgresql://k3push@db.example.com/k3push"
    async with open_postgres(url, account="66e1c2") as ledger:
        ...

Durable by `synchronous_commit`; a server that may forget is refused. Verbs that go on at the same
time share the flush of the server's disk. They need asyncio, on which psycopg works.

Sessions hold the locks of runs, so a pooler that shares sessions between clients (PgBouncer in
transaction mode) must not stand between.

Times are kept to the millisecond.

Most verbs are in `sql_steps`; here are those that lock what others may write meanwhile, and that
PostgreSQL finds by other indexes than SQLite.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import anyio

from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.postgres import follow_steps, reads, sending
from k3push.adapters.ledger.postgres.database import Connection, Server
from k3push.adapters.ledger.postgres.run_locks import RunLocks, is_alive
from k3push.adapters.ledger.postgres.schema import bring_up_to_date, check_server, schema_version
from k3push.adapters.ledger.postgres.transactions import CONNECTIONS, Connections, Transactions
from k3push.adapters.ledger.sql_steps.ledger import SqlLedger, Work, read_by, written_by
from k3push.core.model import RunId

T = TypeVar("T")

MOST_KEYS = 1000
"""Keys of runs that are remembered: nearly every read begins with one."""

# What it would say of lost connections, our errors say.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    account: str,
    password: str = "",
    create: bool = True,
    connections: int = CONNECTIONS,
    places: ConnectionPlaces | None = None,
) -> AsyncIterator[PostgresLedger]:
    """Open the ledger in a database for an account; its schema is brought up to date.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`, with whatever else libpq takes.
        account: Whose runs it tells of; those of others are not there for it.
        password: The password, if it is neither in the URL nor where libpq finds it itself
            (`PGPASSWORD`, `.pgpass`).
        create: Make the ledger if it is missing; a command that only reads leaves that to others.
        connections: How many at most; each run that is executed has one besides.
        places: For the connections to all databases of its server; its own where it is the only
            one that is open.

    Raises:
        LedgerLostError: There is no ledger, or none that this version can use.
    """
    server = Server.of(url, password)
    shared = Connections(server, connections, places or ConnectionPlaces())
    with server.lost_as_ledger():
        async with shared.place():
            await _bring_up_to_date(server, create=create)
    locks = RunLocks(server)
    try:
        transactions = Transactions(server, shared, locks.look_where)
        yield PostgresLedger(locks, transactions, account=account)
    finally:
        with anyio.CancelScope(shield=True):
            await locks.close()
            await shared.close()


async def migrate(url: str, *, password: str = "", create: bool = False) -> None:
    """Bring the schema of the ledger in a database up to date.

    Raises:
        LedgerLostError: There is no ledger and *create* is false, or none that this version can
            use.
    """
    await _bring_up_to_date(Server.of(url, password), create=create)


async def _bring_up_to_date(server: Server, *, create: bool) -> None:
    with anyio.CancelScope(shield=True):
        async with _connected(server) as connection:
            await bring_up_to_date(server, connection, create=create)


@asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Connection]:
    """Connect for as long as the block lasts; what fails there is a lost ledger."""
    with server.lost_as_ledger():
        connection = await server.connect()
        try:
            yield connection
        finally:
            await connection.close()


async def version_of(url: str, password: str = "") -> int:
    """Return the version of the ledger that a database holds; 0 if it holds none."""
    async with _connected(server := Server.of(url, password)) as connection:
        return await schema_version(server, connection)


async def is_there(url: str, password: str = "") -> bool:
    """Say whether a database holds a ledger; its server is one that can keep it.

    Raises:
        LedgerLostError: It is none, or cannot be reached.
    """
    async with _connected(server := Server.of(url, password)) as connection:
        await check_server(server, connection)
        return await schema_version(server, connection) > 0


async def _moved_for(connection: Connection) -> timedelta | None:
    """Take down where the ledger is, and say for how long, if it was elsewhere before."""
    ((known_for,),) = await connection.all("moved_for")
    return known_for if isinstance(known_for, timedelta) else None


class PostgresLedger(SqlLedger[Connection]):
    """A ledger in PostgreSQL; made by `open_postgres`."""

    def __init__(self, locks: RunLocks, transactions: Transactions, *, account: str) -> None:
        self._locks = locks
        self._transactions = transactions
        self._account = account
        self._keys: dict[RunId, tuple[int, str]] = {}

    def of_account(self, account: str) -> PostgresLedger:
        """Return the same ledger for another account; they share their connections."""
        return PostgresLedger(self._locks, self._transactions, account=account)

    async def until_replaced(self) -> None:
        """Wait for ever: a server is found again by its address."""
        await anyio.sleep_forever()

    async def unknown_sending(self) -> datetime | None:
        """Return None: beside a server's tables nothing tells what was there."""
        return None

    async def moved_at(self, now: datetime) -> datetime | None:
        """Return when the ledger was first seen in another place than before, or None."""
        moved_for = await self.write(_moved_for)
        return None if moved_for is None else now - moved_for

    async def write(
        self,
        step: Work[Connection, T],
        *,
        brief: bool = False,  # noqa: ARG002  # the server's time, not the event loop's
    ) -> T:
        """Do a step of this account that writes; see `Transactions.write`."""
        return await self._transactions.write(lambda c: step(self._bound(c)))

    async def read(
        self,
        step: Work[Connection, T],
        *,
        brief: bool = False,  # noqa: ARG002  # as for `write`
    ) -> T:
        """Do a step of this account that reads; see `Transactions.read`."""
        if len(self._keys) > MOST_KEYS:
            self._keys.clear()
        return await self._transactions.read(lambda c: step(self._bound(c, self._keys)))

    def _bound(
        self, connection: Connection, keys: dict[RunId, tuple[int, str]] | None = None
    ) -> Connection:
        check = partial(self._locks.check, connection=connection.raw)
        return connection.bound(self._account, check, keys)

    @asynccontextmanager
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends, or the process or its machine dies."""

        async def enter(connection: Connection) -> tuple[int, str]:
            return await sending.bury_executor(self._bound(connection), run, executes=executes)

        with anyio.CancelScope(shield=True):
            await self._locks.take(run, self._account, enter)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._locks.give_back(run)

    is_alive = read_by(is_alive)
    glances = read_by(reads.glances)
    rows = read_by(reads.rows)
    accounts_with = read_by(reads.accounts_with)

    claim = written_by(sending.claim)
    begin = written_by(sending.begin)
    record = written_by(sending.record)
    conclude = written_by(sending.conclude)
    amend = written_by(sending.amend)

    steps_so_far = written_by(follow_steps.steps_so_far)
    begin_step = written_by(follow_steps.begin_step)
