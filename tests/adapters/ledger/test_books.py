"""Ledgers as tables: copied both ways, looked through for faults, and opened from old versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from anyio import to_thread

from k3push.adapters.ledger.maintenance.copy import CopyDiffersError, copy, is_empty
from k3push.adapters.ledger.maintenance.integrity import check
from k3push.adapters.ledger.maintenance.postgres_tables import books_in_postgres
from k3push.adapters.ledger.maintenance.sql_tables import TABLES, Cells, LedgerTable, SqlTables
from k3push.adapters.ledger.maintenance.sqlite_tables import books_in_sqlite
from k3push.core.model import RunId, State
from k3push.ports import Ledger, Memo
from tests.adapters.ledger.players import open_ledger
from tests.adapters.ledger.samples import (
    NOON,
    a_run,
    later,
    lived_in,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.said import refused

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

OLD = Path(__file__).parent / "old"


@pytest.fixture
def anyio_backend() -> str:
    """Psycopg works on asyncio."""
    return "asyncio"


@pytest.fixture
def sqlite_file(tmp_path: Path) -> str:
    """Return where a ledger in SQLite is to be."""
    return str(tmp_path / "ledger.db")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> str:
    """Return where a ledger is to be."""
    named = "sqlite_file" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(named))


def open_books(place: str, *, write: bool = False) -> AbstractAsyncContextManager[SqlTables]:
    """Open the tables of a ledger."""
    if place.startswith("postgresql://"):
        return books_in_postgres(place)
    return books_in_sqlite(Path(place), write=write)


async def all_of(books: SqlTables) -> dict[str, list[Cells]]:
    """Return every row of every table."""
    return {table.name: list(await books.page(table, (), 1000)) for table in TABLES}


async def seen(ledger: Ledger, run: RunId) -> list[object]:
    """Return what the verbs tell of a run."""
    looks: list[Callable[[RunId], Any]] = [
        ledger.run,
        ledger.rows,
        ledger.repeats,
        ledger.counts,
        ledger.target_count,
        ledger.doubts,
        ledger.next_chunk,
        ledger.attempts_in,
        ledger.notes_in,
        ledger.attempt_count,
        ledger.spans,
        ledger.commands,
        ledger.documents,
        ledger.document_counts,
    ]
    return [await look(run) for look in looks]


async def test_a_copy_there_and_back_is_the_same(
    tmp_path: Path, sqlite_file: str, postgres_url: str
) -> None:
    """Whoever moves to many machines, or back, loses no row, no answer and no id."""
    back = str(tmp_path / "back.db")
    async with open_ledger(sqlite_file) as ledger, open_ledger(back), open_ledger(postgres_url):
        run = await lived_in(ledger)
        async with open_books(sqlite_file) as source:
            original = await all_of(source)
            assert all(original.values()), "a table without a row would prove nothing"
            async with open_books(postgres_url, write=True) as target:
                assert await is_empty(target)
                copied = await copy(source, target)
        assert copied == {name: len(rows) for name, rows in original.items()}
        async with open_books(postgres_url) as source, open_books(back, write=True) as target:
            await copy(source, target)
        async with open_books(back) as books:
            assert await all_of(books) == original
        told = await seen(ledger, run)
    for place in (postgres_url, back):
        async with open_ledger(place) as ledger:
            assert await seen(ledger, run) == told
            # Ids that come follow those that were copied, and claims hold.
            new = await planned(ledger, "X C", "r2")
            assert (await ledger.claim(new, numbers("C"))).keys() == {"C"}
            attempt = await sent(ledger, new, "X")
            assert attempt.id == 1 + max(row[0] for row in original["attempts"])
            with refused(ValueError, "r1"):
                await ledger.open_run(a_run("r1"))


async def test_a_copy_of_what_was_empty_is_made_anew(sqlite_file: str, postgres_url: str) -> None:
    """Whoever has tried it before the first run copies into the same place later."""
    async with open_ledger(sqlite_file) as ledger, open_ledger(postgres_url):
        for run in ("", "r1"):
            if run:
                await planned(ledger, "A", run)
            async with (
                open_books(sqlite_file) as source,
                open_books(postgres_url, write=True) as target,
            ):
                assert await is_empty(target)
                await copy(source, target)


async def test_a_ledger_without_runs_that_knows_a_program_is_not_empty(place: str) -> None:
    """A copy into it was said to differ from its source, in the token that was made there."""
    async with open_ledger(place) as ledger:
        await ledger.remember(Memo("token", "erp", NOON, {}))
    async with open_books(place) as books:
        assert not await is_empty(books)


class _Careless(SqlTables):
    """A database that loses the last row of every page of a table."""

    def __init__(self, books: SqlTables, table: str) -> None:
        self._books = books
        self._table = table

    async def page(self, table: LedgerTable, after: Cells, limit: int) -> Sequence[Cells]:
        return await self._books.page(table, after, limit)

    async def add(self, table: LedgerTable, rows: Sequence[Cells]) -> None:
        await self._books.add(table, rows[:-1] if table.name == self._table else rows)

    async def count_anew(self) -> None:
        await self._books.count_anew()

    async def ask(self, question: str) -> Cells:
        return await self._books.ask(question)

    async def alive(self) -> str:
        return await self._books.alive()

    async def distrust(self) -> None:
        await self._books.distrust()

    async def broken(self) -> str:
        return await self._books.broken()

    async def commit(self) -> None:
        await self._books.commit()


@pytest.mark.parametrize("table", ["notes", "carried", "claims"])
async def test_a_copy_that_differs_is_not_kept(
    sqlite_file: str, postgres_url: str, table: str
) -> None:
    """A row that is missing may be one that was sent, so half a ledger is worse than none."""
    async with open_ledger(sqlite_file) as ledger, open_ledger(postgres_url):
        await lived_in(ledger)
        async with open_books(sqlite_file) as source, open_books(postgres_url) as target:
            with refused(CopyDiffersError, table):
                await copy(source, _Careless(target, table))
        async with open_books(postgres_url) as target:
            assert await is_empty(target)


async def test_a_sound_ledger_has_no_fault(place: str) -> None:
    """A check that cries wolf is not read."""
    async with open_ledger(place) as ledger:
        await lived_in(ledger)
    async with open_books(place) as books:
        found = [finding async for finding in check(books)]
    assert [(finding.check, finding.wrong) for finding in found] == [
        ("file", 0),
        ("tallies", 0),
        ("attempts", 0),
        ("claims", 0),
        ("unclaimed", 0),
        ("cells", 0),
        ("answers", 0),
    ]


async def spoil(place: str, statement: str) -> None:
    """Change a ledger behind its back."""
    if place.startswith("postgresql://"):
        async with await psycopg.AsyncConnection.connect(place, autocommit=True) as connection:
            await connection.execute(b"SET search_path = k3push")
            await connection.execute(statement.encode())
        return

    def run() -> None:
        with closing(sqlite3.connect(place)) as connection:
            connection.execute(statement)
            connection.commit()

    await to_thread.run_sync(run)


@pytest.mark.parametrize(
    ("statement", "fault", "example"),
    [
        ("UPDATE tallies SET n = n + 1 WHERE state = 'pushed'", "tallies", "r1"),
        ("UPDATE rows SET attempt = NULL WHERE number = 'C'", "attempts", "C"),
        ("DELETE FROM claims WHERE number = 'C'", "unclaimed", "C"),
        ("UPDATE rows SET state = 'rejected' WHERE number = 'F'", "claims", "F"),
        ("UPDATE attempts SET body = request, request = '' WHERE id = 1", "answers", "1"),
        ("UPDATE runs SET route = '[]' WHERE key = 1", "cells", "runs 1"),
        ("UPDATE rows SET targets = '{' WHERE number = 'A' AND run = 1", "cells", "rows 1, 1"),
        ("UPDATE attempts SET began_at = 'noon' WHERE id = 1", "cells", "attempts 1"),
    ],
)
async def test_a_fault_is_found_and_named(
    place: str, statement: str, fault: str, example: str
) -> None:
    """Somebody's own UPDATE, or a half restored backup, is found before it costs a document."""
    async with open_ledger(place) as ledger:
        await lived_in(ledger)
    await spoil(place, statement)
    async with open_books(place) as books:
        found = {finding.check: finding async for finding in check(books)}
    assert (found[fault].wrong, found[fault].example) == (1, example)


