"""Play thousands of bad days, and check after each that k3push kept its promise.

    python -m tests.simulate --seeds 2000
    python -m tests.simulate --seed 123 --only 3,7

A seed is a *trial*: a world and a story, drawn from the seed alone. The real use cases, the
real HTTP adapter and the stand-in ERP work on virtual time with a seeded scheduler, so that a
seed plays in the same way everywhere. A story holds what an honest server and an unlucky office
may do: faults before and after the work, late commits, slow calls, lost sessions, refusals,
odd numbers, kills, full disks, Ctrl-C, a server that is down, a second run and a second person,
plans that are applied later, lists that name bills by id, windows of the day, commands, another
account in the same ledger.
Left out is where the ERP itself lies: targets that are linked to other bills, and calls that
say that they have ended before what they made can be seen.

After each trial: no number has documents of more than one push, every row says what the books
say, every push was written down before it left, nothing travelled again while it might have
worked, nothing left outside its window, no sound bill was rejected without cause, no failed query
ended an execution, each exit code agrees with its rows, and every number has one row and an end.
A call that is carried out after its window may make a second document, and nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import k3push
from k3push.simulator import Channel
from tests.campaign.drawing import story_of
from tests.campaign.result import Result
from tests.campaign.shrinking import shrink
from tests.campaign.story import Story
from tests.campaign.trial import play

# Trials that one process plays before it reports.
BLOCK = 20
TELL_EVERY_S = 2.0
# The number of no event: `--only 0` leaves the frame alone.
NO_EVENT = "0"


def play_block(seeds: Sequence[int]) -> list[tuple[int, Result]]:
    """Play some seeds."""
    return [(seed, play(story_of(seed))) for seed in seeds]


def play_all(seeds: Iterator[int], jobs: int) -> Iterator[tuple[int, Result]]:
    """Play seeds, in *jobs* processes; the order is that of the seeds."""
    if jobs == 1:
        yield from ((seed, play(story_of(seed))) for seed in seeds)
        return
    blocks = iter(lambda: list(islice(seeds, BLOCK)), [])
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for results in pool.imap(play_block, blocks):
            yield from results


def seeds_telling(texts: Sequence[str], first: int) -> Iterator[int]:
    """Yield the seeds from *first* on whose stories hold all of some texts."""
    for seed in count(first):
        story = str(story_of(seed)) if texts else ""
        if all(text in story for text in texts):
            yield seed


def describe(story: Story) -> str:
    """Tell what is found in a story that fails, and in the shortest part of it that fails."""

    def fails(kept: Collection[int]) -> bool:
        return bool(play(story.only(kept)).findings)

    short = story.only(shrink([nth for nth, _ in story.events], fails))
    return f"{_told(story)}\nThe shortest part of it that fails:\n{_told(short)}\n"


def _told(story: Story) -> str:
    seed = story.frame.seed
    command = f"python -m tests.simulate --seed {seed}"
    if story != story_of(seed):
        command += f" --only {','.join(str(nth) for nth, _ in story.events) or NO_EVENT}"
    findings = play(story).findings or ["nothing was found"]
    return "\n".join([f"seed {seed}: {findings[0]}", *findings[1:], str(story), f"      {command}"])


def summary(
    played: int, failed: Sequence[int], seconds: float, counts: Counter[str], faults: Counter[str]
) -> str:
    """Say what was played, and what came of it."""
    lines = [f"{sum(faults.values()):,} faults met, of {len(faults)} kinds:"]
    for channel in Channel:
        names = {
            k.removeprefix(f"{channel}: "): n for k, n in faults.items() if k.startswith(channel)
        }
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(names.items()))
        if told:
            lines += textwrap.wrap(
                f"{channel}: {told}", 100, subsequent_indent="    ", break_on_hyphens=False
            )
    lines += [f"{count:,} {name}" for name, count in sorted(counts.items())]
    rate = f"{seconds:.0f} s, {played / seconds:.0f} a second"
    lines += [f"{played:,} seeds, each with a schedule of its own, in {rate}"]
    lines += [f"{len(failed)} failed: {', '.join(map(str, failed))}" if failed else "none failed"]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first that fails")
    parser.add_argument(
        "--tells", action="append", default=[], metavar="TEXT", help="only stories that hold this"
    )
    parser.add_argument("--seed", type=int, help="play this one alone, and tell its story")
    parser.add_argument("--only", type=_numbers, help="its events that are kept, such as 3,7")
    parser.add_argument("--drop", type=_numbers, default=(), help="its events that are left out")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _play_one(seed: int, only: Collection[int] | None, drop: Collection[int]) -> int:
    story = story_of(seed).without(drop)
    story = story if only is None else story.only(only)
    result = play(story)
    print(_told(story))
    print(f"digest {result.digest}")
    return 1 if result.findings else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play seeds; return 1 where something was found."""
    asked = _parser().parse_args(arguments)
    print(f"k3push in {Path(k3push.__file__).parent}", file=sys.stderr)
    if asked.seed is not None:
        return _play_one(asked.seed, asked.only, asked.drop)
    seeds = islice(seeds_telling(asked.tells, asked.first), asked.seeds)
    began_s = told_s = time.monotonic()
    played, failed = 0, []
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for seed, result in play_all(seeds, asked.jobs):
        played += 1
        counts += result.counts
        faults += result.faults
        if result.findings:
            failed.append(seed)
            if asked.fail_fast:
                print(_told(story_of(seed)))
                break
            print(describe(story_of(seed)), flush=True)
        now_s = time.monotonic()
        if now_s - told_s > TELL_EVERY_S:
            told_s = now_s
            rate = played / (now_s - began_s)
            print(
                f"{played:,} of {asked.seeds:,} seeds, {rate:.0f} a second, {len(failed)} failed",
                file=sys.stderr,
            )
    print(summary(played, failed, time.monotonic() - began_s, counts, faults))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
