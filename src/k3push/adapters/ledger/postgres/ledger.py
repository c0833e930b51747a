"""A ledger in PostgreSQL, for the processes of many machines.

    url = "postgresql://k3push@db.example.com/k3push"
    async with open_postgres(url, account="66e1c2") as ledger:
        ...

Durable by `synchronous_commit`; a server that may forget is refused. Verbs that go on at the same
time share the flush of the server's disk. They need asyncio, on which psycopg works.

Sessions hold the locks of runs, so a pooler that shares sessions between clients (PgBouncer in
transaction mode) must not stand between.

Times are kept to the millisecond.

The ledger itself is a list, as that in SQLite is: for each verb of the port the step that does it
(`writes`, `sending`, `steps`, `reads`, `memos`), and whether it reads or writes.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio

from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.postgres import archiving, reads, sending, steps, writes
from k3push.adapters.ledger.postgres import memos as memo_steps
from k3push.adapters.ledger.postgres.database import Connection, Server
from k3push.adapters.ledger.postgres.run_locks import RunLocks
from k3push.adapters.ledger.postgres.schema import bring_up_to_date, schema_version
from k3push.adapters.ledger.postgres.transactions import CONNECTIONS, Connections, Transactions
from k3push.core.model import RunId
from k3push.ports import Ledger

P = ParamSpec("P")
T = TypeVar("T")

MOST_KEYS = 1000
"""Keys of runs that are remembered: nearly every read begins with one."""

Step = Callable[Concatenate[Connection, P], Awaitable[T]]


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
        yield PostgresLedger(locks, Transactions(server, shared), account=account)
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
    # What it would say of lost connections, our errors say.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    with anyio.CancelScope(shield=True), server.lost_as_ledger():
        connection = await server.connect()
        try:
            await bring_up_to_date(server, connection, create=create)
        finally:
            await connection.close()


async def version_of(url: str, password: str = "") -> int:
    """Return the version of the ledger that a database holds; 0 if it holds none."""
    server = Server.of(url, password)
    with server.lost_as_ledger():
        connection = await server.connect()
        try:
            return await schema_version(server, connection)
        finally:
            await connection.close()


def _reads(step: Step[P, T]) -> Callable[Concatenate[PostgresLedger, P], Coroutine[Any, Any, T]]:
    """Make a verb of a step that only reads."""

    async def verb(ledger: PostgresLedger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ledger.read(lambda connection: step(connection, *args, **kwargs))

    return update_wrapper(verb, step)


def _writes(step: Step[P, T]) -> Callable[Concatenate[PostgresLedger, P], Coroutine[Any, Any, T]]:
    """Make a verb of a step that writes."""

    async def verb(ledger: PostgresLedger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ledger.write(lambda connection: step(connection, *args, **kwargs))

    return update_wrapper(verb, step)


class PostgresLedger(Ledger):
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
        moved_for = await self.write(writes.moved_for)
        return None if moved_for is None else now - moved_for

    async def write(self, step: Callable[[Connection], Awaitable[T]]) -> T:
        """Do a step of this account that writes; see `Transactions.write`."""
        return await self._transactions.write(lambda c: step(self._bound(c)))

    async def read(self, step: Callable[[Connection], Awaitable[T]]) -> T:
        """Do a step of this account that reads; see `Transactions.read`."""
        if len(self._keys) > MOST_KEYS:
            self._keys.clear()
        return await self._transactions.read(
            lambda c: step(c.bound(self._account, self._locks.check, self._keys))
        )

    def _bound(self, connection: Connection) -> Connection:
        return connection.bound(self._account, self._locks.check)

    # -- runs ---------------------------------------------------------------------------------

    open_run = _writes(writes.open_run)
    end_run = _writes(writes.end_run)
    run = _reads(reads.run)
    runs = _reads(reads.runs)
    runs_named = _reads(reads.runs_named)
    runs_called = _reads(reads.runs_called)
    runs_begun_with = _reads(reads.runs_begun_with)
    glances = _reads(reads.glances)
    take = _writes(writes.take)
    taker_of = _reads(reads.taker_of)
    keep_pace = _writes(writes.keep_pace)
    pace = _reads(reads.pace)
    is_alive = _reads(reads.is_alive)

    @asynccontextmanager
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends, or the process or its machine dies."""

        async def enter(connection: Connection) -> tuple[int, int]:
            return await sending.bury_executor(self._bound(connection), run, executes=executes)

        with anyio.CancelScope(shield=True):
            await self._locks.take(run, self._account, enter)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._locks.give_back(run)

    # -- archives -----------------------------------------------------------------------------

    due_for_archive = _reads(archiving.due_for_archive)
    archive = _writes(archiving.archive)
    prune = _writes(archiving.prune)

    # -- commands -----------------------------------------------------------------------------

    command = _writes(writes.command)
    commands = _reads(reads.commands)
    obeyed = _writes(writes.obeyed)

    # -- memos --------------------------------------------------------------------------------

    remember = _writes(memo_steps.remember)
    revise = _writes(memo_steps.revise)
    memo = _reads(memo_steps.memo)
    memos = _reads(memo_steps.memos)

    # -- numbers ------------------------------------------------------------------------------

    add = _writes(writes.add)
    close_list = _writes(writes.close_list)
    identify = _writes(writes.identify)
    repeats = _reads(reads.repeats)
    rows = _reads(reads.rows)
    counts = _reads(reads.counts)
    target_count = _reads(reads.target_count)
    rows_of = _reads(reads.rows_of)
    accounts_with = _reads(reads.accounts_with)
    find_rows = _reads(reads.find_rows)
    runs_holding = _reads(reads.runs_holding)
    in_hand = _reads(reads.in_hand)
    made_of = _reads(reads.made_of)
    made_in = _reads(reads.made_in)
    made_of_namesakes = _reads(reads.made_of_namesakes)
    made_by = _reads(reads.made_by)
    fruitful = _reads(reads.fruitful)
    lately_sent = _reads(reads.lately_sent)
    twins = _reads(reads.twins)
    partly = _reads(reads.partly)

    # -- sending ------------------------------------------------------------------------------

    claim = _writes(sending.claim)
    begin = _writes(sending.begin)
    record = _writes(sending.record)
    conclude = _writes(sending.conclude)
    amend = _writes(sending.amend)
    put_off = _writes(sending.put_off)
    doubts = _reads(reads.doubts)
    next_chunk = _reads(reads.next_chunk)

    # -- what follows a push ------------------------------------------------------------------

    enrol = _writes(steps.enrol)
    documents = _reads(steps.documents)
    documents_of = _reads(steps.documents_of)
    document_counts = _reads(steps.document_counts)
    follow = _writes(steps.follow)
    steps_so_far = _writes(steps.steps_so_far)
    begin_step = _writes(steps.begin_step)
    record_step = _writes(steps.record_step)
    step = _reads(steps.step)
    steps_of = _reads(steps.steps_of)

    # -- looking back -------------------------------------------------------------------------

    attempts_of = _reads(reads.attempts_of)
    notes_of = _reads(reads.notes_of)
    attempts_in = _reads(reads.attempts_in)
    notes_in = _reads(reads.notes_in)
    attempt_count = _reads(reads.attempt_count)
    spans = _reads(reads.spans)
