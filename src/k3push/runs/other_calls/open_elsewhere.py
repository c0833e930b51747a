"""What another run may have made of a bill by a call that is open or in doubt."""

from __future__ import annotations

from k3push.core.model import (
    BillNumber,
    Row,
    RunId,
    Target,
    Targets,
)
from k3push.core.safety.legal_moves import OPEN
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.kept_attempts import sent_by


async def but_open_elsewhere(
    context: Context, found: Targets, run: RunId | None = None
) -> dict[BillNumber, tuple[Target, ...]]:
    """Leave out what another run may have made of a bill by a call that is open or in doubt.

    That run has looked right before its first call: what was there is not its own. Ask
    this before reading the rows of other runs: another run may write its row in between.

    Args:
        context: The execution.
        found: Documents that a look has shown, by source number.
        run: Whose documents are meant; None is this one's.
    """
    left = {}
    for number, targets in found.items():
        mine = set(targets)
        for of, bill in await _open_elsewhere(context, number, run) if targets else ():
            kept = await sent_by(context.ledger, of, bill)
            there = kept[0].attempt.intent.before.get(bill, ()) if kept else ()
            mine = {target for target in mine if target.id in there}
        if mine:
            left[number] = tuple(target for target in targets if target in mine)
    return left


async def _open_elsewhere(
    context: Context, number: BillNumber, run: RunId | None
) -> list[tuple[RunId, BillNumber]]:
    """Return the runs that have a bill on its way or in doubt, by its number or an earlier one."""
    mine = run or context.run.id
    rows = [(of, row) for of, row in await context.ledger.rows_of(number) if row.state in OPEN]
    found = [(of, row.bill) for of, row in rows if await _is_of_bill(context, number, of, row, run)]
    if id_ := context.source_ids.get(number, ""):
        renamed = await context.ledger.in_hand(mine, [id_])
        found += [(each.run, each.bill) for each in renamed.get(id_, ()) if each.run != mine]
    return list(dict.fromkeys(found))


async def _is_of_bill(
    context: Context, number: BillNumber, of: RunId, row: Row, run: RunId | None
) -> bool:
    """Say whether a row is another run's, and of a bill that this one's number may mean."""
    if of == (run or context.run.id):
        return False
    mine = context.source_ids.get(number, "")
    other = await context.ledger.run(of)
    in_scope = other is not None and other.scope == context.run.scope
    return in_scope and not (mine and row.source_id and mine != row.source_id)
