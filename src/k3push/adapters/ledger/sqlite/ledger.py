"""A ledger in one SQLite file, for the processes of one machine.

    async with open_sqlite(Path("ledger.db"), account="66e1c2") as ledger:
        ...

Durable by WAL with `synchronous=FULL`; quick all the same, since verbs share commits (see
`group_commit`). Several processes may have the file open: SQLite lets one transaction write
at a time, and each looks at the rows and at the claims before it sending. The file must be on
a disk of this machine; over a network neither SQLite's locks nor those of the runs are sure.

Times are kept to the millisecond.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread

from k3push.adapters.ledger.sqlite import file, memos, reads, runs, sending, steps
from k3push.adapters.ledger.sqlite.file import (
    Connection,
    SameFiles,
    connect,
    locks_folder,
    lost_as_ledger,
)
from k3push.adapters.ledger.sqlite.group_commit import GroupCommit, Reader
from k3push.adapters.ledger.sqlite.run_locks import RunLocks
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
async def open_sqlite(
    path: Path, *, account: str, create: bool = True
) -> AsyncIterator[SqliteLedger]:
    """Open the ledger at *path* for an account.

    Args:
        path: The database file. `-wal`, `-shm` and `-locks` stand beside it.
        account: Whose runs it tells of; those of others are not there for it.
        create: Make it if it is missing; a command that only reads leaves that to others.

    Raises:
        LedgerLostError: There is no ledger, or none that this version can use.
    """
    with anyio.CancelScope(shield=True):
        opened = await to_thread.run_sync(partial(_Opened.at, path, create=create))
    commits = GroupCommit(path, opened.writer, opened.check)
    looks = Reader(path, opened.reader)
    try:
        yield SqliteLedger(path, commits, looks, opened.locks, account=account)
    finally:
        with anyio.CancelScope(shield=True):
            # The writer last: whoever closes last clears the WAL away, and a reader cannot.
            await to_thread.run_sync(looks.close)
            await to_thread.run_sync(commits.close)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open ledger has of its files."""

    writer: Connection
    reader: Connection
    files: SameFiles
    locks: RunLocks

    @classmethod
    def at(cls, path: Path, *, create: bool) -> _Opened:
        writer, reader = connect(path, create=create)
        return cls(writer, reader, SameFiles(path), RunLocks(locks_folder(path)))

    def check(self) -> None:
        self.files.check()
        self.locks.check()


async def migrate(path: Path, *, create: bool = False) -> None:
    """Bring the schema of the ledger at *path* up to date.

    Raises:
        LedgerLostError: There is no ledger and *create* is false, or none that this version can
            use.
    """

    def bring_up_to_date() -> None:
        for connection in reversed(connect(path, create=create)):
            connection.close()

    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(bring_up_to_date)


async def version_of(path: Path) -> int:
    """Return the version of the ledger in a file; 0 if there is none."""
    return await to_thread.run_sync(file.version_of, path)


class SqliteLedger(Ledger):
    """A ledger in a SQLite file; made by `open_sqlite`."""

    def __init__(
        self, path: Path, commits: GroupCommit, looks: Reader, locks: RunLocks, *, account: str
    ) -> None:
        self._path = path
        self._commits = commits
        self._looks = looks
        self._locks = locks
        self._account = account

    def of_account(self, account: str) -> SqliteLedger:
        """Return the same ledger for another account."""
        return SqliteLedger(self._path, self._commits, self._looks, self._locks, account=account)

    async def _write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        return await self._commits.write(lambda c: work(c.of_account(self._account)), brief=brief)

    async def _read(self, look: Callable[[Connection], T]) -> T:
        return await self._looks.read(lambda c: look(c.of_account(self._account)))

    async def _block(self, act: Callable[[RunId], T], run: RunId) -> T:
        """Do something with the lock of a run, in a thread: not at all, or to the end."""
        with lost_as_ledger(self._path):
            return await to_thread.run_sync(act, run)

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Write down a new run; an id that is taken is refused."""
        await self._write(lambda c: runs.open_run(c, run))

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Write down how an execution ended."""
        await self._write(lambda c: runs.end_run(c, run, exit_code, at))

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        return await self._read(lambda c: reads.run(c, run))

    async def runs(self) -> Sequence[Run]:
        """Return all runs, the oldest first."""
        return await self._read(reads.runs)

    @asynccontextmanager
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends or the process dies."""
        await self._read(lambda c: runs.run_key(c, run))
        await self._block(self._locks.take, run)
        try:
            await self._write(lambda c: sending.bury_executor(c, run, executes=executes))
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._block(self._locks.give_back, run)

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        if not await self._read(lambda c: reads.is_there(c, run)):
            return False
        return await self._block(self._locks.is_alive, run)

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Write down that a run has the numbers of a file."""
        await self._write(lambda c: runs.take(c, file, run))

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
        return await self._write(lambda c: runs.command(c, run, command, at))

    async def commands(self, run: RunId) -> Sequence[Commanded]:
        """Return the commands for the present execution."""
        return await self._read(lambda c: reads.commands(c, run))

    async def obeyed(self, command: int, *, at: datetime, on_their_way: int) -> None:
        """Write down that the executor has obeyed, once."""
        await self._write(lambda c: runs.obeyed(c, command, at, on_their_way))

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
        return await self._write(lambda c: runs.add(c, run, listed))

    async def close_list(self, run: RunId) -> None:
        """Write down that all lines of the run are there."""
        await self._write(lambda c: runs.close_list(c, run))

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, Identified]
    ) -> Sequence[Repeat]:
        """Write down which bills lines mean."""
        return await self._write(lambda c: runs.identify(c, run, bills), brief=True)

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
        if await self._write(lambda c: sending.claim_free(c, run, numbers), brief=True):
            return {}
        # Whether a holder is alive is asked of the file system.
        return await self._write(
            lambda c: sending.claim(c, run, numbers, is_alive=self._locks.is_alive)
        )

    async def begin(self, intent: Intent) -> Attempt:
        """Write the intent down and move its rows to `sent`."""
        return await self._write(lambda c: sending.begin(c, intent), brief=True)

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
                c, attempt, exchange, verdict, outcomes, at=at, keep_claims=keep_claims
            ),
            brief=True,
        )

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt."""
        await self._write(lambda c: sending.conclude(c, run, outcomes, at=at, note=note))

    async def amend(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
    ) -> None:
        """Add documents to rows that name some already."""
        await self._write(lambda c: sending.amend(c, run, outcomes, at=at, note=note))

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of planned rows why they are not sent."""
        await self._write(lambda c: sending.put_off(c, run, outcomes))

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        return await self._read(lambda c: reads.doubts(c, run))

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        return await self._read(lambda c: reads.next_chunk(c, run))

    # -- what follows a push ------------------------------------------------------------------

    async def enrol(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:
        """Begin to follow documents."""
        await self._write(lambda c: steps.enrol(c, run, documents, at))

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
        await self._write(lambda c: steps.follow(c, run, documents, at))

    async def begin_step(self, intent: StepIntent) -> StepAttempt:
        """Write an attempt at a step down."""
        return await self._write(lambda c: steps.begin_step(c, intent))

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
            lambda c: steps.record_step(c, attempt, exchange, verdict, documents, at=at)
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
