"""Documents that tie themselves to no bill, and may be what an earlier call for it has made.

A call is refused and has saved a part all the same (P 5.7), or a success names fewer documents than
it made; looks show the document late. Its bill is not sent again, and is not called rejected.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.carrier import Carrier
from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import PARTLY, BillNumber, Listed, Outcome, Route, RunId, State
from k3push.core.remark import remark
from k3push.core.safety.conclusion import DROPPED
from k3push.ports import LedgerLostError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.documents import stray_documents
from k3push.runs.documents.form_marks import PATIENCE_S
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.engine_tasks import intake
from k3push.runs.engine_tasks.intake import MOST_READY
from k3push.runs.stop import Cause
from k3push.simulator import Policy, Refusal, site
from k3push.simulator.answers import AnswerStyle, failure, query_failure
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.conversion import Ids
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, ROUTES
from k3push.simulator.books.replica import Replica
from k3push.simulator.exchange import json_reply
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Aimed, FaultPlan
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs import rough_answers
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    NO_HALT,
    OPEN,
    REFUSED,
    doubled,
    keep_a_part,
    name_no_document,
    plan_again,
    until_lost,
)

pytestmark = pytest.mark.anyio

KNOWN = RunId("r0")
BILLS = orders(4)
NOBODY = Refusal(11, "仓库必录")
HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=4), "check": False}


async def learn(office: Office, known: int) -> None:
    """Let the ledger know documents of an earlier run, if any."""
    if known:
        await office.open_run(orders(known, first=20), KNOWN)
        await office.execute(KNOWN, limits=NO_HALT, **HOW)


async def refused(
    monkeypatch: pytest.MonkeyPatch,
    *,
    why: Refusal = NOBODY,
    kept: int = 1,
    known: int = 12,
    goes_on: bool = False,
    **options: Any,
) -> Office:
    """Return an office where a call of four was refused, and has saved a document all the same.

    Its run is stopped by a person, unless it goes on.
    """
    base = {"untied": tuple(BILLS[:1]), "latency_s": 1.0, "look_s": 0.1, "query_lag_s": 8.0, **OPEN}
    office = Office(sandbox(**{**base, **options}))
    await learn(office, known)
    keep_a_part(monkeypatch, BILLS, kept=kept, why=why)
    await office.open_run(BILLS)
    await stopped(office, goes_on=goes_on)
    return office


async def stopped(
    office: Office, run: RunId = FIRST, bill: str = BILLS[0], *, goes_on: bool = False
) -> None:
    """Push the list, and stop once the first call with a bill is over."""

    async def stop(job: Context) -> None:
        row = (await office.rows(run))[bill]
        while not row.attempts or row.state is State.SENT:
            await anyio.sleep(0.3)
            row = (await office.rows(run))[bill]
        if not goes_on:
            job.stop.ask(Cause.CONTROL, "")

    await office.execute(run, limits=NO_HALT, beside=stop, **HOW)


async def type_one(office: Office, _: Context) -> None:
    """Let another program make a document while the first call is under way."""
    while not (await office.rows())[BILLS[0]].attempts:  # noqa: ASYNC110  # virtual time
        await anyio.sleep(0.2)
    await anyio.sleep(2)
    office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)


async def codes(office: Office, run: RunId = FIRST) -> Mapping[tuple[State, str], int]:
    """Count the rows of a run by state and code."""
    return Counter((row.state, row.code) for row in (await office.rows(run)).values())


TOGETHER = Refusal(11, f"单据“{BILLS[0]}”与单据“{BILLS[1]}”的供应商不同")


@pytest.mark.parametrize("known", [0, 12])
@pytest.mark.parametrize("goes_on", [False, True])
async def test_words_about_several_bills_clear_none_of_them(
    monkeypatch: pytest.MonkeyPatch, *, goes_on: bool, known: int
) -> None:
    """Each of them travels again without the others, so that each may have a document by now."""
    office = await refused(monkeypatch, why=TOGETHER, known=known, goes_on=goes_on)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


async def test_a_code_of_the_erp_is_no_word_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says `absent` has not looked for what a refused call has saved."""

    def coded(*how: Any) -> Any:
        answer = failure(*how)
        answer["Result"]["ResponseStatus"]["MsgCode"] = "absent"
        return answer

    monkeypatch.setattr(rough_answers, "failure", coded)
    office = await refused(monkeypatch, why=TOGETHER)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


