"""Schedules without a fleet: the server begins what is due, and people plan, pause and continue."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from k3push.adapters.plan_file import Plan
from k3push.config.settings_file import read_settings
from k3push.core.control_words import Command, Verb
from k3push.core.model import FolderFile, Run, RunId, State
from k3push.core.pacing.holds import HoldCause
from k3push.core.remark import remark
from k3push.ports import Ledger, LedgerLostError, Memo
from k3push.runs.create import scope_of
from k3push.runs.kept_in_ledger.request_stages import (
    REQUEST,
    SELECTED,
    Act,
    Request,
    RequestKind,
    Stage,
    find_request,
    move,
    note_act,
    put_request,
    requests,
    tenant_of,
)
from k3push.runs.noted_waits import hold_of
from k3push.runs.outcome import Exit
from k3push.runs.push_requests import schedule_pushes
from k3push.runs.push_requests.schedule_entries import SCHEDULE, ScheduleEntry, entries, note
from k3push.runs.push_requests.schedule_pushes import schedule_of
from k3push.simulator import build
from k3push.simulator.fault_plans.script import Channel
from k3push.web.execution import served_schedules as timetable
from k3push.web.execution.lanes import LISTS_AT_ONCE, STILL_LOOKS_IN_QUEUE
from k3push.web.execution.resume_and_retry import HinderedError
from k3push.web.execution.served_schedules import BY_HAND, Timetable
from k3push.wiring import planning
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import RUN
from tests.runs.office import NOON, VirtualClock, orders, sandbox, server_time
from tests.web.shop import (
    BY_NAME,
    FOUR_EYES,
    NO_RECEIVERS,
    Shop,
    fields_of,
    press,
    send_list,
    signed_in,
)
from tests.web.test_pushes import played, text_of
from tests.web.visits import SPEAKERS, House, house, in_time, led, until

pytestmark = pytest.mark.halved

TENANT = "config"
MINUTELY = """
[schedules.inbox]
cron = "* * * * *"
jobs = "inbox"
time_zone = "UTC"
"""
MINUTE = timedelta(minutes=1)
SOON = NOON + timedelta(minutes=1)
YEARLY = """
[routes.po-instock.select]
max_count = 3

[schedules.nightly]
cron = "30 2 1 1 *"
jobs = "select"
"""


def drop(folder: Path, name: str, *numbers: str, into: str = "inbox") -> None:
    """Put a list into the folder that a schedule looks into, as old as it has to be."""
    (folder / into).mkdir(exist_ok=True)
    path = folder / into / name
    path.write_text("number\n" + "\n".join(numbers))
    os.utime(path, (0, 0))


def test_a_new_list_is_pushed_once_when_it_is_due(tmp_path: Path) -> None:
    """Nobody approves it, and no later look pushes it again."""
    shop = Shop(tmp_path, more=MINUTELY)
    drop(tmp_path, "a.csv", *orders(3))

    async def visit() -> None:
        async with shop.open():

            async def begun() -> bool:
                return bool(await requests(shop.ledger))

            await until(begun)
            asked = await shop.until("ended")
            assert (schedule_of(asked), asked.approved_by) == ("inbox", "schedule/inbox")
            assert await shop.counts(asked.runs[0]) == {State.PUSHED: 3}
            await anyio.sleep(300)
            assert len(await requests(shop.ledger)) == 1
        async with shop.open():  # the next server knows it as well
            await anyio.sleep(300)
            assert len(await requests(shop.ledger)) == 1
        assert {shop.documents(number) for number in orders(3)} == {1}

    in_time(visit)


def test_a_schedule_comes_and_goes_with_the_file_of_its_tenant(tmp_path: Path) -> None:
    """The server reads the file again; what is due by an older one is nobody's wish."""
    shop = Shop(tmp_path)
    drop(tmp_path, "a.csv", *orders(3))

    async def visit() -> None:
        tenant = shop.tenant()
        assert tenant.workshop is not None
        async with house(tenant, rules=BY_NAME, clock=VirtualClock()) as home:
            await anyio.sleep(300)
            assert not await requests(shop.ledger)
            config = tmp_path / "config.toml"
            text = await anyio.Path(config).read_text("utf-8")
            await anyio.Path(config).write_text(text + MINUTELY, "utf-8")
            tenant.workshop.take(read_settings(config, {}), NO_RECEIVERS)

            async def begun() -> bool:
                return bool(await requests(shop.ledger))

            await until(begun)
            await shop.until("ended")
            tenant.workshop.rest()
            drop(tmp_path, "b.csv", "CGDD0000007")
            await anyio.sleep(300)
            assert len(await requests(shop.ledger)) == 1
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


@pytest.mark.more
def test_the_page_tells_that_a_schedule_has_found_nothing_new(tmp_path: Path) -> None:
    """Else it looks as if nobody had looked."""
    shop = Shop(tmp_path, more=MINUTELY)
    (tmp_path / "inbox").mkdir()

    async def visit() -> None:
        async with shop.open() as home, signed_in(home, "wang") as wang:

            async def idle() -> bool:
                return "nothing new" in text_of(await wang.get("/schedules"))

            async def begun() -> bool:
                shown = text_of(await wang.get("/schedules"))
                asked = await requests(shop.ledger)
                return bool(asked) and asked[0].id in shown and "nothing new" not in shown

            await until(idle)
            drop(tmp_path, "a.csv", *orders(2))
            await until(begun)

    in_time(visit)


def test_a_new_file_whose_plan_waits_for_approval_is_told(tmp_path: Path) -> None:
    """The page said that there was nothing new; whoever presses is led to the plan."""
    shop, clock = Shop(tmp_path, more=MINUTELY), MovableClock()
    drop(tmp_path, "a.csv", *orders(2))
    table, ledger = table_of(shop, clock), shop.ledger

    async def look_later() -> ScheduleEntry:
        clock.time += MINUTE
        await table.look(ledger)
        return (await entries(ledger, TENANT))["inbox"]

    async def visit() -> None:
        (plan,) = await table.ask(ledger, "inbox", "now", by="wang", approved=False)
        await move(ledger, plan, Stage.PLANNED)
        entry = await look_later()
        assert entry.begun == (plan.id,)
        assert entry.idle is None
        assert "wait until their plans are approved" in SPEAKERS["en"].said(entry.why)
        for when, approved in (("later", False), (f"later{BY_HAND}", True)):
            asked = await table.ask(ledger, "inbox", when, by="li", approved=approved)
            assert [each.id for each in asked] == [plan.id]
        await ledger.open_run(replace(RUN, scope="sandbox|po|r"))
        await ledger.take(FolderFile(**plan.how["file"]), RUN.id)
        entry = await look_later()
        assert entry.idle == clock.time
        assert entry.why == ""

    in_time(visit)


class LostOnce(MemoryLedger):
    """Is away for a moment, when the second request is written down."""

    asked = 0

    async def remember(self, memo: Memo) -> Memo:
        """Count requests, and fail at the second one."""
        if memo.kind == REQUEST:
            self.asked += 1
            if self.asked == 2:
                raise LedgerLostError("away")
        return await super().remember(memo)


