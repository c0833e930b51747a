"""One SQLite file: opening it safely, and connections that know the statements by name.

Everything here blocks, and runs in worker threads, save what `group_commit` knows to be brief.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from k3push.ports import LedgerLostError

VERSION = 6
"""The newest schema that this code knows: there is an `sql/N.sql` for every version N."""

APPLICATION_ID = 0x4B335055
"""What `PRAGMA application_id` says of a file that is a ledger: "K3PU"."""

# What `sql/open.sql` asks for. A disk that cannot share memory (most network disks) stays at
# another journal mode without saying so.
DURABLE = ("wal", 2)

OPENING_PATIENCE_S = 60.0

Values = Mapping[str, str | float | None]


@contextmanager
def lost_as_ledger(path: Path) -> Iterator[None]:
    """Turn whatever SQLite or the disk says into `LedgerLostError`, with the path.

    SQLite's error stays the cause.
    """
    try:
        yield
    except sqlite3.Error as said:
        name = getattr(said, "sqlite_errorname", "") or type(said).__name__
        raise LedgerLostError(f"{path}: {said} ({name}). {_cure(name)}") from said
    except OSError as said:
        because = said.strerror or type(said).__name__
        raise LedgerLostError(f"{path}: {because}. Is the path right, and writable?") from said


def _cure(name: str) -> str:
    match name.removeprefix("SQLITE_").split("_")[0]:
        case "FULL":
            return "Free some disk space, then resume."
        case "BUSY" | "LOCKED":
            return "Another program keeps the file locked; end it, then resume."
        case "NOTADB":
            return "This is no ledger; name another file under [ledger] url."
        case "READONLY" | "CANTOPEN" | "PERM":
            return "Make the file and its folder writable, then resume."
        case _:
            return "Check the disk, then resume."


class Connection:
    """A connection that runs statements of `sql/verbs.sql` by their names."""

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
        self._statements = _statements(_sql("verbs.sql"))

    def do(self, name: str, **values: str | float | bytes | None) -> int:
        """Run a statement; return the key of the row that it inserted, if any."""
        return self._connection.execute(self._statements[name], values).lastrowid or 0

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

    def changed(self, name: str, **values: str | float | bytes | None) -> int:
        """Run a statement; return how many rows it inserted or changed."""
        return self._connection.execute(self._statements[name], values).rowcount

    def do_each(
        self, name: str, each: Iterable[Values], **values: str | float | bytes | None
    ) -> None:
        """Run a statement once, for each of many sets of values and those that they share."""
        text = orjson.dumps(list(each)).decode()
        self._connection.execute(self._statements[name], {"each": text, **values})

    def all(self, name: str, **values: str | float | bytes | None) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._connection.execute(self._statements[name], values).fetchall()

    def listed(self, name: str, **values: str | float | bytes | None) -> list[Any]:
        """Return the JSON array that is the one value of a query."""
        ((text,),) = self.all(name, **values)
        listed: list[Any] = orjson.loads(text)
        return listed

    def one(self, name: str, **values: str | float | bytes | None) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        return next(iter(self.all(name, **values)), None)

    def script(self, file: str) -> None:
        """Run a file of `sql/`."""
        self._connection.executescript(_sql(file))

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
        LedgerLostError: There is none and *create* is false; it is newer than this code, or is
            no ledger; or the disk refused.
    """
    if not create and not path.exists():
        raise LedgerLostError(f"{path}: there is no ledger yet; `k3push run` makes one")
    with lost_as_ledger(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        locks_folder(path).mkdir(mode=0o700, exist_ok=True)
        # One process at a time, since the switch to WAL does not wait for others.
        lock = FileLock(locks_folder(path) / "opening", mode=0o600, thread_local=False)
        with lock.acquire(OPENING_PATIENCE_S):
            writer = Connection(path, "rw")
            try:
                _bring_up_to_date(path, writer)
                writer.script("write.sql")
                return writer, Connection(path, "ro")
            except BaseException:
                writer.close()
                raise


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


def locks_folder(path: Path) -> Path:
    """Return the folder that holds the locks of the ledger at *path*."""
    return path.with_name(f"{path.name}-locks")


def _bring_up_to_date(path: Path, writer: Connection) -> None:
    ((application,),) = writer.all("application_id")
    ((version,),) = writer.all("user_version")
    ((tables,),) = writer.all("count_tables")
    if tables and application != APPLICATION_ID:
        raise LedgerLostError(
            f"{path}: a database of another program; name another file under [ledger] url"
        )
    if version > VERSION:
        raise LedgerLostError(
            f"{path}: written by a newer k3push (ledger version {version}, this one knows"
            f" {VERSION}). Install the newer k3push."
        )
    writer.script("open.sql")
    if writer.all("durability") != [DURABLE]:
        raise LedgerLostError(f"{path}: its disk cannot hold a ledger safely; use a local disk")
    for next_version in range(version + 1, VERSION + 1):
        writer.script(f"{next_version}.sql")


def _sql(file: str) -> str:
    return (files("k3push.adapters.sqlite") / "sql" / file).read_text(encoding="utf-8")


def _statements(text: str) -> Mapping[str, str]:
    r"""Split a file of statements by the line that names each.

    >>> _statements("-- All.\n\n-- name: one\nSELECT 1;\n\n-- name: two\nSELECT 2;\n")
    {'one': 'SELECT 1;', 'two': 'SELECT 2;'}
    """
    named = (part.split("\n", 1) for part in text.split("-- name: ")[1:])
    return {name.strip(): statement.strip() for name, statement in named}
