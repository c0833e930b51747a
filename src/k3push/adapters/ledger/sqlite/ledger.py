"""A ledger in one SQLite file, for the processes of one machine.

    async with open_sqlite(Path("ledger.db"), account="66e1c2") as ledger:
        ...

Durable by WAL with `synchronous=FULL`; quick all the same, since verbs share commits (see
`group_commit`). Several processes may have the file open: SQLite lets one transaction write
at a time, and each looks at the rows and at the claims before it sends. The file must be on
a disk of this machine; over a network neither SQLite's locks nor those of the runs are sure.

Times are kept to the millisecond.

Most verbs are in `sql_steps`; here are those that nobody else writes beside, that ask the file
system, and that SQLite finds by other indexes than PostgreSQL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.lowlevel import RunVar

from k3push.adapters.ledger import codec
from k3push.adapters.ledger.sql_steps.ledger import SqlLedger, Work, read_by, written_by
from k3push.adapters.ledger.sql_steps.reads import counts
from k3push.adapters.ledger.sqlite import follow_steps, reads, schema, sending
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection, run_to_end
from k3push.adapters.ledger.sqlite.connections import Connection, lost_as_ledger
from k3push.adapters.ledger.sqlite.file_birth import birth_of
from k3push.adapters.ledger.sqlite.files_beside import locks_folder
from k3push.adapters.ledger.sqlite.group_commit import GroupCommit, Reader
from k3push.adapters.ledger.sqlite.opening import connect
from k3push.adapters.ledger.sqlite.run_locks import RunLocks
from k3push.adapters.ledger.sqlite.same_files import SameFiles
from k3push.core.model import Attempt, BillNumber, Intent, RunId, State
from k3push.core.safety.legal_moves import OPEN
from k3push.ports import Holder, LedgerLostError

# How often it is looked whether the files are still those that were opened.
REPLACED_LOOK_S = 5.0

ROUNDED = timedelta(milliseconds=10)
"""By how much more the time of a file may tell than a ledger."""

LOOKS_AT_ONCE = 20
"""Such looks of a process side by side: a machine that was asleep owes those of all its ledgers."""

_looks_left = RunVar[anyio.CapacityLimiter]("looks at the files of ledgers")

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
    looks = Reader(path, opened.reader, opened.files.check)
    try:
        yield SqliteLedger(path, commits, looks, opened.locks, opened.files, account=account)
    finally:
        with anyio.CancelScope(shield=True):
            # Whoever closes last brings the WAL into the file and clears it away, and a reader
            # cannot. So the writer is the last, save where the file may be a backup by now.
            closes = [looks.close, commits.close]
            if not await to_thread.run_sync(opened.files.are_there):
                closes.reverse()
            for close in closes:
                await to_thread.run_sync(close)


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
        # A connection counts as one that has the file only once it has read.
        with lost_as_ledger(path):
            reader.all("user_version")
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
    return await to_thread.run_sync(schema.version_of, path)


def _is_known(at: datetime, last_begun: datetime | None) -> bool:
    """Say whether a call that is noted to have left stands in a ledger, by its run's last one."""
    return last_begun is not None and last_begun >= at - ROUNDED


async def _home(connection: AccountConnection) -> tuple[str, datetime | None] | None:
    """Return in which file the ledger was written, and when it was seen to have moved there."""
    row = await connection.one("home")
    return (codec.read_words(row[0]), codec.read_time_or_none(row[1])) if row is not None else None


async def _settle_in(connection: AccountConnection, file: str, moved_at: datetime | None) -> None:
    """Take down in which file the ledger is, and when it was seen to have moved there."""
    await connection.do("leave_home")
    await connection.do("settle_in", file=file, moved_at=codec.write_time_or_none(moved_at))


