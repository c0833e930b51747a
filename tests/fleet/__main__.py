r"""Torment a fleet, and hold every ledger against its world; or measure what workers bring.

python -m tests.fleet --tenants 30 --numbers 2000 --workers 3 --kill-every 3 \
        --restart-postgres 2 --pause-worker --cut-off --clock +5m
python -m tests.fleet --speedup
python -m tests.fleet --stories 20 --seed 100
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.fleet.night import Night, Plan, lines_of, night, report, torment
from tests.fleet.service import play
from tests.fleet.stories import story_of
from tests.postgres import PostgresServer, database_with_ledger

SPEEDUP = Plan(
    tenants=9,
    numbers=300,
    workers=1,
    concurrency=1,
    kill_every_s=0,
    restarts=0,
    pause=False,
    cut_off=False,
    faults=False,
    latency_s=0.5,
    options="chunk_size = 20\nconcurrency = 2\n",
)
"""A night that the ERPs bound: their answers take half a second, whoever asks."""


def main() -> int:
    """Run one night, or the measurement; print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tenants", type=int, default=30)
    parser.add_argument("--numbers", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kill-every", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--restart-postgres", type=int, default=0, metavar="TIMES")
    parser.add_argument("--pause-worker", action="store_true")
    parser.add_argument("--cut-off", action="store_true")
    parser.add_argument("--clock", default="", metavar="+5m")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the logs in this folder")
    parser.add_argument("--speedup", action="store_true", help="three workers against one")
    parser.add_argument("--stories", type=int, default=0, help="drawn stories of a service")
    options = parser.parse_args()
    if options.speedup:
        return _speedup()
    if options.stories:
        return _stories(range(options.seed, options.seed + options.stories))
    plan = Plan(
        tenants=options.tenants,
        numbers=options.numbers,
        workers=options.workers,
        kill_every_s=options.kill_every,
        restarts=options.restart_postgres,
        pause=options.pause_worker,
        cut_off=options.cut_off,
        clock=options.clock,
        seed=options.seed,
    )
    with _fleet(plan, options.keep) as fleet:
        try:
            seconds = torment(fleet)
            for worker in list(fleet.workers):
                assert fleet.drain(worker) == 0
            documents = fleet.check_ledgers()
        except AssertionError:
            sys.stderr.write(fleet.said())
            raise
        takes = len(lines_of(fleet.said(), ["is taken from"]))
        sys.stdout.write(f"{report(fleet, seconds, documents)}; {takes} runs taken from the dead\n")
    return 0


def _speedup() -> int:
    seconds = {}
    for workers in (1, 3):
        with _fleet(replace(SPEEDUP, workers=workers), None) as fleet:
            seconds[workers] = torment(fleet)
            fleet.check_ledgers()
        sys.stdout.write(f"{workers} workers: {seconds[workers]:.1f} s\n")
        sys.stdout.flush()
    sys.stdout.write(f"three take {seconds[3] / seconds[1]:.2f} of the time of one\n")
    return 0


def _stories(seeds: range) -> int:
    server = PostgresServer()
    try:
        for seed in seeds:
            with (
                tempfile.TemporaryDirectory(prefix="k3push-service-") as scratch,
                database_with_ledger(server.url) as url,
            ):
                play(story_of(seed), Path(scratch), server, url)
            sys.stdout.write(f"seed {seed}: as it should be\n")
            sys.stdout.flush()
    finally:
        server.close()
    return 0


@contextmanager
def _fleet(plan: Plan, keep: Path | None) -> Iterator[Night]:
    server = PostgresServer()
    try:
        with tempfile.TemporaryDirectory(prefix="k3push-fleet-") as scratch:
            folder = keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            with night(plan, folder, server, server.url) as fleet:
                yield fleet
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
