"""Runs side by side whose pushes wait for each other in the ERP, behind an impatient proxy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.core.model import Attempt, BillNumber, Intent, RunId, State, Uptime
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context
from k3push.runs.other_calls.calls_of_others import hear
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.proof.lost_calls import TIE_S
from k3push.runs.push_limits import PushLimits
from k3push.simulator import FaultPlan
from k3push.simulator.fault_plans.faults import NO_FAULT
from k3push.simulator.fault_plans.script import Step
from k3push.simulator.sign_in import Logins
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    ANSWER_TIMEOUT_S,
    FIRST,
    ROUTE,
    SECOND,
    SETTLE,
    WINDOW_S,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_CANARY, NO_HALT, OPEN, REFUSED, doubled
from tests.runs.test_calls_that_meet import killed_after, queueing
from tests.shares import shared_out

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

OK = Step(NO_FAULT)


class SetClock(VirtualClock):
    """The clock of a machine that somebody has set."""

    def __init__(self, ahead_s: float, machine: str = "") -> None:
        """Take by how much it is ahead since, and of which other machine it is."""
        self._ahead = timedelta(seconds=ahead_s)
        self._machine = machine

    def now(self) -> datetime:
        """Return the time of day that it shows."""
        return super().now() + self._ahead

    def uptime(self) -> Uptime:
        """Return how long the machine is up."""
        uptime = super().uptime()
        return replace(uptime, boot=f"{uptime.boot}@{self._machine}") if self._machine else uptime


GIVES_UP_SOON = PushLimits(max_attempts=1)


async def _in_use(plan: FaultPlan | None = None, **options: Any) -> Office:
    """Return an office where a run has proved that links, or the field, find what is there."""
    faults = replace(plan or FaultPlan(), steps=(OK, *(plan or FaultPlan()).steps))
    office = Office(sandbox(faults, **{**OPEN, **options}))
    await office.open_run(orders(1, 50), RunId("r0"))
    await office.execute(RunId("r0"))
    return office


@pytest.mark.parametrize(("runs", "each_s"), shared_out([(2, 380.0), (2, 590.0), (5, 380.0)], 3))
async def test_runs_side_by_side_wait_for_the_documents_of_each_other(
    runs: int, each_s: float
) -> None:
    """What the one waits for may stand behind the other's call."""
    numbers, states, sent = orders(2 * runs), dict[str, State](), list[str]()
    office = await _in_use()

    async def push(run: RunId, part: list[str]) -> None:
        await office.open_run(part, run)
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        pushed = await office.execute(run, throttle=steered(concurrency=1, chunk_size=1), **how)
        states.update(pushed.states)
        sent.extend(pushed.watch.carried)

    async with anyio.create_task_group() as server:
        erp = queueing(server, each_s, 60.0, told=True)
        async with anyio.create_task_group() as tasks:
            for index in range(runs):
                part = numbers[2 * index : 2 * index + 2]
                tasks.start_soon(push, RunId(f"r{index + 1}"), part)
    # A session that is over by then would hide what a second call makes.
    assert sorted(sent) == numbers
    assert states == dict.fromkeys(numbers, State.PUSHED)


@pytest.mark.parametrize(
    ("each_s", "at_once", "size"), shared_out([(400.0, 1, 8), (500.0, 4, 6), (380.0, 4, 8)], 3)
)
async def test_runs_wait_for_late_documents_of_each_other_whose_lines_broke_soon(
    each_s: float, at_once: int, size: int
) -> None:
    """A line that breaks after twenty seconds, each time, hides that the ERP works for minutes."""
    numbers, sent = orders(2 * size), list[str]()
    office = await _in_use()

    async def push(run: RunId, part: list[str]) -> None:
        await office.open_run(part, run)
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        pushed = await office.execute(
            run, throttle=steered(concurrency=at_once, chunk_size=1), **how
        )
        sent.extend(pushed.watch.carried)

    async with anyio.create_task_group() as server:
        erp = queueing(server, each_s, 20.0, told=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, RunId("r1"), numbers[:size])
            await anyio.sleep(7)
            tasks.start_soon(push, RunId("r2"), numbers[size:])
    assert erp.twice == frozenset()
    assert sorted(sent) == numbers