@pytest.mark.parametrize("known", [0, 12])
async def test_a_bill_that_cannot_be_pushed_now_is_not_rejected_beside_its_late_document(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """A clerk takes its approval back to mend it; `retry` had sent it once more."""
    office = await refused(monkeypatch, known=known)
    await anyio.sleep(60)
    store = office.site.world.store
    bills = [bill for number in BILLS for bill in store.by_number(PURCHASE_ORDER, number)]
    for bill in bills:
        bill.status = "D"
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    for bill in bills:
        bill.status = "C"
    await plan_again(office)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []


@pytest.mark.parametrize("meets", ["ok", "lose-session"])
async def test_a_person_is_told_of_a_stray_beside_a_bill_though_its_neighbour_is_pushed(
    meets: str,
) -> None:
    """The look before a chunk leaves one of its two bills in doubt, and the other is sent."""
    lost, other = orders(2)
    met = {lost: "make-then-lose-session", other: meets}
    plan = FaultPlan(aimed={bill: Aimed(fault(name)) for bill, name in met.items()})
    office = Office(sandbox(plan, untied=(lost,), latency_s=1.0, query_lag_s=8.0, **OPEN))
    await office.open_run([lost])
    await stopped(office, bill=lost)
    await anyio.sleep(60)
    await office.store.add(FIRST, [Listed(2, BillNumber(other))])
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 1, (State.PUSHED, ""): 1}
    assert list(pushed.stop.causes) == [Cause.PERSON]


async def test_retry_forgets_no_call_of_its_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that splits bills may have saved a part of a bill that the words reject by name."""
    office = await refused(monkeypatch, why=REFUSED, goes_on=True, policy=Policy.SPLIT)
    assert await codes(office) == {(State.REJECTED, "11"): 4}
    await anyio.sleep(60)
    await plan_again(office)
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


@pytest.mark.parametrize("known", [0, 24])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("then", [FIRST, SECOND])
@pytest.mark.parametrize("look_s", [0.05, 25.0])
async def test_what_others_typed_before_a_run_leaves_none_of_its_bills_to_a_person(
    look_s: float, then: RunId, size: int, known: int
) -> None:
    """The period is closed, all bills are refused, and the period is opened again."""
    office = Office(sandbox(look_s=look_s, **OPEN))
    world = office.site.world
    await learn(office, known)
    world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    await anyio.sleep(600)
    for bill in BILLS:
        world.refuse(bill, Refusal(11, "期间已关账"))
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=size), "check": False}
    await office.open_run(BILLS)
    await office.execute(limits=NO_HALT, **how)
    assert await codes(office) == {(State.REJECTED, "11"): 4}
    for bill in BILLS:
        world.allow(bill)
    await anyio.sleep(3600)
    if then == FIRST:
        await plan_again(office)
    else:
        await office.open_run(BILLS, then)
    pushed = await office.execute(then, limits=NO_HALT, **how)
    assert pushed.of(State.PUSHED) == set(BILLS)


@pytest.mark.parametrize("then", [FIRST, SECOND])
async def test_what_was_refused_alone_is_asked_for_where_a_rule_may_split(
    monkeypatch: pytest.MonkeyPatch, then: RunId
) -> None:
    """Few bills are known: the first of two documents may have been saved, and is shown late."""
    bill = BILLS[:1]
    options: dict[str, Any] = {"latency_s": 1.0, "look_s": 0.1, "query_lag_s": 8.0, **OPEN}
    office = Office(sandbox(policy=Policy.SPLIT, untied=tuple(bill), **options))
    keep_a_part(monkeypatch, bill, kept=1, why=NOBODY)
    await office.open_run(bill)
    await office.execute(limits=NO_HALT, **HOW)
    await anyio.sleep(60)
    if then == FIRST:
        await plan_again(office)
    else:
        await office.open_run(bill, then)
    await office.execute(then, limits=NO_HALT, **HOW)
    office.site.finish()
    assert len({making.push for making in office.site.world.makings_of(bill[0])}) == 1


@pytest.mark.parametrize("then", [FIRST, SECOND])
async def test_deleted_documents_take_no_clock_away(
    monkeypatch: pytest.MonkeyPatch, then: RunId
) -> None:
    """People delete what they have tried out: the newest the ledger knows of."""
    office = Office(
        sandbox(untied=tuple(BILLS), latency_s=1.0, look_s=0.1, query_lag_s=8.0, **OPEN),
    )
    before = orders(12, first=20)
    await office.open_run(before, KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **HOW)
    await anyio.sleep(86_400)
    world = office.site.world
    for document in [each for bill in before[-5:] for each in world.documents_of(bill)]:
        world.delete(document)
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run(BILLS)
    await stopped(office)
    await anyio.sleep(4 * 3600)
    if then != FIRST:
        await office.open_run(BILLS, then)
    await office.execute(then, limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []


@pytest.mark.parametrize("meets", ["edit-lock", "call-limit", "lose-session"])
async def test_a_persons_word_outlives_a_call_that_has_done_nothing(
    monkeypatch: pytest.MonkeyPatch, meets: str
) -> None:
    """Another program's document is no reason to ask the person once more, each round."""
    plan = steps(*["ok"] * 3, "ok", meets)
    office = Office(sandbox(plan, latency_s=5.0, **OPEN))

    await learn(office, 12)
    keep_a_part(monkeypatch, BILLS, kept=0, why=NOBODY)
    await office.open_run(BILLS)
    await office.execute(limits=NO_HALT, beside=partial(type_one, office), **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    for bill in BILLS:
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), State.PLANNED)
        await settle_by_word(*told, because="looked up by hand")
    pushed = await office.execute(limits=NO_CANARY, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)
    assert doubled(office, BILLS) == []


