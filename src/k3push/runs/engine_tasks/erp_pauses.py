"""Spare the ERP: pauses where it says that it is overloaded, locked or limited, and whom they stop.

An overload and a limit on calls stop all chunks, a lock on a bill its chunk alone.
`core.pacing.call_limits` says whether a limit is about one bill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import anyio

from k3push.core.model import Outcome, State
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.call_limits import QUIET_S, CallLimits
from k3push.core.pacing.growing_pauses import pause_s
from k3push.core.protocol.msg_codes import CALL_LIMIT
from k3push.core.safety.conclusion import Conclusion
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import note_refused
from k3push.runs.engine_tasks.intake import Intake
from k3push.runs.sending.sending_state import Sending


@dataclass(slots=True)
class ErpPauses:
    """What limits and overloads have shown in one execution.

    Attributes:
        overloads: Answers in a row that said that the ERP is overloaded.
        limits: What limits on calls have shown.
        done_s: On the loop's clock, when the last chunk was done.
        told_until_s: Likewise, until when a watcher knows why a bill waits.
    """

    context: Context
    backlog: Backlog
    intake: Intake
    overloads: int = 0
    limits: CallLimits = field(init=False)
    done_s: float = -math.inf
    told_until_s: float = -math.inf

    def __post_init__(self) -> None:
        """Begin with no limit met."""
        limits = self.context.limits
        self.limits = CallLimits(limits.most_call_limits, limits.last_call_limit)

    def ease_off(self, sending: Sending) -> None:
        """Pause where the ERP says that it is overloaded, longer each time."""
        if sending.overload and self.context.throttle.hold is None:
            self.overloads += 1
            self.spare(sending.overload, pause_s(self.overloads))
        elif sending.conclusion is not None:
            self.overloads = 0

    def tell_of_later(self, conclusion: Conclusion, seconds: float) -> None:
        """Tell why a chunk waits before it travels again (rule 5).

        A bill that somebody edits is no reason for the others to wait.
        """
        last = next(o for o in conclusion.outcomes if o.state is State.PLANNED)
        self.context.watch.waiting(last.reason, seconds)
        self.told_until_s = anyio.current_time() + seconds

    async def put_off_at_limit(self, sending: Sending, conclusion: Conclusion) -> None:
        """Put off what a limit on calls has kept from being made, unless it is a bill's own.

        All wait for it to end, longer each time that nothing gets through.
        """
        context, backlog, limits = self.context, self.backlog, self.limits
        unmade = [o for o in conclusion.outcomes if o.state in {State.PLANNED, State.UNKNOWN}]
        if not unmade:
            return
        # Calls that were on their way together meet it together.
        why = limits.words = unmade[-1].reason
        limits.in_a_row += context.throttle.hold is None
        # What was saved before it was met may be shown late (P 5.7).
        shown_s = context.settle.first_wait_s if conclusion.hides else 0.0
        self.spare(why, max(pause_s(limits.in_a_row + 1), shown_s))
        left = [outcome for outcome in unmade if outcome.state is State.PLANNED]
        if not left:
            context.end_at_call_limit(why, limits.in_a_row)
            return
        # Nothing goes beside what has met a limit twice, or while nothing gets through.
        by_itself = sending.began_s >= self.done_s + QUIET_S[-1]
        chunk = replace(sending.chunk, numbers=tuple(outcome.number for outcome in left))
        chunk = limits.put_off(chunk, by_itself=by_itself)
        is_end = self.intake.fed and not backlog.fresh
        if is_end and limits.is_about(chunk, backlog.last):
            limits.in_a_row -= 1  # it was this bill's
            await self._give_up(left[0])
            return
        context.end_at_call_limit(why, limits.in_a_row)
        for part in limits.parts(chunk):
            if part is not chunk and limits.in_a_row >= limits.most:
                backlog.put_back(part)  # the smallest that can get through
            elif limits.is_over(part):
                backlog.put_last(part, anyio.current_time())
            else:
                backlog.put_off(part)

    async def _give_up(self, outcome: Outcome) -> None:
        """Reject a bill, with the words of the last answer."""
        context, number = self.context, outcome.number
        rejected = outcome._replace(state=State.REJECTED)
        late = outcome.code != CALL_LIMIT and await context.may_have_several()
        await note_refused(context, [number], late=late)
        await context.ledger.conclude(context.run.id, [rejected], at=context.clock.now())
        context.watch.concluded([rejected], left=State.PLANNED)
        context.forget([rejected])
        context.count([rejected])

    def spare(self, why: str, seconds: float) -> None:
        """Let all chunks wait: their calls together were too many."""
        self.context.watch.waiting(why, seconds)
        self.context.throttle.back_off(seconds, why)
