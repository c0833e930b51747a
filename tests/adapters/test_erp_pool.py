from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from k3push.adapters.erp_http import ErpHttp
from k3push.adapters.erp_pool import ErpPool
from k3push.core.logins import password_login
from k3push.core.model import Answered, Exchange, NeverSent
from k3push.core.verdict import Cure, SendAgain, judge
from k3push.ports import ErpUnreachableError, LoginRefusedError
from k3push.simulator import Channel, FaultPlan, Step, fault
from k3push.simulator import Site as Sandbox
from tests.adapters.erp_sites import ORDERS, ROUTE, Login, erp_of, is_success, push, sandbox

pytestmark = pytest.mark.anyio

A, B = ORDERS[:2]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def login(user: str, password: str) -> Login:
    """Log a user in."""
    return lambda _: password_login("sandbox", user, password, 2052)


class Pool:
    """Two users of a sandbox, and what is told of them."""

    def __init__(
        self,
        site: Sandbox,
        passwords: tuple[str, str] = ("sandbox", "sandbox"),
        refused: Mapping[str, str] | None = None,
    ) -> None:
        names = ("sandbox", "sandbox2")
        self.refused = dict(refused or {})
        self.told: list[tuple[str, str]] = []
        self.users: dict[str, ErpHttp] = {
            name: erp_of(site, login(name, password))
            for name, password in zip(names, passwords, strict=True)
        }
        self.erp = ErpPool(
            self.users, refused=self.refused, set_aside=lambda *told: self.told.append(told)
        )


async def test_an_answer_says_whose_session_it_came_under() -> None:
    """Whoever loses a session must not log another user out."""
    site = sandbox(latency_s=1.0)
    pool = Pool(site)
    async with pool.erp as erp:
        answers = [await push(erp, number) for number in (A, B)]
        sessions = [answer.session for answer in answers if isinstance(answer, Answered)]
        assert len(set(sessions)) == 2
        erp.lose_session(sessions[1])
        for number in ORDERS[2:]:
            assert is_success(await push(erp, number))
    assert [user.logins for user in pool.users.values()] == [1, 2]


async def test_all_users_are_logged_out_at_the_end() -> None:
    """Contexts that are left behind pile up in the server (P 2.10)."""
    site = sandbox()
    async with Pool(site).erp as erp:
        await push(erp, A)
        await push(erp, B)
        assert len(site.logins._sessions) == 2
    assert site.logins._sessions == {}


async def test_a_user_logs_in_with_the_first_push_that_needs_it() -> None:
    """A look ahead, or one bill, needs one user and no more."""
    site = sandbox()
    async with Pool(site).erp as erp:
        await erp.open_session()
        await erp.targets_of(ROUTE, [A])
        assert (erp.logins, site.logins.successes) == (1, 1)


async def test_a_push_goes_elsewhere_when_its_user_is_refused() -> None:
    """Nothing has left, so it is one sending still."""
    site = sandbox()
    pool = Pool(site, ("wrong", "sandbox"))
    async with pool.erp as erp:
        assert is_success(await push(erp, A))
    assert site.calls[Channel.PUSH] == 1
    assert [user for user, _ in pool.told] == ["sandbox"]


async def test_when_nobody_is_left_a_push_is_never_sent_and_a_look_says_why() -> None:
    """The verdict is for the sending, the error for the run; nobody tries a login again."""
    site = sandbox()
    pool = Pool(site, ("wrong", "wrong"))
    async with pool.erp as erp:
        for _ in range(3):
            exchange = await push(erp, A)
            assert isinstance(exchange, NeverSent)
            for ask in (erp.targets_of, erp.sources_of):
                with pytest.raises(LoginRefusedError, match=r"sandbox: .*; sandbox2: "):
                    await ask(ROUTE, [A])
    assert (site.logins.failures, site.calls[Channel.PUSH]) == (2, 0)
    assert [user for user, _ in pool.told] == ["sandbox"]


async def test_a_user_who_was_refused_before_is_not_tried_again() -> None:
    """One command may execute several runs, and five refusals lock the account (P 2.4)."""
    site = sandbox()
    pool = Pool(site, ("wrong", "sandbox"), refused={"sandbox": "用户名或密码错误"})
    async with pool.erp as erp:
        assert is_success(await push(erp, A))
        assert list(await erp.targets_of(ROUTE, [A])) == [A]
    assert site.logins.failures == 0
    assert pool.told == []


async def test_a_push_that_was_answered_is_not_repeated_for_a_refused_login() -> None:
    """The login was refused while the push was on its way, under a session that was good."""
    site = sandbox(latency_s=1.0, per_number_s=9.0)
    pool = Pool(site)
    answers: list[Exchange] = []

    async def push_a() -> None:
        answers.append(await push(pool.erp, A))

    async with pool.erp as erp, anyio.create_task_group() as tasks:
        tasks.start_soon(push_a)
        await anyio.sleep(1.5)
        users = {**site.logins.accounts.users, "sandbox": "changed"}
        site.logins.accounts = replace(site.logins.accounts, users=users)
        pool.users["sandbox"].lose_session(1)
        await erp.targets_of(ROUTE, [B])
    assert [user for user, _ in pool.told] == ["sandbox"]
    assert [is_success(answer) for answer in answers] == [True]
    assert site.calls[Channel.PUSH] == 1


async def test_a_document_that_all_users_see_is_there_once() -> None:
    """Else one target would look like two."""
    async with Pool(sandbox()).erp as erp:
        await push(erp, A)
        alone = await erp.targets_of(ROUTE, [A, B])
        assert [len(targets) for targets in alone.values()] == [1]
        assert await erp.targets_of(ROUTE, [A, B], by_all=True) == alone


async def test_unreachable_is_not_refused() -> None:
    """An outage is waited for; a wrong password is not."""
    site = sandbox()
    pool = Pool(site)
    async with pool.erp as erp:
        site.accepting = False
        assert isinstance(await push(erp, A), NeverSent)
        with pytest.raises(ErpUnreachableError):
            await erp.open_session()
        site.accepting = True
        assert is_success(await push(erp, A))
    assert (pool.told, pool.refused) == ([], {})


async def test_a_user_who_loses_every_new_session_is_set_aside() -> None:
    """The same words stand for a missing right, and would draw login after login (P 3.4)."""
    lost = Step(fault("lose-session"), Channel.PUSH)
    site = sandbox(faults=FaultPlan(steps=(lost, lost)))
    pool = Pool(site)
    async with pool.erp as erp:
        for _ in range(2):
            verdict = judge(await push(erp, A))
            assert isinstance(verdict, SendAgain)
            assert verdict.cure is Cure.LOG_IN
            erp.lose_session(verdict.session)
        assert is_success(await push(erp, A))
    assert [user for user, _ in pool.told] == ["sandbox"]


async def test_quick_failures_do_not_draw_pushes() -> None:
    """A user whose answers break off would look like the fastest one."""
    resets = (Step(fault("reset"), Channel.PUSH),)
    site = sandbox(faults=FaultPlan(steps=resets), latency_s=1.0)
    async with Pool(site).erp as erp:
        await push(erp, A)
        assert [user.lane.seconds for user in erp._users] == [{}, {}]
