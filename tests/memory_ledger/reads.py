"""Reads of the memory ledger: rows, what runs have made of bills, attempts and notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice

from k3push.adapters.ledger import rules
from k3push.core.model import (
    PARTLY,
    TWIN,
    BillNumber,
    NeverSent,
    Repeat,
    Row,
    RunId,
    State,
    id_in,
    number_in,
)
from k3push.core.safety import legal_moves
from k3push.ports import (
    EVER_AFTER,
    EVERY_CALL,
    NEWEST_CALLS,
    AttemptRecord,
    LatelySent,
    LostCall,
    Made,
    Note,
)
from tests.memory_ledger.rows import RunRows, documents_of, intents, of_scope
from tests.memory_ledger.store_view import StoreView


def _states_after(rows: RunRows, kept: AttemptRecord, *, first: bool = False) -> set[State]:
    """Return the states of the numbers that an attempt has sent last, or first and last."""
    return {
        row.state
        for place, row in rows.rows.items()
        if rows.attempts.get(place) == kept.attempt.id and not (first and row.attempts > 1)
    }


class ReadVerbs(StoreView):
    """The verbs that read numbers and what was done about them."""

    async def repeats(self, run: RunId) -> Sequence[Repeat]:
        """Return all repeats of a run in the order of their lines."""
        rows = await self._rows_of_run(run)
        return [rows.repeat_at(place) for place in sorted(rows.repeats)]

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Return a page of rows in the order of the job files."""
        rows = await self._rows_of_run(run)
        page: list[Row] = []
        for place in range(after + 1, rows.listed + 1):
            if len(page) == limit:
                break
            row = rows.rows.get(place)
            if row and (not states or row.state in states):
                page.append(row)
        return page

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count the rows of each state."""
        return (await self._rows_of_run(run)).counts()

    async def target_count(self, run: RunId) -> int:
        """Count the documents that the rows of a run name."""
        rows = self._known(await self._turn(), run).rows.values()
        return len({target.id for row in rows for target in row.targets})

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return the rows of one number in all runs, by either spelling."""
        return [
            (rows.run.id, row) for rows in await self._oldest_first() for row in rows.called(number)
        ]

    async def accounts_with(self, number: BillNumber, accounts: Collection[str]) -> Collection[str]:
        """Return which of several accounts have rows of a number."""
        every = (await self._turn()).runs.values()
        return {rows.run.account for rows in every if rows.called(number)}.intersection(accounts)

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text, the newest run first."""
        runs = reversed(await self._oldest_first())
        found = (
            (rows.run.id, row)
            for rows in runs
            for _, row in sorted(rows.rows.items())
            if _holds(row, words, remarks)
        )
        return list(islice(found, limit))

    async def runs_holding(self, words: str, *, remarks: Collection[str] = ()) -> set[RunId]:
        """Return the runs of all rows that hold a text."""
        return {
            rows.run.id
            for rows in await self._oldest_first()
            if any(_holds(row, words, remarks) for row in rows.rows.values())
        }

    async def made_of(
        self, run: RunId, bills: Mapping[BillNumber, str]
    ) -> Mapping[BillNumber, Made]:
        """Return what others than a run's rows of bills have made of them, the latest of each."""
        store = await self._turn()
        mine = self._known(store, run)
        own = {bill: mine.rows.get(mine.bills.get(bill, 0)) for bill in bills}
        rows = {bill: row.source_id if row else "" for bill, row in own.items()}
        ids = {bill: id_ or id_in(bill) or rows[bill] for bill, id_ in bills.items()}
        runs = of_scope(store, mine.run.scope)
        return _made_in(runs, ids, legal_moves.SENT_BEFORE, but=mine)

    async def made_in(
        self, scope: str, bills: Mapping[BillNumber, str], *, or_found: bool = False
    ) -> Mapping[BillNumber, Made]:
        """Return what the runs of a scope have made of bills, the latest of each."""
        store = await self._turn()
        if not rules.is_of_account(scope, self._account):
            return {}
        found = {State.ALREADY} if or_found else frozenset[State]()
        return _made_in(of_scope(store, scope), bills, legal_moves.SENT_BEFORE | found)

    async def made_of_namesakes(
        self, scope: str, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return ids of documents that runs of a scope have made of other bills of a number."""
        store = await self._turn()
        if not rules.is_of_account(scope, self._account):
            return {}
        found = {
            bill: frozenset(
                target.id
                for rows in of_scope(store, scope)
                for row in rows.of_number(number_in(bill))
                if not rules.may_be_one(id_in(bill), row.source_id)
                and row.state in legal_moves.SENT_BEFORE
                for target in row.targets
            )
            for bill in bills
        }
        return {bill: ids for bill, ids in found.items() if ids}

    async def made_by(
        self, run: RunId, sender: str | None = None, *, limit: int = 20
    ) -> Sequence[Made]:
        """Return the newest rows of the scope that name documents."""
        store = await self._turn()
        runs = reversed(of_scope(store, self._known(store, run).run.scope))
        found = chain.from_iterable(documents_of(store, rows, sender) for rows in runs)
        return list(islice(found, limit))

    async def fruitful(self, run: RunId, attempts: Collection[int]) -> frozenset[int]:
        """Return which attempts have made a document of some number."""
        rows = await self._rows_of_run(run)
        made = {State.PUSHED, State.DRAFT}
        found = {
            rows.attempts.get(place, 0) for place, row in rows.rows.items() if row.state in made
        }
        return frozenset(found.intersection(attempts))

    async def lately_sent(
        self, run: RunId, bills: Mapping[BillNumber, str], since: datetime
    ) -> Sequence[LatelySent]:
        """Return attempts of other runs of a scope that carried bills."""
        store = await self._turn()
        scope = self._known(store, run).run.scope
        others = {rows.run.id: rows for rows in of_scope(store, scope)}
        del others[run]
        found = []
        for kept in store.attempts:
            intent = kept.attempt.intent
            if intent.run not in others or intent.began_at < since:
                continue
            pairs = [(bill, bill) for bill in bills]
            for bill, id_ in bills.items():
                pairs += [(bill, row.bill) for row in others[intent.run].of_source(id_)]
            if called := rules.called_then(p for p in pairs if p[1] in intent.numbers):
                found.append(LatelySent(kept, called))
        return found

    async def lost_calls(
        self, since: datetime, *, after: int, before: int = EVERY_CALL
    ) -> Sequence[LostCall]:
        """Return attempts of the account of which nobody has heard how they ended."""
        store = await self._turn()
        found = []
        last = {kept.attempt.intent.run: kept.attempt.intent.began_at for kept in store.attempts}
        for kept in store.attempts[after : before - 1][-NEWEST_CALLS:]:
            intent, rows = kept.attempt.intent, store.runs[kept.attempt.intent.run]
            is_lost = kept.ended_at is None or _says(kept, "note.doubt")
            ended_at = rows.run.ended_at
            is_over = ended_at is not None and ended_at < since
            if is_over or last[intent.run] < since or intent.run in store.pruned:
                continue
            if is_lost and intent.began_at >= since and self._is_mine(store, intent.run):
                is_open = kept.ended_at is None and not kept.verdict
                found.append(LostCall(kept, is_open or State.UNKNOWN in _states_after(rows, kept)))
        return found

    async def last_successes(
        self, *, after: int, until: datetime = EVER_AFTER
    ) -> Sequence[AttemptRecord]:
        """Return the newest attempt of each user whose answer tells of documents."""
        told = [kept for kept in await self._successes(after) if (kept.ended_at or until) <= until]
        newest = {kept.attempt.intent.sender: kept for kept in told}
        return sorted(newest.values(), key=lambda kept: kept.attempt.id)

    async def last_answered(
        self, attempt: int, *, until: datetime, among: int
    ) -> AttemptRecord | None:
        """Return the attempt that may have come before another and whose answer came last."""
        store = await self._turn()

        def is_answered(kept: AttemptRecord) -> bool:
            is_told = kept.verdict.startswith('note.doubt{"code":"server_timeout"')
            is_told = is_told or not _says(kept, "note.doubt")
            return kept.ended_at is not None and bool(kept.verdict) and is_told

        found = [
            kept
            for kept in store.attempts[max(0, attempt - among) : attempt + among - 1]
            if self._is_mine(store, kept.attempt.intent.run)
            and kept.attempt.id != attempt
            and (kept.attempt.id < attempt or kept.attempt.intent.began_at <= until)
            and is_answered(kept)
        ]
        return max(found, key=lambda kept: (kept.ended_at, kept.attempt.id), default=None)

    async def _successes(self, after: int) -> list[AttemptRecord]:
        store = await self._turn()

        def tells(kept: AttemptRecord) -> bool:
            made = _states_after(store.runs[kept.attempt.intent.run], kept, first=True)
            silent = _says(kept, "note.silent_success") and State.PUSHED in made
            return silent or _says(kept, "note.success")

        mine = [k for k in store.attempts[after:] if self._is_mine(store, k.attempt.intent.run)]
        return [kept for kept in mine if tells(kept)]

    async def twins(self, run: RunId) -> int:
        """Count the rows whose code is `model.TWIN`."""
        rows = await self._rows_of_run(run)
        return sum(row.code == TWIN for row in rows.rows.values())

    async def partly(self, run: RunId) -> int:
        """Count the rows whose code is `model.PARTLY`."""
        rows = await self._rows_of_run(run)
        return sum(row.code == PARTLY for row in rows.rows.values())

    # -- looking back -------------------------------------------------------------------------

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return every attempt that carried a number."""
        store = await self._turn()
        return [
            kept
            for kept in store.attempts
            if number in kept.attempt.intent.numbers
            and self._is_mine(store, kept.attempt.intent.run)
            and store.runs[kept.attempt.intent.run].run.archive is None
        ]

    async def notes_of(self, number: BillNumber) -> Sequence[Note]:
        """Return the notes on a number, the oldest first."""
        store = await self._turn()
        return [
            note for note in store.notes if note.number == number and self._is_mine(store, note.run)
        ]

    async def attempts_in(
        self, run: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[AttemptRecord]:
        """Return a page of the attempts of a run."""
        store = await self._turn()
        self._known(store, run)
        found = (kept for kept in store.attempts[after:] if kept.attempt.intent.run == run)
        return list(islice(found, limit))

    async def notes_in(self, run: RunId, *, after: int = 0, limit: int = 1000) -> Sequence[Note]:
        """Return a page of the notes that a run has made."""
        store = await self._turn()
        self._known(store, run)
        found = (note for note in store.notes if note.run == run and note.id > after)
        return list(islice(found, limit))

    async def attempt_count(self, run: RunId) -> int:
        """Count the attempts of a run."""
        store = await self._turn()
        self._known(store, run)
        return len(intents(store, run))

    async def spans(self, run: RunId) -> Sequence[tuple[datetime, datetime]]:
        """Return when each recorded call of a run that has left began and ended."""
        store = await self._turn()
        self._known(store, run)
        return [
            (kept.attempt.intent.began_at, kept.ended_at)
            for kept in store.attempts
            if kept.ended_at and kept.attempt.intent.run == run
            if not isinstance(kept.exchange, NeverSent)
        ]


def _made_in(
    runs: Iterable[RunRows],
    bills: Mapping[BillNumber, str],
    states: Collection[State],
    *,
    but: RunRows | None = None,
) -> dict[BillNumber, Made]:
    """Return what runs, the oldest first, have made of bills, each with its id or ""."""
    made: dict[BillNumber, Made] = {}
    for bill, told in bills.items():
        id_ = told or id_in(bill)
        for rows in runs:
            named = () if rows is but else rows.of_number(number_in(bill))
            found = {row.place: row for row in (*named, *rows.of_source(id_))}
            for _, row in sorted(found.items()):
                is_it = rules.may_be_bill(bill, id_, row.bill, row.source_id)
                if is_it and row.state in states and not (rows is but and row.bill == bill):
                    of = Made(rows.run.id, bill, row.state, row.targets, row.code)
                    made[bill] = rules.later_of(made.get(bill), of)
    return made


def _holds(row: Row, words: str, remarks: Collection[str]) -> bool:
    if words in {row.source_id, row.listed_id}:
        return True
    texts = [row.number, row.bill, row.reason, row.code]
    texts += [part for target in row.targets for part in (target.id, target.number)]
    key, brace, _ = row.reason.partition("{")
    return any(words.lower() in text.lower() for text in texts) or (bool(brace) and key in remarks)


def _says(kept: AttemptRecord, key: str) -> bool:
    """Say whether the remark about an attempt has a key; words of the ERP may stand behind it."""
    return kept.verdict.startswith((key, f'note.also{{"first":["{key}"'))