async def test_a_persons_word_outlives_a_rejection_for_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bills are unapproved for a while, rejected for that, and retried."""
    office = await refused(monkeypatch, kept=0, untied=(), query_lag_s=0.0)
    office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    # As if it had come while the call was under way.
    monkeypatch.setattr(stray_documents, "mark_before", _no_mark)
    await office.execute(limits=NO_HALT, **HOW)
    if (State.UNKNOWN, "stray") not in await codes(office):
        pytest.fail("the document of another program is to be in doubt")
    for bill in BILLS:
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), State.PLANNED)
        await settle_by_word(*told, because="looked up by hand")
    store = office.site.world.store
    bills = [bill for number in BILLS for bill in store.by_number(PURCHASE_ORDER, number)]
    for each in bills:
        each.status = "D"
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.REJECTED, "precheck"): 4}
    for each in bills:
        each.status = "C"
    await plan_again(office)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)


async def _no_mark(*_: object) -> str:
    return ""


async def _of_another_run(office: Office) -> Pushed:
    """Push the list with another run."""
    await office.open_run(BILLS, SECOND)
    return await office.execute(SECOND, limits=NO_HALT, **HOW)


async def test_what_another_run_may_have_made_is_not_rejected_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row had said that the ERP made nothing. That run settles it; then this one goes on."""
    office = await refused(monkeypatch)
    await anyio.sleep(60)
    ended = await _of_another_run(office)
    assert await codes(office, SECOND) == {(State.PLANNED, "held"): 4}
    assert list(ended.stop.causes) == [Cause.BARRED]
    assert "note.stray_of" in (await office.rows(SECOND))[BILLS[0]].reason
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    made = BillNumber(BILLS[0])
    for bill in BILLS:
        state = State.PUSHED if bill == made else State.PLANNED
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), state)
        await settle_by_word(*told, because="looked up by hand")
    await anyio.sleep(60)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    rows = await office.rows(SECOND)
    assert {bill: row.state for bill, row in rows.items()} == {
        made: State.ALREADY,
        **dict.fromkeys(BILLS[1:], State.PUSHED),
    }
    assert doubled(office, BILLS) == []


async def test_runs_that_leave_bills_to_each_other_hold_none_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of two runs was refused a half of one list; both are resumed at the same time."""
    others = orders(4, first=8)
    office = await refused(monkeypatch, untied=(BILLS[0], others[0]))
    keep_a_part(monkeypatch, others, kept=1, why=NOBODY)
    await office.open_run([*others, *BILLS], SECOND)
    await stopped(office, SECOND, others[0])
    again = Office(site=office.site, ledger=office.store)
    await again.store.add(FIRST, [Listed(nth, BillNumber(n)) for nth, n in enumerate(others, 9)])
    await anyio.sleep(60)
    with anyio.fail_after(3600):
        async with anyio.create_task_group() as both:
            for run in (FIRST, SECOND):
                both.start_soon(partial(again.execute, run, limits=NO_HALT, **HOW))
    for run in (FIRST, SECOND):
        found = await codes(again, run)
        assert found == {(State.UNKNOWN, "stray"): 4, (State.PLANNED, "held"): 4}
    assert doubled(again, [*BILLS, *others]) == []


async def test_a_later_call_of_another_run_hides_none_of_our_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another run is refused the same bills once it has forgotten our call, and makes nothing."""
    office = await refused(monkeypatch, known=0)
    await anyio.sleep(700)
    keep_a_part(monkeypatch, BILLS, kept=0, why=NOBODY)
    await office.open_run(BILLS, SECOND)
    await stopped(office, SECOND)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    assert doubled(office, BILLS) == []


