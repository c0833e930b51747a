"""The tables of a ledger in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from k3push.adapters.ledger.maintenance.sql_tables import (
    Cells,
    LedgerTable,
    SqlTables,
    insertion,
    page_query,
)
from k3push.adapters.ledger.postgres.database import Connection, Server, account_hash

# Whole tables are joined here, which the plans of the ledger's verbs never do.
WHOLE_TABLES = b"""
SET LOCAL enable_seqscan = on;
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on;
SET LOCAL enable_bitmapscan = on;
SET LOCAL enable_material = on;
SET LOCAL idle_in_transaction_session_timeout = 0;
"""

COUNT_ANEW = b"""
INSERT INTO tallies (run, state, shard, n)
SELECT run, state, 0, count(*) FROM rows GROUP BY run, state;
SELECT setval(pg_get_serial_sequence('runs', 'key'), max(key)) FROM runs;
SELECT setval(pg_get_serial_sequence('attempts', 'id'), max(id)) FROM attempts;
SELECT setval(pg_get_serial_sequence('notes', 'id'), max(id)) FROM notes;
SELECT setval(pg_get_serial_sequence('commands', 'id'), max(id)) FROM commands;
SELECT setval(pg_get_serial_sequence('steps', 'id'), max(id)) FROM steps;
"""


# As the ledger's own `is_alive`, for all runs at once.
ALIVE = b"""
SELECT min(runs.id)
FROM pg_locks JOIN runs ON runs.key::oid = pg_locks.objid
WHERE locktype = 'advisory' AND granted AND classid = 1261654101 AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


# Rows that no verb finds by their bill, since it looks among those of its account
# (`database.account_hash`).
UNFOUND = b"""
SELECT count(*), min(runs.id)
FROM rows JOIN runs ON runs.key = rows.run
WHERE account_hash <>
    ('x' || encode(substr(sha256(convert_to(account, 'UTF8')), 1, 4), 'hex'))::bit(32)::int
"""


@asynccontextmanager
async def books_in_postgres(url: str, password: str = "") -> AsyncIterator[SqlTables]:
    """Open the tables of a ledger that is up to date, in one transaction."""
    server = Server.of(url, password)
    with server.lost_as_ledger():
        connection = await server.connect()
        try:
            await connection.raw.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
            await connection.raw.execute(WHOLE_TABLES)
            yield _Books(connection)
        finally:
            # What was not committed is undone.
            await connection.close()


class _Books(SqlTables):
    def __init__(self, connection: Connection) -> None:
        self._raw = connection.raw

    async def page(self, table: LedgerTable, after: Cells, limit: int) -> Sequence[Cells]:
        query = page_query(table, "%s", first=not after)
        return await (await self._raw.execute(query.encode(), (*after, limit))).fetchall()

    async def add(self, table: LedgerTable, rows: Sequence[Cells]) -> None:
        if table.name == "rows":
            table, rows = await self._with_hashes(table, rows)
        async with self._raw.cursor() as cursor:
            await cursor.executemany(insertion(table, "%s").encode(), rows)

    async def _with_hashes(
        self, table: LedgerTable, rows: Sequence[Cells]
    ) -> tuple[LedgerTable, Sequence[Cells]]:
        """Add the column that other databases do not have, and its cells."""
        found = await self._raw.execute(
            "SELECT key, account FROM runs WHERE key = ANY(%s)", [list({row[0] for row in rows})]
        )
        hashes = {key: account_hash(account) for key, account in await found.fetchall()}
        wider = replace(table, columns=(*table.columns, "account_hash"))
        return wider, [(*row, hashes[row[0]]) for row in rows]

    async def count_anew(self) -> None:
        await self._raw.execute(COUNT_ANEW)

    async def ask(self, question: str) -> Cells:
        ((*found,),) = await (await self._raw.execute(question.encode())).fetchall()
        return tuple(found)

    async def alive(self) -> str:
        ((found,),) = await (await self._raw.execute(ALIVE)).fetchall()
        return found or ""

    async def distrust(self) -> None:
        await self._raw.execute(b"INSERT INTO places (place) VALUES ('') ON CONFLICT DO NOTHING")

    async def broken(self) -> str:
        # The server checks its pages and keys itself, as it reads and writes them.
        ((rows, run),) = await (await self._raw.execute(UNFOUND)).fetchall()
        return f"{rows} rows, the first of run {run}: account_hash" if rows else ""

    async def commit(self) -> None:
        await self._raw.execute(b"COMMIT")
