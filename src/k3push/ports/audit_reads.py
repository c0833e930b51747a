"""What an audit needs: whole reads of an account set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from k3push.core.model import BillNumber, Route

if TYPE_CHECKING:
    # Every command imports the ports, and one alone inspects.
    from decimal import Decimal

    from k3push.core.protocol.audit_queries import Inspected, Named


class Inspection(Protocol):
    """Whole reads of an account set, for an audit; each is made through every user.

    All raise what the looks of `Erp` do.
    """

    async def named_after(
        self, route: Route, after: int, since: str = ""
    ) -> tuple[Sequence[Named], int | None]:
        """Return the sources that the next documents of the target form name, each once.

        Args:
            route: Whose target form is read.
            after: Only documents with a higher id; 0 begins.
            since: Only documents that were made at this local time of the server or later.

        Returns:
            The sources, and the *after* of the next call; None once nothing follows.
        """
        ...

    async def documents(self, route: Route, ids: Sequence[str]) -> Mapping[str, Inspected]:
        """Return documents of the target form by id; one that is not there is absent."""
        ...

    async def ordered(
        self, route: Route, ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Decimal | None]]:
        """Return what the rows of source bills order, by the id of the row, by that of the bill.

        A bill whose rows are not shown is absent; a quantity that is not shown is None.
        """
        ...

    async def numbers(self, route: Route, ids: Sequence[str]) -> Mapping[str, BillNumber]:
        """Return the numbers of source bills by id; one that is not there is absent."""
        ...