async def restored(dump: str, place: str, more: str = "") -> None:
    """Put a ledger of an earlier version where a ledger is to be."""
    text = await to_thread.run_sync((OLD / f"{dump}.sql").read_text, "utf-8")
    if place.startswith("postgresql://"):
        async with await psycopg.AsyncConnection.connect(place) as connection:
            await connection.execute((text + more).encode())
        return

    def restore() -> None:
        with closing(sqlite3.connect(place)) as connection:
            connection.executescript(text + more)

    await to_thread.run_sync(restore)


OLDEST_WITH_BILLS = {"sqlite": "sqlite_6", "postgresql": "postgres_2"}

# r1 of the dump has C and 丁 in doubt and F claimed; the same forms, by a rule and in capitals.
ANOTHER_RULE = """
INSERT INTO runs (key, id, scope, route, jobs, folder, started_at, whole, listed)
SELECT 3, 'r2', 's|PUR_PurchaseOrder|rule',
    '{"name":"x","source":"PUR_PURCHASEORDER","target":"STK_INSTOCK"}',
    jobs, folder, '2024-05-18T12:00:00.250Z', 1, 3
FROM runs WHERE key = 2;
INSERT INTO attempts
    (id, run, chunk, nth, began_at, boot, uptime_s, numbers, request, ended_at, verdict, answer)
SELECT 3, 3, 1, 1, began_at, boot, uptime_s, '["丁","F"]', request, ended_at, verdict, answer
FROM attempts WHERE id = 2;
INSERT INTO rows (run, place, line, number, bill, state, attempt)
VALUES
    (3, 1, 1, 'C', 'C', 'planned', NULL),
    (3, 2, 2, '丁', '丁', 'unknown', 3),
    (3, 3, 3, 'F', 'F', 'unknown', 3);
INSERT INTO carried (number, attempt) VALUES ('丁', 3), ('F', 3);
INSERT INTO claims (scope, number, run)
SELECT scope, bill, run FROM rows JOIN runs ON runs.key = rows.run WHERE run = 3;
"""
COUNTED = {
    "sqlite": "INSERT INTO tallies (run, state, n) VALUES (3, 'planned', 1), (3, 'unknown', 2);",
    "postgresql": """INSERT INTO tallies (run, state, shard, n)
VALUES (3, 'planned', 0, 1), (3, 'unknown', 0, 2);
SELECT setval(pg_get_serial_sequence('runs', 'key'), 3);
SELECT setval(pg_get_serial_sequence('attempts', 'id'), 3);""",
}


