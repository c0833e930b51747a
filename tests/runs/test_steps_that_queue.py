"""Submits and audits that take minutes, in one queue with the pushes, behind an impatient proxy."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from k3push.core.model import (
    RunId,
    State,
    Step,
)
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.simulator.sign_in import Logins
from tests.runs.office import FIRST, ROUTE, SECOND, Office, VirtualClock, orders, sandbox, steered
from tests.runs.rough_answers import NO_HALT, OPEN, doubled
from tests.runs.test_calls_that_meet import _numbers_of, killed_after
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _sessions_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no session be over by the time that the ERP comes to a call, which would hide it."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)


THIRD = RunId("20260728-220000-3rd")
FOLLOW = replace(ROUTE, follow=(Step.SUBMIT, Step.AUDIT), follow_wait_s=60)


def queueing_all(
    server: Any,
    audit_s: float,
    given_up_s: float,
    *,
    submit_s: float = 1.0,
    then_s: float = 5.0,
    heavy: Collection[str] = (),
    heavy_s: float = 0.0,
    told: bool = True,
) -> Any:
    """Return a server that works on one push, submit or audit at a time, whoever waits for it.

    Its attribute *twice* tells which bills have come while an earlier push of them was at work yet.

    Args:
        server: The task group in which it goes on with what its client has given up.
        audit_s: Seconds for each audit.
        given_up_s: After so long the proxy gives a call up.
        submit_s: Seconds for each submit.
        then_s: Seconds for each push after the first one.
        heavy: Bills whose pushes take *heavy_s*.
        heavy_s: Seconds for these.
        told: The proxy says so (HTTP 504), or breaks the connection.
    """
    lock, takes_s = anyio.Lock(), {"Push": 5.0, "Submit": submit_s, "Audit": audit_s}
    queued = set[str]()

    class Queueing(SandboxTransport):
        audits = 0
        most_audits = 0
        steps = 0
        most_steps = 0
        twice = frozenset[str]()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            operation = str(request.url).partition("DynamicFormService.")[2].partition(".")[0]
            if operation not in takes_s:
                return await super().handle_async_request(request)
            numbers = _numbers_of(await request.aread())
            is_heavy = not numbers.isdisjoint(heavy)
            done, answers = anyio.Event(), list[httpx.Response]()

            async def work() -> None:
                Queueing.audits += operation == "Audit"
                Queueing.steps += operation != "Push"
                Queueing.most_audits = max(Queueing.most_audits, Queueing.audits)
                Queueing.most_steps = max(Queueing.most_steps, Queueing.steps)
                pushed = numbers if operation == "Push" else set[str]()
                Queueing.twice |= queued & pushed
                queued.update(pushed)
                async with lock:
                    await anyio.sleep(heavy_s if is_heavy else takes_s[operation])
                    if operation == "Push":
                        takes_s["Push"] = then_s
                    answers.append(await super(Queueing, self).handle_async_request(request))
                queued.difference_update(pushed)
                Queueing.audits -= operation == "Audit"
                Queueing.steps -= operation != "Push"
                done.set()

            server.start_soon(work)
            with anyio.move_on_after(given_up_s):
                await done.wait()
                return answers[0]
            if not told:
                raise httpx.ReadError("the line broke")
            return httpx.Response(504, stream=httpx.ByteStream(b"<h1>504 Gateway Time-out</h1>"))

    return Queueing


@pytest.mark.parametrize(
    ("audit_s", "at_once", "killed_s"),
    [(350.0, 1, math.inf), (350.0, 4, math.inf), (590.0, 4, 400.0)],
)
async def test_pushes_wait_for_audits_of_minutes_in_front_of_them(
    audit_s: float, at_once: int, killed_s: float
) -> None:
    """Each audit was given up and the next one sent, and pushes outwaited their windows behind."""
    office, numbers = Office(sandbox(**OPEN), FOLLOW), orders(40)
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, audit_s, 60.0)
        how: dict[str, Any] = {
            "throttle": steered(concurrency=at_once, chunk_size=1),
            "transport": erp,
            "limits": replace(NO_HALT, canary=True),
            "settle": SettleTimes(),
            "check": False,
        }
        await office.execute(beside=killed_after(killed_s), **how)
        pushed = await office.execute(**how)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)
    assert erp.most_audits == 1


@pytest.mark.parametrize("audit_s", [450.0, 590.0])
async def test_pushes_wait_for_audits_that_other_runs_make(audit_s: float) -> None:
    """`k3push follow` approves what two nights have made, while the next list is pushed."""
    office, numbers = Office(sandbox(**OPEN)), orders(6, 20)
    how: dict[str, Any] = {"limits": NO_HALT, "settle": SettleTimes(), "check": False}
    how["throttle"] = steered(concurrency=2, chunk_size=1)
    nights = [FIRST, THIRD]
    for night, run in enumerate(nights):
        await office.open_run(orders(6, 6 * night), run)
        await office.execute(run, **how)
    await office.open_run(numbers, SECOND)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, audit_s, 60.0, then_s=200.0)
        async with anyio.create_task_group() as commands:
            for run in nights:
                follow = partial(office.execute, run, work=follow_run, route=FOLLOW, transport=erp)
                commands.start_soon(partial(follow, **how))
            await anyio.sleep(100)
            await office.execute(SECOND, transport=erp, **how)
    assert doubled(office, numbers) == []
    assert {row.state for row in (await office.rows(SECOND)).values()} == {State.PUSHED}


@pytest.mark.parametrize(("push_s", "step_s"), [(200.0, 540.0), (380.0, 350.0)])
async def test_a_step_waits_for_the_pushes_in_front_of_it(push_s: float, step_s: float) -> None:
    """It was sent once more into the queue after its own window, and so were the next pushes."""
    office, numbers = Office(sandbox(**OPEN), replace(FOLLOW, follow_wait_s=0)), orders(5)
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, step_s, 60.0, submit_s=step_s, then_s=push_s)
        await office.execute(
            throttle=steered(concurrency=2, chunk_size=2),
            transport=erp,
            limits=replace(NO_HALT, canary=True),
            settle=SettleTimes(),
            check=False,
        )
    assert doubled(office, numbers) == []
    assert erp.most_steps == 1


@pytest.mark.parametrize("given_up_s", [600.0, 60.0])
async def test_a_push_waits_for_an_audit_of_which_a_killed_execution_knew_when_it_ended(
    given_up_s: float,
) -> None:
    """The ERP has begun with the push then; the audit was answered, or a look has shown its end."""
    # The first of these is audited as the last one leaves.
    *_, heavy = numbers = orders(25)
    office = Office(sandbox(**OPEN), FOLLOW, answer_timeout_s=600.0)
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, 500.0, given_up_s, heavy=[heavy], heavy_s=400.0)
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}
        await office.execute(beside=killed_after(742.0), **how)
        await office.execute(**how)
    assert doubled(office, numbers) == []


async def test_a_push_waits_for_an_audit_of_another_run_in_front_of_it() -> None:
    """As of `k3push follow`, which takes documents on that were pushed long ago."""
    light, heavy, quick = orders(1), orders(2, 10), orders(1, 20)
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(light, FIRST)
    await office.open_run([*quick, *heavy], SECOND)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, 500.0, 60.0, heavy=heavy, heavy_s=400.0)
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}

        async def push() -> None:
            await anyio.sleep(125)  # the audit has left
            await office.execute(SECOND, route=replace(FOLLOW, follow=()), **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push)
            await office.execute(FIRST, **how)
    assert doubled(office, [*light, *quick, *heavy]) == []


@pytest.mark.parametrize("after_s", [40.0, 800.0])
async def test_pushes_wait_for_audits_of_another_run_whose_lines_broke_soon(after_s: float) -> None:
    """Each line breaks after twenty seconds, and the ERP goes on for minutes with each of them."""
    office, numbers = Office(sandbox(**OPEN)), orders(3, 20)
    how: dict[str, Any] = {"limits": NO_HALT, "settle": SettleTimes(), "check": False}
    how["throttle"] = steered(concurrency=2, chunk_size=1)
    await office.open_run(orders(10), FIRST)
    await office.execute(FIRST, **how)
    await office.open_run(numbers, SECOND)
    async with anyio.create_task_group() as server:
        how["transport"] = erp = queueing_all(server, 590.0, 20.0, told=False)
        async with anyio.create_task_group() as commands:
            follow = partial(office.execute, FIRST, work=follow_run, route=FOLLOW, **how)
            commands.start_soon(follow)
            await anyio.sleep(after_s)
            await office.execute(SECOND, **how)
    assert (erp.twice, doubled(office, numbers)) == (frozenset(), [])


async def test_few_steps_wait_in_the_erp_though_their_lines_break_soon() -> None:
    """Each was followed by the next one at once, and sent again before the ERP had come to it."""
    office, numbers = Office(sandbox(**OPEN), FOLLOW), orders(40)
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, 400.0, 20.0, told=False)
        await office.execute(
            throttle=steered(concurrency=1, chunk_size=1),
            transport=erp,
            limits=replace(NO_HALT, canary=True),
            settle=SettleTimes(),
            check=False,
        )
    assert (erp.twice, doubled(office, numbers)) == (frozenset(), [])
    assert erp.most_steps < 5


async def test_pushes_wait_as_long_as_documents_move_one_after_the_other() -> None:
    """Lines break soon, so that many submits have left before the document of one has moved."""
    office, numbers = Office(sandbox(**OPEN), FOLLOW), orders(2, 20)
    await office.open_run(orders(12), FIRST)
    await office.open_run(numbers, SECOND)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, 1.0, 20.0, submit_s=400.0, told=False)
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=4, chunk_size=1)}

        async def push() -> None:
            await anyio.sleep(2000)
            await office.execute(SECOND, route=replace(FOLLOW, follow=()), **how)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(push)
            await office.execute(FIRST, **how)
    assert erp.most_steps == 12
    assert (erp.twice, doubled(office, numbers)) == (frozenset(), [])


class SetBack(VirtualClock):
    """A clock that somebody sets back by an hour."""

    def now(self) -> datetime:
        """Return the time of day that it shows."""
        return super().now() - timedelta(hours=anyio.current_time() >= 128)


async def test_a_push_waits_for_an_audit_in_front_of_it_whatever_the_clock_says() -> None:
    """By the clock the audit left an hour after the push."""
    *_, heavy = numbers = orders(25)
    office = Office(sandbox(**OPEN), FOLLOW, answer_timeout_s=600.0)
    await office.open_run(numbers)
    async with anyio.create_task_group() as server:
        erp = queueing_all(server, 500.0, 60.0, heavy=[heavy], heavy_s=400.0)
        how: dict[str, Any] = {"transport": erp, "limits": NO_HALT, "check": False}
        how |= {"settle": SettleTimes(), "throttle": steered(concurrency=1, chunk_size=1)}
        await office.execute(clock=SetBack(), **how)
    assert doubled(office, numbers) == []
