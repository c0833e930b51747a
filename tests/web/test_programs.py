"""What programs ask for over HTTP: a push by a key, its rows and evidence, and what is steered."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from k3push.config.settings_file import read_settings
from k3push.core.model import Archive, RunId, State, Step
from k3push.runs.execute import Only
from k3push.runs.find import RunFilter
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    RequestKind,
    Stage,
    find_request,
    put_request,
    requests,
    requests_of,
    steps_asked_for,
    tenant_of,
)
from k3push.runs.outcome import Ending, Exit, followed_of
from k3push.runs.push_requests.program_roles import ProgramRole
from k3push.runs.push_requests.program_tokens import revoke_program
from k3push.simulator import build
from k3push.simulator.books.forms import PURCHASE_ORDER
from k3push.simulator.fault_plans.script import Channel
from k3push.simulator.sign_in import Logins
from k3push.web.api import push_commands
from k3push.web.api.shapes import MOST_BILLS
from k3push.web.execution.lanes import MOST_AT_ONCE, Crowd, Lane, Lanes
from k3push.web.execution.request_work import LEFT_S, MOST_AHEAD, Workshop
from k3push.wiring import shared_login
from k3push.wiring.erp import LEFT_ALONE_S
from k3push.wiring.executor import RunOptions
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.shared_login import IDLE_S, LOST_S
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import NOON, OLD_ORDER, VirtualClock, orders, sandbox, steps
from tests.web.programs import API, played, program, until_over
from tests.web.shop import (
    BY_NAME,
    FOUR_EYES,
    Shop,
    fields_of,
    press,
    send_list,
    signed_in,
)
from tests.web.test_pushes import edited, text_of
from tests.web.visits import SPEAKERS, House, house, in_time, until

pytestmark = pytest.mark.halved

# The client's own generators, where a body is not read to the end.
UNREAD = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


AS_JSON = {"content-type": "application/json"}


def asked(key: str, *numbers: str, **more: object) -> dict[str, object]:
    """Return what a program sends."""
    return {"key": key, "numbers": list(numbers), **more}


def test_a_push_is_accepted_executed_and_told_of(tmp_path: Path) -> None:
    """The answer comes before the push is made, and tells where to look."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        answer = await wms.post("/pushes", json=asked("e-1", *orders(3), "CGDD9999999"))
        assert (answer.status_code, answer.json()["state"]) == (202, "accepted"), answer.text
        told = await until_over(wms, answer.json()["id"])
        assert told["counts"] == {"pushed": 3, "rejected": 1}
        assert (told["exit"], told["needs_person"], told["key"]) == (3, True, "e-1")
        rows = (await wms.get(f"/pushes/{told['id']}/rows", params={"limit": 3})).json()
        assert [row["number"] for row in rows["rows"]] == orders(3)
        assert all(row["targets"][0]["number"] for row in rows["rows"])
        rest = {"after": rows["next"], "state": ["rejected", "unknown"]}
        (row,) = (await wms.get(f"/pushes/{told['id']}/rows", params=rest)).json()["rows"]
        assert (row["number"], row["line"], bool(row["cure"])) == ("CGDD9999999", 4, True)
        evidence = await wms.get(f"/pushes/{told['id']}/evidence", params={"number": orders(1)[0]})
        assert any(each["request"] for each in evidence.json()["events"])
        run = await shop.ledger.run(told["run"])
        assert run is not None
        assert run.jobs == ("api/wms: e-1",)

    played(push, tmp_path)
    assert not list(tmp_path.glob("**/results"))  # the ledger has it all


def test_a_push_that_is_archived_says_so_wherever_it_is_asked_for(tmp_path: Path) -> None:
    """What is left of it would pass for the whole."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        wish = asked("a-1", *orders(2), "CGDD9999999")
        told = await until_over(wms, (await wms.post("/pushes", json=wish)).json()["id"])
        assert (told["archived"], told["needs_person"]) == (None, True)
        run, kept = told["run"], Archive("a.jsonl.gz", "00", NOON)
        async with shop.ledger.own(run, executes=False):
            await shop.ledger.archive(run, kept)
        await shop.ledger.prune(run)
        where = {"file": "a.jsonl.gz", "at": NOON.isoformat().replace("+00:00", "Z")}
        again = (await wms.post("/pushes", json=wish)).json()
        assert (again["archived"], again["needs_person"], again["exit"]) == (where, False, 3)
        page = f"/pushes/{told['id']}"
        rows = (await wms.get(f"{page}/rows")).json()
        assert (rows["archived"], len(rows["rows"])) == (where, 2)
        left = await wms.get(f"{page}/evidence", params={"number": orders(1)[0]})
        assert left.json()["archived"] == where
        gone = await wms.get(f"{page}/evidence", params={"number": "CGDD9999999"})
        assert (gone.status_code, "a.jsonl.gz" in gone.json()["detail"]) == (410, True)

    played(push, tmp_path)


def test_a_plan_tells_the_least_and_the_most_that_it_takes(tmp_path: Path) -> None:
    """Once a run has told; before that nothing is made up."""

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        plans = []
        for nth, first in enumerate((0, 12)):
            wanted = asked(f"p-{nth}", *orders(12, first))
            id_ = (await wms.post("/plans", json=wanted)).json()["id"]
            plans.append((await until_over(wms, id_))["plan"])
            if not nth:
                await wms.post(f"/plans/{id_}/approve")
                await until_over(wms, id_)
        assert {plans[0][key] for key in ("seconds", "seconds_least", "seconds_most")} == {None}
        least, about, most = (plans[1][f"seconds{key}"] for key in ("_least", "", "_most"))
        assert 0 < least <= about <= most

    played(push, tmp_path)


def test_a_push_without_doubts_has_nothing_to_settle(tmp_path: Path) -> None:
    """To accept that would begin an execution that does nothing."""

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        told = await wms.post("/pushes", json=asked("e-1", *orders(1)))
        ended = await until_over(wms, told.json()["id"])
        answer = await wms.post(f"/pushes/{ended['id']}/commands", json={"command": "settle"})
        assert (answer.status_code, "not-now" in answer.json()["type"]) == (409, True)

    played(push, tmp_path)


def test_bills_are_pushed_by_their_ids(tmp_path: Path) -> None:
    """The program of an ERP knows ids, and no two bills share one."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        (source,) = shop.site.world.store.by_number(PURCHASE_ORDER, orders(1)[0])
        answer = await wms.post("/pushes", json={"key": "k", "ids": [str(source.id)]})
        told = await until_over(wms, answer.json()["id"])
        assert told["counts"] == {"pushed": 1}
        named = {"bill_id": str(source.id)}
        evidence = await wms.get(f"/pushes/{told['id']}/evidence", params=named)
        assert evidence.json()["row"]["number"] == source.number

    played(push, tmp_path)


