"""Our own calls meet each other on the server: a lock, a deadlock, a queue that outlives them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import anyio
import httpx
import pytest

from k3push.core.control_words import Key
from k3push.core.model import BillNumber, RunId, State
from k3push.core.safety.verdict import InDoubt
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.proof.calls_at_work import CallsAtWork
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator import Accounts, FaultPlan
from k3push.simulator.answers import AnswerStyle, failure
from k3push.simulator.exchange import json_reply
from k3push.simulator.sign_in import Logins
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    WINDOW_S,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_HALT, OPEN, REFUSED, doubled, name_no_document
from tests.shares import shared_out
from tests.simulator.transport import SandboxTransport

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

LOCK = json_reply(failure(AnswerStyle(), 13, "网控冲突，请稍候再使用。")).body
DEADLOCK = "response_error:事务与另一个进程被死锁在锁资源上，并且已被选作死锁牺牲品。".encode()
EXCEPTION = "response_error:未将对象引用设置到对象的实例。".encode()


def _numbers_of(body: bytes) -> set[str]:
    return set(re.findall(r"CGDD\d+", unquote(body.decode())))


def _is_push(request: httpx.Request) -> bool:
    return "DynamicFormService.Push." in str(request.url)


def turning_away(body: bytes, resources: int) -> type[SandboxTransport]:
    """Return a server that answers so to a push while another works on one of its resources."""
    busy = Counter[int]()

    class Meeting(SandboxTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not _is_push(request):
                return await super().handle_async_request(request)
            mine = {int(n[4:]) % resources for n in _numbers_of(await request.aread())}
            if any(busy[each] for each in mine):
                await anyio.sleep(0.05)
                return httpx.Response(200, stream=httpx.ByteStream(body))
            busy.update(mine)
            try:
                return await super().handle_async_request(request)
            finally:
                busy.subtract(mine)

    return Meeting


@pytest.mark.parametrize("resources", [1, 5])
@pytest.mark.parametrize(
    "body",
    shared_out([LOCK, DEADLOCK, EXCEPTION], 3, of_more=1),
    ids=["lock", "deadlock", "exception"],
)
@pytest.mark.parametrize("at_once", shared_out([8, None], 2))
async def test_sound_bills_are_not_rejected_for_calls_of_ours_beside_them(
    body: bytes, resources: int, at_once: int | None
) -> None:
    """Their last try, and each after a second loss, leaves while nothing else is on its way."""
    office = Office(sandbox(latency_s=1.0, orders=120))
    await office.open_run(orders(100))
    pushed = await office.execute(
        throttle=steered(concurrency=at_once, chunk_size=1),
        transport=turning_away(body, resources),
        limits=NO_HALT,
    )
    assert pushed.of(State.PUSHED) == set(orders(100))


def queueing(
    server: Any,
    each_s: float,
    given_up_s: float,
    *,
    told: bool,
    light: Collection[str] = (),
    light_s: float = 5.0,
) -> Any:
    """Return a server that works on one push at a time, behind a proxy that waits less long.

    Its attribute *most* tells how many have waited at once, and *twice* which bills have come while
    an earlier push of them was at work yet.

    Args:
        server: The task group in which it goes on with what its client has given up.
        each_s: Seconds for each bill.
        given_up_s: After so long the proxy gives a call up.
        told: It says so (HTTP 504), or breaks the connection.
        light: Bills that take it less long.
        light_s: So many seconds.
    """
    lock, queued = anyio.Lock(), set[str]()

    class Queueing(SandboxTransport):
        waiting = 0
        most = 0
        twice = frozenset[str]()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not _is_push(request):
                return await super().handle_async_request(request)
            numbers = _numbers_of(await request.aread())
            takes_s = sum(light_s if number in light else each_s for number in numbers)
            done, answers = anyio.Event(), list[httpx.Response]()

            async def work() -> None:
                Queueing.waiting += 1
                Queueing.most = max(Queueing.most, Queueing.waiting)
                Queueing.twice |= queued & numbers
                queued.update(numbers)
                async with lock:
                    await anyio.sleep(takes_s)
                    answer = await super(Queueing, self).handle_async_request(request)
                Queueing.waiting -= 1
                queued.difference_update(numbers)
                answers.append(answer)
                done.set()

            server.start_soon(work)
            with anyio.move_on_after(given_up_s):
                await done.wait()
                return answers[0]
            if told:
                return httpx.Response(
                    504, stream=httpx.ByteStream(b"<h1>504 Gateway Time-out</h1>")
                )
            raise httpx.ReadError("reset by a balancer")

    return Queueing


def killed_after(seconds: float) -> Callable[[Context], Coroutine[None, None, None]]:
    """Return what kills an execution so much later."""

    async def kill(job: Context) -> None:
        await anyio.sleep(seconds)
        job.stop.scope.cancel()

    return kill


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("each_s", "at_once", "size", "look_s"),
    shared_out(
        [
            (15.0, None, None, 0.1),
            (20.0, None, 1, 0.1),
            (15.0, 8, 10, 0.1),
            (15.0, 16, 10, 0.1),
            (30.0, 16, 1, 3.0),
        ],
        5,
        normal=2,
        of_more=1,
    ),
)
async def test_a_queue_of_pushes_that_were_given_up_does_not_outgrow_the_window(
    each_s: float, at_once: int | None, size: int | None, look_s: float, *, told: bool
) -> None:
    """Each keeps its place until it is settled, or more would wait behind it than the window."""
    numbers = orders(120)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(orders=240, look_s=look_s, **OPEN))
        await office.open_run(numbers)
        erp = queueing(server, each_s, 60.0, told=told)
        pushed = await office.execute(
            throttle=steered(concurrency=at_once, chunk_size=size),
            transport=erp,
            limits=NO_HALT,
            check=False,
        )
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)
    assert erp.most <= (at_once or 40)
    told_of = [why for why, _ in pushed.watch.waits if "note.calls_at_work" in why]
    assert told_of or size != 1  # or it stands still without a word


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(
    ("each_s", "at_once", "canary", "bills"),
    [(380.0, 1, True, 8), (380.0, None, True, 8), (380.0, 3, False, 3), (590.0, 1, True, 8)],
)
async def test_calls_of_minutes_that_are_given_up_leave_one_after_the_other(
    each_s: float, at_once: int | None, bills: int, *, canary: bool, told: bool
) -> None:
    """Two of them, one behind the other, end after the window of the second."""
    numbers = orders(bills)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(**OPEN))
        await office.open_run(numbers)
        pushed = await office.execute(
            throttle=steered(concurrency=at_once, chunk_size=1),
            transport=queueing(server, each_s, 60.0, told=told),
            limits=replace(NO_HALT, canary=canary),
            settle=SettleTimes(),
            check=False,
        )
    assert pushed.of(State.PUSHED) == set(numbers)
    sent = [n for attempt, _, _ in pushed.watch.sendings for n in attempt.intent.numbers]
    assert sorted(sent) == numbers


async def test_one_late_document_slows_nothing_once_a_call_is_answered() -> None:
    """It was no queue: a plug-in took long, once."""
    office, numbers = (
        Office(sandbox(steps("commit-late-then-silence:400"), latency_s=10.0)),
        orders(40),
    )
    await office.open_run(numbers)
    at_once = steered(concurrency=4, chunk_size=1)
    pushed = await office.execute(throttle=at_once, settle=SettleTimes())
    assert pushed.of(State.PUSHED) == set(numbers)
    times_s = sorted(attempt.intent.uptime.seconds for attempt, _, _ in pushed.watch.sendings)
    assert times_s[-1] - times_s[1] < 40 * 20.0  # one by one they take twice as long


async def test_one_call_leaves_until_something_tells_how_long_the_erp_takes() -> None:
    """Links were proved by an earlier run, so that no canary goes ahead of eight at once."""
    numbers = orders(9)
    office = Office(sandbox(**OPEN))
    await office.open_run(numbers[:1])
    await office.execute()
    async with anyio.create_task_group() as server:
        erp = queueing(server, 380.0, 60.0, told=True)
        await office.open_run(numbers[1:], SECOND)
        limits = replace(NO_HALT, canary=True)
        how: dict[str, Any] = {"transport": erp, "limits": limits, "settle": SettleTimes()}
        at_once = steered(concurrency=8, chunk_size=1)
        pushed = await office.execute(SECOND, throttle=at_once, check=False, **how)
    assert (erp.most, doubled(office, numbers)) == (1, [])
    assert pushed.of(State.PUSHED) == set(numbers[1:])


@pytest.mark.parametrize("killed_s", [100.0, math.inf])
async def test_a_run_without_a_canary_begins_with_one_call_at_a_time(
    monkeypatch: pytest.MonkeyPatch, killed_s: float
) -> None:
    """They might wait for each other past their windows, and what comes next believe in absence.

    All make nothing, so that no late document tells of the queue.
    """
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    numbers = orders(8)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(numbers, REFUSED)), **OPEN))
        await office.open_run(orders(1, 50), SECOND)
        await office.execute(SECOND)
        erp = queueing(server, 310.0, 300.0, told=True)
        how: dict[str, Any] = {
            "throttle": steered(concurrency=8, chunk_size=1),
            "transport": erp,
            "limits": replace(NO_HALT, canary=False, max_attempts=1),
            "settle": SettleTimes(),
            "check": False,
        }
        await office.open_run(numbers)
        await office.execute(beside=killed_after(killed_s), **how)
        await office.execute(**how)
    assert (erp.most, erp.twice) == (1, frozenset())


async def test_answers_that_name_nothing_tell_how_long_the_erp_takes_by_what_they_have_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An old server. One call is lost, and some others leave before its window is over."""
    name_no_document(monkeypatch)
    numbers = orders(20)
    office = Office(sandbox(steps(*["ok"] * 10, "silence"), latency_s=1.0, **OPEN))
    await office.open_run(numbers)
    one_by_one = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(throttle=one_by_one, settle=SettleTimes(), limits=NO_HALT)
    assert pushed.of(State.PUSHED) == set(numbers)
    left_s = sorted(attempt.intent.uptime.seconds for attempt, _, _ in pushed.watch.sendings)
    assert max(later - one for one, later in pairwise(left_s)) < WINDOW_S


