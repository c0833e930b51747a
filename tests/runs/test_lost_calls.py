"""How long a call may wait in the ERP behind those that were lost (rule 6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from k3push.core.model import (
    Answered,
    Attempt,
    BillNumber,
    Intent,
    RunId,
    Step,
    StepAttempt,
    StepIntent,
    Uptime,
)
from k3push.ports import EVERY_CALL, AttemptRecord, Doubt, LostCall, Memo, StepRecord
from k3push.runs.context import Context
from k3push.runs.other_calls.calls_of_others import Heard, hear, hear_of_others, step_waits_s
from k3push.runs.proof.calls_at_work import CallsAtWork
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.proof.lost_calls import HERE, Lost, waits_behind_s
from k3push.runs.proof.steps_at_work import StepsAtWork
from tests.runs.office import NOON, VirtualClock

pytestmark = pytest.mark.anyio

WINDOW_S = 600.0
ANSWER = Answered(200, b'{"Result":{"ResponseStatus":{"IsSuccess":true}}}')
OTHER = RunId("20261125-200000-abc")
THIRD = RunId("20261125-200100-abd")


def test_own_calls_in_front_count_for_as_long_as_calls_take() -> None:
    """What an execution has seen of the ERP holds for its own calls."""
    own = [Lost(attempt, HERE, 0.0) for attempt in (7, 8)]
    assert waits_behind_s(9, own, WINDOW_S, 30.0) == 60.0


def test_own_calls_of_which_documents_have_come_are_over_since_then() -> None:
    """Only the last of them may save more."""
    come = [Lost(attempt, HERE, -60.0, came_s=40.0) for attempt in (3, 4, 5)]
    assert waits_behind_s(9, [*come, Lost(7, HERE, 0.0)], WINDOW_S, 30.0) == 40.0 + 2 * 30.0


def test_a_window_of_another_run_begins_when_its_last_document_has_come() -> None:
    """Its places may have been filled as the ERP became slow."""
    lost = [Lost(6, OTHER, 0.0, came_s=590.0), Lost(7, OTHER, 0.0), Lost(8, OTHER, 0.0)]
    assert waits_behind_s(9, lost, WINDOW_S) == 1190.0


def test_a_run_counts_for_one_window_however_many_of_its_calls_are_in_front() -> None:
    """Its places see to it that they end within one."""
    lost = [Lost(6, THIRD, 0.0), *(Lost(attempt, OTHER, 0.0) for attempt in (7, 8))]
    assert waits_behind_s(9, lost, WINDOW_S) == 2 * WINDOW_S


def test_each_call_that_was_given_up_counts_for_a_window() -> None:
    """The places of its run may have been filled before the ERP became slow."""
    lost = [Lost(attempt, OTHER, 0.0, given_up=True) for attempt in (6, 7, 8)]
    assert waits_behind_s(9, lost, WINDOW_S) == 3 * WINDOW_S


def test_a_window_begins_once_the_call_in_front_was_answered() -> None:
    """Until then the ERP was at work on that one."""
    assert waits_behind_s(9, [], WINDOW_S, 5.0, answered_s=250.0) == 250.0
    assert waits_behind_s(9, [Lost(7, OTHER, 0.0)], WINDOW_S, 5.0, answered_s=250.0) == 850.0


class Kept:
    """What a ledger tells of calls; a look has shown documents of some attempts."""

    def __init__(
        self,
        lost: AttemptRecord,
        answered: AttemptRecord,
        made_by: Collection[int] = (),
        *,
        late: AttemptRecord | None = None,
    ) -> None:
        self._lost, self._answered, self._late = lost, answered, late
        self._made_by = {f"{OTHER} {attempt}" for attempt in made_by}

    async def lost_calls(
        self, since: datetime, *, after: int, before: int = EVERY_CALL
    ) -> list[LostCall]:
        """Return the one call that was lost."""
        assert since < NOON > self._lost.attempt.intent.began_at
        assert self._lost.attempt.id < before
        return [LostCall(self._lost, is_open=True)][after:]

    async def last_successes(self, *, after: int, until: datetime) -> list[AttemptRecord]:
        """Return the newest answer of each user."""
        assert until > NOON
        return [self._answered][after:]

    async def last_answered(
        self, attempt: int, *, until: datetime, among: int
    ) -> AttemptRecord | None:
        """Return the call in front that was answered late, if it had left by then."""
        assert attempt < among
        late = self._late
        return late if late and late.attempt.intent.began_at <= until else None

    async def long_steps(self, since: datetime, *, longer_s: float) -> list[StepRecord]:
        """Return no submit or audit."""
        assert since < NOON
        assert longer_s > 0
        return []

    async def memo(self, kind: str, key: str) -> Memo | None:
        """Return what looks have shown."""
        return Memo(kind, key, NOON, {}) if key in self._made_by else None


def _call(attempt: int, sender: str, *, took_s: float) -> AttemptRecord:
    began_at = NOON - timedelta(seconds=100 - attempt)
    intent = Intent(
        OTHER,
        1,
        1,
        (BillNumber(f"B{attempt}"),),
        {},
        b"",
        began_at,
        Uptime("b", float(attempt)),
        sender,
    )
    ended_at = began_at + timedelta(seconds=took_s)
    return AttemptRecord(Attempt(attempt, intent), None, "", ended_at)


def _context(ledger: Kept) -> Context:
    clock = VirtualClock()
    told = SimpleNamespace(
        run=SimpleNamespace(id=OTHER),
        ledger=ledger,
        clock=clock,
        reads_back=True,
        at_work=CallsAtWork(),
        settle=SettleTimes(),
        ages=DoubtAges(clock),
        erp=SimpleNamespace(users=["fast", "slow"]),
        steps_at_work=StepsAtWork(),
    )
    return cast("Context", told)


async def test_an_answer_to_one_user_ends_no_lost_call_of_another() -> None:
    """Each may have a queue of his own (P 2.9)."""
    lost = _call(1, "slow", took_s=0.5)
    heard = await hear(_context(Kept(lost, _call(90, "fast", took_s=5.0))))
    assert [each.kept for each in heard.lost] == [lost]


async def test_what_an_earlier_execution_has_lost_counts_for_a_window() -> None:
    """What the present one has seen of the ERP does not tell of it."""
    lost = _call(1, "slow", took_s=60.0)
    context = _context(Kept(lost, _call(10, "fast", took_s=5.0)))
    context.ages.note_taken(100.0, "slow")
    own = _call(3, "slow", took_s=60.0).attempt
    doubt = Doubt(
        OTHER, own.intent.numbers[0], 3, own.intent.began_at, own.intent.uptime, (), sender="slow"
    )
    heard = Heard([LostCall(lost, is_open=True)])
    await hear_of_others(context, [doubt], heard)
    assert context.ages.behind_s(doubt) == WINDOW_S - 2.0


@pytest.mark.parametrize(("sender", "windows"), [("slow", 1), ("fast", 3)])
async def test_what_was_given_up_counts_for_no_window_once_a_later_document_has_come(
    sender: str, windows: int
) -> None:
    """The ERP was done with it then, unless the document is of another user's call."""
    lost = [_call(each, "slow" if each < 66 else sender, took_s=60.0) for each in (1, 2, 66)]
    context = _context(Kept(lost[0], _call(70, "fast", took_s=5.0), made_by=[66]))
    own = _call(69, "slow", took_s=60.0).attempt
    doubt = Doubt(
        OTHER, own.intent.numbers[0], 69, own.intent.began_at, own.intent.uptime, (), sender="slow"
    )
    await hear_of_others(context, [doubt], Heard([LostCall(each, is_open=True) for each in lost]))
    assert context.ages.behind_s(doubt) == min(31.0 + windows * WINDOW_S, 3 * WINDOW_S - 68.0)


