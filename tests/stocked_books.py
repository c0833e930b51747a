"""Books full of documents in which a known few are too many, made in the simulator's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from k3push.core.pacing.chunking import split
from k3push.simulator import PushOrder, SandboxOptions, Site, World, build
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER

DOUBLES = 50
SPLITS = 50
BY_HAND = 20

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

# What each row of every order orders.
ORDERED = (10, 4)


@dataclass(frozen=True, slots=True)
class Stocked:
    """Such books.

    Attributes:
        site: The ERP.
        doubles: Numbers of the bills that have too many documents.
    """

    site: Site
    doubles: frozenset[str]


def stocked(count: int) -> Stocked:
    """Make books of *count* orders, each with documents, and none made by k3push."""
    site = build(SandboxOptions(orders=0, blocked=0), clock=lambda: NOON)
    world = site.world
    numbers = [f"CGDD{index:07d}" for index in range(count)]
    for number in numbers:
        world.add_source(PURCHASE_ORDER, number, quantities=ORDERED)
    odd = numbers[:: count // (DOUBLES + SPLITS + BY_HAND)]
    doubled, parted, by_hand = (
        odd[:DOUBLES],
        odd[DOUBLES : DOUBLES + SPLITS],
        odd[DOUBLES + SPLITS :][:BY_HAND],
    )
    special = {*parted, *by_hand}
    for part in split([number for number in numbers if number not in special], 500):
        world.push(PushOrder(PURCHASE_ORDER.id, part, rule_id="PUR_PurchaseOrder-STK_InStock"))
    for nth, number in enumerate(doubled):
        _double(world, number, nth)
    for nth, number in enumerate(parted):
        for quantities in _parts(nth):
            world.add_target(IN_STOCK, number, quantities=quantities)
        if nth % 2:
            world.add_target(IN_STOCK, number, quantities=ORDERED, cancelled=True)
    for nth, number in enumerate(by_hand):
        world.add_target(IN_STOCK, number, typed=bool(nth % 2), quantities=ORDERED)
    return Stocked(site, frozenset(doubled))


def _double(world: World, number: str, nth: int) -> None:
    """Make one document too many, in one of several ways."""
    match nth % 4:
        case 0:  # a second push
            world.add_target(IN_STOCK, number, creator="sandbox", quantities=ORDERED)
        case 1:  # typed in by somebody, without a link
            world.add_target(IN_STOCK, number, typed=True, quantities=ORDERED)
        case 2:  # a draft of a push whose answer was lost
            drafted = world.add_target(IN_STOCK, number, creator="sandbox", quantities=ORDERED)
            drafted.status, drafted.number = "Z", ""
        case _:  # a part of what was delivered already
            world.add_target(IN_STOCK, number, quantities=(3, 0))


def _parts(nth: int) -> Iterator[tuple[int, int]]:
    """Share a bill out: by quantities, by rows, or into three."""
    match nth % 3:
        case 0:
            yield from ((5, 2), (5, 2))
        case 1:
            yield from ((10, 0), (0, 4))
        case _:
            yield from ((6, 0), (3, 4), (1, 0))
