"""Many writers, one commit: what gathers while a commit is under way shares the next one.

A commit that is on disk when it returns costs a flush of the disk, whether it carries one
verb or fifty. So a verb hands its work in; if no commit is under way it leads one at once,
otherwise it waits, and whoever is first among those who waited leads for all of them. There is
never more than one transaction, and none while nothing is to be written.

What a chunk needs on its way is brief, and is done where the calls are made; only the flush
is left to a thread. A thread for all of it takes a sixth more time (measured): it can go on
only while the one that makes the calls does not, and each statement is handed to and fro
between them. What may take long, or has to wait for another process, is a thread's. Looks for
a chunk are brief as well.

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
from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint, checkpoint_if_cancelled

from k3push.adapters.ledger.codec import damaged
from k3push.adapters.ledger.sqlite.connections import Connection, lost_as_ledger, of_file
from k3push.core.remark import remark
from k3push.ports import LedgerLostError

T = TypeVar("T")

Results = list[tuple[Any, Exception | None]]
"""What came of each work of a batch: its value, or why it is not on disk."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A verb that has handed its work in."""

    work: Callable[[Connection], Any]
    brief: bool
    called: anyio.Event = field(default_factory=anyio.Event)
    done: bool = False
    value: Any = None
    error: Exception | None = None