@pytest.mark.parametrize(("each_s", "after_s"), [(380.0, (0.0, 0.0)), (590.0, (10.0, 640.0))])
async def test_a_call_waits_for_those_of_other_runs_that_make_nothing(
    each_s: float, after_s: tuple[float, float]
) -> None:
    """No late document tells of the queue, and the first two calls end in refusals.

    One is given up by its run before the third run begins: it is in front of the others all the
    same.
    """
    numbers, told = orders(3), dict[str, list[str]]()
    office = await _in_use(FaultPlan(refusals=dict.fromkeys(numbers[:2], REFUSED)))
    begins_s = dict(zip(numbers, (0.0, *after_s), strict=True))

    async def push(number: str) -> None:
        await anyio.sleep(begins_s[number])
        run = RunId(number)
        await office.open_run([number], run)
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        if number != numbers[2]:
            how["limits"] = GIVES_UP_SOON
        pushed = await office.execute(run, **how)
        told[number] = [each.code for each in pushed.watch.moves]

    async with anyio.create_task_group() as server:
        erp = queueing(server, each_s, 60.0, told=True)
        async with anyio.create_task_group() as tasks:
            for number in numbers:
                tasks.start_soon(push, number)
    assert told[numbers[2]] == [""]  # it never counts as absent


@pytest.mark.parametrize(
    ("each_s", "is_quick_at_first"), shared_out([(400.0, True), (590.0, True), (590.0, False)], 2)
)
async def test_each_call_that_another_run_has_given_up_counts(
    monkeypatch: pytest.MonkeyPatch, each_s: float, *, is_quick_at_first: bool
) -> None:
    """They went side by side as the ERP became slow, and make nothing that would tell of that."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy, sound, quick = orders(2), orders(4, 2), orders(2, 20), orders(2, 30)
    office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
    await office.open_run([*light, *heavy], FIRST)
    await office.open_run([*quick, *sound] if is_quick_at_first else sound, SECOND)

    async def push(run: RunId, at_once: int, after_s: float) -> None:
        await anyio.sleep(after_s)
        await office.execute(run, throttle=steered(concurrency=at_once, chunk_size=1), **how)

    async with anyio.create_task_group() as server:
        erp = queueing(server, each_s, 60.0, told=True, light=[*light, *quick])
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        how["limits"] = PushLimits(halt=HaltRule())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, FIRST, 4, 0.0)
            tasks.start_soon(push, SECOND, 1, 0.5 if is_quick_at_first else 20.0)
    assert (erp.twice, doubled(office, [*light, *quick, *sound])) == (frozenset(), [])


@pytest.mark.parametrize(
    ("each_s", "at_once", "resumed"),
    [(590.0, 8, True), *shared_out([(290.0, 8, True), (290.0, 8, False), (590.0, 4, False)], 3)],
)
async def test_each_call_counts_that_took_long_as_its_execution_was_killed(
    monkeypatch: pytest.MonkeyPatch, each_s: float, at_once: int, *, resumed: bool
) -> None:
    """They went side by side as the ERP became slow, none was given up yet, and none makes any."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy, sound, other = orders(2), orders(at_once - 1, 2), orders(1, 20), orders(1, 30)
    office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
    await office.open_run([*light, *heavy, *sound], FIRST)
    await office.open_run(other, SECOND)

    async def kill(job: Context) -> None:
        await anyio.sleep(100.0)
        job.stop.scope.cancel()

    async with anyio.create_task_group() as server:
        erp = queueing(server, each_s, 290.0, told=True, light=light)
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        how["limits"] = PushLimits(halt=HaltRule())
        how["throttle"] = steered(concurrency=at_once, chunk_size=1)
        await office.execute(FIRST, beside=kill, **how)
        await office.execute(FIRST if resumed else SECOND, **how)
        await office.execute(SECOND if resumed else FIRST, **how)
    every = [*light, *heavy, *sound, *other]
    assert (erp.twice, doubled(office, every)) == (frozenset(), [])


