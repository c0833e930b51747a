"""The target form, asked by the numbers of sources for what was made of them."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.adapters.erp.calls import as_failed
from k3push.adapters.erp.form_rows import FormRows
from k3push.adapters.erp.link_queries import LinkQueries
from k3push.core.model import BillNumber, Route
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.bill_rows import LinkedTarget
from k3push.core.protocol.links import link_fields
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.safety.matching import fold
from k3push.ports import LookRefusedError

# A line of a document whose query for links has shown none (`LinkedTarget.sources`).
NO_LINK = ""


class TargetQueries:
    """Asks for documents, as one user, and learns whether queries for links pass over some.

    Most sites answer a query for links with the documents that have no link as well. Until one has
    shown such a document, these are asked for in a query of their own; and always where queries for
    links were seen to pass over them.
    """

    def __init__(self, forms: FormRows, links: LinkQueries) -> None:
        """Ask by *forms*, as far as *links* are not refused."""
        self._forms = forms
        self._links = links
        self._pass_over = False
        self._show_unlinked = False

    async def of_numbers(
        self, route: Route, numbers: Sequence[BillNumber], *, by_all: bool, unsent: bool
    ) -> list[tuple[BillNumber, LinkedTarget]]:
        """Ask for documents of some numbers, and for their links.

        Args:
            numbers: As many as one query takes.
            by_all: Also for what has no link, where that may be hidden.
            unsent: Most of them will have none.
        """
        if unsent:
            return await self._of_unsent(route, numbers)
        found = await self._read(route, numbers, links=self._tells_links(route))
        return found + await self._hidden(route, numbers, found) if by_all else found

    async def _hidden(
        self,
        route: Route,
        numbers: Sequence[BillNumber],
        found: Sequence[tuple[BillNumber, LinkedTarget]],
    ) -> list[tuple[BillNumber, LinkedTarget]]:
        # Beside one that has a link there may be one that has none.
        shown = set() if self._pass_over else {fold(number) for number, _ in found}
        silent = [number for number in numbers if fold(number) not in shown]
        is_whole = self._show_unlinked and not self._pass_over
        if not silent or is_whole or not self._tells_links(route):
            return []
        return self._passed_over(found, await self._read(route, silent, links=False))

    async def _of_unsent(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, LinkedTarget]]:
        """Ask for documents, and for the links of those that are there.

        A query that asks for fields of links may leave out what has no link, as typed documents.
        """
        found = await self._read(route, numbers, links=False)
        if not found or not self._tells_links(route):
            return found
        named = list(dict.fromkeys(number for number, _ in found))
        try:
            linked = await self._read(route, named, links=True)
        except LookRefusedError as refusal:
            if refusal.code != NO_RIGHT:
                raise
            return found  # whoever may not read their links has seen them all the same
        return linked + self._passed_over(linked, found)

    def _passed_over(
        self,
        linked: Sequence[tuple[BillNumber, LinkedTarget]],
        found: Sequence[tuple[BillNumber, LinkedTarget]],
    ) -> list[tuple[BillNumber, LinkedTarget]]:
        """Return what a query for links has not shown of what is there, and learn from it."""
        told = {(number, each.target.id) for number, each in linked}
        bare = [(number, each) for number, each in found if (number, each.target.id) not in told]
        self._pass_over = self._pass_over or bool(bare)
        return bare

    def _tells_links(self, route: Route) -> bool:
        """Say whether looks at documents ask for fields of links as well."""
        told = set(link_fields(route)).intersection(bill_rows.target_fields(route))
        return bool(told) and not self._links.are_refused(route)

    async def _read(
        self, route: Route, numbers: Sequence[BillNumber], *, links: bool
    ) -> list[tuple[BillNumber, LinkedTarget]]:
        spared = [] if links else link_fields(route)
        fields, rows = await self._forms.without_lacking(
            route.target,
            lambda lacking: bill_rows.target_fields(route, [*lacking, *spared]),
            [
                bill_rows.CANCEL_STATUS,
                *bill_rows.form_fields(route),
                *bill_rows.source_id_fields(route),
            ],
            wire.one_of(route.source_number_field, numbers),
        )
        with as_failed(route.target):
            found = bill_rows.read_targets(rows, fields, route)
        if links and any(NO_LINK in each.sources for _, each in found):
            self._show_unlinked = True
        return found
