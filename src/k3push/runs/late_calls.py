"""Bills of which two calls of ours have made documents, one of them carried out after its window.

A call that was in doubt was settled as absent, or one was refused that had not ended, the bill was
sent again, and both have made documents. Whoever looks at the bill next finds several.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from k3push.core.model import TWIN, BillNumber, NeverSent, Outcome, State
from k3push.core.remark import also
from k3push.ports import LatelySent
from k3push.runs.context import Context
from k3push.runs.earlier_calls import may_have_saved, was_in_doubt
from k3push.runs.own_documents import strangers_among
from k3push.runs.twins import told_of_twins

# Before all attempts.
EVER = datetime(2000, 1, 1, tzinfo=UTC)


async def told_of_late_calls(context: Context, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Mark bills that are `already` by two calls of ours, one carried out after its window.

    Bills that people have pushed in parts are done by several documents, too.
    """
    several = {each.number: each for each in outcomes if _is_of_several(each)}
    if not several or await context.may_split():
        return list(outcomes)
    calls: dict[BillNumber, list[LatelySent]] = {}
    for sent in await context.ledger.lately_sent(context.run.id, context.with_ids(several), EVER):
        for number in () if isinstance(sent.kept.exchange, NeverSent) else sent.bills:
            calls.setdefault(number, []).append(sent)
    twice = [n for n, sent in calls.items() if await _was_made_twice(context, several[n], sent)]
    told = {n: also(several[n].reason, told_of_twins(several[n]).reason) for n in twice}
    return [
        each._replace(code=TWIN, reason=told[each.number]) if each.number in told else each
        for each in outcomes
    ]


def _is_of_several(outcome: Outcome) -> bool:
    return outcome.state is State.ALREADY and len(outcome.targets) > 1 and not outcome.code


async def _was_made_twice(context: Context, there: Outcome, sent: Sequence[LatelySent]) -> bool:
    """Say whether a bill that was in doubt was sent again since, and several have come of that.

    Documents that were known before the last call left do not count: somebody had asked for a
    second one.
    """
    bill = there.number
    sent = [each for each in sent if not await _was_of_namesake(context, bill, each)]
    if not sent:
        return False
    *earlier, last = sent
    intent = last.kept.attempt.intent
    new = {target.id for target in there.targets}.difference(
        intent.before.get(last.bills[bill], ())
    )
    if any(was_in_doubt(each.kept) for each in earlier):
        return len(new) > 1
    if not any(may_have_saved(each.kept, each.bills[bill], parts=False) for each in earlier):
        return False
    # The call was refused, and that may have been its end: a person may have made the other one.
    return len(new - await strangers_among(context, {bill: there.targets}, intent.run)) > 1


async def _was_of_namesake(context: Context, bill: BillNumber, sent: LatelySent) -> bool:
    """Say whether an attempt was at another bill, which had the number before."""
    id_, run = context.known_id(bill), sent.kept.attempt.intent.run
    rows = await context.ledger.rows_of(sent.bills[bill])
    ids = {row.source_id for of, row in rows if of == run and row.bill == sent.bills[bill]}
    return bool(id_) and not ids & {"", id_}