async def test_claims_of_two_rules_become_one(place: str) -> None:
    """Two routes of the same forms would make two documents of each bill that both hold."""
    kind = "postgresql" if place.startswith("postgresql") else "sqlite"
    await restored(OLDEST_WITH_BILLS[kind], place, ANOTHER_RULE + COUNTED[kind])
    first, second = RunId("r1"), RunId("r2")
    async with open_ledger(place, create=False) as ledger:
        told = [run.scope for run in await ledger.runs()]
        assert told == ["s|pur_purchaseorder|stk_instock"] * 2
        third = await planned(ledger, "C 丁 F A", "r3", told[0])
        wanted = numbers("C 丁 F A")
        held = await ledger.claim(third, wanted)
        # Who may have sent it has it; of two who may have, either.
        assert {number: holder.run for number, holder in held.items()} == {
            "C": first, "丁": first, "F": second,
        }  # fmt: skip
        assert (await ledger.made_of(third, dict.fromkeys(wanted, ""))).keys() == {"A"}
        async with open_books(place) as books:
            assert [found.check async for found in check(books) if found.wrong] == []
        # The other doubt over the same bill holds it from now on.
        async with ledger.own(first):
            await ledger.conclude(first, outcomes("丁", State.PLANNED), at=later(900))
        held = await ledger.claim(third, numbers("丁"))
        assert [holder.run for holder in held.values()] == [second]
        async with ledger.own(second):
            await ledger.conclude(second, outcomes("丁", State.PLANNED), at=later(900))
        assert await ledger.claim(third, numbers("丁")) == {}


async def test_rows_that_no_verb_finds_by_their_bill_are_told(postgres_url: str) -> None:
    """A hand that has changed the account of runs has left the hash that finds their rows."""
    async with open_ledger(postgres_url) as ledger:
        await planned(ledger, "A B", "r1")
        await planned(ledger, "C", "r2")
    async with open_books(postgres_url) as books:
        assert [found async for found in check(books) if found.wrong] == []
    async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
        await connection.execute("UPDATE k3push.runs SET account = 'another' WHERE id = 'r1'")
    async with open_books(postgres_url) as books:
        found = next(iter([found async for found in check(books)]))
    assert (found.check, found.example) == ("file", "2 rows, the first of run r1: account_hash")


@pytest.mark.parametrize(
    "old",
    [
        *(f"sqlite_{version}" for version in range(1, 8)),
        *(f"postgres_{version}" for version in range(1, 4)),
    ],
)
async def test_a_ledger_of_every_version_goes_on(
    request: pytest.FixtureRequest, sqlite_file: str, old: str
) -> None:
    """Whoever installs a newer k3push goes on with the runs of the older one."""
    place = sqlite_file
    if old.startswith("postgres"):
        place = str(request.getfixturevalue("postgres_url"))
    await restored(old, place)
    async with open_ledger(place, create=False) as ledger:
        run = RunId("r1")
        assert await states(ledger, run) == {
            "A": State.PUSHED,
            "B": State.PUSHED,
            "C": State.UNKNOWN,
            "丁": State.UNKNOWN,
            "e": State.REJECTED,
            "F": State.PLANNED,
        }
        assert len(await ledger.attempts_in(run)) == 2
        async with ledger.own(run):
            await pushed(ledger, run, "F")
    async with open_books(place) as books:
        assert [finding.check async for finding in check(books) if finding.wrong] == []
