"""A process that reads job files for `reader_pool`: one after another, until it has grown."""

from __future__ import annotations

import errno
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import orjson

from k3push.adapters.job_files.reading import read_job
from k3push.adapters.job_files.troubles import JobFileError, Trouble

# What the memory of a process has grown to, it does not give back; the next one begins small.
_GROWN: Final = 1 << 28


def main() -> None:
    """Read files, as lines of standard input name them, until that ends."""
    # A worker that is told to end lets its readers end their work.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    _limit(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        try:
            _read(orjson.loads(line))
        except OSError as error:
            if error.errno == errno.EFBIG:  # what the list comes to is more than it may
                raise
            why = error.strerror or type(error).__name__
            sys.stdout.buffer.write(b"failed " + why.encode("utf-8", "replace") + b"\n")
            return
        grown = _peak() > _GROWN
        sys.stdout.buffer.write(b"last\n" if grown else b"next\n")
        sys.stdout.buffer.flush()
        if grown:
            return


def _read(asked: dict[str, Any]) -> None:
    """Write what is in a file into another, which has its name once it is whole."""
    parsed = Path(asked["parsed"])
    part = parsed.with_suffix(".part")
    with part.open("wb") as file:

        def skipped(trouble: Trouble) -> None:
            file.write(orjson.dumps({"skipped": asdict(trouble)}) + b"\n")

        try:
            for listed in read_job(
                Path(asked["source"]),
                name=asked["name"],
                column=asked["column"],
                sheet=asked["sheet"],
                skip_bad_lines=asked["skip_bad_lines"],
                on_bad_line=skipped,
            ):
                file.write(orjson.dumps([listed.line, listed.number, listed.route, listed.id]))
                file.write(b"\n")
        except JobFileError as error:
            _tell(file, error)
    part.replace(parsed)


def _tell(file: IO[bytes], error: JobFileError) -> None:
    troubles = [asdict(trouble) for trouble in error.troubles]
    told = {"troubles": troubles, "more": error.more, "sheets": error.sheets}
    file.write(orjson.dumps(told) + b"\n")


def _limit(memory: int) -> None:
    """Bound what this process may take; where the system cannot, only time is bounded."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Where the memory of a machine ends, this is to end first.
        if os.path.exists("/proc/self/oom_score_adj"):  # noqa: PTH110
            Path("/proc/self/oom_score_adj").write_text("500")


def _peak() -> int:
    """Return the most bytes that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():  # the system's own count begins with what the parent has had
        for line in status.read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = 0
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
