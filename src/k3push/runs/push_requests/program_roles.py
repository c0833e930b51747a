"""What a program may do, and how often it may ask, as its token says."""

from __future__ import annotations

from typing import Literal, get_args

ProgramRole = Literal["view", "operate", "approve"]
"""In the words of `[serve] roles`; each may do what those before it may."""

DEFAULT_RATE = 600
MOST_RATE = 100_000


def reaches(role: ProgramRole, needed: ProgramRole) -> bool:
    """Say whether a role may do what needs another.

    >>> reaches("approve", "view"), reaches("view", "operate")
    (True, False)
    """
    order = get_args(ProgramRole)
    return bool(order.index(role) >= order.index(needed))