def test_a_list_that_was_not_asked_for_when_the_ledger_was_lost_is_pushed_too(
    tmp_path: Path,
) -> None:
    """The first of two lists stands in the ledger; the second must not pass for it."""
    shop = Shop(tmp_path, more=MINUTELY.replace("* * * * *", f"{SOON:%M %H} 2 1 *"))  # once
    shop.ledger = LostOnce(account="sandbox")
    drop(tmp_path, "a.csv", *orders(2))
    drop(tmp_path, "b.csv", *orders(4)[2:])

    async def visit() -> None:
        async with shop.open():

            async def ended() -> bool:
                found = await requests(shop.ledger)
                return len(found) == 2 and all(each.stage is Stage.ENDED for each in found)

            await until(ended)
        assert {shop.documents(number) for number in orders(4)} == {1}

    in_time(visit)


def test_a_paused_schedule_begins_nothing_and_makes_nothing_up(tmp_path: Path) -> None:
    """Whoever lets it go on does not start the pushes of a week."""
    shop = Shop(tmp_path, more=MINUTELY)
    drop(tmp_path, "a.csv", *orders(2))

    async def visit() -> None:
        await note(shop.ledger, TENANT, "inbox", NOON, paused=True, by="li", since=NOON)
        async with shop.open() as home, signed_in(home, "wang") as wang:
            await anyio.sleep(600)
            assert await requests(shop.ledger) == []
            assert 'href="/schedules"' in (await wang.get("/")).text
            shown = text_of(await wang.get("/schedules"))
            assert "paused since" in shown
            assert "by li" in shown
            await press(wang, "/schedules", "/schedules/inbox/continue")

            async def begun() -> bool:
                return bool(await requests(shop.ledger))

            await until(begun)
            asked = await shop.until("ended")
            # Not by a time that was due while it was paused.
            assert asked.id > f"{NOON + timedelta(minutes=10):%Y%m%d-%H%M%S}"
            await press(wang, "/schedules", "/schedules/inbox/pause")
            entry = (await entries(shop.ledger, TENANT))["inbox"]
            assert (entry.paused, entry.by) == (True, "wang")

    in_time(visit)


@pytest.mark.parametrize("parts", [False, True])
def test_tenants_of_one_ledger_may_call_their_schedules_by_one_name(
    tmp_path: Path, *, parts: bool
) -> None:
    """Both are due at the same minute, and each has lists of its own."""
    due, clock = MINUTELY.replace('"inbox"', '"inbox/a.csv"'), MovableClock()
    shop = Shop(tmp_path, more=due)
    if parts:
        in_parts(shop)
    text = (tmp_path / "config.toml").read_text("utf-8").replace("inbox/a.csv", "other/b.csv")
    (tmp_path / "second.toml").write_text(text, "utf-8")
    mine = table_of(shop, clock)
    theirs = replace(mine, settings=read_settings(tmp_path / "second.toml", {}))
    drop(tmp_path, "a.csv", *orders(2))
    drop(tmp_path, "b.csv", *orders(3), into="other")

    async def visit() -> None:
        mine.owe_nothing()
        theirs.owe_nothing()
        clock.time += MINUTE
        for table in (mine, theirs):
            await table.look(shop.ledger)
        asked = {tenant_of(each): Path(each.jobs[0]).name for each in await requests(shop.ledger)}
        assert asked == {"config": "a.csv", "second": "b.csv"}
        await note(shop.ledger, "second", "inbox", clock.time, paused=True)
        known = (await entries(shop.ledger, TENANT))["inbox"]
        assert (known.last, known.paused) == (clock.time, False)

    in_time(visit)


@pytest.mark.parametrize("parts", [False, True])
def test_run_now_begins_beside_a_push_of_another_tenant(tmp_path: Path, *, parts: bool) -> None:
    """That may push other bills; it counts where a bill may be pushed in parts."""
    shop, clock = Shop(tmp_path, more=YEARLY), VirtualClock()
    if parts:
        in_parts(shop)
    (tmp_path / "second.toml").write_text((tmp_path / "config.toml").read_text("utf-8"), "utf-8")
    mine = table_of(shop, clock)
    theirs = replace(mine, settings=read_settings(tmp_path / "second.toml", {}))

    async def visit() -> None:
        asked = [
            await table.ask(shop.ledger, "nightly", f"{nth}-run", by="li", approved=True)
            for nth, table in enumerate((mine, theirs))
        ]
        assert [tenant_of(each) for (each,) in asked] == ["config", "config" if parts else "second"]

    in_time(visit)


def test_who_runs_a_schedule_now_beside_a_tenant_that_is_hidden_is_led_to_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is begun where bills may be pushed in parts; the page of that plan is not theirs."""
    shop = in_parts(Shop(tmp_path, more=YEARLY, beside=[TENANT, "second"]))
    (tmp_path / "second.toml").write_text((tmp_path / "config.toml").read_text("utf-8"), "utf-8")
    mine = table_of(shop, VirtualClock())
    theirs = replace(mine, settings=read_settings(tmp_path / "second.toml", {}))
    looked: list[RunId] = []

    async def look(run: RunId) -> Run | None:
        looked.append(run)
        return await MemoryLedger.run(shop.ledger, run)

    async def visit() -> None:
        (asked,) = await theirs.ask(shop.ledger, "nightly", "1-run", by="wang", approved=True)
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            answer = await press(li, "/schedules", "/schedules/nightly/run")
            page = await led(li, answer)
            assert page.url.path == "/schedules"
            assert "the push before is still under way" in text_of(page)
            await shop.ledger.open_run(replace(RUN, scope="sandbox|PO|r", whole=False))
            runs = (RUN.id, *(RunId(f"later-{nth}") for nth in range(9)))
            await move(shop.ledger, asked, Stage.PLANNED, runs=runs)
            monkeypatch.setattr(shop.ledger, "run", look)
            answer = await press(li, "/schedules", "/schedules/nightly/run")
            assert answer.headers["location"] == f"/runs/{RUN.id}"
            assert looked.count(runs[-1]) < looked.count(runs[0])

    in_time(visit)


def test_what_was_paused_by_its_name_alone_is_paused_still(tmp_path: Path) -> None:
    """An earlier version has kept it so."""
    shop, clock = Shop(tmp_path, more=MINUTELY), MovableClock()
    drop(tmp_path, "a.csv", *orders(2))
    table = table_of(shop, clock)

    async def visit() -> None:
        early = Memo(SCHEDULE, "inbox", NOON, {"paused": True, "by": "li"})
        await shop.ledger.remember(early)
        for _ in range(3):
            clock.time += MINUTE
            await table.look(shop.ledger)
        assert await requests(shop.ledger) == []
        await note(shop.ledger, TENANT, "inbox", clock.time, since=clock.time)
        assert (await entries(shop.ledger, TENANT))["inbox"].by == "li"
        await note(shop.ledger, TENANT, "inbox", clock.time, paused=False)
        clock.time += MINUTE
        await table.look(shop.ledger)
        assert len(await requests(shop.ledger)) == 1

    in_time(visit)


def test_a_push_that_is_planned_now_waits_for_somebody_else(tmp_path: Path) -> None:
    """A schedule is no way around four eyes."""
    shop = Shop(tmp_path, more=YEARLY)

    async def visit() -> None:
        async with shop.open(FOUR_EYES) as home, signed_in(home, "wang") as wang:
            shown = text_of(await wang.get("/schedules"))
            assert "what the route selects" in shown
            assert "not yet" in shown
            answer = await press(wang, "/schedules", "/schedules/nightly/plan")
            asked = await shop.until("planned")
            assert answer.headers["location"] == f"/plans/{asked.id}"
            await anyio.sleep(600)
            assert (await shop.asked()).stage == Stage.PLANNED
            page = text_of(await wang.get(f"/plans/{asked.id}"))
            assert "3 ready" in page
            assert "Somebody other than wang" in page
            assert "/schedules/nightly/run" not in (await wang.get("/schedules")).text
            refused = await press(wang, "/schedules", "/schedules/nightly/run")
            assert "Somebody else has to approve it" in (await led(wang, refused)).text
            assert shop.site.calls[Channel.PUSH] == 0

    in_time(visit)


def test_who_presses_twice_runs_a_schedule_once(tmp_path: Path) -> None:
    """Where bills may be pushed in parts, a second run would push them again."""
    shop = Shop(tmp_path, more=YEARLY)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            page = await li.get("/schedules")
            form = fields_of(page)
            led = {
                (await li.post("/schedules/nightly/run", data=form)).headers["location"]
                for _ in range(2)
            }
            other = await press(li, "/schedules", "/schedules/nightly/run")
            assert {other.headers["location"]} == led
            await shop.until("ended")
            assert len(await requests(shop.ledger)) == 1

    in_time(visit)


PARTS = """
[routes.po-instock.select]
max_count = 3

