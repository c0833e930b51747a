"""Looks at what has come to its end that cannot be made: they stay due."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import PARTLY, TWIN, BillNumber, Route, Sighting, State
from k3push.ports import LookFailedError, LookRefusedError, Memo
from k3push.runs.context import Context
from k3push.runs.lookup.looker import Looker
from k3push.runs.outcome import Exit
from k3push.runs.proof.absence_proof import Proofs
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.proof.missed_looks import DUE, due_look
from k3push.runs.stop import Cause
from k3push.simulator import Policy
from k3push.simulator.books.forms import IN_STOCK
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    Office,
    VirtualClock,
    one_by_one,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    REFUSED,
    keep_a_part,
    name_nothing,
    plan_again,
    until_lost,
    until_rejected,
)
from tests.runs.test_learnt_links import KEEPS_NONE
from tests.runs.test_refused_parts import as_executed

pytestmark = pytest.mark.anyio


def refuse_looks(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the bills of which the ERP refuses to be asked for documents."""
    look, refused = ErpClient.targets_of, set[str]()

    async def refuse(
        erp: ErpClient,
        route: Route,
        asked: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        if refused.intersection(asked):
            raise LookRefusedError("GetRealExpress error", code="4")
        return await look(erp, route, asked, by_all=by_all, unsent=unsent)

    monkeypatch.setattr(ErpClient, "targets_of", refuse)
    return refused


@pytest.mark.parametrize("then", ["resume", "settle", "retry"])
async def test_a_part_whose_last_look_the_erp_refuses_is_told_later(
    monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """A rule splits a bill, its first document is saved and shown late, and the look is refused."""
    name_nothing(monkeypatch)
    numbers = orders(2)
    bad = numbers[1]
    office = Office(
        sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    )
    keep_a_part(monkeypatch, [bad], kept=1)
    await office.open_run(numbers)
    refused = refuse_looks(monkeypatch)

    async def refuse(_: Context) -> None:
        await until_rejected(office, bad)
        refused.add(bad)

    pushed = await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), beside=refuse, check=False
    )
    assert (pushed.rows[bad].state, pushed.rows[bad].attempts) == (State.REJECTED, 1)
    await office.store.end_run(FIRST, Exit.SOME_REJECTED, VirtualClock().now())
    refused.clear()
    await anyio.sleep(3600)
    if then == "retry":
        await plan_again(office)
    work = only_settle if then == "settle" else as_executed
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), work=work, check=False)
    row = pushed.rows[bad]
    assert (row.state, row.code) == (State.PUSHED, PARTLY), row
    assert await due_look(office.store, FIRST) is None


@pytest.mark.parametrize("then", ["resume", "settle", "retry"])
async def test_a_document_by_its_number_is_told_once_it_is_learnt_that_no_links_are_kept(
    monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """A refused call has saved it, and whether the site keeps links cannot be asked at first."""
    bad, other = orders(2)
    office = Office(
        sandbox(routes=KEEPS_NONE, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN),
        documents=False,
    )
    for line in office.site.world.add_target(IN_STOCK, other, creator="clerk").entries:
        line.links = ()
    keep_a_part(monkeypatch, [bad], kept=1)
    await office.open_run([bad])
    learn, away = Proofs.ask_newest_links, [False]

    async def fail(proofs: Proofs, looker: Looker) -> None:
        if away[0]:
            raise LookFailedError("HTTP 502")
        await learn(proofs, looker)

    async def go_away(_: Context) -> None:
        await until_rejected(office, bad)
        away[0] = True

    monkeypatch.setattr(Proofs, "ask_newest_links", fail)
    pushed = await office.execute(limits=NO_CANARY, beside=go_away, check=False)
    assert (pushed.rows[bad].state, pushed.rows[bad].targets) == (State.REJECTED, ())
    assert await due_look(office.store, FIRST) is not None
    away[0] = False
    await office.store.end_run(FIRST, Exit.STOPPED, VirtualClock().now())
    if then == "retry":
        await plan_again(office)
    work = only_settle if then == "settle" else as_executed
    pushed = await office.execute(limits=NO_CANARY, work=work, check=False)
    row = pushed.rows[bad]
    assert (row.state, len(row.targets)) == (State.PUSHED, 1), row
    assert len(office.site.world.documents_of(bad)) == 1
    assert await due_look(office.store, FIRST) is None


@pytest.mark.parametrize("then", ["resume", "settle", "retry"])
async def test_what_was_lost_and_whose_last_look_the_erp_refuses_is_told_later(
    monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """A call is carried out after its window, and from then on the ERP refuses the look."""
    numbers = orders(12)
    office = Office(
        sandbox(steps(*["ok"] * 11, "commit-late-then-reset:900"), latency_s=1.0, **OPEN)
    )
    await office.open_run(numbers)
    refused = refuse_looks(monkeypatch)

    async def refuse(_: Context) -> None:
        lost = await until_lost(office)
        while (await office.rows())[lost].state is State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        refused.add(lost)

    pushed = await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), beside=refuse, check=False
    )
    (lost,) = refused
    assert (pushed.rows[lost].state, pushed.rows[lost].attempts) == (State.REJECTED, 1)
    await office.store.end_run(FIRST, Exit.SOME_REJECTED, VirtualClock().now())
    refused.clear()
    await anyio.sleep(900)
    if then == "retry":
        await plan_again(office)
    work = only_settle if then == "settle" else as_executed
    pushed = await office.execute(limits=NO_CANARY, throttle=one_by_one(), work=work, check=False)
    assert pushed.rows[lost].state is State.PUSHED, pushed.rows[lost]
    assert len(office.site.world.documents_of(lost)) == 1


