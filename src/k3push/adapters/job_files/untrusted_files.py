"""Job files that strangers have put where they are: opened once, and read from a copy.

Whoever may write into the folder may change the file, or put another in its place, between any
two looks at it. So it is opened once, and what is looked at, read and written down is one copy.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble
from k3push.adapters.untrusted_paths import Below, IsLinkError, NoFileError

MOST_BYTES: Final = 1 << 29
"""Of a list: some twenty million numbers."""

_BLOCK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class UntrustedFile:
    """A job file of a stranger.

    Attributes:
        digest: SHA-256 of what it held when it was found; "" where nobody has looked.
    """

    place: Below
    digest: str = ""


@contextmanager
def taken(file: UntrustedFile, name: str, *, aside: frozenset[str]) -> Iterator[Path]:
    """Copy a file for as long as the block lasts; the copy has the extension of the file.

    Args:
        name: What messages call it.
        aside: Digests of files that are not read.

    Raises:
        JobFileError: It cannot be read, is a link or no regular file, has changed since it was
            found, has more than `MOST_BYTES`, or is put aside.
    """
    with tempfile.TemporaryDirectory(prefix="k3push-") as folder:
        copy = Path(folder) / f"list{file.place.path.suffix}"
        try:
            with file.place.opened() as source, copy.open("xb") as target:
                digest = _copied(source, target, name)
        except (IsLinkError, NoFileError) as error:
            code = Code.LINK if isinstance(error, IsLinkError) else Code.DEVICE
            raise JobFileError(Trouble(code, str(error.filename))) from error
        except FileNotFoundError as error:
            raise JobFileError(Trouble(Code.MISSING, name)) from error
        except PermissionError as error:
            raise JobFileError(Trouble(Code.NO_PERMISSION, name)) from error
        except OSError as error:
            facts = {"reason": error.strerror or str(error)}
            raise JobFileError(Trouble(Code.UNREADABLE, name, facts=facts)) from error
        if file.digest not in {"", digest}:
            raise JobFileError(Trouble(Code.CHANGED, name))
        if digest in aside:
            raise JobFileError(Trouble(Code.ASIDE, name))
        yield copy


def _copied(source: IO[bytes], target: IO[bytes], name: str) -> str:
    """Copy bytes, and return their digest."""
    digest = hashlib.sha256()
    for block in blocks(source, name):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


def blocks(source: IO[bytes], name: str) -> Iterator[bytes]:
    """Read a file block by block; raises `JobFileError` behind `MOST_BYTES`."""
    size = 0
    while block := source.read(_BLOCK):
        size += len(block)
        if size > MOST_BYTES:
            facts = {"most": MOST_BYTES >> 20}
            raise JobFileError(Trouble(Code.TOO_BIG, name, facts=facts))
        yield block
