"""Reads of the PostgreSQL ledger that SQLite needs other statements for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.postgres.database import Connection, account_hash
from k3push.adapters.ledger.sql_steps.step_connection import run_key
from k3push.core.model import BillNumber, Row, RunId, State, id_in, number_in
from k3push.ports import Glance


async def glances(
    connection: Connection, accounts: Collection[str], *, among: int
) -> Mapping[str, Sequence[Glance]]:
    """Return the last run of each route of several accounts, and those that are not settled."""
    seen: dict[str, list[Glance]] = {account: [] for account in accounts}
    for account, counts, *run in await connection.all("glances", accounts=list(seen), among=among):
        seen[account].append(records.read_glance(run, counts))
    return {account: rules.worth_a_glance(those) for account, those in seen.items()}


async def rows(
    connection: Connection,
    run: RunId,
    *,
    states: Collection[State] = (),
    after: int = 0,
    limit: int = 1000,
) -> Sequence[Row]:
    """Return a page of rows, in the order of the job files."""
    key = await run_key(connection, run)
    if not states:
        return records.read_rows(await connection.all("page", run=key, after=after, limit=limit))
    common: list[str] = sorted(rules.COMMON.intersection(states))
    rare: list[str] = sorted(set(states) - rules.COMMON)
    page = {"run": key, "after": after, "limit": limit}
    found = await connection.all("page_in_states", **page, common=common, rare=rare)
    return records.read_rows(found)


async def accounts_with(
    connection: Connection, number: BillNumber, accounts: Collection[str]
) -> Collection[str]:
    """Return which of several accounts have rows of a number, by either spelling."""
    found = await connection.all(
        "accounts_with",
        accounts=list(accounts),
        hashes=[account_hash(account) for account in accounts],
        number=number_in(number),
        id=id_in(number),
        bill=number,
    )
    return {account for (account,) in found}
