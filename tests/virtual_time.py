"""Virtual time that stands while a thread works."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
import trio
from trio.testing import MockClock

_run_sync: Callable[..., Awaitable[Any]] = anyio.to_thread.run_sync
_threads: Counter[MockClock] = Counter()


async def run_sync(*args: Any, **options: Any) -> Any:
    """Do what `anyio.to_thread.run_sync` does; a clock that jumps waits for the thread.

    While a thread works, all tasks may wait for it. The clock would jump then, over hours on a
    busy machine: logins expire, and patience ends.
    """
    clock = trio.lowlevel.current_clock() if trio.lowlevel.in_trio_run() else None
    if not isinstance(clock, MockClock):
        return await _run_sync(*args, **options)
    _threads[clock] += 1
    clock.autojump_threshold = math.inf
    try:
        return await _run_sync(*args, **options)
    finally:
        _threads[clock] -= 1
        if not _threads[clock]:
            del _threads[clock]
            clock.autojump_threshold = 0
