"""How users come in by a provider of OpenID Connect: whose word, for which name and which role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from k3push.web.admission.roles import Role


class Provider(Protocol):
    """Who knows the users."""

    async def ask(self, redirect_uri: str) -> tuple[str, Any]:
        """Return where a browser is sent, and what was asked, with its `state`."""
        ...

    async def told(self, asked: Any, code: str, issuer: str = "") -> Mapping[str, Any]:
        """Return claims that are proved."""
        ...

    async def sign_out(self, back: str) -> str:
        """Return where a browser is signed out there too, or ""."""
        ...


@dataclass(frozen=True, slots=True)
class OpenId:
    """How users come in by a provider.

    Attributes:
        failure: What it raises where somebody cannot be signed in; `why` says the reason.
        user_claim: Which claim is the user's name.
        roles_claim: Which claim gives roles; "" for none, and users have those of their names.
        roles: The role of each of its values.
    """

    provider: Provider
    failure: type[Exception]
    user_claim: str = "preferred_username"
    roles_claim: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """Return the highest role that claims give; None for none."""
        said = claims.get(self.roles_claim, ()) if self.roles_claim else ()
        values: Sequence[object] = [said] if isinstance(said, str) else said
        if not isinstance(values, list | tuple):
            return None
        found = [
            self.roles[each] for each in values if isinstance(each, str) and each in self.roles
        ]
        return max(found, default=None)
