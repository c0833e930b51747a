"""What an audit of a hundred thousand bills takes, and whether it finds exactly the doubles.

The books are made in the tables of a simulator process; `k3push audit-dups` looks at them from
outside, all bills that have documents.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio

from k3push.simulator import serve
from tests.benchmarks.scale import waited
from tests.cli.terminal import PATIENT, Desk
from tests.stocked_books import stocked

NUMBERS = 100_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--numbers", type=int, default=NUMBERS, metavar="N")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Audit a hundred thousand bills."""
    numbers: int = arguments.numbers
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        program = f"from tests.benchmarks.doubles import serve_books; serve_books({numbers})"
        server = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            doubles = frozenset(json.loads(server.stdout.readline()))
            desk.configure(server.stdout.readline().strip(), lines=PATIENT)
            audit = ("audit-dups", "--quiet", "--output", "found.json")
            cost = waited([sys.executable, "-m", "k3push", *audit], desk.folder, 3)
        finally:
            server.terminate()
            server.wait()
        told = json.loads((desk.folder / "found.json").read_bytes())
    found = [double["number"] for double in told["doubles"]]
    exact = set(found) == doubles and len(found) == len(doubles)
    sys.stdout.write(
        f"{told['sources']:,} bills looked at in {cost.seconds:.1f} s ({cost.cpu_s:.1f} s on a "
        f"processor), {cost.peak_mib:.0f} MiB; {len(found)} doubles found, "
        f"{'exactly those' if exact else f'and not those {len(doubles)}'} that there are\n"
    )
    return {"numbers": numbers, "seconds": cost.seconds, "peak_mib": cost.peak_mib, "exact": exact}


def serve_books(numbers: int) -> None:
    """Serve books; the doubles that they hold, and the address, are the first lines printed."""
    books = stocked(numbers)
    print(json.dumps(sorted(books.doubles)), flush=True)  # noqa: T201  # a program prints

    async def listen() -> None:
        await serve(books.site, started=lambda url: print(url, flush=True))  # noqa: T201  # too

    anyio.run(listen)
