"""Which numbers are given up because they were sent alone as often as the settings allow."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import Outcome, State
from k3push.core.protocol.msg_codes import TRY_LATER_CODES
from k3push.core.remark import remark
from k3push.core.safety.verdict import InDoubt, judge
from k3push.ports import AttemptRecord, Doubt
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.kept_attempts import sent_by
from k3push.runs.other_calls.earlier_calls import may_have_worked, refusal_of
from k3push.runs.retry import attempts_before


async def ended_by_tries(context: Context, doubt: Doubt) -> Outcome | None:
    """Give up a number that was sent alone and came into doubt `max_attempts` times, and say why.

    None if it may be sent again.
    """
    if not doubt.alone:
        return None
    notes = await context.ledger.notes_of(doubt.number)
    over = max((attempts_before(n.text) for n in notes if n.run == doubt.run), default=0)
    kept = await sent_by(context.ledger, doubt.run, doubt.number, after=over)
    # A call that the ERP refused or put off does not count: it did not break.
    broke = [
        each for each in kept if len(each.attempt.intent.numbers) == 1 and may_have_worked(each)
    ]
    if len(broke) < context.limits.max_attempts:
        return _refused_for_ever(context, doubt, kept)
    why = remark("note.unanswered", times=context.limits.max_attempts)
    exchange = broke[-1].exchange
    if exchange and isinstance(last := judge(exchange), InDoubt):
        why = remark("note.also", first=why, more=last.because)
    return Outcome(doubt.number, State.REJECTED, code="unanswered", reason=why)


def _refused_for_ever(
    context: Context, doubt: Doubt, tries: Sequence[AttemptRecord]
) -> Outcome | None:
    """Give a number up, with the ERP's words, that was refused alone as often as may be.

    Each refusal has left it in doubt, since it may hide a draft and too little was shown to tell;
    each time nothing was there after all. If the last answer was lost, the number is not given up,
    even if earlier calls were refused: these may have gone through a user who lacks the right to
    push it.
    """
    refused = [
        (each.attempt.id, said)
        for each in tries
        if len(each.attempt.intent.numbers) == 1
        and (said := refusal_of(each))
        and said.code not in TRY_LATER_CODES
    ]
    if len(refused) < context.limits.max_attempts:
        return None
    attempt, last = refused[-1]
    if attempt != doubt.attempt:
        return None
    return Outcome(doubt.number, State.REJECTED, code=last.code, reason=" ".join(last.messages))
