"""What the account's runs have in the ERP, where pushes may wait for each other (P 5.15).

Calls of several runs may stand in one queue, be they of one process or of many, and of executions
that have ended. So what one run knows of the queue counts for all, and the ledger keeps it:

- Behind a call that was lost, one that was written down later may be carried out as much later
  (`lost_calls`).
- A run to which nothing has told yet how long the ERP takes sends nothing behind calls that other
  runs have lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import anyio

from k3push.core.safety.ages import later_s
from k3push.core.safety.verdict import SOON_S
from k3push.ports import AttemptRecord, Doubt, LostCall, StepRecord
from k3push.runs.context import Context
from k3push.runs.proof.calls_at_work import may_run
from k3push.runs.proof.lost_calls import (
    HERE,
    LONGEST_CALL,
    QUEUE_OF,
    TIE_S,
    Lost,
    later_than,
    may_be_before,
    waits_behind_s,
)
from k3push.runs.proof.seen_since import first_shown_at
from k3push.runs.proof.steps_at_work import StepsAtWork

AT_ONCE = 1000
"""So many attempts may have begun while a call was on its way."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Calls of the account, as the ledger tells of them at one moment.

    Attributes:
        lost: Those that were lost, and may be in the ERP yet.
        answered: The newest of each user whose answer tells of documents.
        steps: Those of other runs that submit or approve, and were lost or took long.
    """

    lost: Sequence[LostCall] = ()
    answered: Mapping[str, AttemptRecord] = field(default_factory=dict)
    steps: Sequence[StepRecord] = ()


async def hear(context: Context) -> Heard:
    """Return which calls of the account were lost, and which were answered of late."""
    if not context.reads_back:
        return Heard()
    ledger, work, now = context.ledger, context.at_work, context.clock.now()
    # Somebody may have set the clock meanwhile.
    since = now - LONGEST_CALL - timedelta(seconds=QUEUE_OF * context.settle.window_s)
    lost = await ledger.lost_calls(since, after=work.over)
    steps = await ledger.long_steps(context.run.id, since, longer_s=SOON_S)
    if not lost:
        return Heard(steps=steps)
    first, last = lost[0].kept.attempt.id, lost[-1].kept.attempt.id
    newest = await ledger.last_successes(after=max(0, first - AT_ONCE))
    answered = {kept.attempt.intent.sender: kept for kept in newest}
    left = [
        each
        for each in lost
        if not _is_over(each.kept, answered.get(each.kept.attempt.intent.sender))
    ]
    work.over = left[0].kept.attempt.id - 1 if left else last
    given_up = [each for each in left if may_run(each.kept)]
    broke = [each.kept for each in left if not may_run(each.kept)]
    goes_on = broke and await _goes_on_behind_broken_lines(context, broke)
    return Heard(left if goes_on else given_up, answered, steps)


async def _goes_on_behind_broken_lines(context: Context, broke: Sequence[AttemptRecord]) -> bool:
    """Say whether a document came late of a call whose line broke soon: the ERP goes on then."""
    at_once_s = context.settle.first_wait_s + 2 * context.settle.poll_s
    for kept in broke:
        came_s = await _came_after_s(context, kept)
        if came_s > _waited_for_s(kept) + at_once_s:
            return True
    return False


async def hear_of_others(context: Context, doubts: Sequence[Doubt], heard: Heard) -> None:
    """Take in behind which calls of other runs, or of earlier executions, some may wait.

    Args:
        context: The execution.
        doubts: Numbers whose answers were lost.
        heard: What the ledger has told. Where a look is judged, that was before it began, so that
            nothing slips through between the two.
    """
    came_s = await _all_came_after_s(context, heard)
    for doubt in {doubt.attempt: doubt for doubt in doubts}.values():
        calls = _lost_before(context, doubt, heard, came_s)
        calls += context.steps_at_work.in_front(doubt, heard.steps)
        over_s = context.steps_at_work.over_after_s(doubt, heard.steps)
        answered_s = max(await _answered_after_s(context, doubt, heard), over_s)
        context.ages.note_behind(doubt.attempt, _waits_s(context, doubt, heard, calls, answered_s))


async def step_waits_s(context: Context, doubt: Doubt, heard: Heard) -> float:
    """Return how many seconds later a step may be carried out for the calls in front of it.

    Args:
        context: The execution.
        doubt: A document of which the answer to a step was lost.
        heard: What the ledger has told.
    """
    lost = _lost_before(context, doubt, heard, await _all_came_after_s(context, heard))
    pushes = [call for call in lost if call.later_s <= TIE_S]
    # The ids of pushes and steps tell nothing of each other's order.
    calls = [call._replace(attempt=doubt.attempt - 1) for call in pushes]
    calls += StepsAtWork().in_front(doubt, heard.steps)
    # An earlier step of this run may have kept these waiting.
    answered_s = context.steps_at_work.over_after_s(doubt, heard.steps)
    answered_s = max(answered_s, *(call.came_s for call in pushes), -math.inf)
    for kept in heard.answered.values():
        if kept.ended_at and (later := later_than(doubt, kept.attempt.intent)) <= TIE_S:
            took = kept.ended_at - kept.attempt.intent.began_at
            answered_s = max(answered_s, later + took.total_seconds())
    return _waits_s(context, doubt, heard, calls, answered_s)


def _lost_before(
    context: Context, doubt: Doubt, heard: Heard, came_s: Mapping[int, float]
) -> list[Lost]:
    """Return the lost pushes as the call of a doubt sees them."""
    calls = []
    for kept, _ in heard.lost:
        # Either both are in one queue, or the other user's calls do not matter to this one.
        if not _is_over(kept, heard.answered.get(doubt.sender)):
            attempt, later = kept.attempt.id, later_than(doubt, kept.attempt.intent)
            is_here = context.ages.left_s({attempt}) is not None
            run = HERE if is_here else kept.attempt.intent.run
            calls.append(Lost(attempt, run, later, later + came_s[attempt]))
    return calls


def _waits_s(
    context: Context, doubt: Doubt, heard: Heard, calls: Sequence[Lost], answered_s: float
) -> float:
    times = context.settle
    waited_s = max((_waited_for_s(kept) for kept, _ in heard.lost), default=0.0)
    own_s = context.ages.longest_s(times, doubt.sender, waited_s)
    return waits_behind_s(doubt.attempt, calls, times.window_s, own_s, answered_s)


def _waited_for_s(kept: AttemptRecord) -> float:
    """Return for how long the answer of a lost call was waited for."""
    if kept.ended_at is None:
        return math.inf
    return (kept.ended_at - kept.attempt.intent.began_at).total_seconds()


async def _answered_after_s(context: Context, doubt: Doubt, heard: Heard) -> float:
    """Return how long after a call left one was answered that may have been before it."""
    after, before = max(0, doubt.attempt - AT_ONCE), doubt.attempt
    front = await context.ledger.last_answered(before=before, after=after)
    after_s = -math.inf
    for kept in [*heard.answered.values(), *([front] if front else [])]:
        later = later_than(doubt, kept.attempt.intent)
        if kept.ended_at and may_be_before(kept.attempt.id, later, doubt.attempt):
            took = kept.ended_at - kept.attempt.intent.began_at
            after_s = max(after_s, later + took.total_seconds())
    return after_s


def _is_over(kept: AttemptRecord, answered: AttemptRecord | None) -> bool:
    """Say whether the ERP was done with a call when it answered another one.

    That holds for calls of one user: each may have a queue of his own (P 2.9). And what was
    answered while the call was still waited for has overtaken it.
    """
    is_on_its_way = kept.ended_at is None and not kept.verdict
    if answered is None or is_on_its_way:
        return False
    if kept.ended_at and answered.ended_at and answered.ended_at < kept.ended_at:
        return False
    intent, than = kept.attempt.intent, answered.attempt.intent
    later = later_s(than.began_at, than.uptime, intent.began_at, intent.uptime)
    return not may_be_before(answered.attempt.id, later, kept.attempt.id)


async def _all_came_after_s(context: Context, heard: Heard) -> Mapping[int, float]:
    return {kept.attempt.id: await _came_after_s(context, kept) for kept, _ in heard.lost}


async def _came_after_s(context: Context, kept: AttemptRecord) -> float:
    """Return how long after a call had begun a look has first shown a document of it."""
    intent = kept.attempt.intent
    shown_at = await first_shown_at(context.ledger, intent.run, kept.attempt.id)
    return (shown_at - intent.began_at).total_seconds() if shown_at else -math.inf


async def count_lost_by_others(context: Context) -> None:
    """Count the calls of other runs at which the ERP may be at work, behind which none leaves."""
    work, now, uptime = context.at_work, context.clock.now(), context.clock.uptime()
    work.of_others = 0
    for kept, is_open in (await hear(context)).lost:
        intent = kept.attempt.intent
        age_s = later_s(now, uptime, intent.began_at, intent.uptime)
        is_lost = is_open and (kept.ended_at is not None or age_s > SOON_S)
        # A clock that is far ahead, here or on another machine, holds nothing up for ever.
        may_be_at_work = is_lost and abs(age_s) < context.settle.shown_by_s
        work.of_others += may_be_at_work and intent.run != context.run.id
    work.others_counted_s = anyio.current_time()
