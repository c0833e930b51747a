"""The roles of the dashboard: which a user has, everywhere and in a tenant; who is one person."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import IntEnum

MOST_GIVEN = 10_000
"""Users whose roles a provider has given, and that are remembered."""


class Role(IntEnum):
    """What a user may do; each may do what those before it may."""

    NONE = 0
    """See nothing of a tenant, not even that it is there."""

    VIEW = 1
    """Look at runs, numbers and plans, and take results away."""

    OPERATE = 2
    """Plan a push; pause, stop, resume, retry, settle and follow what was approved before."""

    APPROVE = 3
    """Approve a plan, so that documents are made."""


class Roles:
    """Who may do what where.

    The door's roles hold in every tenant, and a tenant's own go before them there. Where nobody
    has a role, all may do all; where some have one, others may only look. Once a tenant has had
    roles of its own, others see nothing: neither of that tenant nor of one without. Where nobody
    is known by name, tenants have no roles.
    """

    def __init__(self, everywhere: Mapping[str, Role], *, by_name: bool = True) -> None:
        self._everywhere = everywhere
        self._by_name = by_name
        self._given: dict[str, Role] = {}
        self._by_tenant: Mapping[str, Mapping[str, Role]] = {}
        self._apart = False

    def take(self, by_tenant: Mapping[str, Mapping[str, Role]]) -> None:
        """Have other roles of tenants from now on.

        That they are kept apart stays, also where the file that says so is gone or has a fault.
        """
        self._by_tenant = by_tenant if self._by_name else {}
        self._apart = self._apart or any(self._by_tenant.values())

    def give(self, user: str, role: Role | None) -> None:
        """Have a user's role in every tenant, as the provider says who has signed them in.

        A role by name goes before it; None takes it away.
        """
        self._given.pop(user, None)
        if role is not None:
            if len(self._given) >= MOST_GIVEN:
                del self._given[next(iter(self._given))]
            self._given[user] = role

    def names(self, user: str) -> bool:
        """Say whether a user has a role by name, everywhere or in some tenant."""
        return any(user in each for each in (self._everywhere, *self._by_tenant.values()))

    def of(self, user: str, tenant: str = "") -> Role:
        """Return the role of a user in a tenant, or where pages are no tenant's.

        >>> roles = Roles({"li": Role.VIEW})
        >>> roles.of("li", "a").name, roles.of("wang", "a").name
        ('VIEW', 'VIEW')
        >>> roles.take({"a": {"wang": Role.APPROVE}, "b": {}})
        >>> [roles.of("wang", tenant).name for tenant in ("a", "b", "")]
        ['APPROVE', 'NONE', 'VIEW']
        """
        by_name = self._everywhere.get(user, self._given.get(user))
        role = self._by_tenant.get(tenant, {}).get(user, by_name)
        if role is not None:
            return role
        if self._apart:
            return Role.NONE if tenant else Role.VIEW
        return Role.VIEW if self._everywhere or self._given else Role.APPROVE

    def sees(self, user: str, tenant: str) -> bool:
        """Say whether a user may look at a tenant."""
        return self.of(user, tenant) >= Role.VIEW

    def sees_all(self, user: str) -> bool:
        """Say whether a user may look at whatever tenants there are."""
        return not self._apart or user in self._everywhere or user in self._given


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
