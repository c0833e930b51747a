"""What earlier sendings of this run may have made of bills that it is to send, or to refuse, now.

What other runs and people have sent is told in `earlier_calls` and `own_documents`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from k3push.core.model import (
    BillNumber,
    Outcome,
    Row,
    State,
)
from k3push.core.safety.conclusion import STRAY
from k3push.core.safety.target_sets import new_targets
from k3push.ports import AttemptRecord
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import note_look, note_refused
from k3push.runs.documents.own_documents import named_there, ours_of
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.stray_documents import (
    bills_beside_strays,
    bills_out_of_sight,
    unsettled_calls,
)
from k3push.runs.kept_in_ledger.kept_attempts import sent_by
from k3push.runs.other_calls.earlier_calls import may_have_made
from k3push.runs.proof.own_sight import UNSEEN
from k3push.runs.proof.unclear_documents import SHARED, unclear
from k3push.runs.retry import attempts_before


async def attempts_of(context: Context, bill: BillNumber) -> list[AttemptRecord]:
    """Return which of the attempts at a bill may have made something of it."""
    run = context.run.id
    # What was rejected has made nothing of it, and somebody has planned it again since; where
    # nobody has looked at it late enough, it may have made what looks show by now.
    notes = await context.ledger.notes_of(bill)
    over = max((attempts_before(n.text) for n in notes if n.run == run), default=0)
    mine = await sent_by(context.ledger, run, bill)
    new = await sent_by(context.ledger, run, bill, after=over) if over else mine
    due = context.not_looked_at
    since = due.since_of(bill) if due else None
    late = [e for e in mine if since and e.ended_at and e.ended_at >= since]
    left = [each for each in mine if each in new or each in late]
    splits = bool(left) and await context.may_have_several()
    # Where a bill may have several documents, whose a new one is cannot be told by time.
    return [each for each in left if context.repeats_pushes or may_have_made(each, splits=splits)]


def remember(context: Context, bill: BillNumber, mine: Sequence[AttemptRecord]) -> frozenset[str]:
    """Return which documents of a bill were there before this run first sent it."""
    before = mine[0].attempt.intent.before.get(bill, ())
    return context.sent_before.setdefault(bill, frozenset(before))


async def made_before(
    context: Context,
    refused: Sequence[Outcome],
    rows: Mapping[BillNumber, Row],
    moved: Collection[BillNumber],
) -> list[Outcome]:
    """Find what an earlier sending of this run has made of bills that are about to be refused.

    A session may be denied after the work, and the source closed for what was made.
    """
    numbers = [each.number for each in refused if each.number in rows]
    numbers = [number for number in numbers if rows[number].attempts]
    if not numbers or not context.reads_back:
        return list(refused)
    for number in numbers:
        if number not in context.ids and number not in moved:
            context.recall(rows[number])
    seen = await look_at_sent(context, numbers, by_all=True)
    before = await _before_sending(context, [rows[number] for number in numbers])
    shown = {number: seen.targets.get(number, ()) for number in before}
    found = await ours_of(context, new_targets(shown, before))
    found |= await named_there(context, before.keys() - found.keys())
    context.suspects = {n: before[n] for n in found} | context.suspects
    if found:
        await note_look(context)
    if unseen := before.keys() - found.keys():
        # Another copy of the database may have told of the bill than of its documents.
        await note_refused(context, unseen, late=True)
    for number in unseen:
        by_id = bool(context.id_of(number))
        if outcome := unclear(context, number, seen, before[number], by_id=by_id):
            found[number] = outcome
    context.sent_earlier.update(numbers)
    calls = await unsettled_calls(context, [n for n in numbers if n not in found])
    beside = await bills_beside_strays(context, calls)
    why = context.stray_calls.why
    found |= {n: Outcome(n, State.UNKNOWN, code=STRAY, reason=why) for n in beside}
    hidden, missed = await bills_out_of_sight(context, calls)
    found |= {n: Outcome(n, State.UNKNOWN, code=UNSEEN, reason=missed) for n in hidden}
    return [found.get(each.number, each) for each in refused]


async def _before_sending(
    context: Context, rows: Sequence[Row]
) -> dict[BillNumber, frozenset[str]]:
    """Return what was there before bills were sent of which calls may have made something."""
    before = {}
    for bill, row in ((row.bill, row) for row in rows):
        mine = await attempts_of(context, bill)
        if not mine and row.code == SHARED:
            # It was rejected for what may be its own.
            mine = await sent_by(context.ledger, context.run.id, bill)
        if mine:
            before[bill] = remember(context, bill, mine)
    return before
