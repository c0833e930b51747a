"""Who has claimed a number (rule 2): who may have it, for which bill, and until when.

One run at a time claims a number. Another may have the claim of a run that nobody executes, unless
the number is on its way or in doubt there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from k3push.adapters.ledger import rules
from k3push.core.model import BillNumber, Outcome, State, number_in
from k3push.core.safety import legal_moves


class Claimed(NamedTuple):
    """Who has claimed a number, and for which bill.

    Attributes:
        bill: What the ERP calls it.
        mine: Whether the run that asks holds it.
        alive: Whether a process executes the run that holds it.
        state: Where the row of the bill stands in that run; None where it has none.
    """

    bill: BillNumber
    mine: bool
    alive: bool
    state: State | None

    def yields(self, bill: BillNumber) -> bool:
        """Say whether the claim can be had for a bill of the number."""
        is_open = self.state in legal_moves.OPEN
        if self.mine:
            return bill == self.bill or not is_open
        return not self.alive and not is_open


def share_out(
    bills: Iterable[BillNumber], claimed: Mapping[BillNumber, Claimed]
) -> tuple[dict[BillNumber, BillNumber], list[BillNumber]]:
    """Say for which bill each number is claimed now, and which bills cannot be had.

    Args:
        claimed: Who has claimed each number; what is free is absent.
    """
    taken: dict[BillNumber, BillNumber] = {}
    held = []
    for bill in bills:
        number = number_in(bill)
        if number not in claimed or claimed[number].yields(bill):
            taken[number] = bill
        else:
            held.append(bill)
    return taken, held


def check_claim(bills: Iterable[BillNumber]) -> None:
    """Raise if a number would be claimed for two bills at once."""
    rules.check_once(set(bills))


def keeps_claim(state: State, *, keep_planned: bool = False) -> bool:
    """Say whether a number that moved to *state* stays claimed."""
    return state in legal_moves.OPEN or (keep_planned and state is State.PLANNED)


def claims_that_end(
    moves: Iterable[tuple[int, Outcome]], *, keep_planned: bool
) -> list[BillNumber]:
    """Return the bills that are claimed no longer once they have moved."""
    return [
        outcome.number
        for _, outcome in moves
        if not keeps_claim(outcome.state, keep_planned=keep_planned)
    ]