[schedules.one]
cron = "30 2 1 1 *"
jobs = {jobs}
"""


@pytest.mark.parametrize("jobs", ['"select"', '["list.csv"]'])
def test_two_who_run_a_schedule_at_one_moment_run_it_once(
    tmp_path: Path, jobs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a page of their own, and neither sees what the other does."""
    shop = Shop(tmp_path, more=PARTS.format(jobs=jobs))
    # The virtual time runs away by hours while a thread works.
    monkeypatch.setattr(schedule_pushes, "BEGINS_WITHIN", timedelta(days=1000))
    monkeypatch.setattr(schedule_pushes, "LASTS", timedelta(days=1000))
    (tmp_path / "list.csv").write_text("CGDD0000001", "utf-8")

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            forms = [fields_of(await li.get("/schedules")) for _ in range(4)]
            led_to = set[str]()

            async def press_it(form: dict[str, str]) -> None:
                answer = await li.post("/schedules/one/run", data=form)
                led_to.add(answer.headers["location"])

            async with anyio.create_task_group() as tasks:
                for form in forms:
                    tasks.start_soon(press_it, form)
            (asked,) = await requests(shop.ledger)
            assert led_to == {f"/plans/{asked.id}"}
            # While it goes on, one more press leads to it; later it is another push.
            await press_it(fields_of(await li.get("/schedules")))
            assert len(await requests(shop.ledger)) == 1
            await shop.until("ended")
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await press(li, "/schedules", "/schedules/one/run")
            assert len(await requests(shop.ledger)) == 2

    in_time(visit)


def test_what_is_due_while_a_push_of_the_schedule_goes_on_is_that_push(tmp_path: Path) -> None:
    """A person has begun it a moment before; bills that may be pushed in parts would go twice."""
    soon = YEARLY.replace("30 2 1 1 *", f"{SOON:%M %H} 2 1 *") + 'time_zone = "UTC"\n'
    shop = in_parts(Shop(tmp_path, more=soon, site=build(sandbox(latency_s=1.0))))

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await anyio.sleep((SOON - NOON).total_seconds() - 3)
            answer = await press(li, "/schedules", "/schedules/nightly/run")

            async def is_told() -> bool:
                return (await entries(shop.ledger, TENANT))["nightly"].last is not None

            await until(is_told, every_s=1)
            (asked,) = await requests(shop.ledger)
            assert answer.headers["location"] == f"/plans/{asked.id}"
            page = text_of(await li.get("/schedules"))
            assert "the push before is still under way" in page
            assert asked.id in page

    in_time(visit)


def soon_in_parts(tmp_path: Path) -> tuple[Shop, MovableClock, Timetable, str]:
    """Return a shop whose schedule is due soon, its clock, its schedules and their scope."""
    soon = YEARLY.replace("30 2 1 1 *", f"{SOON:%M %H} 2 1 *") + 'time_zone = "UTC"\n'
    shop, clock = in_parts(Shop(tmp_path, more=soon)), MovableClock()
    table = table_of(shop, clock)
    (route,) = table.settings.routes
    return shop, clock, table, scope_of("sandbox", table.settings.route(route))


async def put_push_that_ended(
    shop: Shop, clock: MovableClock, table: Timetable, scope: str, ended: datetime
) -> None:
    """Let a person have begun what the schedule pushes, and let it have sent until then."""
    turn = f"120050{BY_HAND}"
    (asked,) = await table.ask(shop.ledger, "nightly", turn, by="li", approved=True)
    run = replace(RUN, scope=scope, jobs=(SELECTED,), started_at=clock.time)
    await shop.ledger.open_run(run)
    await shop.ledger.end_run(run.id, 0, ended)
    planned = await move(shop.ledger, asked, Stage.PLANNED, runs=[run.id])
    approved = await move(shop.ledger, planned, Stage.APPROVED)
    await move(shop.ledger, approved, Stage.ENDED)


@pytest.mark.parametrize(("ended_s", "others", "pushes"), [(5, 0, 1), (5, 200, 1), (-5, 0, 2)])
def test_a_push_that_ended_between_its_time_and_the_look_is_what_was_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_s: int, others: int, pushes: int
) -> None:
    """The server looks every twenty seconds, and a short push is over by then."""
    shop, clock, table, scope = soon_in_parts(tmp_path)
    over = SOON + timedelta(seconds=ended_s)

    async def spans(_: MemoryLedger, __: RunId) -> list[tuple[datetime, datetime]]:
        return [(over - timedelta(seconds=9), over)]

    async def visit() -> None:
        clock.time = SOON - timedelta(seconds=10)
        await put_push_that_ended(shop, clock, table, scope, over)
        for nth in range(others):  # programs ask for others meanwhile
            at = clock.time + nth * timedelta(milliseconds=1)
            other = Request(f"{nth:032x}", RequestKind.PUSH, by="api/wms", at=at, stage=Stage.ENDED)
            await put_request(shop.ledger, other)
        monkeypatch.setattr(MemoryLedger, "spans", spans)
        clock.time = SOON + timedelta(seconds=19)
        await table.look(shop.ledger)
        assert len(await requests(shop.ledger)) == pushes + others

    in_time(visit)


def test_a_follow_that_ended_since_its_time_is_not_what_was_due(tmp_path: Path) -> None:
    """Yesterday's push has sent all; only its documents were looked at."""
    shop, clock, table, scope = soon_in_parts(tmp_path)

    async def visit() -> None:
        clock.time = SOON - timedelta(days=1)
        await put_push_that_ended(shop, clock, table, scope, SOON + timedelta(seconds=5))
        clock.time = SOON + timedelta(seconds=19)
        await table.look(shop.ledger)
        assert len(await requests(shop.ledger)) == 2

    in_time(visit)


@pytest.mark.parametrize("how", ["paused", "no look", "changed"])
def test_what_was_put_off_is_not_begun_half_a_day_later(tmp_path: Path, how: str) -> None:
    """Another run had the bills; the schedule was paused or changed since, or nobody looked."""
    shop, clock, table, scope = soon_in_parts(tmp_path)

    async def visit() -> None:
        run = replace(RUN, scope=scope, jobs=(SELECTED,), started_at=NOON)
        await shop.ledger.open_run(run)
        await table.look(shop.ledger)
        async with shop.ledger.another_process().own(run.id):
            clock.time = SOON + timedelta(seconds=10)
            await table.look(shop.ledger)
        if how == "paused":
            for paused in (True, False):
                at = clock.time
                await note(shop.ledger, TENANT, "nightly", at, paused=paused, by="li", since=at)
                await table.look(shop.ledger)
        elif how == "changed":
            later = table.schedules["nightly"].model_copy(update={"cron": "0 3 1 7 *"})
            table.take(table.settings.model_copy(update={"schedules": {"nightly": later}}))
        else:
            clock.time += timedelta(hours=14)
        await table.look(shop.ledger)
        assert await requests(shop.ledger) == []

    in_time(visit)


