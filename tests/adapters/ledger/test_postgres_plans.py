"""What a chunk costs PostgreSQL does not grow with the ledger, whatever the planner knows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from anyio import to_thread

from k3push.adapters.ledger.postgres import migrate
from k3push.adapters.ledger.postgres.database import (
    SCHEMA,
    SESSION,
    account_hash,
    statements,
    write_each,
)
from k3push.fleet.isolation import isolation_sql
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

RUNS, ROWS = 100, 200
OTHERS = 100
"""Accounts whose bills have the numbers and ids of those that are asked for."""

ASKED = 50
"""Bills of the last run that are asked for."""

MOST_WALKED = 20 * ASKED
"""Rows of tables that a statement may go through for these."""

POLICIES = 10
"""Times that a statement may read the runs of a tenant, to know whose its rows are."""

BY_KEY = (
    "accounts_with",
    "amend",
    "attempts_in",
    "delete_row",
    "in_hand",
    "insert_attempt",
    "kill",
    "lately_sent",
    "lost_calls",
    "made_in",
    "made_of_namesakes",
    "notes_in",
    "notes_of",
    "pass_claims_on",
    "places_of_listed",
    "prune_rows",
    "put_off",
    "repoint_repeats",
    "row_to_repeat",
    "rows_of_sources",
    "set_bills",
    "set_outcome",
)
BY_ID = ("lock_documents", "lock_rows", "rows_of_lines")
"""Statements that are given a run by its id."""

FILL = """
INSERT INTO runs (id, account, scope, route, jobs, folder, started_at, whole)
SELECT 'r' || i, 'a', 'a|p|s', '{}', '[]', '', i, 1 FROM generate_series(1, %(runs)s) AS i;
INSERT INTO runs (id, account, scope, route, jobs, folder, started_at, whole)
SELECT 'o' || i, 'o' || i, 'o' || i || '|p|s', '{}', '[]', '', i, 1
FROM generate_series(1, %(others)s) AS i;
INSERT INTO attempts (id, run, chunk, nth, began_at, uptime_s, numbers, request, ended_at)
SELECT key * 1000 + j, key, j, 1, '2026', 0, '[]', '', '2026'
FROM runs CROSS JOIN generate_series(1, %(rows)s) AS j;
INSERT INTO rows (run, place, line, number, bill, source_id, state, attempt, account_hash)
SELECT key, j, j, b, b, n * 1000000 + j, 'pushed', key * 1000 + j, %(hash)s + n - key
FROM runs CROSS JOIN generate_series(1, %(rows)s) AS j
CROSS JOIN LATERAL (SELECT least(key, %(runs)s) AS n) AS last
CROSS JOIN LATERAL (SELECT 'N' || n || 'x' || j AS b) AS named;
INSERT INTO carried (number, attempt)
SELECT bill, attempt - 1 FROM rows WHERE place > 1 AND run <= %(runs)s;
INSERT INTO notes (number, run, at, text) SELECT bill, run, '2026', '' FROM rows;
"""


@pytest.fixture
def anyio_backend() -> str:
    """Psycopg works on asyncio."""
    return "asyncio"


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize("analyzed", shared_out([False, True], 2))
async def test_bills_are_found_without_going_through_all_others(
    postgres_url: str, *, analyzed: bool, bound: bool
) -> None:
    """A chunk of an old ledger took as long as all that was ever pushed.

    In a database of many tenants each bill cost as much as all tenants' bills of its number, and
    for a role that is bound to a tenant each one that is found by its id as much as all of them.
    """
    await migrate(postgres_url, create=True)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        told = {name: value for name, value in SESSION.items() if name.startswith("enable_")}
        for name, value in {**told, "search_path": SCHEMA}.items():
            await connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        for table in ("runs", "rows", "attempts", "carried", "notes"):
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        facts = {"runs": RUNS, "others": OTHERS, "rows": ROWS, "hash": account_hash("a")}
        for statement in FILL.split(";\n"):
            if statement:
                await connection.execute(statement, facts)
        if analyzed:
            await connection.execute("ANALYZE")
        if bound:
            role, database = f"a_{uuid4().hex[:8]}", connection.info.dbname
            binding = await to_thread.run_sync(isolation_sql, role, "a", database)
            await connection.execute(binding.encode())
            await connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        asked = await connection.execute(
            "SELECT bill, source_id, run FROM rows WHERE run = %s ORDER BY place LIMIT %s",
            [RUNS, ASKED],
        )
        bills, ids, runs = zip(*await asked.fetchall(), strict=True)
        accounts = ["a", *(f"o{nth}" for nth in range(1, OTHERS + 1))]
        values: dict[str, Any] = {
            "account": "a",
            "account_hash": account_hash("a"),
            "accounts": accounts,
            "hashes": [account_hash(each) for each in accounts],
            "number": bills[0],
            "bill": bills[0],
            "id": "",
            "scope": "a|p|s",
            "run": runs[0],
            "but": runs[0],
            "numbers": list(bills),
            "bills": list(bills),
            "ids": list(ids),
            "or_found": False,
            "since": "2026",
            "after": 0,
            "limit": ASKED,
            "chunk": 1,
            "nth": 1,
            "began_at": "2026",
            "boot": None,
            "uptime_s": 0,
            "before": None,
            "request": b"",
            "sender": "",
            "code": None,
            "reason": None,
        }
        places = list(range(1, ASKED + 1))
        lines = [
            {"place": place, "bill": bill, "source_id": id_, "state": "pushed", "kept": 1}
            for place, bill, id_ in zip(places, bills, ids, strict=True)
        ]
        named = {place: (bill, id_) for place, bill, id_ in zip(places, bills, ids, strict=True)}
        values |= {"places": places, "each": write_each(lines), "named": json.dumps(named)}
        walked = {}
        for name in (*BY_KEY, *BY_ID):
            if name in BY_ID:
                values |= {"run": f"r{RUNS}", "of": list(bills)}
            # Of all runs but one the newest call left long ago.
            values["since"] = "2027" if name == "lost_calls" else "2026"
            text = b"EXPLAIN (ANALYZE, FORMAT JSON) " + statements()[name]
            async with connection.transaction(force_rollback=True):
                (((told_plan,),),) = await (await connection.execute(text, values)).fetchall()
            walked[name] = sum(map(_walked, _nodes(told_plan["Plan"])))
    most = MOST_WALKED + (POLICIES * RUNS if bound else 0)
    assert {name: count for name, count in walked.items() if count > most} == {}


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _walked(node: Mapping[str, Any]) -> float:
    """Return through how many rows of a table a step of a plan goes."""
    if "Relation Name" not in node:
        return 0
    passed = node.get("Rows Removed by Filter", 0)
    return float((node["Actual Rows"] + passed) * node["Actual Loops"])
