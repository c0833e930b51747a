"""Bills that the ERP refuses to be asked for: nothing is said of them that nobody has seen."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from k3push.core.model import BY_LEDGER, RunId, State
from k3push.runs.context import Context
from k3push.runs.proof.unclear_documents import CANCELLED_SINCE
from k3push.simulator import FaultPlan, Policy, Refusal, fault, site
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import FIRST, SECOND, Office, one_by_one, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, doubled, keep_a_part, until_pushed
from tests.runs.test_last_looks import refuse_looks

pytestmark = pytest.mark.anyio

BEFORE = RunId("r0")
NAMELESS = Refusal(11, "第1行分录，数量大于入库上限！")


async def pushed_before(
    monkeypatch: pytest.MonkeyPatch, numbers: list[str], **options: Any
) -> tuple[Office, set[str]]:
    """Write down a run whose links nobody may query, in an office that has pushed others before.

    Returns:
        The office, and the bills of which the ERP refuses to be asked for documents.
    """
    options = {"latency_s": 1.0, "look_s": 0.1, **options, **OPEN}
    office = Office(sandbox(link_fields=False, **options))
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
    await office.open_run(orders(3, first=9), BEFORE)
    await office.execute(BEFORE, throttle=one_by_one(), check=False)
    await office.open_run(numbers)
    return office, refuse_looks(monkeypatch)


@pytest.mark.parametrize("by_us", [False, True])
async def test_a_closed_bill_whose_documents_the_erp_does_not_tell_is_not_only_closed(
    monkeypatch: pytest.MonkeyPatch, *, by_us: bool
) -> None:
    """A document has used it up, so that it is `already` there; and that look is refused."""
    office, numbers = Office(sandbox(link_fields=False)), orders(3)
    run = SECOND if by_us else FIRST
    for number in numbers[:2]:
        if not by_us:
            office.site.world.add_target(IN_STOCK, number)
    if by_us:
        await office.open_run(numbers[:2])
        await office.execute()
    await office.open_run(numbers, run)
    refuse_looks(monkeypatch).add(numbers[0])
    pushed = await office.execute(run, check=False)
    row = pushed.rows[numbers[0]]
    if by_us:
        assert (row.state, row.code) == (State.ALREADY, BY_LEDGER), row
    else:
        assert row.state is State.REJECTED
        assert "GetRealExpress error" in row.reason, row
    assert (pushed.states[numbers[1]], pushed.states[numbers[2]]) == (State.ALREADY, State.PUSHED)


@pytest.mark.parametrize("lag_s", [0.0, 13.0])
@pytest.mark.parametrize("how", ["lost", "refused"])
async def test_a_look_that_is_refused_for_one_bill_proves_no_neighbour_absent(
    monkeypatch: pytest.MonkeyPatch, how: str, lag_s: float
) -> None:
    """A document of three bills bears the number of the first, and that one cannot be asked for."""
    numbers = first, *rest = orders(3)
    plan = FaultPlan(aimed={first: Aimed(fault("make-then-reset"))} if how == "lost" else {})
    office, refused = await pushed_before(
        monkeypatch, numbers, faults=plan, policy=Policy.MERGE_LINES, query_lag_s=lag_s
    )
    if how == "refused":
        keep_a_part(monkeypatch, numbers, kept=1, why=NAMELESS)

    async def refuse(_: Context) -> None:
        await until_pushed(office, 4)
        refused.add(first)
        await anyio.sleep_forever()

    chunk = steered(concurrency=1, chunk_size=3)
    for _ in range(2):
        await office.execute(limits=NO_CANARY, throttle=chunk, beside=refuse, check=False)
    assert doubled(office, numbers) == []
    assert {row.state for row in (await office.rows()).values()} == {State.UNKNOWN}
    refused.clear()
    seen = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    assert doubled(office, numbers) == []
    assert (seen.of(State.PUSHED), seen.of(State.UNKNOWN)) == ({first}, set(rest))


async def test_a_bill_whose_document_was_cancelled_travels_with_no_part_of_its_refused_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A person may not want another; of the other bills the look has told."""
    numbers = first, *rest = orders(4)
    office, _ = await pushed_before(monkeypatch, numbers)
    keep_a_part(monkeypatch, numbers, kept=1, why=NAMELESS)
    save = site.Site._save

    def save_and_cancel(self: site.Site, *what: Any) -> Any:
        saved = save(self, *what)
        for document in self.world.documents_of(first):
            self.world.cancel(document)
        return saved

    monkeypatch.setattr(site.Site, "_save", save_and_cancel)
    chunk = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=chunk, check=False)
    row = pushed.rows[first]
    assert (row.state, row.code, row.attempts) == (State.UNKNOWN, CANCELLED_SINCE, 1)
    assert pushed.of(State.PUSHED) == set(rest)
