"""What every ledger allows and counts: which rows may move, and how many have each state.

A ledger reads the rows a verb is about, asks here, and only then writes: so two ledgers can
differ in how they store, and never in what they allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, NoReturn, TypeVar

from k3push.core.model import BillNumber, Document, Follow, Outcome, RunId, State, number_in
from k3push.core.remark import remark
from k3push.core.safety import legal_moves
from k3push.ports import Glance, Made, RunIsArchivedError

Time = TypeVar("Time", datetime, str)

KILLED = "killed"
"""`Row.code` of a number whose executor died while its attempt was open."""

KILLED_BECAUSE = remark("note.killed")


COMMON = frozenset({State.PLANNED, State.SENT, State.PUSHED})
"""States of nearly all rows, which no index tells from others."""

# Rows in these states may have sent nothing.
_UNSENT = frozenset({State.PLANNED, State.REJECTED})

BEHIND_ALL = (1 << 63) - 1
"""A key that no run has, since all are smaller."""


class RowStanding(NamedTuple):
    """Where a row stands when a verb is about to move it.

    Attributes:
        place: `Row.place`.
        attempt: The last attempt that carried it, or 0.
    """

    place: int
    state: State
    attempt: int = 0


def worth_a_glance(newest: Sequence[Glance]) -> Sequence[Glance]:
    """Return, of the newest runs of an account, the last of each route and what is not settled.

    Args:
        newest: The oldest first.
    """
    last = {each.run.route.name: each.run.id for each in newest}
    return [
        each
        for each in newest
        if not each.run.is_settled or last[each.run.route.name] == each.run.id
    ]


def is_of_account(scope: str, account: str) -> bool:
    """Say whether a scope is of an account.

    >>> is_of_account("a1|pur|stk", "a1"), is_of_account("a12|pur|stk", "a1")
    (True, False)
    """
    return scope.partition("|")[0] == account


def target_of(scope: str) -> str:
    """Return which documents a scope is of: the ERP counts the ids of each form for itself.

    >>> target_of("a1|pur|stk") == target_of("a1|sal|stk"), target_of("a1|pur|stk")
    (True, '|stk')
    """
    return "|" + scope.rpartition("|")[2]


def check_scope(scope: str, account: str) -> None:
    """Raise unless a scope is of the account that a ledger is opened for."""
    if not is_of_account(scope, account):
        raise ValueError(f"the ledger is opened for account {account}, not for scope {scope}")


def check_begin(number: BillNumber, standing: RowStanding | None, *, claimed: bool) -> None:
    """Raise unless a number may travel: a row of the run, planned, and claimed by the run."""
    if standing is None:
        raise legal_moves.IllegalMoveError(f"{number}: the run has no such row")
    if not claimed:
        raise legal_moves.IllegalMoveError(f"{number}: the run does not hold its claim")
    legal_moves.check(number, standing.state, State.SENT)


def check_once(bills: Iterable[BillNumber]) -> None:
    """Raise if a number would travel twice in one attempt, for one bill or for two."""
    twice = [number for number, times in Counter(map(number_in, bills)).items() if times > 1]
    if twice:
        raise legal_moves.IllegalMoveError(f"{twice[0]}: named twice in one attempt")


def check_recording(
    attempt: int, carried: Collection[BillNumber], outcomes: Iterable[Outcome], *, killed: bool
) -> None:
    """Raise unless *outcomes* tell once of every number that the attempt carried.

    A number that was left out would stay `sent` for ever. An attempt whose executor was found
    dead is closed: its numbers are settled by looking, and may be travelling again by now.
    """
    if killed:
        raise legal_moves.IllegalMoveError(
            f"attempt {attempt}: it was closed after its process had ended"
        )
    told = Counter(outcome.number for outcome in outcomes)
    wrong = sorted(told.keys() ^ set(carried)) or [n for n, times in told.items() if times > 1]
    if wrong:
        raise legal_moves.IllegalMoveError(
            f"attempt {attempt}: the outcomes must tell of each number once, see {wrong[0]}"
        )


def check_outcomes(
    outcomes: Sequence[Outcome], standings: Sequence[RowStanding | None], *, attempt: int = 0
) -> Sequence[tuple[int, Outcome]]:
    """Return the moves that *outcomes* make, by place, if every one of them is legal.

    Args:
        standings: Where their rows stand, one for each outcome; None where the run has no row.
        attempt: The attempt that the outcomes come from, or 0.

    Raises:
        legal_moves.IllegalMoveError: A move is illegal, so none may be made.
    """
    moves: dict[int, Outcome] = {}
    for outcome, standing in zip(outcomes, standings, strict=True):
        if standing is None:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: the run has no such row")
        if standing.place in moves:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: told of twice")
        if outcome.state is State.SENT:
            raise legal_moves.IllegalMoveError(
                f"{outcome.number}: only an attempt makes a number sent"
            )
        if attempt and standing.attempt != attempt:
            raise legal_moves.IllegalMoveError(
                f"{outcome.number}: attempt {standing.attempt} carried it after attempt {attempt}"
            )
        # Whoever claims a number takes an executor that lost its connection for dead. It leaves the
        # row in doubt, but the attempt is open still, and tells the outcome.
        lost = attempt and standing.state is State.UNKNOWN
        legal_moves.check(outcome.number, State.SENT if lost else standing.state, outcome.state)
        unsent = standing.state in _UNSENT and not standing.attempt
        if unsent and outcome.state in {*legal_moves.SENT_BEFORE, State.UNKNOWN}:
            raise legal_moves.IllegalMoveError(
                f"{outcome.number}: {outcome.state}, and was never sent"
            )
        moves[standing.place] = outcome
    return tuple(moves.items())


def settled(
    outcomes: Iterable[Outcome], standings: Mapping[BillNumber, RowStanding]
) -> list[BillNumber]:
    """Return the numbers that are in doubt no longer after *outcomes*."""
    return [
        outcome.number
        for outcome in outcomes
        if standings[outcome.number].state is State.UNKNOWN is not outcome.state
    ]


def check_amending(
    outcomes: Sequence[Outcome], rows: Sequence[tuple[int, State, Collection[str]] | None]
) -> Sequence[tuple[int, Outcome]]:
    """Return the rows that *outcomes* add documents to, by place.

    Args:
        outcomes: What a later look has found.
        rows: Place, state and ids of the documents of each row; None where the run has no row.

    Raises:
        legal_moves.IllegalMoveError: A row names no documents, or would lose one.
    """
    amended: dict[int, Outcome] = {}
    for outcome, row in zip(outcomes, rows, strict=True):
        if row is None:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: the run has no such row")
        place, state, ids = row
        if place in amended:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: told of twice")
        if state not in legal_moves.AMENDABLE or outcome.state not in legal_moves.SENT_BEFORE:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: {state} is not amended")
        if not set(ids) <= {target.id for target in outcome.targets}:
            raise legal_moves.IllegalMoveError(f"{outcome.number}: a document would be taken away")
        amended[place] = outcome
    return tuple(amended.items())


def tallied(
    moves: Iterable[tuple[int, Outcome]], standings: Iterable[RowStanding]
) -> Mapping[State, int]:
    """Count how many rows more each state has once they have moved."""
    before = {standing.place: standing.state for standing in standings}
    change: Counter[State] = Counter()
    for place, outcome in moves:
        change[outcome.state] += 1
        change[before[place]] -= 1
    return change


def settled_at(state: State, at: Time) -> Time | None:
    """Return what `Row.settled_at` becomes with a move to *state*, as a time or as its text."""
    return at if state in legal_moves.FINAL else None


def may_be_one(one_id: str, other_id: str) -> bool:
    """Say whether two rows of one number may be one bill; rows of earlier versions have no id.

    >>> may_be_one("1", "1"), may_be_one("1", ""), may_be_one("1", "2")
    (True, True, False)
    """
    return not one_id or not other_id or one_id == other_id


def may_be_bill(bill: BillNumber, id_: str, other: BillNumber, other_id: str) -> bool:
    """Say whether two rows may be of one bill: an id tells it, whatever number the bill has got.

    >>> may_be_bill("A", "1", "B", "1"), may_be_bill("A", "1", "A", "")
    (True, True)
    >>> may_be_bill("A", "1", "A", "2"), may_be_bill("A", "", "B", "")
    (False, False)
    """
    same_number = number_in(bill) == number_in(other)
    return may_be_one(id_, other_id) and (same_number or bool(id_ and other_id))


def called_then(
    pairs: Iterable[tuple[BillNumber, BillNumber]],
) -> dict[BillNumber, BillNumber]:
    """Return by which number an attempt knew each bill: by the same, if it carried that.

    >>> called_then([("A", "N"), ("A", "A"), ("B", "O")])
    {'A': 'A', 'B': 'O'}
    """
    called: dict[BillNumber, BillNumber] = {}
    for bill, name in sorted(pairs, key=lambda pair: (pair[0] != pair[1], pair)):
        called.setdefault(bill, name)
    return called


def later_of(earlier: Made | None, later: Made) -> Made:
    """Return what the later of two runs has made of a bill, with the documents of both.

    >>> from k3push.core.model import RunId, Target
    >>> one = Made(RunId("r1"), BillNumber("A"), State.PUSHED, (Target("1", "RK1"),))
    >>> other = Made(RunId("r2"), BillNumber("A"), State.PUSHED, (Target("2", "RK2"),))
    >>> both = later_of(later_of(None, one), other)
    >>> both.run, dict(both.ids)
    ('r2', {'2': 'r2', '1': 'r1'})
    """
    known = earlier.ids if earlier else {}
    return replace(later, ids={target.id: later.run for target in later.targets} | dict(known))


def check_step(ids: Collection[str], known: Mapping[str, Document]) -> None:
    """Raise unless each of *ids* is a document that the run follows, and is in doubt of none."""
    for id_ in ids:
        if id_ not in known:
            raise legal_moves.IllegalMoveError(f"document {id_}: the run does not follow it")
        if known[id_].follow is Follow.UNKNOWN:
            raise legal_moves.IllegalMoveError(
                f"document {id_}: the answer to a step of it was lost"
            )


def check_step_recording(attempt: int, *, killed: bool) -> None:
    """Raise where the executor of an attempt at a step was found dead."""
    if killed:
        raise legal_moves.IllegalMoveError(f"step {attempt}: {KILLED_BECAUSE}")


def refuse_archive(run: RunId) -> NoReturn:
    """Raise for a run that may not be archived, or is."""
    raise legal_moves.IllegalMoveError(f"run {run}: it is not over, or archived already")


def check_executable(run: RunId, found: Sequence[Any] | None) -> None:
    """Raise if a run is archived, as its columns `archive` and `pruned` say."""
    if found is not None and found[0] is not None:
        raise RunIsArchivedError(remark("ledger.archived", run=run))


def is_pruned(run: RunId, found: Sequence[Any] | None) -> bool:
    """Say whether nothing is left to be removed of a run that is archived."""
    archive, pruned = found or (None, 0)
    if archive is None:
        raise legal_moves.IllegalMoveError(f"run {run}: it is not archived")
    return bool(pruned)
