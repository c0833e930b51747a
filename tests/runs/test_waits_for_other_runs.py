"""How long a run waits for what other executions, runs and machines were told of its bills."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State, Uptime
from k3push.core.pacing.halting import HaltRule
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.other_calls import calls_of_others
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, Policy, fault
from k3push.simulator.exchange import Break, Fate, Request
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import (
    FIRST,
    SECOND,
    SETTLE,
    WINDOW_S,
    Notebook,
    Office,
    VirtualClock,
    one_by_one,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    REFUSED,
    FastClock,
    doubled,
    keep_a_part,
    plan_again,
)

pytestmark = pytest.mark.anyio

HALTS = PushLimits(canary=False, halt=HaltRule(fail_count=1, now=True))
LATE = {"query_lag_s": 12.0, "look_s": 0.1, "latency_s": 1.0, **OPEN}


HALF_A_CALL_S = 0.5


class SetClock(VirtualClock):
    """A machine whose clock is set forward by two days while its first call is at work."""

    def now(self) -> datetime:
        """Return the time of day."""
        return super().now() + (timedelta(days=2) if anyio.current_time() > 10 else timedelta())


class ClockSetBack(VirtualClock):
    """A machine whose clock is set back by ten minutes while its first call is at work."""

    def now(self) -> datetime:
        """Return the time of day."""
        back = timedelta(minutes=10) if anyio.current_time() > HALF_A_CALL_S else timedelta()
        return super().now() - back


class ClockOf(VirtualClock):
    """The clock of one machine of several."""

    def __init__(self, machine: str) -> None:
        """Name the machine."""
        self._machine = machine

    def uptime(self) -> Uptime:
        """Return the time since this machine was started."""
        return replace(super().uptime(), boot=f"boot@{self._machine}")


async def go_on_with(office: Office, run: RunId, numbers: list[str]) -> None:
    """Plan numbers a second time: in the first run as `retry` does, or in another run."""
    if run == FIRST:
        await plan_again(office)
    else:
        await office.open_run(numbers, run)


@pytest.mark.parametrize("run", [FIRST, SECOND])
async def test_a_part_that_a_refused_bill_left_is_waited_for_by_whoever_sends_next(
    monkeypatch: pytest.MonkeyPatch, run: RunId
) -> None:
    """The rule splits, a bill that travels alone is refused in part, and looks lag."""
    office, numbers = Office(sandbox(policy=Policy.SPLIT, **LATE)), orders(2)
    keep_a_part(monkeypatch, numbers[1:], kept=1)
    throttle = steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers)
    await office.execute(limits=HALTS, throttle=throttle, check=False)
    await anyio.sleep(1)
    await go_on_with(office, run, numbers[1:])
    await office.execute(run, throttle=throttle, check=False)
    documents = office.site.world.documents_of(numbers[1])
    lines = [line.links[0] for each in documents for line in each.entries]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("run", [FIRST, SECOND])
async def test_what_a_refusal_of_several_saved_is_waited_for_by_whoever_sends_next(
    monkeypatch: pytest.MonkeyPatch, run: RunId
) -> None:
    """All of a call are refused by name, some were saved all the same, and looks lag."""
    office, numbers = Office(sandbox(**LATE)), orders(3)
    keep_a_part(monkeypatch, numbers, kept=2)
    throttle = steered(concurrency=1, chunk_size=3)
    await office.open_run(numbers)
    await office.execute(limits=HALTS, throttle=throttle, check=False)
    await anyio.sleep(1)
    await go_on_with(office, run, numbers)
    await office.execute(run, limits=NO_CANARY, throttle=throttle, check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize(
    ("clock", "run"), [(FastClock(), SECOND), (SetClock(), FIRST), (SetClock(), SECOND)]
)
async def test_a_refusal_under_a_clock_that_was_wrong_holds_no_run(
    clock: VirtualClock, run: RunId
) -> None:
    """Its clock was two days ahead, or was set while the call was at work."""
    office, numbers = Office(sandbox(latency_s=20.0, **OPEN)), orders(3)
    for number in numbers:
        office.site.world.refuse(number, REFUSED)
    throttle = steered(concurrency=1, chunk_size=3)
    await office.open_run(numbers)
    await office.execute(throttle=throttle, limits=NO_CANARY, clock=clock, check=False)
    for number in numbers:
        office.site.world.allow(number)
    await anyio.sleep(60)
    began_s = anyio.current_time()
    await go_on_with(office, run, numbers)
    with anyio.move_on_after(3600):
        await office.execute(run, throttle=throttle, limits=NO_CANARY, check=False)
    assert anyio.current_time() - began_s < 600


async def test_what_looks_have_settled_on_one_machine_waits_no_window_on_another() -> None:
    """A doubt is settled as absent after its window, and the run goes on on another machine."""
    office, numbers = Office(sandbox(steps(*["ok"] * 4, "reset"), **OPEN)), orders(6)
    one, throttle = ClockOf("one"), steered(concurrency=1, chunk_size=1)
    doubts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.open_run(numbers)
    await office.execute(throttle=throttle, limits=doubts, clock=one, check=False)
    await anyio.sleep(3600)
    await office.execute(throttle=throttle, work=only_settle, clock=one, check=False)
    began_s = anyio.current_time()
    pushed = await office.execute(throttle=throttle, clock=ClockOf("two"), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert anyio.current_time() - began_s < 300


async def test_two_runs_over_one_list_with_bad_bills_end_within_minutes() -> None:
    """Neither waits a window for what the other was refused."""
    office = Office(sandbox(orders=200, latency_s=2.0, look_s=0.2, on_refusal="whole"))
    numbers, never = orders(120), PushLimits(halt=HaltRule())
    for number in numbers[5::20]:
        office.site.world.refuse(number, REFUSED)

    async def go(run: RunId, after_s: float) -> None:
        await anyio.sleep(after_s)
        throttle = steered(concurrency=2, chunk_size=10)
        await office.execute(run, limits=never, throttle=throttle, check=False)

    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)
    async with anyio.create_task_group() as both:
        both.start_soon(go, FIRST, 0)
        both.start_soon(go, SECOND, 5)
    assert anyio.current_time() < 300


async def test_a_run_that_waits_for_what_another_has_sent_says_so() -> None:
    """A hasty word, and the list as a new run: it waits for some minutes, and says why."""
    office = Office(sandbox(steps("ok", "commit-late-then-reset:300"), **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=one_by_one(), check=False)
    await anyio.sleep(60)
    number, clock = BillNumber(numbers[1]), VirtualClock()
    await settle_by_word(office.store, clock, FIRST, number, State.PLANNED, because="not there")
    await office.open_run(numbers, SECOND)
    watch = Notebook()
    began_s = anyio.current_time()
    await office.execute(SECOND, throttle=one_by_one(), watch=watch, check=False)
    assert anyio.current_time() - began_s > 120
    assert watch.waits


@pytest.mark.parametrize("run", [FIRST, SECOND])
async def test_a_clock_that_is_set_back_makes_no_wait_for_a_refusal_shorter(
    monkeypatch: pytest.MonkeyPatch, run: RunId
) -> None:
    """A refusal of several has saved two, and looks lag."""
    office, numbers, clock = Office(sandbox(**LATE)), orders(3), ClockSetBack()
    keep_a_part(monkeypatch, numbers, kept=2)
    throttle = steered(concurrency=1, chunk_size=3)
    await office.open_run(numbers)
    await office.execute(limits=HALTS, throttle=throttle, clock=clock, check=False)
    await anyio.sleep(1)
    await go_on_with(office, run, numbers)
    await office.execute(run, limits=NO_CANARY, throttle=throttle, clock=clock, check=False)
    assert doubled(office, numbers) == []


async def test_what_looks_have_settled_holds_no_other_run_on_another_machine() -> None:
    """Hours after a lost answer was settled as absent, another machine has the list."""
    office = Office(sandbox(steps("ok", "reset"), **OPEN))
    numbers = orders(3)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(throttle=one_by_one(), limits=halts, clock=ClockOf("one"), check=False)
    await anyio.sleep(3600)
    await office.execute(work=only_settle, clock=ClockOf("one"), check=False)
    await anyio.sleep(3600)
    began_s = anyio.current_time()
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, throttle=one_by_one(), clock=ClockOf("two"), check=False)
    assert anyio.current_time() - began_s < 300


@pytest.mark.parametrize("away_s", [0.0, 200.0])
async def test_a_run_waits_while_another_one_settles_its_doubt(away_s: float) -> None:
    """Each looks as the window ends; and the ERP may be away then, which the other waits out."""
    office = Office(sandbox(steps("reset"), latency_s=1.0))
    numbers = orders(2)
    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)
    work = office.site.handle
    ends: dict[RunId, set[State]] = {}

    async def handle(request: Request) -> Fate:
        is_away = WINDOW_S - 20 <= anyio.current_time() < WINDOW_S - 20 + away_s
        return Break.REFUSED if is_away else await work(request)

    async def go(run: RunId, after_s: float) -> None:
        await anyio.sleep(after_s)
        at_once = steered(concurrency=1, chunk_size=2)
        often = replace(SETTLE, poll_s=20)
        how: dict[str, Any] = {"throttle": at_once, "settle": often, "check": False}
        await office.execute(run, limits=NO_CANARY, **how)
        ends[run] = {row.state for row in (await office.rows(run)).values()}

    office.site.handle = handle  # type: ignore[method-assign]
    async with anyio.create_task_group() as both:
        both.start_soon(go, FIRST, 0)
        both.start_soon(go, SECOND, 30)
    assert ends[FIRST] | ends[SECOND] == {State.PUSHED, State.ALREADY}


async def test_a_run_waits_for_the_first_look_of_another_one_that_was_down_for_long() -> None:
    """Both go on at one moment, hours after the first was halted, and looks take long."""
    office, numbers = Office(sandbox(steps("reset"), latency_s=1.0, look_s=40.0)), orders(2)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1, now=True))
    await office.execute(limits=halts, throttle=one_by_one(), check=False)
    await anyio.sleep(3 * 3600)
    await office.open_run(numbers, SECOND)
    often = replace(SETTLE, poll_s=20)
    async with anyio.create_task_group() as both:
        for run in (FIRST, SECOND):
            how: dict[str, Any] = {"throttle": one_by_one(), "settle": often, "check": False}
            both.start_soon(partial(office.execute, run, limits=NO_CANARY, **how))
    rows = [*(await office.rows()).values(), *(await office.rows(SECOND)).values()]
    assert {row.state for row in rows} == {State.PUSHED, State.ALREADY}
    assert doubled(office, numbers) == []


async def test_a_run_waits_not_for_ever_for_what_a_stopped_process_has_in_doubt() -> None:
    """It is alive, as its lock tells, and looks for nothing; the others of the list are pushed."""
    office, numbers = Office(sandbox(steps("reset"), latency_s=1.0)), orders(3)
    await office.open_run(numbers[:1])
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1, now=True))
    await office.execute(limits=halts, check=False)
    await office.open_run(numbers, SECOND)
    async with office.store.another_process().own(FIRST):
        with anyio.fail_after(3 * 3600):
            pushed = await office.execute(SECOND, limits=NO_CANARY, check=False)
    assert pushed.of(State.PUSHED) == {*numbers[1:]}
    assert list(pushed.stop.causes) == [Cause.BARRED]


@pytest.mark.parametrize("is_heard", [True, False])
async def test_a_run_waits_while_documents_of_another_one_come_late(
    monkeypatch: pytest.MonkeyPatch, *, is_heard: bool
) -> None:
    """The ERP works on one call after the other, and the call for the last bill was lost.

    That holds without what the ledger tells of calls whose lines broke soon.
    """
    if not is_heard:
        monkeypatch.setattr(calls_of_others, "_is_late", lambda *_: False)
    numbers = orders(3)
    lost = dict(zip(numbers, ("late-commit:60", "late-commit:590", "reset"), strict=True))
    plan = FaultPlan(aimed={number: Aimed(fault(name)) for number, name in lost.items()})
    office = Office(sandbox(plan, **OPEN))
    await office.open_run(numbers)
    await office.open_run(numbers[2:], SECOND)
    often = replace(SETTLE, poll_s=20)

    async def go(run: RunId, after_s: float) -> None:
        await anyio.sleep(after_s)
        how: dict[str, Any] = {"throttle": steered(concurrency=3, chunk_size=1), "settle": often}
        await office.execute(run, limits=NO_CANARY, check=False, **how)

    async with anyio.create_task_group() as both:
        both.start_soon(go, FIRST, 0)
        both.start_soon(go, SECOND, 30)
    assert (await office.rows(SECOND))[numbers[2]].state is State.ALREADY
    assert doubled(office, numbers) == []
