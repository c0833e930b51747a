"""What each user may see of the targets, and which forms nobody lets him read.

A user who sees less than others gets fewer rows and no error, so that what he does not find
may well be there. Sources are seen by all, save those of some organisations by nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from k3push.simulator.books.bills import Bill


class Sight(StrEnum):
    """Which targets a user sees."""

    ALL = "all"
    """Every one."""

    OWN = "own"
    """Those that he made."""

    HALF = "half"
    """Every second one, by a hash of his name and the target's id."""

    NONE = "none"
    """None, and no error says so."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What users may read.

    Attributes:
        sees: What they see of targets; who is not named sees all.
        unreadable: Forms, by id, that they have no right to read (MsgCode 2).
        unseen_orgs: Organisations whose sources nobody sees; pushes find them.
    """

    sees: Mapping[str, Sight] = field(default_factory=dict)
    unreadable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unseen_orgs: frozenset[str] = frozenset()

    def shows(self, user: str, target: Bill) -> bool:
        """Tell whether *user* sees *target*."""
        match self.sees.get(user, Sight.ALL):
            case Sight.OWN:
                return target.creator == user
            case Sight.HALF:
                digest = hashlib.blake2b(f"{user}/{target.id}".encode(), digest_size=1).digest()
                return digest[0] % 2 == 0
            case Sight.NONE:
                return False
        return True

    def may_read(self, user: str, form: str) -> bool:
        """Tell whether *user* may read bills of *form*."""
        forms = self.unreadable.get(user, frozenset())
        return form.lower() not in {each.lower() for each in forms}
