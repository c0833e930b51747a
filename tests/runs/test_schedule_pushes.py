"""What a schedule has begun holds up its next push only as long as it may send something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import BillNumber, Listed, Outcome, State
from k3push.runs.create import SELECTED
from k3push.runs.request_stages import Request, RequestKind, Stage, put_request
from k3push.runs.schedule_pushes import pushes_under_way, selected_run_under_way
from tests.runs.office import FIRST, NOON, Office, orders

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("state", [State.PLANNED, State.REJECTED])
@pytest.mark.parametrize("whole", [True, False])
async def test_a_run_that_has_nothing_left_to_send_holds_up_no_schedule(
    state: State, *, whole: bool
) -> None:
    """Its documents may wait in a workflow for days; a list that is being written has no rows."""
    office = Office()
    ledger = office.store
    run = replace(office.run(FIRST, again_because=""), jobs=(f"lists/{SELECTED}",))
    await ledger.open_run(run)
    if whole:
        await ledger.add(FIRST, [Listed(1, BillNumber(orders(1)[0]))])
        await ledger.close_list(FIRST)
    for row in await ledger.rows(FIRST, limit=10) if state is not State.PLANNED else ():
        await ledger.conclude(FIRST, [Outcome(row.listed, state)], at=NOON)
    request = Request(
        id="one",
        kind=RequestKind.PUSH,
        by="schedule/nightly",
        at=NOON,
        stage=Stage.APPROVED,
        jobs=["selected.csv"],
        how={"schedule": "nightly", "approved": True},
        runs=[FIRST],
    )
    await put_request(ledger, request)
    sends = state is State.PLANNED or not whole
    begun = [each.id for each in await pushes_under_way(ledger, "nightly")]
    assert begun == (["one"] if sends else [])
    found = await selected_run_under_way(ledger, run.scope, {FIRST})
    assert (found is not None) is sends
    assert await selected_run_under_way(ledger, run.scope) is None  # nobody executes it
