"""Live views: what is told as it changes, and how rarely the ledger is asked for it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

import anyio
import pytest
from trio.testing import wait_all_tasks_blocked

from k3push.core.control_words import Command
from k3push.core.model import Listed, Outcome, RunId, State
from k3push.core.progress_rate import ProgressRate
from k3push.ports import LedgerLostError
from k3push.runs.kept_in_ledger.request_stages import Request, RequestKind, Stage, put_request
from k3push.runs.retry import plan_rejected
from k3push.web.pages import live
from k3push.web.pages.live import LOOK_EVERY_S, SILENCE_S, Eye
from tests.adapters.ledger.samples import identified
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, RUN, filled, number
from tests.runs.office import VirtualClock
from tests.web.visits import ACCT, COOKIE, House, house, in_time, tenant

URL = f"/runs/{RUN.id}/events"


class Counted(MemoryLedger):
    """Counts the looks at a run, and can be lost."""

    def __init__(self) -> None:
        super().__init__(account=ACCT)
        self.looks: Counter[RunId] = Counter()
        self.lost = False

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count a look."""
        self.looks[run] += 1
        if self.lost:
            raise LedgerLostError("the disk is gone")
        return await super().counts(run)


@dataclass
class Viewer:
    """A browser that listens to a live view."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    silent: int = 0
    ended: bool = False
    gone: anyio.Event = field(default_factory=anyio.Event)

    async def view(self, home: House, cookie: str, path: str = URL) -> None:
        """Listen until either side goes."""

        async def receive() -> dict[str, Any]:
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                assert message["status"] == 200
                assert headers[b"content-type"].startswith(b"text/event-stream")
                # Or nginx holds back what is told until it has a few kilobytes.
                assert headers[b"x-accel-buffering"] == b"no"
                return
            for line in message["body"].decode().splitlines():
                if line.startswith("data: "):
                    self.heard.append(json.loads(line.removeprefix("data: ")))
                elif line == ": ":
                    self.silent += 1
            self.ended = not message["more_body"]

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8200),
        }
        await home.ready.app(scope, receive, send)


async def run_of(count: int) -> Counted:
    """Return a ledger with a run of planned numbers."""
    ledger = Counted()
    await ledger.open_run(RUN)
    listed = [Listed(line, number(line)) for line in range(count)]
    await ledger.add(RUN.id, listed)
    await ledger.identify(RUN.id, identified({each.number: each.number for each in listed}))
    return ledger


async def refuse(ledger: MemoryLedger, first: int, count: int) -> None:
    """Make some numbers rejected."""
    outcomes = [
        Outcome(number(line), State.REJECTED, (), "precheck")
        for line in range(first, first + count)
    ]
    await ledger.conclude(RUN.id, outcomes, at=NOON)


@asynccontextmanager
async def visited(ledger: MemoryLedger) -> AsyncIterator[tuple[House, str]]:
    """Open a dashboard, and a session in it."""
    async with house(tenant(ledger)) as home, home.signed_in() as browser:
        yield home, f"{COOKIE}={browser.cookies[COOKIE]}"


def test_what_changes_is_told_within_a_second_and_nothing_else_is() -> None:
    """Somebody watches a night's run on a telephone."""

    async def visit() -> None:
        ledger = await run_of(100)
        viewer = Viewer()
        async with (
            ledger.another_process().own(RUN.id),
            visited(ledger) as (home, cookie),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(viewer.view, home, cookie)
            await anyio.sleep(5.5 * LOOK_EVERY_S)
            assert len(viewer.heard) == 1
            assert "0 of 100 numbers done" in viewer.heard[0]["parts"]["standing"]
            await refuse(ledger, 0, 40)
            await anyio.sleep(LOOK_EVERY_S)
            told = viewer.heard[1]["parts"]["standing"]
            assert "40 of 100 numbers done" in told
            # Forty in the six seconds since it was first seen.
            assert "6.7/s" in told
            assert "0:00:01 to 0:00:11 left" in told
            viewer.gone.set()
        assert viewer.heard[-1]["state"] == "alive"

    in_time(visit)


def test_of_runs_that_are_looked_at_no_more_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of runs stays open for weeks, and each push of a program passes over it."""
    kept: WeakSet[ProgressRate] = WeakSet()

    class Kept(ProgressRate):
        def __init__(self, now_s: float, done: int) -> None:
            super().__init__(now_s, done)
            kept.add(self)

    monkeypatch.setattr(live, "ProgressRate", Kept)

    async def visit() -> None:
        ledger = MemoryLedger(account=ACCT)
        eye = Eye(ledger, VirtualClock())
        for nth in range(40):
            run = replace(RUN, id=RunId(f"r{nth}"))
            await ledger.open_run(run)
            async with ledger.another_process().own(run.id):
                await eye.look(run)
            await anyio.sleep(20)
        assert len(kept) < 20

    in_time(visit)


def test_numbers_that_are_planned_again_take_no_time_away() -> None:
    """A retry of a run that was cut off went at less than nothing a second, for minutes."""

    async def visit() -> None:
        refused = dict.fromkeys(range(10), ("11", "refused"))
        ledger = await filled(30, refused, ledger=MemoryLedger(account=ACCT))
        eye, clock = Eye(ledger, VirtualClock()), VirtualClock()
        other = ledger.another_process()
        async with other.own(RUN.id, executes=False):
            await eye.look(RUN)
            await plan_rejected(other, clock, RUN, lambda _: True)
            for nth in range(3):
                await anyio.sleep(1)
                seen = await eye.look(RUN)
                assert (seen.done, seen.rate < 0) == (20 + nth, False)
                assert seen.left_s is None or min(seen.left_s) > 0
                made = [Outcome(number(nth), State.ALREADY)]
                await other.conclude(RUN.id, made, at=NOON, note="")

    in_time(visit)


def test_a_hold_and_a_command_are_told() -> None:
    """A run that stands still has to say why."""

    async def visit() -> None:
        ledger = await run_of(3)
        other = ledger.another_process()
        viewer = Viewer()
        async with (
            other.own(RUN.id),
            visited(ledger) as (home, cookie),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(viewer.view, home, cookie)
            given = await ledger.command(RUN.id, Command.parse(["pause"]), at=NOON)
            await anyio.sleep(1.5 * LOOK_EVERY_S)
            assert "not obeyed yet" in viewer.heard[-1]["parts"]["orders"]
            await other.obeyed(given, at=NOON, on_their_way=0)
            await anyio.sleep(LOOK_EVERY_S)
            assert "Pause: obeyed at" in viewer.heard[-1]["parts"]["orders"]
            assert "paused by control since" in viewer.heard[-1]["parts"]["standing"]
            viewer.gone.set()

    in_time(visit)


def test_the_end_of_a_run_is_told_as_another_state() -> None:
    """Then the page is loaded again, with the verdict on it."""

    async def visit() -> None:
        ledger = await run_of(3)
        viewer = Viewer()
        async with visited(ledger) as (home, cookie), anyio.create_task_group() as tasks:
            async with ledger.another_process().own(RUN.id):
                tasks.start_soon(viewer.view, home, cookie)
                await anyio.sleep(1.5 * LOOK_EVERY_S)
            await ledger.end_run(RUN.id, 5, NOON)
            await anyio.sleep(LOOK_EVERY_S)
            assert [each["state"] for each in viewer.heard] == ["alive", "exit-5"]
            viewer.gone.set()

    in_time(visit)


@pytest.mark.parametrize("path", ["/", f"/runs/{RUN.id}"])
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    ("owned", "ended"), [(True, False), (False, False), (False, True), (True, True)]
)
def test_a_page_and_its_live_view_agree_on_how_things_stand(
    path: str, *, owned: bool, ended: bool, asked: bool
) -> None:
    """A browser that is told of another state than the page's loads it again, and again."""

    async def visit() -> None:
        ledger = await run_of(3)
        viewer = Viewer()
        async with AsyncExitStack() as stack:
            if owned:
                await stack.enter_async_context(ledger.another_process().own(RUN.id))
            if ended:
                await ledger.end_run(RUN.id, 3, NOON)
            if asked:
                resumed = Request(
                    "q1", RequestKind.RESUME, "wang", NOON, Stage.APPROVED, runs=[RUN.id]
                )
                await put_request(ledger, resumed)
            home = await stack.enter_async_context(house(tenant(ledger)))
            browser = await stack.enter_async_context(home.signed_in())
            text = (await browser.get(path)).text
            (state,) = re.findall(r'data-state="([^"]+)"', text)
            async with anyio.create_task_group() as tasks:
                cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
                tasks.start_soon(viewer.view, home, cookie, f"{path.rstrip('/')}/events")
                await anyio.sleep(1.5)
                assert {each["state"] for each in viewer.heard} == {state}
                viewer.gone.set()

    in_time(visit)


def test_however_many_watch_the_ledger_is_asked_once_a_second() -> None:
    """A whole department must not slow a run down; nor may nobody."""

    async def visit() -> None:
        ledger = await run_of(3)
        viewers = [Viewer() for _ in range(50)]
        async with visited(ledger) as (home, cookie), anyio.create_task_group() as tasks:
            await anyio.sleep(100)
            assert ledger.looks[RUN.id] == 0
            for viewer in viewers:
                tasks.start_soon(viewer.view, home, cookie)
            await anyio.sleep(9.5 * LOOK_EVERY_S)
            assert ledger.looks[RUN.id] == 10
            assert {len(viewer.heard) for viewer in viewers} == {1}
            for viewer in viewers:
                viewer.gone.set()
            await wait_all_tasks_blocked()
            await anyio.sleep(100)
            assert ledger.looks[RUN.id] == 10

    in_time(visit)


def test_a_silent_view_says_that_it_lives() -> None:
    """Proxies end connections on which nothing comes."""

    async def visit() -> None:
        ledger = await run_of(1)
        viewer = Viewer()
        async with visited(ledger) as (home, cookie), anyio.create_task_group() as tasks:
            tasks.start_soon(viewer.view, home, cookie)
            await anyio.sleep(3.5 * SILENCE_S)
            assert (len(viewer.heard), viewer.silent) == (1, 3)
            viewer.gone.set()

    in_time(visit)


def test_a_view_ends_with_the_dashboard_or_the_ledger() -> None:
    """A server that waits for its viewers would never stop; browsers come again by themselves."""

    async def visit() -> None:
        ledger = await run_of(1)
        first, second = Viewer(), Viewer()
        async with visited(ledger) as (home, cookie), anyio.create_task_group() as tasks:
            tasks.start_soon(first.view, home, cookie)
            await anyio.sleep(1.5)
            ledger.lost = True
            await anyio.sleep(1)
            assert first.ended
            failed = [facts["why"] for event, facts in home.logged if event == "look.failed"]
            assert failed == ["LedgerLostError('the disk is gone')"]
            ledger.lost = False
            tasks.start_soon(second.view, home, cookie)
            await anyio.sleep(1)
            assert (len(second.heard), second.ended) == (1, False)
            home.ready.close()
            await wait_all_tasks_blocked()
            assert second.ended

    in_time(visit)


def test_the_list_of_runs_lives_and_knows_a_new_run() -> None:
    """The page is loaded again when there is one more, or one has ended."""

    async def visit() -> None:
        ledger = await run_of(100)
        viewer = Viewer()
        async with (
            ledger.another_process().own(RUN.id),
            visited(ledger) as (home, cookie),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(viewer.view, home, cookie, "/events")
            await anyio.sleep(1.5)
            await refuse(ledger, 0, 40)
            await anyio.sleep(1)
            first, second = viewer.heard
            part = f"numbers-{RUN.id}"
            assert "planned 100" in first["parts"][part]
            assert "rejected 40" in second["parts"][part]
            assert first["state"] == second["state"]
            await ledger.open_run(replace(RUN, id=RunId("20260103-120000-new")))
            await anyio.sleep(1)
            assert viewer.heard[-1]["state"] != first["state"]
            viewer.gone.set()

    in_time(visit)
