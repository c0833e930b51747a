"""Files beside that of a ledger: its WAL and its locks, by whichever link it is reached."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock

from k3push.config.real_paths import real


def lock_at(path: Path) -> FileLock:
    """Return a lock on a file that ends with its process."""
    # Not bound to a thread, since worker threads come and go while a run is owned. A lock that
    # the operating system does not know would outlive its process, so there is no fall-back.
    return FileLock(path, mode=mode_in(path.parent), thread_local=False, fallback_to_soft=False)


def mode_in(folder: Path) -> int:
    """Return the mode of a file there: who may use the folder may use it, as beside SQLite's."""
    try:
        return stat.S_IMODE(folder.stat().st_mode) & 0o666 | 0o600
    except FileNotFoundError:
        return 0o600


def acquire(
    lock: FileLock, patience_s: float = 0.0, poll_s: float = 0.05
) -> AcquireReturnProxy[FileLock]:
    """Acquire a lock, until the block ends or for good, such that its owner may as well.

    Raises:
        Timeout: Another holds it.
    """
    held = lock.acquire(patience_s, poll_s)
    try:
        hand_over(Path(lock.lock_file))
    except BaseException:
        lock.release()
        raise
    return held


def make_folder(path: Path) -> None:
    """Make a folder for the owner of the one that holds it, unless it is there."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        hand_over(path)


def hand_over(path: Path) -> None:
    """Give what root has made to whom its folder belongs, as SQLite does with its own files.

    Else a single `sudo k3push` shuts the owner of a ledger out.
    """
    if sys.platform != "win32":
        if os.geteuid() != 0 or (folder := path.parent.stat()).st_uid == 0:
            return
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            made = os.fstat(file)
            # Not another's file, of which somebody has made a link there.
            is_one = stat.S_ISREG(made.st_mode) and made.st_nlink == 1
            if made.st_uid == 0 and (is_one or stat.S_ISDIR(made.st_mode)):
                os.fchown(file, folder.st_uid, folder.st_gid)
        finally:
            os.close(file)


def locks_folder(path: Path) -> Path:
    """Return the folder that holds the locks of a ledger."""
    return beside(path, "locks")


def beside(path: Path, what: str) -> Path:
    """Return what stands beside a ledger's file, such as its `wal` or its `locks`."""
    place = real(path)
    return place.with_name(f"{place.name}-{what}")
