"""How long somebody waits for a command that does nothing yet, against Python's own start."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.throughput import children_s
from tests.cli.terminal import Desk, Sandbox, orders

PYTHON = "python -c pass"
COMMANDS: Mapping[str, Sequence[str]] = {
    PYTHON: ("-c", "pass"),
    "k3push --help": ("-m", "k3push", "--help"),
    "k3push run --help": ("-m", "k3push", "run", "--help"),
    "k3push status": ("-m", "k3push", "status"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=9, metavar="N")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the start of commands, in turn with Python's own."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as where, Sandbox(Path(where)) as sandbox:
        desk = Desk(Path(where)).configure(sandbox.url)
        assert desk.k3push("run", desk.job(orders(50)), "--quiet").exit == 0
        for _ in range(arguments.rounds):
            for name, command in COMMANDS.items():
                took[name].append(_take(desk.folder, command))
    sys.stdout.write(f"{'':20}{'wall':>8}{'CPU':>8}\n")
    rows = {}
    for name, each in took.items():
        wall_ms, cpu_ms = (round(median(figures) * 1000) for figures in zip(*each, strict=True))
        rows[name] = {"wall_ms": wall_ms, "cpu_ms": cpu_ms}
        sys.stdout.write(f"{name:20}{wall_ms:>5} ms{cpu_ms:>5} ms\n")
    return {"start": {"rounds": arguments.rounds, "commands": rows}}


def _take(folder: Path, command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of a process, by the clock and by the processor."""
    cpu_s, began_s = children_s(), time.monotonic()
    subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, *command],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - began_s, children_s() - cpu_s
