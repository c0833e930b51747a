"""Ctrl-C, SIGTERM, Ctrl-Break and a terminal that closes: the first asks to stop.

The second stops at once: what is written into the ledger is waited for. The third, some seconds
later, waits for nothing, since a database that hangs answers nobody.

While a person is asked something, nothing is under way that would have to end in order, and the
first Ctrl-C ends the question.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import anyio

from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause, Stop

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    # Where a console cannot send Ctrl-C, it can send Ctrl-Break.
    _SIGNALS.append(signal.SIGBREAK)

# The terminal is closed, or the line to it is lost; Windows has no such signal.
_HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)

_AT_ONCE = 2

AT_ONCE_S = 5.0
"""So long what stops at once may take, however often somebody asks for it."""


@contextmanager
def on_interrupt(act: Callable[[], None]) -> Iterator[None]:
    """Call *act* on the event loop at every such signal, on every system.

    Windows has no signal handlers on the loop, so the interpreter's own are used, and the
    loop is woken from there. Under `nohup` a hang-up stays without meaning.

    A third wish, `AT_ONCE_S` after the second, ends the process as a kill does.
    """
    loop = asyncio.get_running_loop()
    heard = list(_SIGNALS)
    if _HANG_UP is not None and signal.getsignal(_HANG_UP) is not signal.SIG_IGN:
        heard.append(_HANG_UP)
    wishes, hung_up, wished_s = 0, False, time.monotonic()

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal wishes, hung_up, wished_s
        known = max(wishes, hung_up)
        if number == _HANG_UP:
            # Shell and system tell of it, often with SIGTERM: it is nobody's second wish.
            hung_up = True
        else:
            wishes += 1
            if wishes <= _AT_ONCE:
                wished_s = time.monotonic()
            elif time.monotonic() - wished_s >= AT_ONCE_S:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
        if max(wishes, hung_up) > known:
            loop.call_soon_threadsafe(act)

    before = {number: signal.signal(number, handle) for number in heard}
    try:
        with _waking(loop):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_as_signal(stop: Stop | SharedStop) -> None:
    """Ask to stop, for the reason that a signal is."""
    stop.ask(Cause.INTERRUPTED, "Ctrl-C")


@contextmanager
def cut_short_by_signal(stop: Stop | SharedStop, scope: anyio.CancelScope) -> Iterator[None]:
    """Let a signal ask to stop, and end *scope* at once: nothing in it would have to end in order.

    What comes as the scope is over has asked all the same.
    """

    def end() -> None:
        ask_as_signal(stop)
        scope.cancel()

    with on_interrupt(end):
        yield


@contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have every signal wake the loop, also one that comes right before it goes to sleep.

    The interpreter calls handlers between two of its own steps, so such a one would be heard at the
    next event alone, and an idle server has none. The loop of Windows is woken anyway.
    """
    if sys.platform == "win32":
        yield
    else:
        woken, wakes = socket.socketpair()
        with woken, wakes:
            woken.settimeout(0)
            wakes.settimeout(0)
            loop.add_reader(woken, woken.recv, 4096)
            before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
            try:
                yield
            finally:
                signal.set_wakeup_fd(before)
                loop.remove_reader(woken)


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