async def test_what_took_long_before_a_kill_is_not_over_for_an_answer_to_an_earlier_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another run was answered before the ERP became slow, and has lost a call behind them."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy, mine = orders(2), orders(7, 2), orders(3, 20)
    office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
    await office.open_run([*light, *heavy], FIRST)
    await office.open_run(mine, SECOND)
    async with anyio.create_task_group() as server:
        erp = queueing(server, 590.0, 290.0, told=True, light=[*light, *mine[:2]])
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        how["limits"] = PushLimits(halt=HaltRule())
        how["throttle"] = steered(concurrency=4, chunk_size=1)

        async def push() -> None:
            await anyio.sleep(1.0)
            await office.execute(SECOND, **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push)
            await office.execute(FIRST, beside=killed_after(100.0), **how)
    assert (erp.twice, doubled(office, mine)) == (frozenset(), [])


@pytest.mark.parametrize("resumed", [True, False])
async def test_what_took_long_before_a_kill_is_over_once_a_later_call_is_answered(
    *, resumed: bool
) -> None:
    """Bills that the ERP never comes to hold a run up for one window, and not for one each."""
    numbers, others = orders(12), orders(12, 20)
    faults = [*["ok"] * 2, *["silence"] * 4, *["ok"] * 4, *["silence"] * (not resumed)]
    office = await _in_use(steps(*faults), latency_s=1.5, look_s=0.0)
    await office.open_run(numbers)
    await office.open_run(others, SECOND)

    async def kill(job: Context) -> None:
        await anyio.sleep(100.0)
        job.stop.scope.cancel()

    how: dict[str, Any] = {"settle": SettleTimes(), "check": False}
    how["throttle"] = steered(concurrency=4, chunk_size=1)
    await office.execute(limits=NO_CANARY, beside=kill, **how)
    killed_s = anyio.current_time()
    pushed = await office.execute(FIRST if resumed else SECOND, limits=NO_CANARY, **how)
    assert pushed.of(State.PUSHED) == set(numbers if resumed else others)
    # Another run waits for these, and then for a lost call of its own behind them.
    most_s = (1 if resumed else 4) * WINDOW_S
    assert anyio.current_time() - killed_s < most_s


async def test_a_resume_tries_one_call_behind_earlier_ones_also_where_its_line_breaks_soon() -> (
    None
):
    """No answer has told that these are over, so that each would only make the queue longer."""
    numbers = orders(12)
    office = await _in_use(
        steps(*["ok"] * 2, *["silence"] * 4, *["reset"] * 40), latency_s=1.5, look_s=0.0
    )
    await office.open_run(numbers)
    how: dict[str, Any] = {"settle": SettleTimes(), "check": False}
    how["throttle"] = steered(concurrency=4, chunk_size=1)
    how["limits"] = replace(NO_CANARY, halt=HaltRule())
    await office.execute(beside=killed_after(100.0), **how)
    killed_s = anyio.current_time()
    pushed = await office.execute(beside=killed_after(2 * WINDOW_S), **how)
    began_s = [each.intent.uptime.seconds for each, *_ in pushed.watch.sendings]
    assert len(began_s) == 1, began_s
    assert WINDOW_S - 100.0 < began_s[0] - killed_s < WINDOW_S


async def test_a_call_waits_for_one_of_a_run_that_has_ended_well() -> None:
    """The document of the call in front has come, and the ERP has begun with the next one late."""
    numbers, told = orders(2), list[list[str]]()
    office = await _in_use()

    async def push(number: str, after_s: float) -> None:
        await anyio.sleep(after_s)
        await office.open_run([number], RunId(number))
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "transport": erp}
        pushed = await office.execute(RunId(number), **how)
        await office.store.end_run(RunId(number), 0, VirtualClock().now())
        told.append([each.code for each in pushed.watch.moves])

    async with anyio.create_task_group() as server:
        erp = queueing(server, 590.0, 60.0, told=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, numbers[0], 0.0)
            tasks.start_soon(push, numbers[1], 10.0)
    assert told == [[""], [""]]  # neither counts as absent


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0, -3600.0])
@pytest.mark.parametrize("after_s", [30.0, 100.0])
async def test_a_run_waits_for_the_calls_of_one_that_was_killed(
    after_s: float, ahead_s: float
) -> None:
    """Nobody looks for their documents, and the ERP may be at work on all of them.

    Somebody may have set the clock since.
    """
    numbers = orders(2)
    office = await _in_use()
    await office.open_run(numbers[:1], FIRST)
    await office.open_run(numbers[1:], SECOND)

    async def kill(job: Context) -> None:
        await anyio.sleep(after_s)
        job.stop.scope.cancel()

    async with anyio.create_task_group() as server:
        how: dict[str, Any] = {"settle": SettleTimes(), "check": False}
        how["transport"] = queueing(server, 380.0, 60.0, told=True)
        how["throttle"] = steered(concurrency=1, chunk_size=1)
        await office.execute(FIRST, beside=kill, **how)
        pushed = await office.execute(SECOND, clock=SetClock(ahead_s), **how)
        assert [each.code for each in pushed.watch.moves] == [""]  # it never counts as absent
        assert pushed.of(State.PUSHED) == set(numbers[1:])


