"""Files beside that of a ledger: its WAL and its locks, by whichever link it is reached."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from k3push.config.real_paths import real


def lock_at(path: Path) -> FileLock:
    """Return a lock on a file that ends with its process."""
    # Not bound to a thread, since worker threads come and go while a run is owned. A lock that
    # the operating system does not know would outlive its process, so there is no fall-back.
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def locks_folder(path: Path) -> Path:
    """Return the folder that holds the locks of a ledger."""
    return beside(path, "locks")


def beside(path: Path, what: str) -> Path:
    """Return what stands beside a ledger's file, such as its `wal` or its `locks`."""
    place = real(path)
    return place.with_name(f"{place.name}-{what}")
