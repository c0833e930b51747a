"""How the SQLite ledger begins calls that submit or audit; nobody else writes meanwhile."""

from __future__ import annotations

import orjson

from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.sql_steps.followed_documents import documents_of
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection
from k3push.core.model import StepAttempt, StepIntent, StepsSoFar
from k3push.ports import OtherRunStepsError


async def steps_so_far(connection: AccountConnection) -> StepsSoFar:
    """Return which attempts at steps have begun."""
    last, under_way = await connection.one("steps_so_far") or (0, "[]")
    return StepsSoFar(last, frozenset(orjson.loads(under_way)))


async def begin_step(
    connection: AccountConnection, intent: StepIntent, *, after: StepsSoFar | None = None
) -> StepAttempt:
    """Write an attempt at a step down."""
    mine = await connection.lock_run(intent.run)
    key, form = mine.key, rules.target_of(mine.scope)
    rules.check_step(intent.ids, await documents_of(connection, intent.run, intent.ids))
    ids = list(intent.ids)
    if after is not None and await connection.one(
        "step_elsewhere",
        run=key,
        form=form,
        last=after.last,
        under_way=sorted(after.under_way),
        ids=ids,
    ):
        raise OtherRunStepsError(intent.run)
    step = await connection.inserted("insert_step", run=key, **records.write_step(intent))
    await connection.do("set_step_of", run=key, step=step, ids=ids)
    return StepAttempt(step, intent)