def test_the_same_key_is_the_same_push(tmp_path: Path) -> None:
    """Whoever got no answer asks again, and many who ask at once are told of one push."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        told: list[httpx.Response] = []

        async def ask() -> None:
            told.append(await wms.post("/pushes", json=asked("e-1", *orders(2))))

        async with anyio.create_task_group() as tasks:
            for nth in range(5):
                tasks.start_soon(ask, name=f"{nth}")
        assert len({each.json()["id"] for each in told}) == 1
        id_ = told[0].json()["id"]
        await until_over(wms, id_)
        again = await wms.post("/pushes", json=asked("e-1", *orders(2)))
        assert (again.status_code, again.json()["state"]) == (200, "ended")
        assert len(await shop.ledger.runs()) == 1
        assert {shop.documents(number) for number in orders(2)} == {1}
        for other in (asked("e-1", *orders(3)), asked("e-1", *orders(2), follow=[])):
            reused = await wms.post("/pushes", json=other)
            assert reused.status_code == 409
            assert reused.json()["type"].endswith("key-reused")
        assert (await wms.post("/plans", json=asked("e-1", *orders(2)))).status_code == 409

    played(push, tmp_path)


def test_one_programs_keys_are_its_own(tmp_path: Path) -> None:
    """Two programs may count their events alike, and neither sees the other's pushes."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        mine = (await wms.post("/pushes", json=asked("1", orders(1)[0]))).json()["id"]
        async with program(home, await shop.token("oms")) as oms:
            theirs = (await oms.post("/pushes", json=asked("1", orders(2)[1]))).json()["id"]
            assert mine != theirs
            for path in ("", "/rows", "/evidence?number=CGDD0000000", "%0A"):
                answer = await oms.get(f"/pushes/{mine}{path}")
                assert (answer.status_code, answer.json()["status"]) == (404, 404), path
            stop = await oms.post(f"/pushes/{mine}/commands", json={"command": "stop"})
            assert stop.status_code == 404
            await until_over(oms, theirs)
        await until_over(wms, mine)

    played(push, tmp_path)


def test_a_bill_that_two_pushes_name_is_pushed_once(tmp_path: Path) -> None:
    """Each is told what became of it, whoever was first."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        ids = [
            (await wms.post("/pushes", json=asked(f"e-{nth}", *orders(4)))).json()["id"]
            for nth in range(12)
        ]
        for id_ in ids:
            told = await until_over(wms, id_)
            assert set(told["counts"]) <= {"pushed", "already"}, told
        assert {shop.documents(number) for number in orders(4)} == {1}

    played(push, tmp_path)


def test_each_request_says_which_tenant_was_asked(tmp_path: Path) -> None:
    """Tenants of one account share the ledger; a server that starts tells theirs apart by it."""
    shop = Shop(tmp_path, more='[schedules.one]\ncron = "30 2 1 1 *"\njobs = ["list.csv"]\n')
    (tmp_path / "list.csv").write_text("CGDD0000001", "utf-8")

    async def visit() -> None:
        token = await shop.token()
        async with (
            shop.open() as home,
            program(home, token) as wms,
            signed_in(home, "li") as li,
        ):
            await send_list(li, "CGDD0000000")
            url = f"/plans/{(await shop.until('planned')).id}"
            await press(li, url, f"{url}/withdraw")
            await press(li, url, f"{url}/again")
            await shop.until("planned")
            await li.post("/schedules/one/plan", data=fields_of(await li.get("/schedules")))
            await shop.until("planned")
            told = (await wms.post("/pushes", json=asked("e-1", "CGDD9999999"))).json()
            run = (await until_over(wms, told["id"]))["run"]
            await wms.post(f"/pushes/{told['id']}/commands", json={"command": "retry"})
            await shop.until("ended")
            await press(li, f"/runs/{run}", f"/runs/{run}/retry", all="yes")
            found = await requests(shop.ledger)
        assert len(found) == 6
        assert {tenant_of(each) for each in found} == {"config"}

    in_time(visit)


def test_a_kill_between_accepted_and_executed_loses_nothing(tmp_path: Path) -> None:
    """The key is in the ledger before anybody is told, and the repeat is told the truth."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            answer = await wms.post("/pushes", json=asked("e-1", *orders(5)))
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        assert answer.status_code == 202
        assert not shop.site.calls[Channel.PUSH]
        async with shop.open() as home, program(home, token) as wms:
            again = await wms.post("/pushes", json=asked("e-1", *orders(5)))
            assert again.json()["id"] == answer.json()["id"]
            told = await until_over(wms, again.json()["id"])
        assert (told["counts"], told["exit"]) == ({"pushed": 5}, 0)
        assert {shop.documents(number) for number in orders(5)} == {1}

    in_time(visit)


def test_a_kill_between_executed_and_told_loses_nothing(tmp_path: Path) -> None:
    """Answers that the dead server waited for are settled, and the repeat is told of the end."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            answer = await wms.post("/pushes", json=asked("e-1", *orders(5)))
            with anyio.fail_after(600):
                while not any(shop.documents(number) for number in orders(5)):
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        async with shop.open() as home, program(home, token) as wms:
            again = await wms.post("/pushes", json=asked("e-1", *orders(5)))
            assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
            told = await until_over(wms, again.json()["id"])
        assert told["counts"] == {"pushed": 5}
        assert {shop.documents(number) for number in orders(5)} == {1}

    in_time(visit)


def test_a_push_whose_run_is_held_elsewhere_waits_for_it_and_goes_on(tmp_path: Path) -> None:
    """The database has not yet given up the sessions of a machine that was cut off."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            answer = await wms.post("/pushes", json=asked("e-1", *orders(5)))
            with anyio.fail_after(600):
                while not any(shop.documents(number) for number in orders(5)):
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        (run,) = await shop.ledger.runs()
        held = shop.ledger.another_process()
        async with held.own(run.id, executes=False), shop.open() as home:
            await anyio.sleep(45)
            assert (await shop.asked()).stage is Stage.APPROVED
        async with shop.open() as home, program(home, token) as wms:
            told = await until_over(wms, answer.json()["id"])
        assert (told["counts"], told["exit"]) == ({"pushed": 5}, 0)
        assert {shop.documents(number) for number in orders(5)} == {1}

    in_time(visit)


def test_refused_bills_are_pushed_again_by_command(tmp_path: Path) -> None:
    """A program that has mended the bill needs no person for it."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        answer = await wms.post("/pushes", json=asked("e", orders(1)[0], "CGDDU000003"))
        id_ = answer.json()["id"]
        assert (await until_over(wms, id_))["counts"] == {"pushed": 1, "rejected": 1}
        commands = f"/pushes/{id_}/commands"
        for hindered in ("pause", "stop", "resume"):
            refused = await wms.post(commands, json={"command": hindered})
            assert (refused.status_code, hindered) == (409, hindered)
        (row,) = (await wms.get(f"/pushes/{id_}/rows", params={"state": "rejected"})).json()["rows"]
        assert row["cure"].endswith("then `retry`")  # the command is one of the program's
        assert (await wms.post(commands, json={"command": "retry"})).status_code == 202
        told = await until_over(wms, id_)
        assert (told["counts"], told["state"]) == ({"pushed": 1, "rejected": 1}, "ended")
        assert [each.by for each in await requests(shop.ledger)] == ["api/wms"] * 2

    played(push, tmp_path)


def test_a_push_is_stopped_and_goes_on(tmp_path: Path) -> None:
    """What is under way is recorded, and the rest waits for `resume`."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/pushes", json=asked("e", *orders(60)))).json()["id"]
        with anyio.fail_after(600):
            while (await wms.get(f"/pushes/{id_}")).json()["state"] != "running":
                await anyio.lowlevel.checkpoint()
        stopped = await wms.post(f"/pushes/{id_}/commands", json={"command": "stop"})
        assert stopped.status_code == 202, stopped.text
        told = await until_over(wms, id_)
        assert told["counts"]["planned"]
        assert (told["exit"], told["needs_person"]) == (5, True)
        resumed = await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
        assert resumed.status_code == 202
        told = await until_over(wms, id_)
        assert told["counts"] == {"pushed": 60}
        assert {shop.documents(number) for number in orders(60)} == {1}

    played(push, tmp_path, Shop(tmp_path, site=build(sandbox(latency_s=2.0))))


