"""Hundreds of rounds of what the suite does in a few: kills, errors of the disk, power, lines.

    python -m tests.torment --rounds 300

Each round of the first three kinds torments runs of `k3push` in processes of their own, brings
them to their end with `resume`, and holds every row against the books of the sandbox. Each of the
others torments one connection, or pushes one list over such connections. Rounds come from a seed,
so a round that fails can be had again, as far as the system's own timing allows.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from k3push.core.model import State
from tests.adapters.erp.connection_torment import torment as torment_line
from tests.cli.terminal import Sandbox
from tests.processes.disk_errors import DiskError, all_errors, break_the_disk, count_calls
from tests.processes.power_loss import lose_power
from tests.processes.victims import Victim, kill_again_and_again, night
from tests.runs.rough_runs import run_roughly

# Rounds that share a sandbox, one after the other.
BATCH = 10
NUMBERS = 200
FEW = 12


@dataclass(frozen=True)
class Batch:
    """Some rounds in a folder of their own."""

    folder: Path
    rounds: range


def kills(batch: Batch) -> int:
    """Kill one run again and again; return how often that met a living process."""
    seed = batch.rounds.start
    options = ("--faults", night(batch.folder, seed), "--latency", "0.05")
    with Sandbox(batch.folder, *options) as sandbox:
        victim = Victim.of(batch.folder / "desk", sandbox, NUMBERS)
        return kill_again_and_again(victim, seed, len(batch.rounds))


def power_losses(batch: Batch) -> int:
    """Let the power fail in one run each; return how many pushes were on disk before they left."""
    options = ("--faults", night(batch.folder, batch.rounds.start), "--latency", "0.05")
    with Sandbox(batch.folder, *options, "--orders", str(NUMBERS * BATCH)) as sandbox:
        return sum(
            lose_power(
                Victim.of(batch.folder / str(seed), sandbox, NUMBERS // 2, place * NUMBERS), seed
            )
            for place, seed in enumerate(batch.rounds)
        )


def lines(batch: Batch) -> int:
    """Torment one line in each round; return how many calls were not simply answered."""
    came: Counter[str] = Counter()
    for seed in batch.rounds:
        came += asyncio.run(torment_line(seed))
    return came.total() - came["answered"]


def runs(batch: Batch) -> int:
    """Make one run over sockets in each round; return how many numbers were pushed."""
    return sum(run_roughly(seed)[State.PUSHED] for seed in batch.rounds)


def disk_errors(seed: int) -> Callable[[Batch], int]:
    """Return what meets errors of the disk, of all in the order of a seed; it counts those met."""
    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as sandbox:
        calls = count_calls(Victim.of(Path(folder) / "desk", sandbox, FEW))
    errors: list[DiskError] = list(all_errors(calls))
    random.Random(seed).shuffle(errors)  # noqa: S311  # no secret
    say(f"{len(errors)} errors of the disk, at {calls.total()} calls of one run")

    def meet(batch: Batch) -> int:
        with Sandbox(batch.folder) as sandbox:
            return sum(
                break_the_disk(
                    Victim.of(batch.folder / str(place), sandbox, FEW, place * FEW),
                    errors[(at - seed) % len(errors)],
                )
                for place, at in enumerate(batch.rounds)
            )

    return meet


def torment(name: str, act: Callable[[Batch], int], rounds: range, at_once: int) -> bool:
    """Go through the rounds of one kind; say what came of them, and whether all went well."""
    began_s = time.monotonic()

    def one(first: int) -> int | None:
        with tempfile.TemporaryDirectory(prefix="k3push-") as folder:
            batch = range(first, min(first + BATCH, rounds.stop))
            try:
                return act(Batch(Path(folder), batch))
            except Exception:  # noqa: BLE001  # any failure is what is looked for
                say(f"{name}: rounds {batch} failed\n{traceback.format_exc()}")
                return None

    with ThreadPoolExecutor(at_once) as people:
        met = list(people.map(one, rounds[::BATCH]))
    took_s = time.monotonic() - began_s
    failed = met.count(None)
    counted = sum(count for count in met if count is not None)
    say(f"{name}: {len(rounds)} rounds, {counted} met, {failed} batches failed, {took_s:.0f} s")
    return not failed


def say(line: str) -> None:
    """Say a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Torment as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.torment", description=__doc__)
    kinds = ("kills", "disk", "power", "line", "runs")
    parser.add_argument("--rounds", type=int, default=300, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--at-once", type=int, default=4, help="batches side by side")
    parser.add_argument("--only", choices=kinds, help="one kind alone")
    told = parser.parse_args()
    rounds = range(told.seed, told.seed + told.rounds)
    chosen = kinds if told.only is None else (told.only,)
    well = True
    for kind in chosen:
        acts = {"kills": kills, "power": power_losses, "line": lines, "runs": runs}
        act = acts.get(kind) or disk_errors(told.seed)
        well = torment(kind, act, rounds, told.at_once) and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
