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
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

import anyio

from k3push.core.model import Attempt, RunId, StepAttempt, Uptime
from k3push.core.safety.ages import later_s
from k3push.core.safety.verdict import SOON_S
from k3push.ports import EVER_AFTER, AttemptRecord, Doubt, LostCall, StepRecord
from k3push.runs.context import Context
from k3push.runs.proof.calls_at_work import broke_soon, may_run
from k3push.runs.proof.long_calls import long_calls
from k3push.runs.proof.lost_calls import (
    HERE,
    LONGEST_CALL,
    QUEUE_OF,
    TIE_S,
    Lost,
    may_be_before,
    waits_behind_s,
)
from k3push.runs.proof.seen_since import first_moved_at, first_shown_at

AT_ONCE = 1000
"""So many attempts may have begun while a call was on its way."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Calls of the account, as the ledger tells of them at one moment.

    Attributes:
        lost: Those that were lost, and may be in the ERP yet.
        answered: The newest of each user whose answer tells of documents.
        steps: Submits and audits that have no end, were lost, or took long.
        moved_s: By attempt, for steps whose lines broke soon: seconds until a look first showed
            what each had done.
        steps_go_on: One of these was shown late: the ERP goes on with steps whose lines broke.
    """

    lost: Sequence[LostCall] = ()
    answered: Mapping[str, AttemptRecord] = field(default_factory=dict)
    steps: Sequence[StepRecord] = ()
    moved_s: Mapping[int, float] = field(default_factory=dict)
    steps_go_on: bool = False


async def hear(context: Context) -> Heard:
    """Return which calls of the account were lost or took long, and which were answered of late."""
    return await _with_steps(context, await _hear_pushes(context), context.clock.now())


async def _with_steps(context: Context, heard: Heard, at: datetime) -> Heard:
    steps = await context.ledger.long_steps(_heard_since(context, at), longer_s=SOON_S)
    moved_s, go_on = dict[int, float](), False
    for kept in filter(broke_soon, steps):
        intent = kept.attempt.intent
        if moved_at := await first_moved_at(context.ledger, intent.run, kept.attempt.id):
            after_s = moved_s[kept.attempt.id] = (moved_at - intent.began_at).total_seconds()
            go_on = go_on or _is_late(context, kept, after_s)
    return replace(heard, steps=steps, moved_s=moved_s, steps_go_on=go_on)


def _heard_since(context: Context, at: datetime) -> datetime:
    # Somebody may have set the clock meanwhile.
    return at - LONGEST_CALL - timedelta(seconds=QUEUE_OF * context.settle.window_s)


async def _hear_pushes(context: Context) -> Heard:
    work = context.at_work
    since = _heard_since(context, context.clock.now())
    lost = await context.ledger.lost_calls(since, after=work.over)
    if not lost:
        return Heard()
    heard = await _but_over(context, lost, EVER_AFTER)
    left, last = heard.lost, lost[-1].kept.attempt.id
    work.over = left[0].kept.attempt.id - 1 if left else last
    return replace(heard, lost=await _at_work(context, left))


async def _but_over(context: Context, lost: Sequence[LostCall], until: datetime) -> Heard:
    """Leave out calls that were over when the ERP answered a later one of their user, by then."""
    after = max(0, lost[0].kept.attempt.id - AT_ONCE)
    newest = await context.ledger.last_successes(after=after, until=until)
    answered = {kept.attempt.intent.sender: kept for kept in newest}
    left = [
        each
        for each in lost
        if not _is_over(context, each.kept, answered.get(each.kept.attempt.intent.sender))
    ]
    return Heard(left, answered)


async def _at_work(context: Context, lost: Sequence[LostCall]) -> Sequence[LostCall]:
    """Leave out calls whose lines broke soon, unless a document of one has come late.

    The ERP goes on with them then.
    """
    broke = [each.kept for each in lost if not may_run(each.kept)]
    for kept in broke:
        if _is_late(context, kept, await _came_after_s(context, kept)):
            return lost
    return [each for each in lost if may_run(each.kept)]


