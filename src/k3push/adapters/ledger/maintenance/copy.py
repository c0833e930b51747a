"""One ledger into another, row by row, and then compared row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import zip_longest

from k3push.adapters.ledger.maintenance.sql_tables import TABLES, Cells, LedgerTable, SqlTables

PAGE = 1000
ATTEMPTS_PAGE = 50
"""Attempts carry requests and answers, which may have megabytes each."""


class CopyDiffersError(Exception):
    """What was read back is not what was written; nothing was kept."""


async def copy(source: SqlTables, target: SqlTables) -> dict[str, int]:
    """Copy every table, compare both, and keep the copy; return the rows of each table.

    Ids are kept. Memory holds a page at a time.

    Raises:
        CopyDiffersError: The copy is not like the source.
    """
    copied = {}
    for table in TABLES:
        copied[table.name] = 0
        async for page in _pages(source, table):
            await target.add(table, page)
            copied[table.name] += len(page)
    await target.count_anew()
    await target.distrust()
    for table in TABLES:
        await _compare(source, target, table)
    await target.commit()
    return copied


async def is_empty(books: SqlTables) -> bool:
    """Say whether a ledger holds nothing: no run, and nothing that people or programs have left."""
    return not any([await books.page(table, (), 1) for table in TABLES])


async def _compare(source: SqlTables, target: SqlTables, table: LedgerTable) -> None:
    after: Cells = ()
    limit = _limit(table)
    while True:
        mine = await source.page(table, after, limit)
        other = await target.page(table, after, limit)
        for one, copied in zip_longest(mine, other):
            if one != copied:
                key = (one or copied or ())[: table.keys]
                raise CopyDiffersError(f"{table.name} {key}")
        if len(mine) < limit:
            return
        after = mine[-1][: table.keys]


async def _pages(books: SqlTables, table: LedgerTable) -> AsyncIterator[Sequence[Cells]]:
    after: Cells = ()
    while page := await books.page(table, after, _limit(table)):
        yield page
        after = page[-1][: table.keys]


def _limit(table: LedgerTable) -> int:
    return ATTEMPTS_PAGE if table.name == "attempts" else PAGE
