"""Several users push side by side, against the simulator and on virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import httpx
import orjson
import pytest

from k3push.core.control_words import Key
from k3push.core.model import State
from k3push.core.model import Step as Follows
from k3push.core.protocol.logins import LoginCall, password_login
from k3push.runs.context import Context
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, is_session_lost
from k3push.simulator import Accounts, Channel, FaultPlan, Site, Step, fault
from k3push.simulator.books.forms import IN_STOCK
from k3push.simulator.sign_in import Logins
from tests.runs.office import Notebook, Office, Pushed, orders, sandbox, steered, steps
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = "sandbox", "sandbox2", "sandbox3"
USERS = (FIRST, SECOND, THIRD)
NO_CANARY = PushLimits(canary=False)


def login(user: str, password: str = "sandbox") -> LoginCall:  # noqa: S107  # the sandbox's
    """Return the login of a user."""
    return password_login("sandbox", user, password, 2052)


WRONG = {user: login(user, "wrong") for user in USERS}


def office_of(count: int, **options: Any) -> Office:
    """Open an office whose ERP runs the calls of a user one after another (P 2.9)."""
    accounts = Accounts(users=dict.fromkeys(USERS, "sandbox"))
    base: dict[str, Any] = {"queue": "user", "latency_s": 0.5, "per_number_s": 0.25}
    return Office(sandbox(orders=count, accounts=accounts, **(base | options)))


async def push_by(
    office: Office, count: int, logins: Sequence[LoginCall], **how: Any
) -> tuple[Pushed, float]:
    """Push orders through users, and return how long it took as well."""
    await office.open_run(orders(count))
    began_s = anyio.current_time()
    more_users = dict(zip(USERS[1:], logins[1:], strict=False))
    pushed = await office.execute(
        throttle=steered(concurrency=8, chunk_size=5),
        login=logins[0],
        more_users=more_users,
        **how,
    )
    return pushed, anyio.current_time() - began_s


def made_by(site: Site) -> Counter[str]:
    """Count the documents of each user."""
    creators = Counter(bill.creator for bill in site.world.store.of_form(IN_STOCK))
    del creators["somebody"]  # who made a document long ago
    return creators


@pytest.mark.parametrize(("users", "faster"), [(2, 1.3), (3, 1.6)])
@pytest.mark.more
async def test_more_users_are_faster_where_each_has_a_queue(users: int, faster: float) -> None:
    """It is what they are for (P 2.9); all of them look before each sending, so it is not all."""
    _, alone_s = await push_by(office_of(800), 800, [login(FIRST)])
    pushed, together_s = await push_by(office_of(800), 800, [login(u) for u in USERS[:users]])
    assert pushed.of(State.PUSHED) == set(orders(800))
    assert pushed.logins == users
    assert alone_s / together_s > faster


@pytest.mark.more
async def test_more_users_cost_their_looks_where_all_wait_in_one_queue() -> None:
    """Then they are no faster: each looks before a sending, since each may see other documents."""
    office, both = office_of(400, queue="site"), office_of(400, queue="site")
    _, alone_s = await push_by(office, 400, [login(FIRST)])
    _, together_s = await push_by(both, 400, [login(FIRST), login(SECOND)])
    assert alone_s < together_s < 1.6 * alone_s


@pytest.mark.more
async def test_a_slow_user_gets_less_work() -> None:
    """Nobody waits for the slow one while the fast one is idle."""
    office = office_of(600, slow_users={SECOND: 4.0})
    pushed, _ = await push_by(office, 600, [login(FIRST), login(SECOND)])
    assert pushed.of(State.PUSHED) == set(orders(600))
    made = made_by(office.site)
    assert 0 < made[SECOND] < 0.6 * made[FIRST]


@pytest.mark.parametrize("refused", [0, 1])
async def test_one_refused_user_is_set_aside_after_one_try(refused: int) -> None:
    """Five wrong logins lock the account (P 2.4); the others go on, whoever it is."""
    office = office_of(200)
    logins = [login(FIRST), login(SECOND), login(THIRD)]
    logins[refused] = WRONG[USERS[refused]]
    pushed, _ = await push_by(office, 200, logins)
    assert pushed.of(State.PUSHED) == set(orders(200))
    assert not pushed.stop.asked
    assert office.site.logins.failures == 1
    assert pushed.watch.aside == [(USERS[refused], "用户名或密码错误 (LoginResultType 0)")]
    assert set(made_by(office.site)) == set(USERS) - {USERS[refused]}


async def test_when_all_are_refused_the_run_stops() -> None:
    """Each was tried once, and each is named with the ERP's words."""
    office = office_of(20)
    pushed, _ = await push_by(office, 20, [WRONG[FIRST], WRONG[SECOND]])
    assert list(pushed.stop.causes) == [Cause.LOGIN_REFUSED]
    for user in (FIRST, SECOND):
        assert f"{user}: 用户名或密码错误" in pushed.stop.causes[Cause.LOGIN_REFUSED]
    assert pushed.of(State.PLANNED) == set(orders(20))
    assert office.site.logins.failures == 2
    assert office.site.calls[Channel.PUSH] == 0


