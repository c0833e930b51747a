"""Which doubts only a person can settle, of a run that another process executes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, RunId, number_in
from k3push.ports import Doubt
from k3push.runs.context import Context
from k3push.runs.doubts.doubt_answers import names_documents
from k3push.runs.kept_in_ledger.kept_attempts import rows_under
from k3push.runs.lookup.retried_reads import READ_IS_TRIED_S
from k3push.runs.other_calls.calls_of_others import hear, hear_of_others
from k3push.runs.proof.doubt_ages import DoubtAges

# How many looks after the window another executor gets, before its doubts are left to a person.
LOOKS_OF_OTHERS = 5


async def hopeless_in(
    context: Context, run: RunId, numbers: Collection[BillNumber]
) -> set[BillNumber]:
    """Return doubts over *numbers* that only a person can settle, in a run that is executed.

    Nothing is settled here: the process that executes the run makes its own looks. A doubt that it
    has not settled some looks after the window counts as one that it cannot settle; otherwise two
    runs might wait for each other for ever.
    """
    held, every = set(map(number_in, numbers)), await context.ledger.doubts(run)
    doubts = [doubt for doubt in every if number_in(doubt.number) in held]
    if not context.reads_back:
        return {doubt.number for doubt in doubts}
    times = context.settle
    # The ERP may be unreachable when the window ends; the other executor then repeats its look for
    # a while.
    enough_s = LOOKS_OF_OTHERS * times.poll_s + READ_IS_TRIED_S
    late = await _note_late_elsewhere(context, run, every)
    if doubts:
        await hear_of_others(context, doubts, await hear(context))
    old_s = late.shown_by_s(times, more_s=enough_s) + enough_s
    ages = context.ages
    old = [doubt for doubt in doubts if ages.age_s(doubt) - ages.behind_s(doubt) >= old_s]
    # The other process may have been paused, so its time to look counts from when we first see the
    # doubt.
    return {
        doubt.number
        for doubt in old
        if ages.watched_s(doubt) >= enough_s or await names_documents(context, doubt)
    }


async def _note_late_elsewhere(context: Context, run: RunId, doubts: Sequence[Doubt]) -> DoubtAges:
    """Note which documents of another run have come late, as its rows tell."""
    ages, earlier = context.ages_elsewhere.setdefault(run, (DoubtAges(context.clock), ()))
    context.ages_elsewhere[run] = ages, doubts
    open_ = {(doubt.attempt, doubt.number) for doubt in doubts}
    gone = [doubt for doubt in earlier if (doubt.attempt, doubt.number) not in open_]
    rows = {d.number: await rows_under(context.ledger, run, d.number) for d in gone}
    made = {number for number, of in rows.items() if any(row.targets for row in of)}
    # Two looks have to agree: what they find at once has not come late.
    at_once_s = context.settle.first_wait_s + 2 * context.settle.poll_s
    ages.note_looks([d for d in (*doubts, *gone) if ages.age_s(d) >= at_once_s], made)
    return ages
