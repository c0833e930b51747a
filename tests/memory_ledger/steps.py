"""What follows a push, in memory: documents, and the steps that are taken with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import inf

from k3push.adapters.ledger import rules
from k3push.core.model import Document, Exchange, Follow, RunId, StepAttempt, StepIntent, StepsSoFar
from k3push.ports import NEWEST_CALLS, NoAttemptError, OtherRunStepsError, StepRecord
from tests.memory_ledger.store_view import StoreView


class StepVerbs(StoreView):
    """The verbs about documents and their steps."""

    async def enrol(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:  # noqa: ARG002  # the order is all that memory keeps
        """Begin to follow documents."""
        mine = await self._documents(run)
        for document in documents:
            mine.setdefault(document.id, replace(document, step=0))

    async def documents(
        self,
        run: RunId,
        *,
        follows: Collection[Follow] = (),
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[Document]:
        """Return a page of documents."""
        mine = sorted((await self._documents(run)).items())
        found = [d for id_, d in mine if id_ > after and (not follows or d.follow in follows)]
        return found[:limit]

    async def documents_of(self, run: RunId, ids: Collection[str]) -> Mapping[str, Document]:
        """Return documents by id."""
        mine = await self._documents(run)
        return {id_: mine[id_] for id_ in ids if id_ in mine}

    async def document_counts(self, run: RunId) -> Mapping[Follow, int]:
        """Count documents by how far they have come."""
        return Counter(document.follow for document in (await self._documents(run)).values())

    async def follow(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:  # noqa: ARG002
        """Write down how far documents have come."""
        self._move_documents(await self._documents(run), documents)

    async def steps_so_far(self) -> StepsSoFar:
        """Return which attempts at steps have begun."""
        store = await self._turn()
        under_way = (
            kept.attempt.id
            for kept in store.steps
            if not (kept.ended_at or kept.verdict)
            if self._is_mine(store, kept.attempt.intent.run)
        )
        return StepsSoFar(len(store.steps), frozenset(under_way))

    async def begin_step(
        self, intent: StepIntent, *, after: StepsSoFar | None = None
    ) -> StepAttempt:
        """Keep an attempt at a step."""
        mine = await self._documents(intent.run)
        rules.check_step(intent.ids, mine)
        steps, runs = self._store.steps, self._store.runs
        form = rules.target_of(runs[intent.run].run.scope)
        if after is not None and any(
            (
                kept.attempt.id > after.last
                or kept.attempt.id in after.under_way
                or not (kept.ended_at or kept.verdict)
            )
            and kept.attempt.intent.run != intent.run
            and not set(intent.ids).isdisjoint(kept.attempt.intent.ids)
            and self._is_mine(self._store, kept.attempt.intent.run)
            and rules.target_of(runs[kept.attempt.intent.run].run.scope) == form
            for kept in steps
        ):
            raise OtherRunStepsError(intent.run)
        attempt = StepAttempt(len(steps) + 1, intent)
        steps.append(StepRecord(attempt, None, "", None))
        for id_ in intent.ids:
            mine[id_] = replace(mine[id_], step=attempt.id)
        return attempt

    async def record_step(
        self,
        attempt: StepAttempt,
        exchange: Exchange,
        verdict: str,
        documents: Sequence[Document],
        *,
        at: datetime,
    ) -> None:
        """Keep what came of an attempt at a step, once."""
        mine = await self._documents(attempt.intent.run)
        if attempt.id > len(self._store.steps):
            raise NoAttemptError(attempt.intent.run)
        kept = self._store.steps[attempt.id - 1]
        if kept.ended_at:
            return
        rules.check_step_recording(attempt.id, killed=bool(kept.verdict))
        self._move_documents(mine, documents)
        self._store.steps[attempt.id - 1] = StepRecord(attempt, exchange, verdict, at)

    async def step(self, attempt: int) -> StepRecord | None:
        """Return an attempt at a step."""
        store = await self._turn()
        found = store.steps[attempt - 1 : attempt] if attempt > 0 else []
        return next((s for s in found if self._is_mine(store, s.attempt.intent.run)), None)

    async def steps_of(self, document: str) -> Sequence[StepRecord]:
        """Return every attempt at a step of a document."""
        store = await self._turn()
        return [
            kept
            for kept in store.steps
            if document in kept.attempt.intent.ids and self._is_mine(store, kept.attempt.intent.run)
        ]

    async def long_steps(self, since: datetime, *, longer_s: float) -> Sequence[StepRecord]:
        """Return attempts at steps that may have kept calls waiting."""
        store = await self._turn()
        found = []
        for kept in store.steps[-NEWEST_CALLS:]:
            intent = kept.attempt.intent
            took_s = (kept.ended_at - intent.began_at).total_seconds() if kept.ended_at else inf
            is_long = took_s > longer_s or kept.verdict.startswith("note.doubt")
            if is_long and intent.began_at >= since and self._is_mine(store, intent.run):
                found.append(kept)
        return found

    async def _documents(self, run: RunId) -> dict[str, Document]:
        await self._rows_of_run(run)
        return self._store.documents.setdefault(run, {})

    def _move_documents(self, mine: dict[str, Document], documents: Sequence[Document]) -> None:
        for document in documents:
            if document.id in mine:
                known = mine[document.id]
                mine[document.id] = replace(document, step=known.step, sender=known.sender)
