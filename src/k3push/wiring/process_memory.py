"""Memory of a process that runs for months: what a busy moment has taken is given back.

The allocator of Python itself keeps a megabyte for as long as one object is in it. Where the
environment says `PYTHONMALLOC=malloc`, as `deployment/` does, the C library has the objects too,
and gives back each page that is free.
"""

from __future__ import annotations

import ctypes
import sys
from threading import Event, Thread

_M_ARENA_MAX = -8  # of mallopt(3)
HEAPS = 2
GIVES_BACK_S = 10.0


def spare_memory() -> None:
    """Keep a process of many threads small; call it before any of them is begun."""
    few_heaps()
    keep_giving_back()


def few_heaps() -> None:
    """Let the C library grow two heaps, where it grows one for nearly each thread.

    What one holds for a moment is hardly ever given back.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_ARENA_MAX, HEAPS)


def keep_giving_back(every_s: float = GIVES_BACK_S) -> None:
    """Start a daemon thread that gives the system what no object needs, every *every_s* seconds."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):

        def give_back() -> None:
            never = Event()
            while not never.wait(every_s):
                trim(0)

        Thread(target=give_back, name="give back memory", daemon=True).start()