@pytest.mark.parametrize("at_once", [1, 8])
async def test_runs_whose_calls_are_lost_do_not_wait_for_each_other_for_ever(at_once: int) -> None:
    """Nothing was done, and each may be behind the others: a window for each run is waited."""
    numbers, ended_s = orders(3 * (at_once + 1)), list[float]()
    # What is answered first tells each run how long the ERP takes.
    office = await _in_use(steps(*["ok"] * 3, *["reset"] * 3 * at_once), latency_s=1.5, look_s=0.0)

    async def push(part: list[str]) -> None:
        run, driven = RunId(part[0]), steered(concurrency=at_once, chunk_size=1)
        await office.open_run(part, run)
        await office.execute(
            run, throttle=driven, settle=SettleTimes(), limits=NO_CANARY, check=False
        )
        ended_s.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        for first in range(0, len(numbers), at_once + 1):
            tasks.start_soon(push, numbers[first : first + at_once + 1])
    await office.check()
    assert max(ended_s) < ANSWER_TIMEOUT_S + 4 * WINDOW_S + 90.0


@pytest.mark.parametrize(
    ("ahead_s", "is_blind"), [(0.0, False), (3600.0, False), (-3600.0, False), (0.0, True)]
)
async def test_a_run_sends_nothing_behind_what_another_has_lost(
    ahead_s: float, *, is_blind: bool
) -> None:
    """Nothing has told it yet how long the ERP takes; the other's call may take a window.

    Somebody may have set the clock since that call, and the run may not be able to look.
    """
    numbers, began_s = orders(2), dict[str, float]()
    office = await _in_use(steps("silence"), link_fields=not is_blind)
    blind = replace(ROUTE, source_number_field="")

    async def push(number: str, after_s: float) -> None:
        await anyio.sleep(after_s)
        run, clock = RunId(number), SetClock(ahead_s if after_s else 0.0)
        await office.open_run([number], run)
        route = blind if is_blind and after_s else ROUTE
        how: dict[str, Any] = {"settle": SettleTimes(), "clock": clock, "route": route}
        pushed = await office.execute(run, check=False, **how)
        began_s[number] = pushed.watch.sendings[0][0].intent.uptime.seconds

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push, numbers[0], 0.0)
        tasks.start_soon(push, numbers[1], 60.0)
    await office.check()
    assert began_s[numbers[1]] - began_s[numbers[0]] > WINDOW_S


async def test_a_resume_tries_none_after_a_window_behind_what_another_has_lost_since() -> None:
    """What its own earlier execution has lost is over by then; the other run goes on to lose."""
    office = await _in_use(steps("silence", "ok", "silence", "silence"))
    await office.open_run(orders(3))
    await office.open_run(orders(2, 20), SECOND)
    how: dict[str, Any] = {"settle": SettleTimes(), "check": False, "limits": NO_CANARY}
    how["throttle"] = steered(concurrency=1, chunk_size=1)
    began_s = dict[RunId, list[float]]()

    async def push(run: RunId, **more: Any) -> None:
        pushed = await office.execute(run, **how, **more)
        began_s[run] = sorted(each[0].intent.uptime.seconds for each in pushed.watch.sendings)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(push, SECOND, beside=killed_after(10.0)))
        await anyio.sleep(1.0)
        tasks.start_soon(push, FIRST)
        await anyio.sleep(10.0)
        tasks.start_soon(push, SECOND)
    *_, lost_s = began_s[FIRST][:3]
    assert lost_s > ANSWER_TIMEOUT_S
    assert began_s[SECOND][0] >= lost_s + WINDOW_S


