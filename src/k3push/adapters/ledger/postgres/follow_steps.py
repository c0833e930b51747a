"""How the PostgreSQL ledger begins calls that submit or audit, beside other processes."""

from __future__ import annotations

from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.postgres.database import Connection
from k3push.adapters.ledger.sql_steps.followed_documents import documents_of
from k3push.core.model import StepAttempt, StepIntent, StepsSoFar
from k3push.ports import OtherRunStepsError


async def steps_so_far(connection: Connection) -> StepsSoFar:
    """Return which attempts at steps have begun.

    Numbers are given out in another order than that in which they are committed, so that those
    which are about to be committed are waited for.
    """
    await connection.do("lock_steps")
    last, under_way = await connection.one("steps_so_far") or (0, [])
    return StepsSoFar(last, frozenset(under_way))


async def begin_step(
    connection: Connection, intent: StepIntent, *, after: StepsSoFar | None = None
) -> StepAttempt:
    """Write an attempt at a step down."""
    await connection.do("share_steps")
    mine = await connection.lock_run_shared(intent.run)
    key, form = mine.key, rules.target_of(mine.scope)
    rules.check_step(intent.ids, await documents_of(connection, intent.run, intent.ids))
    if after is not None:
        ids = list(intent.ids)
        # Two runs that begin with one document at one moment do so one after the other.
        await connection.do("lock_for_step", ids=sorted(ids))
        if await connection.one(
            "step_elsewhere",
            run=key,
            form=form,
            last=after.last,
            under_way=sorted(after.under_way),
            ids=ids,
        ):
            raise OtherRunStepsError(intent.run)
    step = await connection.inserted(
        "insert_step", run=key, documents=list(intent.ids), **records.write_step(intent)
    )
    return StepAttempt(step, intent)
