"""A process of many threads grows few heaps."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREADS = """\
import ctypes
from threading import Barrier, Thread
from k3push.wiring.heaps import few_heaps
{first}
here = Barrier(9)
def hold():
    kept = [bytes(2000) for _ in range(100)]
    here.wait()
for _ in range(8):
    Thread(target=hold).start()
here.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of others has its own ways")
@pytest.mark.parametrize(("first", "few"), [("few_heaps()", True), ("", False)])
def test_many_threads_share_two_heaps(first: str, *, few: bool) -> None:
    """What each of many heaps holds for a moment stays with the process."""
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", THREADS.format(first=first)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert (told.count("<heap nr=") <= 2) is few, told
