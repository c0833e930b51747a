"""What every ledger decides in the same way, whatever it keeps its rows in.

A ledger reads the rows a verb is about, asks here, and only then writes: so two ledgers can
differ in how they store, and never in what they allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from k3push.core import life
from k3push.core.model import BillNumber, Outcome, State

Time = TypeVar("Time", datetime, str)

KILLED = "killed"
"""`Row.code` of a number whose executor died while its attempt was open."""

KILLED_BECAUSE = "the process that sent it ended before an answer was written down"


class Standing(NamedTuple):
    """Where a row stands when a verb is about to move it.

    Attributes:
        place: `Row.place`.
        state: Its state now.
        attempt: The last attempt that carried it, or 0.
    """

    place: int
    state: State
    attempt: int = 0


class Spelled(NamedTuple):
    """How a row is spelled, and whether it has a past.

    Attributes:
        place: `Row.place`.
        state: Its state now.
        attempt: The last attempt that carried it, or 0.
        bill: The ERP's spelling, or "".
    """

    place: int
    state: State
    attempt: int
    bill: BillNumber


def check_begin(number: BillNumber, standing: Standing | None, *, claimed: bool) -> None:
    """Raise unless a number may travel: a row of the run, planned, and claimed by the run."""
    if standing is None:
        raise life.IllegalMoveError(f"{number}: the run has no such row")
    if not claimed:
        raise life.IllegalMoveError(f"{number}: the run does not hold its claim")
    life.check(number, standing.state, State.SENT)


def check_once(numbers: Iterable[BillNumber]) -> None:
    """Raise if a number would travel twice in one attempt."""
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    if twice:
        raise life.IllegalMoveError(f"{twice[0]}: named twice in one attempt")


def check_recording(
    attempt: int, carried: Collection[BillNumber], outcomes: Iterable[Outcome], *, killed: bool
) -> None:
    """Raise unless *outcomes* tell once of every number that the attempt carried.

    A number that was left out would stay `sent` for ever. An attempt whose executor was found
    dead is closed: its numbers are settled by looking, and may be travelling again by now.
    """
    if killed:
        raise life.IllegalMoveError(f"attempt {attempt}: {KILLED_BECAUSE}")
    told = Counter(outcome.number for outcome in outcomes)
    wrong = sorted(told.keys() ^ set(carried)) or [n for n, times in told.items() if times > 1]
    if wrong:
        raise life.IllegalMoveError(
            f"attempt {attempt}: the outcomes must tell of each number once, see {wrong[0]}"
        )


def check_outcomes(
    outcomes: Sequence[Outcome], standings: Sequence[Standing | None], *, attempt: int = 0
) -> Sequence[tuple[int, Outcome]]:
    """Return the moves that *outcomes* make, by place, if every one of them is legal.

    Args:
        outcomes: What became of numbers.
        standings: Where their rows stand, one for each outcome; None where the run has no row.
        attempt: The attempt that the outcomes come from, or 0.

    Raises:
        life.IllegalMoveError: A move is illegal, so none may be made.
    """
    moves: dict[int, Outcome] = {}
    for outcome, standing in zip(outcomes, standings, strict=True):
        if standing is None:
            raise life.IllegalMoveError(f"{outcome.number}: the run has no such row")
        if standing.place in moves:
            raise life.IllegalMoveError(f"{outcome.number}: told of twice")
        if outcome.state is State.SENT:
            raise life.IllegalMoveError(f"{outcome.number}: only an attempt makes a number sent")
        if attempt and standing.attempt != attempt:
            raise life.IllegalMoveError(
                f"{outcome.number}: attempt {standing.attempt} carried it after attempt {attempt}"
            )
        life.check(outcome.number, standing.state, outcome.state)
        moves[standing.place] = outcome
    return tuple(moves.items())


def keeps_claim(state: State, *, keep_planned: bool = False) -> bool:
    """Say whether a number that moved to *state* stays claimed."""
    return state in life.OPEN or (keep_planned and state is State.PLANNED)


def settled_at(state: State, at: Time) -> Time | None:
    """Return what `Row.settled_at` becomes with a move to *state*, as a time or as its text."""
    return at if state in life.FINAL else None


def spell(
    rows: Iterable[Spelled], wanted: Mapping[int, BillNumber]
) -> tuple[Mapping[int, BillNumber], Mapping[int, int]]:
    """Give rows the ERP's spelling, and find those that turn out to be one bill.

    A row that was sent keeps the spelling that it was sent under, so that its attempts and its
    claim are found again.

    Args:
        rows: The rows of a run that are to be spelled, and those that are spelled so already.
        wanted: The spellings, by place.

    Returns:
        The spellings to write, and the rows to take away with the row that stands for each.

    Raises:
        life.IllegalMoveError: Two rows are one bill, and neither may be taken away.
    """
    by_place = {row.place: row for row in rows}
    new = {
        place: bill
        for place, bill in wanted.items()
        if not by_place[place].attempt and by_place[place].bill != bill
    }
    holders = {row.bill: row for row in by_place.values() if row.bill and row.place not in new}
    taken: dict[int, int] = {}
    for place, bill in sorted(new.items()):
        row = by_place[place]
        holder = holders.setdefault(bill, row)
        if holder is row:
            continue
        lost = _loser(row, holder, bill)
        holders[bill] = kept = row if lost is holder else holder
        taken = {p: kept.place if k == lost.place else k for p, k in taken.items()}
        taken[lost.place] = kept.place
    return {place: bill for place, bill in new.items() if place not in taken}, taken


def _loser(one: Spelled, other: Spelled, bill: BillNumber) -> Spelled:
    """Choose which of two rows that are one bill is taken away: the later one, if it may be.

    A row that was sent or has an outcome is history, and history is never taken away.
    """
    for row in sorted((one, other), key=lambda each: each.place, reverse=True):
        if row.state is State.PLANNED and not row.attempt:
            return row
    raise life.IllegalMoveError(f"{bill}: two rows of the run are this bill, and both have a past")
