"""Servers that nobody has described: each is drawn from its seed, with a list for it.

What is drawn covers more than real servers do: a call costs 5 ms to 2 s, a number 0.3 ms to 3 s
(log-uniform), and so on below. A pace that has learnt a few servers by heart is found out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from k3push.simulator.books.refusals import MsgCode, Refusal
from k3push.simulator.fault_plans.script import FaultPlan
from k3push.simulator.sandbox_options import SlowSpell
from tests.benchmarks.shapes import Shape
from tests.runs.office import orders

# Lengths of lists.
LENGTHS = (60, 300, 1_200, 6_000, 50_000)

_REFUSED = Refusal(MsgCode.INVALID, "单据编号为“{number}”的{form}不满足转换规则的条件！")


def draw(seed: int, numbers: int) -> Shape:
    """Draw a server.

    Args:
        seed: Of the server; the same server for each length of list, but for what is refused.
        numbers: Length of the list.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret hangs on it
    call_s = _between(chance, 0.005, 2.0)
    number_s = _between(chance, 0.0003, 3.0)
    look_s = call_s * _between(chance, 0.1, 1.0)
    network_s = chance.choice([0.0, _between(chance, 0.001, 0.5)])
    capacity = round(_between(chance, 1, 64))
    degrades = chance.choice([0.0, 1.0, 1.5, 2.0])
    queue = chance.choices([None, "user", "site"], [6, 2, 1])[0]
    jitter = chance.choice([0.0, 0.1, 0.3])
    spell = chance.random() < 0.1
    slower, calm = chance.uniform(2, 6), chance.uniform(0.1, 0.5)
    limited, most_a_minute = chance.random() < 0.1, round(_between(chance, 120, 3000))
    refused = chance.choice([0.0, 0.0, 0.02, 0.1])
    serial = 1 if queue else capacity or 64
    about_s = numbers * (number_s + call_s / 50) / serial
    slow_spell = SlowSpell(calm * about_s, (calm + 0.3) * about_s, slower, max(1, capacity // 2))
    bad = random.Random(f"{seed}/{numbers}").sample(orders(numbers), round(refused * numbers))  # noqa: S311
    return Shape(
        f"seed {seed}: call {call_s:.3f} s, look {look_s:.3f} s, number {number_s:.4f} s, "
        f"network {network_s:.3f} s, {capacity} at once, degrades^{degrades:g}"
        + (f", queue by {queue}" if queue else "")
        + (f", jitter {jitter:g}" if jitter else "")
        + (f", {slower:.1f} times slower for a while" if spell else "")
        + (f", {most_a_minute} calls a minute" if limited else "")
        + (f", {refused:.0%} refused" if refused else ""),
        numbers,
        {
            "seed": seed,
            "blocked": 0,
            "latency_s": call_s,
            "per_number_s": number_s,
            "look_s": look_s,
            "round_trip_s": network_s,
            "capacity": capacity,
            "degrades": degrades,
            "queue": queue,
            "jitter": jitter,
            "slow_spell": slow_spell if spell else None,
            "most_a_minute": most_a_minute if limited else 0,
            "faults": FaultPlan(refusals=dict.fromkeys(bad, _REFUSED)),
        },
    )


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value that *part* of the values do not exceed.

    >>> quantile([3, 1, 2, 4], 0.5), quantile([3, 1, 2, 4], 0.9)
    (2, 4)
    """
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def _between(chance: random.Random, least: float, most: float) -> float:
    """Draw log-uniformly."""
    return math.exp(chance.uniform(math.log(least), math.log(most)))
