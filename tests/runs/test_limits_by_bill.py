"""A limit on calls may be one bill's own: other calls show that, and it is about none else."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from k3push.core.model import State
from k3push.runs.stop import Cause
from k3push.simulator import Refusal, site
from k3push.simulator.answers import failure
from k3push.simulator.exchange import json_reply
from tests.runs.office import Office, Pushed, orders, sandbox, steered
from tests.runs.rough_answers import OPEN
from tests.runs.test_follow import NO_HALT
from tests.shares import shared_out

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

LAST_S = 400.0


def turned_away(pushed: Pushed) -> list[str]:
    """Return the numbers that were rejected for a limit."""
    rows = pushed.rows.items()
    return [n for n, row in rows if row.state is State.REJECTED and row.code in {"14", "7"}]


def limit_pushes(patch: pytest.MonkeyPatch, takes: Callable[[float], bool]) -> None:
    """Let the site take a push, at a time in seconds, or turn it away for a limit on calls."""
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if takes(now_s):
            return work(self, visit, now_s)
        return json_reply(failure(self._manners.style, 14, "调用次数超过限制"))

    patch.setattr(site.Site, "_push", push)


def one_in(seconds: float, until_s: float = math.inf) -> Callable[[float], bool]:
    """Return what takes one push in so many seconds, and none any more after a time."""
    free_s = 0.0

    def takes(now_s: float) -> bool:
        nonlocal free_s
        if now_s < free_s or now_s > until_s:
            return False
        free_s = now_s + seconds
        return True

    return takes


@pytest.mark.parametrize("most", [4, 10])
async def test_a_limit_of_calls_a_minute_rejects_no_bill(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The site takes so many pushes in a running minute, and turns the others away."""
    taken: list[float] = []

    def takes(now_s: float) -> bool:
        if len([at for at in taken if at > now_s - 60]) >= most:
            return False
        taken.append(now_s)
        return True

    limit_pushes(monkeypatch, takes)
    office, numbers = Office(sandbox(orders=400, latency_s=3.0, look_s=0.1, **OPEN)), orders(400)
    await office.open_run(numbers)
    throttle = steered(concurrency=4, chunk_size=10)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert turned_away(pushed) == []


@pytest.mark.parametrize("size", shared_out([1, 10, None], 3))
@pytest.mark.parametrize("at_once", [4, None])
async def test_a_limit_of_calls_at_once_rejects_no_bill(
    monkeypatch: pytest.MonkeyPatch, size: int | None, at_once: int | None
) -> None:
    """The site takes one push at a time, and turns the others away."""
    limit_pushes(monkeypatch, one_in(3.0))
    office, numbers = Office(sandbox(orders=200, latency_s=3.0, look_s=0.1, **OPEN)), orders(200)
    await office.open_run(numbers)
    throttle = steered(concurrency=at_once, chunk_size=size)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert turned_away(pushed) == []


@pytest.mark.parametrize("place", [0, 10, 19])
@pytest.mark.parametrize("code", [7, 14])
async def test_a_bill_whose_licence_is_missing_holds_up_no_list(place: int, code: int) -> None:
    """One bill is of a module that is not licensed: it meets 7 (or a plug-in's 14) each time."""
    office, numbers = Office(sandbox(latency_s=1.0, look_s=0.1, **OPEN)), orders(20)
    office.site.world.refuse(numbers[place], Refusal(code, "没有许可", whole_call=True))
    await office.open_run(numbers)
    pushed = None
    for _ in range(4):
        pushed = await office.execute(check=False)
    assert pushed is not None
    assert pushed.of(State.PUSHED) == {*numbers} - {numbers[place]}
    assert pushed.rows[numbers[place]].state is State.REJECTED, pushed.stop.causes


async def test_bills_whose_licence_is_missing_are_rejected_each_for_itself() -> None:
    """Where enough others get through between their tries."""
    office, numbers = Office(sandbox(latency_s=1.0, look_s=0.1, **OPEN)), orders(60)
    bad = {numbers[place] for place in (8, 17, 36)}
    for number in bad:
        office.site.world.refuse(number, Refusal(7, "没有许可", whole_call=True))
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert (pushed.of(State.REJECTED), not pushed.stop.causes) == (bad, True)


async def test_a_bill_that_met_a_limit_of_calls_in_half_a_minute_is_not_rejected_for_a_day_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last bill comes too soon after others several times, and then no call gets through."""
    limit_pushes(monkeypatch, one_in(30.0, until_s=LAST_S / 2))
    office, numbers = Office(sandbox(orders=5, latency_s=1.0, look_s=0.1, **OPEN)), orders(5)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert turned_away(pushed) == []
    assert set(pushed.stop.causes) == {Cause.UNREACHABLE}


async def test_bills_whose_licence_is_missing_hold_up_no_others_in_a_limit_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are tried near the end of a limit of some minutes; then the others get through."""
    tries = count(1)
    limit_pushes(monkeypatch, lambda _: not 2 < next(tries) <= 6)
    office, numbers = Office(sandbox(latency_s=1.0, look_s=0.1, **OPEN)), orders(12)
    office.site.world.refuse(numbers[6], Refusal(7, "没有许可", whole_call=True))
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == {*numbers} - {numbers[6]}, pushed.stop.causes
    assert turned_away(pushed) == [numbers[6]]


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_limit_that_lasts_after_one_of_calls_in_a_second_rejects_no_bill(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """The site takes a push in six seconds, and near the end of the list none any more."""
    limit_pushes(monkeypatch, one_in(6.0, until_s=LAST_S))
    office, numbers = Office(sandbox(orders=60, latency_s=2.0, look_s=0.1, **OPEN)), orders(60)
    await office.open_run(numbers)
    throttle = steered(concurrency=at_once, chunk_size=1)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert turned_away(pushed) == []
    assert set(pushed.stop.causes) == {Cause.UNREACHABLE}
