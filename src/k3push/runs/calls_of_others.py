"""What other runs of the account have in the ERP, where pushes may wait for each other (P 5.15).

Calls of several runs may stand in one queue, be they of one process or of many. So what one run
knows of the queue counts for all:

- Behind a call of which its run does not know yet what it has made, one that was written down
  later may be carried out as much later (`ages.behind_s`). That call's own run may believe at the
  end of its window that nothing was made, and the queue be none the shorter; so it counts until a
  call that was written down later is answered.
- Where documents come late for one run, those of another may come as late.
- A run to which nothing has told yet how long the ERP takes sends nothing behind such calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import anyio

from k3push.core.model import RunId
from k3push.core.safety.ages import behind_s
from k3push.ports import AttemptRecord, Doubt, Memo
from k3push.runs.calls_at_work import SOON_S, may_run
from k3push.runs.context import Context

LATE = "late"
"""Kind of the memos about a run: a call of which a document came late, with seconds."""

MOST_LATE = 20
"""Memos that are read: the newest tell."""


async def hear_of_others(context: Context, run: RunId, doubts: Sequence[Doubt]) -> None:
    """Take in what other runs have in the ERP, and which documents have come late for them.

    Args:
        context: The execution.
        run: Whose doubts these are.
        doubts: What may wait behind calls of others.
    """
    window_s, ages = context.settle.window_s, context.ages
    since = min(doubt.began_at for doubt in doubts) - timedelta(seconds=window_s)
    # What is heard is older than the look that follows: nothing slips through between the two.
    for kept in await _lost_by_others(context, run, since):
        ages.calls_before[kept.attempt.id] = kept.attempt.intent.began_at
    answered = await _answered_behind(context, ages.calls_before)
    for doubt in {doubt.attempt: doubt for doubt in doubts}.values():
        # Ids grow with the order in which calls are written down, whatever clocks say.
        ids = [id_ for id_ in sorted(ages.calls_before) if answered < id_ < doubt.attempt]
        before = [ages.calls_before[id_] for id_ in ids]
        ages.note_behind(doubt.attempt, behind_s(doubt.began_at, before, window_s))
    now = context.clock.now()
    for memo in reversed(await context.ledger.memos(LATE, limit=MOST_LATE)):
        ago_s = max(0.0, (now - memo.at).total_seconds())
        if ago_s < context.settle.shown_by_s:
            ages.hear_of_late(int(memo.id), ago_s, float(memo.value["gap_s"]))


async def tell_of_late(context: Context, run: RunId, late: Collection[int]) -> None:
    """Write down calls of which documents have come late, before their rows are settled."""
    for attempt in sorted(late):
        value = {"gap_s": context.ages.gap_s}
        memo = Memo(LATE, str(attempt), context.clock.now(), value, about=run)
        await context.ledger.remember(memo)


async def count_lost_by_others(context: Context) -> None:
    """Count the calls of other runs at which the ERP may be at work, behind which none leaves."""
    now, work = context.clock.now(), context.at_work
    since = now - timedelta(seconds=context.settle.shown_by_s)
    soon = now - timedelta(seconds=SOON_S)
    lost = [
        kept
        for kept in await _lost_by_others(context, context.run.id, since)
        if kept.ended_at is not None or kept.attempt.intent.began_at < soon
    ]
    answered = await _answered_behind(context, [kept.attempt.id for kept in lost])
    work.of_others = sum(kept.attempt.id > answered for kept in lost)
    work.others_due_s = anyio.current_time() + context.settle.poll_s


async def _lost_by_others(context: Context, run: RunId, since: datetime) -> list[AttemptRecord]:
    if not context.reads_back:
        return []
    return [kept for kept in await context.ledger.calls_of_others(run, since) if may_run(kept)]


async def _answered_behind(context: Context, calls: Collection[int]) -> int:
    """Return the newest call that was answered behind some, or 0: those before it are over."""
    return await context.ledger.last_success(after=min(calls)) if calls else 0
