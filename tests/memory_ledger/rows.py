"""What a ledger in memory keeps, and the steps that change it.

Every step is an ordinary function, so nothing can come between its checks and its changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from k3push.adapters.ledger import claims, rules
from k3push.adapters.ledger.spelling import Spelled, spell
from k3push.core.model import (
    BillNumber,
    Document,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    number_in,
)
from k3push.core.pacing.server_model import Learnt
from k3push.core.safety import legal_moves
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Identification,
    Made,
    Memo,
    NoRunError,
    Note,
    StepRecord,
)


@dataclass(slots=True)
class RunRows:
    """One run with its rows, all by place.

    Attributes:
        places: Rows by what the job file calls them.
        bills: Rows by what the ERP calls them.
        numbers: Rows by the numbers in both.
        sources: Rows by the ids of their bills.
    """

    run: Run
    listed: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    places: dict[BillNumber, int] = field(default_factory=dict)
    bills: dict[BillNumber, int] = field(default_factory=dict)
    numbers: dict[BillNumber, set[int]] = field(default_factory=dict)
    sources: dict[str, set[int]] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    repeats: dict[int, tuple[Listed, int]] = field(default_factory=dict)

    def counts(self) -> Mapping[State, int]:
        """Count the rows of each state."""
        return dict(Counter(row.state for row in self.rows.values()))

    def standing(self, place: int | None) -> rules.RowStanding | None:
        """Say where the row at *place* stands."""
        if place is None or place not in self.rows:
            return None
        return rules.RowStanding(place, self.rows[place].state, self.attempts.get(place, 0))

    def documents_at(self, place: int | None) -> tuple[int, State, list[str]] | None:
        """Return place, state and ids of the documents of the row at *place*."""
        row = self.rows.get(place or 0)
        return row and (row.place, row.state, [target.id for target in row.targets])

    def repeat_at(self, place: int) -> Repeat:
        """Return the repeat that stands at *place*."""
        listed, first = self.repeats[place]
        return Repeat(listed.line, listed.key, self.rows[first].line, place, first)

    def place(self, row: Row) -> None:
        """Keep a row where it can be found."""
        self.displace(row.place)
        self.rows[row.place] = row
        for number in {row.number, number_in(row.bill)} - {""}:
            self.numbers.setdefault(number, set()).add(row.place)
        if row.source_id:
            self.sources.setdefault(row.source_id, set()).add(row.place)

    def displace(self, place: int) -> None:
        """Let no number and no id lead to a place."""
        if row := self.rows.get(place):
            self.sources.get(row.source_id, set()).discard(place)
            for number in (row.number, number_in(row.bill)):
                self.numbers.get(number, set()).discard(place)

    def of_number(self, number: BillNumber) -> list[Row]:
        """Return the rows of bills that have a number, as the ERP spells it."""
        found = (self.rows[place] for place in sorted(self.numbers.get(number, ())))
        return [row for row in found if row.bill and number_in(row.bill) == number]

    def of_source(self, id_: str) -> list[Row]:
        """Return the rows of the bill that has an id."""
        found = [self.rows[place] for place in sorted(self.sources.get(id_, ()))]
        return [row for row in found if row.bill]

    def called(self, number: BillNumber) -> list[Row]:
        """Return the rows that anybody calls so."""
        places = {self.places.get(number, 0), self.bills.get(number, 0)}
        places |= self.numbers.get(number, set())
        return [self.rows[place] for place in sorted(places - {0})]

    def take_away(self, lost: int, *, kept: int) -> None:
        """Make the row at *lost* a repeat of the one at *kept*, with its own repeats."""
        self.displace(lost)
        row = self.rows.pop(lost)
        del self.places[row.listed]
        self.repeats[lost] = (Listed(row.line, row.number, id=row.listed_id), kept)
        for place, (listed, first) in self.repeats.items():
            if first == lost:
                self.repeats[place] = (listed, kept)


@dataclass(slots=True)
class Store:
    """What survives every process.

    Attributes:
        claims: By scope and number: the run that has claimed it, and for which bill.
    """

    runs: dict[RunId, RunRows] = field(default_factory=dict)
    taken: dict[tuple[str, FolderFile], RunId] = field(default_factory=dict)
    paces: dict[str, tuple[Learnt, datetime]] = field(default_factory=dict)
    owners: dict[RunId, object] = field(default_factory=dict)
    claims: dict[tuple[str, BillNumber], tuple[RunId, BillNumber]] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    commands: dict[int, tuple[RunId, Commanded]] = field(default_factory=dict)
    commanded: int = 0
    documents: dict[RunId, dict[str, Document]] = field(default_factory=dict)
    steps: list[StepRecord] = field(default_factory=list)
    memos: dict[tuple[str, str, str], Memo] = field(default_factory=dict)
    pruned: set[RunId] = field(default_factory=set)


def known(store: Store, run: RunId) -> RunRows:
    """Return a run that must be there."""
    if run not in store.runs:
        raise NoRunError(run)
    return store.runs[run]


def oldest_first(store: Store) -> list[RunRows]:
    """Return all runs by the time at which they began."""
    return sorted(store.runs.values(), key=lambda rows: (rows.run.started_at, rows.run.id))


def intents(store: Store, run: RunId) -> list[Intent]:
    """Return what a run meant to send, the oldest first."""
    return [kept.attempt.intent for kept in store.attempts if kept.attempt.intent.run == run]


def place_of(rows: RunRows, number: BillNumber) -> int | None:
    """Find a row by the ERP's spelling or, where it has none, by the job file's."""
    if number in rows.bills:
        return rows.bills[number]
    place = rows.places.get(number)
    return place if place and not rows.rows[place].bill else None


def killed(row: Row) -> Row:
    """Return a row that was sent by a process that is dead now."""
    legal_moves.check(row.bill, row.state, State.UNKNOWN)
    return row._replace(state=State.UNKNOWN, code=rules.KILLED, reason=rules.KILLED_BECAUSE)


def bury_executor(store: Store, rows: RunRows) -> None:
    """Put in order what a dead executor of the run left behind."""
    run = rows.run.id
    for place, row in rows.rows.items():
        if row.state is State.SENT:
            rows.rows[place] = killed(row)
    for index, attempt in enumerate(store.attempts):
        if attempt.attempt.intent.run == run and not attempt.ended_at:
            store.attempts[index] = replace(attempt, verdict=rules.KILLED_BECAUSE)
    _doubt_open_steps(store, run)
    for claimed, (holder, bill) in tuple(store.claims.items()):
        standing = rows.standing(rows.bills.get(bill))
        if holder == run and not (standing and standing.state in legal_moves.OPEN):
            del store.claims[claimed]


def _doubt_open_steps(store: Store, run: RunId) -> None:
    """Leave in doubt what a dead executor had begun of what follows a push."""
    for index, kept in enumerate(store.steps):
        if kept.attempt.intent.run != run or kept.ended_at or kept.verdict:
            continue
        store.steps[index] = replace(kept, verdict=rules.KILLED_BECAUSE)
        for id_, document in store.documents.get(run, {}).items():
            if document.step == kept.attempt.id:
                store.documents[run][id_] = replace(
                    document, follow=Follow.UNKNOWN, reason=rules.KILLED_BECAUSE
                )


def clear_commands(store: Store, rows: RunRows) -> None:
    """Forget the commands to earlier executors of a run."""
    run = rows.run.id
    store.commands = {id_: kept for id_, kept in store.commands.items() if kept[0] != run}


def of_scope(store: Store, scope: str) -> list[RunRows]:
    """Return the runs of a scope, the oldest first."""
    return [rows for rows in oldest_first(store) if rows.run.scope == scope]


def documents_of(store: Store, rows: RunRows, sender: str | None) -> Iterator[Made]:
    """Yield the rows of a run that name documents, those of its last attempt first."""
    for kept in reversed(store.attempts):
        intent = kept.attempt.intent
        if intent.run != rows.run.id or (sender is not None and intent.sender != sender):
            continue
        for place in (rows.bills[number] for number in intent.numbers):
            row = rows.rows[place]
            last = rows.attempts[place] == kept.attempt.id
            if last and row.state in legal_moves.SENT_BEFORE and row.targets:
                yield Made(rows.run.id, row.bill, row.state, row.targets, row.code)


def take_down(
    store: Store, run: RunId, outcomes: Sequence[Outcome], at: datetime, note: str
) -> None:
    """Keep a note beside each number."""
    for outcome in outcomes:
        last = store.notes[-1].id if store.notes else 0
        store.notes.append(Note(last + 1, outcome.number, at, run, note))


def identify(store: Store, rows: RunRows, bills: Mapping[BillNumber, Identified]) -> Identification:
    """Write down which bills lines mean, and make repeats of rows that turn out to be one bill."""
    near = {rows.places[line] for line in bills if line in rows.places}
    for number in {number_in(named.bill) for named in bills.values()}:
        near.update(row.place for row in rows.of_number(number))
    others = [row for named in bills.values() for row in rows.of_source(named.id)]
    spelling = spell(
        [
            Spelled(place, row.state, rows.attempts.get(place, 0), row.bill, row.source_id)
            for place in sorted(near)
            for row in [rows.rows[place]]
        ],
        {place: rows.rows[place].listed for place in near},
        bills,
        {row.source_id for row in others if row.place not in near},
    )
    for bill in spelling.given_up:
        claim = (rows.run.scope, number_in(bill))
        if store.claims.get(claim) == (rows.run.id, bill):
            del store.claims[claim]
    for lost, kept in spelling.taken.items():
        rows.take_away(lost, kept=kept)
    for place, named in spelling.written.items():
        rows.place(rows.rows[place]._replace(bill=named.bill, source_id=named.id))
    rows.bills = {row.bill: place for place, row in rows.rows.items() if row.bill}
    repeats = [rows.repeat_at(place) for place in sorted(spelling.taken)]
    return Identification(repeats, spelling.apart, spelling.led_away)


def move(
    store: Store,
    rows: RunRows,
    outcomes: Sequence[Outcome],
    standings: Sequence[rules.RowStanding | None],
    *,
    at: datetime,
    attempt: int = 0,
    keep_planned: bool = False,
) -> None:
    """Move rows, all or, if one may not, none."""
    moves = rules.check_outcomes(outcomes, standings, attempt=attempt)
    for place, outcome in moves:
        row = rows.rows[place]
        rows.rows[place] = row._replace(
            state=outcome.state,
            targets=outcome.targets,
            code=outcome.code,
            reason=outcome.reason,
            settled_at=rules.settled_at(outcome.state, at),
        )
        claim = (rows.run.scope, number_in(outcome.number))
        if store.claims.get(claim) == (rows.run.id, outcome.number) and not claims.keeps_claim(
            outcome.state, keep_planned=keep_planned
        ):
            del store.claims[claim]


def pass_claims_on(store: Store, scope: str, settled: Sequence[BillNumber]) -> None:
    """Let other runs hold what they are in doubt over as well."""
    for rows in store.runs.values():
        for bill in settled:
            row = rows.rows.get(rows.bills.get(bill, 0))
            if rows.run.scope == scope and row and row.state in legal_moves.OPEN:
                store.claims.setdefault((scope, number_in(bill)), (rows.run.id, bill))