@pytest.mark.parametrize("poll_s", [1.0, 4.0, 5.0])
async def test_a_run_behind_a_lost_call_of_another_goes_on_however_often_it_polls(
    poll_s: float,
) -> None:
    """It looked for that call less often than it polled, and waited for what had passed, for ever.

    `K3PUSH_SETTLE__POLL_S=1` is what the guide on doubts sets.
    """
    numbers, settle = orders(2), SettleTimes(first_wait_s=1.0, poll_s=poll_s)
    office = await _in_use(steps("silence"))

    async def push(number: str, after_s: float) -> None:
        await anyio.sleep(after_s)
        run = RunId(number)
        await office.open_run([number], run)
        pushed = await office.execute(run, settle=settle, check=False)
        assert pushed.of(State.PUSHED) == {number}

    with anyio.fail_after(ANSWER_TIMEOUT_S + 3 * WINDOW_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, numbers[0], 0.0)
            tasks.start_soon(push, numbers[1], 60.0)


async def test_a_call_that_was_lost_by_a_clock_of_tomorrow_holds_nothing_up_for_long() -> None:
    """A machine whose clock was a day ahead was killed, and nobody goes on with its run."""
    numbers = orders(2)
    office = await _in_use(steps("silence"))
    await office.open_run(numbers[:1], FIRST)
    await office.open_run(numbers[1:], SECOND)

    async def kill(job: Context) -> None:
        await anyio.sleep(ANSWER_TIMEOUT_S + 10.0)
        job.stop.scope.cancel()

    ahead = SetClock(86_400.0, "other")
    await office.execute(FIRST, settle=SettleTimes(), clock=ahead, beside=kill, check=False)
    began_s = anyio.current_time()
    await office.execute(SECOND, settle=SettleTimes(), check=False)
    assert anyio.current_time() - began_s < WINDOW_S


async def test_what_another_run_has_lost_holds_nothing_up_once_a_call_behind_it_is_answered() -> (
    None
):
    """The ERP works on one call after the other, or on none of these."""
    numbers = orders(5)
    faults = [*["ok"] * 2, "make-then-silence", "ok", "silence"]
    office = await _in_use(steps(*faults))
    one_by_one = steered(concurrency=1, chunk_size=1)
    took_s: dict[str, float] = {}

    async def push(run: RunId, part: list[str], after_s: float) -> None:
        await anyio.sleep(after_s)
        await office.open_run(part, run)
        began_s = anyio.current_time()
        await office.execute(run, throttle=one_by_one, settle=SettleTimes(), check=False)
        took_s[run] = anyio.current_time() - began_s

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push, FIRST, numbers[:3], 0.0)
        tasks.start_soon(push, SECOND, numbers[3:], ANSWER_TIMEOUT_S + 60.0)
    await office.check()
    assert took_s[SECOND] < ANSWER_TIMEOUT_S + WINDOW_S + 60.0


async def _lost_in(office: Office) -> int:
    """Return how many calls another run counts as lost, and at work perhaps."""
    told: list[int] = []

    async def hear_of_them(job: Context) -> None:
        told.append(len((await hear(job)).lost))

    await office.open_run(orders(1, 40), SECOND)
    await office.execute(SECOND, work=hear_of_them, check=False)
    return told[0]


@pytest.mark.parametrize("later_s", [0.0, TIE_S, TIE_S + 1.0])
@pytest.mark.parametrize("looked_s", [150.0, ANSWER_TIMEOUT_S + 10.0])
async def test_a_call_that_was_waited_for_as_another_was_answered_is_not_over(
    later_s: float, looked_s: float
) -> None:
    """Pushes may wait for a lock, and what does not need it comes first, and goes on to come."""
    front, *others = orders(60)
    office = await _in_use(steps("silence"), latency_s=1.5, look_s=0.0)
    one_by_one = steered(concurrency=1, chunk_size=1)

    async def push(numbers: Sequence[str], after_s: float) -> None:
        await anyio.sleep(after_s)
        run = RunId(numbers[0])
        await office.open_run(numbers, run)
        how: dict[str, Any] = {"limits": NO_CANARY, "check": False}
        await office.execute(run, throttle=one_by_one, **how)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push, [front], 0.0)
        tasks.start_soon(push, others, later_s)
        await anyio.sleep(looked_s)
        sent = [await office.store.attempts_of(BillNumber(number)) for number in (front, *others)]
        left = [kept.attempt.intent.began_at for each in sent for kept in each]
        assert max(left) - min(left) > timedelta(seconds=TIE_S + SETTLE.held_up_s)
        assert await _lost_in(office) == 1
        tasks.cancel_scope.cancel()