@pytest.mark.parametrize("count", [1, 2])
def test_schedules_that_name_one_list_begin_one_push(tmp_path: Path, count: int) -> None:
    """Where bills may be pushed in parts, each would make documents."""
    due = 'cron = "* * * * *"\njobs = "list.csv"\ntime_zone = "UTC"\n'
    more = "".join(f"\n[schedules.{name}]\n{due}" for name in "ab"[:count])
    shop, clock = in_parts(Shop(tmp_path, more=more)), MovableClock()
    table = table_of(shop, clock)
    (tmp_path / "list.csv").write_text("CGDD0000001", "utf-8")

    async def visit() -> None:
        await look(table, shop)
        clock.time = SOON + timedelta(seconds=5)
        await table.look(shop.ledger)
        assert len(await requests(shop.ledger, only_open=True)) == 1

    in_time(visit)


def test_a_plan_of_a_file_that_another_run_has_taken_since_is_not_begun(tmp_path: Path) -> None:
    """Somebody has run the folder at a terminal while the plan waited for approval."""
    rare = MINUTELY.replace("* * * * *", "30 2 1 1 *")
    shop = in_parts(Shop(tmp_path, more=rare))
    drop(tmp_path, "a.csv", *orders(2))

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await press(li, "/schedules", "/schedules/inbox/plan")
            plan = await shop.until("planned")
            table = table_of(shop, MovableClock())
            (route,) = table.settings.routes
            scope = scope_of("sandbox", table.settings.route(route))
            await shop.ledger.open_run(replace(RUN, scope=scope, started_at=NOON))
            await shop.ledger.take(FolderFile(**plan.how["file"]), RUN.id)
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")

            async def is_over() -> bool:
                found = await find_request(shop.ledger, plan.id)
                return found is not None and found.stage is Stage.FAILED

            await until(is_over)
        assert shop.site.calls[Channel.PUSH] == 0
        found = await find_request(shop.ledger, plan.id)
        assert found is not None
        assert "error.file_taken" in found.why

    in_time(visit)


@pytest.mark.parametrize("dies", [False, True])
def test_of_two_plans_of_one_file_at_one_moment_the_second_is_brought_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    """Its run waited in the ledger for ever; and a server that died went on with it."""
    shop = in_parts(Shop(tmp_path, more=MINUTELY.replace("* * * * *", "30 2 1 1 *")))
    drop(tmp_path, "a.csv", *orders(2))

    async def taken_meanwhile(ledger: Ledger, plan: Plan, *facts: Any, **more: Any) -> list[Run]:
        runs = await planning.take_up(ledger, plan, *facts, **more)
        await ledger.open_run(replace(runs[0], id=RunId("other"), group=""))
        (asked,) = await requests(ledger)
        await ledger.take(FolderFile(**asked.how["file"]), RunId("other"))
        if dies:
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        return runs

    monkeypatch.setattr("k3push.web.execution.request_runs.take_up", taken_meanwhile)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await press(li, "/schedules", "/schedules/inbox/plan")
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            if not dies:
                await shop.until("failed")
            await anyio.sleep(60)
        async with shop.open(BY_NAME):
            failed = await shop.until("failed")
        assert "error.file_taken" in failed.why
        assert await shop.counts(plan.runs[0]) == {State.REJECTED: 2}
        run = await shop.ledger.run(plan.runs[0])
        assert run is not None
        assert run.exit == Exit.SOME_REJECTED
        assert shop.site.calls[Channel.PUSH] == 0

    in_time(visit)


def slow_shop(folder: Path) -> Shop:
    """Return a shop whose pushes take a while, one by one."""
    shop = Shop(folder, site=build(sandbox(latency_s=2.0)))
    file = folder / "config.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("[run]\n", "[run]\nchunk_size = 2\nconcurrency = 1\n"), "utf-8")
    return shop


async def under_way(shop: Shop, person: httpx.AsyncClient) -> RunId:
    """Push a list until something has left; return its run."""
    url = (await send_list(person, "\n".join(orders(12)))).headers["location"]
    await shop.until("planned")
    await press(person, url, f"{url}/approve")

    async def has_sent() -> bool:
        return bool(shop.site.calls[Channel.PUSH])

    await until(has_sent)
    return RunId((await shop.asked()).runs[0])


def test_what_a_person_has_stopped_stays_so_though_the_server_ends(tmp_path: Path) -> None:
    """It is told to end before the open call has ended; the next server does not go on."""
    shop = slow_shop(tmp_path)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            run = await under_way(shop, li)
            await press(li, f"/runs/{run}", f"/runs/{run}/control", words="stop")
        assert (await shop.asked()).stage is Stage.ENDED, "nobody has to wait for a next server"
        before = shop.site.calls[Channel.PUSH]
        async with shop.open(BY_NAME):
            await anyio.sleep(600)
        assert shop.site.calls[Channel.PUSH] == before

    in_time(visit)


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_a_person_has_stopped_stays_so_though_the_server_is_killed(
    tmp_path: Path, *, goes_on: bool
) -> None:
    """The stop stands beside the run, whose end nobody wrote down; a person may go on with it."""
    shop = slow_shop(tmp_path)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            run = await under_way(shop, li)
            await shop.ledger.command(run, Command(Verb.STOP), at=VirtualClock().now())
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        before = shop.site.calls[Channel.PUSH]
        if goes_on:
            at = VirtualClock().now() + MINUTE
            await note_act(shop.ledger, Act(at, run, "li", "resume"))
        async with shop.open(BY_NAME):
            await shop.until("ended")
        counts = await shop.counts(run)
        assert (shop.site.calls[Channel.PUSH] > before) is goes_on
        assert counts.get(State.PLANNED, 0) == 0 if goes_on else counts[State.PLANNED]
        assert {shop.documents(number) for number in orders(12)} <= {0, 1}

    in_time(visit)


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("deaths", [["behind"], ["before", "behind"]], ids="-".join)
def test_what_a_person_has_stopped_stays_so_though_the_server_is_killed_behind_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: list[str], *, goes_on: bool
) -> None:
    """Its end was written down, and what was asked for was open yet: the next one went on."""
    shop, end_run, left = slow_shop(tmp_path), MemoryLedger.end_run, [*deaths]

    async def killed(ledger: MemoryLedger, run: RunId, exit_code: int, at: datetime) -> None:
        death = left.pop(0) if left else ""
        if death != "before":
            await end_run(ledger, run, exit_code, at)
        if death:
            shop.ledger = ledger.another_process()
            ledger.die()

    monkeypatch.setattr(MemoryLedger, "end_run", killed)

    async def has_died(still: int) -> bool:
        return len(left) == still

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            run = await under_way(shop, li)
            await press(li, f"/runs/{run}", f"/runs/{run}/control", words="stop")
            await until(lambda: has_died(len(deaths) - 1))
        before = shop.site.calls[Channel.PUSH]
        while left:
            async with shop.open(BY_NAME):
                await until(lambda: has_died(0))
        if goes_on:
            at = VirtualClock().now() + MINUTE
            await note_act(shop.ledger, Act(at, run, "li", "resume"))
        async with shop.open(BY_NAME):
            await shop.until("ended")
        assert (shop.site.calls[Channel.PUSH] > before) is goes_on

    in_time(visit)


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_a_person_has_stopped_once_more_stays_so_though_the_server_is_killed_behind_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, goes_on: bool
) -> None:
    """It was resumed before, and that was open yet: the next server went on with it."""
    shop, end_run, left = slow_shop(tmp_path), MemoryLedger.end_run, [False, True]

    async def killed(ledger: MemoryLedger, run: RunId, exit_code: int, at: datetime) -> None:
        await end_run(ledger, run, exit_code, at)
        if left and left.pop(0):
            shop.ledger = ledger.another_process()
            ledger.die()

    monkeypatch.setattr(MemoryLedger, "end_run", killed)

    async def has_died() -> bool:
        return not left

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            run = await under_way(shop, li)
            await press(li, f"/runs/{run}", f"/runs/{run}/control", words="stop")
            await shop.until("ended")
            before = shop.site.calls[Channel.PUSH]
            await press(li, f"/runs/{run}", f"/runs/{run}/resume")

            async def has_gone_on() -> bool:
                return shop.site.calls[Channel.PUSH] > before

            await until(has_gone_on)
            await press(li, f"/runs/{run}", f"/runs/{run}/control", words="stop")
            await until(has_died)
        before = shop.site.calls[Channel.PUSH]
        if goes_on:
            at = VirtualClock().now() + MINUTE
            await note_act(shop.ledger, Act(at, run, "li", "resume"))
        async with shop.open(BY_NAME):
            await until(has_ended)
        assert has_gone_on_since(before) is goes_on

    async def has_ended() -> bool:
        return all(each.stage is Stage.ENDED for each in await requests(shop.ledger))

    def has_gone_on_since(before: int) -> bool:
        return shop.site.calls[Channel.PUSH] > before

    in_time(visit)


