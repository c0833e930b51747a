"""Files that only their owner may read."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")

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


@asynccontextmanager
async def whole_file(
    path: Path, opened: Callable[[Path], AbstractContextManager[T]]
) -> AsyncIterator[T]:
    """Begin a file for its owner only, which has its name when the block has ended.

    What is interrupted, or fills the disk, leaves no half file under that name.

    Args:
        path: Its name; an earlier file of that name stays until then.
        opened: Opens the file, which is there under another name, and says what the block is
            given. It blocks, and is called in a worker thread.
    """

    def begin() -> tuple[Path, T]:
        part = parts.enter_context(fresh_part(path))
        return part, stack.enter_context(opened(part))

    with ExitStack() as parts:
        try:
            with ExitStack() as stack:
                part, given = await anyio.to_thread.run_sync(begin)
                yield given
                await anyio.to_thread.run_sync(stack.close)
            await anyio.Path(part).replace(path)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parts.close)
