"""Sentences that are put together from what a run came to, in the language of the one who reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.pacing.time_left import TimeLeft
from k3push.ports import StepRecord
from k3push.runs.control import Orders
from k3push.runs.kept_in_ledger.request_stages import Act, last_turn
from k3push.runs.stop import Cause, told_as
from k3push.words.language import Say


def hold_words(hold: Hold, say: Say) -> str:
    """Say what keeps all chunks from leaving, since when or until when."""
    match hold.cause:
        case HoldCause.CONTROL:
            return say("hold.control", since=clock(hold.since) if hold.since else "")
        case HoldCause.WINDOW:
            # By the clock of the window itself: a change of the clock until then moves no edge.
            return say("hold.window", until=f"{hold.until:%H:%M}" if hold.until else "")
        case HoldCause.ERP:
            return say("hold.erp", why=hold.why)
        case HoldCause.WAIT:
            return say("hold.wait", why=hold.why)


def order_lines(orders: Orders, say: Say) -> list[str]:
    """Say what keeps a run from sending, what a person has set, and what they have asked for."""
    lines = [hold_words(orders.hold, say)] if orders.hold else []
    for key, given in orders.fixed.items():
        since = clock(given.obeyed_at or given.given_at)
        lines.append(say("status.set", key=key, value=given.command.value, since=since))
    return lines + [
        say("status.asked", command=given.command, at=clock(given.given_at))
        for given in orders.asked
    ]


def act_words(act: Act, say: Say) -> str:
    """Say what somebody has done."""
    what = act.what if act.detail or act.what != "retry" else "retry_all"
    return say(f"desk.act.{what}", detail=act.detail)


def act_line(act: Act, say: Say) -> str:
    """Say who has done what with a run."""
    by = act.by or say("desk.nobody")
    return say("explain.act", by=by, what=act_words(act, say), run=act.about)


def unended_words(acts: Sequence[Act], say: Say) -> str:
    """Say how a run stands that nobody executes and that has no ending, by what was done with it.

    Args:
        acts: What people and programs have done with it, the oldest first.
    """
    match last_turn(acts):
        case "queued" | "requeued":
            return say("status.queued")
        case "cancelled":
            return say("status.cancelled")
        case _:
            return say("status.killed")


def step_line(record: StepRecord, say: Say) -> str:
    """Say which step a call was for, of how many documents, and where they stood."""
    intent = record.attempt.intent
    return say(
        "explain.step",
        id=record.attempt.id,
        run=intent.run,
        step=say(f"step.{intent.step}"),
        status=intent.status,
        count=len(intent.ids),
    )


def cause_words(cause: Cause, why: str, say: Say) -> str:
    """Say why an execution stopped before its end."""
    words = say(f"cause.{told_as(cause, why)}", why=why)
    # These two say by themselves that it stopped.
    return words if cause in {Cause.HALTED, Cause.CONTROL} else say("summary.stopped", why=words)


def clock(moment: datetime) -> str:
    """Return the time of day by the clock on the wall."""
    return f"{moment.astimezone():%H:%M}"


def expected_calls(count: int, say: Say, *, is_counted: bool) -> str:
    """Say in how many calls a list is expected to travel."""
    if is_counted:
        return say("plan.calls", count=count)
    return say("plan.calls_about", count=count)


def expected_time(time: TimeLeft, say: Say) -> str:
    """Say how long the sending of a list is expected to take.

    >>> expected_time(TimeLeft(12.3, 200.0), Say("en"))
    '13 s to 4 min, judging by the last run'
    """
    least, most = (_length(seconds, say) for seconds in time)
    if least == most:
        return say("plan.about", least=least)
    return say("plan.range", least=least, most=most)


def _length(seconds: float, say: Say) -> str:
    """Write a length of time, no finer than minutes where it has some.

    >>> [_length(seconds, Say("en")) for seconds in (12.3, 200, 9000)]
    ['13 s', '4 min', '2 h 30 min']
    >>> [_length(seconds, Say("zh")) for seconds in (12.3, 200, 9000)]
    ['13 秒', '4 分钟', '2 小时 30 分钟']
    """
    if seconds < 100:  # noqa: PLR2004  # about a minute and a half
        return say("plan.seconds", n=math.ceil(seconds))
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    if hours:
        return say("plan.hours", hours=hours, minutes=minutes)
    return say("plan.minutes", n=minutes)
