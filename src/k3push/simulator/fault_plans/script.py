"""Which request meets which fault: by order, by bill number, or by seed; never by chance.

A plan is data: presets and script files (`plan_files`) make one. A script is a plan being
played: it hands out one fault for each request and knows what it has not handed out.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from k3push.simulator.books.collation import Collation, loose
from k3push.simulator.books.flows import Flow
from k3push.simulator.books.orders import Operation
from k3push.simulator.books.refusals import Refusal
from k3push.simulator.fault_plans.faults import NO_FAULT, Fault, fault


class Channel(StrEnum):
    """A kind of request."""

    PUSH = "push"
    SUBMIT = "submit"
    AUDIT = "audit"
    QUERY = "query"
    PAGE = "page"
    """A query for rows behind those of a page before; it moves no fault of another query."""
    LOGIN = "login"
    OTHER = "other"
    ANY = "any"
    """In a step: whichever request comes next."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next request of its kind meets this fault.

    Attributes:
        on: The kind.
        user: Whose request; anybody's unless named.
    """

    fault: Fault
    on: Channel = Channel.PUSH
    user: str = ""

    def is_for(self, channel: Channel, user: str) -> bool:
        """Tell whether a request of *user* is meant."""
        return self.on in {channel, Channel.ANY} and self.user in {user, ""}


@dataclass(frozen=True, slots=True)
class Aimed:
    """A request that holds a certain number meets this fault.

    Attributes:
        once: Whether only the first such request does.
    """

    fault: Fault
    once: bool = True


@dataclass(frozen=True, slots=True)
class Rival:
    """Another program pushes a bill that the client pushes, between his look and his push.

    Attributes:
        nth: Which of the client's pushes of the bill it comes before.
        at_once: Whether neither push sees the other: then both make their documents, whatever
            the quantities say.
    """

    nth: int = 1
    at_once: bool = False


class Does(StrEnum):
    """What a person does with a document of the client, at the screen."""

    SUBMIT = "submit"
    APPROVE = "approve"
    UNAPPROVE = "unapprove"
    TAKE_BACK = "take-back"
    SAVE = "save"
    """Fills a draft in."""

    CHANGE = "change"
    """Changes its quantities."""

    CANCEL = "cancel"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Hand:
    """A person's hand in between.

    Attributes:
        does: What he does with each document of the source.
        on: The kind of call that it comes before or after: submit or audit.
        nth: Which of these calls that name one of the documents.
        after: Whether it comes after the call.
    """

    does: Does
    on: Channel = Channel.SUBMIT
    nth: int = 1
    after: bool = False


@dataclass(frozen=True, slots=True)
class Seeded:
    """Requests of a kind meet faults that a seed chooses.

    Attributes:
        rate: Share of requests that meet one, from 0 to 1.
        faults: What may be chosen.
        most: Number of faults after which there are no more; 0 for no end.
        user: Whose requests; anybody's unless named.
    """

    rate: float
    faults: tuple[Fault, ...]
    seed: int = 0
    most: int = 0
    user: str = ""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Everything that is to go wrong.

    Attributes:
        steps: Used up one by one, each by the next request of its kind.
        aimed: What pushes meet, by the number of a bill in them.
        guards: What queries meet, by a text that their filter holds.
        refusals: What the ERP refuses, by bill number.
        rivals: What another program pushes, by bill number.
        seeded: Faults by seed, for pushes that meet no other.
        seeded_reads: The same for queries.
        session_calls: Calls after which each session is lost; 0 for never.
        aimed_follow: What submits and audits meet, by kind and number of a source.
        refused_follow: What the ERP refuses of the documents of a source, by operation.
        hands: What people do with the documents of a source.
        seeded_follow: Faults by seed, for submits and audits that meet no other.
        flows: Approval flows that documents enter when they are submitted.
    """

    steps: tuple[Step, ...] = ()
    aimed: Mapping[str, Aimed] = field(default_factory=dict)
    guards: Mapping[str, Aimed] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    rivals: Mapping[str, Rival] = field(default_factory=dict)
    seeded: Seeded | None = None
    seeded_reads: Seeded | None = None
    session_calls: int = 0
    aimed_follow: Mapping[tuple[Channel, str], Aimed] = field(default_factory=dict)
    refused_follow: Mapping[tuple[Operation, str], Refusal] = field(default_factory=dict)
    hands: Mapping[str, Sequence[Hand]] = field(default_factory=dict)
    seeded_follow: Seeded | None = None
    flows: tuple[Flow, ...] = ()


