"""What the account's runs have in the ERP, where pushes may wait for each other (P 5.15).

Calls of several runs may stand in one queue, be they of one process or of many, and of executions
that have ended. So what one run knows of the queue counts for all, and the ledger keeps it:

- Behind a call that was lost, one that was written down later may be carried out as much later
  (`lost_calls`).
- A run to which nothing has told yet how long the ERP takes sends nothing behind calls that other
  runs have lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import anyio

from k3push.core.safety.ages import later_s
from k3push.core.safety.verdict import SOON_S
from k3push.ports import Doubt, LostCall
from k3push.runs.context import Context
from k3push.runs.other_calls.earlier_calls import LONGEST_CALL
from k3push.runs.proof.calls_at_work import may_run
from k3push.runs.proof.lost_calls import HERE, QUEUE_OF, Lost, waits_behind_s


async def hear_of_others(context: Context, doubts: Sequence[Doubt]) -> None:
    """Take in behind which calls of other runs, or of earlier executions, some may wait."""
    # What is heard is older than the look that follows: nothing slips through between the two.
    lost, window_s = await _lost_calls(context), context.settle.window_s
    for doubt in {doubt.attempt: doubt for doubt in doubts}.values():
        calls = []
        for kept, _ in lost:
            intent = kept.attempt.intent
            later = later_s(intent.began_at, intent.uptime, doubt.began_at, doubt.uptime)
            is_here = context.ages.left_s({kept.attempt.id}) is not None
            calls.append(Lost(kept.attempt.id, HERE if is_here else intent.run, later))
        seconds = waits_behind_s(doubt.attempt, calls, window_s)
        context.ages.note_behind(doubt.attempt, seconds)


async def count_lost_by_others(context: Context) -> None:
    """Count the calls of other runs at which the ERP may be at work, behind which none leaves."""
    work, now, uptime = context.at_work, context.clock.now(), context.clock.uptime()
    work.of_others = 0
    for kept, is_open in await _lost_calls(context):
        intent = kept.attempt.intent
        age_s = later_s(now, uptime, intent.began_at, intent.uptime)
        is_lost = is_open and (kept.ended_at is not None or age_s > SOON_S)
        # A clock that is far ahead, here or on another machine, holds nothing up for ever.
        may_be_at_work = is_lost and abs(age_s) < context.settle.shown_by_s
        work.of_others += may_be_at_work and intent.run != context.run.id
    work.others_counted_s = anyio.current_time()


async def _lost_calls(context: Context) -> list[LostCall]:
    """Return the calls of the account that were lost, and may be in the ERP yet."""
    if not context.reads_back:
        return []
    ledger, work, now = context.ledger, context.at_work, context.clock.now()
    # Somebody may have set the clock meanwhile.
    since = now - LONGEST_CALL - timedelta(seconds=QUEUE_OF * context.settle.window_s)
    lost = [each for each in await ledger.lost_calls(since, after=work.over) if may_run(each.kept)]
    if lost:
        answered = await ledger.last_success(after=lost[0].kept.attempt.id)
        work.over = max(work.over, answered)
    return [each for each in lost if each.kept.attempt.id > work.over]
