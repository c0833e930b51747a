"""Execute one run once: what `run`, `apply`, `resume`, `retry`, `settle` and a worker do.

`execute` takes what to do (`Execution`), tells a watcher what happens, and returns how it ended.
It opens the session first, so that a wrong address or password is said at once; pushes what is
planned or settles what is in doubt; and obeys commands from other terminals meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

import anyio

from k3push.core.model import Run
from k3push.core.pacing.pace import Pace
from k3push.core.remark import remark
from k3push.ports import Clock, Erp, Ledger, LoginBrokeError, Watch
from k3push.runs.context import Context
from k3push.runs.control import obey
from k3push.runs.documents.last_looks import look_once_more, note_look, recall_due_look
from k3push.runs.doubts.settle_doubts import Settled, settle_once, tell_of_person
from k3push.runs.engine import push_run
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.noted_waits import NotedWaits
from k3push.runs.outcome import Ending, anything_open, ending_of
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop, guarded, stopping
from k3push.runs.submit_and_audit.follower import follow_run, settle_steps
from k3push.runs.throttle import Throttle
from k3push.runs.watches import Watches

# Before a login that broke is made again. Each may have been a wrong one: five lock the account.
LOGIN_PAUSES_S = (2.0, 10.0)


class ErpSessions(Erp, Protocol):
    """An ERP whose sessions are opened and closed with the block that it is entered for."""

    @property
    def logins(self) -> int:
        """Logins so far."""
        ...

    async def open_session(self) -> None:
        """Log in; see `ports` for what is raised."""
        ...

    async def __aenter__(self) -> Self:
        """Make ready for calls."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Log out and close the connections."""
        ...


class Only(StrEnum):
    """A part of what an execution may do."""

    SETTLE = "settle"
    """Nothing is sent; what is in doubt is asked for until nothing is."""

    FOLLOW = "follow"
    """Nothing is pushed; documents take the steps after their push, those that waited too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What to do, and with what.

    Attributes:
        erp: Is entered and left by the execution.
        batched: Wraps the ERP so that looks of several chunks share a query.
        only: What is done, if not everything.
        chosen: Places of the rows that may be pushed; None for all.
        answer_timeout_s: How long an answer may take.
        unverified: The ERP's certificate is not checked.
        settling: Is told, once, how many numbers stay in doubt after a look, and for how many
            seconds they are asked for.
    """

    run: Run
    ledger: Ledger
    erp: ErpSessions
    batched: Callable[[Erp, Callable[[], int], Callable[[], int]], Erp]
    clock: Clock
    limits: PushLimits
    throttle: Throttle
    settle: SettleTimes
    answer_timeout_s: float
    only: Only | None = None
    chosen: Collection[int] | None = None
    unverified: bool = False
    settling: Callable[[int, float], None]


async def execute(what: Execution, watch: Watch, stop: Stop) -> Ending:
    """Execute a run, which the caller owns in the ledger, until its end or a stop.

    What the ERP or the ledger ends it with becomes a cause of the ending; a defect of ours is
    raised.
    """
    began_s = anyio.current_time()
    throttle, run, ledger = what.throttle, what.run, what.ledger
    waits = NotedWaits(ledger, run.id, what.clock)
    lengths = QuestionLengths()
    context = Context(
        run=run,
        erp=what.batched(what.erp, lambda: throttle.questions_at_once, lengths.shared),
        lengths=lengths,
        ledger=ledger,
        clock=what.clock,
        watch=Watches(watch, waits),
        stop=stop,
        limits=what.limits,
        throttle=throttle,
        settle=what.settle,
        ages=DoubtAges(what.clock),
        auto=Pace(answer_timeout_s=what.answer_timeout_s),
        chosen=what.chosen,
    )
    throttle.foresee(context.auto.time_left)
    async with what.erp:
        with stop.scope:
            async with anyio.create_task_group() as others:
                others.start_soon(obey, context)
                others.start_soon(guarded, stop, waits.note)
                if what.only is Only.SETTLE:
                    await _settle(context, what.erp, what.settling)
                elif what.only is Only.FOLLOW:
                    await _follow(context, what.erp)
                elif await anything_open(ledger, run):
                    await _push(context, what.erp)
                others.cancel_scope.cancel()
    return replace(
        await ending_of(ledger, run, stop.causes, unverified=what.unverified),
        seconds=anyio.current_time() - began_s,
        logins=what.erp.logins,
        doubted=context.tally.unknown,
        taken=context.taken,
        settled_elsewhere=sorted(context.settled_elsewhere),
        pace=[replace(step, at_s=step.at_s - began_s) for step in context.auto.steps],
    )


async def _push(context: Context, erp: ErpSessions) -> None:
    with stopping(context.stop):
        await _wait_for_unknown_calls(context)
        if context.stop.asked:
            return
        if await _open(context, erp):
            await push_run(context)


async def _wait_for_unknown_calls(context: Context) -> None:
    """Wait where the ledger may be an old backup, or a copy.

    A call that it does not know of may be at work yet, and no look shows that.
    """
    ledger, now = context.ledger, context.clock.now()
    await _wait_from(context, await ledger.unknown_sending(), remark("ledger.older"))
    await _wait_from(context, await ledger.moved_at(now), remark("ledger.moved"))


async def _wait_from(context: Context, left_at: datetime | None, why: str) -> None:
    """Wait until a call that may have left at a time has surely ended."""
    if left_at is not None:
        age_s = max(0.0, (context.clock.now() - left_at).total_seconds())
        if (left_s := context.settle.shown_by_s - age_s) > 0:
            context.watch.waiting(why, left_s)
            await context.stop.sleep(left_s)


async def _open(context: Context, erp: ErpSessions) -> bool:
    """Log in; a login that broke is made again, as it is in the midst of a run.

    It is not where nothing is there, which is told at once, nor after a stop.

    Returns:
        False if a stop came before that.
    """
    for pause_s in LOGIN_PAUSES_S:
        try:
            await erp.open_session()
        except LoginBrokeError as error:
            context.watch.waiting(str(error), pause_s)
        else:
            return True
        await context.stop.sleep(pause_s)
        if context.stop.asked:
            return False
    await erp.open_session()
    return True


async def _follow(context: Context, erp: ErpSessions) -> None:
    with stopping(context.stop):
        if await _open(context, erp):
            await context.learn_links()
            await follow_run(context)


async def _settle(
    context: Context, erp: ErpSessions, settling: Callable[[int, float], None]
) -> None:
    with stopping(context.stop):
        await _open(context, erp)
    if not context.stop.asked:
        await settle_run(context, settling)


async def settle_run(context: Context, settling: Callable[[int, float], None]) -> None:
    """Ask what became of all doubts of a run, until none is left that a look can settle.

    Args:
        context: The execution; only reads are made.
        settling: Is told once how many are in doubt, and the window in seconds.
    """
    told, settled = False, Settled()
    with stopping(context.stop):
        await _wait_for_unknown_calls(context)
        await context.learn_links()
        if await context.ledger.doubts(context.run.id):
            await note_look(context)
        while not context.stop.asked:
            settled = await settle_once(context, context.run.id)
            if not settled.left or not context.reads_back:
                break
            if not told:
                told = True
                settling(settled.left, context.settle.shown_by_s)
            await context.stop.sleep(settled.next_due_s)
        await settle_steps(context)
        await recall_due_look(context)
        if context.look_due_since is not None:
            await look_once_more(context)
        if not context.stop.asked:
            tell_of_person(context, settled.unproved, settled.hopeless)