def test_a_plan_whose_list_no_disk_takes_can_be_asked_for_again(tmp_path: Path) -> None:
    """A full disk is no defect, and nothing was accepted."""

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        in_the_way = tmp_path / "lists"
        in_the_way.write_text("")
        answer = await wms.post("/plans", json=asked("p", *orders(1)))
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:k3push:problem:no-disk")
        assert await requests(shop.ledger) == []
        in_the_way.unlink()
        assert (await wms.post("/plans", json=asked("p", *orders(1)))).status_code == 202

    played(act, tmp_path)


def test_a_plan_is_seen_and_approved_by_another_program(tmp_path: Path) -> None:
    """Nothing is sent before; approved twice, it is one push."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        answer = await wms.post("/plans", json=asked("p", *orders(3), "CGDD9999999"))
        assert answer.status_code == 202, answer.text
        id_ = answer.json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["plan"]["bills"]) == ("planned", {"ready": 3, "blocked": 1})
        assert told["plan"]["reasons"][0]["count"] == 1
        assert not shop.site.calls[Channel.PUSH]
        async with program(home, await shop.token("boss")) as boss:
            for _ in range(2):
                assert (await boss.post(f"/plans/{id_}/approve")).status_code == 202
            told = await until_over(boss, id_)
        assert (told["counts"], told["approved_by"]) == ({"pushed": 3, "rejected": 1}, "api/boss")
        again = await wms.post("/plans", json=asked("p", *orders(3), "CGDD9999999"))
        assert (again.status_code, again.json()["state"]) == (200, "ended")
        assert (await wms.post(f"/plans/{id_}/withdraw")).status_code == 409

    played(push, tmp_path)


def test_a_push_has_one_name_and_the_same_rows_with_a_plan_and_without(tmp_path: Path) -> None:
    """Where four eyes are asked for, all of them have a plan; the caller's key leads to each."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        bills = [*orders(3), "CGDD9999999"]
        id_ = (await wms.post("/plans", json=asked("GR/1", *bills[::-1]))).json()["id"]
        await until_over(wms, id_)
        async with signed_in(home, "guest") as guest:
            assert "GR/1" in (await guest.get("/")).text
        await wms.post(f"/plans/{id_}/approve")
        planned = await until_over(wms, id_)
        answer = await wms.post("/pushes", json=asked("GR/2", *bills[::-1]))
        pushed = await until_over(wms, answer.json()["id"])
        seen = []
        for told in (planned, pushed):
            run = await shop.ledger.run(told["run"])
            assert run is not None
            assert run.jobs == (f"api/wms: {told['key']}",)
            assert [each.id for each in await RunFilter(words=told["key"]).of(shop.ledger)] == [
                run.id
            ]
            rows = (await wms.get(f"/pushes/{told['id']}/rows")).json()["rows"]
            seen.append([(row["line"], row["number"]) for row in rows])
        assert seen == [list(enumerate(bills[::-1], start=1))] * 2
        async with signed_in(home, "guest") as guest:
            assert planned["run"] in (await guest.get("/numbers", params={"q": "gr/1"})).text

    played(push, tmp_path)


def test_a_program_s_list_that_a_person_plans_again_keeps_its_name(tmp_path: Path) -> None:
    """The key is the new plan's no more, and people look for it all the same."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/plans", json=asked("GR-1", *orders(1)))).json()["id"]
        await until_over(wms, id_)
        await wms.post(f"/plans/{id_}/withdraw")
        async with signed_in(home, "li") as li:
            await press(li, f"/plans/{id_}", f"/plans/{id_}/again")
            plan = f"/plans/{(await shop.until('planned')).id}"
            assert "api/wms: GR-1" in (await li.get(plan)).text
            await press(li, plan, f"{plan}/approve")
            await shop.until("ended")
        (run,) = await shop.ledger.runs()
        assert run.jobs == ("api/wms: GR-1",)

    played(push, tmp_path)


def test_who_approves_twice_at_one_moment_is_told_of_one_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer was lost, and two servers of one ledger are asked, perhaps."""

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/plans", json=asked("p", *orders(1)))).json()["id"]
        waits = await shop.until("planned")
        assert (await wms.post(f"/plans/{id_}/approve")).status_code == 202

        async def as_it_was(*_: object) -> Request:
            return waits

        monkeypatch.setattr(push_commands, "request_named", as_it_was)
        assert (await wms.post(f"/plans/{id_}/approve")).status_code == 202
        assert (await wms.post(f"/plans/{id_}/withdraw")).status_code == 409
        await shop.until("ended")

    played(act, tmp_path)


def test_whoever_approves_a_plan_sees_what_would_become_of_each_bill(tmp_path: Path) -> None:
    """A program that has to approve knows what, and one that asks drops what is blocked."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        first, second = orders(2)
        bills = ["CGDD9999999", first, first.lower(), second, OLD_ORDER]
        rows = f"/plans/{(await wms.post('/plans', json=asked('p', *bills))).json()['id']}/rows"
        assert (await wms.get(rows)).status_code == 409
        await shop.until("planned")
        async with program(home, await shop.token("boss")) as boss:
            pages = [(await boss.get(rows, params={"limit": 3})).json()]
            pages.append((await boss.get(rows, params={"after": pages[0]["next"]})).json())
        assert pages[1]["next"] is None
        found = [row for page in pages for row in page["rows"]]
        assert [(row["line"], row["number"], row["fate"], row["repeats"]) for row in found] == [
            (1, "CGDD9999999", "blocked", None),
            (2, first, "ready", None),
            (3, first.lower(), "ready", 2),
            (4, second, "ready", None),
            (5, OLD_ORDER, "already", None),
        ]
        assert found[0]["reason"]
        assert found[0]["cure"]
        assert found[4]["targets"][0]["number"]
        some = await wms.get(rows, params={"fate": ["blocked", "ready"], "after": 1})
        assert [row["line"] for row in some.json()["rows"]] == [2, 4]

    played(push, tmp_path)


def test_rows_of_a_plan_that_there_is_not_are_refused_in_words(tmp_path: Path) -> None:
    """Nor are those told that nobody has planned."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/pushes", json=asked("e", *orders(1)))).json()["id"]
        none = await wms.get(f"/plans/{id_}/rows")
        assert (none.status_code, "/pushes/{id}/rows" in none.json()["detail"]) == (409, True)
        id_ = (await wms.post("/plans", json=asked("p", *orders(2)))).json()["id"]
        await until_over(wms, id_)
        asked_for = await find_request(shop.ledger, id_)
        assert asked_for is not None
        for edit in ("cut", "gone"):
            edited(Path(asked_for.plan), edit)
            lost = await wms.get(f"/plans/{id_}/rows")
            assert (lost.status_code, "anew" in lost.json()["detail"]) == (409, True)

    played(push, tmp_path)


