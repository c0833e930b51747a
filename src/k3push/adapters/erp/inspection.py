"""Whole reads for an audit, through every user: what one does not see, another may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TypeVar

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.identities import Identities
from k3push.core.model import BillNumber, Route
from k3push.core.pacing.chunking import split
from k3push.core.protocol import audit_queries, bill_rows, wire
from k3push.core.protocol.audit_queries import Inspected, Named
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.keyset import part_of
from k3push.core.protocol.paging import PagesError, Row
from k3push.core.remark import remark
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import LookFailedError

V = TypeVar("V")

# One page of one user: what its documents name, and the id behind which the next page begins;
# None where nothing follows.
_Seen = tuple[list[tuple[int, Named]], int | None]


class Inspector:
    """Reads whole documents and their sources. Fulfils `ports.Inspection`."""

    def __init__(self, erp: ErpClient | Identities) -> None:
        """Read through the users of *erp*, which is entered and left by whoever made it."""
        self._erp = erp

    async def named_after(
        self, route: Route, after: int, since: str = ""
    ) -> tuple[list[Named], int | None]:
        """Return the sources that the next documents name, and where the ones after them begin.

        Where users see different documents, what is behind the page of one is left to the next.
        """
        seen = await self._erp.ask_each(lambda user: _named_by(user, route, after, since))
        ends = [end for _, end in seen.values() if end is not None]
        end = min(ends, default=None)
        named = [
            each
            for found, _ in seen.values()
            for document, each in found
            if end is None or document <= end
        ]
        return list(dict.fromkeys(named)), end

    async def documents(self, route: Route, ids: Sequence[str]) -> Mapping[str, Inspected]:
        """Return documents of the target form by id; one that is not there is absent."""
        fields = audit_queries.line_fields(route)
        optional = fields[len(bill_rows.TARGET_FIELDS) :]

        async def read(user: ErpClient, part: Sequence[str]) -> dict[str, Inspected]:
            where = wire.whole_numbers_in(wire.ID, part)
            known, rows = await user.rows_of(route.target, fields, optional, where)
            with _failing(route.target):
                bill_rows.check_asked(rows, part)
                return audit_queries.read_lines(rows, known, route)

        return await self._by_parts(ids, read)

    async def ordered(
        self, route: Route, ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Decimal | None]]:
        """Return what the rows of source bills order, by the id of the row, by that of the bill."""
        fields = audit_queries.row_fields(route)

        async def read(
            user: ErpClient, part: Sequence[str]
        ) -> dict[str, Mapping[str, Decimal | None]]:
            where = wire.whole_numbers_in(wire.ID, part)
            known, rows = await user.rows_of(route.source, fields, fields[1:], where)
            with _failing(route.source):
                bill_rows.check_asked(rows, part)
                return audit_queries.read_ordered(rows, known, route)

        return await self._by_parts(ids, read) if fields else {}

    async def numbers(self, route: Route, ids: Sequence[str]) -> Mapping[str, BillNumber]:
        """Return the numbers of source bills by id; one that is not there is absent."""

        async def read(user: ErpClient, part: Sequence[str]) -> dict[str, BillNumber]:
            where = wire.whole_numbers_in(wire.ID, part)
            _, rows = await user.rows_of(route.source, [wire.ID, wire.BILL_NO], (), where)
            with _failing(route.source):
                bill_rows.check_asked(rows, part)
                return audit_queries.read_numbers(rows)

        return await self._by_parts(ids, read)

    async def _by_parts(
        self,
        ids: Sequence[str],
        read: Callable[[ErpClient, Sequence[str]], Awaitable[dict[str, V]]],
    ) -> dict[str, V]:
        """Read by id, so many in a question as one can hold; each by the first who sees it."""
        found: dict[str, V] = {}

        async def read_all(user: ErpClient) -> dict[str, V]:
            mine: dict[str, V] = {}
            for part in split(ids, MOST_NUMBERS):
                mine |= await read(user, part)
            return mine

        if ids:
            for seen in (await self._erp.ask_each(read_all)).values():
                found = seen | found
        return found


async def _named_by(user: ErpClient, route: Route, after: int, since: str) -> _Seen:
    """Read one page of one user."""
    form, fields = route.target, audit_queries.naming_fields(route)
    if not after:
        # A page is not tried field by field, so what the form lacks is found out before.
        await user.rows_of(
            form, fields, fields[1:], audit_queries.behind(0, "") + f" AND {wire.ID}<1"
        )
    known = audit_queries.without(fields, user.lacking(form))
    rows: Sequence[Row] = await user.page_of(form, known, audit_queries.behind(after, since))
    with _failing(form):
        part = part_of(rows, after)
        end: int | None = part.after
        rows = part.rows
        if part.alone is not None:
            end = part.alone
            where = wire.whole_numbers_in(wire.ID, [str(end)])
            known, rows = await user.rows_of(form, known, (), where)
        named = audit_queries.read_naming(rows, known, route)
    return named, None if part.is_end else end


@contextmanager
def _failing(form: str) -> Iterator[None]:
    """Say of rows that cannot be read, or are not all, that the look at their form has failed."""
    try:
        yield
    except (UnreadableError, PagesError) as error:
        raise LookFailedError(remark("note.place", place=form, why=str(error))) from error
