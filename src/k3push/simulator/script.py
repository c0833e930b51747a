"""Which request meets which fault: by order, by bill number, or by seed; never by chance.

A plan is data: presets and script files make one. A script is a plan being played: it
hands out one fault for each request and knows what it has not handed out.
"""

from __future__ import annotations

import random
import tomllib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from k3push.simulator.collation import Collation, loose
from k3push.simulator.faults import NO_FAULT, Fault, fault
from k3push.simulator.refusals import Refusal


class Channel(StrEnum):
    """A kind of request."""

    PUSH = "push"
    QUERY = "query"
    LOGIN = "login"
    OTHER = "other"
    ANY = "any"
    """In a step: whichever request comes next."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next request of its kind meets this fault."""

    fault: Fault
    on: Channel = Channel.PUSH


@dataclass(frozen=True, slots=True)
class Aimed:
    """A push that holds a certain number meets this fault.

    Attributes:
        fault: The fault.
        once: Whether only the first such push does.
    """

    fault: Fault
    once: bool = True


@dataclass(frozen=True, slots=True)
class Seeded:
    """Pushes meet faults that a seed chooses.

    Attributes:
        rate: Share of pushes that meet one, from 0 to 1.
        faults: What may be chosen.
        seed: The seed.
        most: Number of faults after which there are no more; 0 for no end.
    """

    rate: float
    faults: tuple[Fault, ...]
    seed: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that is to go wrong.

    Attributes:
        steps: Used up one by one, each by the next request of its kind.
        aimed: By bill number.
        refusals: What the ERP refuses, by bill number.
        seeded: Faults by seed, for pushes that meet no other.
        session_calls: Calls after which each session is lost; 0 for never.
    """

    steps: tuple[Step, ...] = ()
    aimed: Mapping[str, Aimed] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    seeded: Seeded | None = None
    session_calls: int = 0


class FaultScript:
    """A plan being played.

    Args:
        plan: The plan.

        collation: How the numbers of a push are compared with those that are aimed at.
    """

    def __init__(self, plan: FaultPlan | None = None, collation: Collation = loose) -> None:
        plan = plan or FaultPlan()
        self._collation = collation
        self._steps: deque[Step] = deque(plan.steps)
        self._aimed = {collation(number): aimed for number, aimed in plan.aimed.items()}
        self._seeded = plan.seeded
        self._random = random.Random(plan.seeded.seed if plan.seeded else 0)  # noqa: S311
        self._chosen = 0

    def next(self, channel: Channel, numbers: Iterable[str] = ()) -> Fault:
        """Give what the request at hand meets.

        The order is: a fault aimed at one of its numbers, the next step for its kind, the seed.

        Args:
            channel: Its kind.

            numbers: Bill numbers in it.
        """
        for number in numbers:
            key = self._collation(number)
            aimed = self._aimed.get(key)
            if aimed is not None:
                if aimed.once:
                    del self._aimed[key]
                return aimed.fault
        for place, step in enumerate(self._steps):
            if step.on in {channel, Channel.ANY}:
                del self._steps[place]
                return step.fault
        return self._by_seed() if channel is Channel.PUSH else NO_FAULT

    def add(self, *names: str, on: Channel = Channel.PUSH) -> None:
        """Put more steps at the end."""
        self._steps.extend(Step(fault(name), on) for name in names)

    def end(self) -> None:
        """From now on, nothing goes wrong."""
        self._steps.clear()
        self._aimed.clear()
        self._seeded = None

    def needs_memory(self) -> bool:
        """Tell whether a fault to come cannot be played once there is a connection."""
        faults = [step.fault for step in self._steps]
        faults += [aimed.fault for aimed in self._aimed.values()]
        faults += self._seeded.faults if self._seeded else ()
        return not all(each.connects for each in faults)

    def unused(self) -> tuple[str, ...]:
        """Name the steps and the aimed faults that no request has met yet."""
        steps = [f"{step.on}: {step.fault.name}" for step in self._steps]
        aims = [f"{key}: {aim.fault.name}" for key, aim in self._aimed.items() if aim.once]
        return (*steps, *aims)

    def _by_seed(self) -> Fault:
        seeded = self._seeded
        if seeded is None or (seeded.most and self._chosen >= seeded.most):
            return NO_FAULT
        # Both are drawn every time, so that one push more or less shifts no later choice.
        chance, choice = self._random.random(), self._random.choice(seeded.faults)
        if chance >= seeded.rate:
            return NO_FAULT
        self._chosen += 1
        return choice


def load_plan(path: Path) -> FaultPlan:
    """Read a plan from a TOML file.

    Raises:
        ValueError: If something in it is not as it should be; the message names the file.
    """
    try:
        return plan_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def plan_from(content: Mapping[str, Any]) -> FaultPlan:
    """Read a plan from what a TOML file holds.

    Tables: `step` (fault, on, times), `bill` (number, fault, once), `refusal` (number,
    code, text, saving, whole_call, thrown, field), `seeded` (rate, faults, seed, most); and
    the key `session_calls`.

    Raises:
        ValueError: If a fault, a kind or a key is not known.

    >>> plan_from({"step": [{"fault": "reset", "times": 2}]}).steps[1].fault.name
    'reset'
    """
    _check("the script", content, optional="step bill refusal seeded session_calls")
    steps: list[Step] = []
    for item in content.get("step", ()):
        _check("a step", item, "fault", "on times")
        step = Step(fault(item["fault"]), Channel(item.get("on", "push")))
        steps += [step] * int(item.get("times", 1))
    aimed: dict[str, Aimed] = {}
    for item in content.get("bill", ()):
        _check("a bill", item, "number fault", "once")
        aimed[item["number"]] = Aimed(fault(item["fault"]), bool(item.get("once", True)))
    refusals: dict[str, Refusal] = {}
    for item in content.get("refusal", ()):
        _check("a refusal", item, "number code text", "saving whole_call thrown field")
        rest = {key: value for key, value in item.items() if key != "number"}
        refusals[item["number"]] = Refusal(**rest)
    seeded: Seeded | None = None
    if "seeded" in content:
        item = content["seeded"]
        _check("seeded", item, "rate faults", "seed most")
        faults = tuple(fault(name) for name in item["faults"])
        seeded = Seeded(
            float(item["rate"]), faults, int(item.get("seed", 0)), int(item.get("most", 0))
        )
    return FaultPlan(tuple(steps), aimed, refusals, seeded, int(content.get("session_calls", 0)))


def _check(what: str, item: Mapping[str, Any], required: str = "", optional: str = "") -> None:
    """Refuse *item* if a key is missing or not known; keys are parted by blanks."""
    missing = set(required.split()) - set(item)
    if missing:
        raise ValueError(f"{what} needs the key {min(missing)!r}")
    unknown = set(item) - set(required.split()) - set(optional.split())
    if unknown:
        raise ValueError(f"{what} has no key {min(unknown)!r}")
