"""A process of many threads grows few heaps, and gives back what it does not need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

THREADS = """\
import ctypes
from threading import Barrier, Thread
from k3push.wiring.process_memory import few_heaps
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


MOMENT = """\
import os, time
from k3push.wiring.process_memory import keep_giving_back
def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
kept = [bytes(3000) for _ in range(50_000)]
kept = kept[::100]
print(resident_mib())
{then}
until = time.monotonic() + {patience_s}
while resident_mib() > 60 and time.monotonic() < until:
    time.sleep(0.01)
print(resident_mib())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of others has its own ways")
@pytest.mark.parametrize(
    ("then", "patience_s", "gives_back"), [("keep_giving_back(0.01)", 60, True), ("", 0.1, False)]
)
def test_what_a_busy_moment_has_taken_is_given_back(
    then: str, patience_s: float, *, gives_back: bool
) -> None:
    """One object in a hundred is left, and holds nothing else."""
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MOMENT.format(then=then, patience_s=patience_s)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONMALLOC": "malloc"},
        text=True,
    ).stdout
    busy, after = map(int, told.split())
    assert busy > 140, told
    assert (after <= 60) is gives_back, told
