"""The tables of a ledger in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread

from k3push.adapters.ledger.maintenance.sql_tables import (
    Cells,
    LedgerTable,
    SqlTables,
    insertion,
    page_query,
)
from k3push.adapters.ledger.sqlite.connections import lost_as_ledger
from k3push.adapters.ledger.sqlite.files_beside import locks_folder
from k3push.adapters.ledger.sqlite.run_locks import RunLocks

PATIENCE_S = 30.0


@asynccontextmanager
async def books_in_sqlite(path: Path, *, write: bool = False) -> AsyncIterator[SqlTables]:
    """Open the tables of a ledger that is up to date, in one transaction."""

    def opened() -> sqlite3.Connection:
        with lost_as_ledger(path):
            connection = sqlite3.connect(
                path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            return connection

    connection = await to_thread.run_sync(opened)
    try:
        yield _Books(path, connection)
    finally:
        # What was not committed is undone.
        await to_thread.run_sync(connection.close)


class _Books(SqlTables):
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    async def _all(self, statement: str, values: Sequence[object] = ()) -> list[Cells]:
        def run() -> list[Cells]:
            with lost_as_ledger(self._path):
                return self._connection.execute(statement, values).fetchall()

        return await to_thread.run_sync(run)

    async def page(self, table: LedgerTable, after: Cells, limit: int) -> Sequence[Cells]:
        query = page_query(table, "?", first=not after)
        return await self._all(query, (*after, limit))

    async def add(self, table: LedgerTable, rows: Sequence[Cells]) -> None:
        def run() -> None:
            with lost_as_ledger(self._path):
                self._connection.executemany(insertion(table, "?"), rows)

        await to_thread.run_sync(run)

    async def count_anew(self) -> None:
        await self._all(
            "INSERT INTO tallies (run, state, n)"
            " SELECT run, state, count(*) FROM rows GROUP BY run, state"
        )
        await self._all(
            "UPDATE runs SET attempts = (SELECT count(*) FROM attempts WHERE run = runs.key)"
        )

    async def ask(self, question: str) -> Cells:
        return (await self._all(question))[0]

    async def alive(self) -> str:
        def first() -> str:
            with lost_as_ledger(self._path):
                return next(RunLocks(locks_folder(self._path)).alive(), "")

        return await to_thread.run_sync(first)

    async def distrust(self) -> None:
        await self._all("INSERT INTO home (file) VALUES ('')")

    async def broken(self) -> str:
        found = [str(row[0]) for row in await self._all("PRAGMA quick_check(3)")]
        found += [f"foreign key of {row[0]}" for row in await self._all("PRAGMA foreign_key_check")]
        return "" if found == ["ok"] else "; ".join(found[:3])

    async def commit(self) -> None:
        await self._all("COMMIT")