def _is_late(context: Context, kept: AttemptRecord | StepRecord, after_s: float) -> bool:
    """Say whether looks have first shown long after a line broke what its call has done."""
    at_once_s = context.settle.first_wait_s + 2 * context.settle.poll_s
    return after_s > _waited_for_s(kept) + at_once_s


async def hear_of_others(context: Context, doubts: Sequence[Doubt], heard: Heard) -> None:
    """Take in behind which calls of other runs, or of earlier executions, some may wait.

    Args:
        context: The execution.
        doubts: Numbers whose answers were lost.
        heard: What the ledger has told. Where a look is judged, that was before it began, so that
            nothing slips through between the two.
    """
    pushes = await _LostPushes.of(context, heard)
    for doubt in {doubt.attempt: doubt for doubt in doubts}.values():
        context.ages.note_behind(doubt.attempt, await _waits_s(context, doubt, pushes))


async def might_wait_s(context: Context, doubt: Doubt) -> float:
    """Return how many seconds later a call may have been carried out for those in front of it.

    An answer that came before this call left shows that what preceded the answered call was over.
    One that has come since tells only that all of them are over by now.
    """
    at, before = doubt.began_at, doubt.attempt + AT_ONCE
    lost = await context.ledger.lost_calls(_heard_since(context, at), after=0, before=before)
    heard = await _but_over(context, lost, at) if lost else Heard()
    heard = replace(heard, lost=await _at_work(context, heard.lost))
    heard = await _with_steps(context, heard, at)
    return await _waits_s(context, doubt, await _LostPushes.of(context, heard))


async def _waits_s(context: Context, doubt: Doubt, pushes: _LostPushes) -> float:
    until_s = TIE_S + _held_s(context, doubt.attempt, doubt.uptime)
    steps, answered_s = _steps_in_front(context, doubt, pushes.heard, until_s)
    answered_s = max(answered_s, await _answered_after_s(context, doubt))
    return pushes.waits_s(doubt, [*pushes.as_seen_by(doubt), *steps], answered_s)


async def step_waits_s(
    context: Context, doubts: Sequence[Doubt], heard: Heard
) -> Mapping[int, float]:
    """Return how many seconds later steps may be carried out for the calls in front of them.

    Args:
        context: The execution.
        doubts: One for each attempt whose answer was lost: a document of it, and its id.
        heard: What the ledger has told.
    """
    pushes = await _LostPushes.of(context, heard)
    return {doubt.attempt: _step_waits_s(context, doubt, pushes) for doubt in doubts}


def _step_waits_s(context: Context, doubt: Doubt, pushes: _LostPushes) -> float:
    until_s = TIE_S + context.settle.held_up_s
    lost = [call for call in pushes.as_seen_by(doubt) if call.later_s <= until_s]
    # The ids of pushes and steps tell nothing of each other's order.
    calls = [call._replace(attempt=doubt.attempt - 1) for call in lost]
    steps, answered_s = _steps_in_front(context, doubt, pushes.heard, until_s, but=doubt.attempt)
    for kept in pushes.heard.answered.values():
        if (later := _later_than(doubt, kept.attempt)) <= until_s:
            answered_s = max(answered_s, later + _waited_for_s(kept))
    return pushes.waits_s(doubt, [*calls, *steps], answered_s)


