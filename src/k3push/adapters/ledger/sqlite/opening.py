"""Opening a ledger's file: made for its owner, by one process at a time, under one name."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from k3push.adapters.ledger.sqlite.connections import Connection, lost_as_ledger, of_file
from k3push.adapters.ledger.sqlite.files_beside import (
    acquire,
    hand_over,
    lock_at,
    locks_folder,
    make_folder,
)
from k3push.adapters.ledger.sqlite.schema import bring_up_to_date
from k3push.config.real_paths import real
from k3push.core.remark import remark
from k3push.ports import LedgerLostError, NoLedgerError

OPENING_PATIENCE_S = 60.0

MOUNTS = Path("/proc/self/mountinfo")
"""What is mounted where: the fifth field of each line is a place."""

_OCTAL = re.compile(r"\\([0-7]{3})")

# What the system says of a path that no file of ours can have, whatever the disk does.
UNFIT_PATH = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


def connect(path: Path, *, create: bool) -> tuple[Connection, Connection]:
    """Open the ledger at *path*, bring its schema up to date, and return a writer and a reader.

    Files are made for their owner only; SQLite gives its own files beside it the same mode.

    Raises:
        NoLedgerError: There is none and *create* is false; it is newer than this code, or is
            no ledger; or there can be none at this path.
        LedgerLostError: The disk refused.
    """
    if not create and not path.exists():
        raise NoLedgerError(of_file(path, remark("ledger.none")))
    with _unfit_as_no_ledger(), lost_as_ledger(path):
        _check_usable(path)
        make_folder(locks := locks_folder(path))
        # One at a time, since the switch to WAL does not wait for others, and since the file that
        # one makes must be closed before another has locks on it.
        with acquire(lock_at(locks / "opening"), OPENING_PATIENCE_S):
            _make(path)
            _check_names(path)
            writer = Connection(path, "rw")
            try:
                bring_up_to_date(path, writer)
                writer.script("write.sql")
                return writer, Connection(path, "ro")
            except BaseException:
                writer.close()
                raise


@contextmanager
def _unfit_as_no_ledger() -> Iterator[None]:
    """Turn what is wrong with the path of a ledger, while it is opened, into `NoLedgerError`."""
    try:
        yield
    except LedgerLostError as lost:
        said = lost.__cause__
        unfit_path = isinstance(said, OSError) and said.errno in UNFIT_PATH
        if unfit_path or getattr(said, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise NoLedgerError(str(lost)) from said
        raise


def _check_usable(path: Path) -> None:
    """Raise where a file that cannot be a ledger is there, before anything is set beside it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _make(path: Path) -> None:
    """Make an empty file, unless there is one.

    A file that is there is not opened here: SQLite's locks on it belong to the process, which
    gives all of them up when it closes any descriptor of it, also those of other connections.
    """
    place = real(path)
    with suppress(FileExistsError):
        os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        hand_over(place)


def _check_names(path: Path) -> None:
    """Raise if the file has a second name, as a link or since it is mounted by itself.

    SQLite keeps what is new in a file beside the name that it was given, and so do the locks: those
    who come by one name would not see what those who come by the other have written.
    """
    if path.stat().st_nlink > 1:
        raise NoLedgerError(of_file(path, remark("ledger.two_names")))
    if _is_mounted(path):
        raise NoLedgerError(of_file(path, remark("ledger.mounted")))


def _is_mounted(path: Path) -> bool:
    """Say whether a file is mounted by itself; only Linux tells."""
    try:
        mounts = os.fsdecode(MOUNTS.read_bytes()).split("\n")
    except OSError:
        return False
    # Blanks, tabs, line breaks and backslashes of a name are written in octal.
    places = (line.split(" ")[4] for line in mounts if line)
    return str(real(path)) in {_OCTAL.sub(lambda m: chr(int(m[1], 8)), each) for each in places}
