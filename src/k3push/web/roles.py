"""The three roles of the dashboard, and which of them a user has."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Role(IntEnum):
    """What a user may do; each may do what those before it may."""

    VIEW = 1
    """Look at runs, numbers and plans, and take results away."""

    OPERATE = 2
    """Plan a push; pause, stop, resume, retry, settle and follow what was approved before."""

    APPROVE = 3
    """Approve a plan, so that documents are made."""


def role_of(user: str, roles: Mapping[str, Role]) -> Role:
    """Return the role of a user: where some have roles, others may only look.

    >>> role_of("li", {"wang": Role.APPROVE}).name, role_of("li", {}).name
    ('VIEW', 'APPROVE')
    """
    return roles.get(user, Role.VIEW) if roles else Role.APPROVE