@pytest.mark.parametrize("wrong", [True, False])
async def test_a_wrong_password_is_told_whoever_lost_a_session_beside(
    monkeypatch: pytest.MonkeyPatch, *, wrong: bool
) -> None:
    """What may pass is tried again by itself, and five wrong logins lock an account (P 2.4)."""
    office = office_of(20)
    monkeypatch.setattr(Logins, "find", lambda *_: None)
    logins = [login(FIRST), WRONG[SECOND] if wrong else login(SECOND)]
    pushed, _ = await push_by(office, 20, logins)
    why = pushed.stop.causes[Cause.LOGIN_REFUSED]
    assert is_session_lost(why) is not wrong
    assert ("用户名或密码错误" in why) is wrong
    assert pushed.of(State.PLANNED) == set(orders(20))


async def test_an_erp_that_is_away_sets_nobody_aside() -> None:
    """An outage says nothing of the users."""
    office = office_of(20)
    office.site.accepting = False
    watch = Notebook()

    async def come_back(_: Context) -> None:
        await anyio.sleep(1)
        office.site.accepting = True

    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 20, logins, beside=come_back, watch=watch)
    assert watch.waits
    assert watch.aside == []
    assert pushed.of(State.PUSHED) == set(orders(20))


async def test_a_lost_session_of_one_leaves_the_other_logged_in() -> None:
    """Logins pile contexts up in the server (P 2.10), and the other's was good."""
    office = office_of(100)

    async def lose(_job: Context) -> None:
        for _ in range(3):
            await anyio.sleep(7)
            mine = [s for s in office.site.logins._sessions.values() if s.user == SECOND]
            for session in mine:
                office.site.logins.lose(session)

    pushed, _ = await push_by(office, 100, [login(FIRST), login(SECOND)], beside=lose)
    assert pushed.of(State.PUSHED) == set(orders(100))
    assert office.site.logins.sessions_lost > 1
    assert pushed.logins == 2 + office.site.logins.sessions_lost
    assert pushed.watch.aside == []


@pytest.mark.parametrize("changed", [FIRST, SECOND])
async def test_a_password_that_is_changed_at_night_stops_nobody_else(changed: str) -> None:
    """The session is lost, the new login is refused, and what was planned goes elsewhere."""
    office = office_of(100)
    logins = office.site.logins

    async def change(_: Context) -> None:
        await anyio.sleep(10)
        users = {**logins.accounts.users, changed: "changed"}
        logins.accounts = replace(logins.accounts, users=users)
        logins.lose_all()

    pushed, _ = await push_by(office, 100, [login(FIRST), login(SECOND)], beside=change)
    assert pushed.of(State.PUSHED) == set(orders(100))
    assert logins.failures == 1
    assert [user for user, _ in pushed.watch.aside] == [changed]


