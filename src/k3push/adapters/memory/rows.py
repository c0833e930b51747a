"""What a ledger in memory keeps, and the steps that change it.

Every step is an ordinary function, so nothing can come between its checks and its changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from k3push.adapters import ledger_rules as rules
from k3push.core import life
from k3push.core.model import (
    BillNumber,
    FolderFile,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
)
from k3push.ports import AttemptRecord, Commanded, Note


@dataclass(slots=True)
class RunRows:
    """One run with its rows, all by place."""

    run: Run
    listed: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    places: dict[BillNumber, int] = field(default_factory=dict)
    bills: dict[BillNumber, int] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    repeats: dict[int, tuple[Listed, int]] = field(default_factory=dict)

    def standing(self, place: int | None) -> rules.Standing | None:
        """Say where the row at *place* stands."""
        if place is None or place not in self.rows:
            return None
        return rules.Standing(place, self.rows[place].state, self.attempts.get(place, 0))

    def repeat_at(self, place: int) -> Repeat:
        """Return the repeat that stands at *place*."""
        listed, first = self.repeats[place]
        return Repeat(listed.line, listed.number, self.rows[first].line)

    def take_away(self, lost: int, *, kept: int) -> None:
        """Make the row at *lost* a repeat of the one at *kept*, with its own repeats."""
        row = self.rows.pop(lost)
        del self.places[row.number]
        self.repeats[lost] = (Listed(row.line, row.number), kept)
        for place, (listed, first) in self.repeats.items():
            if first == lost:
                self.repeats[place] = (listed, kept)


@dataclass(slots=True)
class Store:
    """What survives every process."""

    runs: dict[RunId, RunRows] = field(default_factory=dict)
    taken: set[FolderFile] = field(default_factory=set)
    paces: dict[str, int] = field(default_factory=dict)
    owners: dict[RunId, object] = field(default_factory=dict)
    claims: dict[tuple[str, BillNumber], RunId] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    commands: dict[int, tuple[RunId, Commanded]] = field(default_factory=dict)
    commanded: int = 0


def known(store: Store, run: RunId) -> RunRows:
    """Return a run that must be there."""
    if run not in store.runs:
        raise LookupError(f"the ledger has no run {run}")
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
    life.check(row.bill, row.state, State.UNKNOWN)
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
    for (scope, number), holder in tuple(store.claims.items()):
        standing = rows.standing(rows.bills.get(number))
        if holder == run and not (standing and standing.state in life.OPEN):
            del store.claims[scope, number]
    store.commands = {id_: kept for id_, kept in store.commands.items() if kept[0] != run}


def identify(rows: RunRows, bills: Mapping[BillNumber, BillNumber]) -> Sequence[int]:
    """Write down the ERP's spellings; return the places of rows that became repeats."""
    wanted = {rows.places[number]: bill for number, bill in bills.items() if number in rows.places}
    spelled, taken = rules.spell(
        [
            rules.Spelled(place, row.state, rows.attempts.get(place, 0), row.bill)
            for place, row in rows.rows.items()
        ],
        wanted,
    )
    for lost, kept in taken.items():
        rows.take_away(lost, kept=kept)
    for place, bill in spelled.items():
        rows.rows[place] = rows.rows[place]._replace(bill=bill)
    rows.bills = {row.bill: place for place, row in rows.rows.items() if row.bill}
    return sorted(taken)


def move(
    store: Store,
    rows: RunRows,
    outcomes: Sequence[Outcome],
    standings: Sequence[rules.Standing | None],
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
        claim = (rows.run.scope, row.bill)
        if store.claims.get(claim) == rows.run.id and not rules.keeps_claim(
            outcome.state, keep_planned=keep_planned
        ):
            del store.claims[claim]
