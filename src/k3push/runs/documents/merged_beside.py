"""Bills that may be in a document which a refused call has made of a neighbour.

A rule may merge bills into lines that name only one of them (P 5.6), and a refusal may have saved
such a document (P 5.7). A copy of the database may show it only when the bills are about to be sent
again. So whatever the neighbours of a refused call show by then holds for the whole call, unless
links tell of each bill.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from k3push.core.model import BillNumber, RunId
from k3push.core.safety.legal_moves import FINAL
from k3push.core.safety.target_sets import every_id, new_targets
from k3push.ports import AttemptRecord, LatelySent
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import strangers_among
from k3push.runs.documents.stray_documents import OfBill
from k3push.runs.kept_in_ledger.kept_attempts import rows_under
from k3push.runs.lookup.document_lookup import are_linked
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.other_calls.earlier_calls import (
    did_nothing,
    may_have_saved,
    was_in_doubt,
    was_refused,
)


async def bills_beside_merged(
    context: Context, every: Iterable[OfBill], sent: Sequence[LatelySent]
) -> dict[BillNumber, RunId]:
    """Return which numbers may be in such a document, each with the run of the call.

    Left out are bills that the refusal names alone, and what a person or a look has settled since.

    Args:
        context: The execution.
        every: Calls of bills that are about to be sent; no look shows a document of these.
        sent: What other runs have sent of them of late.
    """
    if not context.reads_back or (context.links.tell and context.links.are_kept):
        return {}
    names = {(each.kept.attempt.id, n): called for each in sent for n, called in each.bills.items()}
    calls: dict[int, tuple[AttemptRecord, dict[BillNumber, BillNumber]]] = {}
    for (run, number), kept in every:
        name = names.get((kept.attempt.id, number), number)
        if may_hide_merged(kept) and await _is_open(context, run, name):
            calls.setdefault(kept.attempt.id, (kept, {}))[1][number] = name
    return {
        number: kept.attempt.intent.run
        for kept, mine in calls.values()
        if await has_made_beside(context, kept, mine.values())
        for number in mine
    }


async def _is_open(context: Context, run: RunId, name: BillNumber) -> bool:
    """Say whether a run still has to find out what became of a bill."""
    rows = await rows_under(context.ledger, run, name)
    return any(row.state not in FINAL for row in rows)


def may_hide_merged(kept: AttemptRecord) -> bool:
    """Say whether a call of several bills was lost or refused; `has_made_beside` says of what."""
    several = len(kept.attempt.intent.numbers) > 1
    return several and (was_refused(kept) or was_in_doubt(kept))


async def has_made_beside(
    context: Context, kept: AttemptRecord, mine: Collection[BillNumber]
) -> bool:
    """Say whether a call has made a document of the others that it carried, which no link ties.

    A bill that the refusal names alone has none; what is shown of it is somebody else's.
    """
    intent = kept.attempt.intent
    others = [number for number in intent.numbers if number not in mine]
    if not was_in_doubt(kept):
        others = [n for n in others if may_have_saved(kept, n, parts=False)]
    if not others:
        return False
    seen = await look_at_targets(context, others, by_all=True)
    if seen.refused and not context.links.tell:
        return True  # nobody is told whether it has
    made = new_targets({number: seen.bearing(number) for number in others}, intent.before)
    # Asked after the look: what other parts of the call make meanwhile is no merged one.
    made = {n: new for n, new in made.items() if not await _was_sent_since(context, n, kept)}
    ids = every_id(made) - await strangers_among(context, made, intent.run)
    return bool(ids) and not (context.links.tell and await are_linked(context, ids, seen))


async def _was_sent_since(context: Context, number: BillNumber, kept: AttemptRecord) -> bool:
    """Say whether a number was sent once more since a call: what is shown may be of that one."""
    every = await context.ledger.attempts_of(number)
    later = [each for each in every if each.attempt.id > kept.attempt.id]
    for run in {each.attempt.intent.run for each in later if not did_nothing(each)}:
        of = await context.ledger.run(run)
        if of is not None and of.scope == context.run.scope:
            return True
    return False
