"""Find out what became of numbers whose answer was lost (rule 6). Only reads are made here.

Found means done. Absent counts only after the window, since the ERP may finish a call long
after the connection broke (P 5.15); until then a number stays `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from k3push.core.evidence import made_outcome, new_targets
from k3push.core.model import BillNumber, Outcome, RunId, State
from k3push.job import Job, SettlePace
from k3push.ports import Doubt, ErpUnreachableError, LookFailedError


@dataclass(frozen=True, slots=True)
class Settled:
    """What one round of settling came to.

    Attributes:
        outcomes: Numbers that are in doubt no longer.
        left: How many are.
        next_due_s: Seconds until the next look is worth it; infinite if none is left.
    """

    outcomes: tuple[Outcome, ...] = ()
    left: int = 0
    next_due_s: float = math.inf

    @property
    def planned(self) -> tuple[BillNumber, ...]:
        """Numbers of which nothing was made; they may travel again."""
        return tuple(o.number for o in self.outcomes if o.state is State.PLANNED)


async def settle_once(job: Job, run: RunId) -> Settled:
    """Look once for the targets of every number of *run* that is in doubt and due.

    The caller owns *run*, which may be another run of the job's scope. A look that fails
    settles nothing (rule 7).
    """
    doubts = await job.ledger.doubts(run)
    if not doubts or not job.reads_back:
        return Settled(left=len(doubts))
    pace = job.settle
    aged = [(doubt, job.ages.age_s(doubt)) for doubt in doubts]
    due = [(doubt, age) for doubt, age in aged if age >= pace.first_wait_s]
    outcomes: tuple[Outcome, ...] = ()
    if due:
        outcomes = await _look(job, run, due)
    settled = {outcome.number for outcome in outcomes}
    waits = [
        pace.first_wait_s - age if age < pace.first_wait_s else pace.poll_s
        for doubt, age in aged
        if doubt.number not in settled
    ]
    return Settled(outcomes, len(waits), min(waits, default=math.inf))


async def _look(job: Job, run: RunId, due: Sequence[tuple[Doubt, float]]) -> tuple[Outcome, ...]:
    try:
        found = await job.erp.targets_of(job.route, [doubt.number for doubt, _ in due])
    except (LookFailedError, ErpUnreachableError) as error:
        job.watch.waiting(str(error), job.settle.poll_s)
        return ()
    before: Mapping[BillNumber, Sequence[str]] = {d.number: d.before for d, _ in due}
    made = new_targets(found, before)
    outcomes = []
    for doubt, age in due:
        if doubt.number in made:
            outcomes.append(made_outcome(doubt.number, made[doubt.number]))
        elif age >= job.settle.window_s:
            outcomes.append(_absent(doubt.number, job.settle))
    if outcomes:
        await job.ledger.conclude(
            run, outcomes, at=job.clock.now(), note="settled by a look at the target form"
        )
        job.watch.concluded(outcomes)
    return tuple(outcomes)


def _absent(number: BillNumber, pace: SettlePace) -> Outcome:
    reason = f"no target {pace.window_s:g} s after it was sent"
    return Outcome(number, State.PLANNED, code="absent", reason=reason)
