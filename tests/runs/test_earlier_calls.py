"""What another run has sent of a bill a short while ago, and how long this one waits for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, State
from k3push.core.pacing.halting import HaltRule
from k3push.ports import AttemptRecord
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.engine_tasks import intake
from k3push.runs.other_calls.earlier_calls import wait_for_call_s
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.runs.retry import plan_rejected
from k3push.simulator import Refusal
from k3push.simulator.books.forms import IN_STOCK
from tests.runs.office import FIRST, SECOND, Office, VirtualClock, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    REFUSED,
    doubled,
    keep_a_part,
    name_nothing,
    plan_again,
    until_pushed,
    until_rejected,
)

pytestmark = pytest.mark.anyio


async def at_once(*runs: Callable[[], Coroutine[None, None, None]]) -> None:
    """Let runs go on at one time."""
    async with anyio.create_task_group() as all_of_them:
        for run in runs:
            all_of_them.start_soon(run)


async def refused_and_killed(office: Office, number: str) -> None:
    """Execute the first run, and kill it as soon as the ERP has refused a number."""

    async def kill(job: Context) -> None:
        await until_rejected(office, number)
        job.stop.scope.cancel()

    throttle = steered(concurrency=1, chunk_size=4)
    await office.execute(limits=NO_CANARY, throttle=throttle, beside=kill, check=False)


async def test_a_new_run_right_after_a_refusal_waits_as_a_resume_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person takes the bad bill off the list, and pushes the others anew."""
    name_nothing(monkeypatch)
    office, numbers = Office(sandbox(query_lag_s=10.0, **OPEN)), orders(4)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    await refused_and_killed(office, numbers[-1])
    await office.open_run(numbers[:-1], SECOND)
    await office.execute(SECOND, limits=NO_CANARY, check=False)
    assert doubled(office, numbers) == []


async def test_a_run_that_waits_for_another_waits_for_what_that_was_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two operators push one list; the first is refused and killed, the second goes on."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=10.0, latency_s=3.0, look_s=0.1, **OPEN))
    numbers = orders(4)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)

    async def first() -> None:
        await refused_and_killed(office, numbers[-1])

    async def second() -> None:
        await anyio.sleep(2)
        quick, throttle = SettleTimes(poll_s=1), steered(concurrency=1, chunk_size=4)
        await office.execute(SECOND, limits=NO_CANARY, throttle=throttle, settle=quick, check=False)

    await at_once(first, second)
    assert doubled(office, numbers) == []


async def test_a_run_that_has_its_bills_ready_waits_for_what_others_were_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waits for its window while the first run is refused and killed."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=10.0, latency_s=3.0, look_s=0.1, **OPEN))
    numbers, waits = orders(4), steered(concurrency=1, chunk_size=4)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)
    waits.pause()

    async def first() -> None:
        await anyio.sleep(5)
        await refused_and_killed(office, numbers[-1])
        await anyio.sleep(1)
        waits.go_on()

    async def second() -> None:
        await office.execute(SECOND, limits=NO_CANARY, throttle=waits, check=False)

    await at_once(first, second)
    assert doubled(office, numbers) == []


async def test_a_hasty_word_sends_nothing_twice_through_another_run() -> None:
    """A person says `planned` a minute after a lost answer, and pushes the list as a new run."""
    office = Office(sandbox(steps("ok", "commit-late-then-reset:300"), **OPEN))
    numbers, throttle = orders(2), steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=throttle, check=False)
    await anyio.sleep(60)
    number, clock = BillNumber(numbers[1]), VirtualClock()
    await settle_by_word(
        office.store, clock, FIRST, number, State.PLANNED, because="it is not there"
    )
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, throttle=throttle, check=False)
    assert doubled(office, numbers) == []


async def test_bills_of_one_lost_call_that_a_person_plans_again_travel_in_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two rows a real clock goes on, so that their waits end at different moments."""
    office, numbers = Office(sandbox(steps("ok", "reset"), **OPEN)), orders(9)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    throttle = steered(concurrency=1, chunk_size=8)
    await office.execute(limits=halts, throttle=throttle, check=False)
    for number in numbers[1:]:
        word = (FIRST, BillNumber(number), State.PLANNED)
        await settle_by_word(office.store, VirtualClock(), *word, because="it is not there")
    ticks = itertools.count()

    def ticking(context: Context, kept: AttemptRecord) -> float:
        return wait_for_call_s(context, kept) + next(ticks) * 1e-6

    monkeypatch.setattr(f"{intake.__name__}.wait_for_call_s", ticking)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle)
    sizes = [len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings]
    assert (sizes, next(ticks)) == ([4, 4], 8)


async def test_a_run_waits_no_window_for_calls_of_another_that_went_well() -> None:
    """Two operators push one list at one time; nothing is refused, and no answer is lost."""
    office = Office(sandbox(latency_s=3.0, look_s=0.1, **OPEN))
    numbers = orders(40)
    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)

    async def first() -> None:
        await office.execute(throttle=steered(concurrency=2, chunk_size=5), check=False)

    async def second() -> None:
        await anyio.sleep(5)
        await office.execute(SECOND, throttle=steered(concurrency=2, chunk_size=5), check=False)

    await at_once(first, second)
    assert anyio.current_time() < 300


async def test_what_a_retry_of_another_run_has_put_behind_it_is_no_matter_of_this_one() -> None:
    """Its own call was carried out although its session was lost: that is not `already` there."""
    faults, (number,) = steps("no-permission", "make-then-lose-session"), orders(1)
    office = Office(sandbox(faults, latency_s=1.0, look_s=1.0, **OPEN))
    await office.open_run([number], SECOND)
    await office.execute(SECOND)
    await plan_rejected(office.store, VirtualClock(), office.run(SECOND), lambda _: True)
    await office.open_run([number])

    async def kill(job: Context) -> None:
        await until_pushed(office, 2)
        while (await office.rows())[number].state is not State.PLANNED:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        job.stop.scope.cancel()

    await office.execute(beside=kill, check=False)
    pushed = await office.execute(check=False)
    assert pushed.of(State.PUSHED) == {number}


async def test_a_refusal_is_waited_for_also_of_what_an_earlier_call_had_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That looks have settled the lost call tells nothing of the next one, which was refused."""
    office, numbers = Office(sandbox(steps("silence"), query_lag_s=10.0, **OPEN)), orders(4)
    keep_a_part(monkeypatch, numbers[2:], kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers)

    async def kill(job: Context) -> None:
        row = (await office.rows())[numbers[-1]]
        while not (row.attempts > 1 and row.state is State.PLANNED):
            await anyio.sleep(0.1)
            row = (await office.rows())[numbers[-1]]
        job.stop.scope.cancel()

    how: dict[str, Any] = {"limits": NO_CANARY, "check": False}
    await office.execute(throttle=steered(concurrency=1, chunk_size=4), beside=kill, **how)
    await office.execute(**how)
    assert doubled(office, numbers) == []


async def test_what_a_clerk_has_pushed_after_a_refusal_is_not_made_by_the_refused_call() -> None:
    """It has used the bill up, which the ERP says to the retry."""
    office, (number,) = Office(), orders(1)
    office.site.world.refuse(number, REFUSED)
    await office.open_run([number])
    await office.execute()
    office.site.world.allow(number)
    office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await plan_again(office)
    pushed = await office.execute()
    assert pushed.of(State.ALREADY) == {number}