class GroupCommit:
    """The one way to write to a SQLite file."""

    def __init__(
        self, path: Path, connection: Connection, still_there: Callable[[], None] = lambda: None
    ) -> None:
        """Begin to write.

        Args:
            connection: Nobody else writes by it.
            still_there: Raises `LedgerLostError` where what was committed may be lost all the same;
                asked after each commit.
        """
        self._path = path
        self._connection = connection
        self._still_there = still_there
        self._limiter = anyio.CapacityLimiter(1)
        # Held from the beginning of a transaction to its end; also by a thread that asyncio
        # itself, not anyio, left behind when it cancelled the task.
        self._lock = threading.Lock()
        self._gathered: list[_Waiting] = []
        self._leading = False
        self._broken = ""

    async def write(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        """Run *work* in a transaction and return its value once that is on disk.

        A caller that is cancelled before it hands the work in writes nothing. Afterwards it is
        not let go before the commit, so nothing is written that its caller does not know of,
        unless the whole process dies; and that is what `Ledger.own` puts in order.

        Args:
            brief: It is about one chunk, so that the event loop may wait for it.

        Raises:
            LedgerLostError: It is not certain that the work is on disk.
            Exception: Whatever *work* raised; it has changed nothing.
        """
        await checkpoint_if_cancelled()
        waiting = _Waiting(work, brief)
        self._gathered.append(waiting)
        with anyio.CancelScope(shield=True):
            await self._wait_for_call(waiting)
            if not waiting.done:
                await self._lead()
        if waiting.error:
            raise waiting.error
        value: T = waiting.value
        return value

    async def _wait_for_call(self, waiting: _Waiting) -> None:
        """Wait until a leader has written the work, or it is this one's turn to lead."""
        try:
            if self._leading:
                await waiting.called.wait()
            if not waiting.done:
                self._leading = True
                waiting.called.set()
                # Others may be about to hand theirs in.
                await cancel_shielded_checkpoint()
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
        batch, self._gathered = self._gathered, []
        for waiting in batch:
            waiting.error = LedgerLostError(of_file(self._path, remark("ledger.interrupted")))
        try:
            results = await self._commit(batch)
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

    async def _commit(self, batch: list[_Waiting]) -> Results:
        if all(waiting.brief for waiting in batch) and self._lock.acquire(blocking=False):
            refused: dict[_Waiting, Exception] = {}
            try:
                begun = self._begin_and_work(batch, refused, patient=False)
            except LedgerLostError as lost:
                results = self._give_up(batch, lost)
                self._lock.release()
                return results
            except BaseException:
                self._undo()
                raise
            if begun:
                return await self._flush(batch, refused)
            self._lock.release()
        return await to_thread.run_sync(self._commit_patiently, batch, limiter=self._limiter)

    def _commit_patiently(self, batch: list[_Waiting]) -> Results:
        """Do the whole of a transaction, and wait for other processes."""
        with self._lock:
            refused: dict[_Waiting, Exception] = {}
            try:
                self._begin_and_work(batch, refused, patient=True)
                return self._end(batch, refused)
            except LedgerLostError as lost:
                return self._give_up(batch, lost)

    async def _flush(self, batch: list[_Waiting], refused: dict[_Waiting, Exception]) -> Results:
        """End the transaction, in a thread."""
        # Whoever has it ends the transaction: the thread, or we where asyncio's own cancel came
        # before the thread began.
        turn = threading.Lock()

        def end() -> Results:
            if not turn.acquire(blocking=False):
                return []
            try:
                return self._end(batch, refused)
            except LedgerLostError as lost:
                return self._give_up(batch, lost)
            finally:
                self._lock.release()

        try:
            return await to_thread.run_sync(end, limiter=self._limiter)
        except BaseException:
            if turn.acquire(blocking=False):
                self._undo()
            raise

    def _begin_and_work(
        self, batch: list[_Waiting], refused: dict[_Waiting, Exception], *, patient: bool
    ) -> bool:
        """Do all works that are not refused, in a transaction that is begun.

        Returns:
            False if another process is writing, and there is no patience with it.
        """
        if self._broken:
            raise LedgerLostError(self._broken)
        while True:
            if not self._begin(patient=patient):
                return False
            if self._done_but(refused, batch):
                return True

    def _begin(self, *, patient: bool) -> bool:
        try:
            with lost_as_ledger(self._path):
                self._connection.begin(patient=patient)
        except LedgerLostError as lost:
            if patient or not _is(lost, "BUSY"):
                raise
            return False
        return True

    def _done_but(self, refused: dict[_Waiting, Exception], batch: Iterable[_Waiting]) -> bool:
        """Do all works that are not *refused*; False if one more is, and all is undone."""
        for waiting in batch:
            if waiting in refused:
                continue
            try:
                with lost_as_ledger(self._path):
                    waiting.value = waiting.work(self._connection)
            except Exception as error:
                if not self._connection.in_transaction or _is(error, "IOERR"):
                    raise  # the whole transaction is gone, or must go
                with lost_as_ledger(self._path):
                    self._connection.do("rollback")
                refused[waiting] = error
                return False
        return True

    def _end(self, batch: list[_Waiting], refused: dict[_Waiting, Exception]) -> Results:
        with lost_as_ledger(self._path):
            self._connection.do("commit")
            try:
                self._still_there()
            except LedgerLostError as lost:
                self._broken = str(lost)
                raise
        return [(waiting.value, refused.get(waiting)) for waiting in batch]

    def _give_up(self, batch: list[_Waiting], lost: LedgerLostError) -> Results:
        """Undo the transaction; after an error of the disk itself, refuse all that follows.

        A full disk can be freed and a lock ends. But after a failed flush the system may have
        forgotten pages that it could not write, and report later flushes as good.
        """
        if _is(lost, "IOERR"):
            self._broken = str(lost)
        self._roll_back()
        # An exception of its own for each: every caller adds its traceback.
        return [(None, LedgerLostError(str(lost))) for _ in batch]

    def _undo(self) -> None:
        """Leave no transaction behind, and give the lock back."""
        self._roll_back()
        self._lock.release()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.do("rollback")


def _is(error: Exception, kind: str) -> bool:
    """Say whether SQLite's own error, from which *error* came, is of a kind."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and kind in getattr(cause, "sqlite_errorname", "")


class Reader:
    """Reads in a connection of its own, so that a long one holds up no commit."""

    def __init__(self, path: Path, connection: Connection, check: Callable[[], None]) -> None:
        """Read the file at a path.

        Args:
            check: Raises if it is not there any more: what was read would be what nobody writes.
        """
        self._path = path
        self._connection = connection
        self._check = check
        self._limiter = anyio.CapacityLimiter(1)
        self._lock = threading.Lock()

    async def read(self, look: Callable[[Connection], T], *, brief: bool = False) -> T:
        """Return what *look* sees; it sees one state of the ledger, all commits included.

        Args:
            brief: It is about one chunk, so that the event loop may do it. The next commit for
                the chunk asks whether another file is in the place of this one.

        Raises:
            LedgerLostError: The file could not be read, or another is in its place.
        """
        if brief:
            await checkpoint()
            if self._lock.acquire(blocking=False):
                return self._read_briefly(look)
        return await to_thread.run_sync(self._read, look, limiter=self._limiter)

    def _read_briefly(self, look: Callable[[Connection], T]) -> T:
        try:
            return self._seen_by(look)
        finally:
            self._lock.release()

    def _read(self, look: Callable[[Connection], T]) -> T:
        with self._lock:
            with lost_as_ledger(self._path):
                self._check()
            return self._seen_by(look)

    def _seen_by(self, look: Callable[[Connection], T]) -> T:
        with lost_as_ledger(self._path):
            self._connection.do("begin_read")
            try:
                return look(self._connection)
            except (
                ArithmeticError,
                AttributeError,
                IndexError,
                KeyError,
                TypeError,
                ValueError,
            ) as error:
                # A look only reads, so what it stumbles over is what the file holds.
                raise damaged("file", error) from error
            finally:
                self._connection.do("commit")

    def close(self) -> None:
        """Close the connection, after the read that may be under way."""
        with self._lock:
            self._connection.close()
