"""What a look at the ERP is made with, and whether there is a way to ask the target form."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from k3push.core.model import BillNumber, Targets
from k3push.core.protocol.links import link_fields
from k3push.core.safety.links_found import Links
from k3push.runs.lookup.retried_reads import ReadContext

# A number that no bill has: where its query is refused as well, the numbers are not to blame.
HARMLESS = BillNumber("k3push-check")


HARMLESS_ID = "1"


class Looker(ReadContext, Protocol):
    """What a look is made with; a `Context` is one."""

    @property
    def source_ids(self) -> dict[BillNumber, str]:
        """Internal ids of bills that were read from the source form."""
        ...

    @property
    def links(self) -> Links:
        """What is known of the target form's links."""
        ...

    def knowing(self, source_ids: Mapping[BillNumber, str]) -> Looker:
        """Return what looks the same, and knows ids of bills beside those that this one knows."""
        ...

    async def made_of_namesakes(
        self, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return what the ledger has made of other bills of the same numbers."""
        ...

    async def named_for_others(self, found: Targets) -> Mapping[BillNumber, frozenset[str]]:
        """Return, by bill, documents that an answer has named for a call without that bill."""
        ...

    async def links_outweigh(self) -> bool:
        """Say whether a document's number alone is not enough to count it as a bill's.

        If that is not known, it is learnt.
        """
        ...


def can_ask(looker: Looker) -> bool:
    """Say whether the target form can be asked what was made of a bill: by a field, or by links."""
    route = looker.route
    return bool(route.source_number_field) or (bool(link_fields(route)) and not looker.links.absent)