def test_who_presses_as_the_push_of_a_first_press_is_written_down_is_led_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when the second looked what is under way, and is there a moment later."""
    shop, clock = in_parts(Shop(tmp_path, more=YEARLY)), MovableClock()
    table = table_of(shop, clock)
    find, first = find_request, iter([True])

    async def found(ledger: Ledger, id_: str) -> Request | None:
        if next(first, False):
            await table.ask(ledger, "nightly", f"1{BY_HAND}", by="wang", approved=True)
        return await find(ledger, id_)

    async def visit() -> None:
        await note(shop.ledger, TENANT, "nightly", NOON, turn=f"0{BY_HAND}", turn_at=NOON)
        monkeypatch.setattr(timetable, "find_request", found)
        led = await table.ask(shop.ledger, "nightly", f"2{BY_HAND}", by="li", approved=True)
        assert [each.id for each in led] == [each.id for each in await requests(shop.ledger)]

    in_time(visit)


@pytest.mark.parametrize("minutes", [30, 70])
def test_what_is_due_while_another_run_selects_is_begun_after_it(
    tmp_path: Path, minutes: int
) -> None:
    """A trial of one bill at that time costs no week; what was due an hour ago is past."""
    shop, clock, table, scope = soon_in_parts(tmp_path)

    async def visit() -> None:
        run = replace(RUN, scope=scope, jobs=(SELECTED,), started_at=NOON)
        await shop.ledger.open_run(run)
        await table.look(shop.ledger)
        async with shop.ledger.another_process().own(run.id):
            for minute in range(2, minutes):
                clock.time = NOON + minute * MINUTE
                await table.look(shop.ledger)
            assert await requests(shop.ledger) == []
            assert run.id in (await entries(shop.ledger, TENANT))["nightly"].why
        clock.time += MINUTE
        await table.look(shop.ledger)
        assert len(await requests(shop.ledger)) == (1 if minutes < 60 else 0)

    in_time(visit)


def test_a_push_of_a_new_file_that_has_failed_hides_no_other(tmp_path: Path) -> None:
    """The ERP was down; a moment later a person presses again, and then its time has come."""
    shop, clock = Shop(tmp_path, more=MINUTELY), MovableClock()
    table = table_of(shop, clock)
    drop(tmp_path, "a.csv", *orders(1))

    async def visit() -> None:
        seen = set[str]()
        for nth in ("a", "b"):
            (asked,) = await table.ask(
                shop.ledger, "inbox", f"{nth}{BY_HAND}", by="li", approved=True
            )
            assert asked.is_open
            seen.add(asked.id)
            await move(shop.ledger, asked, Stage.FAILED)
            clock.time += timedelta(seconds=10)
        clock.time += timedelta(seconds=45)
        await table.look(shop.ledger)
        (due,) = await requests(shop.ledger, only_open=True)
        entry = (await entries(shop.ledger, TENANT))["inbox"]
        assert (entry.begun, entry.why) == ((due.id,), "")
        assert len(seen | {due.id}) == 3

    in_time(visit)


def test_run_now_leads_to_a_plan_of_the_schedule_that_is_carried_out(tmp_path: Path) -> None:
    """It was approved a moment ago; one that waits for approval is none of it."""
    shop = Shop(tmp_path, more=YEARLY, site=build(sandbox(latency_s=1.0)))

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await press(li, "/schedules", "/schedules/nightly/plan")
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            answer = await press(li, "/schedules", "/schedules/nightly/run")
            assert answer.headers["location"] == f"/plans/{plan.id}"
            assert len(await requests(shop.ledger)) == 1

    in_time(visit)


def test_run_now_is_left_to_a_worker_that_pushes_what_the_route_selects(tmp_path: Path) -> None:
    """Workers of a fleet keep books of their own on what they have begun."""
    shop, clock = in_parts(Shop(tmp_path, more=YEARLY)), VirtualClock()
    table = table_of(shop, clock)
    fleets = table.settings.ledger.model_copy(update={"url": "postgresql:///fleet"})
    table.settings = table.settings.model_copy(update={"ledger": fleets})
    (route,) = table.settings.routes

    async def visit() -> None:
        scope = scope_of("sandbox", table.settings.route(route))
        run = replace(RUN, scope=scope, jobs=(SELECTED,), started_at=clock.now())
        await shop.ledger.open_run(run)
        async with shop.ledger.another_process().own(run.id):
            with pytest.raises(HinderedError, match=run.id):
                await table.ask(shop.ledger, "nightly", "now-run", by="li", approved=True)
        assert await requests(shop.ledger) == []
        await table.ask(shop.ledger, "nightly", "now-run", by="li", approved=True)
        assert len(await requests(shop.ledger)) == 1

    in_time(visit)


@pytest.mark.parametrize("jobs", ["inbox", "select"])
def test_a_schedule_tries_a_login_that_was_refused_no_more(tmp_path: Path, jobs: str) -> None:
    """It was tried each time that it was due, and five wrong logins lock the account (P 2.4).

    Nor is a push left each time that fails unsent.
    """
    more = f"[routes.po-instock.select]\nmax_count = 3\n{MINUTELY}".replace('"inbox"', f'"{jobs}"')
    shop = Shop(tmp_path, more=more)
    drop(tmp_path, "a.csv", *orders(3))
    logins = shop.site.logins
    users = logins.accounts.users

    async def visit() -> None:
        tenant = shop.tenant()
        assert tenant.workshop is not None
        async with house(tenant, rules=BY_NAME, clock=VirtualClock()) as home:
            logins.accounts = replace(logins.accounts, users={**users, "sandbox": "another"})

            async def told() -> bool:
                return "five wrong logins" in text_of(await li.get("/schedules"))

            async with signed_in(home, "li") as li:
                await until(told)
                await anyio.sleep(600)
                assert await told()
                (refused,) = await requests(shop.ledger)
                # One that has waited for something else.
                left = replace(refused, id="left", stage=Stage.PLANNING, version=1)
                tenant.workshop.begin(await put_request(shop.ledger, left))

                async def failed() -> bool:
                    found = await find_request(shop.ledger, "left")
                    return found is not None and found.stage is Stage.FAILED

                await until(failed)
                assert logins.failures == 1
                logins.accounts = replace(logins.accounts, users=users)
                await send_list(li, orders(5)[4])

                async def pushed() -> bool:
                    return bool(shop.documents(orders(1)[0]))

                await until(pushed)
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_a_schedule_that_is_run_now_pushes_what_it_would_push(tmp_path: Path) -> None:
    """Who may approve presses one button; the ledger keeps the name."""
    shop = Shop(tmp_path, more=YEARLY)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            answer = await press(li, "/schedules", "/schedules/nightly/run")
            asked = await shop.until("ended")
            assert answer.headers["location"] == f"/plans/{asked.id}"
            assert asked.by == "li"
            assert shop.site.calls[Channel.PUSH] > 0

    in_time(visit)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The page says what keeps a schedule from its work, and nothing is begun in vain."""

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:

            async def told() -> bool:
                return "there is no such file" in text_of(await wang.get("/schedules"))

            await until(told)
            answer = await press(wang, "/schedules", "/schedules/inbox/plan")
            assert "there is no such file" in (await led(wang, answer)).text
            assert await requests(shop.ledger) == []

    played(visit, Shop(tmp_path, more=MINUTELY))


