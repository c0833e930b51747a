"""What an execution waits for, in the ledger: a page and `status` see no terminal and no log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from k3push.core.model import Attempt, Document, Outcome, RunId, State, StepAttempt
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.safety.verdict import Verdict
from k3push.ports import Clock, Ledger, LedgerLostError, Memo, Watch
from k3push.runs.control import Orders, orders_of
from k3push.runs.kept_in_ledger.put_memo import put_memo

WAIT = "wait"
"""Kind of the memo; there is one for each run."""

NOTED_S = 3.0
"""What is shorter is over before somebody has looked."""

ASKING = timedelta(seconds=60)
"""For so long after a wait what was put off may be under way, before the wait is an old one."""


class NotedWaits(Watch):
    """Writes down what is put off, until something has gone on."""

    def __init__(self, ledger: Ledger, run: RunId, clock: Clock) -> None:
        self._ledger = ledger
        self._run = run
        self._clock = clock
        self._wait: tuple[str, datetime] | None = None
        # When the window opens by which this execution goes, a schedule's own, say.
        self._opens: datetime | None = None
        self._changed = anyio.Event()

    async def note(self) -> None:
        """Write each change down, for as long as the execution lasts.

        It is for the eye alone: where the ledger takes nothing, the next change tries again.
        """
        with suppress(LedgerLostError):
            old = await self._ledger.memo(WAIT, self._run)
            # What an earlier execution has waited for.
            if old is not None and (old.value["why"] or old.value.get("opens")):
                await _write(self._ledger, self._run, None, None, self._clock.now())
        noted: tuple[object, object] = None, None
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            if (waits := (self._wait, self._opens)) != noted:
                with suppress(LedgerLostError):
                    await _write(self._ledger, self._run, *waits, self._clock.now())
                    noted = waits

    def concluded(self, outcomes: Sequence[Outcome], *, left: State) -> None:
        """Numbers have moved: nothing is waited for any more."""
        del outcomes, left
        self._change(None)

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """A call was answered: nothing is waited for any more."""
        del attempt, outcomes, verdict, seconds
        self._change(None)

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """A step was answered: nothing is waited for any more."""
        del attempt, documents, verdict, seconds
        self._change(None)

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off."""
        if seconds >= NOTED_S:
            self._change((why, self._clock.now() + timedelta(seconds=seconds)))

    def held(self, hold: Hold | None) -> None:
        """It is outside its window, or no more; what else holds it, commands tell."""
        self._opens = hold.until if hold and hold.cause is HoldCause.WINDOW else None
        self._changed.set()

    def _change(self, wait: tuple[str, datetime] | None) -> None:
        # Looks side by side meet one failure together.
        before, self._wait = self._wait, wait
        if (wait is None) != (before is None) or wait != before:
            self._changed.set()


async def _write(
    ledger: Ledger,
    run: RunId,
    wait: tuple[str, datetime] | None,
    opens: datetime | None,
    now: datetime,
) -> None:
    why, until = wait or ("", now)
    value = {"why": why, "until": until.isoformat(), "opens": opens.isoformat() if opens else ""}
    await put_memo(ledger, Memo(WAIT, run, now, value, about=run))


async def hold_of(ledger: Ledger, run: RunId, now: datetime) -> Hold | None:
    """Return what holds a run that is under way; None where it goes on."""
    return (await with_wait(orders_of(await ledger.commands(run)), ledger, run, now)).hold


async def with_wait(orders: Orders, ledger: Ledger, run: RunId, now: datetime) -> Orders:
    """Add what a run that is under way waits for, unless a person holds it."""
    memo = await ledger.memo(WAIT, run) if orders.hold is None else None
    if memo is None:
        return orders
    if opens := memo.value.get("opens"):
        until = datetime.fromisoformat(opens)
        if now < until + ASKING:
            told = until.astimezone(now.tzinfo)
            return replace(orders, hold=Hold(HoldCause.WINDOW, until=told))
    until = datetime.fromisoformat(memo.value["until"])
    if not memo.value["why"] or now >= until + ASKING:
        return orders
    return replace(orders, hold=Hold(HoldCause.WAIT, memo.value["why"]))
