"""Numbers of this run are claimed before they leave; what another run has claimed waits for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from k3push.core.model import BillNumber, Row, RunId
from k3push.ports import InHand
from k3push.runs.context import Context


@dataclass(slots=True)
class HeldNumbers:
    """Numbers that wait until the run that has claimed them knows what became of them.

    Attributes:
        holders: The run that has claimed each, and the number by which that run knows it.
        blocked: Rows of those whose source cannot be pushed as it is now: the other run may have
            used it up, so they are looked at anew before they are refused.
        barred: Those that only a person can settle, with the run; they stay planned here.
        beside_strays: Held numbers of which a refused call of that run may have made something.
        let_go: Holders of numbers that were settled here and have not been sent since. Such a run
            may hold them still.
    """

    holders: dict[BillNumber, InHand] = field(default_factory=dict)
    blocked: dict[BillNumber, Row] = field(default_factory=dict)
    barred: dict[BillNumber, RunId] = field(default_factory=dict)
    beside_strays: set[BillNumber] = field(default_factory=set)
    let_go: dict[BillNumber, InHand] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self.holders)

    def add(self, held: Mapping[BillNumber, InHand]) -> None:
        """Take in what a claim has left to others."""
        self.holders.update(held)

    def bar(self, run: RunId, numbers: Collection[BillNumber]) -> None:
        """Leave numbers that *run* holds to a person."""
        self.barred |= dict.fromkeys(numbers, run)

    def release(self, numbers: Collection[BillNumber]) -> tuple[list[Row], list[BillNumber]]:
        """Let numbers go that were looked after.

        Returns:
            Rows whose source is looked at anew, and bills that go on as they are.
        """
        self.let_go |= {number: self.holders.pop(number) for number in numbers}
        rows = [self.blocked.pop(number) for number in numbers if number in self.blocked]
        free = {number for number in numbers if number not in self.barred}
        seen = {row.bill for row in rows}
        return (
            [row for row in rows if row.bill in free],
            [number for number in numbers if number in free and number not in seen],
        )


async def claim(context: Context, bills: Sequence[BillNumber]) -> Mapping[BillNumber, InHand]:
    """Claim bills for a run, and return those that another has in hand, or another row of its own.

    A claim is of a number. A bill that has got another one since a call for it left is known by
    its id, and waits for that call as well.
    """
    run = context.run.id
    taken = await context.ledger.claim(run, bills)
    held = {bill: InHand(holder.run, bill) for bill, holder in taken.items()}
    return held | await under_other_numbers(context, [bill for bill in bills if bill not in held])


async def under_other_numbers(
    context: Context, bills: Collection[BillNumber]
) -> dict[BillNumber, InHand]:
    """Return who has bills on their way or in doubt under another number."""
    ids = {id_: bill for bill in bills if (id_ := context.known_id(bill))}
    found = await context.ledger.in_hand(context.run.id, ids) if ids else {}
    return {
        ids[id_]: holder
        for id_, holders in found.items()
        for holder in holders
        if holder.bill != ids[id_]
    }