def test_what_was_withdrawn_has_no_run_to_wait_for(tmp_path: Path) -> None:
    """A program that is told to come again later would do so for ever."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:  # noqa: ARG001
        answer = await wms.post("/plans", json=asked("p", *orders(3)))
        id_ = answer.json()["id"]
        await until_over(wms, id_)
        assert (await wms.post(f"/plans/{id_}/withdraw")).status_code == 200
        refused = await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
        assert (refused.status_code, "anew" in refused.json()["detail"]) == (409, True)

    played(push, tmp_path)


def test_four_eyes_hold_for_programs_too(tmp_path: Path) -> None:
    """A program plans, and a person approves in the browser; none does both."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open(FOUR_EYES) as home, program(home, token) as wms:
            refused = await wms.post("/pushes", json=asked("e", *orders(1)))
            assert (refused.status_code, refused.json()["type"][-9:]) == (403, "four-eyes")
            id_ = (await wms.post("/plans", json=asked("event-p", *orders(1)))).json()["id"]
            assert (await until_over(wms, id_))["needs_person"]
            assert (await wms.post(f"/plans/{id_}/approve")).status_code == 403
            async with signed_in(home, "li") as li:
                shown = text_of(await li.get("/"))
                assert re.search(r"waits for approval · event-p · \d+ numbers? · api/wms", shown)
                # The bill is in no run yet; its number may be a part, its id is whole.
                (row,) = (await wms.get(f"/plans/{id_}/rows")).json()["rows"]
                part = row["number"][:8]
                for words, there in ((row["id"], True), (row["id"][1:], False), (part, True)):
                    found_by = await li.get("/numbers", params={"q": words})
                    assert (f"/plans/{id_}" in f"{found_by.headers}{found_by.text}") is there
                assert (
                    await press(li, f"/plans/{id_}", f"/plans/{id_}/approve")
                ).status_code == 303
            told = await until_over(wms, id_)
        assert (told["counts"], told["approved_by"]) == ({"pushed": 1}, "li")
        found = await find_request(shop.ledger, id_)
        assert found is not None
        assert (found.by, found.approved_by) == ("api/wms", "li")

    in_time(visit)


def test_a_program_asks_for_fewer_steps_than_the_route_takes(tmp_path: Path) -> None:
    """Never for more, and never for others; what is retried later keeps to it."""
    more = 'follow = ["submit", "audit"]\n'

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        told = {}
        for nth, follow in enumerate(([], ["submit"], None)):
            wanted = asked(f"e-{nth}", orders(nth + 1)[-1], follow=follow)
            told[nth] = await until_over(wms, (await wms.post("/pushes", json=wanted)).json()["id"])
        assert [each["follow"] for each in told.values()] == [
            {},
            {"submitted": 1},
            {"approved": 1},
        ]
        assert [each["exit"] for each in told.values()] == [0, 0, 0]
        async with signed_in(home, "li") as li:
            for each in told.values():
                run = await shop.ledger.run(RunId(each["run"]))
                assert run is not None
                assert (await followed_of(shop.ledger, run)).left == 0
                page = (await li.get(f"/runs/{run.id}")).text
                # What was asked for is done, and nothing else is offered or owed.
                assert "stopped before" not in page
                assert "not yet" not in page
                assert f"/runs/{run.id}/follow" not in page
        for follow in (["audit"], ["audit", "submit"]):
            refused = await wms.post("/pushes", json=asked("x", *orders(1), follow=follow))
            assert (refused.status_code, refused.json()["errors"][0]["place"]) == (
                422,
                "body.follow",
            )

    played(push, tmp_path, Shop(tmp_path, more=more))


def test_a_push_is_running_until_people_were_told_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver of messages may take half a minute, and the push is not put back for it."""
    told: list[tuple[str, bool]] = []
    pushes: list[str] = []

    async def push(_shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        async def tell_people(*_args: object) -> None:
            one = (await wms.get(f"/pushes/{pushes[0]}")).json()
            told.append((one["state"], one["needs_person"]))

        monkeypatch.setattr("k3push.wiring.executor.tell_people", tell_people)
        wanted = asked("k", "no such bill")
        pushes.append((await wms.post("/pushes", json=wanted)).json()["id"])
        await until_over(wms, pushes[0])

    played(push, tmp_path)
    assert told == [("running", False)]


def test_people_are_told_once_that_the_erp_lets_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night of pushes had left as many messages."""
    told: list[int] = []

    async def tell_people(_: object, __: object, ending: Ending, *_more: object) -> None:
        told.append(int(ending.exit))

    monkeypatch.setattr("k3push.wiring.executor.tell_people", tell_people)

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        async def exit_of(key: str, number: str) -> int:
            made = await wms.post("/pushes", json=asked(key, number))
            return int((await until_over(wms, made.json()["id"]))["exit"])

        logins = shop.site.logins
        users = logins.accounts.users
        logins.accounts = replace(logins.accounts, users={**users, "sandbox": "another"})
        assert [await exit_of(f"k{nth}", orders(9)[nth]) for nth in range(5)] == 5 * [6]
        assert told == [6]
        await anyio.sleep(4000)
        assert [await exit_of(f"l{nth}", orders(9)[nth]) for nth in range(2)] == [6, 6]
        assert told == [6, 6]

    played(push, tmp_path)


def test_an_id_is_a_number_or_its_digits(tmp_path: Path) -> None:
    """The ERP tells ids as numbers; either asks for the same push."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        id_ = next(iter(shop.site.world.store.by_number(PURCHASE_ORDER, orders(1)[0]))).id
        wanted: dict[str, object] = {"key": "k", "ids": [int(id_)]}
        first = await wms.post("/pushes", json=wanted)
        told = await until_over(wms, first.json()["id"])
        again = await wms.post("/pushes", json=wanted | {"ids": [str(id_)]})
        assert (first.status_code, told["counts"], again.status_code) == (202, {"pushed": 1}, 200)
        for odd in (0, -1, 1.5, True, None, 10**19):
            refused = await wms.post("/pushes", json={"key": "o", "ids": [odd]})
            assert (refused.status_code, refused.json()["errors"][0]["place"]) == (
                422,
                "body.ids.0",
            )

    played(push, tmp_path)


def test_a_body_that_holds_a_key_twice_is_refused(tmp_path: Path) -> None:
    """The bills of the first one would be in no row."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        one, other = orders(2)
        body = f'{{"key": "k", "numbers": ["{one}"], "numbers": ["{other}"]}}'
        refused = await wms.post("/pushes", content=body, headers=AS_JSON)
        assert (refused.status_code, refused.json()["errors"][0]["place"]) == (422, "body.numbers")
        assert not shop.site.calls[Channel.PUSH]

    played(push, tmp_path)


