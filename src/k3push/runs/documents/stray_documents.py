"""Which bills an earlier call may have made a document of that looks have shown late.

A refusal may have saved a part (P 5.7), a success may pass a bill over and have made a document of
it all the same, and such a document may tie itself to no bill. Before the bill is sent again, or
refused for another reason, the documents are looked for that nothing ties to a bill and that the
call's user may have made since.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import anyio

from k3push.core.model import ABSENT, BillNumber, RunId
from k3push.core.protocol import wire
from k3push.core.safety.evidence import may_hide_part
from k3push.ports import AttemptRecord, LatelySent
from k3push.runs.context import Context
from k3push.runs.documents.form_marks import mark_before
from k3push.runs.documents.renumbered_bills import moved_among
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under
from k3push.runs.other_calls.calls_of_others import might_wait_s
from k3push.runs.other_calls.earlier_calls import (
    did_nothing,
    doubt_of,
    has_lost_session,
    may_have_saved,
    refusal_of,
    was_in_doubt,
)
from k3push.runs.proof.own_sight import READ_AGAIN_S, out_of_sight
from k3push.runs.proof.person_words import calls_before
from k3push.runs.proof.stray_calls import OpenCall

_Call = tuple[BillNumber, AttemptRecord, BillNumber]
"""A bill, a call of it, and what the call's run calls the bill."""

OfBill = tuple[tuple[RunId, BillNumber], AttemptRecord]
"""A call of a run, for a bill."""


async def bills_beside_strays(context: Context, every: Sequence[OfBill]) -> dict[BillNumber, RunId]:
    """Return the bills that a document may be of, each with the run whose call may have made it.

    Args:
        context: The execution.
        every: Calls of bills that are about to be sent, or refused (`unsettled_calls`).
    """
    if not every:
        return {}
    await context.stray_calls.read_clock(context, context.ledger, context.run.id, context.awake_s)
    if not context.stray_calls.tells_after:
        every = [(of, kept) for of, kept in every if _counts_untimed(context, kept)]
    carried: dict[int, tuple[AttemptRecord, list[BillNumber]]] = {}
    for (_, number), kept in every:
        carried.setdefault(kept.attempt.id, (kept, []))[1].append(number)
    # Each call is judged by itself: a later one of another run has proved nothing of it.
    calls = {id_: await _open_call(context, kept, bills) for id_, (kept, bills) in carried.items()}
    moved = await moved_among(context, context.run.id, {number for (_, number), _ in every})
    suspects = {*await context.calls_with_strays([*calls.values()], names_tell=not moved)}
    return {
        number: run
        # What this run has made it settles itself.
        for (run, number), kept in sorted(every, key=lambda of: of[0][0] == context.run.id)
        if calls[kept.attempt.id] in suspects
    }


async def bills_out_of_sight(
    context: Context, every: Sequence[OfBill]
) -> tuple[dict[BillNumber, RunId], str]:
    """Return the bills of which a call may have made what its sender is not shown, and why.

    Answers have named documents of that sender that no look shows. A refusal of one bill has made
    nothing of it; or a part where the rule splits bills, or a licence or a right was refused.
    """
    found, missed = dict[BillNumber, RunId](), list[str]()
    for (run, number), kept in every:
        said, intent = refusal_of(kept), kept.attempt.intent
        several = said is not None and await context.may_split()
        if said is not None and not may_hide_part(said, intent.numbers, several=several):
            continue
        if hidden := await context.missed_of(intent.sender):
            found[number], missed = run, [*missed, *hidden]
    return found, out_of_sight(list(dict.fromkeys(missed))) if found else ""


async def _open_call(
    context: Context, kept: AttemptRecord, bills: Sequence[BillNumber]
) -> OpenCall:
    intent = kept.attempt.intent
    return OpenCall(
        bills,
        intent.sender,
        context.began(kept.attempt.id, intent.began_at),
        {id_ for number in bills for id_ in intent.before.get(number, ())},
        # What was made later is another program's.
        await _over_at(context, kept),
        await mark_before(context, intent.run, intent.chunk, kept.attempt.id),
        wire.rule_in(intent.request),
    )


def _counts_untimed(context: Context, kept: AttemptRecord) -> bool:
    """Say whether a call may have made what has come, where the server's clock is not known.

    A document that came long after the call is most likely another program's, so only calls of the
    last window count; on a first list, all calls of this run do.
    """
    if _run_of(kept) == context.run.id and not context.stray_calls.mixes_after:
        return True
    since = context.clock.now() - timedelta(seconds=context.settle.window_s)
    return kept.attempt.intent.began_at >= since


async def unsettled_calls(
    context: Context, numbers: Collection[BillNumber], sent: Sequence[LatelySent] = ()
) -> list[OfBill]:
    """Return the calls of bills that may have made what no look has shown, and nobody has settled.

    Args:
        context: The execution.
        numbers: Bills that are about to be sent, or refused.
        sent: What other runs have sent of them of late.
    """
    calls = await _calls_of(context, numbers, sent)
    last = await _last_calls(context, calls)
    lost = await _lost_calls(context, calls)
    return [*last.items(), *lost.items()]


