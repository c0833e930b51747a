"""A limit on calls is about no bill: it uses up no tries of one, and ends no run that moves on."""

from __future__ import annotations

import pytest

from k3push.core.model import Follow, State
from k3push.simulator import Refusal
from k3push.simulator.fault_plans.script import Channel
from tests.runs.office import Office, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import NO_CANARY, OPEN, doubled, keep_a_part
from tests.runs.test_follow import FOLLOW, NO_HALT

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("then", ["edit-lock", "response-error"])
@pytest.mark.parametrize("limits", [4, 6])
async def test_a_limit_on_calls_uses_up_no_tries_of_a_bill(then: str, limits: int) -> None:
    """After some minutes of limits, a lock or an exception that passes is still tried again."""
    plan = steps("ok", *["call-limit"] * limits, then)
    office, numbers = Office(sandbox(plan, latency_s=0.5, **OPEN)), orders(2)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)


@pytest.mark.parametrize("limits", [4, 6])
async def test_a_limit_on_calls_uses_up_no_tries_of_a_step(limits: int) -> None:
    """After some minutes of limits, a lock of a document that passes refuses no step."""
    plan = steps("ok", *["call-limit"] * limits, "edit-lock", on=Channel.AUDIT)
    office, numbers = Office(sandbox(plan, latency_s=0.5, **OPEN), FOLLOW), orders(2)
    await office.open_run(numbers)
    await office.execute(limits=NO_HALT, throttle=steered(concurrency=1, chunk_size=1), check=False)
    follows = {each.follow for each in (await office.documents()).values()}
    assert follows == {Follow.APPROVED}


async def test_one_chunk_that_limits_put_off_each_time_ends_no_run_while_others_get_through() -> (
    None
):
    """The bills of its own chunk may be left, and those of all others are pushed."""
    office, numbers = Office(sandbox(orders=400, latency_s=30.0, **OPEN)), orders(400)
    office.site.world.refuse(numbers[25], Refusal(14, "调用次数超过限制", whole_call=True))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=4, chunk_size=5), check=False)
    assert len(pushed.of(State.PUSHED)) >= len(numbers) - 5


async def test_what_a_call_saved_before_it_met_a_limit_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A licence runs out in the midst of a call, and looks show what was saved late."""
    office, numbers = Office(sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)), orders(4)
    keep_a_part(monkeypatch, numbers, kept=2, why=Refusal(7, "许可并发数已满"))
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("limits", [0, 4, 6])
async def test_a_lost_answer_after_limits_is_no_last_try(limits: int) -> None:
    """Limits on calls for some minutes, then one lost answer that has made nothing."""
    plan = steps("ok", *["call-limit"] * limits, "reset")
    office, numbers = Office(sandbox(plan, latency_s=0.5, **OPEN)), orders(2)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert pushed.of(State.PUSHED) == set(numbers), pushed.rows
