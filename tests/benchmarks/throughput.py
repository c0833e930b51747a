"""How fast a list goes: k3push, what people use, and what HTTP libraries can do.

Each client works in a process of its own, on a fresh sandbox process with the same books, so
all have the same list. They take turns, round after round, and what is compared is compared
within a round: what else the machine does meets all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]  # it has no types

from tests.cli.terminal import Desk, Sandbox, orders

ROOT = Path(__file__).parents[2]

OURS = "k3push"
LIMIT = "httpx loop"
PEERS: Mapping[str, tuple[str, bool]] = {
    LIMIT: ("plain_httpx", True),
    "aiohttp loop": ("plain_aiohttp", True),
    "SDK threads": ("sdk_loop", True),
    "SDK loop": ("sdk_loop", False),
}
"""The module of each, and whether it works on many chunks at once."""


@dataclass(frozen=True, slots=True)
class Took:
    """What one client took for the list.

    Attributes:
        seconds: From the login to the last record or answer.
        whole_s: Of the process, from its start to its end.
        cpu_s: Of the process, user and system.
        server_cpu_s: Of the sandbox meanwhile.
        calls: That the sandbox counted.
    """

    seconds: float
    whole_s: float
    cpu_s: float
    server_cpu_s: float
    calls: int


@dataclass(frozen=True, slots=True)
class Task:
    """The list, and how it is pushed.

    Attributes:
        numbers: Length of the list.
        at_once: Chunks at once.
        size: Numbers in each.
        latency_s: Of each call, in the server.
    """

    numbers: int
    at_once: int
    size: int
    latency_s: float

    @property
    def chunks(self) -> int:
        """How many chunks the list has."""
        return -(-self.numbers // self.size)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    names = [OURS, *PEERS]
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(names))
    parser.add_argument("--numbers", type=int, default=10_000, metavar="N")
    parser.add_argument("--at-once", type=int, default=16, metavar="N")
    parser.add_argument("--size", type=int, default=50, metavar="N", help="numbers in a chunk")
    parser.add_argument("--latency", type=float, default=[0.0, 0.02], nargs="+", metavar="SECONDS")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare k3push with a plain loop and with the official SDK, on real sockets."""
    # What all are compared with is always there.
    names = list(dict.fromkeys([*(arguments.clients or [OURS, *PEERS]), LIMIT]))
    return {
        "throughput": [
            _compare(
                Task(arguments.numbers, arguments.at_once, arguments.size, latency_s),
                names,
                arguments.rounds,
            )
            for latency_s in arguments.latency
        ]
    }


def _compare(task: Task, names: Sequence[str], rounds: int) -> dict[str, Any]:
    took: dict[str, list[Took]] = {name: [] for name in names}
    for nth in range(rounds):
        # To and fro, so that none always follows the same one.
        for name in names if nth % 2 == 0 else reversed(names):
            took[name].append(_take(name, task))
    sys.stdout.write(
        f"\n{task.numbers:,} numbers, {task.size} in a call, {task.at_once} calls at once, "
        f"{task.latency_s * 1000:g} ms in the server, {rounds} rounds\n"
        f"{'':13}{'numbers/s':>10}{'calls':>8}{'CPU/chunk':>12}{'server':>10}{'whole':>9}"
        f"{'of ' + LIMIT:>16}\n"
    )
    rows = [_row(name, took, task) for name in names]
    return {**asdict(task), "rounds": rounds, "clients": rows}


def _row(name: str, took: Mapping[str, Sequence[Took]], task: Task) -> dict[str, Any]:
    """Write one line, and return its figures: medians of all rounds, ratios of pairs."""
    each = took[name]
    ratios = {
        other: round(
            median(
                theirs.seconds / ours.seconds
                for ours, theirs in zip(each, took[other], strict=True)
            ),
            2,
        )
        for other in took
    }
    row = {
        "client": name,
        "numbers_per_s": round(task.numbers / median(took.seconds for took in each)),
        "calls_per_chunk": round(each[0].calls / task.chunks, 2),
        "cpu_ms_per_chunk": round(median(took.cpu_s for took in each) / task.chunks * 1000, 2),
        "server_cpu_ms_per_chunk": round(
            median(took.server_cpu_s for took in each) / task.chunks * 1000, 2
        ),
        "whole_s": round(median(took.whole_s for took in each), 2),
        "ratios": ratios,
    }
    sys.stdout.write(
        f"{name:13}{row['numbers_per_s']:>10,}{row['calls_per_chunk']:>8}"
        f"{row['cpu_ms_per_chunk']:>9} ms{row['server_cpu_ms_per_chunk']:>7} ms"
        f"{row['whole_s']:>7} s{ratios[LIMIT]:>16.2f}\n"
    )
    sys.stdout.flush()
    return row


def _take(name: str, task: Task) -> Took:
    numbers = orders(task.numbers)
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        options = ("--orders", str(task.numbers), "--latency", str(task.latency_s))
        with Sandbox(folder, *options) as sandbox:
            command = _command(name, task, Desk(folder).configure(sandbox.url), sandbox.url)
            server = psutil.Process(sandbox.pid)
            began_s, cpu_s, server_cpu_s = time.monotonic(), children_s(), _cpu_s(server)
            ran = subprocess.run(  # noqa: S603  # our own interpreter
                [sys.executable, "-m", *command],
                cwd=folder,
                env={"PATH": os.defpath, "HOME": where, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            whole_s, cpu_s = time.monotonic() - began_s, children_s() - cpu_s
            server_cpu_s = _cpu_s(server) - server_cpu_s
            truth = sandbox.truth()
            assert set(truth["sources"]) == set(numbers), name
            assert truth["documents"] == task.numbers, name
            seconds = json.loads(ran.stdout)["seconds"]
            return Took(seconds, whole_s, cpu_s, server_cpu_s, sum(truth["calls"].values()))


def _command(name: str, task: Task, desk: Desk, url: str) -> list[str]:
    job = desk.job(orders(task.numbers))
    if name == OURS:
        pace = ("--concurrency", str(task.at_once), "--chunk-size", str(task.size))
        return ["k3push", "run", job, *pace, "--json", "--quiet"]
    module, many = PEERS[name]
    at_once = task.at_once if many else 1
    return [f"tests.benchmarks.peers.{module}", url, job, str(at_once), str(task.size)]


def children_s() -> float:
    """Return the processor time of children that have ended; the sandbox has not."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
