from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.identities import Identities
from k3push.core.model import Answered, BillNumber, Exchange
from k3push.core.protocol.logins import password_login
from k3push.core.safety.user_sight import ENOUGH_TO_SEE
from k3push.core.safety.verdict import Cure, SendAgain, judge
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, LookRefusedError
from k3push.simulator import Channel, FaultPlan, Step, fault
from k3push.simulator import Site as Sandbox
from tests.adapters.erp.sites import (
    ORDERS,
    ROUTE,
    Login,
    erp_of,
    is_success,
    push,
    sandbox,
    targets,
)

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
        self.users: dict[str, ErpClient] = {
            name: erp_of(site, login(name, password), user=name)
            for name, password in zip(names, passwords, strict=True)
        }
        self.erp = Identities(
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


async def test_a_user_logs_in_with_the_first_call_that_needs_it() -> None:
    """The first one reads sources for all; whose documents it may see is not known."""
    site = sandbox()
    async with Pool(site).erp as erp:
        await erp.open_session()
        await erp.sources_of(ROUTE, [A])
        assert (erp.logins, site.logins.successes) == (1, 1)
        await targets(erp, A)
        assert (erp.logins, site.logins.successes) == (2, 2)


async def test_a_push_goes_elsewhere_when_its_user_is_refused() -> None:
    """Nothing has left, so it is one sending still."""
    site = sandbox()
    pool = Pool(site, ("wrong", "sandbox"))
    async with pool.erp as erp:
        assert is_success(await push(erp, A))
    assert site.calls[Channel.PUSH] == 1
    assert [user for user, _ in pool.told] == ["sandbox"]


async def test_when_nobody_is_left_there_is_no_turn_and_no_look() -> None:
    """The error says why, and nobody tries a login again."""
    site = sandbox()
    pool = Pool(site, ("wrong", "wrong"))
    async with pool.erp as erp:
        for _ in range(3):
            with pytest.raises(LoginRefusedError, match=r"sandbox: .*; sandbox2: "):
                await push(erp, A)
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
        assert list(await targets(erp, A)) == [A]
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
        await targets(erp, B)
    assert [user for user, _ in pool.told] == ["sandbox"]
    assert [is_success(answer) for answer in answers] == [True]
    assert site.calls[Channel.PUSH] == 1


async def test_a_document_that_all_users_see_is_there_once() -> None:
    """Else one target would look like two."""
    async with Pool(sandbox()).erp as erp:
        await push(erp, A)
        alone = await targets(erp, A, B)
        assert [len(each) for each in alone.values()] == [1]
        assert await targets(erp, A, B, by_all=True) == alone


async def test_unreachable_is_not_refused() -> None:
    """An outage is waited for; a wrong password is not."""
    site = sandbox()
    pool = Pool(site)
    async with pool.erp as erp:
        site.accepting = False
        with pytest.raises(ErpUnreachableError):
            await push(erp, A)
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
        assert [user.calls.seconds for user in erp._pool.users] == [{}, {}]


# -- who has looked ------------------------------------------------------------------------------


def refusing(*names: str, user: str, on: Channel = Channel.QUERY) -> FaultPlan:
    """Plan faults for the next requests of a user."""
    return FaultPlan(steps=tuple(Step(fault(name), on, user) for name in names))


@pytest.mark.parametrize(
    "name", ["response-error", "reset", "html-502", "empty", "edit-lock", "call-limit", "silence"]
)
@pytest.mark.parametrize("user", ["sandbox", "sandbox2"])
@pytest.mark.parametrize("by_all", [False, True])
async def test_a_look_of_one_user_that_fails_is_a_look_that_fails(
    name: str, user: str, *, by_all: bool
) -> None:
    """What the others do not see may be there (rule 7)."""
    async with Pool(sandbox(faults=refusing(name, name, user=user))).erp as erp:
        with pytest.raises(LookFailedError):
            await erp.targets_of(ROUTE, [A], by_all=by_all)


@pytest.mark.parametrize(
    ("unreadable", "users"),
    [
        ({}, {"sandbox", "sandbox2"}),
        ({"sandbox": ["STK_InStock"]}, {"sandbox2"}),
        ({"sandbox2": ["STK_InStock"]}, {"sandbox"}),
    ],
)
async def test_a_user_who_may_not_read_the_form_is_not_among_those_who_looked(
    unreadable: dict[str, list[str]], users: set[str]
) -> None:
    """The others go on, and what that one has made is not proved to be absent."""
    async with Pool(sandbox(unreadable=unreadable)).erp as erp:
        for by_all in (False, True):
            seen = await erp.targets_of(ROUTE, [A], by_all=by_all)
            assert seen.users == users
        assert erp.users == {"sandbox", "sandbox2"}


async def test_a_look_is_failed_where_a_user_who_has_read_the_form_is_refused_it() -> None:
    """He may see what nobody else sees, and a right that is missing for a moment hides it."""
    site = sandbox(faults=refusing("ok", "no-permission", user="sandbox"))
    async with Pool(site).erp as erp:
        await erp.targets_of(ROUTE, [A])
        with pytest.raises(LookFailedError, match="STK_InStock"):
            await erp.targets_of(ROUTE, [A])
        seen = await erp.targets_of(ROUTE, [A])
    assert seen.users == {"sandbox", "sandbox2"}


async def test_what_a_user_has_seen_is_there_though_he_may_not_read_its_links() -> None:
    """A look before a sending asks for documents, and then for the links of those found."""
    site = sandbox(faults=refusing("ok", "no-permission", user="sandbox"))
    assert is_success(await push(erp_of(site), A))
    async with Pool(site).erp as erp:
        seen = await erp.targets_of(ROUTE, [A, B], by_all=True, unsent=True)
    assert list(seen.targets) == [A]
    assert seen.users == {"sandbox", "sandbox2"}


async def test_bills_are_read_by_a_user_who_may_read_their_form() -> None:
    """The first user of the settings may be one who only makes documents."""
    site = sandbox(unreadable={"sandbox": ["PUR_PurchaseOrder"]})
    async with Pool(site).erp as erp:
        found = await erp.sources_of(ROUTE, [A])
        assert list(await erp.sources_by_id(ROUTE, [found[A][0].id])) == [found[A][0].id]
    unreadable = {user: ["PUR_PurchaseOrder"] for user in ("sandbox", "sandbox2")}
    async with Pool(sandbox(unreadable=unreadable)).erp as erp:
        with pytest.raises(LookRefusedError) as raised:
            await erp.sources_of(ROUTE, [A])
    assert raised.value.code == "2"


async def test_where_nobody_may_read_the_form_the_look_says_so() -> None:
    """It must not pass for "nothing is there"."""
    unreadable = {user: ["STK_InStock"] for user in ("sandbox", "sandbox2")}
    async with Pool(sandbox(unreadable=unreadable)).erp as erp:
        with pytest.raises(LookRefusedError) as raised:
            await erp.targets_of(ROUTE, [A])
    assert raised.value.code == "2"


async def test_a_user_whose_login_is_refused_is_not_among_those_who_looked() -> None:
    """What he has made may be seen by nobody else."""
    pool = Pool(sandbox(), ("sandbox", "wrong"))
    async with pool.erp as erp:
        for _ in range(2):
            assert (await erp.targets_of(ROUTE, [A], by_all=True)).users == {"sandbox"}
    assert [user for user, _ in pool.told] == ["sandbox2"]


@pytest.mark.parametrize("by_all", [False, True])
async def test_users_who_see_only_their_own_find_everything_together(*, by_all: bool) -> None:
    """Each document is shown to one of them."""
    site = sandbox(latency_s=1.0, sees={"sandbox": "own", "sandbox2": "own"})
    async with Pool(site).erp as erp:
        for number in ORDERS:
            assert is_success(await push(erp, number))
        assert {bill.creator for bill in site.world.documents_of(A)} == {"sandbox"}
        assert {bill.creator for bill in site.world.documents_of(B)} == {"sandbox2"}
        for _ in range(2):
            assert sorted(await targets(erp, *ORDERS, by_all=by_all)) == ORDERS


def queries_of(site: Sandbox) -> int:
    """Count the queries so far."""
    return site.calls[Channel.QUERY]


async def test_one_user_looks_for_all_once_that_one_was_shown_enough() -> None:
    """Twenty documents of the other, and none missed; absence is asked of everybody still."""
    site = sandbox(orders=100, latency_s=1.0)
    every = [BillNumber(f"CGDD{nth:07d}") for nth in range(3 * ENOUGH_TO_SEE)]
    async with Pool(site).erp as erp:
        for number in every:
            await push(erp, number)
        makers = {n: bill.creator for n in every for bill in site.world.documents_of(n)}
        of_second = [number for number in every if makers[number] == "sandbox2"]
        few = of_second[: ENOUGH_TO_SEE - 1]
        for _ in range(2):
            assert (await erp.targets_of(ROUTE, few)).users == {"sandbox", "sandbox2"}
        assert (await erp.targets_of(ROUTE, of_second)).users == {"sandbox", "sandbox2"}
        before = queries_of(site)
        assert (await erp.targets_of(ROUTE, every)).users == {"sandbox"}
        assert queries_of(site) <= before + 2  # a page of that size is proved whole
        assert (await erp.targets_of(ROUTE, every, by_all=True)).users == {"sandbox", "sandbox2"}


@pytest.mark.parametrize("sight", ["own", "half", "none"])
async def test_a_user_who_missed_a_document_never_looks_for_all(sight: str) -> None:
    """Rights to data raise no error."""
    every = [BillNumber(f"CGDD{nth:07d}") for nth in range(4 * ENOUGH_TO_SEE)]
    async with Pool(sandbox(orders=100, latency_s=1.0, sees={"sandbox": sight})).erp as erp:
        for number in every:
            await push(erp, number)
        for _ in range(3):
            seen = await erp.targets_of(ROUTE, every)
            assert seen.users == {"sandbox", "sandbox2"}
            assert sorted(seen.targets) == every


async def test_a_cancelled_document_of_one_user_is_known_to_all() -> None:
    """It is joined as the others are."""
    site = sandbox(sees={"sandbox": "own", "sandbox2": "own"})
    async with Pool(site).erp as erp:
        await push(erp, A)
        await push(erp, B)
        for number in (A, B):
            (bill,) = site.world.documents_of(number)
            site.world.cancel(bill)
        seen = await erp.targets_of(ROUTE, [A, B])
    assert (seen.targets, sorted(seen.cancelled)) == ({}, [A, B])


async def test_a_turn_says_whose_it_is() -> None:
    """The attempt keeps it: absence counts only where that user has looked (rule 6)."""
    async with Pool(sandbox()).erp as erp, erp.turn() as first, erp.turn() as second:
        assert [first.user, second.user] == ["sandbox", "sandbox2"]