async def test_a_call_that_is_given_up_while_a_look_is_under_way_keeps_its_place() -> None:
    """The look has asked for what was in doubt before, and knows nothing of this one."""
    calls, lost = CallsAtWork(), InDoubt("timeout", "no answer")
    calls.note(1, lost, after_s=60.0, now_s=60.0)
    known = calls.known
    calls.note(2, lost, after_s=60.0, now_s=61.0)
    calls.keep((), known)
    assert calls.known == {2}


async def test_a_call_that_is_given_up_keeps_its_place_while_that_is_being_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look meanwhile finds it in no doubt yet, and more and more waited in the ERP."""
    record = MemoryLedger.record

    async def record_late(*what: Any, **how: Any) -> None:
        if any(outcome.state is State.UNKNOWN for outcome in what[4]):
            await anyio.sleep(25)
        await record(*what, **how)

    monkeypatch.setattr(MemoryLedger, "record", record_late)
    numbers = orders(40)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(**OPEN))
        await office.open_run(numbers)
        erp = queueing(server, 60.0, 60.0, told=True)
        at_once = steered(concurrency=8, chunk_size=1)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "limits": NO_HALT}
        pushed = await office.execute(throttle=at_once, check=False, **how)
    assert (pushed.of(State.PUSHED), doubled(office, numbers)) == (set(numbers), [])
    assert erp.most <= 8


async def test_calls_of_an_earlier_execution_keep_no_place_once_they_are_settled() -> None:
    """They are taken in as the look begins that settles them."""
    calls = CallsAtWork()
    known = calls.known
    calls.seed([1, 2], math.inf)
    calls.keep([2], known)
    assert calls.known == {2}


async def test_no_call_leaves_before_those_of_the_last_execution_are_known() -> None:
    """Else each `resume` put as many more into the queue, some beyond their window."""
    numbers = orders(24)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(orders=120, **OPEN))
        await office.open_run(numbers)
        transport = queueing(server, 40.0, 30.0, told=False, light=numbers[:1])

        async def stop(job: Context) -> None:
            await anyio.sleep(40)
            job.stop.scope.cancel()

        for _ in range(3):
            await office.execute(
                throttle=steered(concurrency=8, chunk_size=1),
                transport=transport,
                limits=replace(NO_HALT, canary=False),
                beside=stop,
                check=False,
            )
    assert transport.most == 8


@pytest.mark.parametrize("told", [True, False])
async def test_calls_of_a_killed_execution_keep_their_places(*, told: bool) -> None:
    """The one that goes on with its run finds the ERP at work on them."""
    numbers = orders(60)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(orders=120, **OPEN))
        await office.open_run(numbers)
        transport = queueing(server, 30.0, 60.0, told=told)
        how: dict[str, Any] = {
            "throttle": steered(concurrency=16, chunk_size=1),
            "transport": transport,
            "limits": NO_HALT,
            "check": False,
        }

        async def kill(job: Context) -> None:
            await anyio.sleep(100)
            job.stop.scope.cancel()

        for _ in range(14):
            await office.execute(beside=kill, **how)
            await anyio.sleep(1)
        pushed = await office.execute(**how)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


@pytest.mark.parametrize(
    ("each_s", "at_once", "killed_s"),
    [
        (380.0, 4, 900.0),
        (380.0, 6, 1300.0),
        (590.0, 2, 1200.0),
        (590.0, 4, 700.0),
        (590.0, 4, 1200.0),
    ],
)
async def test_what_a_killed_execution_knew_of_a_queue_is_no_reason_to_believe_in_absence(
    monkeypatch: pytest.MonkeyPatch, each_s: float, at_once: int, killed_s: float
) -> None:
    """Its calls went side by side as the ERP became slow, and documents of some have come late."""
    # What a request is about to do, it may do, whoever logs out meanwhile.
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    numbers = orders(12)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(**OPEN))
        await office.open_run(numbers)
        how: dict[str, Any] = {
            "throttle": steered(concurrency=at_once, chunk_size=1),
            "transport": queueing(server, each_s, 60.0, told=True, light=numbers[:4]),
            "limits": NO_HALT,
            "settle": SettleTimes(),
            "check": False,
        }

        await office.execute(beside=killed_after(killed_s), **how)
        pushed = await office.execute(**how)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


async def _pushed_too_early(
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    each_s: float,
    answer_s: float,
    *,
    killed_s: float = math.inf,
    refused: bool = False,
) -> frozenset[str]:
    """Push bills side by side as the ERP becomes slow, and what is left in another execution.

    Returns:
        Bills that were pushed again while their first call was at work.
    """
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy = orders(4), orders(count, 4)
    faults = FaultPlan(refusals=dict.fromkeys(heavy, REFUSED) if refused else {})
    async with anyio.create_task_group() as server:
        office = Office(sandbox(faults, **OPEN), answer_timeout_s=answer_s)
        erp = queueing(server, each_s, answer_s, told=True, light=light)
        how: dict[str, Any] = {
            "throttle": steered(concurrency=count, chunk_size=1),
            "transport": erp,
            "limits": NO_HALT,
            "settle": SettleTimes(),
            "check": False,
        }
        await office.open_run(light, SECOND)
        await office.execute(SECOND, **how)
        await office.open_run(heavy)
        await office.execute(beside=killed_after(killed_s), **how)
        await office.execute(**how)
    twice: frozenset[str] = erp.twice
    return twice


async def test_a_call_is_waited_for_behind_own_ones_for_as_long_as_calls_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All are refused, so that nothing comes late, and the first after four minutes."""
    assert not await _pushed_too_early(monkeypatch, 4, 250.0, 300.0, refused=True)


