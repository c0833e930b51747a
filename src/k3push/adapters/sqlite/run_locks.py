"""Who executes a run: a file lock for each run, which the operating system releases at death."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from k3push.core.model import RunId
from k3push.ports import RunIsAliveError

# Behind the gate a lock is tried, never waited for: all that can make others wait is a few
# calls to the file system.
GATE_PATIENCE_S = 30.0
GATE_POLL_S = 0.002


class RunLocks:
    """The locks of one ledger's runs, in a folder of their own. Every method blocks.

    To see whether a run is alive, its lock is tried. So that two who try at once do not take
    each other for the executor, a lock is only ever taken or given back behind a gate, itself
    a lock. That makes it safe to delete the file of a run that nobody owns, and it is deleted:
    by the executor that ends, or by whoever finds the executor dead.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[RunId, FileLock] = {}

    def take(self, run: RunId) -> None:
        """Become the executor of *run*.

        Raises:
            RunIsAliveError: Another process, or another task of this one, is.
        """
        lock = self._lock_of(run)
        with self._gate():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                raise RunIsAliveError(f"run {run} is being executed by a living process") from None
        self._held[run] = lock

    def give_back(self, run: RunId) -> None:
        """Be the executor of *run* no longer."""
        with self._gate():
            self._release(self._held.pop(run))

    def is_alive(self, run: RunId) -> bool:
        """Say whether any process, this one included, executes *run*."""
        if run in self._held:
            return True
        lock = self._lock_of(run)
        with self._gate():
            if not Path(lock.lock_file).exists():
                return False
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return True
            self._release(lock)
            return False

    def _lock_of(self, run: RunId) -> FileLock:
        return _lock(self._folder / f"{quote(run, safe='')}.lock")

    def _release(self, lock: FileLock) -> None:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)

    @contextmanager
    def _gate(self) -> Iterator[None]:
        with _lock(self._folder / "gate").acquire(GATE_PATIENCE_S, GATE_POLL_S):
            yield


def _lock(path: Path) -> FileLock:
    # Not bound to a thread, since worker threads come and go while a run is owned. A lock that
    # the operating system does not know would outlive its process, so there is no fall-back.
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