@dataclass(frozen=True, slots=True)
class _LostPushes:
    """Lost pushes of the account, and what is known of each.

    Attributes:
        came_s: How long after each had begun a look has first shown a document of it.
        given_up: Those that took long, and since which no document of their user has come.
    """

    context: Context
    heard: Heard
    came_s: Mapping[int, float]
    given_up: Collection[int]

    @classmethod
    async def of(cls, context: Context, heard: Heard) -> Self:
        """Read what is known of them."""
        came_s = {kept.attempt.id: await _came_after_s(context, kept) for kept, _ in heard.lost}
        long = await _long_before_a_kill(context, heard)
        return cls(context, heard, came_s, _given_up_since(context, heard.lost, came_s, long))

    def as_seen_by(self, doubt: Doubt) -> list[Lost]:
        """Return those that may be in front of the call of a doubt, or behind it."""
        calls = []
        for kept, _ in self.heard.lost:
            # Either both are in one queue, or the other user's calls do not matter to this one.
            if not _is_over(self.context, kept, self.heard.answered.get(doubt.sender)):
                attempt, later = kept.attempt.id, _later_than(doubt, kept.attempt)
                is_here = self.context.ages.left_s({attempt}) is not None
                run = HERE if is_here else kept.attempt.intent.run
                came, given_up = later + self.came_s[attempt], attempt in self.given_up
                calls.append(Lost(attempt, run, later, came, given_up=given_up))
        return calls

    def waits_s(self, doubt: Doubt, calls: Sequence[Lost], answered_s: float) -> float:
        """Return how many seconds later the call of a doubt may be carried out behind others."""
        times = self.context.settle
        waited_s = max((_waited_for_s(kept) for kept, _ in self.heard.lost), default=0.0)
        own_s = self.context.ages.longest_s(times, doubt.sender, waited_s)
        held_s = _held_s(self.context, doubt.attempt, doubt.uptime)
        return waits_behind_s(
            doubt.attempt, calls, times.window_s, own_s, answered_s, held_s=held_s
        )


async def _long_before_a_kill(context: Context, heard: Heard) -> set[int]:
    """Return calls that had taken long as their executions were killed, or have so far.

    An answer of this execution to a later call of their user tells that they are over.
    """
    long, runs = set[int](), dict[RunId, Collection[int]]()
    for kept, _ in heard.lost:
        id_, run = kept.attempt.id, kept.attempt.intent.run
        is_here = id_ in context.at_work.left_s or context.ages.left_s({id_}) is not None
        if kept.ended_at is not None or is_here:
            continue
        if run not in runs:
            runs[run] = await long_calls(context.ledger, run)
        answered = heard.answered.get(kept.attempt.intent.sender)
        is_over = (
            answered is not None
            and context.ages.left_s({answered.attempt.id}) is not None
            and _left_later(context, answered.attempt, kept.attempt)
        )
        if id_ in runs[run] and not is_over:
            long.add(id_)
    return long


def _given_up_since(
    context: Context, lost: Sequence[LostCall], came_s: Mapping[int, float], long: Collection[int]
) -> set[int]:
    """Return calls that took long, or were given up, and behind which no document has come.

    One that has come of a later call of the same user tells that the ERP was done with these.
    """
    come = [kept.attempt for kept, _ in lost if came_s[kept.attempt.id] > -math.inf]
    given_up = set[int]()
    for kept, _ in lost:
        attempt = kept.attempt
        took_long = attempt.id in long or (kept.ended_at is not None and may_run(kept))
        if took_long and came_s[attempt.id] == -math.inf:
            mine = [each for each in come if each.intent.sender == attempt.intent.sender]
            if not any(_left_later(context, each, attempt) for each in mine):
                given_up.add(attempt.id)
    return given_up


def _left_later(context: Context, attempt: Attempt, other: Attempt) -> bool:
    """Say whether an attempt has surely come to the ERP after another."""
    intent, than = attempt.intent, other.intent
    later = later_s(intent.began_at, intent.uptime, than.began_at, than.uptime)
    held_s = _held_s(context, other.id, than.uptime)
    return not may_be_before(attempt.id, later, other.id, held_s)


def _held_s(context: Context, attempt: int, uptime: Uptime) -> float:
    """Return for how long a push may have stood still between being written down and leaving.

    A ledger may take seconds, and a machine may pause; of calls of this execution that is known.
    """
    left_s = context.ages.left_s({attempt})
    return context.settle.held_up_s if left_s is None else max(0.0, left_s - uptime.seconds)


def _waited_for_s(kept: AttemptRecord | StepRecord) -> float:
    """Return for how long the answer of a call was waited for."""
    if kept.ended_at is None:
        return math.inf
    return (kept.ended_at - kept.attempt.intent.began_at).total_seconds()


async def _answered_after_s(context: Context, doubt: Doubt) -> float:
    """Return how long after a call left another was answered that may have come before it."""
    held_s = _held_s(context, doubt.attempt, doubt.uptime)
    until = doubt.began_at + timedelta(seconds=TIE_S + held_s)
    kept = await context.ledger.last_answered(doubt.attempt, until=until, among=AT_ONCE)
    if kept is None:
        return -math.inf
    return _later_than(doubt, kept.attempt) + _waited_for_s(kept)


