"""Why a run sends nothing for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from k3push.core.pacing.window import Window


class HoldCause(StrEnum):
    """Why nothing is sent for now, the strongest first."""

    CONTROL = "control"
    """A person said so."""

    WINDOW = "window"
    """It is not the time of day to send."""

    ERP = "erp"
    """The ERP asked to be spared."""

    WAIT = "wait"
    """What was asked or sent is put off: nobody answers, say."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing new is sent for now; what is on its way goes on.

    Attributes:
        why: What the ERP said, or what is waited for; "" for neither.
        since: When a person began it.
        until: When the window opens.
    """

    cause: HoldCause
    why: str = ""
    since: datetime | None = None
    until: datetime | None = None


def outside(window: Window, now: datetime) -> Hold | None:
    """Return the hold of a time of day that lies outside *window*; None within it."""
    return None if window.holds(now) else Hold(HoldCause.WINDOW, until=window.next_edge(now))