def test_a_list_that_the_system_cannot_look_for_is_told_and_ends_no_server(tmp_path: Path) -> None:
    """A share does not answer, or a folder above is another user's; here its name is too long."""
    schedule = MINUTELY.replace('"inbox"', f'"{"x" * 300}.csv"')

    async def visit(_: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:

            async def told() -> bool:
                return "name too long" in text_of(await wang.get("/schedules"))

            await until(told, every_s=5)

    played(visit, Shop(tmp_path, more=schedule))


@pytest.mark.parametrize(("button", "told"), [("plan", "planned"), ("run", "pushed")])
def test_several_new_lists_are_told_of(tmp_path: Path, button: str, told: str) -> None:
    """The page of all runs showed none of them, and nothing was said."""
    for name in ("a.csv", "b.csv"):
        drop(tmp_path, name, name)

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "li") as li:
            answer = await press(li, "/schedules", f"/schedules/inbox/{button}")
            assert f"2 lists are being {told}." in text_of(await led(li, answer))
            assert len(await requests(shop.ledger)) == 2

    played(visit, Shop(tmp_path, more=MINUTELY.replace("* * * * *", "30 2 1 1 *")))


def test_nothing_new_is_told_and_no_push(tmp_path: Path) -> None:
    """An empty folder is no failure."""

    async def visit(shop: Shop, home: House) -> None:
        (tmp_path / "inbox").mkdir()
        async with signed_in(home, "wang") as wang:
            answer = await press(wang, "/schedules", "/schedules/inbox/plan")
            assert "nothing new" in (await led(wang, answer)).text
            assert (await press(wang, "/schedules", "/schedules/other/plan")).status_code == 404
            assert await requests(shop.ledger) == []
        logged = [facts["what"] for event, facts in shop.logged if event == "schedule.passes_over"]
        told = SPEAKERS["en"].said(str(logged[0]))
        assert told.endswith("inbox: nothing new; 0 files were taken before")

    played(visit, Shop(tmp_path, more=MINUTELY))


def test_who_looks_again_for_a_schedule_needs_approval(tmp_path: Path) -> None:
    """The settings approve what is due, and not what somebody presses."""
    shop = Shop(tmp_path, more=MINUTELY.replace("* * * * *", f"{SOON:%M %H} * * *"))
    drop(tmp_path, "a.csv", "A,B")

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:

            async def begun() -> bool:
                return bool(await requests(shop.ledger))

            await until(begun)
            failed = await shop.until("failed")
            drop(tmp_path, "a.csv", *orders(2))
            await press(wang, f"/plans/{failed.id}", f"/plans/{failed.id}/again")
            await shop.until("planned")
            await anyio.sleep(600)
            assert (await shop.asked()).stage == "planned"
            assert shop.site.calls[Channel.PUSH] == 0

    played(visit, shop)


def test_what_a_route_selects_is_planned_without_a_list(tmp_path: Path) -> None:
    """From the same page as a list; what is left out by its `max_count` is told."""

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang, signed_in(home, "li") as li:
            sent = await send_list(wang, select="yes")
            url = sent.headers["location"]
            await shop.until("planned")
            page = text_of(await wang.get(url))
            assert "3 ready" in page
            assert "max_count" in page
            await press(li, url, f"{url}/approve")
            asked = await shop.until("ended")
            assert await shop.counts(asked.runs[0]) == {State.PUSHED: 3}

    played(visit, Shop(tmp_path, more=YEARLY))


def test_a_plan_that_waited_pushes_nothing_that_was_pushed_meanwhile(tmp_path: Path) -> None:
    """Bills may be pushed in parts: what the plan shows as ready had a document when approved."""
    shop = in_parts(Shop(tmp_path, more=YEARLY, site=build(sandbox(closes=False))))

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang, signed_in(home, "li") as li:
            url = (await send_list(wang, select="yes")).headers["location"]
            plan = await shop.until("planned")
            await press(li, "/schedules", "/schedules/nightly/run")
            pushed = await shop.until("ended")
            assert await shop.counts(pushed.runs[0]) == {State.PUSHED: 3}
            await press(li, url, f"{url}/approve")

            async def is_over() -> bool:
                return not (await find_request(shop.ledger, plan.id) or plan).is_open

            await until(is_over)
            assert await shop.counts(plan.runs[0]) == {State.ALREADY: 3}
            rows = await shop.ledger.rows(plan.runs[0])
            assert all(pushed.runs[0] in row.reason for row in rows)

    played(visit, shop)


