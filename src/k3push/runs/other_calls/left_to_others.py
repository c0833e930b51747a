"""Bills that wait for another run, which has to settle them first: what their rows say of that.

They stay `planned`, and the next execution takes them up again. How such a bill is to travel next
(its code `absent` or `dropped`) is kept meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from k3push.core.model import ABSENT, HELD, BillNumber, Outcome, Row, RunId, State
from k3push.core.remark import read_remark, remark
from k3push.core.safety.conclusion import DROPPED
from k3push.core.safety.legal_moves import FINAL, OPEN
from k3push.ports import InHand, Ledger
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.kept_attempts import rows_under
from k3push.runs.kept_in_ledger.row_pages import PAGE_ROWS
from k3push.runs.other_calls.held_numbers import HeldNumbers

HELD_BY = "note.held_by"
"""Key of what is told of a bill that another run has in hand."""

STRAY_OF = "note.stray_of"
"""Key of what is told of a bill beside which a refused call of another run may have made one."""


async def note_holders(context: Context, held: HeldNumbers) -> None:
    """Write down of rows that stay planned which run has their bills in hand."""
    ledger, run, place = context.ledger, context.run.id, 0
    holders = {bill: holder.run for bill, holder in held.holders.items()} | held.barred
    holders = {bill: of for bill, of in holders.items() if bill not in held.beside_strays}
    let_go = held.let_go.keys() - holders.keys() - held.beside_strays
    planned = {State.PLANNED}
    while (holders or let_go) and (
        rows := await ledger.rows(run, states=planned, after=place, limit=PAGE_ROWS)
    ):
        place = rows[-1].place
        for bill in let_go.intersection(row.bill for row in rows):
            if await _has_still(ledger, held.let_go[bill]):
                holders[bill] = held.let_go[bill].run
        waiting = [
            _left(row.bill, row.code, _why_held(holders[row.bill], run))
            for row in rows
            if row.bill in holders
        ]
        if waiting:
            await ledger.put_off(run, waiting)


async def _has_still(ledger: Ledger, holder: InHand) -> bool:
    rows = await ledger.rows_of(holder.bill)
    return any(run == holder.run and row.state in OPEN for run, row in rows)


async def leave_to_others(
    context: Context, held: HeldNumbers, barred: Mapping[BillNumber, RunId]
) -> None:
    """Write down which numbers another run has to settle first, and hold them no more."""
    if not barred:
        return
    waiting = [
        _left(number, await _code_of(context, number), remark("note.stray_of", run=run))
        for number, run in barred.items()
    ]
    await context.ledger.put_off(context.run.id, waiting)
    held.barred |= barred
    held.beside_strays |= barred.keys()


def is_left(row: Row) -> bool:
    """Say whether a bill was left to another run, which has to settle it first."""
    told = read_remark(row.reason)
    return told is not None and told[0] in {STRAY_OF, HELD_BY}


async def is_free(ledger: Ledger, row: Row) -> bool:
    """Say whether the run that a bill was left to has settled it since."""
    told = read_remark(row.reason)
    key, run = (told[0], told[1].get("run")) if told else ("", "")
    rows = await ledger.rows_of(row.bill)
    # What has come beside a refused call may be of a bill that is rejected there.
    ended = FINAL - ({State.REJECTED} if key == STRAY_OF else set())
    return all(
        each.state in ended or each.code in {ABSENT, "person"} for of, each in rows if of == run
    )


def _left(bill: BillNumber, code: str, why: str) -> Outcome:
    return Outcome(
        bill, State.PLANNED, code=code if code in {ABSENT, DROPPED} else HELD, reason=why
    )


def _why_held(by: RunId, run: RunId) -> str:
    return remark("note.held_by_namesake") if by == run else remark("note.held_by", run=by)


async def _code_of(context: Context, bill: BillNumber) -> str:
    """Return the code of a bill, as looks and earlier executions have left it."""
    if bill in context.absent:
        return ABSENT
    rows = await rows_under(context.ledger, context.run.id, bill)
    return DROPPED if any(row.code == DROPPED for row in rows) else ""
