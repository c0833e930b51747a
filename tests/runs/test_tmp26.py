"""tmp."""
from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import State
from k3push.ports import LookFailedError
from k3push.runs import proof
from k3push.simulator import FaultPlan, fault
from k3push.simulator.forms import ROUTES
from k3push.simulator.script import Aimed
from tests.runs.office import Office, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, plan_again

pytestmark = pytest.mark.anyio

NO_LINKS = {"routes": (replace(ROUTES[0], keeps_links=False), *ROUTES[1:])}


@pytest.mark.parametrize("again", ["", "wanted"])
async def test_a_bill_that_was_rejected_for_what_may_be_its_own_is_told_of_it(
    monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Later answers show that links miss what the rule makes."""
    lost, *rest = orders(4)
    plan = FaultPlan(aimed={lost: Aimed(fault("make-then-lose-session"))})
    office = Office(sandbox(plan, **NO_LINKS, closes=True))

    async def fail(_: object) -> bool:
        raise LookFailedError("out of time")

    monkeypatch.setattr(proof, "look_at_newest_links", fail)
    await office.open_run([lost, *rest], again_because=again)
    one_by_one = steered(concurrency=1, chunk_size=1)
    first = await office.execute(limits=NO_CANARY, throttle=one_by_one, check=False)
    print(first.rows[lost])
    await plan_again(office)
    await office.execute(limits=NO_CANARY, throttle=one_by_one, check=False)
    row = (await office.rows())[lost]
    print(row)
    (document,) = office.site.world.documents_of(lost)
    assert (row.state, [t.number for t in row.targets]) == (State.PUSHED, [document.number])
    assert row.code == ""