def test_a_push_is_of_the_moment_at_which_it_was_pressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list on a share may answer minutes later, and others may have pushed its bills by then."""
    named = YEARLY.replace('"select"', '"a.csv"')
    (tmp_path / "a.csv").write_text("number\n" + "\n".join(orders(2)))
    shop, clock = in_parts(Shop(tmp_path, more=named)), MovableClock()
    table, pressed = table_of(shop, clock), clock.time

    async def answers_late(_: str) -> None:
        clock.time = pressed + timedelta(minutes=5)

    monkeypatch.setattr(timetable, "_check_there", answers_late)

    async def visit() -> None:
        (asked,) = await table.ask(shop.ledger, "nightly", "now-run", by="li", approved=True)
        assert asked.at == pressed

    in_time(visit)


def test_today_is_what_the_clock_of_the_schedule_says(tmp_path: Path) -> None:
    """A server keeps another time, most often UTC; the workers of a fleet did so already."""
    before = YEARLY.replace("max_count = 3", 'where = "FDate<today"\nmax_count = 3')
    site = build(sandbox(), clock=server_time)
    shop = Shop(tmp_path, more=before + 'time_zone = "Pacific/Kiritimati"\n', site=site)

    async def visit(shop: Shop, home: House) -> None:
        async with signed_in(home, "wang") as wang:
            await press(wang, "/schedules", "/schedules/nightly/plan")
            await shop.until("planned")

    played(visit, shop)


@pytest.mark.parametrize("away_min", [30, 90])
def test_a_server_that_was_away_makes_up_for_an_hour(tmp_path: Path, away_min: int) -> None:
    """A restart at the wrong minute costs no night, and a long absence starts nothing by day."""
    shop = Shop(tmp_path, more=MINUTELY.replace("* * * * *", f"{NOON:%M %H} * * *"))
    drop(tmp_path, "a.csv", *orders(1))

    async def visit() -> None:
        clock = VirtualClock()
        table = Timetable(
            shop.tenant().workshop.settings,  # type: ignore[union-attr]  # it has one
            tmp_path / "lists",
            clock,
            lambda _: None,
            lambda *_, **__: None,
        )
        await anyio.sleep(away_min * 60)
        assert clock.now() - NOON >= timedelta(minutes=away_min)
        await table.look(shop.ledger)
        known = (await entries(shop.ledger, TENANT)).get("inbox", ScheduleEntry("inbox"))
        assert (known.last is not None) == (away_min == 30)

    in_time(visit)


def due_at_half_past(folder: Path) -> tuple[Shop, Timetable]:
    """Return a tenant with a list that is due in half an hour, and its schedules."""
    due = NOON + timedelta(minutes=30)
    shop = Shop(folder, more=MINUTELY.replace("* * * * *", f"{due:%M %H} * * *"))
    drop(folder, "a.csv", *orders(1))
    workshop = shop.tenant().workshop
    assert workshop is not None
    lists, clock = folder / "lists", VirtualClock()
    return shop, Timetable(workshop.settings, lists, clock, lambda _: None, lambda *_, **__: None)


@dataclass
class MovableClock(VirtualClock):
    """A time of day that a test sets."""

    time: datetime = NOON

    def now(self) -> datetime:
        """Return the time, aware."""
        return self.time


def table_of(shop: Shop, clock: VirtualClock) -> Timetable:
    """Return the schedules of a tenant, by a clock."""
    workshop = shop.tenant().workshop
    assert workshop is not None
    lists = shop.folder / "lists"
    return Timetable(workshop.settings, lists, clock, lambda _: None, lambda *_, **__: None)


def in_parts(shop: Shop) -> Shop:
    """Let bills of the route be pushed in parts, so that a second push would make documents."""
    file = shop.folder / "config.toml"
    text = file.read_text("utf-8")
    table = "[routes.po-instock]\n"
    assert text.count(table) == 1
    file.write_text(text.replace(table, f"{table}allow_partial = true\n"), "utf-8")
    return shop


async def look(table: Timetable, shop: Shop) -> None:
    """Begin what is due, and be done with it at once."""
    await table.look(shop.ledger)
    for each in await requests(shop.ledger, only_open=True):
        await move(shop.ledger, each, Stage.FAILED)


async def begun_last(shop: Shop, name: str = "inbox") -> datetime | None:
    """Return what was due and begun last."""
    return (await entries(shop.ledger, TENANT)).get(name, ScheduleEntry(name)).last


def test_nothing_of_the_night_begins_by_day_since_nobody_could_look(tmp_path: Path) -> None:
    """The machine has slept for hours, or the tenant's file had a fault for as long."""
    shop, table = due_at_half_past(tmp_path)

    async def visit() -> None:
        await look(table, shop)
        await anyio.sleep(5 * 3600)
        await look(table, shop)
        assert await begun_last(shop) is None

    in_time(visit)


def test_a_schedule_begins_nothing_that_was_due_before_it_was_there(tmp_path: Path) -> None:
    """A tenant gets its first schedule five minutes after the time that it names."""
    shop, table = due_at_half_past(tmp_path)
    settings = table.settings
    table.settings = settings.model_copy(update={"schedules": {}})

    async def ledger() -> Ledger:
        return shop.ledger

    async def visit() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(table.serve, ledger)
            await anyio.sleep(35 * 60)
            table.take(settings)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        await look(table, shop)
        assert await begun_last(shop) is None

    in_time(visit)


def test_a_schedule_that_comes_while_its_tenant_rests_owes_nothing(tmp_path: Path) -> None:
    """A file had a fault for as long as somebody wrote a new schedule into it."""
    shop, clock = Shop(tmp_path, more=YEARLY.replace("30 2 1 1 *", "0 * * * *")), MovableClock()
    table = table_of(shop, clock)
    before = table.settings
    new = before.schedules["nightly"].model_copy(update={"cron": "30 20 * * *"})
    after = before.model_copy(update={"schedules": {**before.schedules, "new": new}})

    async def visit() -> None:
        clock.time = NOON + MINUTE
        await look(table, shop)
        assert len(await requests(shop.ledger)) == 1
        table.rest()
        clock.time = NOON + 62 * MINUTE
        table.take(after)
        await look(table, shop)
        assert [schedule_of(each) for each in await requests(shop.ledger)] == ["nightly"] * 2
        clock.time = NOON + 25 * 60 * MINUTE
        await look(table, shop)
        assert {schedule_of(each) for each in await requests(shop.ledger)} == {"nightly", "new"}

    in_time(visit)


def test_nothing_is_owed_from_before_a_server_knew_of_the_schedule(tmp_path: Path) -> None:
    """It is written into the settings and the server started, five minutes after its time."""
    shop, first = due_at_half_past(tmp_path)

    async def ledger() -> Ledger:
        return shop.ledger

    async def begun() -> bool:
        return await begun_last(shop) is not None

    async def visit() -> None:
        await anyio.sleep(35 * 60)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first.serve, ledger)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        await first.look(shop.ledger)
        assert not await begun()
        await anyio.sleep(24 * 3600)  # a server that comes back then knows it
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(due_at_half_past(tmp_path)[1].serve, ledger)
            await until(begun)
            tasks.cancel_scope.cancel()

    in_time(visit)


def test_an_hour_that_comes_twice_has_pushes_of_its_own_each_time(tmp_path: Path) -> None:
    """What is due every hour is due in both; the second found the push of the first."""
    hourly = YEARLY.replace("30 2 1 1 *", "0 * * * *") + 'time_zone = "Europe/Berlin"\n'
    shop, clock = Shop(tmp_path, more=hourly), MovableClock()
    table = table_of(shop, clock)

    async def visit() -> None:
        for minutes in range(0, 4 * 60, 10):
            clock.time = datetime.fromisoformat("2026-10-24T23:55+00:00") + minutes * MINUTE
            await look(table, shop)
        asked = [each.id[9:13] for each in await requests(shop.ledger)]
        assert asked == ["0400", "0300", "0200", "0200", "0100"]

    in_time(visit)


def test_a_clock_that_was_wrong_once_keeps_no_schedule_from_its_work(tmp_path: Path) -> None:
    """A machine came up years ahead: what it did then is no reason to do nothing until then."""
    shop, clock = Shop(tmp_path, more=YEARLY.replace("30 2 1 1 *", "0 * * * *")), MovableClock()
    table = table_of(shop, clock)

    async def begun() -> int:
        await look(table, shop)
        return len(await requests(shop.ledger))

    async def visit() -> None:
        clock.time = NOON.replace(year=2099) + MINUTE
        assert await begun() == 1
        at = clock.time
        await note(shop.ledger, TENANT, "nightly", at, paused=False, by="li", since=at)
        clock.time = NOON + 30 * MINUTE
        table.owe_nothing()
        clock.time = NOON + 61 * MINUTE
        assert await begun() == 2
        for minutes in (60, 59, 62, 119):  # set back a little, nothing begins twice
            clock.time = NOON + minutes * MINUTE
            assert await begun() == 2
        clock.time = NOON + 120 * MINUTE
        assert await begun() == 3

    in_time(visit)


