"""Connections to a SQLite file: statements and transactions by name, and errors with a cure.

Which work goes into which transaction, and when it is committed, is told in `group_commit`.
Everything here blocks, and runs in worker threads, save what `group_commit` knows to be brief.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from k3push.adapters.ledger.codec import damaged
from k3push.adapters.ledger.sql_files import sql_file, verbs_of
from k3push.adapters.ledger.sql_steps.step_connection import Value
from k3push.core.remark import remark
from k3push.ports import LedgerDamagedError, LedgerLostError

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
        self.do("wait_while_locked")
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