@pytest.mark.parametrize("known", [0, 12])
async def test_a_run_of_one_bill_knows_what_was_there_before_it(known: int) -> None:
    """A document was typed half an hour before the answer about the bill is lost."""
    bill = BILLS[0]
    broken = FaultPlan(aimed={bill: Aimed(fault("reset"))})
    office = Office(sandbox(broken, look_s=0.1, latency_s=1.0, **OPEN))
    await learn(office, known)
    office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    await anyio.sleep(1800)
    await office.open_run([bill])
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.PUSHED) == {bill}


async def test_a_limit_is_not_used_up_by_what_is_left_to_another_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each night pushes four bills of a list; the first four wait for another run."""
    office = await refused(monkeypatch)
    others = orders(6, first=8)
    await office.open_run([*BILLS, *others], SECOND)
    a_night = replace(NO_HALT, limit=4)
    left = []
    for _ in range(3):
        await anyio.sleep(60)
        pushed = await office.execute(SECOND, limits=a_night, **HOW)
        left.append((len(pushed.of(State.PLANNED)), set(pushed.stop.causes)))
    limit, barred = Cause.LIMIT, Cause.BARRED
    assert left == [(10, {limit, barred}), (6, {limit}), (4, {limit, barred})]
    assert doubled(office, BILLS) == []


async def test_a_limit_is_not_used_up_by_what_another_run_has_in_doubt() -> None:
    """A person has to settle the first four bills of the list, in a run that is over."""
    plan = FaultPlan(aimed={bill: Aimed(fault("reset")) for bill in BILLS})
    office = Office(sandbox(plan, latency_s=1.0, **OPEN))

    await office.open_run(BILLS)
    await office.execute(limits=NO_HALT, beside=partial(type_one, office), **HOW)
    assert {row.state for row in (await office.rows()).values()} == {State.UNKNOWN}
    others = orders(8, first=8)
    await office.open_run([*BILLS, *others], SECOND)
    for _ in range(3):
        await office.execute(SECOND, limits=replace(NO_HALT, limit=4), **HOW)
    rows = await office.rows(SECOND)
    assert {number for number, row in rows.items() if row.attempts} == set(others)


async def test_a_limit_goes_by_what_waits_for_a_person_to_what_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two runs may have made something of eight bills, and one of them has been settled since."""
    others, another = orders(4, first=8), RunId("r3")
    office = await refused(monkeypatch, untied=(BILLS[0], others[0]))
    keep_a_part(monkeypatch, others, kept=1, why=NOBODY)
    await office.open_run(others, another)
    await stopped(office, another, others[0])
    await office.open_run([*BILLS, *others], SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    assert await codes(office, SECOND) == {(State.PLANNED, "held"): 8}
    await office.execute(another, limits=NO_HALT, **HOW)
    for bill in others:
        state = State.PUSHED if bill == others[0] else State.PLANNED
        told = (office.store, VirtualClock(), another, BillNumber(bill), state)
        await settle_by_word(*told, because="looked up by hand")
    pushed = await office.execute(SECOND, limits=replace(NO_HALT, limit=4), **HOW)
    assert pushed.of(State.PUSHED) == set(others[1:])
    assert set(pushed.stop.causes) == {Cause.LIMIT}
    assert doubled(office, [*BILLS, *others]) == []


@pytest.mark.parametrize("ready", [MOST_READY, 4])
async def test_under_a_limit_no_bill_hides_another_for_ever(
    monkeypatch: pytest.MonkeyPatch, ready: int
) -> None:
    """One half waits for a person, in vain; the run of the other never goes on, and is days old."""
    monkeypatch.setattr(intake, "MOST_READY", ready)
    others, another = orders(4, first=8), RunId("r3")
    office = await refused(monkeypatch, untied=(BILLS[0], others[0]))
    keep_a_part(monkeypatch, others, kept=1, why=NOBODY)
    await office.open_run(others, another)
    await stopped(office, another, others[0])
    await anyio.sleep(60)
    await office.open_run([*BILLS, *others], SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office, SECOND) == {(State.PLANNED, "held"): 8}
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    for _ in range(2):
        await anyio.sleep(80_000)
    for _ in range(12):
        await office.execute(SECOND, limits=replace(NO_HALT, limit=4), **HOW)
        for number, row in (await office.rows(SECOND)).items():
            if row.state is State.UNKNOWN:
                # Nothing ties its document, which contradicts the answer: a person has to say so.
                clock, process = VirtualClock(), office.store.another_process()
                bill = BillNumber(number)
                await settle_by_word(process, clock, SECOND, bill, State.PUSHED, because="seen")
        await anyio.sleep(600)
    rows = await office.rows(SECOND)
    assert {bill for bill in others if rows[bill].code != "held"} == set(others)
    assert {rows[bill].code for bill in BILLS} == {"held"}


@pytest.mark.parametrize(("tried", "again"), [(False, False), (True, False), (True, True)])
async def test_an_execution_that_sends_nothing_leaves_the_next_one_its_own_mark(
    monkeypatch: pytest.MonkeyPatch, *, tried: bool, again: bool
) -> None:
    """A document is typed between both, long before the first call; the newest may be gone.

    Then the newest is one again that an execution before has noted.
    """
    office = Office(sandbox(look_s=0.1, latency_s=1.0, **OPEN))
    keep_a_part(monkeypatch, BILLS, kept=0, why=NOBODY)
    await office.open_run(BILLS)

    async def do_nothing() -> None:
        async def stop(job: Context) -> None:
            await job.marked.wait()
            job.stop.ask(Cause.CONTROL, "")

        await office.execute(limits=NO_HALT, beside=stop, **HOW)
        assert await codes(office) == {(State.PLANNED, ""): 4}

    if again:
        office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
        await do_nothing()
        await anyio.sleep(60)
    trials = []
    if tried:
        with monkeypatch.context() as of_another_server:
            of_another_server.setattr(Ids, "next_bill", lambda _: 900_001)
            trials.append(office.site.world.add_target(IN_STOCK, "WMS", creator="clerk"))
    await do_nothing()
    for trial in trials:
        office.site.world.store.remove(trial)
    if not again:
        office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    await anyio.sleep(600)
    await stopped(office)
    await anyio.sleep(60)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)


