"""What a server was asked for is not lost where its ledger is away, or lacks what came last."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from k3push.core.model import Run, RunId
from k3push.ports import LedgerLostError
from k3push.runs.outcome import Exit
from k3push.simulator.fault_plans.script import Channel
from k3push.web.execution.request_fulfilment import MOST_LOSSES
from k3push.wiring import executor
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import orders
from tests.web.programs import played, program, until_over
from tests.web.shop import BY_NAME, Shop, press, send_list, signed_in
from tests.web.visits import House, in_time, until

LACKS = ["run", "half of its list", "its end"]


class Behind(MemoryLedger):
    """A ledger that is put back to a moment of its first run, once, as that comes to its end."""

    lacks = ""
    then: Mapping[str, object] | None = None

    async def open_run(self, run: Run) -> None:
        """Remember how all stands before it, or after it."""
        if self.lacks == "run":
            self.then = self.now()
        await super().open_run(run)
        if self.lacks == "half of its list":
            self.then = self.now()

    def now(self) -> Mapping[str, object]:
        """Return all that is in the store; who owns what is no part of it."""
        names = {each.name for each in fields(self._store)} - {"owners"}
        return {name: deepcopy(getattr(self._store, name)) for name in names}

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Put it back, and say that the end could not be written down."""
        lacks, self.lacks = self.lacks, ""
        if not lacks:
            return await super().end_run(run, exit_code, at)
        for name, value in (self.then or {}).items():
            setattr(self._store, name, value)
        raise LedgerLostError("memory: a standby has taken over")


@pytest.mark.parametrize("lacks", LACKS)
def test_a_push_of_which_the_ledger_does_not_know_the_end_is_gone_on_with(
    tmp_path: Path, lacks: str
) -> None:
    """It was `ended`, without a run or an exit code, and could be neither resumed nor repeated."""
    ledger = Behind(account="sandbox")
    ledger.lacks = lacks

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(3)}
        id_ = (await wms.post("/pushes", json=wanted)).json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["exit"]) == ("ended", 0)
        assert sum(told["counts"].values()) == 3
        assert [shop.documents(number) for number in orders(3)] == [1, 1, 1]

    played(act, tmp_path, Shop(tmp_path, ledger=ledger))


def test_a_plan_of_which_the_ledger_does_not_know_the_end_is_gone_on_with(tmp_path: Path) -> None:
    """The plan is on the disk, and a person has approved it."""
    ledger = Behind(account="sandbox")
    ledger.lacks = "run"
    shop = Shop(tmp_path, ledger=ledger)

    async def visit() -> None:
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await send_list(li, "\n".join(orders(3)))
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            (run,) = (await shop.until("ended")).runs
            assert sum((await shop.counts(run)).values()) == 3
        assert [shop.documents(number) for number in orders(3)] == [1, 1, 1]

    in_time(visit)


def test_a_run_that_is_gone_before_anybody_owns_it_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list was about to be written down; programs were told of a defect of k3push."""
    shop = Shop(tmp_path)
    open_run, tries = MemoryLedger.open_run, iter([True])

    async def opened(ledger: MemoryLedger, run: Run) -> None:
        await open_run(ledger, run)
        if next(tries, False):
            del ledger._store.runs[run.id]

    monkeypatch.setattr(MemoryLedger, "open_run", opened)

    async def visit() -> None:
        token = await shop.token()
        async with shop.open() as home, program(home, token) as wms:
            wanted = {"key": "e-1", "numbers": orders(2)}
            id_ = (await wms.post("/pushes", json=wanted)).json()["id"]
            told = await until_over(wms, id_)
            assert (told["state"], told["exit"], told["counts"]) == ("ended", 0, {"pushed": 2})

    in_time(visit)


def lost_at(monkeypatch: pytest.MonkeyPatch, verb: str, times: int) -> list[str]:
    """Have calls of a verb meet a ledger that is away; return what is left of them."""
    kept, left = getattr(MemoryLedger, verb), [verb] * times

    async def away(ledger: MemoryLedger, *given: Any, **named: Any) -> Any:
        if left:
            left.pop()
            raise LedgerLostError("memory: away for a moment")
        return await kept(ledger, *given, **named)

    monkeypatch.setattr(MemoryLedger, verb, away)
    return left


@pytest.mark.parametrize("verb", ["claim", "begin", "record"])
def test_a_push_whose_ledger_was_away_for_a_moment_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Its end could be written again: it was `ended` with exit code 5, and waited for a person."""
    lost_at(monkeypatch, verb, 1)

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(3)}
        id_ = (await wms.post("/pushes", json=wanted)).json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["exit"], told["counts"]) == ("ended", 0, {"pushed": 3})
        assert [shop.documents(number) for number in orders(3)] == [1, 1, 1]

    played(act, tmp_path)


def test_a_push_that_waits_for_its_ledger_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop was refused, since nothing was under way, and half a minute later all was sent."""
    lost_at(monkeypatch, "begin", 1)

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(3)}
        id_ = (await wms.post("/pushes", json=wanted)).json()["id"]

        async def waits() -> bool:
            told = (await wms.get(f"/pushes/{id_}")).json()
            return (told["state"], told["exit"]) == ("accepted", Exit.STOPPED)

        await until(waits)
        stop = await wms.post(f"/pushes/{id_}/commands", json={"command": "stop"})
        assert stop.status_code == 202
        told = await until_over(wms, id_)
        assert (told["state"], told["exit"], told["counts"]) == ("ended", 5, {"planned": 3})
        assert shop.site.calls[Channel.PUSH] == 0
        await wms.post(f"/pushes/{id_}/commands", json={"command": "resume"})
        told = await until_over(wms, id_)
        assert (told["exit"], told["counts"]) == (0, {"pushed": 3})

    played(act, tmp_path)


def test_a_push_whose_ledger_is_lost_each_time_ends_and_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk may take an end and no attempt: that is tried so often, and not for ever."""
    left, people = lost_at(monkeypatch, "begin", 1000), []

    async def told_people(*given: object) -> None:
        people.append(given)

    monkeypatch.setattr(executor, "tell_people", told_people)

    async def act(shop: Shop, _: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(1)}
        began_s = anyio.current_time()
        id_ = (await wms.post("/pushes", json=wanted)).json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["exit"], told["needs_person"]) == ("ended", 5, True)
        assert 1000 - len(left) == MOST_LOSSES + 1
        assert 900 < anyio.current_time() - began_s < 1200  # with growing pauses
        assert len(people) == 1  # once nobody goes on with it by itself
        assert shop.documents(orders(1)[0]) == 0

    played(act, tmp_path)


def test_a_plan_whose_ledger_was_away_for_a_moment_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had `failed`, and was to be asked for anew, with a new key."""
    left = lost_at(monkeypatch, "made_in", 1)

    async def act(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        wanted = {"key": "e-1", "numbers": orders(3)}
        id_ = (await wms.post("/plans", json=wanted)).json()["id"]
        told = await until_over(wms, id_)
        assert (told["state"], told["plan"]["bills"]) == ("planned", {"ready": 3})
        assert not left

    played(act, tmp_path)
