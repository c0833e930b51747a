"""The steps of every SQL ledger about documents that are followed after their push."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection, run_key
from k3push.core.model import Document, Exchange, Follow, RunId, StepAttempt
from k3push.ports import NEWEST_CALLS, NoAttemptError, StepRecord


async def enrol(
    connection: StepConnection,
    run: RunId,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Begin to follow documents."""
    key = (await connection.lock_run_shared(run)).key
    each = map(records.write_document, documents)
    await connection.do_each("enrol", each, run=key, at=codec.write_time(at))


async def follow(
    connection: StepConnection,
    run: RunId,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Write down how far documents have come."""
    key = (await connection.lock_run_shared(run)).key
    await _set(connection, key, documents, at)


async def record_step(
    connection: StepConnection,
    attempt: StepAttempt,
    exchange: Exchange,
    verdict: str,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Write down what came of an attempt at a step, once."""
    key = (await connection.lock_run_shared(attempt.intent.run)).key
    found = await connection.one("step_recording", step=attempt.id)
    if found is None:
        raise NoAttemptError(attempt.intent.run)
    _, recorded, killed = found
    if recorded:
        return
    rules.check_step_recording(attempt.id, killed=bool(killed))
    await _set(connection, key, documents, at)
    await connection.do(
        "set_step_exchange",
        step=attempt.id,
        ended_at=codec.write_time(at),
        verdict=codec.write_text(verdict) or "",
        **codec.write_exchange(exchange),
    )


async def bury(connection: StepConnection, key: int) -> None:
    """Leave in doubt what a dead executor had begun."""
    await connection.do("doubt_open_steps", run=key, reason=rules.KILLED_BECAUSE)
    await connection.do("close_steps", run=key, verdict=rules.KILLED_BECAUSE)


async def documents(
    connection: StepConnection,
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
    return [records.read_document(each) for each in found]


async def documents_of(
    connection: StepConnection, run: RunId, ids: Collection[str]
) -> Mapping[str, Document]:
    """Return documents by id."""
    key = await run_key(connection, run)
    found = await connection.all("documents_by_id", run=key, ids=list(ids))
    return {each[0]: records.read_document(each) for each in found}


async def document_counts(connection: StepConnection, run: RunId) -> Mapping[Follow, int]:
    """Count documents."""
    found = await connection.all("count_documents", run=await run_key(connection, run))
    return {Follow(word): n for word, n in found}


async def step(connection: StepConnection, attempt: int) -> StepRecord | None:
    """Return an attempt at a step."""
    found = await connection.one("select_step", step=attempt)
    return records.read_step(found) if found else None


async def long_steps(
    connection: StepConnection, since: datetime, *, longer_s: float
) -> Sequence[StepRecord]:
    """Return attempts at steps that may have kept calls waiting."""
    found = await connection.all(
        "long_steps", since=codec.write_time(since), longer_s=longer_s, limit=NEWEST_CALLS
    )
    return [records.read_step(each) for each in found]


async def steps_of(connection: StepConnection, document: str) -> Sequence[StepRecord]:
    """Return every attempt at a step of a document."""
    found = await connection.all("steps_of", document=document)
    return [records.read_step(each) for each in found]


async def _set(
    connection: StepConnection, key: int, documents: Sequence[Document], at: datetime
) -> None:
    each = map(records.write_document, documents)
    await connection.do_each("set_documents", each, run=key, at=codec.write_time(at))
