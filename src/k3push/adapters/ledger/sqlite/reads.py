"""Reads of the SQLite ledger that PostgreSQL needs other statements for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.sql_steps.reads import counts, runs
from k3push.adapters.ledger.sql_steps.step_connection import run_key
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection
from k3push.core.model import BillNumber, Row, RunId, State, id_in, number_in
from k3push.ports import Glance


async def glances(
    connection: AccountConnection, accounts: Collection[str], *, among: int
) -> Mapping[str, Sequence[Glance]]:
    """Return the last run of each route of several accounts, and those that are not settled."""
    return {each: await _glances(connection.of_account(each), among) for each in set(accounts)}


async def _glances(connection: AccountConnection, among: int) -> Sequence[Glance]:
    found = await runs(connection, last=among)
    newest = rules.worth_a_glance([Glance(each) for each in found])
    return [Glance(each.run, await counts(connection, each.run.id)) for each in newest]


async def is_there(connection: AccountConnection, run: RunId) -> bool:
    """Say whether there is a run of that id."""
    return await connection.one("run_key", run=run) is not None


async def last_begun(
    connection: AccountConnection, runs: Iterable[RunId]
) -> Mapping[RunId, datetime | None]:
    """Return when the last call of each run was written down, whosever run it is."""
    found = {run: await connection.all("last_begun", run=run) for run in runs}
    return {run: codec.read_time_or_none(at) for run, ((at,),) in found.items()}


async def rows(
    connection: AccountConnection,
    run: RunId,
    *,
    states: Collection[State] = (),
    after: int = 0,
    limit: int = 1000,
) -> Sequence[Row]:
    """Return a page of rows, in the order of the job files."""
    key = await run_key(connection, run)
    if not states:
        return records.read_rows(
            await connection.all_at_once("page", run=run, after=after, limit=limit)
        )
    there = {state for state, _ in await connection.all("select_tallies", run=key)}
    pages = [
        await connection.all_at_once(
            "page_in_state" if state in rules.COMMON else "page_in_rare_state",
            run=run,
            state=state,
            after=after,
            limit=limit,
        )
        for state in set(states) & there
    ]
    return records.read_rows(islice(merge(*pages), limit))


async def accounts_with(
    connection: AccountConnection, number: BillNumber, accounts: Collection[str]
) -> Collection[str]:
    """Return which of several accounts have rows of a number, by either spelling."""
    named = {"number": number_in(number), "id": id_in(number), "bill": number}
    found = await connection.all("accounts_with", **named)
    return {account for (account,) in found}.intersection(accounts)
