"""Files in folders that strangers may write to: opened below a folder, through no link.

Who may put a list into a folder must not have a file read, or written over, that lies elsewhere.
So every part of a name below the folder is opened from the one before it, a link among them is
refused, and what a file is, is asked of the open file and not of its name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

# Windows has neither: there each part is looked at before it is opened.
_BY_DESCRIPTOR: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
# Whoever may pass through a folder need not be able to list it.
_ON_THE_WAY: Final = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)
# A named pipe would be waited for.
_FILE: Final = _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# IO_REPARSE_TAG_SYMLINK and IO_REPARSE_TAG_MOUNT_POINT, which `stat` has on Windows alone.
_LINK_TAGS: Final = frozenset((0xA000000C, 0xA0000003))

# The folder that is open as a descriptor, as a name under which files in it can be reached.
_DESCRIPTORS: Final = Path("/proc/self/fd")


class IsLinkError(OSError):
    """A part of a name is a link, which is not followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.ELOOP, "a link, which is not followed", str(path))


class NoFileError(OSError):
    """A name leads to something else than a regular file."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, "no regular file", str(path))


@dataclass(frozen=True, slots=True)
class Below:
    """A file or folder below a folder.

    Attributes:
        base: The folder, reached through links as well: its name comes from the operator.
        parts: The way from there, of which no part may be a link, nor `..`.
    """

    base: Path
    parts: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, name: str) -> Below:
        """Return the place of a name that a tenant's settings give.

        A name below *folder* is no link in any part. What lies elsewhere is reached as the name
        says, and is no link itself.

        >>> Below.of(Path("/etc/acme"), "in/box").parts, Below.of(Path("/etc"), "/srv/in").parts
        (('in', 'box'), ('in',))
        """
        path = Path(name)
        if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
            whole = Path(os.path.normpath(folder / path))
            return cls(whole.parent, (whole.name,))
        return cls(folder, path.parts)

    @property
    def path(self) -> Path:
        """Its whole name."""
        return self.base.joinpath(*self.parts)

    def within(self, name: str) -> Below:
        """Return the place of a file in this folder."""
        return Below(self.base, (*self.parts, name))

    @contextmanager
    def opened(self) -> Iterator[BufferedReader]:
        """Open a regular file for reading.

        Raises:
            IsLinkError: A part is a link.
            NoFileError: It is a folder, a device, a pipe.
            OSError: It cannot be opened.
        """
        with ExitStack() as stack:
            *folders, name = self.parts
            place = _descended(stack, self.base, folders)
            with open(_opened(place, name, _FILE), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise NoFileError(self.path)
                yield file

    @contextmanager
    def listed(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        """Give what is in a folder; whether an entry is a link, and of what kind, is asked of it.

        A stranger's folder may hold any number of entries, so they come one by one.

        Raises:
            IsLinkError: A part is a link.
            OSError: It cannot be read.
        """
        with ExitStack() as stack:
            descriptor, path = _descended(stack, self.base, self.parts)
            if descriptor is not None:
                descriptor = os.open(".", os.O_RDONLY, dir_fd=descriptor)
                stack.callback(os.close, descriptor)
            with os.scandir(path if descriptor is None else descriptor) as entries:
                yield entries

    def is_folder(self) -> bool:
        """Say whether it is a folder; raises `IsLinkError` where a part is a link."""
        try:
            with ExitStack() as stack:
                _descended(stack, self.base, self.parts)
        except IsLinkError:
            raise
        except OSError:
            return False
        return True


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Make a folder, with those above it, and give a name by which it stays the same.

    Whoever may write beside it cannot lead elsewhere what is written into it.

    Args:
        folder: The folder, by a name that was without links when it was found out.

    Raises:
        IsLinkError: A part of it is a link.
        OSError: It cannot be made.
    """
    with ExitStack() as stack:
        place = _descended(stack, Path(folder.anchor), folder.parts[1:], make=True)
        descriptor, path = place
        by_descriptor = _DESCRIPTORS / str(descriptor)
        yield by_descriptor if descriptor is not None and by_descriptor.exists() else path


# A folder: its descriptor, where the system opens names from one, and its name.
_Place = tuple[int | None, Path]


def _descended(stack: ExitStack, base: Path, parts: Sequence[str], *, make: bool = False) -> _Place:
    """Open a folder part by part."""
    descriptor = None
    if _BY_DESCRIPTOR:
        descriptor = os.open(base, _ON_THE_WAY)
        stack.callback(os.close, descriptor)
    place: _Place = (descriptor, base)
    for part in parts:
        try:
            place = _below(stack, place, part)
        except FileNotFoundError:
            if not make:
                raise
            _make(place, part)
            place = _below(stack, place, part)
    return place


def _below(stack: ExitStack, place: _Place, part: str) -> _Place:
    """Open a folder in a folder."""
    descriptor, path = place
    if descriptor is None:
        found = path / part
        if _is_link(found):
            raise IsLinkError(found)
        found.lstat()
        return None, found
    opened = _opened(place, part, _ON_THE_WAY | _NO_LINK)
    stack.callback(os.close, opened)
    return opened, path / part


def _opened(place: _Place, name: str, flags: int) -> int:
    descriptor, path = place
    whole = path / name
    if name == ".." or (descriptor is None and _is_link(whole)):
        raise IsLinkError(whole)
    try:
        return os.open(whole if descriptor is None else name, flags, dir_fd=descriptor)
    except OSError as error:
        # A folder that is a link is called no folder by some systems.
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK} and whole.is_symlink():
            raise IsLinkError(whole) from error
        error.filename = str(whole)
        raise


def _make(place: _Place, part: str) -> None:
    descriptor, path = place
    with suppress(FileExistsError):
        if descriptor is None:
            (path / part).mkdir(mode=0o700)
        else:
            os.mkdir(part, 0o700, dir_fd=descriptor)


def _is_link(path: Path) -> bool:
    """Say whether a name on Windows is a link or a junction."""
    with suppress(FileNotFoundError):
        return getattr(path.lstat(), "st_reparse_tag", 0) in _LINK_TAGS or path.is_symlink()
    return False