class _Draws:
    """Faults being drawn by a seed."""

    def __init__(self, seeded: Seeded) -> None:
        self.seeded = seeded
        self._random = random.Random(seeded.seed)  # noqa: S311 - the same every time
        self._chosen = 0

    def next(self, user: str) -> Fault:
        """Draw for one request of *user*."""
        seeded = self.seeded
        if seeded.user not in {user, ""} or (seeded.most and self._chosen >= seeded.most):
            return NO_FAULT
        # Both are drawn every time, so that one request more or less shifts no later choice.
        chance, choice = self._random.random(), self._random.choice(seeded.faults)
        if chance >= seeded.rate:
            return NO_FAULT
        self._chosen += 1
        return choice


class FaultScript:
    """A plan being played.

    Args:
        collation: How the numbers of a push are compared with those that are aimed at.
    """

    def __init__(self, plan: FaultPlan | None = None, collation: Collation = loose) -> None:
        plan = plan or FaultPlan()
        self._collation = collation
        self._steps: deque[Step] = deque(plan.steps)
        aims = {Channel.PUSH: plan.aimed, Channel.QUERY: plan.guards}
        self._aimed = {
            (channel, collation(number)): aimed
            for channel, by_number in aims.items()
            for number, aimed in by_number.items()
        }
        self._aimed |= {
            (channel, collation(number)): aimed
            for (channel, number), aimed in plan.aimed_follow.items()
        }
        self._hands = {collation(number): tuple(hands) for number, hands in plan.hands.items()}
        self._followed: Counter[tuple[Channel, str]] = Counter()
        self._rivals = {collation(number): rival for number, rival in plan.rivals.items()}
        self._pushed: Counter[str] = Counter()
        draws = {
            Channel.PUSH: plan.seeded,
            Channel.QUERY: plan.seeded_reads,
            Channel.SUBMIT: plan.seeded_follow,
            Channel.AUDIT: plan.seeded_follow,
        }
        self._draws = {channel: _Draws(seeded) for channel, seeded in draws.items() if seeded}

    def next(self, channel: Channel, numbers: Iterable[str] = (), user: str = "") -> Fault:
        """Give what the request at hand meets.

        The order is: a fault aimed at one of its numbers, the next step for its kind, the seed.

        Args:
            numbers: Bill numbers in it; of a query, the texts in its filter; of a submit or
                audit, the numbers of the documents' sources.
        """
        for number in numbers if self._aimed else ():
            key = channel, self._collation(number)
            aimed = self._aimed.get(key)
            if aimed is not None:
                if aimed.once:
                    del self._aimed[key]
                return aimed.fault
        for place, step in enumerate(self._steps):
            if step.is_for(channel, user):
                del self._steps[place]
                return step.fault
        draws = self._draws.get(channel)
        return draws.next(user) if draws else NO_FAULT

    @property
    def reads_filters(self) -> bool:
        """Whether what a query meets depends on its filter."""
        return any(channel is Channel.QUERY for channel, _ in self._aimed)

    def rivals(self, numbers: Iterable[str]) -> dict[str, Rival]:
        """Count a push of *numbers*; give those that another program pushes as well by now."""
        met: dict[str, Rival] = {}
        for number in numbers if self._rivals else ():
            key = self._collation(number)
            self._pushed[key] += 1
            rival = self._rivals.get(key)
            if rival is not None and rival.nth == self._pushed[key]:
                met[number] = rival
        return met

    def hands(self, channel: Channel, numbers: Iterable[str]) -> list[tuple[str, Hand]]:
        """Count a submit or audit of the documents of *numbers*; give what people do beside it."""
        met: list[tuple[str, Hand]] = []
        for number in numbers if self._hands else ():
            key = self._collation(number)
            self._followed[channel, key] += 1
            nth = self._followed[channel, key]
            hands = self._hands.get(key, ())
            met += [(number, hand) for hand in hands if (hand.on, hand.nth) == (channel, nth)]
        return met

    def add(self, *names: str, on: Channel = Channel.PUSH) -> None:
        """Put more steps at the end."""
        self._steps.extend(Step(fault(name), on) for name in names)

    def end(self) -> None:
        """From now on, nothing goes wrong."""
        self._steps.clear()
        self._aimed.clear()
        self._rivals.clear()
        self._hands.clear()
        self._draws.clear()

    def needs_memory(self) -> bool:
        """Tell whether a fault to come cannot be played once there is a connection."""
        faults = [step.fault for step in self._steps]
        faults += [aimed.fault for aimed in self._aimed.values()]
        faults += [each for draws in self._draws.values() for each in draws.seeded.faults]
        return not all(each.connects for each in faults)

    def unused(self) -> tuple[str, ...]:
        """Name the steps and the aimed faults that no request has met yet."""
        steps = [f"{step.on}: {step.fault.name}" for step in self._steps]
        aims = [f"{key}: {aim.fault.name}" for (_, key), aim in self._aimed.items() if aim.once]
        return (*steps, *aims)
