"""`auto` against the best fixed pair that a grid search finds.

Without options: on the servers of `shapes`. With `--draws N`: on N servers that are drawn by seed
(`draws`), where the grid is searched in the model of a run (`model`) and the best pair and `auto`
are then run for real, on virtual time; with `--modelled` all is modelled.
"""

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

from k3push.core.pacing.samples import Setting
from k3push.simulator.sandbox_options import SandboxOptions
from tests.benchmarks.draws import LENGTHS, draw, quantile
from tests.benchmarks.model import KnownPace, modelled_nights_s, modelled_s
from tests.benchmarks.shapes import SHAPES, Shape, makespan_s, nights_s, sdk_loop_s

CONCURRENCIES = (16, 64, 32, 8, 4, 2, 1)
NIGHTS = 4
CHUNK_SIZES = (50, 100, 20, 200, 5, 1)
# Of the one that travels alone.
FIRST_CHUNKS = (1, 5, 20, 80)


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
    parser.add_argument("--draws", type=int, default=0, metavar="N", help="servers to draw")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first of them")
    parser.add_argument("--modelled", action="store_true", help="run nothing for real")
    parser.add_argument("--known", action="store_true", help="also what the safe bound allows for")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare auto with the best of 42 fixed pairs, on virtual time."""
    if arguments.draws:
        return measure_draws(arguments)
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


WORST_SHOWN = 10
THIRD = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """One drawn server's figures, in virtual seconds.

    Attributes:
        first: The first night's time as a part of the best fixed pair's.
        third: The same of the third night.
        known: The same of the best pace that knows the server and keeps the bound on numbers on
            their way; 0 where it was not asked for.
    """

    seed: int
    numbers: int
    what: str
    best: Setting
    best_s: float
    first: float
    third: float
    known: float = 0.0


def measure_draws(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare auto with the best fixed pair on servers that are drawn."""
    figures: dict[str, Any] = {"modelled": arguments.modelled, "first_seed": arguments.seed}
    flag = " --modelled" if arguments.modelled else ""
    seeds = range(arguments.seed, arguments.seed + arguments.draws)
    with ProcessPoolExecutor(arguments.processes) as pool:
        for numbers in (arguments.numbers,) if arguments.numbers else LENGTHS:
            play = partial(
                compare_drawn,
                numbers=numbers,
                modelled=arguments.modelled,
                known=arguments.known,
            )
            drawn = list(pool.map(play, seeds))
            for night in ("first", "third", *(["known"] if arguments.known else [])):
                ratios = [getattr(each, night) for each in drawn]
                shown = " ".join(f"{quantile(ratios, part):6.2f}" for part in (0.5, 0.9, 1.0))
                sys.stdout.write(f"{numbers:7,} numbers, {night}, {len(drawn)} draws: {shown}\n")
            for each in sorted(drawn, key=lambda each: -each.first)[:WORST_SHOWN]:
                sys.stdout.write(
                    f"  {each.first:5.2f} {each.third:5.2f}  makespan --draws 1 --seed {each.seed}"
                    f" --numbers {numbers}{flag}: best {each.best.concurrency}×"
                    f"{each.best.chunk_size} in {each.best_s:.1f} s; {each.what}\n"
                )
            sys.stdout.flush()
            figures[str(numbers)] = [asdict(each) for each in drawn]
    return {"draws": figures}


def compare_drawn(seed: int, numbers: int, *, modelled: bool, known: bool = False) -> Drawn:
    """Measure one drawn server."""
    shape = draw(seed, numbers)
    best, best_s = best_modelled(shape)
    if modelled:
        nights = modelled_nights_s(shape, THIRD)
    else:
        best_s = makespan_s(shape, best) or math.inf
        nights = nights_s(shape, THIRD)
    first_s, *_, third_s = nights
    known_s = best_known_s(shape) if known else 0.0
    ratios = (each_s / best_s for each_s in (first_s, third_s, known_s))
    return Drawn(seed, numbers, shape.what, best, best_s, *ratios)


def best_known_s(shape: Shape) -> float:
    """Return how soon a list ends where all is known, but numbers on their way are bounded."""
    best_s = math.inf
    for setting in _likely_first(shape):
        for first in FIRST_CHUNKS:
            took_s = modelled_s(shape, pace=KnownPace(setting, first), cut_s=best_s)
            best_s = best_s if took_s is None else min(best_s, took_s)
    return best_s


def _likely_first(shape: Shape) -> list[Setting]:
    pairs = [Setting(c, n) for c, n in product(CONCURRENCIES, CHUNK_SIZES)]
    return sorted(pairs, key=partial(_about_s, shape.sandbox, shape.numbers))


def best_modelled(shape: Shape) -> tuple[Setting, float]:
    """Search the grid in the model, what looks best first."""
    best, best_s = Setting(0, 0), math.inf
    for setting in _likely_first(shape):
        took_s = modelled_s(shape, setting, cut_s=best_s)
        if took_s is not None and took_s < best_s:
            best, best_s = setting, took_s
    return best, best_s


def _about_s(options: SandboxOptions, numbers: int, setting: Setting) -> float:
    """Guess how long a setting takes, to search from the best on."""
    call_s = options.latency_s + setting.chunk_size * options.per_number_s
    crowded = setting.concurrency / (1 if options.queue else options.capacity)
    power = 1.0 if options.queue else options.degrades
    look_s = options.latency_s if options.look_s is None else options.look_s
    chunk_s = 3 * (options.round_trip_s + look_s) + call_s * max(1.0, crowded) ** power
    chunks = math.ceil(numbers / setting.chunk_size)
    rounds = chunks / min(setting.concurrency, chunks)
    return float(2 * call_s + rounds * chunk_s)
