"""A ledger in PostgreSQL, for the processes of many machines.

    url = "postgresql://k3push@db.example.com/k3push"
    async with open_postgres(url, account="66e1c2") as ledger:
        ...

Durable by `synchronous_commit`; a server that may forget is refused. Verbs that go on at the same
time share the flush of the server's disk. They need asyncio, on which psycopg works.

Sessions hold the locks of runs, so a pooler that shares sessions between clients (PgBouncer in
transaction mode) must not stand between.

Times are kept to the millisecond.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import anyio

from k3push.adapters.ledger.postgres import memos, reads, runs, sending, steps
from k3push.adapters.ledger.postgres.database import Connection, Server
from k3push.adapters.ledger.postgres.run_locks import RunLocks
from k3push.adapters.ledger.postgres.schema import bring_up_to_date, schema_version
from k3push.adapters.ledger.postgres.transactions import Transactions, pool_of
from k3push.core.control_words import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Document,
    Exchange,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    StepAttempt,
    StepIntent,
)
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Doubt,
    Holder,
    Ledger,
    Made,
    Memo,
    Note,
    StepRecord,
)

T = TypeVar("T")


@asynccontextmanager
async def open_postgres(
    url: str, *, account: str, password: str = "", create: bool = True
) -> AsyncIterator[PostgresLedger]:
    """Open the ledger in a database for an account; its schema is brought up to date.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`, with whatever else libpq takes.
        account: Whose runs it tells of; those of others are not there for it.
        password: The password, if it is neither in the URL nor where libpq finds it itself
            (`PGPASSWORD`, `.pgpass`).
        create: Make the ledger if it is missing; a command that only reads leaves that to others.

    Raises:
        LedgerLostError: There is no ledger, or none that this version can use.
    """
    server = Server.of(url, password)
    await _bring_up_to_date(server, create=create)
    pool = pool_of(server)
    await pool.open()
    try:
        yield PostgresLedger(RunLocks(server), Transactions(server, pool), account=account)
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close()


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


class PostgresLedger(Ledger):
    """A ledger in PostgreSQL; made by `open_postgres`."""

    def __init__(self, holds: RunLocks, transactions: Transactions, *, account: str) -> None:
        self._holds = holds
        self._transactions = transactions
        self._account = account

    def of_account(self, account: str) -> PostgresLedger:
        """Return the same ledger for another account; they share their connections."""
        return PostgresLedger(self._holds, self._transactions, account=account)

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._transactions.write(lambda c: work(c.of_account(self._account)))

    async def _read(self, look: Callable[[Connection], Awaitable[T]]) -> T:
        return await self._transactions.read(lambda c: look(c.of_account(self._account)))

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
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends, or the process or its machine dies."""

        async def enter(connection: Connection) -> tuple[int, int]:
            return await sending.bury_executor(connection, self._holds, run, executes=executes)

        with anyio.CancelScope(shield=True):
            await self._holds.take(run, self._account, enter)
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

    # -- memos --------------------------------------------------------------------------------

    async def remember(self, memo: Memo) -> Memo:
        """Write a memo down unless it is there; return the one that is."""
        return await self._write(lambda c: memos.remember(c, memo))

    async def revise(self, memo: Memo) -> bool:
        """Put a memo in the place of its own version."""
        return await self._write(lambda c: memos.revise(c, memo))

    async def memo(self, kind: str, id_: str) -> Memo | None:
        """Return one memo."""
        return await self._read(lambda c: memos.memo(c, kind, id_))

    async def memos(
        self, kind: str, *, about: str = "", only_open: bool = False, limit: int = 1000
    ) -> Sequence[Memo]:
        """Return memos of a kind, the newest first."""
        return await self._read(lambda c: memos.memos(c, kind, about, limit, only_open=only_open))

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows and repeats."""
        return await self._write(lambda c: runs.add(c, self._holds, run, listed))

    async def close_list(self, run: RunId) -> None:
        """Write down that all lines of the run are there."""
        await self._write(lambda c: runs.close_list(c, self._holds, run))

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, Identified]
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

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text, the newest run first."""
        return await self._read(lambda c: reads.find_rows(c, words, remarks, limit))

    async def made_of(
        self, run: RunId, numbers: Collection[BillNumber]
    ) -> Mapping[BillNumber, Made]:
        """Return what other runs of the scope have made of bills, the latest of each."""
        return await self._read(lambda c: reads.made_of(c, run, numbers))

    async def made_in(
        self, scope: str, bills: Mapping[BillNumber, str]
    ) -> Mapping[BillNumber, Made]:
        """Return what the runs of a scope have made of bills, the latest of each."""
        return await self._read(lambda c: reads.made_in(c, scope, bills))

    async def made_of_namesakes(
        self, scope: str, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return ids of documents that runs of a scope have made of other bills of a number."""
        return await self._read(lambda c: reads.made_of_namesakes(c, scope, bills))

    async def made_by(
        self, run: RunId, sender: str | None = None, *, limit: int = 20
    ) -> Sequence[Made]:
        """Return the newest rows of the scope that name documents."""
        return await self._read(lambda c: reads.made_by(c, run, sender, limit))

    async def twins(self, run: RunId) -> int:
        """Count the rows of a run whose code is `model.TWIN`."""
        return await self._read(lambda c: reads.twins(c, run))

    async def partly(self, run: RunId) -> int:
        """Count the rows of a run whose code is `model.PARTLY`."""
        return await self._read(lambda c: reads.partly(c, run))

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

    async def amend(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
    ) -> None:
        """Add documents to rows that name some already."""
        await self._write(lambda c: sending.amend(c, self._holds, run, outcomes, at=at, note=note))

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of planned rows why they are not sent."""
        await self._write(lambda c: sending.put_off(c, self._holds, run, outcomes))

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        return await self._read(lambda c: reads.doubts(c, run))

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        return await self._read(lambda c: reads.next_chunk(c, run))

    # -- what follows a push ------------------------------------------------------------------

    async def enrol(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:
        """Begin to follow documents."""
        await self._write(lambda c: steps.enrol(c, self._holds, run, documents, at))

    async def documents(
        self,
        run: RunId,
        *,
        follows: Collection[Follow] = (),
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[Document]:
        """Return a page of documents."""
        return await self._read(lambda c: steps.documents(c, run, follows, after, limit))

    async def documents_of(self, run: RunId, ids: Collection[str]) -> Mapping[str, Document]:
        """Return documents by id."""
        return await self._read(lambda c: steps.documents_of(c, run, ids))

    async def document_counts(self, run: RunId) -> Mapping[Follow, int]:
        """Count documents by how far they have come."""
        return await self._read(lambda c: steps.document_counts(c, run))

    async def follow(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:
        """Write down how far documents have come."""
        await self._write(lambda c: steps.follow(c, self._holds, run, documents, at))

    async def begin_step(self, intent: StepIntent) -> StepAttempt:
        """Write an attempt at a step down."""
        return await self._write(lambda c: steps.begin_step(c, self._holds, intent))

    async def record_step(
        self,
        attempt: StepAttempt,
        exchange: Exchange,
        verdict: str,
        documents: Sequence[Document],
        *,
        at: datetime,
    ) -> None:
        """Write down what came of an attempt at a step, once."""
        await self._write(
            lambda c: steps.record_step(
                c, self._holds, attempt, exchange, verdict, documents=documents, at=at
            )
        )

    async def step(self, attempt: int) -> StepRecord | None:
        """Return an attempt at a step."""
        return await self._read(lambda c: steps.step(c, attempt))

    async def steps_of(self, document: str) -> Sequence[StepRecord]:
        """Return every attempt at a step of a document."""
        return await self._read(lambda c: steps.steps_of(c, document))

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
