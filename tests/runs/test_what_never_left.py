"""A try that never left has made nothing, and tells nothing of what was there or is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import PARTLY, State
from k3push.runs.retry import plan_rejected
from k3push.runs.stop import Cause, Stop
from k3push.simulator import FaultPlan, Refusal, fault, site
from k3push.simulator.answers import failure
from k3push.simulator.books.bills import APPROVED, REOPENED
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.exchange import json_reply
from k3push.simulator.fault_plans.script import Aimed, Rival
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    NO_CANARY,
    NO_HALT,
    OPEN,
    until_rejected,
)
from tests.runs.test_audit_doubles import look_through

pytestmark = pytest.mark.anyio

NEVER_LEAVES = ["refuse-connection"] * 5
A_DAY_S = 86400.0
HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}
WORDS = Refusal(11, "仓库必录")
# Long enough for another program, or for a kill between two steps of an execution.
SLOW = {**OPEN, "latency_s": 1.0, "look_s": 0.05}


def save_a_part_late(monkeypatch: pytest.MonkeyPatch, bill: str, *, time: int) -> None:
    """Refuse a bill each time, and save one of its rows 8 seconds after it was sent so often."""
    work, times = site.Site._push, iter(range(1, 100))

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if bill not in order.numbers or visit.fault.name != "ok":
            return work(self, visit, now_s)
        if next(times) == time:
            made = self.world.convert(order, visit.user)
            target = made.made[0].target
            for entry in target.entries[1:]:
                target.entries.remove(entry)
            part = replace(made, made=made.made[:1])
            self._agenda.add(now_s + 8, lambda *_: self._save(part, now_s + 8))
        return json_reply(failure(self._manners.style, WORDS.code, WORDS.text))

    monkeypatch.setattr(site.Site, "_push", push)


FIRST_TRIES = ["", "refuse-connection", "edit-lock", "call-limit", "reset"]


@pytest.mark.parametrize("first", FIRST_TRIES)
async def test_a_part_of_a_bill_that_was_refused_once_is_no_whole(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Even where an earlier answer was lost, nothing tells that its call has made the whole."""
    *known, bill = orders(6)
    office = Office(sandbox(steps(*["ok"] * 5, *filter(None, [first])), **SLOW))
    save_a_part_late(monkeypatch, bill, time=1)
    await office.open_run([*known, bill])
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert (row.state, row.code, row.attempts) == (State.PUSHED, PARTLY, 1 + bool(first))


async def test_a_part_of_a_bill_that_was_refused_twice_is_no_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first refusal has saved nothing, as looks have told."""
    *known, bill = orders(6)
    office = Office(sandbox(**SLOW))
    save_a_part_late(monkeypatch, bill, time=2)
    await office.open_run([*known, bill])
    await office.execute(limits=NO_HALT, **HOW)
    await anyio.sleep(3600)
    ledger = office.store.another_process()
    run = await ledger.run(FIRST)
    assert run
    await plan_rejected(ledger, VirtualClock(), run, lambda _: True)
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert (row.state, row.code) == (State.PUSHED, PARTLY)


async def test_a_part_of_a_bill_that_a_success_has_passed_over_is_no_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look has told that the success made nothing of it, before it was refused alone."""
    *known, mate, bill = orders(7)
    plan = FaultPlan(aimed={bill: Aimed(fault("drop-one"))})
    office = Office(sandbox(plan, **SLOW))
    save_a_part_late(monkeypatch, bill, time=1)
    await office.open_run(known)
    await office.execute(limits=NO_HALT, **HOW)
    await office.open_run([mate, bill], SECOND)
    together: dict[str, Any] = {**HOW, "throttle": steered(concurrency=1, chunk_size=2)}
    row = (await office.execute(SECOND, limits=NO_HALT, **together)).rows[bill]
    assert (row.state, row.code, row.attempts) == (State.PUSHED, PARTLY, 2)


@pytest.mark.parametrize("night", [0, 2])
@pytest.mark.parametrize("again", [True, False])
async def test_what_came_before_the_first_call_that_left_is_not_ours(
    *, again: bool, night: int
) -> None:
    """A person's part is there when the bill leaves for the first time, and is refused."""
    *known, bill = orders(1 + night)
    plan = steps(*["ok"] * night, *NEVER_LEAVES)
    office = Office(sandbox(plan, **SLOW), replace(ROUTE, allow_partial=not again))
    if known:
        await office.open_run(known, SECOND)
        await office.execute(SECOND, limits=NO_HALT, **HOW)
    await office.open_run([bill], again_because="asked" if again else "")
    await office.execute(limits=NO_HALT, **HOW)
    office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    office.site.world.refuse(bill, WORDS)
    await anyio.sleep(600)
    stop = Stop()

    async def kill(_: object) -> None:
        await until_rejected(office, bill)
        stop.ask(Cause.INTERRUPTED, "the test")
        stop.scope.cancel()

    await office.execute(limits=NO_HALT, stop=stop, beside=kill, **HOW)
    await anyio.sleep(3600)
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert (row.state, row.code, row.targets) == (State.REJECTED, "11", ())


