"""Bills that the ERP refuses to be asked for: nothing is said of them that nobody has seen."""

from __future__ import annotations

import pytest

from k3push.core.model import BY_LEDGER, State
from k3push.simulator.books.forms import IN_STOCK
from tests.runs.office import FIRST, SECOND, Office, orders, sandbox
from tests.runs.test_last_looks import refuse_looks

pytestmark = pytest.mark.anyio


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