def test_what_was_asked_for_is_known_however_often_a_run_was_asked_for_since() -> None:
    """A program may have its run settled every hour for weeks."""

    async def visit() -> None:
        ledger, run = MemoryLedger(account="acct"), RunId("r1")
        push = Request("p", RequestKind.PUSH, "api/wms", NOON, Stage.ENDED, runs=[run], steps=[])
        await put_request(ledger, push)
        for nth in range(1, 1101):
            at = NOON + timedelta(hours=nth)
            settle = Request(f"s{nth}", RequestKind.SETTLE, "api/wms", at, Stage.ENDED, runs=[run])
            await put_request(ledger, settle)
        assert await steps_asked_for(ledger, run, [Step.SUBMIT, Step.AUDIT]) == ()
        assert len(await requests_of(ledger, run)) == 1101

    in_time(visit)


def test_whoever_executes_a_push_takes_no_step_that_its_program_did_not_ask_for(
    tmp_path: Path,
) -> None:
    """A person at a terminal, or a worker, goes on with the run and knows no request."""
    shop = Shop(tmp_path, more='follow = ["submit", "audit"]\n')

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        wanted = asked("e-1", *orders(1), follow=[])
        told = await until_over(wms, (await wms.post("/pushes", json=wanted)).json()["id"])
        settings = read_settings(tmp_path / "config.toml", {})
        say = SPEAKERS["en"]
        for only in (None, Only.FOLLOW):
            observer = LineObserver(say, lambda *_, **__: None, lambda _: None)
            executor = shop.executor(settings, RunOptions(), observer, say)
            ending = await executor.go_on(shop.ledger, RunId(told["run"]), only=only)
            assert (ending.exit, dict(ending.followed.counts)) == (Exit.DONE, {})
        assert not shop.site.calls[Channel.SUBMIT]

    played(push, tmp_path, shop)


def test_faults_on_the_way_double_nothing(tmp_path: Path) -> None:
    """The server pushes by the same door as the command."""
    plan = steps("make-then-reset", "make-then-html-502", "make-then-cut-off")

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        ids = [
            (await wms.post("/pushes", json=asked(f"e-{nth}", number))).json()["id"]
            for nth, number in enumerate(orders(10))
        ]
        for id_ in ids:
            assert (await until_over(wms, id_))["counts"] == {"pushed": 1}
        assert {shop.documents(number) for number in orders(10)} == {1}

    played(push, tmp_path, Shop(tmp_path, site=build(sandbox(plan))))


def test_pushes_of_programs_share_one_login_which_ends_when_none_comes(tmp_path: Path) -> None:
    """Sessions would pile up in the ERP otherwise."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        for burst in range(2):
            ids = [
                (await wms.post("/pushes", json=asked(f"{burst}-{nth}", number))).json()["id"]
                for nth, number in enumerate(orders(12, first=12 * burst))
            ]
            for id_ in ids:
                assert (await until_over(wms, id_))["counts"] == {"pushed": 1}
            assert shop.site.calls[Channel.LOGIN] == burst + 1
            await anyio.sleep(2 * IDLE_S)
        assert {shop.documents(number) for number in orders(24)} == {1}

    played(push, tmp_path)


def test_a_push_that_waits_for_a_lost_answer_makes_way_for_others(tmp_path: Path) -> None:
    """A bill is asked about for ten minutes, and the next event comes long before."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        config = shop.folder / "config.toml"
        text = config.read_text("utf-8").replace("window_s = 4.5", "window_s = 600")
        config.write_text(text.replace("poll_s = 0.2", "poll_s = 20"))
        began_s = anyio.current_time()
        lost = [
            (await wms.post("/pushes", json=asked(f"lost-{nth}", number))).json()["id"]
            for nth, number in enumerate(orders(MOST_AT_ONCE))
        ]
        with anyio.fail_after(600):
            while shop.site.calls[Channel.PUSH] < MOST_AT_ONCE:  # noqa: ASYNC110  # a site tells nobody
                await anyio.sleep(0.5)
        number = orders(1, first=50)[0]
        sound = (await wms.post("/pushes", json=asked("sound", number))).json()["id"]
        assert (await until_over(wms, sound))["counts"] == {"pushed": 1}
        assert anyio.current_time() - began_s < 500  # a thread at work lets the clock jump
        assert (await wms.get(f"/pushes/{lost[0]}")).json()["counts"] == {"unknown": 1}
        for id_ in lost:
            assert (await until_over(wms, id_))["counts"] == {"pushed": 1}
        assert {shop.documents(number) for number in orders(MOST_AT_ONCE)} == {1}

    plan = steps(*["reset"] * MOST_AT_ONCE)
    played(push, tmp_path, Shop(tmp_path, site=build(sandbox(plan))))


def test_pushes_go_on_in_an_erp_that_works_on_one_call_after_the_other(tmp_path: Path) -> None:
    """A push that waits for an answer passed for one that waits for time, so all asked at once."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        config = shop.folder / "config.toml"
        text = config.read_text("utf-8").replace("window_s = 4.5", "window_s = 62")
        config.write_text(text.replace("answer_timeout_s = 3", "answer_timeout_s = 60"), "utf-8")
        began_s = anyio.current_time()
        for nth, number in enumerate(orders(40)):
            await wms.post("/pushes", json=asked(f"e-{nth}", number))
        with anyio.fail_after(3600):
            while not all(shop.documents(number) for number in orders(40)):  # noqa: ASYNC110  # a site tells nobody
                await anyio.sleep(5)
        assert anyio.current_time() - began_s < 900

    played(push, tmp_path, Shop(tmp_path, site=build(sandbox(latency_s=2.0, queue="site"))))


def test_what_only_waits_takes_no_more_places_than_all_tenants_have() -> None:
    """Each has a connection to PostgreSQL, which has a hundred for everybody."""

    async def act() -> None:
        crowd = Crowd(1)
        mine, theirs = Lanes(crowd), Lanes(crowd)
        assert [mine.make_way(), theirs.make_way()] == [True, False]
        mine.wait_no_more()
        assert theirs.make_way()

    anyio.run(act)


def test_what_waits_for_its_turn_stands_in_the_ledger_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs may ask for thousands of pushes while the ERP is slow; the server stays small."""
    take = Lanes.lane

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        free = anyio.Event()

        @asynccontextmanager
        async def waited_for(of: Lanes) -> AsyncIterator[Lane]:
            await free.wait()
            async with take(of) as lane:
                yield lane

        monkeypatch.setattr(Lanes, "lane", waited_for)
        before = trio.lowlevel.current_statistics().tasks_living
        ids = [
            (await wms.post("/pushes", json=asked(f"e{nth}", number))).json()["id"]
            for nth, number in enumerate(orders(40))
        ]
        await wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living - before <= MOST_AHEAD + 2
        free.set()
        for id_ in ids:
            assert (await until_over(wms, id_))["counts"] == {"pushed": 1}
        assert {shop.documents(number) for number in orders(40)} == {1}

    played(act, tmp_path)


