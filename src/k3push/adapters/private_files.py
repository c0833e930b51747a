"""Files that only their owner may read."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

# Characters of a name that the name of its part repeats; systems allow 255 bytes.
LONGEST_STEM = 40


def opened_for_owner(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=owner_only)


@contextmanager
def fresh_part(path: Path) -> Iterator[Path]:
    """Make a file beside another, which it is to replace; what is not renamed goes with the block.

    Nobody can have put a link where it is, since its name is new. It is its owner's alone, but
    for the group of a folder that is closed to all others.

    Raises:
        OSError: It cannot be made.
    """
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:LONGEST_STEM]}.", suffix=".part"
    )
    os.close(handle)
    part = Path(name)
    try:
        rights = stat.S_IMODE(path.parent.stat().st_mode)
        if not rights & stat.S_IRWXO:
            part.chmod(0o600 | rights & (stat.S_IRGRP | stat.S_IWGRP))
        yield part
    finally:
        part.unlink(missing_ok=True)


def put_in_place(part: Path, path: Path) -> None:
    """Give a finished part its name; a file or a link that is there gives way.

    Raises:
        FileExistsError: A device, a pipe or a socket is there.
        OSError: It cannot have that name.
    """
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR}:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    part.replace(path)