async def test_the_limit_of_calls_is_the_sites() -> None:
    """It spares the ERP, which does not care whose calls they are."""
    office = office_of(20, latency_s=0.0, per_number_s=0.0)
    throttle = steered(concurrency=8, chunk_size=2)
    await office.open_run(orders(20))
    throttle.fix(Key.CALLS_PER_MINUTE, 60)
    pushed = await office.execute(throttle=throttle, more_users={SECOND: login(SECOND)})
    assert pushed.of(State.PUSHED) == set(orders(20))
    calls = sum(office.site.calls[c] for c in (Channel.PUSH, Channel.QUERY, Channel.LOGIN))
    assert anyio.current_time() >= calls - 1


class Eyes(SandboxTransport):
    """What one user gets to see of the target form, whatever is there."""

    def __init__(self, site: Site, user: str, sees: bytes) -> None:
        super().__init__(site)
        self.logins, self.user, self.sees = site.logins, user, sees
        self.looks = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, and hide what it answers."""
        body = await request.aread()
        session = self.logins._sessions.get(request.headers.get("kdservice-sessionid", ""))
        response = await super().handle_async_request(request)
        if session is None or session.user != self.user or b'"FormId":"STK_InStock"' not in body:
            return response
        self.looks += 1
        return httpx.Response(200, content=self.sees)


LOST = FaultPlan(steps=(Step(fault("make-then-reset"), Channel.PUSH),) * 8)
NOTHING = b"[]"
NO_RIGHT = orjson.dumps(
    [[{"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": 2, "Errors": []}}}]]
)


async def test_before_a_number_travels_again_every_user_is_asked() -> None:
    """The first user may see less than those who pushed, and no error says so."""
    office = office_of(40, faults=LOST)
    blind = Eyes(office.site, FIRST, NOTHING)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 40, logins, limits=NO_CANARY, transport=lambda _: blind)
    assert pushed.of(State.PUSHED) == set(orders(40))
    assert office.site.calls[Channel.PUSH] == 8
    assert blind.looks > 8


async def test_a_user_who_may_not_read_has_nothing_to_say() -> None:
    """Then it is what the first one sees that counts, and no doubt stays for ever."""
    office = office_of(40, faults=LOST)
    barred = Eyes(office.site, SECOND, NO_RIGHT)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 40, logins, limits=NO_CANARY, transport=lambda _: barred)
    assert pushed.of(State.PUSHED) == set(orders(40))
    assert barred.looks
    assert not pushed.stop.asked


@pytest.mark.parametrize("blind", [FIRST, SECOND])
async def test_a_user_who_sees_too_little_does_no_harm_beside_one_who_sees_all(blind: str) -> None:
    """What one user does not see the other does; only together do they say what is there."""
    office = office_of(40)
    eyes = Eyes(office.site, blind, NOTHING)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 40, logins, transport=lambda _: eyes)
    assert pushed.of(State.PUSHED) == set(orders(40))
    assert made_by(office.site).total() == 40


async def test_after_an_answer_the_looks_of_one_who_sees_what_the_others_make_are_enough() -> None:
    """Before a sending everybody is asked, whoever made what is there; at first also after it."""
    office = office_of(400)
    eyes = Eyes(office.site, SECOND, NOTHING)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 400, logins, transport=lambda _: eyes)
    assert pushed.of(State.PUSHED) == set(orders(400))
    assert made_by(office.site)[SECOND] > 40
    sendings = len(pushed.watch.sendings)
    # By the field and by the links.
    assert 2 * sendings <= eyes.looks < 2.3 * sendings


class Barred(SandboxTransport):
    """Users who may not push; the ERP says so and does nothing."""

    def __init__(self, site: Site, *users: str) -> None:
        super().__init__(site)
        self.logins, self.users = site.logins, users
        self.refusals = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse the pushes of those users after a second."""
        session = self.logins._sessions.get(request.headers.get("kdservice-sessionid", ""))
        pushes = ".Push." in str(request.url)
        if not pushes or session is None or session.user not in self.users:
            return await super().handle_async_request(request)
        await anyio.sleep(1)
        self.refusals += 1
        status = {"IsSuccess": False, "MsgCode": 2, "Errors": [{"Message": "没有下推权限"}]}
        return httpx.Response(200, content=orjson.dumps({"Result": {"ResponseStatus": status}}))


