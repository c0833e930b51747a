"""The steps of the PostgreSQL ledger about documents that are followed after their push."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.postgres.database import Connection, to_each
from k3push.adapters.ledger.postgres.reads import run_key
from k3push.adapters.ledger.postgres.writes import run_shared
from k3push.core.model import (
    Document,
    Exchange,
    Follow,
    RunId,
    StepAttempt,
    StepIntent,
    StepsSoFar,
)
from k3push.ports import OtherRunStepsError, StepRecord


async def enrol(
    connection: Connection,
    run: RunId,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Begin to follow documents."""
    key = (await run_shared(connection, run)).key
    each = to_each(records.from_document(document) for document in documents)
    await connection.do("enrol", run=key, each=each, at=text.from_time(at))


async def follow(
    connection: Connection,
    run: RunId,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Write down how far documents have come."""
    key = (await run_shared(connection, run)).key
    await _set(connection, key, documents, at)


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
    mine = await run_shared(connection, intent.run)
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
    ((step,),) = await connection.all(
        "insert_step", run=key, documents=list(intent.ids), **records.from_step(intent)
    )
    return StepAttempt(step, intent)


async def record_step(
    connection: Connection,
    attempt: StepAttempt,
    exchange: Exchange,
    verdict: str,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Write down what came of an attempt at a step, once."""
    key = (await run_shared(connection, attempt.intent.run)).key
    found = await connection.one("step_recording", step=attempt.id)
    if found is None:
        raise LookupError(f"the ledger has no step {attempt.id}")
    _, recorded, killed = found
    if recorded:
        return
    rules.check_step_recording(attempt.id, killed=killed)
    await _set(connection, key, documents, at)
    await connection.do(
        "set_step_exchange",
        step=attempt.id,
        ended_at=text.from_time(at),
        verdict=text.from_text(verdict) or "",
        **text.from_exchange(exchange),
    )


async def bury(connection: Connection, key: int) -> None:
    """Leave in doubt what a dead executor had begun."""
    await connection.do("doubt_open_steps", run=key, reason=rules.KILLED_BECAUSE)
    await connection.do("close_steps", run=key, verdict=rules.KILLED_BECAUSE)


async def documents(
    connection: Connection,
    run: RunId,
    *,
    follows: Collection[Follow] = (),
    after: str = "",
    limit: int = 1000,
) -> Sequence[Document]:
    """Return a page of documents."""
    found = await connection.all(
        "select_documents",
        run=await run_key(connection, run),
        every=not follows,
        follows=[each.value for each in follows],
        after=after,
        limit=limit,
    )
    return [records.to_document(each) for each in found]


async def documents_of(
    connection: Connection, run: RunId, ids: Collection[str]
) -> Mapping[str, Document]:
    """Return documents by id."""
    key = await run_key(connection, run)
    found = await connection.all("documents_by_id", run=key, ids=list(ids))
    return {each[0]: records.to_document(each) for each in found}


async def document_counts(connection: Connection, run: RunId) -> Mapping[Follow, int]:
    """Count documents."""
    found = await connection.all("count_documents", run=await run_key(connection, run))
    return {Follow(word): n for word, n in found}


async def step(connection: Connection, attempt: int) -> StepRecord | None:
    """Return an attempt at a step."""
    found = await connection.one("select_step", step=attempt)
    return records.to_step(found) if found else None


async def steps_of(connection: Connection, document: str) -> Sequence[StepRecord]:
    """Return every attempt at a step of a document."""
    found = await connection.all("steps_of", document=document)
    return [records.to_step(each) for each in found]


async def _set(
    connection: Connection, key: int, documents: Sequence[Document], at: datetime
) -> None:
    each = to_each(records.from_document(document) for document in documents)
    await connection.do("set_documents", run=key, each=each, at=text.from_time(at))
