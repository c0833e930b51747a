"""Job files read in processes of their own, with limits of memory and time.

A list of a stranger may be made to cost whoever reads it all of its memory. What dies of it is a
process that does nothing else; it is tried once more, and then the file is named.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Lock, Timer
from typing import Any, Final

import orjson

from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble
from k3push.core.model import BillNumber, Listed

MOST_MEMORY: Final = 1 << 30
"""Bytes that a reader may have."""

PATIENCE_S: Final = 120.0
"""How long it may take; a full sheet of Excel takes half a minute."""

MOST_TRIES: Final = 2

SIDE_BY_SIDE: Final = 4
"""Readers at a time: they are as quick as there are processors."""

# A reader needs no secrets, of which the environment may have some.
_KEPT: Final = frozenset(("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "HOME", "VIRTUAL_ENV"))

# What an answer begins with that tells what has kept a reader from its work.
_FAILED: Final = b"failed "


class _DiedError(Exception):
    """The reader ended before it had answered."""


class _FailedError(Exception):
    """The reader could not do its work, which is no fault of the list: a disk is full, say."""


@dataclass(slots=True)
class ReadersApart:
    """Reads job files as `read_job` does, in other processes; it is for several threads.

    Attributes:
        memory: Bytes that each may have.
        patience_s: Seconds that a file may take.
    """

    memory: int = MOST_MEMORY
    patience_s: float = PATIENCE_S
    _idle: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(SIDE_BY_SIDE))

    def read_job(
        self,
        source: Path,
        *,
        name: str,
        column: str | None = None,
        sheet: str | None = None,
        skip_bad_lines: bool = False,
        on_bad_line: Callable[[Trouble], None] | None = None,
    ) -> Iterator[Listed]:
        """Yield the numbers of a job file; read again, it is not parsed again.

        Args:
            source: A copy of the file, in a folder of ours.

        Raises:
            JobFileError: If the file must be mended first; `Code.KILLS_READER` with its digest if
                it has ended its readers.
        """
        parsed = source.with_name(f"{source.name}.listed")
        if not parsed.exists():
            asked = {
                "source": str(source),
                "parsed": str(parsed),
                "name": name,
                "column": column,
                "sheet": sheet,
                "skip_bad_lines": skip_bad_lines,
            }
            self._parse(source, name, orjson.dumps(asked) + b"\n")
        with parsed.open("rb") as file:
            for line in file:
                match orjson.loads(line):
                    case [int(nth), str(number), str(route), str(id_)]:
                        yield Listed(nth, BillNumber(number), route, id_)
                    case {"skipped": dict(told)}:
                        if on_bad_line is not None:
                            on_bad_line(_trouble(told))
                    case {"troubles": list(troubles), "more": int(more)} as told:
                        # A reader that an update has changed meanwhile may tell none.
                        sheets: Sequence[str] = told.get("sheets", ())
                        raise JobFileError(*map(_trouble, troubles), more=more, sheets=sheets)

    def close(self) -> None:
        """End the readers that wait."""
        with self._lock:
            for process in self._idle:
                _end(process)
            self._idle.clear()

    def _parse(self, source: Path, name: str, asked: bytes) -> None:
        for _ in range(MOST_TRIES):
            try:
                with self._turns:
                    self._ask(asked)
            except _DiedError:
                continue
            except _FailedError as error:
                facts = {"reason": str(error)}
                raise JobFileError(Trouble(Code.UNREADABLE, name, facts=facts)) from error
            return
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        raise JobFileError(Trouble(Code.KILLS_READER, name, facts={"digest": digest}))

    def _ask(self, asked: bytes) -> None:
        process = self._one_that_waits() or _begun(self.memory)
        to, back = process.stdin, process.stdout
        if to is None or back is None:  # it was begun with both
            raise _DiedError
        timer = Timer(self.patience_s, process.kill)
        timer.start()
        try:
            to.write(asked)
            to.flush()
            answer = back.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
        if answer == b"next\n":
            with self._lock:
                self._idle.append(process)
            return
        _end(process)
        if answer.startswith(_FAILED):
            raise _FailedError(answer.removeprefix(_FAILED).decode().strip())
        if answer != b"last\n":
            raise _DiedError

    def _one_that_waits(self) -> subprocess.Popen[bytes] | None:
        """Take a reader that waits, if there is one; what has ended meanwhile no list has ended."""
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _end(process)
        return None


def _begun(memory: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "k3push.adapters.job_files.reader_process", str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k in _KEPT or k.startswith("PYTHON")},
        # Ctrl-C is for the worker, which ends it.
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            # What was to be written may have no reader any more.
            with suppress(OSError):
                stream.close()
    process.wait()


def _trouble(told: dict[str, Any]) -> Trouble:
    code, facts = told["code"], told["facts"]
    if code not in set(Code):
        # A reader that an update has changed meanwhile knows more.
        code, facts = Code.UNREADABLE, {"reason": code}
    return Trouble(Code(code), told["file"], told["line"], told["item"], facts, told["sheet"])