async def test_a_persons_word_is_about_no_bill_that_was_entered_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bills of a refused call are deleted, and entered anew with their numbers."""
    office = await refused(monkeypatch, kept=0)
    office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    with monkeypatch.context() as patch:
        patch.setattr(stray_documents, "mark_before", _no_mark)
        await office.execute(limits=NO_HALT, **HOW)
    for bill in BILLS:
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), State.PLANNED)
        await settle_by_word(*told, because="looked up by hand")
    await anyio.sleep(80_000)
    world = office.site.world
    for number in BILLS:
        (order,) = world.store.by_number(PURCHASE_ORDER, number)
        world.store.remove(order)
        world.add_source(PURCHASE_ORDER, number)
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await stopped(office)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []


async def test_a_persons_word_of_an_earlier_version_is_about_the_calls_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its note does not say after how many calls."""
    office = await refused(monkeypatch, kept=0, untied=(), query_lag_s=0.0)
    office.site.world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
    monkeypatch.setattr(stray_documents, "mark_before", _no_mark)
    await office.execute(limits=NO_HALT, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    note = remark("note.person", state=remark("state.planned"), why="looked up by hand")
    word = [Outcome(BillNumber(bill), State.PLANNED, code="person") for bill in BILLS]
    async with office.store.own(FIRST, executes=False):
        await office.store.conclude(FIRST, word, at=VirtualClock().now(), note=note)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)


