"""Which numbers of a chunk are left to send, right before it leaves (rule 3).

`look_first` looks at the documents of all, and at what other runs have sent; each number then ends
here (it has a document), waits (another run may be at work on it), or is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k3push.core.model import BillNumber, Outcome, RunId, Sighting, State
from k3push.core.remark import remark
from k3push.core.safety.conclusion import STRAY
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.target_sets import new_targets
from k3push.ports import Made, noting_repeats
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import note_look
from k3push.runs.documents.late_calls import told_of_late_calls
from k3push.runs.documents.merged_beside import bills_beside_merged
from k3push.runs.documents.own_documents import (
    but_others_cancelled,
    named_there,
    ours_of,
    with_loose_of_others,
)
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.stray_documents import (
    bills_beside_strays,
    bills_out_of_sight,
    unsettled_calls,
)
from k3push.runs.documents.there_already import already, by_ledger, ours_of_shared
from k3push.runs.documents.twins import note_twins
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.source_check import query_refused
from k3push.runs.other_calls.earlier_calls import (
    sent_by_others,
    waits_for_hasty_words,
    waits_for_others,
)
from k3push.runs.other_calls.pushed_since import pushed_since
from k3push.runs.proof.own_sight import UNSEEN
from k3push.runs.proof.unclear_documents import unclear
from k3push.runs.sending.sending_state import Sending

# For how long a look counts. A number that is sent again and had to wait longer than this for its
# turn is looked at once more: the earlier call may have been carried out meanwhile, or a person
# may have pushed the bill.
LOOK_KEEPS_S = 5.0
FIRST_LOOK_KEEPS_S = 60.0
"""The same for a number that was never sent: there is only the person."""
LONG_LOOK_S = 2 * FIRST_LOOK_KEEPS_S
SHORT_LOOK_S = 1.0
"""A look in which a read was repeated is made anew if it took longer than this.

