"""Ten thousand, a hundred thousand and a million numbers: what each costs, and what it holds.

Real commands in processes of their own against a sandbox process without latency, so the time
of a number is k3push's own beside the sandbox's. All but the last numbers are pushed by `run`;
`resume` takes the rest, and its first chunk is timed by what the ledger says of it.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cli.terminal import Desk, Sandbox

SIZES = (10_000, 100_000, 1_000_000)
LINES = 5_000_000

# Numbers that `run` leaves to `resume`.
LEFT = 1000

_STOPPED, _DONE = 5, 0

_READ = """\
import sys
from pathlib import Path
from k3push.adapters.job_files import read_job
print(sum(1 for _ in read_job(Path(sys.argv[1]))))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: seconds, those of its own on a processor, and MiB at its peak."""

    seconds: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Scaled:
    """One size's figures.

    Attributes:
        numbers: Length of the list.
        run: Of `k3push run`, its results included.
        number_us: Microseconds of `run` for each number.
        number_cpu_us: Those of them that it was on a processor, whatever else ran there.
        row_bytes: Bytes of the ledger for each number, with every request and answer.
        first_chunk_s: From the start of `resume` to its first sending.
        status: Of `k3push status`, as all others in the state after `resume`.
    """

    numbers: int
    run: Cost
    number_us: float
    number_cpu_us: float
    row_bytes: float
    first_chunk_s: float
    status: Cost
    csv: Cost
    xlsx: Cost
    report: Cost


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    sizes = ", ".join(f"{size:,}" for size in SIZES)
    parser.add_argument("--numbers", type=int, nargs="+", default=SIZES, metavar="N", help=sizes)
    parser.add_argument("--lines", type=int, default=LINES, metavar="N", help="of a file to read")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Push up to a million numbers, and export, report and resume them."""
    sys.stdout.write(
        f"{'numbers':>9} {'run':>8} {'a number':>9} {'cpu':>6} {'memory':>8} {'ledger':>9} "
        f"{'resume':>7} {'status':>7} {'csv':>7} {'xlsx':>8} {'report':>7}\n"
    )
    found = []
    for numbers in arguments.numbers:
        with tempfile.TemporaryDirectory() as folder:
            scaled = _scaled(Desk(Path(folder)), numbers)
        found.append(asdict(scaled))
        sys.stdout.write(
            f"{numbers:9,} {scaled.run.seconds:6.1f} s {scaled.number_us:6.0f} µs "
            f"{scaled.number_cpu_us:3.0f} µs {scaled.run.peak_mib:4.0f} MiB "
            f"{scaled.row_bytes:4.0f} B/no {scaled.first_chunk_s:5.2f} s "
            f"{scaled.status.seconds:5.2f} s {scaled.csv.seconds:5.2f} s "
            f"{scaled.xlsx.seconds:6.2f} s {scaled.report.seconds:5.2f} s\n"
        )
        sys.stdout.flush()
    read = _read(arguments.lines)
    sys.stdout.write(f"{arguments.lines:,} lines of CSV read in {read.seconds:.1f} s, ")
    sys.stdout.write(f"{read.peak_mib:.0f} MiB\n")
    return {"scale": found, "read": {"lines": arguments.lines, **asdict(read)}}


def _scaled(desk: Desk, numbers: int) -> Scaled:
    """Take a list of one size through all commands."""
    job = "orders.csv"
    _write_list(desk.folder / job, numbers)
    with Sandbox(desk.folder, "--orders", str(numbers)) as sandbox:
        desk.configure(sandbox.url)
        limit = str(numbers - LEFT)
        ran = _cost(desk, "run", job, "--limit", limit, "--quiet", exit_code=_STOPPED)
        began_at = time.time()
        _cost(desk, "resume", "--quiet", exit_code=_DONE)
    ledger = desk.folder / "ledger.db"
    return Scaled(
        numbers=numbers,
        run=ran,
        number_us=ran.seconds / (numbers - LEFT) * 1e6,
        number_cpu_us=ran.cpu_s / (numbers - LEFT) * 1e6,
        row_bytes=ledger.stat().st_size / numbers,
        first_chunk_s=_first_sending(ledger, began_at) - began_at,
        status=_cost(desk, "status"),
        csv=_cost(desk, "export", "--output", "all.csv"),
        xlsx=_cost(desk, "export", "--output", "all.xlsx"),
        report=_cost(desk, "report", "--output", "all.html"),
    )


def _write_list(path: Path, numbers: int) -> None:
    """Write a list as a stream: the system counts our own memory in with that of a child."""
    with path.open("w", encoding="ascii") as file:
        file.write("number\n")
        file.writelines(f"CGDD{index:07d}\n" for index in range(numbers))


def _first_sending(ledger: Path, after: float) -> float:
    """Return when the first attempt *after* a moment began, in seconds of the epoch."""
    with closing(sqlite3.connect(ledger)) as database:
        moment = datetime.fromtimestamp(after).astimezone()
        began = (
            datetime.fromisoformat(text)
            for (text,) in database.execute("SELECT began_at FROM attempts ORDER BY id DESC")
        )
        return min(at.timestamp() for at in began if at > moment)


def _read(lines: int) -> Cost:
    """Read a long list in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.csv")
        _write_list(path, lines)
        return waited([sys.executable, "-c", _READ, str(path)], Path(folder), 0)


def _cost(desk: Desk, *arguments: str, exit_code: int = 0) -> Cost:
    return waited([sys.executable, "-m", "k3push", *arguments], desk.folder, exit_code)


def waited(command: Sequence[str], folder: Path, exit_code: int) -> Cost:
    """Run a program to its end, and see what the system says that it took."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    with (folder / "said.txt").open("w+", encoding="utf-8") as said:
        began_s = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  # our own interpreter
            command, cwd=folder, env=environment, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != exit_code:
            said.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}: {said.read()}")
    unit = 1 if sys.platform == "darwin" else 1024
    cpu_s = used.ru_utime + used.ru_stime
    return Cost(round(seconds, 3), round(cpu_s, 3), round(used.ru_maxrss * unit / 2**20, 1))
