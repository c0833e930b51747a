"""Which bills an earlier call may have made a document of that looks have shown late.

A refusal may have saved a part (P 5.7), a success may pass a bill over and have made a document of
it all the same, and such a document may tie itself to no bill. Before the bill is sent again, or
refused for another reason, the documents are looked for that nothing ties to a bill and that the
call's user may have made since.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from k3push.core.model import ABSENT, BillNumber, RunId
from k3push.ports import AttemptRecord, LatelySent
from k3push.runs.context import Context
from k3push.runs.earlier_calls import calls_before, did_nothing, may_have_saved
from k3push.runs.form_marks import mark_before
from k3push.runs.own_documents import attempts_by
from k3push.runs.renumbered_bills import moved_among


async def bills_beside_strays(
    context: Context, numbers: Collection[BillNumber], sent: Sequence[LatelySent] = ()
) -> Mapping[BillNumber, RunId]:
    """Return the bills that a document may be of, each with the run whose call may have made it.

    Args:
        context: The execution.
        numbers: Bills that are about to be sent, or refused.
        sent: What other runs have sent of them of late.
    """
    calls = await _last_calls(context, numbers, sent)
    if not calls:
        return {}
    await context.proofs.read_clock(context, context.ledger, context.run.id)
    beside: dict[BillNumber, RunId] = {}
    # Each run's last call is judged by itself: a later one of another run has proved nothing of it.
    for run in sorted(calls, key=lambda run: run != context.run.id):
        beside = dict.fromkeys(await _beside(context, run, calls[run]), run) | beside
    return beside


async def _beside(
    context: Context, run: RunId, last: Mapping[BillNumber, AttemptRecord]
) -> list[BillNumber]:
    """Return the bills that a document may be of which a run's calls have made."""
    if not context.proofs.tells_after:
        # The server's clock is not known. A document that came long after the call is most likely
        # another program's, so only calls of the last window count; on a first list, all calls of
        # this run do.
        since = context.clock.now() - timedelta(seconds=context.settle.window_s)
        waits = run == context.run.id and not context.proofs.mixes_after
        last = {n: k for n, k in last.items() if waits or k.attempt.intent.began_at >= since}
        if not last:
            return []
    intents = {number: each.attempt.intent for number, each in last.items()}
    senders = {number: intent.sender for number, intent in intents.items()}
    moved = await moved_among(context, context.run.id, senders)
    suspects = await context.senders_of_strays(
        min(intent.began_at for intent in intents.values()),
        senders,
        before={id_ for number, intent in intents.items() for id_ in intent.before.get(number, ())},
        on_loop_s=context.ages.began_s({each.attempt.id for each in last.values()}),
        # What was made later is another program's.
        over_at=max(map(context.ages.over_at, last.values())),
        names_tell=not moved,
        mark=await mark_before(
            context, {(run, k.attempt.intent.chunk, k.attempt.id) for k in last.values()}
        ),
    )
    return [number for number, sender in senders.items() if sender in suspects]


async def _last_calls(
    context: Context, numbers: Collection[BillNumber], sent: Sequence[LatelySent]
) -> dict[RunId, dict[BillNumber, AttemptRecord]]:
    """Return each run's last call of each bill that was carried out and may have made something.

    Of what this run has sent nothing is forgotten: `retry` plans a bill again that may have been
    rejected for something else than the call.
    """
    calls = [(n, each.kept, name) for each in sent for n, name in each.bills.items()]
    for number in numbers:
        if number in context.sent_before or number in context.sent_earlier:
            own = await attempts_by(context.ledger, context.run.id, number)
            calls += [(number, each, number) for each in own]
    # What has done nothing tells nothing of the one before it.
    calls = [call for call in calls if call[0] in numbers and not did_nothing(call[1])]
    calls.sort(key=lambda call: call[1].attempt.intent.began_at)
    last = {(_run_of(kept), number): (kept, name) for number, kept, name in calls}
    # Words about a bill may be about a draft of it, or about one of its documents.
    parts = bool(last) and (context.route.draft_when_save_fails or await context.may_split())
    several = bool(last) and await context.may_have_several()
    found: dict[RunId, dict[BillNumber, AttemptRecord]] = {}
    for (run, number), (kept, name) in last.items():
        if may_have_saved(kept, name, parts=parts, several=several) and not await _is_settled_since(
            context, kept, name
        ):
            found.setdefault(run, {})[number] = kept
    return found


async def _is_settled_since(context: Context, kept: AttemptRecord, bill: BillNumber) -> bool:
    """Say whether a person, or a look after the window, has found that a call made nothing.

    A person's word stands in the notes, whatever has become of the row since.
    """
    ledger, run = context.ledger, _run_of(kept)
    rows = await ledger.rows_of(bill)
    if any(row.code == ABSENT for of, row in rows if of == run):
        return True
    notes = await ledger.notes_of(bill)
    told = max((calls_before(note.text) for note in notes if note.run == run), default=0)
    calls = [each.attempt.id for each in await attempts_by(ledger, run, bill)] if told else []
    return kept.attempt.id in calls[:told]


def _run_of(kept: AttemptRecord) -> RunId:
    return kept.attempt.intent.run