async def test_a_window_begins_once_a_call_in_front_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ERP has begun with the second call then, and a kill has lost how long the first took."""
    assert not await _pushed_too_early(monkeypatch, 2, 560.0, 600.0, killed_s=650.0)


@pytest.mark.parametrize(
    ("each_s", "given_up_s", "at_once"), shared_out([(310.0, 300.0, 8), (70.0, 60.0, 16)], 2)
)
async def test_a_document_that_the_first_look_shows_tells_how_long_calls_take(
    monkeypatch: pytest.MonkeyPatch, each_s: float, given_up_s: float, at_once: int
) -> None:
    """Only the canary makes one, right before that look; no answer has ever come."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    canary, *others = numbers = orders(at_once + 2)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(others, REFUSED)), **OPEN))
        erp = queueing(server, each_s, given_up_s, told=True)
        await office.open_run(numbers)
        await office.execute(
            throttle=steered(concurrency=at_once, chunk_size=1),
            transport=erp,
            limits=replace(NO_HALT, canary=True, max_attempts=1),
            settle=SettleTimes(),
            check=False,
        )
    assert office.site.world.documents_of(canary)
    assert not erp.twice
    assert erp.most * each_s < WINDOW_S


@pytest.mark.parametrize(
    ("count", "each_s", "given_up_s"),
    [(2, 580.0, 60.0), *shared_out([(4, 400.0, 60.0), (7, 120.0, 60.0), (3, 310.0, 300.0)], 3)],
)
async def test_a_quick_answer_tells_nothing_of_calls_that_were_given_up_later(
    monkeypatch: pytest.MonkeyPatch, count: int, each_s: float, given_up_s: float
) -> None:
    """The first bill takes seconds, those behind it minutes each, and make nothing."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, *heavy, sound = orders(count + 2)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
        erp = queueing(server, each_s, given_up_s, told=True, light=[light])
        await office.open_run([light, *heavy, sound])
        await office.execute(
            throttle=steered(concurrency=8, chunk_size=1),
            transport=erp,
            limits=replace(NO_HALT, canary=True, max_attempts=3),
            settle=SettleTimes(),
            check=False,
        )
    assert not erp.twice
    assert not doubled(office, [light, *heavy, sound])


async def test_late_documents_tell_nothing_of_calls_that_were_given_up_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All are given up after a minute. Several are under way as the ERP becomes slow once more."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy, (sound,) = orders(3), orders(3, 10), orders(1, 20)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
        erp = queueing(server, 590.0, 60.0, told=True, light=light, light_s=100.0)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how["limits"] = replace(NO_HALT, canary=True)
        how["throttle"] = steered(concurrency=8, chunk_size=1)
        await office.open_run([*light, *heavy, sound])
        await office.execute(**how)
    assert (erp.twice, doubled(office, [sound])) == (frozenset(), [])


@pytest.mark.parametrize("is_beside", shared_out([False, True], 2))
async def test_a_lost_call_of_another_run_in_front_makes_no_wait_behind_own_ones_shorter(
    monkeypatch: pytest.MonkeyPatch, *, is_beside: bool
) -> None:
    """Calls take four minutes, as answers have told, and all that are lost make nothing."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, sound, *heavy = numbers = orders(16)
    theirs = orders(1, 40)
    async with anyio.create_task_group() as server:
        faults = FaultPlan(refusals=dict.fromkeys([*heavy, *theirs], REFUSED))
        office = Office(sandbox(faults, **OPEN))
        erp = queueing(server, 250.0, 300.0, told=True, light=[light])
        throttle = steered(concurrency=1, chunk_size=1)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how["limits"] = replace(NO_HALT, max_attempts=2)

        async def many_at_once(_: Context) -> None:
            await anyio.sleep(300)
            throttle.fix(Key.CONCURRENCY, len(numbers))

        async def push_theirs() -> None:
            await anyio.sleep(257)
            await office.execute(SECOND, beside=killed_after(20.0), **how)

        await office.open_run(theirs, SECOND)
        await office.open_run(numbers)
        async with anyio.create_task_group() as tasks:
            if is_beside:
                tasks.start_soon(push_theirs)
            pushed = await office.execute(throttle=throttle, beside=many_at_once, **how)
    assert pushed.of(State.PUSHED) == {light, sound}
    assert not erp.twice


