"""What documents of clerks tell of a site: nothing of how it splits the bills that we push."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, State
from k3push.runs.context import Context, SettlePace
from k3push.simulator import Policy, site
from k3push.simulator.answers import failure
from k3push.simulator.exchange import json_reply
from k3push.simulator.forms import IN_STOCK
from tests.runs.office import Office, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    answer_in_part,
    doubled,
    name_nothing,
    until_lost,
)
from tests.runs.test_follow import FOLLOW

pytestmark = pytest.mark.anyio


def one_by_one() -> Any:
    """Return what sends one bill in each call, and one call at a time."""
    return steered(concurrency=1, chunk_size=1)


async def test_of_two_documents_that_clerks_have_made_none_is_approved() -> None:
    """Two clerks have pushed one bill by mistake; the route follows what is there already."""
    office = Office(sandbox(**OPEN), replace(FOLLOW, follow_already=True))
    numbers = orders(4)
    made = [
        office.site.world.add_target(IN_STOCK, numbers[2], creator=name) for name in ("li", "wang")
    ]
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), check=False)
    assert [each.status for each in made] == ["A", "A"]


async def test_parts_that_clerks_have_made_hide_no_twin() -> None:
    """A bill has two documents of clerks; of another, lost and found, a clerk makes one more."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0, **OPEN))
    numbers, throttle = orders(6), one_by_one()
    for name in ("li", "wang"):
        office.site.world.add_target(IN_STOCK, numbers[0], creator=name)
    await office.open_run(numbers)

    async def clerk(_: Context) -> None:
        lost = await until_lost(office)
        throttle.pause()
        while (await office.rows())[lost].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        await anyio.sleep(4 * 3600)
        office.site.world.add_target(IN_STOCK, lost, creator="clerk")
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=clerk, check=False)
    (twice,) = doubled(office, numbers[1:])
    row = pushed.rows[twice]
    assert len(row.targets) == 1 or row.code == TWIN, row


async def test_parts_that_clerks_have_made_make_no_lost_answer_wait() -> None:
    """A bill has two documents of clerks; a lost answer is settled after two looks all the same."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0, **OPEN))
    numbers = orders(6)
    for name in ("li", "wang"):
        office.site.world.add_target(IN_STOCK, numbers[0], creator=name)
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), settle=SettlePace(), check=False)
    assert anyio.current_time() < 300


async def test_a_document_of_a_clerk_shows_not_that_bills_are_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule splits; a bill is refused after its first document, shown late; an `already` came."""
    name_nothing(monkeypatch)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(3)
    answer_in_part(monkeypatch, None, kept=slice(0, 1))

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if numbers[0] in order.numbers:
            answer = failure(self._manners.style, 11, "单据“" + numbers[0] + "”的仓库必录")
            return json_reply(answer)
        conversion = self.world.convert(order, visit.user)
        self._save(replace(conversion, made=conversion.made[:1]), now_s)
        answer = failure(self._manners.style, 11, "单据“" + order.numbers[0] + "”的仓库必录")
        return json_reply(answer)

    monkeypatch.setattr(site.Site, "_push", push)
    office.site.world.add_target(IN_STOCK, numbers[1], creator="li")
    await office.open_run(numbers)
    pushed = await office.execute(pace=NO_CANARY, throttle=one_by_one(), check=False)
    assert pushed.rows[numbers[2]].state is State.PUSHED, pushed.rows[numbers[2]]
