"""Documents that tie themselves to no bill, and may be what an earlier call for it has made.

A call is refused and has saved a part all the same (P 5.7), or a success names fewer documents than
it made; looks show the document late. Its bill is not sent again, and is not called rejected.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State
from k3push.runs.context import Context
from k3push.runs.settle_doubts import settle_by_word
from k3push.runs.stop import Cause
from k3push.simulator import Policy, Refusal, site
from k3push.simulator.answers import AnswerStyle, query_failure
from k3push.simulator.exchange import json_reply
from k3push.simulator.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.replica import Replica
from tests.runs.office import (
    FIRST,
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
    plan_again,
)

pytestmark = pytest.mark.anyio

KNOWN = RunId("r0")
BILLS = orders(4)
NOBODY = Refusal(11, "仓库必录")
HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=4), "check": False}


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
    if known:
        await office.open_run(orders(known, first=20), KNOWN)
        await office.execute(KNOWN, limits=NO_HALT, **HOW)
    keep_a_part(monkeypatch, BILLS, kept=kept, why=why)
    await office.open_run(BILLS)
    await stopped(office, goes_on=goes_on)
    return office


async def stopped(office: Office, *, goes_on: bool = False) -> None:
    """Push the list, and stop once its first call is over."""

    async def stop(job: Context) -> None:
        row = (await office.rows())[BILLS[0]]
        while not row.attempts or row.state is State.SENT:
            await anyio.sleep(0.3)
            row = (await office.rows())[BILLS[0]]
        if not goes_on:
            job.stop.ask(Cause.CONTROL, "")

    await office.execute(limits=NO_HALT, beside=stop, **HOW)


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
async def test_what_others_typed_before_a_run_leaves_none_of_its_bills_to_a_person(
    then: RunId, size: int, known: int
) -> None:
    """The period is closed, all bills are refused, and the period is opened again."""
    office = Office(sandbox(**OPEN))
    world = office.site.world
    if known:
        await office.open_run(orders(known, first=20), KNOWN)
        await office.execute(KNOWN, limits=NO_HALT, **HOW)
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
    world = office.site.world

    async def type_one(_: Context) -> None:
        while not (await office.rows())[BILLS[0]].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(2)
        world.add_target(IN_STOCK, "WMS", creator="sandbox", typed=True)

    await office.open_run(orders(12, first=20), KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **HOW)
    keep_a_part(monkeypatch, BILLS, kept=0, why=NOBODY)
    await office.open_run(BILLS)
    await office.execute(limits=NO_HALT, beside=type_one, **HOW)
    assert await codes(office) == {(State.UNKNOWN, "stray"): 4}
    for bill in BILLS:
        told = (office.store, VirtualClock(), FIRST, BillNumber(bill), State.PLANNED)
        await settle_by_word(*told, because="looked up by hand")
    pushed = await office.execute(limits=NO_CANARY, **HOW)
    assert pushed.of(State.PUSHED) == set(BILLS)
    assert doubled(office, BILLS) == []


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


@pytest.mark.parametrize("seed", [31, 48, 75, 76])
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