async def test_what_was_passed_over_goes_alone_also_once_another_run_has_settled_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The row says so, beside the run that has to settle the bill first."""
    others, late = orders(3), orders(4, first=8)
    office = Office(
        sandbox(steps(*["ok"] * 3, "drop-one"), untied=(others[0],), query_lag_s=8.0, **OPEN)
    )
    await learn(office, 12)
    await office.open_run(late)
    await stopped(office, bill=late[0])
    (dropped,) = [row.bill for row in (await office.rows()).values() if row.code == DROPPED]
    keep_a_part(monkeypatch, [*others, dropped], kept=1, why=NOBODY)
    await office.open_run([*others, dropped], SECOND)
    await stopped(office, SECOND, dropped)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    row = (await office.rows())[dropped]
    assert (row.state, row.code, "stray_of" in row.reason) == (State.PLANNED, DROPPED, True)


@pytest.mark.parametrize("copies", [False, True])
async def test_the_documents_of_a_day_are_asked_for_once_for_all_runs_that_were_refused(
    monkeypatch: pytest.MonkeyPatch, *, copies: bool
) -> None:
    """A schedule pushes a list in a run of its own each ten minutes while the period is closed.

    Another program makes a document each time; who makes ours may be copied from each bill.
    """
    receipts, *others = ROUTES
    routes = (replace(receipts, copies_creators=copies), *others)
    office = await refused(monkeypatch, kept=0, known=24, untied=(), query_lag_s=0.0, routes=routes)
    asked = Counter[RunId]()
    page = FormRows.page

    async def count(rows: FormRows, *args: Any, **options: Any) -> Any:
        asked[run] += 1
        return await page(rows, *args, **options)

    monkeypatch.setattr(FormRows, "page", count)
    for nth in range(1, 10):
        run = RunId(f"s{nth:02}")
        keep_a_part(monkeypatch, BILLS, kept=0, why=NOBODY)
        refuse = site.Site._push

        def push(self: Any, visit: Any, now_s: float, refuse: Any = refuse) -> Any:
            self.world.add_target(IN_STOCK, "WMS", creator="wms", typed=True)
            return refuse(self, visit, now_s)

        monkeypatch.setattr(site.Site, "_push", push)
        await office.open_run(BILLS, run)
        await stopped(office, run)
        await anyio.sleep(600)
    assert {asked[RunId(f"s{nth:02}")] for nth in range(2, 7)} == {asked[RunId("s02")]}
    assert asked[RunId("s09")] <= asked[RunId("s03")] + 1


async def test_a_call_is_not_charged_with_what_came_hours_after_it() -> None:
    """Two bills are refused alone, hours apart, and another program makes a document between."""
    office = Office(sandbox(look_s=0.1, latency_s=1.0, **OPEN))
    await learn(office, 12)
    world, pair = office.site.world, BILLS[:2]
    for bill in pair:
        world.refuse(bill, NOBODY)
    throttle = steered(concurrency=1, chunk_size=1)

    async def wait_between(_: Context) -> None:
        while (await office.rows())[pair[0]].state is not State.REJECTED:  # noqa: ASYNC110
            await anyio.sleep(0.02)
        throttle.pause()
        await anyio.sleep(7200)
        world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)
        await anyio.sleep(7200)
        throttle.go_on()

    await office.open_run(pair)
    await office.execute(limits=NO_HALT, throttle=throttle, beside=wait_between, check=False)
    for bill in pair:
        world.allow(bill)
    await plan_again(office)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pair[0] in pushed.of(State.PUSHED)


async def test_a_ledger_that_is_lost_as_the_newest_document_comes_is_no_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends the run, as a ledger that is lost at another moment does."""

    async def lost(*_: object) -> None:
        raise LedgerLostError("the disk is full")

    office = Office(sandbox(latency_s=1.0, **OPEN))
    await office.open_run(BILLS)
    monkeypatch.setattr(MemoryLedger, "remember", lost)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert set(pushed.stop.causes) == {Cause.LEDGER_LOST}


async def test_a_login_that_takes_long_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five wrong ones lock a user (P 2.4), and the wait for the newest document is shorter."""
    office = Office(sandbox(latency_s=1.0, **OPEN))
    accounts = office.site.logins.accounts
    wrong = dict.fromkeys(accounts.users, "another")
    office.site.logins.accounts = replace(accounts, users=wrong)
    post = Carrier.post

    async def slow(carrier: Carrier, service: str, *args: Any) -> Any:
        answer = await post(carrier, service, *args)
        if "AuthService" in service:
            await anyio.sleep(PATIENCE_S + 5)
        return answer

    monkeypatch.setattr(Carrier, "post", slow)
    await office.open_run(BILLS)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert set(pushed.stop.causes) == {Cause.LOGIN_REFUSED}
    assert office.site.logins.failures == 1


@pytest.mark.parametrize("known", [0, 12])
async def test_a_newest_document_that_cannot_be_read_keeps_no_bill_from_its_push(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """It is asked for once, and not knowing it costs nothing but questions to a person."""
    asked: list[str] = []

    async def fail(_: ErpClient, route: Route) -> str:
        asked.append(route.target)
        raise LookFailedError("http_504")

    office = Office(sandbox(**OPEN))
    await learn(office, known)
    monkeypatch.setattr(ErpClient, "newest_id", fail)
    await office.open_run(BILLS)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert (pushed.of(State.PUSHED), len(asked)) == (set(BILLS), 1)


async def test_the_wait_for_the_newest_document_makes_no_look_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person pushes a bill by hand while the newest document of a large form is asked for."""
    office = await refused(monkeypatch, kept=0, untied=(), query_lag_s=0.0)
    await anyio.sleep(600)

    async def slow(_: ErpClient, route: Route) -> str:
        await anyio.sleep(15)
        assert route.target == IN_STOCK.id
        return ""

    async def by_hand(_: Context) -> None:
        await anyio.sleep(10)
        office.site.world.add_target(IN_STOCK, BILLS[0], creator="clerk")

    monkeypatch.setattr(ErpClient, "newest_id", slow)
    pushed = await office.execute(limits=NO_HALT, beside=by_hand, **HOW)
    assert pushed.of(State.ALREADY) == {BILLS[0]}
    assert len(office.site.world.makings_of(BILLS[0])) == 1


