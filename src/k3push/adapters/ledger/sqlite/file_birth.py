"""What tells a file from each copy of it: its number on the disk, and when it was made."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

# Of statx(2): paths from the folder that is current, the mask of what is asked for and told, and
# where that and the time of birth (seconds, nanoseconds) stand in its answer.
_AT_FDCWD = -100
_BIRTH = 0x800
_MASK_AT, _BIRTH_AT, _ANSWER = 0, 80, 256


def birth_of(path: Path) -> str:
    """Return what no copy of a file has, and no file that is put in its place.

    A number is given out again once its file is gone, which the time tells; where the system does
    not tell that one, the number is all there is.

    Raises:
        OSError: It is not there, or cannot be looked at.
    """
    found = path.stat()
    if sys.platform == "linux":
        born = _born_on_linux(path)
    elif os.name == "nt":
        born = f"{found.st_ctime:.6f}"
    else:
        born = str(getattr(found, "st_birthtime", ""))
    return f"{found.st_ino} {born}".strip()


def _born_on_linux(path: Path) -> str:
    """Return when a file was made, as Python does not tell it here; "" where nobody does."""
    ask = getattr(ctypes.CDLL(None), "statx", None)
    answer = ctypes.create_string_buffer(_ANSWER)
    if ask is None or ask(_AT_FDCWD, os.fsencode(path), 0, _BIRTH, answer) != 0:
        return ""
    (told,) = struct.unpack_from("I", answer, _MASK_AT)
    seconds, nanoseconds = struct.unpack_from("qI", answer, _BIRTH_AT)
    return f"{seconds}.{nanoseconds:09}" if told & _BIRTH else ""