def test_what_another_server_has_accepted_and_died_with_is_taken_up_as_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the ledger that both share, and waited for a restart."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        with monkeypatch.context() as other:
            other.setattr(Workshop, "begin", lambda *_: None)
            made = await wms.post("/pushes", json=asked("e-1", *orders(2)))
        assert (made.status_code, made.json()["state"]) == (202, "accepted")
        id_ = made.json()["id"]
        await anyio.sleep(LEFT_S / 2)
        assert (await wms.get(f"/pushes/{id_}")).json()["state"] == "accepted"
        await anyio.sleep(LEFT_S)
        assert (await until_over(wms, id_))["counts"] == {"pushed": 2}
        assert {shop.documents(number) for number in orders(2)} == {1}

    played(push, tmp_path)


def test_a_refused_login_is_tried_once_whatever_programs_ask(tmp_path: Path) -> None:
    """Five tries lock the account; once a person was let in, programs are again."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        config = shop.folder / "config.toml"
        sound = config.read_text("utf-8")
        config.write_text(sound.replace('password = "sandbox"', 'password = "wrong"'))
        told = {}
        for nth, number in enumerate(orders(12)):
            answer = await wms.post("/pushes", json=asked(f"e-{nth}", number))
            told[number] = answer.json()["id"]
        for id_ in told.values():
            ended = await until_over(wms, id_)
            assert (ended["exit"], ended["needs_person"]) == (6, True)
            assert ended["counts"] == {"planned": 1}
        first = next(iter(told.values()))
        for _ in range(3):
            await wms.post(f"/pushes/{first}/commands", json={"command": "resume"})
            await until_over(wms, first)
        assert shop.site.calls[Channel.LOGIN] == 1
        config.write_text(sound)
        run = (await wms.get(f"/pushes/{first}")).json()["run"]
        async with signed_in(home, "li") as li:
            await press(li, f"/runs/{run}", f"/runs/{run}/resume")
        assert (await until_over(wms, first))["counts"] == {"pushed": 1}
        for id_ in told.values():
            await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
        for id_ in told.values():
            assert (await until_over(wms, id_))["counts"] == {"pushed": 1}

    played(push, tmp_path)


@pytest.mark.parametrize("others", [0, 1])
def test_a_login_that_is_refused_in_mid_run_is_tried_once_whatever_programs_ask(
    tmp_path: Path, others: int
) -> None:
    """Five tries lock the account; of several users, whoever is left goes on."""
    shop = Shop(
        tmp_path, '[[erp.identities]]\nusername = "sandbox2"\npassword = "sandbox"\n' * others
    )

    async def push(_: Shop, home: House, wms: httpx.AsyncClient) -> None:
        logins, told = shop.site.logins, list[int]()

        async def ask(nth: int) -> None:
            answer = await wms.post("/pushes", json=asked(f"e-{len(told)}", orders(9)[nth]))
            told.append((await until_over(wms, answer.json()["id"]))["exit"])

        def set_password(text: str) -> None:
            users = {**logins.accounts.users, "sandbox": text}
            logins.accounts = replace(logins.accounts, users=users)

        async def planned(number: str) -> str:
            async with signed_in(home, "li") as li:
                await send_list(li, number)
                return f"/plans/{(await shop.until(Stage.PLANNED)).id}"

        async def approve(plan: str) -> None:
            async with signed_in(home, "li") as li:
                await press(li, plan, f"{plan}/approve")

                async def is_over() -> bool:
                    return await find_in(shop, plan) is Stage.ENDED

                await until(is_over)

        nothing_left = await planned(OLD_ORDER)  # nobody logs in for it
        await ask(0)
        set_password("another")
        logins.lose_all()
        for nth in range(1, 6):
            await ask(nth)
            await anyio.sleep(2 * IDLE_S)
        assert told == [0, *[0 if others else 6] * 5]
        await approve(nothing_left)
        if others:
            await approve(await planned(orders(9)[8]))
        await ask(6)
        assert logins.failures == 1
        set_password("sandbox")
        successes = logins.successes
        if others:
            await anyio.sleep(LEFT_ALONE_S)
        else:
            await approve(await planned(orders(9)[8]))
        await ask(7)
        assert told[-1] == 0
        assert logins.successes - successes > others

    played(push, tmp_path, shop)


async def find_in(shop: Shop, plan: str) -> Stage | None:
    """Return how far the request of a plan's page is."""
    found = await find_request(shop.ledger, plan.rpartition("/")[2])
    return found.stage if found else None


def test_programs_are_let_in_again_after_another_has_taken_their_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It logged in as the same user (P 2.8): no login was refused, and no account gets locked."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        with monkeypatch.context() as fight:
            fight.setattr(Logins, "find", lambda *_: None)
            # Virtual time runs on while a thread of the ledger works, which may take any time.
            fight.setattr(shared_login, "LOST_S", math.inf)
            told = []
            for nth, number in enumerate(orders(12)):
                answer = await wms.post("/pushes", json=asked(f"e-{nth}", number))
                told.append(answer.json()["id"])
            for id_ in told:
                ended = await until_over(wms, id_)
                assert (ended["exit"], ended["counts"]) == (6, {"planned": 1})
        assert shop.site.calls[Channel.LOGIN] == 2
        await anyio.sleep(2 * LOST_S)
        for id_ in told:
            await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
            assert (await until_over(wms, id_))["counts"] == {"pushed": 1}
        assert {shop.documents(number) for number in orders(12)} == {1}

    played(push, tmp_path)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", ["html-502", "html-503", "empty", "cut-off", "reset"])
def test_a_first_login_that_breaks_is_made_again_twice(
    tmp_path: Path, name: str, times: int
) -> None:
    """A proxy whose server was away for a moment had cost a night; five wrong logins lock."""
    shop = Shop(tmp_path, site=build(sandbox(steps(*[name] * times, on=Channel.LOGIN))))

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        told = await wms.post("/pushes", json=asked("e", *orders(2)))
        ended = await until_over(wms, told.json()["id"])
        assert ended["exit"] == (6 if times == 3 else 0)
        assert shop.site.calls[Channel.LOGIN] == min(times + 1, 3)

    played(push, tmp_path, shop)


def test_a_stop_while_a_login_is_to_be_made_again_makes_no_more(tmp_path: Path) -> None:
    """All that were left were made at once, and five wrong ones lock the account."""
    shop = Shop(tmp_path, site=build(sandbox(steps(*["html-502"] * 3, on=Channel.LOGIN))))

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        told = (await wms.post("/pushes", json=asked("e", *orders(2)))).json()
        while not shop.site.calls[Channel.LOGIN]:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.1)
        await wms.post(f"/pushes/{told['id']}/commands", json={"command": "stop"})
        ended = await until_over(wms, told["id"])
        assert (ended["exit"], ended["counts"]) == (5, {"planned": 2})
        assert shop.site.calls[Channel.LOGIN] < 3

    played(push, tmp_path, shop)


# -- what is refused ------------------------------------------------------------------------------


def test_the_page_of_addresses_tells_what_is_sent_and_told(tmp_path: Path) -> None:
    """Types and all; somebody can begin from it alone."""

    async def push(_: Shop, home: House, __: httpx.AsyncClient) -> None:
        async with program(home) as nobody:
            page = await nobody.get("/")
            document = (await nobody.get("/openapi.json")).text
        shown = text_of(page)
        assert f"curl http://127.0.0.1:8200{API}/pushes -H" in shown
        assert "needed string Your own name for this" in shown
        assert "What is sent: Wanted" in shown
        assert "202 A push, and how it stands. Push" in shown
        assert "Successful Response" not in page.text + document
        assert 'href="#Push"' in page.text

    played(push, tmp_path)