@pytest.mark.parametrize(("count", "each_s"), [(2, 560.0), (3, 280.0)])
async def test_a_window_begins_once_a_call_in_front_was_refused(
    monkeypatch: pytest.MonkeyPatch, count: int, each_s: float
) -> None:
    """The ERP was at work on it until then; of calls that leave together any may be in front."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy = orders(2), orders(count, 2)
    async with anyio.create_task_group() as server:
        faults = FaultPlan(refusals=dict.fromkeys(heavy, REFUSED))
        office = Office(sandbox(faults, **OPEN), answer_timeout_s=600.0)
        erp = queueing(server, each_s, 600.0, told=True, light=light)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how["throttle"] = steered(concurrency=count, chunk_size=1)
        how["limits"] = replace(NO_HALT, canary=True)
        await office.open_run([*light, *heavy])
        await office.execute(beside=killed_after(650.0), **how)
        pushed = await office.execute(**how)
    assert not erp.twice
    assert pushed.of(State.REJECTED) == set(heavy)


@pytest.mark.parametrize(("each_s", "killed_s"), [(400.0, 100.0), (590.0, 700.0)])
async def test_each_call_that_a_killed_execution_has_given_up_counts(
    monkeypatch: pytest.MonkeyPatch, each_s: float, killed_s: float
) -> None:
    """They went side by side as the ERP became slow, and make nothing that would tell of that."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, heavy = orders(2), orders(4, 2)
    async with anyio.create_task_group() as server:
        office = Office(sandbox(FaultPlan(refusals=dict.fromkeys(heavy, REFUSED)), **OPEN))
        erp = queueing(server, each_s, 60.0, told=True, light=light)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how["throttle"] = steered(concurrency=4, chunk_size=1)
        how["limits"] = replace(NO_HALT, canary=True)
        await office.open_run([*light, *heavy])
        await office.execute(beside=killed_after(killed_s), **how)
        await office.execute(**how)
    assert not erp.twice


