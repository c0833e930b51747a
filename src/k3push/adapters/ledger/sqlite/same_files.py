"""Whether the files of a ledger that is open are still those that were opened."""

from __future__ import annotations

import os
from pathlib import Path

from k3push.adapters.ledger.sqlite.connections import lost_as_ledger, of_file
from k3push.adapters.ledger.sqlite.files_beside import beside
from k3push.core.remark import remark
from k3push.ports import LedgerLostError


class SameFiles:
    """Sees whether the files of a ledger that is open are still those that were opened.

    What is written to a file that was removed is lost with the last process that has it open, and
    another process would begin a new one in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with lost_as_ledger(path):
            files = (str(path), str(beside(path, "wal")))
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
        if identity(str(beside(self._path, "wal"))) == opened_wal:
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
