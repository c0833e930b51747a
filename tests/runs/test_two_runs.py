"""Two runs of one ledger over the same bills."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, RunId, State, key_of
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context
from k3push.runs.outcome import Exit
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop
from k3push.simulator import FaultPlan, Seeded, fault
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Notebook,
    Office,
    VirtualClock,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_CANARY, OPEN
from tests.runs.test_proof import most_documents

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("site", [{"closes": False}, {"closes": True}, OPEN])
async def test_what_another_run_has_made_meanwhile_is_there_already(site: dict[str, Any]) -> None:
    """Whether the bill is closed, used up or open since; the other run has settled the doubts."""
    office = Office(sandbox(steps("reset"), **site))
    numbers = orders(3)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    throttle = steered(concurrency=1, chunk_size=3)
    await office.execute(throttle=throttle, limits=halts, check=False)
    await office.open_run(numbers, SECOND)
    pushed = await office.execute(SECOND, throttle=throttle, check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    pushed = await office.execute(throttle=throttle)
    assert pushed.of(State.ALREADY) == set(numbers)
    assert most_documents(office, numbers) == 1


async def test_an_older_run_takes_no_outcome_away() -> None:
    """What an older run has made takes no place of what this run has made."""
    office = Office(sandbox(steps("ok", "commit-late-then-response-error:10")))
    number = orders(1)[0]
    await office.open_run([number])
    await office.execute()
    old = office.site.world.documents_of(number)[0]
    office.site.world.cancel(old)
    await office.open_run([number], SECOND)

    async def stop(job: Context) -> None:
        await anyio.sleep(5)
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(SECOND, beside=stop, check=False)
    await anyio.sleep(60)
    pushed = await office.execute(SECOND, check=False)
    row = pushed.rows[number]
    new = office.site.world.documents_of(number)[1]
    assert [each.id for each in row.targets] == [str(new.id)], (row.state, row.code, row.targets)
    assert row.state is State.PUSHED


async def test_a_document_of_another_run_is_no_late_one_of_ours() -> None:
    """A document that another run names is no late one of ours."""
    office = Office(sandbox(steps("make-then-reset"), latency_s=2.0, **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=1)

    async def again(job: Context) -> None:
        while not office.site.world.documents_of(numbers[0]):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        throttle.pause()
        while not (await office.rows(FIRST))[numbers[0]].targets:  # noqa: ASYNC110
            await anyio.sleep(5)
        assert job.suspects
        await office.open_run(numbers[:1], SECOND, again_because="more of it came")
        await office.execute(SECOND, check=False)
        throttle.go_on()

    pushed = await office.execute(beside=again, throttle=throttle, check=False)
    second = (await office.rows(SECOND))[numbers[0]]
    first = pushed.rows[numbers[0]]
    assert not {t.id for t in first.targets} & {t.id for t in second.targets}, first


async def test_of_two_other_runs_neither_has_made_ours() -> None:
    """What any other run names is not ours, the latest or an earlier one."""
    office = Office(sandbox(steps("reset"), **OPEN))
    numbers = orders(1)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, check=False)
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, check=False)
    third = RunId("r3")
    await office.open_run(numbers, third, again_because="more")
    await office.execute(third, check=False)
    pushed = await office.execute(check=False)
    assert pushed.rows[numbers[0]].state is State.ALREADY


async def test_a_run_that_waits_for_a_paused_one_says_so() -> None:
    """A run that waits for the numbers of another says for which."""
    plan = FaultPlan(seeded=Seeded(1, (fault("edit-lock"),)))
    office = Office(sandbox(plan, **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)
    await office.open_run(numbers, SECOND)
    throttle = steered(concurrency=1, chunk_size=2)
    watch, told = Notebook(), []

    async def beside(job: Context) -> None:
        await anyio.sleep(1)
        throttle.pause()
        stop = Stop()
        with anyio.move_on_after(3600):
            await office.execute(SECOND, watch=watch, stop=stop, check=False)
        told.extend([*watch.waits, *watch.moves, *stop.causes])
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(throttle=throttle, limits=NO_CANARY, beside=beside, check=False)
    assert told


async def test_what_another_run_sent_without_a_look_is_not_settled_by_what_is_there() -> None:
    """A run that can look settles nothing of one that could not look before it sent."""
    blind = Office(
        sandbox(steps("reset"), link_fields=False, **OPEN), replace(ROUTE, source_number_field="")
    )
    numbers = orders(1)
    blind.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await blind.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await blind.execute(limits=halts, check=False)
    office = Office(site=blind.site, ledger=blind.store)
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, check=False)
    assert (await office.rows(FIRST))[numbers[0]].state is State.UNKNOWN


@pytest.mark.parametrize("fault", ["reset", "make-then-reset"])
async def test_what_was_there_before_a_call_without_a_look_is_not_what_it_made(fault: str) -> None:
    """The route gets its field after an answer was lost; our own user made a document days ago."""
    office = Office(
        sandbox(steps(fault), link_fields=False, **OPEN), replace(ROUTE, source_number_field="")
    )
    (number,) = numbers = orders(1)
    office.site.world.add_target(IN_STOCK, number, creator="sandbox")
    await anyio.sleep(2 * 86_400)
    await office.open_run(numbers)
    await office.execute(check=False)
    await anyio.sleep(3600)
    row = (await office.execute(route=ROUTE)).rows[number]
    assert len(row.targets) == len(office.site.world.documents_of(number))
    told = (State.ALREADY, "") if fault == "reset" else (State.PUSHED, TWIN)
    assert (row.state, row.code) == told, row


async def carried_out_late(late_s: int, *then: str) -> tuple[Office, list[str]]:
    """Return an office whose first run has a number in doubt past its window, and one to send.

    The second run has pushed the first number; the first call is carried out so long after it left.
    """
    plan = steps(f"late-commit:{late_s}", "ok", *then)
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN)), orders(2)
    await office.open_run(numbers)
    halts = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=steered(concurrency=1, chunk_size=1), check=False)
    await office.execute(work=only_settle, check=False)
    assert {row.state for row in (await office.rows()).values()} == {State.PLANNED}
    await office.open_run(numbers[:1], SECOND)
    pushed = await office.execute(SECOND, check=False)
    assert pushed.rows[numbers[0]].state is State.PUSHED
    return office, numbers


async def test_what_another_run_made_meanwhile_is_a_twin_of_what_comes_late() -> None:
    """Neither run could know of the other's document, and the row of the later look tells."""
    office, (number, _) = await carried_out_late(1500)
    await anyio.sleep(1500)
    pushed = await office.execute(check=False)
    row, documents = pushed.rows[number], office.site.world.documents_of(number)
    assert {target.id for target in row.targets} == {str(each.id) for each in documents}
    assert (len(documents), row.state, row.code) == (2, State.PUSHED, TWIN)
    assert row.reason.startswith("note.twin{"), row


