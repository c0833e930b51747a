"""A document of several bills, which keeps the links of some of its lines only (P 5.6)."""

from __future__ import annotations

import pytest

from k3push.core.model import RunId, State
from k3push.simulator import FaultPlan, Refusal, fault
from k3push.simulator.books.forms import PURCHASE_ORDER, Policy
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import Office, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, doubled, keep_a_part

pytestmark = pytest.mark.anyio

BEFORE = RunId("r0")
LINE = "FInStockEntry_FEntryId"


@pytest.mark.parametrize("how", ["answered", "lost", "refused"])
@pytest.mark.parametrize(
    ("joins", "hollow"), [(False, ()), (True, ()), (False, (LINE,))], ids=["all", "joins", "lines"]
)
async def test_lines_without_a_link_may_be_of_each_bill_of_the_call(
    monkeypatch: pytest.MonkeyPatch, how: str, *, joins: bool, hollow: tuple[str, ...]
) -> None:
    """The other lines of the document are linked, to the first bill."""
    numbers = first, *rest = orders(3)
    if how == "refused":
        keep_a_part(monkeypatch, numbers, kept=1, why=Refusal(11, "第1行分录，数量大于入库上限！"))
    plan = FaultPlan(aimed={first: Aimed(fault("make-then-reset"))} if how == "lost" else {})
    office = Office(
        sandbox(
            plan,
            policy=Policy.MERGE,
            untied=tuple(rest),
            joins_inwardly=joins,
            hollow_fields=hollow,
            look_s=0.1,
            **OPEN,
        )
    )
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.party = "P001"
    await office.open_run(orders(1, first=9), BEFORE)
    await office.execute(BEFORE, check=False)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == {first}
    assert pushed.of(State.UNKNOWN) == set(rest)


@pytest.mark.parametrize("hollow", [(), (LINE,)])
async def test_where_each_line_has_a_link_the_rest_of_a_refused_call_is_sent(
    monkeypatch: pytest.MonkeyPatch, hollow: tuple[str, ...]
) -> None:
    """A link tells of each line of what the call has saved, so that the others have nothing."""
    numbers = orders(3)
    keep_a_part(monkeypatch, numbers, kept=1, why=Refusal(11, "第1行分录，数量大于入库上限！"))
    office = Office(sandbox(hollow_fields=hollow, look_s=0.1, **OPEN))
    await office.open_run(orders(1, first=9), BEFORE)
    await office.execute(BEFORE, check=False)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=3)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert doubled(office, numbers) == []
