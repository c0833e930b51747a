"""Who executes a run: a file lock for each run, which the operating system releases at death."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from k3push.adapters.ledger.sqlite.connections import of_file
from k3push.adapters.ledger.sqlite.files_beside import acquire, lock_at, make_folder
from k3push.adapters.ledger.sqlite.same_files import identity
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.ports import LedgerLostError, RunIsAliveError

# Behind the gate a lock is tried, never waited for: all that can make others wait is a few
# calls to the file system.
GATE_PATIENCE_S = 30.0
GATE_POLL_S = 0.002

_NOTE = ".sent"


@dataclass(frozen=True, slots=True)
class _Held:
    """The lock of a run, and the file that it was taken on."""

    lock: FileLock
    place: str
    file: tuple[int, int] | None

    def is_there(self) -> bool:
        return identity(self.place) == self.file


@contextmanager
def _released_if_not_done(lock: FileLock) -> Iterator[None]:
    """Release a lock where the disk fails: else this process, which lives on, keeps it for good."""
    try:
        yield
    except BaseException:
        lock.release()
        raise


class RunLocks:
    """The locks of one ledger's runs, in a folder of their own. Every method blocks.

    To see whether a run is alive, its lock is tried. So that two who try at once do not take
    each other for the executor, a lock is only ever taken or given back behind a gate, itself
    a lock. That makes it safe to delete the file of a run that nobody owns, and it is deleted:
    by the executor that ends, or by whoever finds the executor dead.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[RunId, _Held] = {}
        self._noted: dict[RunId, float] = {}

    def take(self, run: RunId) -> None:
        """Become the executor of *run*.

        Raises:
            RunIsAliveError: Another process, or another task of this one, is.
        """
        if run in self._held:
            # Somebody may have removed the file of its lock, and another would be made.
            raise RunIsAliveError(remark("ledger.run_alive", run=run))
        lock = self._lock_of(run)
        with self._gate():
            try:
                acquire(lock)
            except Timeout:
                raise RunIsAliveError(remark("ledger.run_alive", run=run)) from None
            with _released_if_not_done(lock):
                self._renew_note(run)
                self._held[run] = _Held(lock, lock.lock_file, identity(lock.lock_file))

    def give_back(self, run: RunId) -> None:
        """Be the executor of *run* no longer."""
        held = self._held.pop(run)
        self._noted.pop(run, None)
        # Without the gate it is free as after a death: its file stays.
        with _released_if_not_done(held.lock), self._gate():
            if held.is_there():
                self._release(held.lock)
            else:
                # What stands there by now is the lock of another executor.
                held.lock.release()

    def check(self) -> None:
        """Raise if the lock of a run that this process executes is gone.

        Raises:
            LedgerLostError: One is; another process may be executing its run.
        """
        for run, held in tuple(self._held.items()):
            # Of one that is given back meanwhile the file is gone, but it is held no longer.
            if not held.is_there() and self._held.get(run) is held:
                raise LedgerLostError(of_file(held.place, remark("ledger.lock_gone", run=run)))

    def is_alive(self, run: RunId) -> bool:
        """Say whether any process, this one included, executes *run*."""
        if run in self._held:
            return True
        lock = self._lock_of(run)
        with self._gate():
            if not Path(lock.lock_file).exists():
                return False
            try:
                acquire(lock)
            except Timeout:
                return True
            self._release(lock)
            return False

    def alive(self) -> Iterator[RunId]:
        """Yield the runs that any process executes."""
        for file in sorted(self._folder.glob("*.lock")):
            run = RunId(unquote(file.stem))
            if self.is_alive(run):
                yield run

    def note_sending(self, run: RunId, at: datetime) -> None:
        """Note beside the ledger when a call has left, of which a backup may know nothing.

        The time of a file says it, which costs some millionths of a second.
        """
        at_s = at.timestamp()
        if at_s <= self._noted.get(run, 0.0):
            return
        note = self._note_of(run)
        if run not in self._noted:
            note.touch(mode=0o600)
        self._noted[run] = at_s
        os.utime(note, (at_s, at_s))

    def _renew_note(self, run: RunId) -> None:
        """Put a file of our own, as old, in the place of a note: nobody sets times of another's."""
        if (at := self.sent_at(run)) is not None:
            note = self._note_of(run)
            new = note.with_name(f"{note.name}.new")
            new.unlink(missing_ok=True)
            new.touch(mode=0o600)
            os.utime(new, (at.timestamp(), at.timestamp()))
            new.replace(note)

    def sent_at(self, run: RunId) -> datetime | None:
        """Return when the last call of a run left, as it is noted; None where it is not."""
        with suppress(FileNotFoundError):
            return datetime.fromtimestamp(self._note_of(run).stat().st_mtime, UTC)
        return None

    def sendings(self) -> dict[RunId, datetime]:
        """Return when the last calls left of all runs of which that is noted."""
        notes = self._folder.glob(f"*{_NOTE}")
        runs = [RunId(unquote(note.name.removesuffix(_NOTE))) for note in notes]
        # Some may have ended meanwhile.
        return {run: at for run in runs if (at := self.sent_at(run))}

    def forget_sending(self, run: RunId) -> None:
        """Take the note of a run's last call away."""
        self._note_of(run).unlink(missing_ok=True)

    def _note_of(self, run: RunId) -> Path:
        return self._folder / f"{quote(run, safe='')}{_NOTE}"

    def _lock_of(self, run: RunId) -> FileLock:
        return lock_at(self._folder / f"{quote(run, safe='')}.lock")

    def _release(self, lock: FileLock) -> None:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)

    @contextmanager
    def _gate(self) -> Iterator[None]:
        make_folder(self._folder)
        with acquire(lock_at(self._folder / "gate"), GATE_PATIENCE_S, GATE_POLL_S):
            yield
