"""How many heaps a process grows that runs for months."""

from __future__ import annotations

import ctypes
import sys

_M_ARENA_MAX = -8  # of mallopt(3)
HEAPS = 2


def few_heaps() -> None:
    """Let the C library grow two heaps, where it grows one for nearly each thread.

    What one holds for a moment is hardly ever given back: after ten busy minutes a server took a
    quarter more memory. To be said before any thread is begun.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_ARENA_MAX, HEAPS)
