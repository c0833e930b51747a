"""What a target takes from its sources, and when a source is closed for it (P 13.1, 13.3)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from k3push.simulator.books.conversion import Share


class WriteBack(StrEnum):
    """When a target takes quantity from its sources."""

    SAVE = "save"
    """When it is saved, as most rules have it; a draft takes none (P 5.12)."""

    AUDIT = "audit"
    """When it is approved, as receivables and payables have it."""

    NEVER = "never"
    """At no time, as where the rule has no control by quantity (P 12.4)."""


def take(shares: Iterable[Share], *, closes: bool) -> None:
    """Take *shares* from their sources.

    Args:
        closes: Whether a used-up line is closed, and a bill with its last line.
    """
    for share in shares:
        entry = share.entry
        entry.left -= share.quantity
        if closes and entry.left <= 0:
            entry.closed = True
            share.bill.closed = share.bill.closed or share.bill.used_up


def give_back(shares: Iterable[Share]) -> None:
    """Give *shares* back to their sources, and open again what they had closed."""
    for share in shares:
        entry = share.entry
        entry.left += share.quantity
        if entry.closed and entry.left > 0:
            entry.closed = False
            share.bill.closed = False
