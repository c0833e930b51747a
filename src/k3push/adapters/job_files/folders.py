"""A folder of job files: which of its files are lists, and which are not whole yet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from k3push.adapters.job_files.reading import SUFFIXES
from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble
from k3push.core.model import FolderFile

QUIET_S: Final = 5.0
"""How long a file must not have changed before it counts as whole."""

# What programs call a file until it is whole.
_UNFINISHED: Final = frozenset((".tmp", ".part", ".partial", ".crdownload", ".filepart"))

# Files that Excel and LibreOffice set beside one that they have open.
_LOCKS: Final = ("~${name}", ".~lock.{name}#")


class Left(StrEnum):
    """Why a file is not taken now."""

    UNFINISHED = "unfinished"
    OPEN = "open"
    UNKNOWN_KIND = "unknown kind"


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a folder.

    Attributes:
        files: Lists, the one that was changed first coming first.
        left: Names of other files, each with why it is left.
    """

    files: tuple[FolderFile, ...]
    left: tuple[tuple[str, Left], ...]


def look_into(folder: Path, now_s: float) -> Found:
    """Find the lists in a folder; folders in it and hidden files are passed over.

    Args:
        folder: The folder.
        now_s: Seconds since 1970.

    Raises:
        JobFileError: If the folder or a file in it cannot be read.
    """
    files: list[tuple[float, str]] = []
    left: list[tuple[str, Left]] = []
    try:
        entries = {path.name: path for path in folder.iterdir() if path.is_file()}
        for name, path in sorted(entries.items()):
            if name.startswith((".", "~$")):
                continue
            changed_s = path.stat().st_mtime
            why = _left(path, entries, now_s - changed_s)
            if why is None:
                files.append((changed_s, name))
            else:
                left.append((name, why))
        whole = str(folder.resolve())
        found = tuple(FolderFile(whole, name, _digest(folder / name)) for _, name in sorted(files))
    except OSError as error:
        reason = error.strerror or str(error)
        file = error.filename or folder
        raise JobFileError(Trouble(Code.UNREADABLE, str(file), facts={"reason": reason})) from error
    return Found(found, tuple(left))


def _left(path: Path, names: dict[str, Path], age_s: float) -> Left | None:
    suffix = path.suffix.lower()
    # A clock that is far ahead, on a file server, must not hold a file up for ever.
    if suffix in _UNFINISHED or abs(age_s) < QUIET_S:
        return Left.UNFINISHED
    if suffix not in SUFFIXES:
        return Left.UNKNOWN_KIND
    if any(lock.format(name=path.name) in names for lock in _LOCKS):
        return Left.OPEN
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
