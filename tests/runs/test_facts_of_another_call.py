"""What is known of one call, one run or one moment tells nothing of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.stop import Cause
from k3push.simulator import Refusal
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
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
from tests.runs.rough_answers import NO_HALT, OPEN, doubled, keep_a_part

pytestmark = pytest.mark.anyio

EARLIER = RunId("r0")
HOW: dict[str, Any] = {
    "throttle": steered(concurrency=1, chunk_size=1),
    "limits": NO_HALT,
    "check": False,
}


async def learn(office: Office, count: int) -> None:
    """Let the ledger know documents of an earlier run."""
    await office.open_run(orders(count, first=10), EARLIER)
    await office.execute(EARLIER, **HOW)
    await anyio.sleep(600)


@pytest.mark.parametrize("in_parts", [True, False])
async def test_what_was_there_before_one_call_excuses_no_other(*, in_parts: bool) -> None:
    """A lost document bears the number of a bill that is sent after it, and is lost as well."""
    lost, named = bills = orders(2)
    plan = steps(*["ok"] * 12, "make-then-reset", "reset")
    office = Office(
        sandbox(plan, misnamed={lost: named}, look_s=0.02, latency_s=0.2, **OPEN),
        replace(ROUTE, allow_partial=in_parts),
    )
    await learn(office, 12)
    await office.open_run(bills, again_because="" if in_parts else "more")
    for _ in range(3):
        await office.execute(**HOW)
        await anyio.sleep(700)
    assert (await office.rows())[lost].state is State.UNKNOWN
    office.site.finish()
    assert len(office.site.world.makings_of(lost)) == 1


@pytest.mark.parametrize("late_s", [570, 590, 598])
@pytest.mark.parametrize("lag_s", [8.0, 15.0])
async def test_what_is_made_within_the_window_is_waited_for_until_looks_show_it(
    late_s: int, lag_s: float
) -> None:
    """The copy of the database that answers looks lags behind."""
    plan = steps("ok", "ok", "ok", f"late-commit:{late_s}")
    office = Office(sandbox(plan, look_s=0.02, latency_s=0.2, query_lag_s=lag_s, **OPEN))
    numbers = orders(4)
    await office.open_run(numbers)
    pushed = await office.execute(settle=SettleTimes(poll_s=20), **HOW)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


@pytest.mark.parametrize("in_parts", [True, False])
async def test_a_word_about_another_run_frees_no_bill_of_this_one(*, in_parts: bool) -> None:
    """Two months ago a person has settled the bill without a document; now an answer names one."""
    (bill,) = orders(1)
    office = Office(
        sandbox(steps(*["ok"] * 6, "make-then-reset"), untied=(bill,), **OPEN),
        replace(ROUTE, allow_partial=in_parts),
    )
    await learn(office, 6)
    await office.open_run([bill], FIRST)
    await office.execute(FIRST, **HOW)
    word = BillNumber(bill)
    ledger = office.store.another_process()
    await settle_by_word(ledger, VirtualClock(), FIRST, word, State.PUSHED, because="it is there")
    await anyio.sleep(60 * 86400)
    await office.open_run([bill], SECOND, again_because="" if in_parts else "more")
    pushed = await office.execute(SECOND, **HOW)
    assert Cause.CONTRADICTION in pushed.stop.causes
    await settle_by_word(ledger, VirtualClock(), SECOND, word, State.PLANNED, because="no number")
    await anyio.sleep(900)
    row = (await office.execute(SECOND, **HOW)).rows[bill]
    assert row.state is State.PUSHED
    office.site.finish()
    assert len(office.site.world.makings_of(bill)) == 2


@pytest.mark.parametrize("links", [True, False])
async def test_bills_that_exchange_their_numbers_keep_the_call_that_carried_both(
    monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """It was refused, and has saved a document that ties itself to neither; looks show it late."""
    bills = orders(2)
    options: dict[str, Any] = {"query_lag_s": 8.0, "look_s": 0.05, "latency_s": 0.5}
    office = Office(sandbox(untied=tuple(bills), link_fields=links, **options, **OPEN))
    await learn(office, 6)
    keep_a_part(monkeypatch, bills, kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(bills)

    async def stop(job: Context) -> None:
        while not any(row.attempts for row in (await office.rows()).values()):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        job.stop.ask(Cause.CONTROL, "")

    together: dict[str, Any] = {**HOW, "throttle": steered(concurrency=1, chunk_size=2)}
    await office.execute(beside=stop, **together)
    await anyio.sleep(900)
    world = office.site.world
    sources = [world.store.by_number(PURCHASE_ORDER, bill)[0] for bill in bills]
    world.exchange(PURCHASE_ORDER, *bills)
    await office.execute(**together)
    office.site.finish()
    assert [len(world.makings_from(source)) for source in sources] == [1, 0]


@pytest.mark.parametrize(
    ("bill", "written"),
    [
        ("cgdd0000001-02", "CGDD0000001"),
        ("ＣＧＤＤ0000001-02", "CGDD0000001"),
        ("CGDD0000001-02", "ＣＧＤＤ0000001"),
    ],
)
async def test_the_part_of_a_number_is_one_in_any_case_and_width(bill: str, written: str) -> None:
    """The field is too short, and its database passes over letter case and width."""
    plan = steps(*["ok"] * 3, "make-then-reset")
    office = Office(sandbox(plan, link_fields=False, misnamed={bill: written}, **OPEN))
    office.site.world.add_source(PURCHASE_ORDER, bill)
    await learn(office, 3)
    await office.open_run([bill])
    await office.execute(**HOW)
    assert (await office.rows())[bill].state is State.UNKNOWN
    office.site.finish()
    assert len(office.site.world.makings_of(bill)) == 1


async def test_a_number_that_is_a_part_of_one_lost_bill_is_not_charged_to_another() -> None:
    """Two calls are lost at one moment, and a clerk pushes a third bill, whose number is whole.

    It is a part of the number of one of the lost bills: that one alone is left to a person.
    """
    longer, other, part = BillNumber("CGDD0000009-02"), orders(1)[0], BillNumber("CGDD0000009")
    office = Office(sandbox(steps(*["ok"] * 12, "reset", "reset"), link_fields=False, **OPEN))
    office.site.world.add_source(PURCHASE_ORDER, longer)
    await office.open_run(orders(12, first=20), EARLIER)
    await office.execute(EARLIER, **HOW)
    await office.open_run([longer, other])

    async def push_by_hand(_: Context) -> None:
        while not all(row.attempts for row in (await office.rows()).values()):  # noqa: ASYNC110
            await anyio.sleep(0.5)
        office.site.world.add_target(IN_STOCK, part, creator="sandbox")

    both: dict[str, Any] = {**HOW, "throttle": steered(concurrency=2, chunk_size=1)}
    pushed = await office.execute(beside=push_by_hand, **both)
    assert pushed.rows[longer].state is State.UNKNOWN
    assert pushed.rows[other].state is State.PUSHED