async def test_what_comes_after_its_number_was_already_there_is_a_twin() -> None:
    """The run goes on with other numbers, and looks once more at its end."""
    office, (number, other) = await carried_out_late(800, "delay:290")
    two = steered(concurrency=2, chunk_size=1)
    pushed = await office.execute(limits=NO_CANARY, throttle=two, check=False)
    row, documents = pushed.rows[number], office.site.world.documents_of(number)
    assert pushed.rows[other].state is State.PUSHED
    assert {target.id for target in row.targets} == {str(each.id) for each in documents}
    assert (len(documents), row.state, row.code) == (2, State.PUSHED, TWIN)


@pytest.mark.parametrize("is_alive", [False, True])
@pytest.mark.parametrize("by_id", [False, True])
async def test_a_bill_that_got_another_number_waits_for_the_call_in_doubt_for_it(
    *, is_alive: bool, by_id: bool
) -> None:
    """A claim is of a number; the call that another run has lost knows the bill by the old one."""
    office = Office(sandbox(steps("late-commit:120"), **OPEN))
    store, number = office.site.world.store, orders(1)[0]
    (bill,) = store.by_number(PURCHASE_ORDER, number)
    listed = key_of("", str(bill.id)) if by_id else number
    await office.open_run([listed])
    # A single doubt stops the first run, which is dead then, or lets it go on.
    halt = HaltRule(unknown_count=2 if is_alive else 1)
    limits = PushLimits(canary=False, halt=halt)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(office.execute, limits=limits, check=False))
        await anyio.sleep(10)
        store.remove(bill)
        bill.number = f"{number}-1"
        store.add(bill)
        await office.open_run([listed if by_id else bill.number], SECOND)
        second = await office.execute(SECOND, check=False)
    (made,) = office.site.world.makings_of(bill.number)
    (row,) = second.rows.values()
    assert (row.state, [t.id for t in row.targets]) == (State.ALREADY, [str(made.target.id)])


@pytest.mark.parametrize("done", [True, False])
async def test_a_run_whose_last_doubt_another_one_has_settled_has_ended_well(*, done: bool) -> None:
    """Nobody has to look at it any more, unless its bill is left to be pushed."""
    plan = steps("make-then-reset" if done else "reset")
    office, numbers = Office(sandbox(plan, **OPEN)), orders(1)
    await office.open_run(numbers)
    limits = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(limits=limits, check=False)
    await office.store.end_run(FIRST, Exit.SOME_UNKNOWN, VirtualClock().now())
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, check=False)
    ended = await office.store.run(FIRST)
    assert ended is not None
    assert ended.exit == (Exit.DONE if done else Exit.SOME_UNKNOWN)