def test_what_is_wrong_is_said_without_the_words_of_a_library(tmp_path: Path) -> None:
    """A check of ours has a sentence of ours."""

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        answer = await wms.post("/pushes", json={"key": "k"})
        assert answer.json()["errors"] == [{"place": "body", "what": "give either numbers or ids"}]

    played(push, tmp_path)


def test_all_that_is_wrong_with_a_body_is_said_at_once(tmp_path: Path) -> None:
    """Who mends one thing after another asks once for each of a thousand bills."""
    wanted = {
        "key": "a\nb",
        "numbers": ["", "A,B", 17, "C\u200bD", "E"],
        "ids": ["0"],
        "route": "other",
        "follow": ["audit"],
        "more": 1,
    }

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        for path in ("/pushes", "/plans"):
            told = (await wms.post(path, json=wanted)).json()["errors"]
            places = {each["place"].removeprefix("body").removeprefix(".") for each in told}
            numbers = {f"numbers.{nth}" for nth in range(4)}
            assert places == {"", "key", "ids.0", "route", "follow", "more"} | numbers
            assert not [each for each in told if each["what"].startswith(("job.", "api."))]
        # As curl sends what stands behind -d.
        form = {"content-type": "application/x-www-form-urlencoded"}
        for body, headers in ((b'{"key": "k", "numbers": ["A"]}', form), (b"[]", AS_JSON)):
            (fault,) = (await wms.post("/pushes", content=body, headers=headers)).json()["errors"]
            assert (fault["place"], "application/json" in fault["what"]) == ("body", True), fault
        zh = {"accept-language": "zh"}
        told = (await wms.post("/pushes", json={"key": "k"}, headers=zh)).json()["errors"]
        assert told == [{"place": "body", "what": "numbers 和 ids 须二选一"}]

    played(push, tmp_path)


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ({}, "body.key"),
        ({"key": "k"}, "body"),
        ({"key": "k", "numbers": ["A"], "ids": ["1"]}, "body"),
        ({"key": "", "numbers": ["A"]}, "body.key"),
        ({"key": "a\nb", "numbers": ["A"]}, "body.key"),
        ({"key": "\ud800", "numbers": ["A"]}, "body.key"),
        ({"key": "k", "numbers": ["A,B"]}, "body.numbers.0"),
        ({"key": "k", "numbers": ["A", " "]}, "body.numbers.1"),
        ({"key": "k", "numbers": ["\u0000"]}, "body.numbers.0"),
        ({"key": "k", "numbers": ["\ud800"]}, "body.numbers.0"),
        ({"key": "k", "numbers": ["A" * 81]}, "body.numbers.0"),
        ({"key": "k", "numbers": [17]}, "body.numbers.0"),
        ({"key": "k", "numbers": ["A"] * (MOST_BILLS + 1)}, "body.numbers"),
        ({"key": "k", "ids": ["0"]}, "body.ids.0"),
        ({"key": "k", "numbers": ["A"], "route": "other"}, "body.route"),
        ({"key": "k", "numbers": ["A"], "more": 1}, "body.more"),
        ({"key": "k", "numbers": ["A"], "\ud800": 1}, "body"),
    ],
)
def test_a_request_that_says_what_it_should_not_is_refused(
    tmp_path: Path, wanted: dict[str, object], place: str
) -> None:
    """The place is named, and nothing is in the ledger."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        body = json.dumps(wanted).encode()
        for path in ("/pushes", "/plans"):
            answer = await wms.post(
                path, content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert place in [each["place"] for each in answer.json()["errors"]], answer.text
        assert await requests(shop.ledger) == []

    played(push, tmp_path)


@UNREAD
def test_a_body_that_cannot_be_read_or_is_too_large_is_refused(tmp_path: Path) -> None:
    """However it is sent."""

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        as_json = {"content-type": "application/json"}
        deep = b"[" * 100_000 + b"]" * 100_000
        bodies = {b"{": 400, b"\xff\xfe": 400, b"": 422, b"[]": 422, b"null": 422, deep: 400}
        for body, status in bodies.items():
            answer = await wms.post("/pushes", content=body, headers=as_json)
            assert answer.status_code == status, (body[:9], answer.text)
            assert answer.json()["status"] == status

        async def endless() -> object:
            for _ in range(40):
                yield b" " * (1 << 16)

        for large in (b" " * (1 << 21), endless()):
            answer = await wms.post("/pushes", content=large, headers=as_json)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["type"][-9:]) == (413, "too-large")

    played(push, tmp_path)


@pytest.mark.parametrize(("path", "status"), [("/pushes", 422), ("/no", 404), ("/pushes/x", 405)])
def test_a_problem_is_told_in_the_language_of_the_program(
    tmp_path: Path, path: str, status: int
) -> None:
    """Also one of which nothing more is known than its kind."""

    async def push(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        told = {}
        for language in ("en", "zh-CN"):
            answer = await wms.post(path, json={}, headers={"accept-language": language})
            assert answer.status_code == status, answer.text
            told[language] = answer.json()["detail"]
        assert told["en"].isascii()
        assert re.search("[一-鿿]", told["zh-CN"]), told

    played(push, tmp_path)


def test_a_program_that_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    """One program's haste is no other's."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        slow, other = await shop.token("slow", rate=3), await shop.token("other", rate=3)
        async with shop.open() as home, program(home, slow) as client:
            codes = [(await client.get("/pushes/x")).status_code for _ in range(4)]
            assert codes == [404, 404, 404, 429]
            answer = await client.get("/pushes/x")
            wait_s = int(answer.headers["retry-after"])
            assert 0 < wait_s <= 20
            async with program(home, other) as theirs:
                assert (await theirs.get("/pushes/x")).status_code == 404
            await anyio.sleep(wait_s)
            assert (await client.get("/pushes/x")).status_code == 404

    in_time(visit)


def test_no_session_opens_an_address_of_programs_and_no_token_a_page(tmp_path: Path) -> None:
    """A foreign page in somebody's browser can push nothing."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, signed_in(home, "li") as li, program(home, token) as wms:
            refused = await li.post(f"{API}/pushes", json=asked("e", *orders(1)))
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            bearer = {"authorization": f"Bearer {token}"}
            async with home.browser() as stranger:
                page = await stranger.get("/runs/x", headers=bearer)
                assert page.status_code == 303
                assert page.headers["location"].partition("?")[0] == "/login"
            foreign = await wms.get("/pushes/x", headers={"host": "evil.example"})
            assert (foreign.status_code, foreign.json()["status"]) == (421, 421)
            for path in ("/t/config/api/v1/pushes/x", "/api/v2/pushes/x", "/api/v1pushes"):
                async with home.browser() as stranger:
                    assert (await stranger.get(path)).status_code in {303, 404}

    in_time(visit)


def test_a_server_that_only_watches_takes_nothing_from_programs(tmp_path: Path) -> None:
    """What it would not execute must not be accepted."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            id_ = (await wms.post("/pushes", json=asked("d", *orders(1)))).json()["id"]
            await until_over(wms, id_)
        watching = replace(shop.tenant(), workshop=None)
        async with house(watching) as home, program(home, token) as wms:
            answer = await wms.post("/pushes", json=asked("e", *orders(1)))
            assert (answer.status_code, answer.json()["type"][-12:]) == (503, "only-watches")
            # It tells how a push stands all the same.
            assert (await wms.get(f"/pushes/{id_}")).status_code == 200
        assert len(await requests(shop.ledger)) == 1

    in_time(visit)


