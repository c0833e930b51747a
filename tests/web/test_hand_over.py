"""Where a fleet is, pushes are given to it: once each, and their ends are told all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import TaskGroup, TaskStatus

from k3push.config.settings_file import read_settings
from k3push.core.model import RunId
from k3push.ports import Memo
from k3push.runs.kept_in_ledger.request_stages import (
    OvertakenError,
    Request,
    RequestKind,
    Stage,
    move,
    requests,
)
from k3push.runs.outcome import Exit
from k3push.runs.push_requests.program_events import receiver_id
from k3push.runs.push_requests.program_tokens import TOKEN
from k3push.simulator import build
from k3push.wiring.executor import RunOptions
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.webhook_receivers import Receivers
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import NOON, orders, sandbox, steps
from tests.web.programs import played, program, until_over
from tests.web.shop import BY_NAME, Shop, press, send_list, signed_in
from tests.web.test_webhooks import HERE, SECRET, Receiver
from tests.web.visits import PATIENCE_S, SPEAKERS, House, in_time


@dataclass
class Elsewhere:
    """A fleet of one worker. Fulfils `web.execution.request_fulfilment.HandOver`.

    Attributes:
        works: It executes what it gets; else it never comes to it.
        given: What it got, by request.
    """

    folder: Path
    works: bool = True
    given: list[tuple[str, list[RunId]]] = field(default_factory=list)
    shop: Shop | None = None

    async def __call__(self, request: Request, runs: Mapping[RunId, int]) -> None:
        """Execute runs as a worker does, with the settings and the ledger alone."""
        self.given.append((request.id, list(runs)))
        if not self.works:
            await anyio.sleep_forever()
        assert self.shop is not None
        settings, say = read_settings(self.folder / "config.toml", {}), SPEAKERS["en"]
        observer = LineObserver(say, lambda *_, **__: None, lambda _: None)
        executor = self.shop.executor(settings, RunOptions(), observer, say)
        for run in runs:
            await executor.go_on(self.shop.ledger, run)


def shop_beside(fleet: Elsewhere, **more: object) -> Shop:
    """Return a shop that gives its pushes to a fleet."""
    fleet.shop = Shop(fleet.folder, hand_over=fleet, **more)  # type: ignore[arg-type]
    return fleet.shop


def test_a_push_of_a_program_is_executed_elsewhere_and_its_end_is_told(tmp_path: Path) -> None:
    """The program and its receivers see no difference."""
    fleet, receiver = Elsewhere(tmp_path), Receiver()
    receivers = Receivers({receiver_id(HERE): HERE}, SECRET)
    shop = shop_beside(fleet, receivers=receivers, send=receiver.post)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/pushes", json={"key": "e-1", "numbers": orders(3)})
        told = await until_over(wms, made.json()["id"])
        assert (told["state"], told["exit"], told["counts"]) == ("ended", 0, {"pushed": 3})
        assert fleet.given == [(told["id"], [told["run"]])]
        await receiver.until(1)
        assert receiver.types() == ["push.ended"]

    played(act, tmp_path, shop)


def test_a_plan_that_is_approved_is_executed_elsewhere(tmp_path: Path) -> None:
    """Planned here, where somebody looks at it; what is resumed later is given away as well."""
    fleet = Elsewhere(tmp_path)
    shop = shop_beside(fleet)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await send_list(li, "\n".join([*orders(3), "CGDDU000003"]))
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            (run,) = (await shop.until("ended")).runs
            assert await shop.counts(run) == {"pushed": 3, "rejected": 1}
            await press(li, f"/runs/{run}", f"/runs/{run}/retry", all="yes")
            retried = await shop.until("ended")
        assert fleet.given == [(plan.id, [run]), (retried.id, [run])]
        assert [shop.documents(number) for number in orders(3)] == [1, 1, 1]

    in_time(visit)


def test_what_waits_for_a_worker_is_not_about_to_be_executed_by_the_server(tmp_path: Path) -> None:
    """Where no worker is there, that would be said for ever."""
    fleet = Elsewhere(tmp_path, works=False)
    shop = shop_beside(fleet)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await send_list(li, "\n".join(orders(3)))
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            with anyio.fail_after(PATIENCE_S):
                while not fleet.given:  # noqa: ASYNC110  # the clock jumps from look to look
                    await anyio.sleep(0.1)
            ((_id, (run,)),) = fleet.given
            said = (await li.get(f"/runs/{run}")).text
        assert "it waits in the queue of the fleet" in said
        assert "about to" not in said

    in_time(visit)


def test_a_server_that_ends_leaves_what_the_fleet_has_to_the_next(tmp_path: Path) -> None:
    """It does not wait for a night's work; the next one asks for the same, which is one push."""
    fleet = Elsewhere(tmp_path, works=False)
    shop = shop_beside(fleet)

    async def visit() -> None:
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            made = (await wms.post("/pushes", json={"key": "e-1", "numbers": orders(3)})).json()
            with anyio.fail_after(PATIENCE_S):
                while not fleet.given:  # noqa: ASYNC110  # the clock jumps from look to look
                    await anyio.sleep(0.1)
            assert (await wms.get(f"/pushes/{made['id']}")).json()["state"] == "accepted"
        assert [each.is_open for each in await requests(shop.ledger)] == [True]
        fleet.works = True
        async with shop.open() as home, program(home, token) as wms:
            told = await until_over(wms, made["id"])
        assert told["counts"] == {"pushed": 3}
        assert {id_ for id_, _ in fleet.given} == {made["id"]}
        assert len(await shop.ledger.runs()) == 1

    in_time(visit)