class SqliteLedger(SqlLedger[AccountConnection]):
    """A ledger in a SQLite file; made by `open_sqlite`."""

    def __init__(
        self,
        path: Path,
        commits: GroupCommit,
        looks: Reader,
        locks: RunLocks,
        files: SameFiles,
        *,
        account: str,
    ) -> None:
        self._path = path
        self._commits = commits
        self._looks = looks
        self._locks = locks
        self._files = files
        self._account = account

    def of_account(self, account: str) -> SqliteLedger:
        """Return the same ledger for another account."""
        parts = (self._path, self._commits, self._looks, self._locks, self._files)
        return SqliteLedger(*parts, account=account)

    async def until_replaced(self) -> None:
        """Wait until another file is in the place of the one there was, and stays as it is."""
        # A share that hangs keeps some threads, and none of those that others wait for.
        try:
            turns = _looks_left.get()
        except LookupError:
            _looks_left.set(turns := anyio.CapacityLimiter(LOOKS_AT_ONCE))
        replaced = False
        while not replaced:
            await anyio.sleep(REPLACED_LOOK_S)
            with suppress(OSError):  # a share that is away: who reads is told, and it may come back
                replaced = await to_thread.run_sync(
                    self._files.have_successor, limiter=turns, abandon_on_cancel=True
                )

    async def unknown_sending(self) -> datetime | None:
        """Return when the last call left that an executor has noted, and this ledger not."""
        with lost_as_ledger(self._path):
            noted = await to_thread.run_sync(self._locks.sendings)
        if not noted:
            return None
        latest = await self.read(lambda c: reads.last_begun(c, noted))
        unknown = [at for run, at in noted.items() if not _is_known(at, latest[run])]
        return max(unknown, default=None)

    async def moved_at(self, now: datetime) -> datetime | None:
        """Return when the ledger was first seen in another file (a copy, a backup), or None."""
        with lost_as_ledger(self._path):
            file = await to_thread.run_sync(birth_of, self._path)
        known = await self.read(_home)
        moved_at = now if known is not None else None
        if known is not None and known[0] == file:
            # The clock may have been ahead then.
            moved_at = known[1] and min(known[1], now)
        if known != (file, moved_at):
            await self.write(lambda c: _settle_in(c, file, moved_at))
        return moved_at

    async def _forget_sending(self, run: RunId) -> None:
        """Take the note of a run's last call away, once this ledger knows what came of it."""
        at = await self._block(self._locks.sent_at, run)
        if at is None:
            return

        async def look(connection: AccountConnection) -> tuple[datetime | None, AbstractSet[State]]:
            begun = await reads.last_begun(connection, [run])
            return begun[run], (await counts(connection, run)).keys()

        begun, states = await self.read(look)
        if _is_known(at, begun) and not states & OPEN:
            await self._block(self._locks.forget_sending, run)

    async def write(self, step: Work[AccountConnection, T], *, brief: bool = False) -> T:
        """Do a step of this account that writes; see `GroupCommit.write`."""
        return await self._commits.write(lambda c: self._done(step, c), brief=brief)

    async def read(self, step: Work[AccountConnection, T], *, brief: bool = False) -> T:
        """Do a step of this account that reads; see `Reader.read`."""
        return await self._looks.read(lambda c: self._done(step, c), brief=brief)

    def _done(self, step: Work[AccountConnection, T], connection: Connection) -> T:
        return run_to_end(step(AccountConnection(connection, self._account)))

    @asynccontextmanager
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold the lock of *run* until the block ends or the process dies."""
        await self.read(lambda c: c.key_and_scope(run))
        await self._block(self._locks.take, run)
        try:
            await self.write(lambda c: sending.bury_executor(c, run, executes=executes))
            yield
        finally:
            with anyio.CancelScope(shield=True):
                with suppress(LedgerLostError):  # it knows nothing of it then
                    await self._forget_sending(run)
                await self._block(self._locks.give_back, run)

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        if not await self.read(lambda c: reads.is_there(c, run)):
            return False
        return await self._block(self._locks.is_alive, run)

    async def _block(self, act: Callable[[RunId], T], run: RunId) -> T:
        """Do something with the lock of a run, in a thread: not at all, or to the end."""
        with lost_as_ledger(self._path):
            return await to_thread.run_sync(act, run)

    glances = read_by(reads.glances)
    rows = read_by(reads.rows)
    accounts_with = read_by(reads.accounts_with)

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim what is free, or was held by the dead for numbers that nobody sent."""
        if await self.write(lambda c: sending.claim_free(c, run, numbers), brief=True):
            return {}
        # Whether a holder is alive is asked of the file system.
        return await self.write(
            lambda c: sending.claim(c, run, numbers, is_alive=self._locks.is_alive)
        )

    async def begin(self, intent: Intent) -> Attempt:
        """Write down a call that is about to leave, and beside the ledger when that was."""
        attempt = await self.write(lambda c: sending.begin(c, intent), brief=True)
        with suppress(OSError):  # of a full disk, say; the call itself is written down
            self._locks.note_sending(intent.run, intent.began_at)
        return attempt

    record = written_by(sending.record, brief=True)
    conclude = written_by(sending.conclude)
    amend = written_by(sending.amend)
    steps_so_far = read_by(follow_steps.steps_so_far)
    begin_step = written_by(follow_steps.begin_step)
