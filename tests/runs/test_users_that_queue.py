"""Several users, each with a queue of its own in the ERP, behind an impatient proxy."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import Any

import anyio
import httpx
import pytest

from k3push.core.model import BillNumber, RunId, State, Uptime
from k3push.ports import Doubt
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.simulator import Accounts
from k3push.simulator.sign_in import Logins
from tests.runs.office import NOON, Office, VirtualClock, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, doubled
from tests.runs.test_calls_that_meet import _is_push, killed_after
from tests.runs.test_identities import USERS, login
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio


def queueing_by_user(
    server: Any, takes_s: dict[str, float], given_up_s: float, *, told: bool = True
) -> Any:
    """Return a server that works on one push of each user at a time.

    Args:
        server: The task group in which it goes on with what its client has given up.
        takes_s: Seconds for each push, by user.
        given_up_s: After so long the proxy gives a call up.
        told: It says so (HTTP 504), or breaks the connection.
    """
    lanes: dict[str, anyio.Lock] = {}

    class Queueing(SandboxTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not _is_push(request):
                return await super().handle_async_request(request)
            sessions = self._site.logins._sessions
            user = next(s.user for s in sessions.values() if s.id in str(request.headers))
            lock, each_s = lanes.setdefault(user, anyio.Lock()), takes_s[user]
            done, answers = anyio.Event(), list[httpx.Response]()

            async def work() -> None:
                async with lock:
                    await anyio.sleep(each_s)
                    answers.append(await super(Queueing, self).handle_async_request(request))
                done.set()

            server.start_soon(work)
            with anyio.move_on_after(given_up_s):
                await done.wait()
                return answers[0]
            if not told:
                raise httpx.ReadError("reset by a balancer")
            return httpx.Response(504, stream=httpx.ByteStream(b"<h1>504 Gateway Time-out</h1>"))

    return Queueing


@pytest.mark.parametrize("slow", USERS[:2])
async def test_answers_to_one_user_end_no_wait_for_late_documents_of_another(slow: str) -> None:
    """They tell nothing of what waits in the other's queue, where documents are minutes apart."""
    numbers, accounts = orders(40), Accounts(users=dict.fromkeys(USERS, "sandbox"))
    office = Office(sandbox(accounts=accounts, **OPEN))
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        pushed = await office.execute(
            throttle=steered(concurrency=8, chunk_size=1),
            transport=queueing_by_user(server, dict.fromkeys(USERS, 5.0) | {slow: 380.0}, 60.0),
            more_users={USERS[1]: login(USERS[1])},
            limits=NO_CANARY,
            settle=SettleTimes(),
            check=False,
        )
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_answers_to_one_user_end_no_wait_behind_what_a_killed_execution_lost_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ERP is at work on the other's queue yet, and what was known of that is lost."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    numbers, accounts = orders(40), Accounts(users=dict.fromkeys(USERS, "sandbox"))
    office = Office(sandbox(accounts=accounts, **OPEN))
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        takes_s = {USERS[0]: 380.0, USERS[1]: 5.0}
        how: dict[str, Any] = {
            "throttle": steered(concurrency=8, chunk_size=1),
            "transport": queueing_by_user(server, takes_s, 60.0),
            "more_users": {USERS[1]: login(USERS[1])},
            "limits": NO_CANARY,
            "settle": SettleTimes(),
            "check": False,
        }
        await office.execute(beside=killed_after(700.0), **how)
        pushed = await office.execute(**how)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


@pytest.mark.parametrize("told", [True, False])
async def test_a_user_whose_calls_are_given_up_draws_few_pushes(*, told: bool) -> None:
    """He is no faster than the proxy, though no answer of his has ever come."""
    numbers, accounts = orders(40), Accounts(users=dict.fromkeys(USERS, "sandbox"))
    office = Office(sandbox(accounts=accounts, **OPEN))
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        takes_s = dict.fromkeys(USERS, 10.0) | {USERS[0]: 380.0}
        pushed = await office.execute(
            throttle=steered(concurrency=2, chunk_size=1),
            transport=queueing_by_user(server, takes_s, 60.0, told=told),
            more_users={USERS[1]: login(USERS[1])},
            limits=NO_CANARY,
            settle=SettleTimes(),
            check=False,
        )
    assert pushed.of(State.PUSHED) == set(numbers)
    senders = Counter(attempt.intent.sender for attempt, _, _ in pushed.watch.sendings)
    assert senders[USERS[0]] < 8


async def test_how_far_late_documents_come_apart_is_each_users_own() -> None:
    """What another user is answered meanwhile neither shortens it nor is it counted from there."""
    ages, times, none = DoubtAges(VirtualClock()), SettleTimes(), frozenset[BillNumber]()
    one, next_one, others = (
        Doubt(RunId("r"), BillNumber(number), attempt, NOON, Uptime("b", 0.0), (), sender=sender)
        for attempt, number, sender in ((1, "A", "slow"), (2, "B", "slow"), (3, "C", "fast"))
    )
    for doubt in (one, next_one, others):
        ages.ended(doubt.attempt)
    await anyio.sleep(300)
    ages.note_looks([one, next_one], none)
    ages.note_answer(5.0, "fast")
    await anyio.sleep(80)
    ages.note_looks([one, next_one], {one.number})
    ages.note_answer(5.0, "fast")
    await anyio.sleep(times.window_s / 2)
    assert ages.shown_by_s(times, next_one) == inf
    assert ages.shown_by_s(times, others) == times.shown_by_s
    await anyio.sleep(1.5 * 380 - times.window_s / 2)
    assert ages.shown_by_s(times, next_one) == times.shown_by_s


async def test_how_long_calls_of_one_user_take_tells_nothing_of_anothers() -> None:
    """Nothing is known of those of a user who was never answered, and none takes more than that."""
    ages, times = DoubtAges(VirtualClock()), SettleTimes()
    assert ages.longest_s(times, "one") == times.window_s
    ages.note_taken(20.0, "one")
    ages.note_taken(10.0, "one")
    ages.note_taken(500.0, "another")
    assert ages.longest_s(times, "one") == 1.5 * 20
    assert [ages.longest_s(times, user) for user in ("another", "third")] == [times.window_s] * 2


@pytest.mark.parametrize("missed", [True, False])
async def test_a_lost_call_has_taken_until_its_document_was_shown(*, missed: bool) -> None:
    """It counts from its leaving, and not from when nobody waited for it any more."""
    clock = VirtualClock()
    ages, times, none = DoubtAges(clock), SettleTimes(), frozenset[BillNumber]()
    doubt = Doubt(RunId("r"), BillNumber("A"), 1, NOON, clock.uptime(), (), sender="one")
    left_s = clock.uptime().seconds
    await anyio.sleep(60)
    ages.ended(doubt.attempt, left_s)
    await anyio.sleep(20)
    ages.note_looks([doubt], none if missed else {doubt.number})
    await anyio.sleep(20)
    ages.note_looks([doubt], {doubt.number})
    assert ages.longest_s(times, "one") == 1.5 * (100 if missed else 80)
    assert (ages.shown_by_s(times) == inf) is missed


async def test_a_call_may_keep_the_erp_half_as_long_again_as_the_longest_one() -> None:
    """Until one was given up: the ERP may have become slower since."""
    ages, times, user = DoubtAges(VirtualClock()), SettleTimes(), USERS[0]
    assert ages.longest_s(times, user) == times.window_s
    ages.note_taken(250.0, user)
    assert ages.longest_s(times, user) == 375.0
    assert [ages.longest_s(times, user, waited_s=s) for s in (20.0, 60.0)] == [
        375.0,
        times.window_s,
    ]
