"""Ctrl-C, SIGTERM and Ctrl-Break: the first asks to stop, the second stops at once.

While a person is asked something, nothing is under way that would have to end in order, and the
first Ctrl-C ends the question.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    # Where a console cannot send Ctrl-C, it can send Ctrl-Break.
    _SIGNALS.append(signal.SIGBREAK)


@contextmanager
def on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Call *act* on the event loop at every such signal, on every system.

    Windows has no signal handlers on the loop, so the interpreter's own are used, and the
    loop is woken from there.
    """
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """Let Ctrl-C raise at once, as while a person is asked something.

    A loop of asyncio takes the first one as a wish to end what is awaited, and a question that is
    read in its own thread would go on until a key is pressed.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