def test_a_schedule_that_came_while_the_clock_was_ahead_is_begun_once_it_is_right(
    tmp_path: Path,
) -> None:
    """Somebody wrote it into the settings while a server was served on a machine years ahead."""
    shop, clock = Shop(tmp_path, more=YEARLY.replace("30 2 1 1 *", "0 * * * *")), MovableClock()
    table = table_of(shop, clock)
    settings = table.settings
    table.settings = settings.model_copy(update={"schedules": {}})

    async def visit() -> None:
        clock.time = NOON.replace(year=2099) + MINUTE
        table.take(settings)
        await look(table, shop)
        for minutes in (30, 59, 61):
            clock.time = NOON + minutes * MINUTE
            await look(table, shop)
        assert await begun_last(shop, "nightly") == NOON + 60 * MINUTE
        assert len(await requests(shop.ledger)) == 1

    in_time(visit)


def test_a_schedule_without_a_time_begins_as_somebody_presses_the_button(tmp_path: Path) -> None:
    """It keeps by name what is pushed now and then."""
    shop = Shop(tmp_path, more=YEARLY.replace('cron = "30 2 1 1 *"\n', ""))

    async def visit() -> None:
        async with shop.open(BY_NAME):
            await anyio.sleep(2 * 24 * 3600)
            assert await requests(shop.ledger) == []
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            page = await li.get("/schedules")
            assert "somebody presses a button" in page.text
            assert "/nightly/pause" not in page.text
            assert "/nightly/continue" not in page.text
            await li.post("/schedules/nightly/run", data=fields_of(page))
            asked = await shop.until("ended")
            assert await shop.counts(asked.runs[0]) == {State.PUSHED: 3}

    in_time(visit)


def test_a_page_without_a_schedule_says_how_one_is_made(tmp_path: Path) -> None:
    """An empty table would look like a fault."""

    async def visit() -> None:
        async with Shop(tmp_path).open(BY_NAME) as home, signed_in(home, "li") as li:
            page = await li.get("/schedules")
            assert ("<code>[schedules.NAME]</code>" in page.text, "<table" in page.text) == (
                True,
                False,
            )

    in_time(visit)


def test_a_server_that_comes_back_begins_what_was_due_since_and_not_what_it_had_begun(
    tmp_path: Path,
) -> None:
    """What was begun within the hour hid what came after it, and that was passed over."""
    shop, clock = Shop(tmp_path, more=YEARLY.replace("30 2 1 1 *", "*/15 * * * *")), MovableClock()

    async def visit() -> None:
        table = table_of(shop, clock)
        for minutes in (1, 16, 31, 46):
            clock.time = NOON + minutes * MINUTE
            await look(table, shop)
        table = table_of(shop, clock)
        clock.time = NOON + 62 * MINUTE
        for _ in range(2):
            await look(table, shop)
            assert await begun_last(shop, "nightly") == NOON + 60 * MINUTE
        assert len(await requests(shop.ledger)) == 5

    in_time(visit)


def test_rules_of_the_door_hold_for_schedules(tmp_path: Path) -> None:
    """Who may only look sees no button."""

    async def visit() -> None:
        shop = Shop(tmp_path, more=YEARLY)
        async with shop.open(BY_NAME) as home, signed_in(home, "guest") as guest:
            assert "/schedules/nightly/plan" not in (await guest.get("/schedules")).text

    in_time(visit)


def test_pushes_that_begin_side_by_side_try_a_login_that_is_refused_once(tmp_path: Path) -> None:
    """Each new file of a folder had tried it, and the account was locked (P 2.4)."""
    # The first is not refused before the second has begun.
    shop = Shop(tmp_path, more=MINUTELY, site=build(sandbox(latency_s=2.0)))
    for nth in range(6):
        drop(tmp_path, f"{nth}.csv", *orders(1, nth))
    logins = shop.site.logins
    users = logins.accounts.users
    logins.accounts = replace(logins.accounts, users={**users, "sandbox": "another"})

    async def visit() -> None:
        async with shop.open():

            async def over() -> bool:
                found = await requests(shop.ledger)
                return len(found) == 6 and not any(each.is_open for each in found)

            await until(over)
            told = [each.why for each in await requests(shop.ledger)]
            refused = [why for why in told if "用户名或密码错误" in why]
            assert len(refused) == LISTS_AT_ONCE
            assert told.count(remark("desk.not_let_in")) == len(told) - len(refused)
            assert logins.failures == 1

    in_time(visit)


def test_a_run_tells_of_the_window_of_its_schedule(tmp_path: Path) -> None:
    """Pages and metrics went by that of `[run]`, and an alert rang each day."""
    opens = datetime.now(UTC) + timedelta(hours=2)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"
    shop = Shop(tmp_path, more=f'{MINUTELY}\nwindow = "{window}"\n')
    drop(tmp_path, "a.csv", *orders(3))

    async def visit() -> None:
        async with shop.open() as home, signed_in(home, "li") as li:

            async def waits() -> bool:
                runs = await shop.ledger.runs()
                if not runs:
                    return False
                page = text_of(await li.get(f"/runs/{runs[-1].id}"))
                return f"outside the window until {opens:%H:%M}" in page

            await until(waits)
            assert re.search("k3push_run_held{[^}]*} 1", (await li.get("/metrics")).text)

    in_time(visit)


def test_the_new_files_of_a_folder_are_not_all_pushed_at_once(tmp_path: Path) -> None:
    """In an ERP with a queue the looks of forty stood for longer than any was waited for."""
    site = build(sandbox(latency_s=1.0))
    shop = Shop(tmp_path, more=MINUTELY, site=site)
    for nth in range(9):
        drop(tmp_path, f"{nth}.csv", *orders(2, 2 * nth))
    most = 0

    async def visit() -> None:
        async with shop.open():

            async def pushed() -> bool:
                nonlocal most
                runs = await shop.ledger.runs()
                most = max(most, sum([await shop.ledger.is_alive(run.id) for run in runs]))
                return all(shop.documents(number) for number in orders(18))

            await until(pushed, every_s=0.1)
            assert most == LISTS_AT_ONCE

    in_time(visit)


def test_files_that_wait_for_a_window_do_not_all_begin_as_it_opens(tmp_path: Path) -> None:
    """What only waits makes way for others, which would wait for the same window."""
    opens = datetime.now(UTC) + timedelta(hours=2)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"
    shop = Shop(tmp_path, more=f'{MINUTELY}\nwindow = "{window}"\n')
    for nth in range(4):
        drop(tmp_path, f"{nth}.csv", *orders(2, 2 * nth))

    async def visit() -> None:
        async with shop.open():

            async def wait() -> bool:
                runs, now = await shop.ledger.runs(), datetime.now(UTC)
                holds = [await hold_of(shop.ledger, run.id, now) for run in runs]
                causes = [hold and hold.cause for hold in holds]
                return causes == [HoldCause.WINDOW] * LISTS_AT_ONCE

            await until(wait)
            await anyio.sleep(2 * STILL_LOOKS_IN_QUEUE)
            assert len(await shop.ledger.runs()) == LISTS_AT_ONCE

    in_time(visit)