@pytest.mark.parametrize("light_after_s", [3.0, 40.0, 80.0])
async def test_what_overtakes_hides_no_call_in_front_that_was_answered_late(
    monkeypatch: pytest.MonkeyPatch, light_after_s: float
) -> None:
    """Pushes wait for a lock, and what does not need it comes first: it tells nothing of these."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    front, lost, light = orders(3)
    office = Office(sandbox(**OPEN), answer_timeout_s=600.0)
    for number in (front, lost, light):
        await office.open_run([number], RunId(number))
    async with anyio.create_task_group() as server:

        class Overtaking(queueing(server, 560.0, 600.0, told=True)):  # type: ignore[misc]
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if _is_push(request) and _numbers_of(await request.aread()) == {light}:
                    return await SandboxTransport.handle_async_request(self, request)
                answer: httpx.Response = await super().handle_async_request(request)
                return answer

        how: dict[str, Any] = {"transport": Overtaking, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}

        async def push(number: str, after_s: float, killed_s: float = math.inf) -> None:
            await anyio.sleep(after_s)
            await office.execute(RunId(number), beside=killed_after(killed_s), **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, front, 0.0)
            tasks.start_soon(push, lost, 1.0, 20.0)
            tasks.start_soon(push, light, light_after_s)
            tasks.start_soon(push, lost, 30.0)
    assert (Overtaking.twice, doubled(office, [front, lost, light])) == (frozenset(), [])


@pytest.mark.parametrize("by_another_run", [False, True])
async def test_a_hasty_word_sends_nothing_while_the_call_waits_behind_another(
    monkeypatch: pytest.MonkeyPatch, *, by_another_run: bool
) -> None:
    """A person says that nothing was made, and the ERP comes to the call after its window."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    front, lost, proof = orders(3)
    office = Office(sandbox(**OPEN))
    await office.open_run([proof], RunId("proof"))
    await office.execute(RunId("proof"))
    async with anyio.create_task_group() as server:
        erp = queueing(server, 380.0, 60.0, told=True)
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}

        async def push(run: RunId, number: str, after_s: float, killed_s: float) -> None:
            await anyio.sleep(after_s)
            await office.open_run([number], run)
            await office.execute(run, beside=killed_after(killed_s), **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push, SECOND, front, 0.0, math.inf)
            await push(FIRST, lost, 10.0, 20.0)
            await anyio.sleep(30)
            async with office.store.own(FIRST):
                pass  # whoever comes finds the call of the killed one in doubt
            word = (FIRST, BillNumber(lost), State.PLANNED)
            await settle_by_word(office.store, VirtualClock(), *word, because="it is not there")
            if by_another_run:
                await push(RunId("r3"), lost, 0.0, math.inf)
            else:
                await office.execute(FIRST, **how)
    assert (erp.twice, doubled(office, [front, lost])) == (frozenset(), [])