def _steps_in_front(
    context: Context, doubt: Doubt, heard: Heard, until_s: float, but: int = 0
) -> tuple[list[Lost], float]:
    """Return submits and audits that a call may wait for, all *but* one.

    Args:
        context: The execution.
        doubt: The call.
        heard: What the ledger has told.
        until_s: What was written down no more than so many seconds later may be in front.
        but: None, or one that is not.

    Returns:
        Those that were lost, or are on their way, as lost calls; and how long after the call left
        the last of the others was over. What a run has at work of these counts for one window.
    """

    def is_lost(kept: StepRecord) -> bool:
        return may_run(kept) or (heard.steps_go_on and broke_soon(kept))

    # What has moved tells when each step behind it may have begun at last.
    known = {
        id_: each for id_, each in context.steps_at_work.known().items() if id_ not in heard.moved_s
    }
    told = [
        (kept.attempt, None if is_lost(kept) else _waited_for_s(kept))
        for kept in heard.steps
        if kept.attempt.id not in known
        if not _is_over(context, kept, heard.answered.get(doubt.sender))
    ]
    lost, over_after_s = list[Lost](), -math.inf
    for attempt, took_s in [*known.values(), *told]:
        later = _later_than(doubt, attempt)
        if later > until_s or attempt.id == but:
            continue
        if took_s is not None:
            over_after_s = max(over_after_s, later + took_s)
        else:
            run = RunId(f"steps of {attempt.intent.run}")
            came_s = later + heard.moved_s.get(attempt.id, -math.inf)
            lost.append(Lost(doubt.attempt - 1, run, later, came_s))
    return lost, over_after_s


def _later_than(doubt: Doubt, attempt: Attempt | StepAttempt) -> float:
    """Return how many seconds later an attempt has begun than that of a doubt."""
    intent = attempt.intent
    return later_s(intent.began_at, intent.uptime, doubt.began_at, doubt.uptime)


def _is_over(
    context: Context, kept: AttemptRecord | StepRecord, answered: AttemptRecord | None
) -> bool:
    """Say whether the ERP was done with a call when it answered another one.

    That holds for calls of one user: each may have a queue of his own (P 2.9). And what was
    answered while the call was still waited for has overtaken it.
    """
    is_on_its_way = kept.ended_at is None and not kept.verdict
    if answered is None or is_on_its_way:
        return False
    if kept.ended_at and answered.ended_at and answered.ended_at < kept.ended_at:
        return False
    if isinstance(kept, AttemptRecord):
        return _left_later(context, answered.attempt, kept.attempt)
    intent, than = answered.attempt.intent, kept.attempt.intent  # their ids tell of no order
    until_s = TIE_S + context.settle.held_up_s
    return later_s(intent.began_at, intent.uptime, than.began_at, than.uptime) > until_s


async def _came_after_s(context: Context, kept: AttemptRecord) -> float:
    """Return how long after a call had begun a look has first shown a document of it."""
    intent = kept.attempt.intent
    shown_at = await first_shown_at(context.ledger, intent.run, kept.attempt.id)
    return (shown_at - intent.began_at).total_seconds() if shown_at else -math.inf


async def count_lost_by_others(context: Context) -> None:
    """Count the calls of other runs at which the ERP may be at work, behind which none leaves."""
    work, now, uptime = context.at_work, context.clock.now(), context.clock.uptime()
    heard = await _hear_pushes(context)
    work.of_others = 0
    for kept, is_open in heard.lost:
        intent = kept.attempt.intent
        age_s = later_s(now, uptime, intent.began_at, intent.uptime)
        is_lost = is_open and (kept.ended_at is not None or age_s > SOON_S)
        # A clock that is far ahead, here or on another machine, holds nothing up for ever.
        may_be_at_work = is_lost and abs(age_s) < context.settle.shown_by_s
        work.of_others += may_be_at_work and intent.run != context.run.id
    work.others_counted_s = anyio.current_time()
