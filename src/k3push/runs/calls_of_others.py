"""What other runs of the account have in the ERP, where pushes may wait for each other (P 5.15).

Calls of several runs may stand in one queue, be they of one process or of many. So what one run
knows of the queue counts for all:

- Behind a call that was lost, one that was written down later may be carried out as much later
  (`lost_calls`).
- A run to which nothing has told yet how long the ERP takes sends nothing behind such calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import anyio

from k3push.core.model import RunId
from k3push.ports import AttemptRecord, Doubt
from k3push.runs.calls_at_work import SOON_S, may_run
from k3push.runs.context import Context

QUEUE_OF = 4
"""Windows in which calls may have left that are in front of a call in doubt."""


async def hear_of_others(context: Context, run: RunId, doubts: Sequence[Doubt]) -> None:
    """Take in what other runs have in the ERP.

    Args:
        context: The execution.
        run: Whose doubts these are.
        doubts: What may wait behind calls of others.
    """
    window_s, lost, ages = context.settle.window_s, context.lost_calls, context.ages
    calls = {doubt.attempt: doubt.began_at for doubt in doubts}
    since = min(calls.values()) - timedelta(seconds=QUEUE_OF * window_s)
    # What is heard is older than the look that follows: nothing slips through between the two.
    for kept in await _lost_by_others(context, since):
        lost.note(kept.attempt.id, kept.attempt.intent.run, kept.attempt.intent.began_at)
    for attempt in context.at_work.known & calls.keys():
        lost.note(attempt, context.run.id, calls[attempt])
    lost.forget_before(await _answered_behind(context, lost.first))
    for attempt, began_at in calls.items():
        ages.note_behind(attempt, lost.behind_s(attempt, run, began_at, window_s))


async def count_lost_by_others(context: Context) -> None:
    """Count the calls of other runs at which the ERP may be at work, behind which none leaves."""
    now, work = context.clock.now(), context.at_work
    since = now - timedelta(seconds=context.settle.shown_by_s)
    soon = now - timedelta(seconds=SOON_S)
    lost = [
        kept
        for kept in await _lost_by_others(context, since)
        if kept.ended_at is not None or kept.attempt.intent.began_at < soon
    ]
    answered = await _answered_behind(context, min((k.attempt.id for k in lost), default=0))
    work.of_others = sum(kept.attempt.id > answered for kept in lost)
    work.others_counted_s = anyio.current_time()


async def _lost_by_others(context: Context, since: datetime) -> list[AttemptRecord]:
    if not context.reads_back:
        return []
    others = await context.ledger.calls_of_others(context.run.id, since)
    return [kept for kept in others if may_run(kept)]


async def _answered_behind(context: Context, call: int) -> int:
    """Return the newest call that was answered behind one, or 0."""
    return await context.ledger.last_success(after=call) if call else 0
