"""Drawn nights of a service for many: who its tenants are, what is in their folders, who dies.

A story is drawn from its seed alone. Each has roles of PostgreSQL and tenants without, two ERPs
of one account in one ledger, a tenant with the role of another, every kind of hostile file, all
schedules due at once, two nights long, and workers, leaders and a database that are killed
meanwhile. What differs is who has what, what meets whom, and when.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path
from typing import TypeVar

from tests.adapters.job_files.test_untrusted_files import huge, with_cells
from tests.cli.terminal import orders

PLAIN = 8
"""Tenants of whom all sound lists are pushed."""

NIGHTS = 2
MOST = 6
"""Numbers in a list."""

LATEST_S = 1.5
WIDE = b"<row>" + b"<c/>" * 40_000 + b"</row>"

T = TypeVar("T")


class Hostile(StrEnum):
    """What a stranger puts into a folder."""

    LINK = auto()
    """To the list of another tenant."""

    PIPE = auto()
    """Which nobody writes to."""

    KILLER = auto()
    """A workbook that ends whoever reads it."""

    WIDE = auto()
    """A sheet with more cells in a row than any has."""

    ESCAPES = auto()
    """Numbers that a terminal would obey."""

    FOLDER = auto()
    """A link to the folder of another tenant, in the place of the folder."""


BLOCKS = frozenset({Hostile.WIDE, Hostile.ESCAPES, Hostile.FOLDER})
"""What a person has to mend before anything of the folder is pushed."""


class Event(StrEnum):
    """What happens while all are due."""

    KILL = auto()
    KILL_LEADER = auto()
    DRAIN = auto()
    CRASH = auto()
    """Of PostgreSQL."""


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A tenant.

    Attributes:
        nth: Its place among the worlds.
        account: What its file says that its account is.
        role: The account that its role of PostgreSQL is bound to; "" for the owner of all.
        hostile: What is in its folder in the first night beside its list, if anything.
        lists: Its sound numbers, night by night.
        served: Its numbers are to be pushed; else nothing at all may be asked of its ERP.
    """

    nth: int
    account: str
    role: str
    hostile: Hostile | None = None
    lists: tuple[tuple[str, ...], ...]
    served: bool = True

    @property
    def name(self) -> str:
        """The tenant's name."""
        return f"tenant{self.nth:02d}"

    def expected(self, night: int) -> set[str]:
        """Return what is to have been pushed after a night, the first being 0."""
        if not self.served or (night == 0 and self.hostile in BLOCKS):
            return set()
        return {number for numbers in self.lists[: night + 1] for number in numbers}


@dataclass(frozen=True, kw_only=True)
class Story:
    """A drawn story.

    Attributes:
        customers: The tenants, those that are served first.
        stray: The one of them whose role is bound to the account of another.
        twins: Two ERPs with one account, which share a ledger.
        spread_s: Over how long what is due at once is spread.
        events: What happens in each night, and how long after the minute.
    """

    seed: int
    customers: tuple[Customer, ...]
    stray: Customer
    twins: tuple[Customer, ...]
    spread_s: int
    events: tuple[tuple[tuple[float, Event], ...], ...]

    @property
    def everybody(self) -> tuple[Customer, ...]:
        """All tenants, in the order of their worlds."""
        return (*self.customers, self.stray, *self.twins)


def story_of(seed: int) -> Story:
    """Draw a story."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    hostile = dealt(chance, [*Hostile, None, None], PLAIN)
    with_role = dealt(chance, [True, True, False, False], PLAIN)
    customers = tuple(
        Customer(
            nth=nth,
            account=account_of(nth),
            role=account_of(nth) if with_role[nth] else "",
            hostile=hostile[nth],
            lists=_lists(chance, nth),
        )
        for nth in range(PLAIN)
    )
    whose = chance.choice([each for each in customers if each.role])
    stray = _left_alone(chance, PLAIN, account_of(PLAIN), whose.role)
    copied = account_of(PLAIN + 1)
    twins = tuple(
        _left_alone(chance, PLAIN + 1 + nth, copied, chance.choice(["", copied])) for nth in (0, 1)
    )
    events = dealt(chance, list(Event), len(Event))
    half = len(events) // NIGHTS
    return Story(
        seed=seed,
        customers=customers,
        stray=stray,
        twins=twins,
        spread_s=chance.randint(0, 1),
        events=tuple(
            tuple(
                sorted((chance.uniform(0, LATEST_S), event) for event in events[nth : nth + half])
            )
            for nth in range(0, len(events), half)
        ),
    )


def account_of(nth: int) -> str:
    """Return the account that the world of this place has."""
    return f"world{nth:02d}"


def dealt(chance: random.Random, deck: Sequence[T], count: int) -> list[T]:
    """Deal from shuffled decks, so that nothing is left to luck but who gets it."""
    cards: list[T] = []
    while len(cards) < count:
        cards += chance.sample(deck, len(deck))
    return cards[:count]


def _lists(chance: random.Random, nth: int) -> tuple[tuple[str, ...], ...]:
    """Draw the numbers of each night; no two tenants have one in common."""
    return tuple(
        tuple(orders(chance.randint(1, MOST), (nth * NIGHTS + night) * MOST))
        for night in range(NIGHTS)
    )


def _left_alone(chance: random.Random, nth: int, account: str, role: str) -> Customer:
    return Customer(nth=nth, account=account, role=role, lists=_lists(chance, nth), served=False)


# -- what is in the folders -----------------------------------------------------------------------


def fill(folder: Path, story: Story, night: int) -> None:
    """Put into all folders what is new in a night; what a person had to mend is gone then."""
    for each in story.everybody:
        box = folder / each.name
        if night > 0 and each.hostile in BLOCKS:
            _mend(box)
        if not (night == 0 and each.hostile is Hostile.FOLDER):
            box.mkdir(exist_ok=True)
            for nth, numbers in enumerate(each.lists[: night + 1]):
                path = box / f"night{nth}.csv"
                if not path.exists():
                    path.write_text("number\n" + "\n".join(numbers))
    for each in story.customers:
        other = story.customers[(each.nth + 1) % PLAIN]
        if night == 0 and each.hostile is not None:
            _put(folder, each, other)


def _put(folder: Path, customer: Customer, other: Customer) -> None:
    box = folder / customer.name
    match customer.hostile:
        case Hostile.LINK:
            (box / "link.csv").symlink_to(folder / other.name / "night0.csv")
        case Hostile.PIPE:
            os.mkfifo(box / "pipe.csv")
        case Hostile.KILLER:
            (box / "killer.xlsx").write_bytes(huge())
        case Hostile.WIDE:
            (box / "wide.xlsx").write_bytes(with_cells(WIDE))
        case Hostile.ESCAPES:
            (box / "escapes.csv").write_text("number\n\x1b]0;worker on prod\x07\x1b[2K\n")
        case Hostile.FOLDER:
            box.symlink_to(folder / other.name)


def _mend(box: Path) -> None:
    """Take out what has no place in a folder; lists that could not be read stay where they were."""
    if box.is_symlink():
        box.unlink()
        return
    for name in ("wide.xlsx", "escapes.csv"):
        (box / name).unlink(missing_ok=True)