A person, or another machine, may have pushed the bill meanwhile.
"""
MOST_LOOKS = 2
"""How often a look is made anew."""


async def look_first(context: Context, sending: Sending) -> Mapping[BillNumber, tuple[str, ...]]:
    """Take out of *sending* what has a target already, or waits for another run (rule 3).

    A document that was not there before our own first sending counts as made by it, whatever its
    answer said. Which numbers wait for another run is read before the look, since the look may not
    show yet what that run makes.

    Returns:
        For each number that is sent although documents name it, the ids of those documents.
    """
    sending.looked_s, sending.half_stale = context.awake_s, False
    sending.sent = await sent_by_others(context, sending.numbers)
    late = await waits_for_others(context, sending.sent)
    # Read after `waits_for_others`, so that a call that ends in between is seen by one of the two.
    known = await context.ledger.made_of(context.run.id, context.with_ids(sending.numbers))
    late |= await waits_for_hasty_words(context, [n for n in sending.numbers if n not in late])
    seen = Sighting()
    if can_ask(context):
        # One user may see all that the other users make, and yet not what strangers make. So all
        # users are asked.
        several = len(context.erp.users) > 1
        unsent = [n for n in sending.numbers if n not in context.sent_before]
        with noting_repeats() as repeats:
            seen = await look_at_sent(
                context,
                sending.numbers,
                before=context.sent_before,
                unsent=unsent,
                by_all=several,
                before_sending=True,
                # For a bill that was never sent it does not matter whose call made a document.
                vouched=lambda seen: {n: seen.targets.get(n, ()) for n in unsent},
            )
        took_s = context.awake_s - sending.looked_s
        sending.half_stale = bool(repeats) and took_s > SHORT_LOOK_S
        sending.cancelled.update(seen.cancelled)
        sending.note_found(context, seen)
    before = {n: context.sent_before[n] for n in sending.numbers if n in context.sent_before}
    seen = await but_others_cancelled(context, seen, before)
    seen = await with_loose_of_others(context, seen, before)
    shown = {number: seen.targets.get(number, ()) for number in before}
    ours = await ours_of(context, new_targets(shown, before))
    since = await pushed_since(context, known)
    outcomes = [
        outcome
        for n in sending.numbers
        if (outcome := _unsent(context, n, seen, known.get(n), ours.get(n)) or since.get(n))
    ]
    outcomes = await told_of_late_calls(context, outcomes)
    told = {each.number for each in outcomes}
    named = await named_there(context, [n for n in sending.numbers if n not in told])
    outcomes += named.values()
    told |= named.keys()
    left = [number for number in sending.numbers if number not in told]
    outcomes += await _in_doubt(context, sending, left)
    if context.suspects:
        await note_look(context)
    if outcomes:
        sent = any(outcome.state in SENT_BEFORE for outcome in outcomes)
        note = remark("note.found_again") if sent else ""
        await context.ledger.conclude(context.run.id, outcomes, at=context.clock.now(), note=note)
        context.watch.concluded(outcomes, left=State.PLANNED)
        in_doubt = [each for each in outcomes if each.state is State.UNKNOWN]
        sending.in_doubt = sending.in_doubt or bool(in_doubt)
        context.count(in_doubt)
        context.forget(outcomes)
        context.split_bills.note_made(outcomes)
        # What was there before this run is no sign of another program at work.
        note_twins(context, [each for each in outcomes if each.state in SENT_BEFORE])
        sending.outcomes += tuple(outcomes)
        gone = {outcome.number for outcome in outcomes}
        sending.numbers = tuple(number for number in sending.numbers if number not in gone)
    _put_off(context, sending, late)
    kinds = (seen.targets, seen.loose, seen.shared, seen.denied, seen.namesakes, seen.cancelled)
    there = {n: tuple(t.id for kind in kinds for t in kind.get(n, ())) for n in sending.numbers}
    return {number: ids for number, ids in there.items() if ids}


async def _in_doubt(
    context: Context, sending: Sending, numbers: Sequence[BillNumber]
) -> list[Outcome]:
    """Say which numbers may have a document already.

    It may be a stray one, one of a neighbour's bill, or one that its maker is not shown. What
    another run has sent is that one's to settle: it stays planned here, and is not sent.
    """
    every = await unsettled_calls(context, numbers, sending.sent)
    unseen, missed = await bills_out_of_sight(context, every)
    left = [(of, kept) for of, kept in every if of[1] not in unseen]
    strays = await bills_beside_strays(context, left)
    left = [(of, kept) for of, kept in left if of[1] not in strays]
    merged = await bills_beside_merged(context, left, sending.sent)
    beside = {**unseen, **strays, **merged}
    # What has its documents there is settled there: nobody could go on with it.
    done = [n for n, run in beside.items() if await _is_done_in(context, run, n)]
    beside = {number: run for number, run in beside.items() if number not in done}
    theirs = {number: run for number, run in beside.items() if run != context.run.id}
    sending.barred |= theirs
    sending.numbers = tuple(number for number in sending.numbers if number not in theirs)
    told = {
        **dict.fromkeys(unseen, (UNSEEN, missed)),
        **dict.fromkeys(strays, (STRAY, context.stray_calls.why)),
        **dict.fromkeys(merged, ("unnamed", remark("note.merged"))),
    }
    return [
        Outcome(number, State.UNKNOWN, (), *told[number])
        for number in beside.keys() - theirs.keys()
    ]


async def _is_done_in(context: Context, run: RunId, number: BillNumber) -> bool:
    """Say whether a run has ended with documents of a bill, which may be pushed in parts."""
    rows = [row for of, row in await context.ledger.rows_of(number) if of == run]
    made = {State.PUSHED, State.DRAFT}
    return bool(rows) and all(row.state in made for row in rows)


def _unsent(
    context: Context,
    number: BillNumber,
    seen: Sighting,
    known: Made | None,
    ours: Outcome | None = None,
) -> Outcome | None:
    """Say what becomes of a number that is not sent, from a look at its documents; None sends it.

    Args:
        context: The execution.
        number: The ERP's spelling.
        seen: The look.
        known: What another run of this ledger has made of it.
        ours: What it became by documents that our own sending has made.
    """
    found = seen.targets.get(number, ())
    before = context.sent_before.get(number)
    if before is not None:
        # An earlier call of ours may still make a document, so the number is looked at again at the
        # end.
        context.suspects.setdefault(number, before)
    if number in seen.refused:
        return query_refused(number, seen.refused[number])
    if ours is not None:
        return ours
    if found and not context.repeats_pushes:
        return already(number, found, thin=seen.thin)
    if before is not None or not context.repeats_pushes:
        if outcome := ours_of_shared(number, seen, known, before or ()):
            return outcome
        if outcome := unclear(context, number, seen, before, by_id=bool(context.id_of(number))):
            return outcome
    return None if context.repeats_pushes else by_ledger(number, seen, known)


async def renewed(
    context: Context, sending: Sending, before: Mapping[BillNumber, tuple[str, ...]], done_s: float
) -> Mapping[BillNumber, tuple[str, ...]]:
    """Look once more where the last look is too old by now.

    Args:
        context: The execution.
        sending: What is about to leave.
        before: What the last look has shown.
        done_s: When that look was done, by `Context.awake_s`.
    """
    # The machine may have slept, or the turn have come late.
    await leave_out_changed(sending)
    again = any(number in context.sent_before for number in sending.numbers)
    too_old = context.awake_s - done_s > (LOOK_KEEPS_S if again else FIRST_LOOK_KEEPS_S)
    if too_old:
        before = await look_first(context, sending)
    for _ in range(MOST_LOOKS):
        if sending.half_stale or context.awake_s - sending.looked_s > LONG_LOOK_S:
            before = await look_first(context, sending)
    return before


def _put_off(context: Context, sending: Sending, waits: Mapping[BillNumber, float]) -> None:
    """Leave numbers out that wait for what another run has sent of them."""
    if late := {number: waits[number] for number in sending.numbers if number in waits}:
        why = remark("note.lately_sent", count=len(late))
        context.watch.waiting(why, max(late.values()))
    sending.put_off |= late
    sending.numbers = tuple(n for n in sending.numbers if n not in sending.put_off)


async def leave_out_changed(sending: Sending) -> None:
    """Leave bills out that are not as they were when their sources were looked at."""
    changed = await sending.changed_among(sending.numbers)
    sending.numbers = tuple(number for number in sending.numbers if number not in changed)