def tell_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let forms keep the day alone on which a document was made."""

    def on_a_day(self: Bill, name: str, value: object) -> None:
        if name == "created" and isinstance(value, str) and value:
            value = f"{value[:10]}T00:00:00"
        object.__setattr__(self, name, value)

    monkeypatch.setattr(Bill, "__setattr__", on_a_day)


@pytest.mark.parametrize("known", [0, 12])
async def test_the_id_of_our_own_document_clears_none_of_the_same_day(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """The call before a refused one went through another server, with a block of later ids."""
    tell_days(monkeypatch)
    office = Office(sandbox(untied=tuple(BILLS[:1]), look_s=0.1, query_lag_s=8.0, **OPEN))
    await learn(office, known)
    block, give = iter(range(900_001, 900_005)), Ids.next_bill
    monkeypatch.setattr(Ids, "next_bill", lambda ids: next(block, 0) or give(ids))
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run([*orders(4, first=8), *BILLS])
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.PUSHED, ""): 4, (State.UNKNOWN, "stray"): 4}


@pytest.mark.parametrize("known", [0, 12])
@pytest.mark.parametrize(
    ("tells_days", "id_", "ahead_s"), [(True, 900_001, 60), (False, 900_001, 60), (False, 0, 300)]
)
async def test_neither_ids_nor_times_alone_clear_a_document(
    monkeypatch: pytest.MonkeyPatch, known: int, id_: int, ahead_s: float, *, tells_days: bool
) -> None:
    """Several servers give ids out in blocks; the form tells days, or a server's clock is ahead."""
    if tells_days:
        tell_days(monkeypatch)
    office = Office(sandbox(untied=tuple(BILLS[:1]), look_s=0.1, query_lag_s=8.0, **OPEN))
    await learn(office, known)
    give = Ids.next_bill
    with monkeypatch.context() as of_another_server:
        of_another_server.setattr(Ids, "next_bill", lambda ids: id_ or give(ids))
        made = office.site.world.add_target(IN_STOCK, "WMS", creator="clerk")
    ahead = datetime.fromisoformat(made.created) + timedelta(seconds=ahead_s)
    made.created = f"{ahead:%Y-%m-%dT%H:%M:%S}"
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run(BILLS)
    await stopped(office)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("once", [0, 12])