async def test_a_bill_that_never_left_gets_no_document_from_a_last_look() -> None:
    """It was rejected unsent, and a person has pushed it since."""
    doubted, bill, refused = orders(3)
    plan = replace(steps("reset", *NEVER_LEAVES), refusals={refused: WORDS})
    office = Office(sandbox(plan, **SLOW))
    await office.open_run([doubted, bill, refused])
    await office.execute(limits=NO_HALT, **HOW)
    source = office.site.world.store.by_number(PURCHASE_ORDER, bill)[0]
    source.status = REOPENED
    await anyio.sleep(600)
    stop = Stop()

    async def kill(_: object) -> None:
        ended: set[State] = set()
        while ended != {State.REJECTED}:
            await anyio.sleep(0.1)
            rows = await office.rows()
            ended = {rows[each].state for each in (bill, refused)}
        stop.ask(Cause.INTERRUPTED, "the test")
        stop.scope.cancel()

    await office.execute(limits=NO_HALT, stop=stop, beside=kill, **HOW)
    await anyio.sleep(600)
    source.status = APPROVED
    office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await anyio.sleep(3600)
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert (row.state, row.targets, row.attempts) == (State.REJECTED, (), 5)


async def test_what_never_left_makes_no_twin_of_a_bill_that_was_there_already() -> None:
    """Another run has made it, and a person a second one; this run has made neither."""
    bill, *rest = orders(3)
    plan = steps(*NEVER_LEAVES, "make-then-reset")
    plan = replace(plan, aimed={rest[-1]: Aimed(fault("reset"))})
    office = Office(sandbox(plan, **SLOW))
    await office.open_run([bill, *rest], SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    await office.open_run([bill])
    await office.execute(limits=AT_A_DOUBT, **HOW)

    async def clerk(_: object) -> None:
        state = State.PLANNED
        while state is not State.ALREADY:
            await anyio.sleep(0.1)
            state = (await office.rows(SECOND))[bill].state
        await anyio.sleep(2)
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")

    played = await office.execute(SECOND, beside=clerk, limits=NO_HALT, **HOW)
    row = played.rows[bill]
    assert (row.state, row.code, len(row.targets)) == (State.ALREADY, "", 1)


@pytest.mark.parametrize("field", ["", "FNote"])
async def test_what_never_left_makes_no_older_document_ours(field: str) -> None:
    """A person has pushed the bill between that try, and the call that has left."""
    plan = steps(*NEVER_LEAVES, "reset")
    route = replace(ROUTE, source_number_field=field)
    office = Office(sandbox(plan, link_fields=False, **SLOW), route)
    (bill,) = orders(1)
    await office.open_run([bill])
    await office.execute(limits=NO_HALT, **HOW)
    await anyio.sleep(2 * A_DAY_S)
    theirs = office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await anyio.sleep(5 * A_DAY_S)
    await office.execute(limits=AT_A_DOUBT, **HOW)
    await anyio.sleep(3600)
    row = (await office.execute(route=ROUTE, limits=NO_HALT, **HOW)).rows[bill]
    assert (row.state, [each.id for each in row.targets]) == (State.ALREADY, [str(theirs.id)])


@pytest.mark.parametrize("first", ["refuse-connection", "edit-lock"])
async def test_an_audit_says_whose_a_second_document_is_after_a_try_that_did_nothing(
    first: str,
) -> None:
    """The answer to the only call that was carried out names the other one."""
    bills = orders(6)
    # What the ERP puts off has reached it, and so counts for the rival.
    rival = Rival(2 if first == "edit-lock" else 1, at_once=True)
    plan = replace(steps(*["ok"] * 5, first), rivals={bills[-1]: rival})
    office = Office(sandbox(plan, **{**OPEN, "latency_s": 0.5, "look_s": 0.02}))
    await office.open_run(bills)
    await office.execute(limits=NO_HALT, **HOW)
    (double,) = (await look_through(office, None)).whole.doubles
    runs = {held.document.creator: held.run for held in double.held}
    assert runs == {"sandbox": FIRST, "rival": ""}


@pytest.mark.parametrize("allow_partial", [True, False])
async def test_a_try_that_never_left_forgets_no_call_before_it(*, allow_partial: bool) -> None:
    """A call was made that lost its session, and is shown once the next try could not connect."""
    plan = steps("ok", "make-then-lose-session", "refuse-connection")
    options = sandbox(plan, query_lag_s=1.5, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options, replace(ROUTE, allow_partial=allow_partial)), orders(3)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_CANARY, **HOW)
    assert [len(office.site.world.documents_of(number)) for number in numbers] == [1, 1, 1]
    assert pushed.of(State.PUSHED) == {*numbers}
