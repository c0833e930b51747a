"""`python -m tests.benchmarks NAME`: what is measured apart from the tests.

Each benchmark prints a table and the machine's line, and writes its figures as JSON where
`--json FILE` says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import crowd, doubles, losses, makespan, scale, start, throughput, time_left

BENCHMARKS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "crowd": crowd.measure,
    "doubles": doubles.measure,
    "losses": losses.measure,
    "makespan": makespan.measure,
    "scale": scale.measure,
    "start": start.measure,
    "throughput": throughput.measure,
    "time-left": time_left.measure,
}


def machine() -> str:
    """Say on what the figures are measured, and how busy it is."""
    system = f"{platform.system()} {platform.machine()}"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    # Windows counts no load.
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"{system}, {os.cpu_count()} cores, {python}{load}"


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    commands = parser.add_subparsers(dest="name", required=True)
    crowd.add_options(commands.add_parser("crowd", help=crowd.measure.__doc__))
    doubles.add_options(commands.add_parser("doubles", help=doubles.measure.__doc__))
    losses.add_options(commands.add_parser("losses", help=losses.measure.__doc__))
    makespan.add_options(commands.add_parser("makespan", help=makespan.measure.__doc__))
    scale.add_options(commands.add_parser("scale", help=scale.measure.__doc__))
    start.add_options(commands.add_parser("start", help=start.measure.__doc__))
    throughput.add_options(commands.add_parser("throughput", help=throughput.measure.__doc__))
    time_left.add_options(commands.add_parser("time-left", help=time_left.measure.__doc__))
    arguments = parser.parse_args()
    measured_on = machine()
    figures = BENCHMARKS[arguments.name](arguments)
    sys.stdout.write(f"{measured_on}\n")
    if arguments.json:
        text = json.dumps({"machine": measured_on, **figures}, ensure_ascii=False, indent=1)
        arguments.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
