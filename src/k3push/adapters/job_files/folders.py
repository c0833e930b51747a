"""A folder of job files: which of its files are lists, and which are not whole yet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

from k3push.adapters.job_files.reading import SUFFIXES
from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble
from k3push.adapters.job_files.untrusted_files import blocks
from k3push.adapters.untrusted_paths import Below, IsLinkError
from k3push.config.real_paths import real
from k3push.core.foreign_text import flaw_of
from k3push.core.model import FolderFile

QUIET_S: Final = 5.0
"""How long a file must not have changed before it counts as whole."""

MOST_FILES: Final = 100_000
MOST_FOLDER_BYTES: Final = 1 << 34
"""Of all lists of a folder: each look reads them, and half a minute is spent on so much."""

PLAN_ENDING: Final = ".plan.jsonl"
"""How the name of a plan ends, for which no other was chosen."""

# What programs call a file until it is whole.
_UNFINISHED: Final = frozenset((".tmp", ".part", ".partial", ".crdownload", ".filepart"))

# Files that Excel and LibreOffice set beside one that they have open.
_LOCKS: Final = ("~${name}", ".~lock.{name}#")


class Left(StrEnum):
    """Why a file is not taken now."""

    UNFINISHED = "unfinished"
    OPEN = "open"
    UNKNOWN_KIND = "unknown kind"
    PLAN = "plan"
    LINK = "link"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What is in a folder.

    Attributes:
        files: Lists, the one that was changed first coming first.
        left: Names of other files, each with why it is left.
    """

    files: tuple[FolderFile, ...]
    left: tuple[tuple[str, Left], ...]


def look_into(place: Below, now_s: float) -> FolderContent:
    """Find the lists in a folder; folders in it and hidden files are passed over.

    Whoever may write into it must not have a file read that lies elsewhere, so a link is no list.

    Args:
        now_s: Seconds since 1970.

    Raises:
        JobFileError: If the folder or a file in it cannot be read, or holds more than lists do.
    """
    files: list[tuple[float, str]] = []
    left: list[tuple[str, Left]] = []
    try:
        with place.listed() as found:
            entries = {entry.name: entry for entry in islice(found, MOST_FILES + 1)}
            if len(entries) > MOST_FILES:
                raise _full(place)
            for name, entry in sorted(entries.items()):
                if name.startswith((".", "~$")):
                    continue
                if entry.is_symlink():
                    left.append((name, Left.LINK))
                elif entry.is_file(follow_symlinks=False):
                    changed_s = entry.stat(follow_symlinks=False).st_mtime
                    why = _left(name, entries, now_s - changed_s)
                    if why is None:
                        files.append((changed_s, name))
                    else:
                        left.append((name, why))
        lists = _with_digests(place, [name for _, name in sorted(files)])
    except IsLinkError as error:
        raise JobFileError(Trouble(Code.LINK, str(error.filename))) from error
    except OSError as error:
        reason = error.strerror or str(error)
        file = error.filename or place.path
        raise JobFileError(Trouble(Code.UNREADABLE, str(file), facts={"reason": reason})) from error
    return FolderContent(tuple(lists), tuple(left))


def _with_digests(place: Below, names: Sequence[str]) -> list[FolderFile]:
    whole = str(real(place.path))
    lists = []
    room = MOST_FOLDER_BYTES
    for name in names:
        digest, size = _digest_and_size(place.within(name))
        lists.append(FolderFile(whole, name, digest))
        room -= size
        if room < 0:
            raise _full(place)
    return lists


def _full(place: Below) -> JobFileError:
    facts = {"files": MOST_FILES, "most": MOST_FOLDER_BYTES >> 30}
    return JobFileError(Trouble(Code.FULL_FOLDER, str(place.path), facts=facts))


def _left(file: str, names: Collection[str], age_s: float) -> Left | None:
    suffix = Path(file).suffix.lower()
    if file.lower().endswith(PLAN_ENDING):
        return Left.PLAN  # `k3push plan` puts it beside its list
    # A clock that is far ahead, on a file server, must not hold a file up for ever.
    if suffix in _UNFINISHED or abs(age_s) < QUIET_S:
        return Left.UNFINISHED
    if suffix not in SUFFIXES:
        return Left.UNKNOWN_KIND
    if flaw_of(file):
        return Left.NAME  # no ledger could keep that it was taken
    if any(lock.format(name=file) in names for lock in _LOCKS):
        return Left.OPEN
    return None


def digest_of(place: Below) -> str:
    """Return the SHA-256 of what a file holds.

    Raises:
        JobFileError: It is too big for a list.
        OSError: It cannot be read.
    """
    return _digest_and_size(place)[0]


def _digest_and_size(place: Below) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with place.opened() as file:
        for block in blocks(file, str(place.path)):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
