"""Find out what became of numbers whose answer was lost (rule 6). Only reads are made here.

Found means done. Absent counts only after the window, since the ERP may finish a call long
after the connection broke (P 5.15); until then a number stays `unknown`. Where the ERP's own
answer says that it acted, absence proves that the look is wrong, and only a person can settle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from k3push.core.evidence import made_outcome, new_targets
from k3push.core.model import BillNumber, Outcome, RunId, State
from k3push.core.verdict import ReadBack, judge
from k3push.job import Job, SettlePace
from k3push.ports import Clock, Doubt, ErpUnreachableError, Ledger, LookFailedError

# Times are floating-point numbers: one that is due in a billionth of a second may stay so.
SHORTEST_WAIT_S = 0.01


@dataclass(frozen=True, slots=True)
class Settled:
    """What one round of settling came to.

    Attributes:
        outcomes: Numbers that are in doubt no longer.
        hopeless: Numbers that no look can settle, only a person.
        left: How many numbers a later look may settle.
        next_due_s: Seconds until the next look is worth it; infinite if none is left.
    """

    outcomes: tuple[Outcome, ...] = ()
    hopeless: frozenset[BillNumber] = frozenset()
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
    if not job.reads_back:
        return Settled(hopeless=frozenset(doubt.number for doubt in doubts))
    pace = job.settle
    aged = [(doubt, job.ages.age_s(doubt)) for doubt in doubts]
    due = [(doubt, age) for doubt, age in aged if age >= pace.first_wait_s]
    outcomes: tuple[Outcome, ...] = ()
    hopeless: frozenset[BillNumber] = frozenset()
    if due:
        outcomes, hopeless = await _look(job, run, due)
    over = hopeless.union(outcome.number for outcome in outcomes)
    waits = [wait_s(age, pace) for doubt, age in aged if doubt.number not in over]
    return Settled(outcomes, hopeless, len(waits), min(waits, default=math.inf))


async def hopeless_in(job: Job, run: RunId, numbers: Collection[BillNumber]) -> set[BillNumber]:
    """Return those of *numbers* that only a person can settle, in a run that another executes.

    Nothing is settled here: whoever executes it looks by itself.
    """
    doubts = [doubt for doubt in await job.ledger.doubts(run) if doubt.number in numbers]
    if not job.reads_back:
        return {doubt.number for doubt in doubts}
    old = [doubt for doubt in doubts if job.ages.age_s(doubt) >= job.settle.window_s]
    return {doubt.number for doubt in old if await _was_said_to_act(job, doubt)}


def wait_s(age_s: float, pace: SettlePace) -> float:
    """Return how long to wait for the next look at a doubt, in seconds.

    >>> pace = SettlePace(first_wait_s=20, poll_s=30)
    >>> wait_s(5.0, pace), wait_s(20 - 4e-15, pace), wait_s(20.0, pace)
    (15.0, 0.01, 30)
    """
    if age_s >= pace.first_wait_s:
        return pace.poll_s
    return max(pace.first_wait_s - age_s, SHORTEST_WAIT_S)


async def in_doubt(ledger: Ledger, number: BillNumber) -> list[tuple[RunId, BillNumber]]:
    """Return the runs in which a number, by either spelling, is `unknown`, and the ERP's own."""
    rows = await ledger.rows_of(number)
    return [(run, row.bill) for run, row in rows if row.state is State.UNKNOWN]


async def settle_by_word(
    ledger: Ledger,
    clock: Clock,
    run: RunId,
    bill: BillNumber,
    state: State,
    *,
    because: str,
    user: str = "",
) -> None:
    """Record what a person found out about a number that is in doubt.

    Args:
        ledger: Where it is recorded.
        clock: When.
        run: Where it is in doubt.
        bill: The ERP's spelling.
        state: `pushed`, or `planned` where the ERP made nothing.
        because: How the person knows.
        user: Who, where that is known.

    Raises:
        RunIsAliveError: The run is under way, and may settle it by itself.
        IllegalMoveError: It was settled meanwhile.
    """
    before = await ledger.run(run)
    async with ledger.own(run):
        note = f"a person's word: {state} ({because})" + (f", by {user}" if user else "")
        outcome = Outcome(bill, state, code="person", reason=because)
        await ledger.conclude(run, [outcome], at=clock.now(), note=note)
        if before is not None and before.exit is not None and before.ended_at is not None:
            # A word is no execution, so the last one's ending stays.
            await ledger.end_run(run, before.exit, before.ended_at)


async def _look(
    job: Job, run: RunId, due: Sequence[tuple[Doubt, float]]
) -> tuple[tuple[Outcome, ...], frozenset[BillNumber]]:
    """Look for targets; return what was settled, and the numbers that no look can settle."""
    try:
        numbers = [doubt.number for doubt, _ in due]
        found = await job.erp.targets_of(job.route, numbers, by_all=True)
    except (LookFailedError, ErpUnreachableError) as error:
        job.watch.waiting(str(error), job.settle.poll_s)
        return (), frozenset()
    before: Mapping[BillNumber, Sequence[str]] = {d.number: d.before for d, _ in due}
    made = new_targets(found, before)
    outcomes = []
    hopeless = set()
    for doubt, age in due:
        if doubt.number in made:
            outcomes.append(made_outcome(doubt.number, made[doubt.number]))
        elif age >= job.settle.window_s:
            if await _was_said_to_act(job, doubt):
                hopeless.add(doubt.number)
            else:
                outcomes.append(_absent(doubt.number, job.settle))
    if outcomes:
        await job.ledger.conclude(
            run, outcomes, at=job.clock.now(), note="settled by a look at the target form"
        )
        if run == job.run.id:
            job.watch.concluded(outcomes)
    return tuple(outcomes), frozenset(hopeless)


async def _was_said_to_act(job: Job, doubt: Doubt) -> bool:
    """Say whether the answer to the attempt, which is there, reports success or names targets."""
    for kept in await job.ledger.attempts_of(doubt.number):
        if kept.attempt.id == doubt.attempt and kept.exchange is not None:
            verdict = judge(kept.exchange)
            return isinstance(verdict, ReadBack) and verdict.said.acted
    return False


def _absent(number: BillNumber, pace: SettlePace) -> Outcome:
    reason = f"no target {pace.window_s:g} s after it was sent"
    return Outcome(number, State.PLANNED, code="absent", reason=reason)
