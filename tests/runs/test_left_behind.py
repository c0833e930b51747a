"""Which runs `status` and `resume` name beside the one that they are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import BillNumber, Listed, RunId
from k3push.runs.find import left_behind
from k3push.runs.outcome import Exit
from tests.runs.office import FIRST, SECOND, Office, VirtualClock, orders

pytestmark = pytest.mark.anyio

THIRD = RunId("r3")


async def test_a_run_with_rejected_numbers_has_ended_though_its_results_were_moved() -> None:
    """A person has put them away, or they are elsewhere: there is nothing to go on with."""
    office = Office()
    for run, exit_code in ((FIRST, Exit.SOME_REJECTED), (SECOND, Exit.STOPPED), (THIRD, Exit.DONE)):
        await office.open_run(orders(1), run)
        await office.store.end_run(run, exit_code, VirtualClock().now())
    assert [run.id for run in await left_behind(office.store, {THIRD})] == [SECOND]


async def test_a_run_that_waits_behind_another_of_its_command_was_not_left_behind() -> None:
    """The command goes on, and comes to it: whoever resumed it now would execute it beside that."""
    office = Office()
    store = office.store.another_process()
    for run in (FIRST, SECOND):
        await store.open_run(replace(office.run(run), group="g"))
        await store.add(run, [Listed(1, BillNumber(orders(1)[0]))])
        await store.close_list(run)
    await office.open_run(orders(1), THIRD)
    await office.store.end_run(THIRD, Exit.DONE, VirtualClock().now())
    async with store.own(FIRST):
        assert await left_behind(office.store, {THIRD}) == []
