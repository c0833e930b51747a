"""Many writers, one commit: what gathers while a commit is under way shares the next one.

A commit that is on disk when it returns costs a flush of the disk, whether it carries one
verb or fifty. So a verb hands its work in; if no commit is under way it leads one at once, in
a worker thread; otherwise it waits, and whoever is first among those who waited leads for all
of them. There is never more than one writing thread, and none while nothing is to be written.

A work that is refused is undone alone, by doing the others once more: that is rare, and a
savepoint for each would cost them all. The commit is shared, and so is its failure.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from anyio.lowlevel import checkpoint_if_cancelled

from k3push.adapters.sqlite.file import Connection, lost_as_ledger
from k3push.ports import LedgerLostError

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A verb that has handed its work in."""

    work: Callable[[Connection], Any]
    called: anyio.Event = field(default_factory=anyio.Event)
    done: bool = False
    value: Any = None
    error: Exception | None = None


class GroupCommit:
    """The one way to write to a SQLite file."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self._path = path
        self._connection = connection
        self._limiter = anyio.CapacityLimiter(1)
        # The limiter already lets one thread in at a time. This lock also holds when asyncio
        # itself, not anyio, cancels a task and leaves its thread behind.
        self._lock = threading.Lock()
        self._gathered: list[_Waiting] = []
        self._leading = False
        self._broken = ""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction and return its value once that is on disk.

        A caller that is cancelled before it hands the work in writes nothing. Afterwards it is
        not let go before the commit, so nothing is written that its caller does not know of,
        unless the whole process dies; and that is what `Ledger.own` puts in order.

        Raises:
            LedgerLostError: It is not certain that the work is on disk.
            Exception: Whatever *work* raised; it has changed nothing.
        """
        await checkpoint_if_cancelled()
        waiting = _Waiting(work)
        self._gathered.append(waiting)
        with anyio.CancelScope(shield=True):
            if self._leading:
                await self._wait_for_call(waiting)
            if not waiting.done:
                await self._lead()
        if waiting.error:
            raise waiting.error
        value: T = waiting.value
        return value

    async def _wait_for_call(self, waiting: _Waiting) -> None:
        """Wait until a leader has written the work, or calls this one to lead."""
        try:
            await waiting.called.wait()
        except BaseException:
            # asyncio's own cancel does not know of shields. Who leaves must
            # not take the lead along.
            if waiting in self._gathered:
                self._gathered.remove(waiting)
                if waiting.called.is_set():
                    self._call_next()
            raise

    def _call_next(self) -> None:
        self._leading = bool(self._gathered)
        if self._gathered:
            self._gathered[0].called.set()

    async def _lead(self) -> None:
        """Commit all that has gathered, and call the next leader."""
        self._leading = True
        batch, self._gathered = self._gathered, []
        for waiting in batch:
            waiting.error = LedgerLostError(f"{self._path}: interrupted while writing")
        try:
            results = await to_thread.run_sync(self._commit, batch, limiter=self._limiter)
            for waiting, (value, error) in zip(batch, results, strict=True):
                waiting.value, waiting.error = value, error
        finally:
            for waiting in batch:
                waiting.done = True
                waiting.called.set()
            self._call_next()

    def close(self) -> None:
        """Close the connection, after the commit that may be under way."""
        with self._lock:
            self._connection.close()

    def _commit(self, batch: list[_Waiting]) -> list[tuple[Any, Exception | None]]:
        with self._lock:
            if self._broken:
                return [(None, LedgerLostError(self._broken)) for _ in batch]
            refused: dict[_Waiting, Exception] = {}
            try:
                while not self._done_but(refused, batch):
                    pass
            except LedgerLostError as lost:
                self._give_up(lost)
                # An exception of its own for each: every caller adds its traceback.
                return [(None, LedgerLostError(str(lost))) for _ in batch]
            return [(waiting.value, refused.get(waiting)) for waiting in batch]

    def _done_but(self, refused: dict[_Waiting, Exception], batch: Iterable[_Waiting]) -> bool:
        """Commit all works that are not *refused*; False if one more is, and all is undone."""
        with lost_as_ledger(self._path):
            self._connection.do("begin_write")
        for waiting in batch:
            if waiting in refused:
                continue
            try:
                with lost_as_ledger(self._path):
                    waiting.value = waiting.work(self._connection)
            except Exception as error:
                if not self._connection.in_transaction or _of_the_disk(error):
                    raise  # the whole transaction is gone, or must go
                with lost_as_ledger(self._path):
                    self._connection.do("rollback")
                refused[waiting] = error
                return False
        with lost_as_ledger(self._path):
            self._connection.do("commit")
        return True

    def _give_up(self, lost: LedgerLostError) -> None:
        """Undo the transaction; after an error of the disk itself, refuse all that follows.

        A full disk can be freed and a lock ends. But after a failed flush the system may have
        forgotten pages that it could not write, and report later flushes as good.
        """
        if _of_the_disk(lost):
            self._broken = str(lost)
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.do("rollback")


def _of_the_disk(error: Exception) -> bool:
    """Say whether the disk itself failed, after which nothing that is written can be trusted."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and "IOERR" in getattr(cause, "sqlite_errorname", "")


class Reader:
    """Reads in a connection of its own, so that a long one holds up no commit."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self._path = path
        self._connection = connection
        self._limiter = anyio.CapacityLimiter(1)
        self._lock = threading.Lock()

    async def read(self, look: Callable[[Connection], T]) -> T:
        """Return what *look* sees; it sees one state of the ledger, all commits included.

        Raises:
            LedgerLostError: The file could not be read.
        """
        return await to_thread.run_sync(self._read, look, limiter=self._limiter)

    def _read(self, look: Callable[[Connection], T]) -> T:
        with self._lock, lost_as_ledger(self._path):
            self._connection.do("begin_read")
            try:
                return look(self._connection)
            finally:
                self._connection.do("commit")

    def close(self) -> None:
        """Close the connection, after the read that may be under way."""
        with self._lock:
            self._connection.close()
