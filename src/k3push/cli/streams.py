"""Standard output and error that outlive their reader, and consoles that lack a character."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Unminded(io.FileIO):
    """A stream whose reader may leave, as `head` does: what nobody reads is dropped.

    A run whose summary nobody reads goes on, and ends with its own exit code.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop it."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Make both streams so that no text and no reader can end a command."""
    sys.stdout, sys.stderr = _prepared(sys.stdout), _prepared(sys.stderr)


def _prepared(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    # A console that lacks a character shows a question mark, and the run goes on.
    stream.reconfigure(errors="replace")
    if stream.isatty():
        return stream
    raw = _Unminded(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="replace",
        newline=None,
        write_through=stream.write_through,
        line_buffering=stream.line_buffering,
    )
