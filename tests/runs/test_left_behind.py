"""Which runs `status` and `resume` name beside the one that they are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import BillNumber, Listed, Outcome, RunId, State
from k3push.runs.context import Context
from k3push.runs.engine import push_run
from k3push.runs.engine_tasks import intake
from k3push.runs.find import left_behind
from k3push.runs.outcome import Exit
from k3push.runs.retry import plan_rejected
from tests.runs.office import FIRST, SECOND, Office, VirtualClock, orders

pytestmark = pytest.mark.anyio

THIRD = RunId("r3")


async def test_a_run_with_rejected_numbers_has_ended_though_its_results_were_moved() -> None:
    """A person has put them away, or they are elsewhere: there is nothing to go on with."""
    office = Office()
    for run, exit_code in ((FIRST, Exit.SOME_REJECTED), (SECOND, Exit.STOPPED), (THIRD, Exit.DONE)):
        await office.open_run(orders(1), run)
        await office.store.end_run(run, exit_code, VirtualClock().now())
    await _reject(office, FIRST)
    assert [run.id for run in await left_behind(office.store, {THIRD})] == [SECOND]


async def test_a_run_whose_retry_was_cut_off_before_it_began_is_left_behind() -> None:
    """Its exit code is that of the execution before, and its bills are planned."""
    office = Office()
    await office.open_run(orders(1), FIRST)
    await _reject(office, FIRST)
    await office.store.end_run(FIRST, Exit.SOME_REJECTED, VirtualClock().now())
    assert await left_behind(office.store, {THIRD}) == []
    await plan_rejected(office.store, VirtualClock(), office.run(FIRST), lambda _: True)
    assert [run.id for run in await left_behind(office.store, {THIRD})] == [FIRST]


async def _reject(office: Office, run: RunId) -> None:
    rejected = Outcome(BillNumber(orders(1)[0]), State.REJECTED, code="precheck")
    await office.store.conclude(run, [rejected], at=VirtualClock().now())


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


async def test_what_a_retry_names_is_pushed_wherever_else_rows_are_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page of planned rows may reach far behind the last one that was named."""
    monkeypatch.setattr(intake, "MOST_NUMBERS", 2)
    office, numbers = Office(), orders(40)
    await office.open_run(numbers)
    pushed = [Outcome(BillNumber(number), State.ALREADY) for number in numbers[1:-1]]
    await office.store.conclude(FIRST, pushed, at=VirtualClock().now())

    async def retry(job: Context) -> None:
        job.chosen = {1}
        await push_run(job)

    rows = (await office.execute(work=retry, check=False)).rows
    assert rows[numbers[0]].state is State.PUSHED
    assert rows[numbers[-1]].state is State.PLANNED