async def _settle_in_haste(
    office: Office, light: Collection[str], lost: str, *, goes_on: RunId
) -> Any:
    """Have a run take a bill up that was planned by hand while its call waits behind others.

    The second run's calls are in front of it, on their way, and are given up later. Returns the
    server.
    """
    async with anyio.create_task_group() as server:
        erp = queueing(server, 400.0, 300.0, told=True, light=light)
        how: dict[str, Any] = {"transport": erp, "settle": SettleTimes(), "check": False}
        how["limits"] = replace(NO_HALT, canary=True)

        async def push_in_front() -> None:
            at_once = steered(concurrency=3, chunk_size=1)
            await office.execute(SECOND, throttle=at_once, **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push_in_front)
            await anyio.sleep(12)
            await office.execute(beside=killed_after(20.0), **how)
            async with office.store.own(FIRST):
                pass  # whoever comes finds the call of the killed one in doubt
            word = (FIRST, BillNumber(lost), State.PLANNED)
            await settle_by_word(office.store, VirtualClock(), *word, because="it is not there")
            await office.execute(goes_on, **how)
    return erp


async def test_a_hasty_word_sends_nothing_while_more_becomes_known_of_what_is_in_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Calls in front of the bill's were on their way as it was taken in, and given up since."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, front, (lost,) = orders(2), orders(3, 10), orders(1, 20)
    office = Office(sandbox(**OPEN))
    await office.open_run([*light, *front], SECOND)
    await office.open_run([lost])
    erp = await _settle_in_haste(office, light, lost, goes_on=FIRST)
    assert (erp.twice, doubled(office, [lost])) == (frozenset(), [])


