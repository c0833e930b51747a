"""Parts of a bill that were saved though it was refused, where the execution was cut short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import PARTLY, BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context, PushPace
from k3push.runs.settle import settle_by_word
from k3push.simulator import Policy, site
from k3push.simulator.answers import failure
from k3push.simulator.exchange import json_reply
from k3push.simulator.refusals import Problem
from tests.runs.office import FIRST, SECOND, Office, VirtualClock, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    answer_in_part,
    doubled,
    name_nothing,
    plan_again,
    until_lost,
    until_pushed,
)

pytestmark = pytest.mark.anyio


def one_by_one() -> Any:
    """Return what sends one bill in each call, and one call at a time."""
    return steered(concurrency=1, chunk_size=1)


async def killed_under_way(office: Office, times: int) -> None:
    """Execute the first run, and kill it while its last call is under way."""

    async def kill(job: Context) -> None:
        await until_pushed(office, times)
        await anyio.sleep(5)
        job.stop.scope.cancel()

    await office.execute(pace=NO_CANARY, throttle=one_by_one(), beside=kill, check=False)


@pytest.mark.parametrize("run", [FIRST, SECOND])
async def test_a_hasty_word_about_a_killed_call_sends_nothing_twice(run: RunId) -> None:
    """The process is killed; a person says `planned` a minute later, and pushes the list anew."""
    numbers = orders(2)
    office = Office(sandbox(steps("delay:300"), **OPEN))
    await office.open_run(numbers)
    await killed_under_way(office, 1)
    await anyio.sleep(60)
    clock = VirtualClock()
    async with office.store.own(FIRST):
        pass
    number = await until_lost(office)
    await settle_by_word(
        office.store, clock, FIRST, BillNumber(number), State.PLANNED, because="not there"
    )
    if run == SECOND:
        await office.open_run(numbers, SECOND)
    await office.execute(run, throttle=one_by_one(), check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("how", ["kill-retry", "halt-resume", "halt-retry", "kill-resume"])
async def test_a_part_of_a_bill_that_was_refused_is_told(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A rule splits a bill, its first document is saved, the run ends at the refusal."""
    name_nothing(monkeypatch)
    numbers = orders(2)
    answer_in_part(monkeypatch, Problem(11, f"单据“{numbers[0]}”的仓库必录"), kept=slice(0, 1))
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    first, then = how.split("-")

    async def kill(job: Context) -> None:
        while (await office.rows())[numbers[0]].state is not State.REJECTED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        if first == "kill":
            job.stop.scope.cancel()

    rule = HaltRule(fail_count=1, now=True) if first == "halt" else HaltRule()
    pace = PushPace(canary=False, halt=rule)
    await office.execute(pace=pace, throttle=one_by_one(), beside=kill, check=False)
    if first == "halt":
        await office.store.end_run(FIRST, 5, VirtualClock().now())
    await anyio.sleep(30)
    if then == "retry":
        await plan_again(office, killed=first == "kill")
    pushed = await office.execute(pace=NO_CANARY, throttle=one_by_one(), check=False)
    row = pushed.rows[numbers[0]]
    assert row.state is State.PUSHED, row
    assert row.code == PARTLY, row


async def test_a_part_that_is_taken_back_after_a_second_sending_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call of four is refused and names nobody; alone, half of the bad bill is saved, late."""
    numbers = orders(4)
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if numbers[3] not in order.numbers:
            return work(self, visit, now_s)
        if len(order.numbers) == 1:
            conversion = self.world.convert(order, visit.user)
            assert len(conversion.made) > 1
            self._save(replace(conversion, made=conversion.made[:1]), now_s)
        return json_reply(failure(self._manners.style, 11, "仓库必录"))

    monkeypatch.setattr(site.Site, "_push", push)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office = Office(options)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(pace=NO_CANARY, throttle=throttle, check=False)
    row = pushed.rows[numbers[3]]
    assert row.state is State.PUSHED, row
    assert row.code == PARTLY, row