async def test_a_lost_call_is_over_once_one_that_came_after_it_is_answered() -> None:
    """The ERP works on one call after the other, or on none of these."""
    office = await _in_use(steps("ok", "silence", "ok"))
    await office.open_run(orders(3), FIRST)
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}

    async def push() -> None:
        await office.execute(FIRST, limits=NO_CANARY, settle=SettleTimes(), **how)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push)
        await anyio.sleep(ANSWER_TIMEOUT_S + 100.0)
        assert await _lost_in(office) == 0
        tasks.cancel_scope.cancel()


async def test_calls_of_one_run_that_are_lost_hold_each_other_up_for_as_long_as_calls_take() -> (
    None
):
    """That is no time here: the first call was answered at once, and the others broke at once."""
    numbers = orders(5)
    office = await _in_use(steps("ok", *["reset"] * 4))
    await office.open_run(numbers)
    began_s = anyio.current_time()
    at_once = steered(concurrency=len(numbers), chunk_size=1)
    await office.execute(throttle=at_once, settle=SettleTimes(), limits=NO_CANARY)
    waited_s = anyio.current_time() - began_s - SETTLE.shown_by_s
    assert 0 <= waited_s < 30.0


@pytest.mark.parametrize("kept_from_running", ["call-limit", "edit-lock"])
async def test_an_answer_to_a_call_that_never_ran_tells_nothing_of_how_long_calls_take(
    kept_from_running: str,
) -> None:
    """A limit is met most often where many calls leave at once, and answered within moments."""
    numbers = orders(5)
    office = await _in_use(steps(kept_from_running, *["silence"] * len(numbers)))
    await office.open_run(numbers)
    began_s = anyio.current_time()
    at_once = steered(concurrency=len(numbers), chunk_size=1)
    done = await office.execute(throttle=at_once, settle=SettleTimes(), limits=NO_CANARY)
    left_at = sorted(attempt.intent.began_at for attempt, _, _ in done.watch.sendings)
    second, third = left_at[1:3]
    assert (third - second).total_seconds() >= ANSWER_TIMEOUT_S
    waited_s = anyio.current_time() - began_s - ANSWER_TIMEOUT_S - SETTLE.shown_by_s
    assert waited_s >= (len(numbers) - 1) * WINDOW_S


@pytest.mark.parametrize("killed_s", [200.0, math.inf])
@pytest.mark.parametrize("held_s", [10.0, 50.0])
async def test_a_call_that_is_held_up_may_come_behind_one_that_was_written_down_later(
    monkeypatch: pytest.MonkeyPatch, held_s: float, killed_s: float
) -> None:
    """The ledger takes a while once, and another run's call comes to the ERP first."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    (front,), (lost,), proof, begin = orders(1), orders(1, 10), orders(3, 20), MemoryLedger.begin

    async def begin_late(ledger: MemoryLedger, intent: Intent) -> Attempt:
        attempt = await begin(ledger, intent)
        if lost in intent.numbers and attempt.id == len(proof) + 1:
            await anyio.sleep(held_s)
        return attempt

    office = Office(sandbox(**OPEN))
    for numbers, run in ((proof, RunId("proof")), ([front], SECOND), ([lost], FIRST)):
        await office.open_run(numbers, run)
    await office.execute(RunId("proof"), throttle=steered(concurrency=1, chunk_size=1))
    monkeypatch.setattr(MemoryLedger, "begin", begin_late)
    async with anyio.create_task_group() as server:
        erp = queueing(server, 580.0, 60.0, told=True)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how |= {"limits": NO_HALT, "throttle": steered(concurrency=1, chunk_size=1)}

        async def push_in_front() -> None:
            await anyio.sleep(4)
            await office.execute(SECOND, **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push_in_front)
            await office.execute(beside=killed_after(killed_s), **how)
            await office.execute(**how)
    assert (erp.twice, doubled(office, [front, lost])) == (frozenset(), [])
