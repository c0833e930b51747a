"""Names that were met, in a file of their own that ends with its process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

# SQLite's own 2 MB made a million names slow; what is beyond these stands on the disk.
CACHE_KIB = 32 * 1024


class NamesOnDisk:
    """Fulfils `ports.Once`: of a million names, a few megabytes are in the memory."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Begin without names in an empty database."""
        self._database = database
        self._lock = threading.Lock()
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def new(self, names: Collection[str]) -> set[str]:
        """Return those of *names* that it is given for the first time."""
        insert = "INSERT OR IGNORE INTO names VALUES (?)"
        with self._lock:
            return {n for n in names if self._database.execute(insert, (n,)).rowcount}


@contextmanager
def names_on_disk() -> Iterator[NamesOnDisk]:
    """Open a place for names; they are gone when the block ends."""
    # An empty name is a file of SQLite's own, which nobody else sees.
    database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    try:
        yield NamesOnDisk(database)
    finally:
        database.close()
