"""Writing down in memory what is sent, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import chain

from k3push.adapters.ledger import claims, rules
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    Intent,
    Outcome,
    RunId,
    State,
    number_in,
)
from k3push.core.safety import legal_moves
from k3push.ports import AttemptRecord, Doubt, Holder, InHand, NoAttemptError
from tests.memory_ledger.rows import (
    intents,
    killed,
    move,
    of_scope,
    pass_claims_on,
    place_of,
    take_down,
)
from tests.memory_ledger.store_view import StoreView


class SendingVerbs(StoreView):
    """The verbs from the claim of a number to its outcome."""

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim what is free or was held by the dead for numbers that nobody sent."""
        store = await self._turn()
        scope = self._known(store, run).run.scope
        claims.check_claim(numbers)
        claimed: dict[BillNumber, claims.Claimed] = {}
        holders: dict[BillNumber, Holder] = {}
        for number in dict.fromkeys(map(number_in, numbers)):
            if (scope, number) not in store.claims:
                continue
            holder, bill = store.claims[scope, number]
            rows, alive = store.runs[holder], holder in store.owners
            row = rows.rows.get(rows.bills.get(bill, 0))
            claimed[number] = claims.Claimed(bill, holder == run, alive, row and row.state)
            holders[number] = Holder(holder, alive=alive)
            if holder != run and not alive and row and row.state is State.SENT:
                rows.rows[row.place] = killed(row)
        taken, held = claims.share_out(numbers, claimed)
        store.claims |= {(scope, number): (run, bill) for number, bill in taken.items()}
        return {bill: holders[number_in(bill)] for bill in held}

    async def in_hand(self, run: RunId, ids: Collection[str]) -> Mapping[str, Sequence[InHand]]:
        """Return which bills runs have on their way or in doubt."""
        store = await self._turn()
        mine = self._known(store, run).run.scope
        found: dict[str, list[InHand]] = {}
        for rows in of_scope(store, mine):
            for row in chain.from_iterable(map(rows.of_source, ids)):
                if row.state in legal_moves.OPEN:
                    found.setdefault(row.source_id, []).append(InHand(rows.run.id, row.bill))
        return found

    async def begin(self, intent: Intent) -> Attempt:
        """Keep the intent, move its rows to `sent`."""
        store = await self._turn()
        rows = self._known(store, intent.run)
        rules.check_once(intent.numbers)
        for number in intent.numbers:
            rules.check_begin(
                number,
                rows.standing(rows.bills.get(number)),
                claimed=store.claims.get((rows.run.scope, number_in(number)))
                == (intent.run, number),
            )
        attempt = Attempt(len(store.attempts) + 1, intent)
        store.attempts.append(AttemptRecord(attempt, None, "", None))
        for place in (rows.bills[number] for number in intent.numbers):
            rows.attempts[place] = attempt.id
            rows.rows[place] = rows.rows[place]._replace(
                state=State.SENT,
                targets=(),
                code="",
                reason="",
                attempts=rows.rows[place].attempts + 1,
                chunk=intent.chunk,
                sent_at=intent.began_at,
            )
        return attempt

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Keep what came of *attempt*, once."""
        store = await self._turn()
        if attempt.id > len(store.attempts):
            raise NoAttemptError(attempt.intent.run)
        kept = store.attempts[attempt.id - 1]
        intent = kept.attempt.intent
        rows = self._known(store, intent.run)
        if kept.ended_at:
            return
        rules.check_recording(attempt.id, intent.numbers, outcomes, killed=bool(kept.verdict))
        standings = [rows.standing(rows.bills.get(outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at, attempt=attempt.id, keep_planned=keep_claims)
        store.attempts[attempt.id - 1] = AttemptRecord(kept.attempt, exchange, verdict, at)

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt, and keep the note beside each."""
        store = await self._turn()
        rows = self._known(store, run)
        standings = [rows.standing(place_of(rows, outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at)
        was = {o.number: each for o, each in zip(outcomes, standings, strict=True) if each}
        pass_claims_on(store, rows.run.scope, rules.settled(outcomes, was))
        if note:
            take_down(store, run, outcomes, at, note)

    async def amend(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
    ) -> None:
        """Add documents to rows that name some already, and keep the note beside each."""
        store = await self._turn()
        rows = self._known(store, run)
        before = [rows.documents_at(rows.bills.get(outcome.number)) for outcome in outcomes]
        for place, outcome in rules.check_amending(outcomes, before):
            rows.rows[place] = rows.rows[place]._replace(
                state=outcome.state,
                targets=outcome.targets,
                code=outcome.code,
                reason=outcome.reason,
            )
        take_down(store, run, outcomes, at, note)

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of rows that wait what for."""
        store = await self._turn()
        rows = self._known(store, run)
        for outcome in outcomes:
            place = rows.bills.get(outcome.number)
            if (
                place
                and rows.rows[place].state is outcome.state
                and outcome.state in legal_moves.WAITING
            ):
                rows.rows[place] = rows.rows[place]._replace(
                    code=outcome.code, reason=outcome.reason
                )
                claim = (rows.run.scope, number_in(outcome.number))
                if outcome.state is State.PLANNED and store.claims.get(claim) == (
                    run,
                    outcome.number,
                ):
                    del store.claims[claim]

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        store = await self._turn()
        rows = self._known(store, run)
        doubts = []
        for place, row in sorted(rows.rows.items()):
            if row.state is State.UNKNOWN:
                attempt = store.attempts[rows.attempts[place] - 1].attempt
                intent = attempt.intent
                before = intent.before.get(row.bill, ())
                doubts.append(
                    Doubt(
                        run,
                        row.bill,
                        attempt.id,
                        intent.began_at,
                        intent.uptime,
                        before,
                        sender=intent.sender,
                        alone=len(intent.numbers) == 1,
                        id=row.source_id if row.listed_id else "",
                        source_id=row.source_id,
                    )
                )
        return doubts

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        store = await self._turn()
        self._known(store, run)
        sent = intents(store, run)
        return 1 + max((intent.chunk for intent in sent), default=0)
