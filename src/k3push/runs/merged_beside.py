"""Bills that may be in a document which a refused call has made of a neighbour.

A rule may merge bills into lines that name only one of them (P 5.6), and a refusal may have saved
such a document (P 5.7). A copy of the database may show it only when the bills are about to be sent
again. So whatever the neighbours of a refused call show by then holds for the whole call, unless
links tell of each bill.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from k3push.core.model import BillNumber, RunId
from k3push.core.safety.target_sets import new_targets
from k3push.ports import AttemptRecord, LatelySent
from k3push.runs.context import Context
from k3push.runs.earlier_calls import did_nothing, refusal_of
from k3push.runs.kept_attempts import sent_by
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.own_documents import strangers_among


async def bills_beside_merged(
    context: Context, numbers: Collection[BillNumber], sent: Sequence[LatelySent]
) -> dict[BillNumber, RunId]:
    """Return which numbers may be in such a document, each with the run of the call.

    Args:
        context: The execution.
        numbers: About to be sent; no look shows a document of them.
        sent: What other runs have sent of them of late.
    """
    if not context.reads_back or (context.links.tell and context.links.are_kept):
        return {}
    calls: dict[int, tuple[AttemptRecord, dict[BillNumber, BillNumber]]] = {}
    for number in numbers:
        kept = await sent_by(context.ledger, context.run.id, number)
        if number in context.sent_before and kept and _may_hide(kept[-1]):
            calls.setdefault(kept[-1].attempt.id, (kept[-1], {}))[1][number] = number
    for each in sent:
        if _may_hide(each.kept):
            mine = {n: called for n, called in each.bills.items() if n in numbers}
            calls.setdefault(each.kept.attempt.id, (each.kept, {}))[1].update(mine)
    return {
        number: kept.attempt.intent.run
        for kept, mine in calls.values()
        if mine and await _has_made(context, kept, mine)
        for number in mine
    }


def _may_hide(kept: AttemptRecord) -> bool:
    """Say whether a call of several bills was refused that may have saved a part."""
    several = len(kept.attempt.intent.numbers) > 1
    return several and refusal_of(kept) is not None and not did_nothing(kept)


async def _has_made(
    context: Context, kept: AttemptRecord, mine: Mapping[BillNumber, BillNumber]
) -> bool:
    """Say whether a call has made a document of the others that it carried, which no link ties."""
    intent = kept.attempt.intent
    others = [number for number in intent.numbers if number not in mine.values()]
    others = [number for number in others if not await _was_sent_since(context, number, kept)]
    if not others:
        return False
    seen = await look_at_targets(context, others, by_all=True)
    made = new_targets({number: seen.bearing(number) for number in others}, intent.before)
    ids = {target.id for targets in made.values() for target in targets}
    ids -= await strangers_among(context, made, intent.run)
    return bool(ids) and not (context.links.tell and ids <= seen.by_link)


async def _was_sent_since(context: Context, number: BillNumber, kept: AttemptRecord) -> bool:
    """Say whether a number was sent once more since a call: what is shown may be of that one."""
    runs = {kept.attempt.intent.run, context.run.id}
    last = [each for run in runs for each in (await sent_by(context.ledger, run, number))[-1:]]
    return any(each.attempt.id > kept.attempt.id for each in last)