def _doubt(attempt: Attempt) -> Doubt:
    intent = attempt.intent
    return Doubt(
        OTHER, intent.numbers[0], attempt.id, intent.began_at, intent.uptime, (), sender="slow"
    )


async def test_of_calls_that_left_together_any_may_be_in_front() -> None:
    """The one that was written down later, and was answered late, may have overtaken the other."""
    late = _call(5, "slow", took_s=300.0)
    context = _context(Kept(_call(1, "slow", took_s=60.0), late, late=late))
    doubt = _doubt(_call(4, "slow", took_s=60.0).attempt)
    await hear_of_others(context, [doubt], Heard())
    assert context.ages.behind_s(doubt) == 301.0


async def test_a_push_in_front_of_a_step_counts_from_the_end_of_the_step_before_it() -> None:
    """That step kept it waiting in the ERP."""
    lost = _call(1, "slow", took_s=60.0)
    began_at = NOON - timedelta(seconds=500)
    audit = StepIntent(OTHER, Step.AUDIT, ("1",), "B", b"", began_at, Uptime("b", -400.0), "slow")
    step = StepRecord(StepAttempt(1, audit), ANSWER, "", NOON - timedelta(seconds=1))
    context = _context(Kept(lost, _call(10, "fast", took_s=5.0)))
    doubt = replace(_doubt(lost.attempt), attempt=2, began_at=NOON, uptime=Uptime("b", 100.0))
    heard = Heard([LostCall(lost, is_open=True)], steps=[step])
    assert await step_waits_s(context, [doubt], heard) == {2: WINDOW_S - 1.0}
