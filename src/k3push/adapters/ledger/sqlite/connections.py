"""Connections to a SQLite file: opened safely, with statements and transactions by name.

Which work goes into which transaction, and when it is committed, is told in `group_commit`.
Everything here blocks, and runs in worker threads, save what `group_commit` knows to be brief.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from k3push.adapters.ledger.codec import damaged
from k3push.adapters.ledger.sql_files import sql_file, verbs_of
from k3push.adapters.ledger.sql_steps.step_connection import Value
from k3push.config.real_paths import real
from k3push.core.remark import remark
from k3push.ports import LedgerDamagedError, LedgerLostError, NoLedgerError

VERSION = 15
"""The newest schema that this code knows: there is an `sql/N.sql` for every version N."""

APPLICATION_ID = 0x4B335055
"""What `PRAGMA application_id` says of a file that is a ledger: "K3PU"."""

# What `sql/open.sql` asks for. A disk that cannot share memory (most network disks) stays at
# another journal mode without saying so.
DURABLE = ("wal", 2)

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

PACKAGE = "k3push.adapters.ledger.sqlite"


@contextmanager
def lost_as_ledger(path: Path) -> Iterator[None]:
    """Turn whatever SQLite or the disk says into `LedgerLostError`, with the path.

    SQLite's error stays the cause.
    """
    try:
        yield
    except LedgerDamagedError as said:
        if str(said).startswith("ledger.lost{"):
            raise
        raise LedgerDamagedError(of_file(path, str(said))) from said
    except UnicodeDecodeError as said:
        # SQLite's own words may hold bytes of a damaged file.
        raise LedgerDamagedError(of_file(path, str(damaged("text", said)))) from said
    except sqlite3.Error as said:
        name = getattr(said, "sqlite_errorname", "") or type(said).__name__
        why = remark("ledger.sqlite", why=str(said), name=name, cure=_cure(name))
        raise LedgerLostError(of_file(path, why)) from said
    except OSError as said:
        because = said.strerror or type(said).__name__
        # It may be one of the files beside the ledger that is wrong.
        place = said.filename or path
        raise LedgerLostError(of_file(place, remark("ledger.disk", why=because))) from said


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


def of_file(path: Path | str, why: str) -> str:
    """Say of which file something is, as a remark."""
    return remark("ledger.lost", place=path, why=why)


def _cure(name: str) -> str:
    match name.removeprefix("SQLITE_").split("_")[0]:
        case "FULL":
            return remark("ledger.full")
        case "BUSY" | "LOCKED":
            return remark("ledger.busy")
        case "NOTADB":
            return remark("ledger.no_ledger")
        case "CORRUPT":
            return remark("ledger.corrupt")
        case "READONLY" | "CANTOPEN" | "PERM":
            return remark("ledger.read_only")
        case _:
            return remark("ledger.other")


class Connection:
    """A connection that runs statements of `sql/verbs.sql` by their names, of no account."""

    def __init__(self, path: Path, mode: str) -> None:
        # Worker threads take turns, so the connection cannot belong to one. Transactions are
        # begun and ended by name, never behind our back.
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        self._statements = verbs_of(PACKAGE)

    def execute(self, name: str, values: Mapping[str, Value]) -> sqlite3.Cursor:
        """Run a statement."""
        return self._connection.execute(self._statements[name], values)

    def do(self, name: str) -> None:
        """Run a statement that is given nothing."""
        self.execute(name, {})

    def begin(self, *, patient: bool) -> None:
        """Begin to write; without patience, raise at once where another process is writing."""
        if not patient:
            self.do("begin_write")
            return
        self.do("wait_for_others")
        try:
            self.do("begin_write")
        finally:
            self.do("wait_for_nobody")

    def all(self, name: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query that is given nothing."""
        return self.execute(name, {}).fetchall()

    def script(self, file: str) -> None:
        """Run a file of `sql/`."""
        self._connection.executescript(sql_file(PACKAGE, file))

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite itself ends one on some errors."""
        return self._connection.in_transaction

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


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
        locks_folder(path).mkdir(mode=0o700, exist_ok=True)
        # One at a time, since the switch to WAL does not wait for others, and since the file that
        # one makes must be closed before another has locks on it.
        lock = lock_at(locks_folder(path) / "opening")
        with lock.acquire(OPENING_PATIENCE_S):
            _make(path)
            _check_names(path)
            writer = Connection(path, "rw")
            try:
                _bring_up_to_date(path, writer)
                writer.script("write.sql")
                return writer, Connection(path, "ro")
            except BaseException:
                writer.close()
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
    with suppress(FileExistsError):
        os.close(os.open(real(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def version_of(path: Path) -> int:
    """Return the version of the schema in a file; 0 if there is no file, or nothing in it."""
    if not path.exists():
        return 0
    with lost_as_ledger(path):
        connection = Connection(path, "ro")
        try:
            ((version,),) = connection.all("user_version")
            return int(version)
        finally:
            connection.close()


def lock_at(path: Path) -> FileLock:
    """Return a lock on a file that ends with its process."""
    # Not bound to a thread, since worker threads come and go while a run is owned. A lock that
    # the operating system does not know would outlive its process, so there is no fall-back.
    return FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)


def locks_folder(path: Path) -> Path:
    """Return the folder that holds the locks of a ledger, by whichever link it is reached."""
    return _beside(path, "locks")


def _beside(path: Path, what: str) -> Path:
    place = real(path)
    return place.with_name(f"{place.name}-{what}")


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


class SameFiles:
    """Sees whether the files of a ledger that is open are still those that were opened.

    What is written to a file that was removed is lost with the last process that has it open, and
    another process would begin a new one in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with lost_as_ledger(path):
            files = (str(path), str(_beside(path, "wal")))
            self._files = [(file, identity(file)) for file in files]
        self._successor: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise `LedgerLostError` if a file is gone, or another is in its place."""
        if self.replaced():
            raise LedgerLostError(of_file(self._path, remark("ledger.replaced")))

    def replaced(self) -> bool:
        """Say whether a file is gone, or another is in its place."""
        return any(identity(file) != known for file, known in self._files)

    def are_there(self) -> bool:
        """Say whether the files are surely those that were opened."""
        try:
            return not self.replaced()
        except OSError:
            return False

    def have_successor(self) -> bool:
        """Say whether another file is in the place of one, and has not changed since the last look.

        Until then it may be written yet: what is opened half copied is no ledger. Nor is a backup
        beside which stands what was new in the one before: SQLite would mix that into it.
        """
        _, (_, opened_wal) = self._files
        if identity(str(_beside(self._path, "wal"))) == opened_wal:
            return False
        before, self._successor = self._successor, _state(str(self._path))
        return self._successor is not None and self._successor == before


def _state(file: str) -> tuple[int, ...] | None:
    """Return what changes where a file is written; None if it is not there."""
    try:
        found = os.stat(file)  # noqa: PTH116  # as below
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def identity(file: str) -> tuple[int, int] | None:
    """Return what tells a file from others, whatever its name; None if it is not there."""
    try:
        found = os.stat(file)  # noqa: PTH116  # asked after each commit, and a path takes longer
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _bring_up_to_date(path: Path, writer: Connection) -> None:
    ((application,),) = writer.all("application_id")
    ((version,),) = writer.all("user_version")
    ((tables,),) = writer.all("count_tables")
    if tables and application != APPLICATION_ID:
        raise NoLedgerError(of_file(path, remark("ledger.other_program")))
    if version > VERSION:
        why = remark("ledger.newer", version=version, known=VERSION)
        raise NoLedgerError(of_file(path, why))
    writer.script("open.sql")
    if writer.all("durability") != [DURABLE]:
        raise LedgerLostError(of_file(path, remark("ledger.unsafe_disk")))
    for next_version in range(version + 1, VERSION + 1):
        writer.script(f"{next_version}.sql")