def test_each_tenant_lets_in_its_own_programs(tmp_path: Path) -> None:
    """The address names the tenant, and a token of another opens nothing, nor tells of which."""

    async def visit() -> None:
        shops = {}
        tenants = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            shops[name] = Shop(tmp_path / name)
            tenants.append(replace(shops[name].tenant(), name=name))
        token = await shops["a"].token()
        async with house(*tenants, several=True) as home, program(home, token) as wms:
            base = "http://127.0.0.1:8200"
            wanted = asked("e", *orders(1))
            answers = {}
            for name, status in (("a", 202), ("b", 401), ("c", 401)):
                answer = await wms.post(f"{base}/t/{name}/api/v1/pushes", json=wanted)
                assert answer.status_code == status, (name, answer.text)
                answers[name] = (answer.text, sorted(answer.headers))
            assert answers["b"] == answers["c"]  # which is no tenant
            ended = await shops["a"].until("ended")
            assert await shops["a"].counts(ended.runs[0]) == {State.PUSHED: 1}
            home.ready.close()
            await home.ready.drained()

    in_time(visit)


def test_who_may_only_look_sees_what_others_have_asked_for_on_its_route(tmp_path: Path) -> None:
    """It can ask for nothing itself, and would see nothing; who may do more sees its own alone."""

    async def push(shop: Shop, home: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/pushes", json=asked("e", *orders(1)))).json()["id"]
        await until_over(wms, id_)
        seen = {}
        roles: dict[str, ProgramRole] = {"eye": "view", "mes": "operate"}
        for name, role in roles.items():
            async with program(home, await shop.token(name, role)) as other:
                answers = [await other.get(f"/pushes/{id_}{part}") for part in ("", "/rows")]
                body = {"command": "retry"}
                answers.append(await other.post(f"/pushes/{id_}/commands", json=body))
                seen[name] = [answer.status_code for answer in answers]
        assert seen == {"eye": [200, 200, 403], "mes": [404, 404, 404]}

    played(push, tmp_path)


def test_what_could_not_be_begun_is_begun_by_command(tmp_path: Path) -> None:
    """Its key stays its own, and the cure is told."""

    async def push(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        config = shop.folder / "config.toml"
        sound = config.read_text("utf-8")
        config.write_text(sound.replace('password = "sandbox"', 'password = { env = "NONE_SUCH" }'))
        id_ = (await wms.post("/pushes", json=asked("e", *orders(1)))).json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["needs_person"], told["run"]) == ("failed", True, None)
        assert "NONE_SUCH" in told["why"]
        config.write_text(sound)
        assert (await wms.post("/pushes", json=asked("e", *orders(1)))).json()["state"] == "failed"
        resumed = await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
        assert resumed.status_code == 202
        assert (await until_over(wms, id_))["counts"] == {"pushed": 1}

    played(push, tmp_path)


def test_what_was_begun_is_never_said_to_have_failed_to_begin(tmp_path: Path) -> None:
    """A secret is gone when the server starts again, and a half of the bills is pushed by then."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            id_ = (await wms.post("/pushes", json=asked("e-1", *orders(5)))).json()["id"]
            with anyio.fail_after(600):
                while not any(shop.documents(number) for number in orders(5)):
                    await anyio.lowlevel.checkpoint()
            dead, shop.ledger = shop.ledger, shop.ledger.another_process()
            dead.die()
        config = shop.folder / "config.toml"
        sound = config.read_text("utf-8")
        config.write_text(sound.replace('password = "sandbox"', 'password = { env = "NONE_SUCH" }'))
        async with shop.open() as home, program(home, token) as wms:
            told = await until_over(wms, id_)
            assert (told["state"], told["needs_person"], told["exit"]) == ("ended", True, None)
            assert "NONE_SUCH" in told["why"]
            config.write_text(sound)
            resumed = await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
            assert resumed.status_code == 202
            assert (await until_over(wms, id_))["counts"] == {"pushed": 5}
        assert {shop.documents(number) for number in orders(5)} == {1}

    in_time(visit)


def test_people_see_who_has_pushed_and_find_it_by_the_key(tmp_path: Path) -> None:
    """A person who is asked about an event of the WMS finds its push."""

    async def push(_: Shop, home: House, wms: httpx.AsyncClient) -> None:
        id_ = (await wms.post("/pushes", json=asked("GR-4711", *orders(1)))).json()["id"]
        told = await until_over(wms, id_)
        async with signed_in(home, "guest") as guest:
            assert told["run"] in (await guest.get("/", params={"words": "gr-4711"})).text
            page = await guest.get(f"/runs/{told['run']}")
            assert ("api/wms" in page.text, page.status_code) == (True, 200)
            assert (await guest.get(f"/plans/{id_}")).status_code == 404

    played(push, tmp_path)


def test_what_is_asked_for_after_the_account_has_changed_is_refused_in_words(
    tmp_path: Path,
) -> None:
    """A file was changed under the server; the other account got an empty run by a defect."""

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        config = tmp_path / "config.toml"
        text = config.read_text("utf-8")
        config.write_text(text.replace('acct_id = "sandbox"', 'acct_id = "other"'), "utf-8")
        made = (await wms.post("/pushes", json={"key": "1", "numbers": orders(3)})).json()
        told = await until_over(wms, made["id"])
        assert told["state"] == "failed"
        assert "account set sandbox" in told["why"]
        assert not await shop.ledger.of_account("other").runs()

    played(act, tmp_path)


@pytest.mark.parametrize("lowered", [False, True])
def test_four_eyes_hold_for_a_push_that_has_failed_before(tmp_path: Path, *, lowered: bool) -> None:
    """To go on with it is a push, which needs a plan; and a role that may push.

    It was asked for before that was so.
    """
    shop = Shop(tmp_path)

    async def visit() -> None:
        token = await shop.token()
        config = tmp_path / "config.toml"
        sound = config.read_text("utf-8")
        async with shop.open() as home, program(home, token) as wms:
            config.write_text(
                sound.replace('password = "sandbox"', 'password = { env = "NONE_SUCH" }'), "utf-8"
            )
            asked = (await wms.post("/pushes", json={"key": "e", "numbers": orders(1)})).json()
            assert (await until_over(wms, asked["id"]))["state"] == "failed"
        config.write_text(sound, "utf-8")
        if lowered:
            await revoke_program(shop.ledger, VirtualClock(), "wms")
            token = await shop.token(role="operate")
        rules = BY_NAME if lowered else FOUR_EYES
        async with shop.open(rules) as home, program(home, token) as wms:
            path = f"/pushes/{asked['id']}/commands"
            answer = await wms.post(path, json={"command": "resume"})
            assert answer.status_code == 403
        assert shop.site.calls[Channel.PUSH] == 0

    in_time(visit)
