"""Bills of which two calls of ours have made documents, one of them carried out after its window.

A call that was in doubt was settled as absent, or one was refused that had not ended, the bill was
sent again, and both have made documents. Whoever looks at the bill next finds several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from k3push.core.model import TWIN, BillNumber, NeverSent, Outcome, RunId, State
from k3push.core.remark import also
from k3push.ports import LatelySent
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import strangers_among
from k3push.runs.documents.twins import told_of_twins
from k3push.runs.kept_in_ledger.kept_attempts import rows_under
from k3push.runs.other_calls.earlier_calls import may_have_saved, was_in_doubt

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
    twice = await _made_twice(context, several, calls)
    told = {n: also(several[n].reason, told_of_twins(several[n]).reason) for n in twice}
    return [
        each._replace(code=TWIN, reason=told[each.number]) if each.number in told else each
        for each in outcomes
    ]


def _is_of_several(outcome: Outcome) -> bool:
    return outcome.state is State.ALREADY and len(outcome.targets) > 1 and not outcome.code


async def _made_twice(
    context: Context,
    several: Mapping[BillNumber, Outcome],
    calls: Mapping[BillNumber, Sequence[LatelySent]],
) -> set[BillNumber]:
    """Return the bills that were sent again after a doubt or a refusal, which both made something.

    Documents that were known before the last call left do not count: somebody had asked for a
    second one. Nor does, after a refusal, what somebody else has made: the refusal may have been
    the end of its call.
    """
    twice: set[BillNumber] = set()
    refused: dict[RunId, dict[BillNumber, BillNumber]] = {}
    new: dict[BillNumber, set[str]] = {}
    for bill, every in calls.items():
        sent = [each for each in every if not await _was_of_namesake(context, bill, each)]
        if not sent:
            continue
        *earlier, last = sent
        intent, called = last.kept.attempt.intent, last.bills[bill]
        new[bill] = {t.id for t in several[bill].targets}.difference(intent.before.get(called, ()))
        if len(new[bill]) > 1 and any(was_in_doubt(each.kept) for each in earlier):
            twice.add(bill)
        elif len(new[bill]) > 1 and any(
            may_have_saved(each.kept, each.bills[bill], parts=False) for each in earlier
        ):
            refused.setdefault(intent.run, {})[called] = bill
    for run, bills in refused.items():
        found = {called: several[bill].targets for called, bill in bills.items()}
        others = await strangers_among(context, found, run, may_send=False)
        twice |= {bill for bill in bills.values() if len(new[bill] - others) > 1}
    return twice


async def _was_of_namesake(context: Context, bill: BillNumber, sent: LatelySent) -> bool:
    """Say whether an attempt was at another bill, which had the number before."""
    id_, run = context.known_id(bill), sent.kept.attempt.intent.run
    ids = {row.source_id for row in await rows_under(context.ledger, run, sent.bills[bill])}
    return bool(id_) and not ids & {"", id_}
