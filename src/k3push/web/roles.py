"""The three roles of the dashboard, which of them a user has, and who is one and the same."""

from __future__ import annotations

import unicodedata
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


def is_one_person(one: str, other: str) -> bool:
    """Say whether two names may be one person's.

    Many a directory lets people sign in by any letter case or width of their name, and a reverse
    proxy passes on what they have typed.

    >>> is_one_person("wang", "Wang"), is_one_person("wang", "li")
    (True, False)
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
