"""How honest the time left is: on servers that are drawn, how often the end came within it."""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from k3push.core.pacing.pace import Pace
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.progress_rate import ProgressRate
from tests.benchmarks.draws import draw, quantile
from tests.benchmarks.model import Chunk, ModelledRun

LENGTHS = (60, 300, 1_200, 6_000)
# An end that is so near to the range is within it: a part of the rest, and seconds.
SLACK, SLACK_S = 0.1, 1.0
FORETELLERS = ("the command", "who sees counts")


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
    return {"time_left": rows}


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
