"""Files that only their owner may read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


def opened_for_owner(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=owner_only)


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
    part = path.with_name(f"{path.name}.part")

    def begin() -> T:
        with opened_for_owner(part):
            pass
        return stack.enter_context(opened(part))

    try:
        with ExitStack() as stack:
            yield await anyio.to_thread.run_sync(begin)
            await anyio.to_thread.run_sync(stack.close)
        await anyio.Path(part).replace(path)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(part).unlink(missing_ok=True)