def test_what_a_fleet_comes_back_to_is_not_running_meanwhile(tmp_path: Path) -> None:
    """The ERP cannot be reached, and a worker tries again in an hour."""
    fleet = Elsewhere(tmp_path, works=False)
    shop = shop_beside(fleet)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = (await wms.post("/pushes", json={"key": "e-1", "numbers": orders(3)})).json()
        with anyio.fail_after(PATIENCE_S):
            while not fleet.given:  # noqa: ASYNC110  # the clock jumps from look to look
                await anyio.sleep(0.1)
        ((_id, (run,)),) = fleet.given
        await shop.ledger.end_run(run, Exit.UNREACHABLE, NOON)
        told = (await wms.get(f"/pushes/{made['id']}")).json()
        assert (told["state"], told["exit"]) == ("accepted", 6)

    played(act, tmp_path, shop)


@dataclass
class Cancelled(Elsewhere):
    """A fleet from which each run is taken as it is begun; its worker waits for open calls."""

    tasks: TaskGroup | None = None

    async def __call__(self, request: Request, runs: Mapping[RunId, int]) -> None:
        """Return while a run is executed."""
        self.given.append((request.id, list(runs)))
        assert self.tasks is not None
        for run in runs:
            await self.tasks.start(self.execute, run)

    async def execute(self, run: RunId, *, task_status: TaskStatus[None]) -> None:
        """Execute a run for a while."""
        assert self.shop is not None
        worker = self.shop.ledger.another_process()
        async with worker.own(run):
            task_status.started()
            await anyio.sleep(100)
            await worker.end_run(run, Exit.STOPPED, NOON)


def test_what_a_fleet_was_told_to_leave_has_ended_once_its_calls_have(tmp_path: Path) -> None:
    """A run that is cancelled counts as over at once, and its worker waits for open calls yet."""
    fleet, receiver = Cancelled(tmp_path), Receiver()
    receivers = Receivers({receiver_id(HERE): HERE}, SECRET)
    shop = shop_beside(fleet, receivers=receivers, send=receiver.post)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        async with anyio.create_task_group() as fleet.tasks:
            await wms.post("/pushes", json={"key": "e-1", "numbers": orders(3)})
            await receiver.until(1)
        assert receiver.taken[0][1]["data"]["exit"] == Exit.STOPPED

    played(act, tmp_path, shop)


@dataclass
class PutBack(Elsewhere):
    """A fleet whose database is put back to a moment before it was given what it has."""

    async def __call__(self, request: Request, runs: Mapping[RunId, int]) -> None:
        """Return as of runs that nobody has asked for."""
        self.given.append((request.id, list(runs)))
        assert self.shop is not None
        store = self.shop.ledger._store
        store.memos = {key: memo for key, memo in store.memos.items() if memo.kind == TOKEN}
        for run in runs:
            del store.runs[run]


def test_a_push_that_the_ledger_has_no_more_is_left(tmp_path: Path) -> None:
    """A standby had lost it: the server asked for it without end, and told of a plan."""
    fleet, receiver = PutBack(tmp_path), Receiver()
    receivers = Receivers({receiver_id(HERE): HERE}, SECRET)
    shop = shop_beside(fleet, receivers=receivers, send=receiver.post)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(3)}
        (await wms.post("/pushes", json=wanted)).raise_for_status()
        with anyio.fail_after(PATIENCE_S):
            while not fleet.given:  # noqa: ASYNC110  # the clock jumps from look to look
                await anyio.sleep(0.1)
        await anyio.sleep(600)
        assert receiver.taken == []
        assert (await wms.post("/pushes", json=wanted)).status_code == 202

    played(act, tmp_path, shop)


def test_a_request_that_the_ledger_has_no_more_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever approved it, or ended it, had asked for it without end."""
    tries = iter(range(3))

    async def revise(_: MemoryLedger, __: Memo) -> bool:
        next(tries)
        return False

    monkeypatch.setattr(MemoryLedger, "revise", revise)

    async def visit() -> None:
        asked = Request("a", RequestKind.PUSH, "wang", NOON, Stage.PLANNED)
        with pytest.raises(OvertakenError):
            await move(MemoryLedger(account="sandbox"), asked, Stage.WITHDRAWN)

    in_time(visit)


def test_what_somebody_waits_for_is_asked_here(tmp_path: Path) -> None:
    """A question to the ERP about bills in doubt does not stand in a queue."""
    fleet = Elsewhere(tmp_path)
    site = build(sandbox(steps("make-then-reset")))
    shop = shop_beside(fleet, site=site)
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("fail=20%,min=50", "unknown=1"))

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/pushes", json={"key": "e-1", "numbers": orders(1)})
        told = await until_over(wms, made.json()["id"])
        assert told["counts"] == {"unknown": 1}
        given = len(fleet.given)
        asked = await wms.post(f"/pushes/{told['id']}/commands", json={"command": "settle"})
        assert asked.status_code == 202
        await shop.until("ended")
        assert len(fleet.given) == given

    played(act, tmp_path, shop)
