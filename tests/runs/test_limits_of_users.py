"""A limit on calls or licences may be one user's own: the others push meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import State
from k3push.core.protocol.logins import password_login
from k3push.simulator import Accounts, site
from k3push.simulator.answers import failure
from k3push.simulator.exchange import json_reply
from tests.runs.office import LOGIN, Office, orders, sandbox, steered
from tests.runs.rough_answers import OPEN
from tests.runs.test_follow import NO_HALT
from tests.runs.test_limits_by_bill import turned_away

pytestmark = pytest.mark.anyio

TWO = password_login("sandbox", "two", "sandbox", 2052)


def of_two_users(monkeypatch: pytest.MonkeyPatch, code: int) -> Office:
    """Return an office of two users, all of whose pushes as `two` meet a limit."""
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if visit.user == "two":
            return json_reply(failure(self._manners.style, code, "许可并发数已满"))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    accounts = Accounts(users=dict.fromkeys(("sandbox", "two"), "sandbox"))
    options = replace(sandbox(orders=100, latency_s=1.0, look_s=0.1, **OPEN), accounts=accounts)
    return Office(options)


@pytest.mark.parametrize("code", [7, 14])
@pytest.mark.parametrize(("at_once", "size"), [(1, 1), (4, 1), (2, 5), (None, None)])
async def test_a_user_without_a_licence_keeps_no_other_from_pushing(
    monkeypatch: pytest.MonkeyPatch, code: int, at_once: int | None, size: int | None
) -> None:
    """Limits are answered at once, so that such a user seems to be the fastest."""
    office, numbers = of_two_users(monkeypatch, code), orders(60)
    await office.open_run(numbers)
    throttle = steered(concurrency=at_once, chunk_size=size)
    pushed = await office.execute(
        limits=NO_HALT, throttle=throttle, more_users={"two": TWO}, check=False
    )
    assert pushed.of(State.PUSHED) == set(numbers), pushed.stop.causes
    assert anyio.current_time() < 400


@pytest.mark.parametrize("code", [7, 14])
async def test_a_run_whose_first_user_has_no_licence_pushes_by_the_second(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The looks go through the first one all the same."""
    office, numbers = of_two_users(monkeypatch, code), orders(30)
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_HALT,
        throttle=steered(concurrency=2, chunk_size=5),
        login=TWO,
        more_users={"sandbox": LOGIN},
        check=False,
    )
    assert (turned_away(pushed), pushed.of(State.PUSHED)) == ([], set(numbers))
