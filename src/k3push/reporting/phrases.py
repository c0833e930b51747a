"""Sentences that are put together from what a run came to, in the language of the one who reads."""

from __future__ import annotations

from datetime import datetime

from k3push.controlling import Orders
from k3push.core.halting import Breach
from k3push.core.holds import Hold, HoldCause
from k3push.job import Cause
from k3push.reporting.timeline import Say


def hold_words(hold: Hold, say: Say) -> str:
    """Say what keeps all chunks from leaving, since when or until when."""
    facts = {name: clock(at) for name, at in (("since", hold.since), ("until", hold.until)) if at}
    match hold.cause:
        case HoldCause.CONTROL:
            return say("hold.control", **facts)
        case HoldCause.WINDOW:
            return say("hold.window", **facts)
        case HoldCause.ERP:
            return say("hold.erp", why=hold.why)


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


def breach_words(breach: Breach, say: Say) -> str:
    """Say which limit of the halt rule was reached, and by what."""
    value = f"{breach.value:.1f}" if breach.kind == "percent" else f"{breach.value:.0f}"
    return say(f"breach.{breach.kind}", value=value, sent=breach.sent, limit=breach.limit)


def cause_words(cause: Cause, why: str, breach: Breach | None, say: Say) -> str:
    """Say why an execution stopped before its end."""
    match cause:
        case Cause.HALTED:
            # Of an earlier execution only the words are kept.
            return say("cause.halted", why=breach_words(breach, say) if breach else why)
        case Cause.CONTROL:
            return say("cause.control")
        case Cause.DEADLINE | Cause.LIMIT:
            return say("summary.stopped", why=why)
        case _:
            return say("summary.stopped", why=say(f"cause.{cause.value}", why=why))


def clock(moment: datetime) -> str:
    """Return the time of day by the clock on the wall."""
    return f"{moment.astimezone():%H:%M}"