async def test_what_nothing_ties_may_be_a_calls_also_where_more_becomes_known_of_those_in_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were on their way as another run first asked what the call waits for."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    light, front, (lost,) = orders(2), orders(3, 10), orders(1, 20)
    accounts = Accounts(session_idle_s=9000.0)  # the ERP comes to the call after half an hour
    office = Office(sandbox(untied=(lost,), accounts=accounts, **OPEN))
    await office.open_run(orders(3, 30), RunId("proof"))
    await office.execute(RunId("proof"), check=False)
    for numbers, run in (([*light, *front], SECOND), ([lost], FIRST), ([lost], RunId("r3"))):
        await office.open_run(numbers, run)
    erp = await _settle_in_haste(office, light, lost, goes_on=RunId("r3"))
    assert (erp.twice, doubled(office, [*front, lost])) == (frozenset(), [])
    assert len(office.site.world.documents_of(lost)) == 1


@pytest.mark.parametrize("by_another_run", [False, True])
@pytest.mark.parametrize("is_blind", [False, True])
@pytest.mark.parametrize("is_answered", [False, True])
async def test_a_word_given_while_a_call_waits_behind_another_covers_nothing_that_it_makes(
    monkeypatch: pytest.MonkeyPatch, *, is_answered: bool, is_blind: bool, by_another_run: bool
) -> None:
    """A person says it after the call's own window; nothing ties the document to its bill.

    An answer to a later call may have told since that the ERP is done with both.
    """
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
    front, lost, proof, quick = orders(4)
    office = Office(sandbox(untied=(lost,), link_fields=not is_blind, **OPEN))
    blind = replace(ROUTE, source_number_field="")
    await office.open_run([proof], RunId("proof"))
    await office.execute(RunId("proof"), check=False)
    async with anyio.create_task_group() as server:
        erp = queueing(server, 380.0, 60.0, told=True, light=[quick])
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}

        async def push(run: RunId, number: str, after_s: float, killed_s: float) -> None:
            await anyio.sleep(after_s)
            office.route = blind if is_blind and number == lost else ROUTE
            await office.open_run([number], run)
            await office.execute(run, beside=killed_after(killed_s), **how)

        async with anyio.create_task_group() as tasks:
            # Without a field, and with links that the site denies, the first look takes a while.
            tasks.start_soon(push, SECOND, front, 25.0 if is_blind else 0.0, math.inf)
            await push(FIRST, lost, 5.0, 80.0)
            (call,) = await office.store.attempts_of(BillNumber(lost))
            own_s = WINDOW_S + 20 - (VirtualClock().now() - call.attempt.intent.began_at).seconds
            await anyio.sleep(own_s)
            async with office.store.own(FIRST):
                pass  # whoever comes finds the call of the killed one in doubt
            word = (FIRST, BillNumber(lost), State.PLANNED)
            await settle_by_word(office.store, VirtualClock(), *word, because="it is not there")
            if is_answered:
                await push(RunId("quick"), quick, 240.0, math.inf)
            if by_another_run:
                await push(RunId("r3"), lost, 0.0, math.inf)
            else:
                await office.execute(FIRST, **how)
    assert (erp.twice, doubled(office, [front, lost])) == (frozenset(), [])
