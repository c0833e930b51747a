"""Pushing from Python: what `k3push.open`, `k3push.push` and their asynchronous twins give.

They do what the commands do, with the same settings, ledger and rules. Whatever was pushed
before is `already`, so that a task which is tried again is safe. Names and fields that stand in
`__all__` stay as they are; everything else of k3push may change. A program finds here all that it
may rely on, whichever module it stands in.
"""

from k3push.core.model import State, Target
from k3push.core.plan import Forecast
from k3push.runs.outcome import Exit
from k3push.scripting.async_session import AsyncSession, open_async, push_async
from k3push.scripting.blocking_session import Session, open, push  # noqa: A004  # as k3push.open
from k3push.scripting.values import Bill, K3pushError, Plan, PlannedBill, Result, Row

__all__ = [
    "AsyncSession",
    "Bill",
    "Exit",
    "Forecast",
    "K3pushError",
    "Plan",
    "PlannedBill",
    "Result",
    "Row",
    "Session",
    "State",
    "Target",
    "open",
    "open_async",
    "push",
    "push_async",
]
