"""The steps of the SQLite ledger about documents that are followed after their push."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import orjson

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.writes import run_key
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


def enrol(
    connection: Connection, run: RunId, documents: Sequence[Document], *, at: datetime
) -> None:
    """Begin to follow documents."""
    key = run_key(connection, run).key
    each = text.from_json([records.from_document(document) for document in documents])
    connection.do("enrol", run=key, each=each, at=text.from_time(at))


def follow(
    connection: Connection, run: RunId, documents: Sequence[Document], *, at: datetime
) -> None:
    """Write down how far documents have come."""
    _set(connection, run_key(connection, run).key, documents, at)


def steps_so_far(connection: Connection) -> StepsSoFar:
    """Return which attempts at steps have begun."""
    last, under_way = connection.one("steps_so_far") or (0, "[]")
    return StepsSoFar(last, frozenset(orjson.loads(under_way)))


def begin_step(
    connection: Connection, intent: StepIntent, *, after: StepsSoFar | None = None
) -> StepAttempt:
    """Write an attempt at a step down."""
    mine = run_key(connection, intent.run)
    key, form = mine.key, rules.target_of(mine.scope)
    rules.check_step(intent.ids, documents_of(connection, intent.run, intent.ids))
    ids = text.from_json(intent.ids)
    if after is not None and connection.one(
        "step_elsewhere",
        run=key,
        form=form,
        last=after.last,
        under_way=text.from_json(sorted(after.under_way)),
        ids=ids,
    ):
        raise OtherRunStepsError(intent.run)
    written = records.from_step(intent)
    step = connection.do("insert_step", run=key, **written)
    connection.do("set_step_of", run=key, step=step, ids=ids)
    return StepAttempt(step, intent)


def record_step(
    connection: Connection,
    attempt: StepAttempt,
    exchange: Exchange,
    verdict: str,
    documents: Sequence[Document],
    *,
    at: datetime,
) -> None:
    """Write down what came of an attempt at a step, once."""
    found = connection.one("step_recording", step=attempt.id)
    if found is None:
        raise LookupError(f"the ledger has no step {attempt.id}")
    key, recorded, killed = found
    if recorded:
        return
    rules.check_step_recording(attempt.id, killed=bool(killed))
    _set(connection, key, documents, at)
    connection.do(
        "set_step_exchange",
        step=attempt.id,
        ended_at=text.from_time(at),
        verdict=text.from_text(verdict) or "",
        **text.from_exchange(exchange),
    )


def bury(connection: Connection, key: int) -> None:
    """Leave in doubt what a dead executor had begun."""
    connection.do("doubt_open_steps", run=key, reason=rules.KILLED_BECAUSE)
    connection.do("close_steps", run=key, verdict=rules.KILLED_BECAUSE)


def documents(
    connection: Connection,
    run: RunId,
    *,
    follows: Collection[Follow] = (),
    after: str = "",
    limit: int = 1000,
) -> Sequence[Document]:
    """Return a page of documents."""
    found = connection.all(
        "select_documents",
        run=run_key(connection, run).key,
        every=not follows,
        follows=text.from_json([each.value for each in follows]),
        after=after,
        limit=limit,
    )
    return [records.to_document(each) for each in found]


def documents_of(
    connection: Connection, run: RunId, ids: Collection[str]
) -> Mapping[str, Document]:
    """Return documents by id."""
    key = run_key(connection, run).key
    found = connection.all("documents_by_id", run=key, ids=text.from_json(list(ids)))
    return {each[0]: records.to_document(each) for each in found}


def document_counts(connection: Connection, run: RunId) -> Mapping[Follow, int]:
    """Count documents."""
    found = connection.all("count_documents", run=run_key(connection, run).key)
    return {Follow(word): n for word, n in found}


def step(connection: Connection, attempt: int) -> StepRecord | None:
    """Return an attempt at a step."""
    found = connection.one("select_step", step=attempt)
    return records.to_step(found) if found else None


def steps_of(connection: Connection, document: str) -> Sequence[StepRecord]:
    """Return every attempt at a step of a document."""
    found = connection.all("steps_of", document=document)
    return [records.to_step(each) for each in found]


def _set(connection: Connection, key: int, documents: Sequence[Document], at: datetime) -> None:
    each = text.from_json([records.from_document(document) for document in documents])
    connection.do("set_documents", run=key, each=each, at=text.from_time(at))
