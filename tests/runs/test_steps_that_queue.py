"""Submits and audits that take minutes, in one queue with the pushes, behind an impatient proxy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from k3push.core.model import State, Step
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator.sign_in import Logins
from tests.runs.office import ROUTE, Office, orders, sandbox, steered
from tests.runs.rough_answers import NO_HALT, OPEN, doubled
from tests.runs.test_calls_that_meet import killed_after
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio

FOLLOW = replace(ROUTE, follow=(Step.SUBMIT, Step.AUDIT), follow_wait_s=60)


def queueing_all(server: Any, audit_s: float, given_up_s: float) -> Any:
    """Return a server that works on one push, submit or audit at a time, whoever waits for it."""
    lock, takes_s = anyio.Lock(), {"Push": 5.0, "Submit": 1.0, "Audit": audit_s}

    class Queueing(SandboxTransport):
        audits = 0
        most_audits = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            operation = str(request.url).partition("DynamicFormService.")[2].partition(".")[0]
            if operation not in takes_s:
                return await super().handle_async_request(request)
            await request.aread()
            done, answers = anyio.Event(), list[httpx.Response]()

            async def work() -> None:
                Queueing.audits += operation == "Audit"
                Queueing.most_audits = max(Queueing.most_audits, Queueing.audits)
                async with lock:
                    await anyio.sleep(takes_s[operation])
                    answers.append(await super(Queueing, self).handle_async_request(request))
                Queueing.audits -= operation == "Audit"
                done.set()

            server.start_soon(work)
            with anyio.move_on_after(given_up_s):
                await done.wait()
                return answers[0]
            return httpx.Response(504, stream=httpx.ByteStream(b"<h1>504 Gateway Time-out</h1>"))

    return Queueing


@pytest.mark.parametrize(
    ("audit_s", "at_once", "killed_s"),
    [(350.0, 1, math.inf), (350.0, 4, math.inf), (590.0, 4, 400.0)],
)
async def test_pushes_wait_for_audits_of_minutes_in_front_of_them(
    monkeypatch: pytest.MonkeyPatch, audit_s: float, at_once: int, killed_s: float
) -> None:
    """Each audit was given up and the next one sent, and pushes outwaited their windows behind."""
    monkeypatch.setattr(Logins, "log_out", lambda *_: True)
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
