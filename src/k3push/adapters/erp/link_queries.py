"""What a site tells by the links between bills and their documents, and whether it tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import anyio

from k3push.adapters.erp.calls import as_failed, of_place
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import BillNumber, Route
from k3push.core.pacing.chunking import split
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.audit_queries import without
from k3push.core.protocol.bill_rows import LinkedTarget
from k3push.core.protocol.links import (
    LinkRow,
    any_link_fields,
    link_fields,
    target_entry,
)
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import (
    BELIEVED_AFTER_S,
    LAST_BELIEVED_AFTER_S,
    LookFailedError,
    LookRefusedError,
    ask_again_in_s,
    tell_of_wait,
)


class LinkQueries:
    """Asks for links, as one user, until the site has refused those of a route for good."""

    def __init__(self, forms: FormRows) -> None:
        """Ask by *forms*."""
        self._forms = forms
        self._refused: set[tuple[str, ...]] = set()

    def are_refused(self, route: Route) -> bool:
        """Say whether a route's links are known to be refused."""
        return _entry_of(route) in self._refused

    def believe(self, route: Route) -> None:
        """Take for known that a route's links can be queried: another user has done it."""
        self._refused.discard(_entry_of(route))
        self._forms.believe(route.target, link_fields(route))

    async def of_bills(
        self, route: Route, ids: Mapping[BillNumber, str]
    ) -> dict[BillNumber, list[LinkedTarget]] | None:
        """Return the documents that links name of bills; None where the site refuses them."""
        if not link_fields(route) or self.are_refused(route):
            return None
        # A bill that got another number may be asked for by both.
        by_id: defaultdict[str, list[BillNumber]] = defaultdict(list)
        for number, id_ in ids.items():
            by_id[id_].append(number)
        found: dict[BillNumber, list[LinkedTarget]] = {}
        for asked in split(list(by_id), MOST_NUMBERS):
            links = await self._asked_again(route, asked)
            if links is None:
                self._refused.add(_entry_of(route))
                return None
            for source_id, linked in links:
                for number in by_id.get(source_id, ()):
                    found.setdefault(number, []).append(linked)
        return found

    async def _asked_again(
        self, route: Route, ids: Sequence[str]
    ) -> list[tuple[str, LinkedTarget]] | None:
        """Ask the links for bills; None where the site refuses these fields, and again later.

        Where nothing else tells of documents, that is asked for longer.
        """
        long_s = BELIEVED_AFTER_S if route.source_number_field else LAST_BELIEVED_AFTER_S
        refused_s: float | None = None
        while True:
            try:
                return await self._asked(route, ids)
            except LookRefusedError as refusal:
                fields = link_fields(route)
                if refusal.code == NO_RIGHT or self._forms.has(route.target, fields):
                    raise
                named = bill_rows.field_named_in(str(refusal), fields)
                if not named and not await self._forms.lacks(route.target, fields[0]):
                    raise
                refused_s = anyio.current_time() if refused_s is None else refused_s
                since_s = anyio.current_time() - refused_s
                wait_s = ask_again_in_s(since_s, long_s)
                if not wait_s:
                    return None
                tell_of_wait(str(refusal), since_s, wait_s)
                await anyio.sleep(wait_s)

    async def _asked(self, route: Route, ids: Sequence[str]) -> list[tuple[str, LinkedTarget]]:
        # Without the fields of links a row names no bill: a form that lacks them refuses this
        # query, whatever another one was refused for.
        fields, rows = await self._forms.without_lacking(
            route.target,
            lambda lacking: [
                *bill_rows.TARGET_FIELDS,
                *without([bill_rows.CANCEL_STATUS], lacking),
                *link_fields(route),
            ],
            [bill_rows.CANCEL_STATUS],
            wire.whole_numbers_in(link_fields(route)[0], ids),
            by_name=True,
        )
        with as_failed(route.target):
            bill_rows.check_asked(rows, ids, place=-2)
            return bill_rows.read_links(rows, fields, route)

    async def newest(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents, in the route's entry."""
        fields = [wire.ID, *any_link_fields(route)]
        try:
            page = await self._forms.page(
                route.target, fields, "", start=0, limit=wire.NEWEST, order=wire.NEWEST_FIRST
            )
        except LookRefusedError as refusal:
            # An exception may pass; that a form lacks links is said of them alone, each time.
            if refusal.definite or refusal.code == NO_RIGHT:
                raise
            named = bill_rows.field_named_in(str(refusal), fields)
            if named or await self._forms.lacks(route.target, fields[1]):
                raise LookRefusedError(str(refusal), code=refusal.code) from refusal
            raise LookFailedError(of_place(route.target, refusal)) from refusal
        with as_failed(route.target):
            return bill_rows.read_link_rows(page)

    async def newest_sources(self, route: Route) -> Sequence[str]:
        """Return the ids of the bills of the source form that the newest documents' links name."""
        fields = link_fields(route)
        if not fields or self.are_refused(route):
            return []
        asked = [*bill_rows.TARGET_FIELDS, *fields]
        page = await self._forms.page(
            route.target, asked, "", start=0, limit=wire.NEWEST, order=wire.NEWEST_FIRST
        )
        with as_failed(route.target):
            ids = {source_id for source_id, _ in bill_rows.read_links(page, asked, route)}
        return sorted(ids - {"", "0"})

    async def of_documents(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Return the links of some documents to bills of any form."""
        if not target_entry(route) or self.are_refused(route):
            return []
        fields = [wire.ID, *any_link_fields(route)]
        links: list[LinkRow] = []
        for asked in split(list(ids), MOST_NUMBERS):
            try:
                rows = await self._forms.whole(
                    route.target, fields, wire.whole_numbers_in(wire.ID, asked)
                )
            except LookRefusedError:
                return []
            with as_failed(route.target):
                bill_rows.check_asked(rows, asked)
                links += bill_rows.read_link_rows(rows)
        return links

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Return which of some documents have a line without a link.

        A query with fields of links may pass over such lines, so the lines are asked for without
        them as well. A form may not let these be told apart; then blank fields of links tell.
        """
        if not link_fields(route) or self.are_refused(route):
            return ()
        lines, link = bill_rows.line_fields(route), link_fields(route)[0]
        found = set[str]()
        for asked in split(list(ids), MOST_NUMBERS):
            which = wire.whole_numbers_in(wire.ID, asked)
            try:
                every = await self._forms.whole(route.target, lines, which)
                linked = await self._forms.whole(route.target, [*lines, link], which)
            except LookRefusedError:
                every, linked = [], await self._forms.whole(route.target, [wire.ID, link], which)
            with as_failed(route.target):
                bill_rows.check_asked([*every, *linked], asked)
                found |= bill_rows.read_partly_linked(every, linked)
        return found


def _entry_of(route: Route) -> tuple[str, ...]:
    """Name the links of a route: another route's entry of the same form may have none."""
    return (route.target, *link_fields(route))