@pytest.mark.parametrize("user", [FIRST, SECOND])
async def test_a_user_who_may_not_push_is_set_aside_from_pushing(user: str) -> None:
    """Else half of the night's bills would be rejected for a right that one of two lacks."""
    office = office_of(100)
    barred = Barred(office.site, user)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 100, logins, limits=NO_CANARY, transport=lambda _: barred)
    assert pushed.of(State.PUSHED) == set(orders(100))
    assert pushed.watch.aside == [(user, "没有下推权限")]
    assert barred.refusals <= 8
    assert office.site.logins.failures == 0


async def test_what_a_user_has_made_is_approved_as_that_user_who_may_push_no_more() -> None:
    """One push was refused him; that another approves what he has made, nobody has asked for."""
    office = office_of(100)
    office.route = replace(office.route, follow=tuple(Follows), follow_wait_s=60)
    barred = Barred(office.site)

    async def bar(_: Context) -> None:
        while not made_by(office.site)[SECOND]:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        barred.users = (SECOND,)

    how: dict[str, Any] = {"limits": NO_CANARY, "transport": lambda _: barred, "beside": bar}
    pushed, _ = await push_by(office, 100, [login(FIRST), login(SECOND)], **how)
    assert pushed.watch.aside == [(SECOND, "没有下推权限")]
    senders = set()
    for id_, document in (await office.documents()).items():
        for kept in await office.store.steps_of(id_):
            senders.add((document.sender, kept.attempt.intent.sender))
    assert senders == {(FIRST, FIRST), (SECOND, SECOND)}


@pytest.mark.parametrize("canary", [True, False])
async def test_a_number_that_travels_alone_goes_on_through_whoever_may_push(
    *, canary: bool
) -> None:
    """The refusal is about the user: of the number it says nothing, and the canary is one."""
    office = office_of(12)
    barred = Barred(office.site, SECOND)
    await office.open_run(orders(12))
    pushed = await office.execute(
        throttle=steered(concurrency=2, chunk_size=1),
        login=login(FIRST),
        more_users={SECOND: login(SECOND)},
        limits=PushLimits(canary=canary),
        transport=lambda _: barred,
    )
    assert pushed.of(State.PUSHED) == set(orders(12))
    assert barred.refusals
    assert {row.code for row in pushed.rows.values()} == {""}


async def test_where_nobody_may_push_the_rows_say_so() -> None:
    """It is the ERP's word on every number, and no login is at fault."""
    office = office_of(20)
    barred = Barred(office.site, FIRST, SECOND)
    logins = [login(FIRST), login(SECOND)]
    pushed, _ = await push_by(office, 20, logins, transport=lambda _: barred)
    assert pushed.of(State.REJECTED) == set(orders(20))
    assert {row.reason for row in pushed.rows.values()} == {"没有下推权限"}
    assert len(pushed.watch.aside) == 1


async def test_what_others_may_not_push_is_not_rejected_where_an_answer_is_lost() -> None:
    """Both who may not push it have said so, as often as a bill is tried; the third may."""
    office = office_of(1, faults=steps("reset"))
    barred = Barred(office.site, SECOND, THIRD)
    logins = [login(user) for user in USERS]
    limits = PushLimits(max_attempts=2)
    pushed, _ = await push_by(office, 1, logins, limits=limits, transport=lambda _: barred)
    assert barred.refusals == 2
    assert pushed.of(State.PUSHED) == set(orders(1)), pushed.rows
