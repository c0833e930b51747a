"""`auto` against the best fixed pair that a grid search finds, for servers of many shapes."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from k3push.core.pacing.pace import Setting
from tests.benchmarks.shapes import SHAPES, Shape, makespan_s, nights_s, sdk_loop_s

CONCURRENCIES = (16, 64, 32, 8, 4, 2, 1)
NIGHTS = 4
CHUNK_SIZES = (50, 100, 20, 200, 5, 1)


@dataclass(frozen=True, slots=True)
class Compared:
    """One shape's figures, in virtual seconds.

    Attributes:
        auto_s: Of the first night, when nothing is known of the server.
        later_s: Of the longest of the next nights.
    """

    shape: str
    what: str
    numbers: int
    best_s: float
    best: Setting
    auto_s: float
    later_s: float
    sdk_s: float

    @property
    def gain(self) -> float:
        """How many times as fast as the official SDK's usual loop auto is."""
        return self.sdk_s / self.auto_s

    @property
    def most_gain(self) -> float:
        """How many times as fast the server lets the best fixed pair be."""
        return self.sdk_s / self.best_s

    @property
    def ratio(self) -> float:
        """The time of auto as a part of the best fixed pair's."""
        return self.auto_s / self.best_s

    @property
    def later_ratio(self) -> float:
        """The same of the longest of the next nights."""
        return self.later_s / self.best_s


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=", ".join(SHAPES))
    parser.add_argument("--numbers", type=int, metavar="N", help="length of the lists")
    parser.add_argument("--processes", type=int, default=2, metavar="N")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare auto with the best of 42 fixed pairs, on virtual time."""
    names = arguments.shapes or list(SHAPES)
    found = []
    sys.stdout.write(
        f"{'server':12} {'numbers':>7} {'best fixed':>18} {'auto':>9} {'ratio':>6} {'later':>6}"
        f" {'SDK loop':>9} {'gain':>6} {'of':>6}\n"
    )
    with ProcessPoolExecutor(arguments.processes) as pool:
        for compared in pool.map(partial(compare, numbers=arguments.numbers), names):
            found.append(compared)
            best = f"{compared.best.concurrency}×{compared.best.chunk_size}"
            sys.stdout.write(
                f"{compared.shape:12} {compared.numbers:7,} {best:>8} {compared.best_s:7.1f} s "
                f"{compared.auto_s:7.1f} s {compared.ratio:6.2f} {compared.later_ratio:6.2f} "
                f"{compared.sdk_s:7.1f} s "
                f"{compared.gain:6.2f} {compared.most_gain:6.2f}\n"
            )
            sys.stdout.flush()
    figures = ("ratio", "later_ratio", "gain", "most_gain")
    return {
        "makespan": [
            asdict(each) | {name: round(getattr(each, name), 3) for name in figures}
            for each in found
        ]
    }


def compare(name: str, numbers: int | None = None) -> Compared:
    """Measure one shape."""
    shape = SHAPES[name]
    if numbers:
        shape = replace(shape, numbers=numbers)
    best, best_s = best_fixed(shape)
    auto_s, *later_s = nights_s(shape, NIGHTS)
    return Compared(
        name, shape.what, shape.numbers, best_s, best, auto_s, max(later_s), sdk_loop_s(shape)
    )


def best_fixed(
    shape: Shape,
    concurrencies: Sequence[int] = CONCURRENCIES,
    chunk_sizes: Sequence[int] = CHUNK_SIZES,
) -> tuple[Setting, float]:
    """Search a grid; a pair is given up as soon as it is slower than the best before it."""
    best, best_s = Setting(0, 0), math.inf
    for setting in (Setting(c, n) for c, n in product(concurrencies, chunk_sizes)):
        took_s = makespan_s(shape, setting, cut_s=best_s)
        if took_s is not None and took_s < best_s:
            best, best_s = setting, took_s
    return best, best_s