async def _last_calls(
    context: Context, calls: Sequence[_Call]
) -> dict[tuple[RunId, BillNumber], AttemptRecord]:
    """Return each run's last call of each bill that was carried out and may have made something.

    Of what this run has sent nothing is forgotten: `retry` plans a bill again that may have been
    rejected for something else than the call.
    """
    # What has done nothing tells nothing of the one before it.
    calls = [call for call in calls if not did_nothing(call[1])]
    last = {(_run_of(kept), number): (kept, name) for number, kept, name in calls}
    if not last:
        return {}
    # Words about a bill may be about a draft of it, or about one of its documents.
    parts = context.route.draft_when_save_fails or await context.may_split()
    found: dict[tuple[RunId, BillNumber], AttemptRecord] = {}
    settled: dict[BillNumber, _Settled] = {}
    for of, (kept, name) in last.items():
        if may_have_saved(kept, name, parts=parts):
            if name not in settled:
                settled[name] = await _settled(context, name)
            if not await settled[name].since(context, kept):
                found[of] = kept
    return found


async def _lost_calls(
    context: Context, calls: Sequence[_Call]
) -> dict[tuple[RunId, BillNumber], AttemptRecord]:
    """Return each run's first call of each bill, after all others, that may be at work yet.

    The ERP tells of a lost session before it begins (P 3.4), but one may end in the midst of a call
    as well. And a person may have said that nothing is there while a lost call was at work.
    """
    found: dict[tuple[RunId, BillNumber], AttemptRecord] = {}
    settled: dict[BillNumber, _Settled] = {}
    for number, kept, name in calls:
        of = _run_of(kept), number
        if was_in_doubt(kept) or has_lost_session(kept):
            if name not in settled:
                settled[name] = await _settled(context, name)
            if not await settled[name].since(context, kept):
                found.setdefault(of, kept)
        elif not did_nothing(kept):
            found.pop(of, None)
    return found


async def _calls_of(
    context: Context, numbers: Collection[BillNumber], sent: Sequence[LatelySent]
) -> list[_Call]:
    """Return the calls of some bills, the first first."""
    calls = [(n, each.kept, name) for each in sent for n, name in each.bills.items()]
    for number in numbers:
        if number in context.sent_before or number in context.sent_earlier:
            # Also those at another bill that had the number: both may have changed it meanwhile.
            own = await attempts_under(context.ledger, context.run.id, number)
            calls += [(number, each, number) for each in own]
    there = [call for call in calls if call[0] in numbers]
    return sorted(there, key=lambda call: call[1].attempt.intent.began_at)


class _Settled(NamedTuple):
    """What a person, or a look after the window, has found that no call of a run has made.

    Attributes:
        bill: The ERP's spelling.
        absent: The runs of which looks have found nothing.
        words: After how many calls of a run a person has said so, and when. That stands in the
            notes, whatever has become of the row since. It covers what was there by then: a call
            may be at work until its window has passed.
    """

    bill: BillNumber
    absent: Collection[RunId]
    words: Mapping[RunId, Sequence[tuple[float, datetime]]]

    async def since(self, context: Context, kept: AttemptRecord) -> bool:
        """Say whether it was found after a call."""
        run = _run_of(kept)
        if run in self.absent or run not in self.words:
            return run in self.absent
        over = await _over_at(context, kept)
        # Another bill may have had the number before, and the person's word be about that one.
        under = await attempts_under(context.ledger, run, self.bill)
        nth = {each.attempt.id: place for place, each in enumerate(under)}
        return kept.attempt.id in nth and any(
            nth[kept.attempt.id] < calls if calls < math.inf else kept.attempt.intent.began_at <= at
            for calls, at in self.words[run]
            if at >= over
        )


async def _settled(context: Context, bill: BillNumber) -> _Settled:
    absent = {run for run, row in await context.ledger.rows_of(bill) if row.code == ABSENT}
    words: dict[RunId, list[tuple[float, datetime]]] = {}
    for note in await context.ledger.notes_of(bill):
        if calls := calls_before(note.text):
            words.setdefault(note.run, []).append((calls, note.at))
    return _Settled(bill, absent, words)


async def _over_at(context: Context, kept: AttemptRecord) -> datetime:
    """Return when a call was answered, or by when it has come to an end that no answer tells."""
    if not was_in_doubt(kept):
        return context.ages.over_at(kept)
    # Calls in front that are on their way may be given up, and what they make may come late. The
    # bills of one call that are about to be sent at one moment ask once.
    waits_s, asked_s = context.waits_in_front.get(kept.attempt.id, (0.0, -math.inf))
    if (now_s := anyio.current_time()) - asked_s >= READ_AGAIN_S:
        waits_s = await might_wait_s(context, doubt_of(kept))
        context.waits_in_front[kept.attempt.id] = waits_s, now_s
    return kept.attempt.intent.began_at + timedelta(seconds=context.settle.window_s + waits_s)


def _run_of(kept: AttemptRecord) -> RunId:
    return kept.attempt.intent.run