@pytest.mark.parametrize("then", ["resume", "settle", "retry"])
async def test_a_refused_look_at_one_bill_keeps_no_other_bill_waiting(
    monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The last look at one of two refused bills is refused; a person pushes the other by hand."""
    office = Office(sandbox(latency_s=1.0, **OPEN))
    world, numbers = office.site.world, orders(4)
    bad, odd = numbers[2:]
    for each in (bad, odd):
        world.refuse(each, REFUSED)
    await office.open_run(numbers)
    refused = refuse_looks(monkeypatch)

    async def refuse(_: Context) -> None:
        await until_rejected(office, odd)
        refused.add(odd)

    pushed = await office.execute(throttle=one_by_one(), beside=refuse)
    assert pushed.of(State.REJECTED) == {bad, odd}
    await office.store.end_run(FIRST, Exit.SOME_REJECTED, VirtualClock().now())
    await anyio.sleep(3600)
    world.allow(bad)
    world.add_target(IN_STOCK, bad, creator="clerk")
    if then == "retry":
        await plan_again(office)
    work = only_settle if then == "settle" else as_executed
    pushed = await office.execute(throttle=one_by_one(), work=work, check=False)
    assert pushed.rows[bad].state is (State.ALREADY if then == "retry" else State.REJECTED)
    due = await due_look(office.store, FIRST)
    assert due is not None
    assert due.left.keys() == {odd}


@pytest.mark.parametrize("command", ["resume", "settle"])
async def test_a_second_document_that_comes_after_the_first_was_found_is_told(
    command: str,
) -> None:
    """A rule splits one bill, and the call that saves both documents is lost; settling goes on."""
    numbers = orders(14)
    plan = steps(*["ok"] * 10, "make-then-reset", "ok", "ok", "reset")
    office = Office(sandbox(plan, latency_s=1.0, look_s=0.1, **OPEN))
    await office.open_run(numbers)

    async def stop(job: Context) -> None:
        while len([r for r in (await office.rows()).values() if r.state is State.UNKNOWN]) < 2:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(limits=NO_CANARY, throttle=one_by_one(), beside=stop, check=False)
    lost = next(n for n, r in (await office.rows()).items() if r.state is State.UNKNOWN)

    async def add(_: Context) -> None:
        while (await office.rows())[lost].state is State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        office.site.world.add_target(IN_STOCK, lost, creator="sandbox")

    work = only_settle if command == "settle" else as_executed
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=one_by_one(),
        settle=SettleTimes(),
        beside=add,
        work=work,
        check=False,
    )
    assert len(office.site.world.documents_of(lost)) == 2
    assert pushed.rows[lost].code == TWIN, pushed.rows[lost]


async def test_what_was_found_once_and_then_killed_is_looked_at_once_more() -> None:
    """The process dies between the row of a lost bill and its last look; a second one has come."""
    numbers = orders(14)
    plan = steps(*["ok"] * 10, "make-then-reset", "ok", "ok", "reset")
    office = Office(sandbox(plan, latency_s=1.0, look_s=0.1, **OPEN))
    await office.open_run(numbers)
    lost = []

    async def kill(job: Context) -> None:
        lost.append(await until_lost(office))
        while (await office.rows())[lost[0]].state is State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        job.stop.scope.cancel()

    settle = SettleTimes()
    await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), settle=settle, beside=kill, check=False
    )
    assert (await office.rows())[lost[0]].state is State.PUSHED
    office.site.world.add_target(IN_STOCK, lost[0], creator="sandbox")
    pushed = await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), settle=settle, check=False
    )
    assert len(office.site.world.documents_of(lost[0])) == 2
    assert pushed.rows[lost[0]].code == TWIN, pushed.rows[lost[0]]


async def test_no_bill_is_given_up_before_its_last_look_is_written_down_as_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two bills are refused at one moment, and the ledger takes a while to write that down."""
    numbers, early = orders(2), list[str]()
    remember, record = MemoryLedger.remember, MemoryLedger.record

    async def slowly(self: MemoryLedger, memo: Memo) -> Memo:
        if memo.kind == DUE:
            await anyio.sleep(1)
        return await remember(self, memo)

    async def looked_after(self: MemoryLedger, *what: Any, **how: Any) -> None:
        if await due_look(self, FIRST) is None:
            early.extend(what[0].intent.numbers)
        await record(self, *what, **how)

    monkeypatch.setattr(MemoryLedger, "remember", slowly)
    monkeypatch.setattr(MemoryLedger, "record", looked_after)
    office = Office(sandbox(latency_s=1.0, **OPEN))
    for number in numbers:
        office.site.world.refuse(number, REFUSED)
    await office.open_run(numbers)
    throttle = steered(concurrency=2, chunk_size=1)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle)
    assert pushed.of(State.REJECTED) == set(numbers)
    assert early == []


async def test_a_part_is_told_though_the_ledger_was_away_as_the_refusal_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database restarts for half a minute: the look is made before the row says `rejected`."""
    name_nothing(monkeypatch)
    numbers, record = orders(50), MemoryLedger.record
    bad = numbers[1]  # others leave beside it, once the first call was answered
    office = Office(
        sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    )
    keep_a_part(monkeypatch, [bad], kept=1)

    async def late(self: MemoryLedger, *what: Any, **how: Any) -> None:
        if what[0].intent.numbers == (bad,):
            await anyio.sleep(28)
        await record(self, *what, **how)

    monkeypatch.setattr(MemoryLedger, "record", late)
    await office.open_run(numbers)
    throttle = steered(concurrency=2, chunk_size=1)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.rows[bad].state is State.PUSHED, pushed.rows[bad]