async def test_documents_of_repeated_calls_leave_the_clock_known(
    monkeypatch: pytest.MonkeyPatch, once: int, *, named: bool
) -> None:
    """An edit lock in the night before: its bills were sent twice, and are the newest there are.

    Some servers name no documents in their answers.
    """
    if not named:
        name_no_document(monkeypatch)
    office = Office(
        sandbox(
            steps(*["ok"] * (once // 4), "edit-lock"),
            untied=tuple(BILLS),
            look_s=0.1,
            latency_s=1.0,
            query_lag_s=8.0,
            **OPEN,
        )
    )
    await learn(office, once + 4)
    known = [row.attempts for row in (await office.rows(KNOWN)).values()]
    assert known == [1] * once + [2] * 4
    await anyio.sleep(300)
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run(BILLS)
    await stopped(office)
    await anyio.sleep(700)
    await office.open_run(BILLS, SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office, SECOND) == {(State.PLANNED, "held"): 4}


async def test_a_document_that_is_older_than_its_call_sets_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person has pushed a bill right before its call, unseen: its row names both documents."""
    bill, run = orders(1, first=40)[0], RunId("r3")
    office = Office(
        sandbox(untied=tuple(BILLS), look_s=0.1, latency_s=1.0, query_lag_s=15.0, **OPEN)
    )
    await learn(office, 12)
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        made = self.world.add_target(IN_STOCK, bill, creator="clerk")
        made.created = f"{datetime.fromisoformat(made.created) - timedelta(seconds=12):%FT%T}"
        return work(self, visit, now_s)

    await office.open_run([bill], run)
    with monkeypatch.context() as patch:
        patch.setattr(site.Site, "_push", push)
        await office.execute(run, limits=NO_HALT, **HOW)
    assert await codes(office, run) == {(State.PUSHED, "twin"): 1}
    await anyio.sleep(600)
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run(BILLS)
    await stopped(office)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


@pytest.mark.more
async def test_a_document_that_one_look_has_found_sets_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person has made it a while before the call that was lost, and nothing else is known."""
    bill, run = orders(1, first=40)[0], RunId("r3")
    office = Office(
        sandbox(
            steps("reset"), untied=tuple(BILLS), look_s=0.1, latency_s=1.0, query_lag_s=8.0, **OPEN
        )
    )

    async def clerk(_: Context) -> None:
        await until_lost(office, run)
        made = office.site.world.add_target(IN_STOCK, bill, creator="clerk")
        made.created = f"{datetime.fromisoformat(made.created) - timedelta(hours=2):%FT%T}"

    await office.open_run([bill], run)
    await office.execute(run, limits=NO_HALT, beside=clerk, **HOW)
    assert await codes(office, run) == {(State.PUSHED, ""): 1}
    await anyio.sleep(600)
    keep_a_part(monkeypatch, BILLS, kept=1, why=NOBODY)
    await office.open_run(BILLS)
    await stopped(office)
    await anyio.sleep(60)
    await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


async def test_a_look_that_fails_rejects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site loads its metadata anew for a while; no document of anybody is there."""
    office = await refused(monkeypatch, kept=0, untied=())
    await anyio.sleep(60)
    end_s = anyio.current_time() + 48
    work = site.Site._query

    def query(self: Any, visit: Any) -> Any:
        if anyio.current_time() < end_s and "FCreateDate>=" in str(visit.call.data(0)):
            why = "元数据中标识为FCreateDate的字段不存在"
            return json_reply(query_failure(self._manners.style, 9, why, objects=False))
        return work(self, visit)

    monkeypatch.setattr(site.Site, "_query", query)
    await _of_another_run(office)
    assert await codes(office, SECOND) == {(State.PLANNED, "held"): 4}
    await anyio.sleep(700)
    pushed = await office.execute(SECOND, limits=NO_HALT, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)


async def test_a_lock_on_one_bill_says_nothing_of_those_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first bill was saved before the call met the lock, and its document is untied."""
    lock = Refusal(13, "使用业务单据冲突，请稍候再使用。")
    office = await refused(monkeypatch, why=lock, goes_on=True)
    assert doubled(office, BILLS) == []
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}


async def test_a_call_that_has_done_nothing_is_charged_with_no_document() -> None:
    """Calls are limited, and another program types a document meanwhile."""
    office = Office(sandbox(steps("call-limit"), latency_s=4.0, look_s=0.1, **OPEN))
    await office.open_run(BILLS)
    pushed = await office.execute(limits=NO_HALT, beside=partial(type_one, office), **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)


@pytest.mark.parametrize("seed", [5, 16, 48, 76])
async def test_what_a_success_passed_over_is_asked_for_before_it_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """It names one document, and a query is answered by a fresh copy or by one that lags."""
    draws = random.Random(seed)  # noqa: S311
    fresh = random.Random(seed)  # noqa: S311
    share = fresh.choice([0.3, 0.5, 0.8])

    def turn(self: Replica) -> None:
        self._is_fresh = fresh.random() < share

    draws.choice([0.3, 0.5, 0.8])
    monkeypatch.setattr(Replica, "turn", turn)
    known, lag_s = draws.choice([12, 24]), draws.choice([3, 8, 15, 18])
    count, size = draws.choice([4, 8, 12]), draws.choice([2, 4, 4])
    numbers = orders(count)
    office = Office(
        sandbox(
            untied=tuple(numbers[3::4]),
            latency_s=1.0,
            look_s=0.1,
            query_lag_s=float(lag_s),
            copies_in_turn=True,
            style=AnswerStyle(old=True, short=True),
            **OPEN,
        )
    )
    how: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=size), "check": False}
    await office.open_run(orders(known, first=20), KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **how)
    await office.open_run(numbers)
    for _ in range(2):
        await office.execute(limits=NO_HALT, **how)
        await anyio.sleep(700)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("again", [False, True])
async def test_what_the_row_of_a_refused_bill_names_holds_no_other_run(
    monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    """A refused call has saved the first document of the bill, which is to get another."""
    (bill,) = orders(1)
    office = Office(sandbox(**OPEN), replace(ROUTE, allow_partial=not again))
    keep_a_part(monkeypatch, [bill], kept=1, why=NOBODY)
    await office.open_run([bill])
    pushed = await office.execute(limits=NO_CANARY)
    assert (pushed.rows[bill].state, pushed.rows[bill].code) == (State.PUSHED, PARTLY)
    await office.open_run([bill], SECOND, again_because="the rest" if again else "")
    pushed = await office.execute(SECOND, limits=NO_CANARY, check=False)
    assert pushed.rows[bill].state is State.PUSHED, pushed.rows[bill]
    assert len(office.site.world.documents_of(bill)) == 2
