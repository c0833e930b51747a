"""How honest times are: on servers that are drawn, how often the end came within what was told.

Of the time left while a run goes, and of what a plan foretells.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from k3push.core.pacing.expected_time import Driven, expect
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.progress_rate import ProgressRate
from tests.benchmarks.draws import draw, quantile
from tests.benchmarks.model import Chunk, ModelledRun

LENGTHS = (60, 300, 1_200, 6_000)
# An end that is so near to the range is within it: a part of the rest, and seconds.
SLACK, SLACK_S = 0.1, 1.0
FORETELLERS = ("the command", "who sees counts")
# Numbers of the run before, by which a plan tells.
FIRST_RUNS = (10, 60, 600)


@dataclass(frozen=True, slots=True)
class Honesty:
    """Parts of the time of one run, and the width of the range.

    Attributes:
        within: The run ended within what was told.
        later: It ended later.
        sooner: It ended sooner.
        width: The most as so many times the least; the geometric mean.
    """

    within: float
    later: float
    sooner: float
    width: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--draws", type=int, default=80, metavar="N", help="servers to draw")
    parser.add_argument("--seed", type=int, default=71_000, metavar="N", help="of the first")
    parser.add_argument("--numbers", type=int, metavar="N", help="length of the lists")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare the time left with what a run then took, in the model of a run."""
    sys.stdout.write(
        f"{'numbers':>7}  {'told by':16}{'within':>8}{'nine in ten':>13}{'later':>7}{'sooner':>8}"
        f"{'width':>7}\n"
    )
    rows = []
    for numbers in [arguments.numbers] if arguments.numbers else LENGTHS:
        seeds = range(arguments.seed, arguments.seed + arguments.draws)
        each = [honesty(seed, numbers) for seed in seeds]
        for name in FORETELLERS:
            runs = [run[name] for run in each if name in run]
            figures = Honesty(
                mean(run.within for run in runs),
                mean(run.later for run in runs),
                mean(run.sooner for run in runs),
                quantile([run.width for run in runs], 0.5),
            )
            most = quantile([run.within for run in runs], 0.1)
            sys.stdout.write(
                f"{numbers:>7,}  {name:16}{figures.within:>8.2f}{most:>13.2f}{figures.later:>7.2f}"
                f"{figures.sooner:>8.2f}{figures.width:>7.1f}\n"
            )
            rows.append({"numbers": numbers, "told_by": name, "most": most, **asdict(figures)})
    return {"time_left": rows, "plans": _plans(arguments)}


def _plans(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Compare what plans foretold with what came."""
    sys.stdout.write(
        f"{'numbers':>7}  {'the run before':16}{'within':>8}{'later':>7}{'sooner':>8}{'width':>7}"
        f"{'calls off':>11}{'nine in ten':>13}\n"
    )
    rows = []
    for numbers in [arguments.numbers] if arguments.numbers else LENGTHS:
        for first in FIRST_RUNS:
            seeds = range(arguments.seed, arguments.seed + arguments.draws)
            found = [each for seed in seeds if (each := planned(seed, first, numbers))]
            off = [each.calls_off for each in found]
            row = {
                "numbers": numbers,
                "first": first,
                "within": mean(not each.late for each in found),
                "later": mean(each.late > 0 for each in found),
                "sooner": mean(each.late < 0 for each in found),
                "width": quantile([each.width for each in found], 0.5),
                "calls_off": quantile(off, 0.5),
                "calls_off_most": quantile(off, 0.9),
            }
            rows.append(row)
            sys.stdout.write(
                f"{numbers:>7,}  {first:<16,}{row['within']:>8.2f}{row['later']:>7.2f}"
                f"{row['sooner']:>8.2f}{row['width']:>7.1f}{row['calls_off']:>11.2f}"
                f"{row['calls_off_most']:>13.2f}\n"
            )
    return rows


def honesty(seed: int, numbers: int) -> dict[str, Honesty]:
    """Say for one server how often the truth was within what was told, weighed by time."""
    run = _Told(seed, numbers)
    ended_s = run.run()
    assert ended_s is not None
    found = {}
    for name in FORETELLERS:
        parts = {"within": 0.0, "later": 0.0, "sooner": 0.0}
        width = 0.0
        for (at_s, told), (until_s, _) in zip(run.told, run.told[1:], strict=False):
            if (said := told[name]) is None:
                continue
            rest_s = ended_s - at_s
            slack_s = SLACK * rest_s + SLACK_S
            how = "later" if rest_s > said.most_s + slack_s else "within"
            how = "sooner" if rest_s < said.least_s - slack_s else how
            parts[how] += until_s - at_s
            width += (until_s - at_s) * math.log(max(said.most_s, 1) / max(said.least_s, 1))
        if whole := sum(parts.values()):
            shares = {how: part / whole for how, part in parts.items()}
            found[name] = Honesty(**shares, width=math.exp(width / whole))
    return found


class _Told(ModelledRun):
    """A run that notes what is told of the time left, whenever a chunk has ended."""

    def __init__(self, seed: int, numbers: int) -> None:
        super().__init__(draw(seed, numbers), Pace(), None, math.inf)
        self.told: list[tuple[float, dict[str, TimeLeft | None]]] = []
        self._rate = ProgressRate(0.0, 0)

    def end(self, chunk: Chunk) -> None:
        """Note what is told then."""
        super().end(chunk)
        left = self.total - self.done
        self._rate.step(self.now_s, self.done)
        told = [self.pace.time_left(left), self._rate.time_left(self.now_s, left)]
        self.told.append((self.now_s, dict(zip(FORETELLERS, told, strict=True))))


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan foretold of one run.

    Attributes:
        late: 1 where the run ended later than foretold, -1 where sooner, else 0.
        width: The most as so many times the least.
        calls_off: By which factor the number of calls was off.
    """

    late: int
    width: float
    calls_off: float


def planned(seed: int, first: int, numbers: int) -> Planned | None:
    """Compare a plan with its run, where the run before had *first* numbers.

    None where that has told nothing, as runs of one or two numbers do.
    """
    before = Pace()
    ModelledRun(draw(seed, first), before, None, math.inf).run()
    if (learnt := before.learnt()) is None:
        return None
    pace = Pace()
    pace.recall(learnt)
    run = _Counted(seed, numbers, pace)
    took_s = run.run()
    told = expect(numbers, Driven(), learnt)
    if took_s is None or told.time is None:
        raise RuntimeError("a run without a limit ends, and what was learnt tells a time")
    slack_s = SLACK * took_s + SLACK_S
    late = (took_s > told.time.most_s + slack_s) - (took_s < told.time.least_s - slack_s)
    off = max(told.calls / run.pushes, run.pushes / told.calls)
    return Planned(late, told.time.most_s / told.time.least_s, off)


class _Counted(ModelledRun):
    """A run that counts its pushes."""

    def __init__(self, seed: int, numbers: int, pace: Pace) -> None:
        super().__init__(draw(seed, numbers), pace, None, math.inf)
        self.pushes = 0

    def start(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.pushes += 1
        super().start(chunk)
