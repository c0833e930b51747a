"""Where a file goes that a person has named: through links, and as a stream to what is no file.

A file is made beside its place and renamed, so that nobody meets half of it. A device, a pipe or
an open descriptor (`/dev/stdout`) would be lost by that: it is written to, once the whole is
there. A link stays, and the file that it leads to is replaced. `-` is standard output.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from k3push.adapters.private_files import fresh_part, put_in_place
from k3push.adapters.untrusted_paths import IsLinkError
from k3push.config.real_paths import real
from k3push.words.language import harmless_lines

T = TypeVar("T")

STANDARD_OUTPUT: Final = Path("-")
"""What people call it in place of a file."""

_STDOUT: Final = 1

# Systems follow as many, and take more for a circle.
MOST_LINKS: Final = 40

# Folders of the descriptors of this process; Windows has neither.
_DESCRIPTORS: Final = (Path("/dev/fd"), Path("/proc/self/fd"))

_ROOT: Final = 0

_POLL_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a file goes when it is whole.

    Attributes:
        path: Its place. A link that stands there gives way.
        is_stream: It is written to, and not replaced.
        descriptor: That of an open stream; None is opened by its name.
    """

    path: Path
    is_stream: bool = False
    descriptor: int | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether a person would see on a screen what is written to it."""
        return self.descriptor is not None and os.isatty(self.descriptor)

    def part(self) -> AbstractContextManager[Path]:
        """Make the file that is written meanwhile, and is gone with the block; raises `OSError`."""
        # Nobody can make a file beside a device.
        return fresh_part(
            Path(tempfile.gettempdir(), self.path.name) if self.is_stream else self.path
        )

    async def take(self, part: Path) -> None:
        """Give the place what was written; raises `OSError` where it does not take it."""
        if not self.is_stream:
            await anyio.to_thread.run_sync(put_in_place, part, self.path)
            return
        # A pipe that nobody reads is waited for, and that keeps the process from no end.
        failed: list[Exception] = []
        thread = threading.Thread(target=self._stream, args=(part, failed), daemon=True)
        thread.start()
        while thread.is_alive():  # noqa: ASYNC110  # it may end after the loop, and tells nobody
            await anyio.sleep(_POLL_S)
        if failed:
            raise failed[0]

    def _stream(self, part: Path, failed: list[Exception]) -> None:
        try:
            self._write(part)
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            failed.append(error)

    def _write(self, part: Path) -> None:
        # A reader may leave, as `head` does.
        with (
            suppress(BrokenPipeError),
            part.open("rb") as whole,
            os.fdopen(self._opened(), "wb") as stream,
        ):
            if os.isatty(stream.fileno()):
                # The words of strangers in it are for a person, and nothing for the terminal.
                text = whole.read().decode("utf-8", "replace")
                stream.write(harmless_lines(text).encode())
            else:
                shutil.copyfileobj(whole, stream)

    def _opened(self) -> int:
        if self.descriptor is None:
            return os.open(self.path, os.O_WRONLY)
        # To open it by its name would begin a redirected file anew.
        return os.dup(self.descriptor)


def named(path: Path) -> Goal:
    """Return where a file goes that a person has named.

    Raises:
        IsLinkError: It is a link that another user has set.
        OSError: Nothing can be there.
    """
    if path == STANDARD_OUTPUT:
        return Goal(path, is_stream=True, descriptor=_STDOUT)
    place = path
    for _ in range(MOST_LINKS):
        if (descriptor := _descriptor(place)) is not None:
            return Goal(path, is_stream=True, descriptor=descriptor)
        if not place.is_symlink():
            return Goal(place, is_stream=_is_no_file(place))
        if sys.platform != "win32" and place.lstat().st_uid not in {os.geteuid(), _ROOT}:
            raise IsLinkError(place)
        place = place.parent / place.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


@asynccontextmanager
async def whole_file(
    goal: Goal, opened: Callable[[Path], AbstractContextManager[T]]
) -> AsyncIterator[T]:
    """Begin a file for its owner only, which is in its place when the block has ended.

    What is interrupted, or fills the disk, leaves no half file there.

    Args:
        goal: Where it goes; what is there stays until then.
        opened: Opens the file, which is there under another name, and says what the block is
            given. It blocks, and is called in a worker thread.
    """

    def begin() -> tuple[Path, T]:
        part = parts.enter_context(goal.part())
        return part, stack.enter_context(opened(part))

    with ExitStack() as parts:
        try:
            with ExitStack() as stack:
                part, given = await anyio.to_thread.run_sync(begin)
                yield given
                await anyio.to_thread.run_sync(stack.close)
            await goal.take(part)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parts.close)


def _is_no_file(place: Path) -> bool:
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _descriptor(place: Path) -> int | None:
    """Return the descriptor that a name stands for.

    Raises:
        OSError: It was not open when this process began: it may be the ledger.
    """
    folders = {real(folder) for folder in _DESCRIPTORS if folder.is_dir()}
    if not place.name.isdecimal() or real(place.parent) not in folders:
        return None
    descriptor = int(place.name)
    if not os.get_inheritable(descriptor):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(place))
    return descriptor
