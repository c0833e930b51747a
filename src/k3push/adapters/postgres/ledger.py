"""A ledger in PostgreSQL, for the processes of many machines.

    async with open_postgres("postgresql://k3push@db.example.com/k3push") as ledger:
        ...

Durable by `synchronous_commit`; a server that may forget is refused. Verbs that go on at the same
time share the flush of the server's disk. They need asyncio, on which psycopg works.

Sessions hold the locks of runs, so a pooler that shares sessions between clients (PgBouncer in
transaction mode) must not stand between.

Times are kept to the millisecond.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import anyio

from k3push.adapters.postgres import reads, runs, sending
from k3push.adapters.postgres.holds import Holds
from k3push.adapters.postgres.schema import bring_up_to_date, schema_version
from k3push.adapters.postgres.server import Server
from k3push.adapters.postgres.transactions import Pool, Transactions, pool_of
from k3push.core.commands import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    FolderFile,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
)
from k3push.ports import AttemptRecord, Commanded, Doubt, Holder, Ledger, Note


@asynccontextmanager
async def open_postgres(
    url: str, *, password: str = "", create: bool = True
) -> AsyncIterator[PostgresLedger]:
    """Open the ledger in a database, whose schema is brought up to date.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`, with whatever else libpq takes.
        password: The password, if it is neither in the URL nor where libpq finds it itself
            (`PGPASSWORD`, `.pgpass`).
        create: Make the ledger if it is missing; a command that only reads leaves that to others.

    Raises:
        LedgerLostError: There is no ledger, or none that this version can use.
    """
    server = Server.of(url, password)
    # What it would say of lost connections, our errors say.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    with anyio.CancelScope(shield=True), server.lost_as_ledger():
        connection = await server.connect()
        try:
            await bring_up_to_date(server, connection, create=create)
        finally:
            await connection.close()
    pool = pool_of(server)
    await pool.open()
    try:
        yield PostgresLedger(server, pool)
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close()


async def version_of(url: str, password: str = "") -> int:
    """Return the version of the ledger that a database holds; 0 if it holds none."""
    server = Server.of(url, password)
    with server.lost_as_ledger():
        connection = await server.connect()
        try:
            return await schema_version(server, connection)
        finally:
            await connection.close()


class PostgresLedger(Ledger):
    """A ledger in PostgreSQL; made by `open_postgres`."""

    def __init__(self, server: Server, pool: Pool) -> None:
        transactions = Transactions(server, pool)
        self._holds = Holds(server)
        self._write = transactions.write
        self._read = transactions.read

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Write down a new run; an id that is taken is refused."""
        await self._write(lambda c: runs.open_run(c, run))

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Write down how an execution ended."""
        await self._write(lambda c: runs.end_run(c, self._holds, run, exit_code, at))

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        return await self._read(lambda c: reads.run(c, run))

    async def runs(self) -> Sequence[Run]:
        """Return all runs, the oldest first."""
        return await self._read(reads.runs)

    @asynccontextmanager
    async def own(self, run: RunId) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends, or the process or its machine dies."""
        with anyio.CancelScope(shield=True):
            await self._holds.take(run, lambda c: sending.bury_executor(c, self._holds, run))
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._holds.give_back(run)

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        return await self._read(lambda c: reads.is_alive(c, run))

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Write down that a run has the numbers of a file."""
        await self._write(lambda c: runs.take(c, self._holds, file, run))

    async def has_taken(self, file: FolderFile) -> bool:
        """Say whether some run has the numbers of a file."""
        return await self._read(lambda c: reads.has_taken(c, file))

    async def keep_calls_at_once(self, scope: str, calls: int) -> None:
        """Keep how many calls at once an execution came to."""
        await self._write(lambda c: runs.keep_calls_at_once(c, scope, calls))

    async def calls_at_once(self, scope: str) -> int | None:
        """Return what was kept last."""
        return await self._read(lambda c: reads.calls_at_once(c, scope))

    # -- commands -----------------------------------------------------------------------------

    async def command(self, run: RunId, command: Command, *, at: datetime) -> int:
        """Leave a command for the executor of *run*."""
        return await self._write(lambda c: runs.command(c, self._holds, run, command, at))

    async def commands(self, run: RunId) -> Sequence[Commanded]:
        """Return the commands for the present execution."""
        return await self._read(lambda c: reads.commands(c, run))

    async def obeyed(self, command: int, *, at: datetime, on_their_way: int) -> None:
        """Write down that the executor has obeyed, once."""
        await self._write(lambda c: runs.obeyed(c, self._holds, command, at, on_their_way))

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows and repeats."""
        return await self._write(lambda c: runs.add(c, self._holds, run, listed))

    async def close_list(self, run: RunId) -> None:
        """Write down that all lines of the run are there."""
        await self._write(lambda c: runs.close_list(c, self._holds, run))

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, BillNumber]
    ) -> Sequence[Repeat]:
        """Write down the ERP's spellings."""
        return await self._write(lambda c: runs.identify(c, self._holds, run, bills))

    async def repeats(self, run: RunId) -> Sequence[Repeat]:
        """Return all repeats of a run."""
        return await self._read(lambda c: reads.repeats(c, run))

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Return a page of rows."""
        return await self._read(lambda c: reads.rows(c, run, states, after, limit))

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count the rows of each state; at once, whatever their number."""
        return await self._read(lambda c: reads.counts(c, run))

    async def target_count(self, run: RunId) -> int:
        """Count the documents that the rows of a run name."""
        return await self._read(lambda c: reads.target_count(c, run))

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return the rows of one number in all runs."""
        return await self._read(lambda c: reads.rows_of(c, number))

    # -- sending ------------------------------------------------------------------------------

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim what is free, or was held by the dead for numbers that nobody sent."""
        return await self._write(lambda c: sending.claim(c, self._holds, run, numbers))

    async def begin(self, intent: Intent) -> Attempt:
        """Write the intent down and move its rows to `sent`."""
        return await self._write(lambda c: sending.begin(c, self._holds, intent))

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Write down what came of *attempt*, once."""
        await self._write(
            lambda c: sending.record(
                c,
                self._holds,
                attempt,
                exchange,
                verdict,
                outcomes=outcomes,
                at=at,
                keep_claims=keep_claims,
            )
        )

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt."""
        await self._write(
            lambda c: sending.conclude(c, self._holds, run, outcomes, at=at, note=note)
        )

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        return await self._read(lambda c: reads.doubts(c, run))

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        return await self._read(lambda c: reads.next_chunk(c, run))

    # -- looking back -------------------------------------------------------------------------

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return every attempt that carried a number."""
        return await self._read(lambda c: reads.attempts_of(c, number))

    async def notes_of(self, number: BillNumber) -> Sequence[Note]:
        """Return the notes on a number."""
        return await self._read(lambda c: reads.notes_of(c, number))

    async def attempts_in(
        self, run: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[AttemptRecord]:
        """Return a page of the attempts of a run."""
        return await self._read(lambda c: reads.attempts_in(c, run, after, limit))

    async def notes_in(self, run: RunId, *, after: int = 0, limit: int = 1000) -> Sequence[Note]:
        """Return a page of the notes that a run has made."""
        return await self._read(lambda c: reads.notes_in(c, run, after, limit))

    async def attempt_count(self, run: RunId) -> int:
        """Count the attempts of a run."""
        return await self._read(lambda c: reads.attempt_count(c, run))

    async def spans(self, run: RunId) -> Sequence[tuple[datetime, datetime]]:
        """Return when each recorded attempt of a run began and ended."""
        return await self._read(lambda c: reads.spans(c, run))
