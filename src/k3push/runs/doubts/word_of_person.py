"""What a person says of numbers that are in doubt, and which doubts it is meant for.

One number may be in doubt more than once: two routes push it to two kinds of documents, and
organisations share numbers. Who has looked for one document has not looked for the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import BillNumber, Outcome, RunId, State
from k3push.core.remark import foreign, remark
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Clock, Ledger
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under
from k3push.runs.outcome import end_settled
from k3push.runs.problem import Problem

Doubts = Sequence[tuple[RunId, BillNumber]]
"""Runs in which a number is in doubt, each with the bill."""


async def in_doubt(ledger: Ledger, number: BillNumber) -> list[tuple[RunId, BillNumber]]:
    """Return the runs in which a number is `unknown`, each with the ERP's spelling.

    The number may be spelled as in the list or as in the ERP.
    """
    rows = await ledger.rows_of(number)
    return [(run, row.bill) for run, row in rows if row.state is State.UNKNOWN]


async def kinds_of(ledger: Ledger, doubts: Doubts) -> dict[tuple[str, BillNumber], RunId]:
    """Return the different things in doubt, as scope and bill, each with its first run."""
    kinds: dict[tuple[str, BillNumber], RunId] = {}
    for name, bill in doubts:
        run = await ledger.run(name)
        kinds.setdefault((run.scope if run else name, bill), name)
    return kinds


async def doubts_meant(ledger: Ledger, number: BillNumber, run: RunId | None = None) -> Doubts:
    """Return the doubts that a word about a number is meant for; none where it is in no doubt.

    Args:
        ledger: Where they are.
        number: As the list or the ERP has it; with an id it is one bill.
        run: The run that was named beside it, or None.

    Raises:
        Problem: It is in doubt for several bills, or several kinds of documents.
    """
    found = [each for each in await in_doubt(ledger, number) if run in {None, each[0]}]
    kinds = await kinds_of(ledger, found)
    if len(kinds) > 1:
        named = "; ".join(f"{name} {bill}" for (_, bill), name in kinds.items())
        raise Problem(remark("error.word_of_several", number=number, which=named))
    return found


async def settle_by_word(
    ledger: Ledger,
    clock: Clock,
    run: RunId,
    bill: BillNumber,
    state: State,
    *,
    because: str,
    user: str = "",
    attempts: int | None = None,
) -> None:
    """Record what a person found out about a number that is in doubt.

    Args:
        ledger: Where it is recorded.
        clock: When.
        run: Where it is in doubt.
        bill: The ERP's spelling.
        state: `pushed`, or `planned` where the ERP made nothing.
        because: How the person knows.
        user: Who, where that is known.
        attempts: How often it had been sent as the person looked, where that is known.

    Raises:
        RunIsAliveError: The run is under way, and may settle it by itself.
        IllegalMoveError: It was settled meanwhile, or sent again.
    """
    because = foreign(because)
    async with ledger.own(run, executes=False):
        rows = await ledger.rows_of(bill) if attempts is not None else ()
        if any(of == run and row.bill == bill and row.attempts != attempts for of, row in rows):
            raise IllegalMoveError(f"{bill}: it was sent again since somebody has looked")
        calls = len(await attempts_under(ledger, run, bill))
        named = remark(f"state.{state}")
        note = (
            remark("note.by_hand_of", state=named, why=because, user=user, attempts=calls)
            if user
            else remark("note.by_hand", state=named, why=because, attempts=calls)
        )
        outcome = Outcome(bill, state, code="person", reason=because)
        await ledger.conclude(run, [outcome], at=clock.now(), note=note)
        await end_settled(ledger, run, clock.now())
