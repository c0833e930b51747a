"""Standard streams that outlive reader, terminal and disk, and consoles that lack a character."""

from __future__ import annotations

import errno
import io
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDIN, STDOUT, STDERR = range(3)


class _Unminded(io.FileIO):
    """A stream whose reader may leave, as `head` does or who closes a terminal.

    What nobody reads is dropped.

    A run whose summary nobody reads, or whose disk is full, goes on, and ends with its own exit
    code.

    Attributes:
        lost: Why something could not be written, the reader's leaving aside.
    """

    lost: str = ""

    def __init__(self, descriptor: int) -> None:
        """Write to an open descriptor."""
        super().__init__(descriptor, "wb", closefd=False)
        self._is_terminal = self.isatty()  # a closed one is none any more

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop it."""
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            if error.errno == errno.EIO and self._is_terminal:
                return memoryview(data).nbytes
            self.lost = error.strerror or type(error).__name__
        return memoryview(data).nbytes


@dataclass(slots=True)
class Streams:
    """The streams of a command, once they are prepared."""

    _out: list[_Unminded] = field(default_factory=list)

    def lost(self) -> str:
        """Write what is left, and say why standard output took not all; "" if it did."""
        sys.stdout.flush()
        return next((out.lost for out in self._out if out.lost), "")

    def prepared(self, stream: TextIO | None, number: int) -> TextIO:
        """Return what to use instead of a stream, which is None if it was closed."""
        if stream is None:
            return open(number, "r" if number == STDIN else "w", encoding="utf-8", closefd=False)
        if not isinstance(stream, io.TextIOWrapper):
            return stream
        # A console that lacks a character shows a question mark, and the run goes on.
        stream.reconfigure(errors="replace")
        if sys.platform == "win32" and stream.isatty():
            return stream
        raw = _Unminded(stream.fileno())
        if number == STDOUT:
            self._out.append(raw)
        return io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors="replace",
            newline=None,
            write_through=stream.write_through,
            line_buffering=stream.line_buffering,
        )


def prepare_streams() -> Streams:
    """Make the streams so that no text, no reader and no disk can end a command."""
    _open_closed()
    streams = Streams()
    if sys.stdin is None:
        sys.stdin = streams.prepared(None, STDIN)
    sys.stdout = streams.prepared(sys.stdout, STDOUT)
    sys.stderr = streams.prepared(sys.stderr, STDERR)
    return streams


def _open_closed() -> None:
    """Open what the caller has closed, so that no ledger gets the number of a standard stream."""
    for number in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
