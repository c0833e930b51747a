from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

import anyio
import pytest

from k3push.core.model import HELD, RunId, State
from k3push.runs.context import Context
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, Refusal
from k3push.simulator.fault_plans.script import Channel
from tests.runs.mortals import Act, Fate, Lived, MortalLedger, carried_by, left_by_death, played
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    WINDOW_S,
    Office,
    Pushed,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.said import english
from tests.shares import shared_out

pytestmark = pytest.mark.anyio


async def _execute(office: Office, ledger: MortalLedger, fate: Fate) -> None:
    """Execute the first run until something happens to its process."""
    with fate.scope:
        pushed = await office.execute(
            ledger=ledger.process(fate),
            transport=carried_by(fate),
            throttle=steered(chunk_size=SMALL),
            check=False,
        )
        assert set(pushed.stop.causes) == ({Cause.LEDGER_LOST} if fate.happened else set())


async def _execute_until(
    office: Office, ledger: MortalLedger, at: int, act: Act = Act.KILL
) -> None:
    """Execute the first run until something happens at a step."""
    await _execute(office, ledger, Fate({at: act}))


BILLS = 12
SMALL = 4

FAULTS = [
    FaultPlan(),
    replace(
        steps("ok", "make-then-reset", "reset", "lose-session", "late-commit:300", "call-limit"),
        refusals={orders(9)[8]: Refusal(8, "仓库 {number} 必录")},
    ),
]


@pytest.mark.parametrize("plan", FAULTS, ids=["calm", "stormy"])
@pytest.mark.parametrize("schedule", shared_out([1, 2], 2))
def test_a_process_may_be_killed_at_any_step(plan: FaultPlan, schedule: int) -> None:
    """Power fails at the worst moment, and the next process knows only what was written down."""

    async def play(fate: Fate) -> None:
        store = MortalLedger(Fate())
        office = Office(sandbox(plan, orders=BILLS, latency_s=0.5), ledger=store)
        await office.open_run(orders(BILLS))
        if isinstance(fate, Lived):
            fate.left = left_by_death(store, office.site)
        await _execute(office, store, fate)
        pushed = await office.execute()
        bad = set(plan.refusals)
        assert pushed.of(State.REJECTED) == bad
        assert pushed.of(State.PUSHED) == set(orders(BILLS)) - bad

    lived = played(play, Lived, schedule=schedule)
    assert len(lived.moments) > 15
    for moment in lived.moments:
        assert played(play, partial(Fate, {moment: Act.KILL}), schedule=schedule).dead


@pytest.mark.parametrize("plan", shared_out(FAULTS, 2), ids=["calm", "stormy"])
async def test_a_ledger_may_be_lost_at_any_step(plan: FaultPlan) -> None:
    """A disk is full while the network is well; what is open then is in doubt."""
    for at in range(1, 40, 2):
        store = MortalLedger(Fate())
        office = Office(sandbox(plan, orders=BILLS, latency_s=0.5), ledger=store)
        await office.open_run(orders(BILLS))
        await _execute_until(office, store, at, Act.FULL_DISK)
        assert office.site.calls[Channel.PUSH] <= await office.store.attempt_count(FIRST)
        pushed = await office.execute()
        assert pushed.of(State.PUSHED) == set(orders(BILLS)) - set(plan.refusals)


@pytest.mark.parametrize("plan", shared_out(FAULTS, 2), ids=["calm", "stormy"])
async def test_one_of_two_processes_may_be_killed_at_any_step(plan: FaultPlan) -> None:
    """The other meets claims of the dead, and must neither take them on trust nor wait for ever."""
    for at in range(1, 60, 3):
        store = MortalLedger(Fate())
        office = Office(sandbox(plan, orders=BILLS, latency_s=0.5), ledger=store)
        await office.open_run(orders(BILLS), FIRST)
        await office.open_run(orders(BILLS)[::-1], SECOND)

        async def execute_second(office: Office = office) -> None:
            await office.execute(SECOND, throttle=steered(chunk_size=SMALL), check=False)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(execute_second)
            await _execute_until(office, store, at)
        await office.execute(FIRST)
        for run in (FIRST, SECOND):
            states = {row.state for row in (await office.rows(run)).values()}
            assert states <= {State.PUSHED, State.ALREADY, State.REJECTED}


async def test_processes_may_be_killed_one_after_the_other() -> None:
    """A supervisor that starts a dying process again and again must not make it worse."""
    store = MortalLedger(Fate())
    office = Office(sandbox(FAULTS[1], orders=30, latency_s=0.5), ledger=store)
    await office.open_run(orders(30))
    for at in range(5, 60, 3):
        await _execute_until(office, store, at)
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(30)) - set(FAULTS[1].refusals)


async def test_what_broke_its_call_is_not_rejected_after_one_look() -> None:
    """What the last try has made may be shown a moment later."""
    office = Office(sandbox(steps("commit-late-then-response-error:5"), orders=1))
    await office.open_run(orders(1))
    pushed = await office.execute(limits=PushLimits(max_attempts=1))
    assert pushed.of(State.PUSHED) == set(orders(1))


# -- several runs on one ledger -------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
async def test_two_runs_at_the_same_time_push_each_number_once(*, lost: bool) -> None:
    """Two people with overlapping lists start within the same second."""
    plan = steps("ok", "ok", "reset", "make-then-reset") if lost else FaultPlan()
    office = Office(sandbox(plan, orders=200, latency_s=1.0))
    await office.open_run(orders(120), FIRST)
    await office.open_run(orders(120, 60), SECOND)
    done: list[Pushed] = []

    async def execute(run: RunId) -> None:
        done.append(await office.execute(run, check=False))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(execute, FIRST)
        tasks.start_soon(execute, SECOND)
    await office.check()
    carried = [number for pushed in done for number in pushed.watch.carried]
    assert lost or len(carried) == len(set(carried)) == 180
    for pushed in done:
        assert not pushed.stop.causes
        assert set(pushed.states.values()) <= {State.PUSHED, State.ALREADY}
    states = [state for pushed in done for state in pushed.states.values()]
    assert states.count(State.PUSHED) == 180


async def test_doubts_of_a_dead_run_are_settled_by_the_run_that_they_stand_in_the_way_of() -> None:
    """A number in doubt is nobody's to send, whoever asks for it."""
    office = Office(sandbox(steps("ok", "make-then-silence", "reset"), latency_s=0.5))
    await office.open_run(orders(60), FIRST)
    with anyio.move_on_after(60):
        await office.execute(FIRST, throttle=steered(concurrency=2, chunk_size=20), check=False)
    await office.open_run(orders(60), SECOND)
    second = await office.execute(SECOND, check=False)
    assert set(second.states.values()) == {State.PUSHED, State.ALREADY}
    first = await office.execute(FIRST)
    assert set(first.states.values()) == {State.PUSHED, State.ALREADY}


async def test_a_dead_run_that_was_settled_for_another_keeps_its_ending() -> None:
    """Its exit code is a fact of the past."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=0.5))
    await office.open_run(orders(60), FIRST)
    with anyio.move_on_after(5):
        await office.execute(FIRST, check=False)
    ended = datetime.fromisoformat("2026-01-02T12:00:05+00:00")
    await office.store.end_run(FIRST, 130, ended)
    await office.open_run(orders(60), SECOND)
    await office.execute(SECOND, check=False)
    first = await office.store.run(FIRST)
    assert first is not None
    assert (first.exit, first.ended_at) == (130, ended)


async def test_a_number_that_nobody_can_settle_does_not_hold_a_run_for_ever() -> None:
    """Without a field to ask by, the doubt of another run stays, and so does our number."""
    options = sandbox(steps("reset"), link_fields=False)
    office = Office(options, replace(ROUTE, source_number_field=""))
    await office.open_run(orders(3), FIRST)
    await office.execute(FIRST, throttle=steered(concurrency=1, chunk_size=20))
    await office.open_run(orders(3), SECOND)
    with anyio.fail_after(100_000):
        second = await office.execute(SECOND, check=False)
    assert second.states[orders(1)[0]] is State.PLANNED
    assert orders(1)[0] not in second.watch.carried
    assert FIRST in second.stop.causes[Cause.BARRED]
    row = second.rows[orders(1)[0]]
    assert (row.code, FIRST in english(row.reason)) == (HELD, True)


async def test_a_number_that_is_held_elsewhere_says_so_after_a_stop_in_a_pause() -> None:
    """It was asked for and let go again, and nothing could claim it once more in the pause."""
    office = Office(sandbox(steps("ok", "late-commit:400"), latency_s=0.5))
    await office.open_run(orders(2), FIRST)
    with anyio.move_on_after(30):
        await office.execute(FIRST, check=False)
    await office.open_run(orders(3), SECOND)
    throttle = steered()

    async def person(context: Context) -> None:
        await anyio.sleep(5)
        throttle.pause()
        await anyio.sleep(200)
        context.stop.ask(Cause.CONTROL, "")

    second = await office.execute(SECOND, throttle=throttle, beside=person, check=False)
    row = second.rows[orders(2)[1]]
    assert (row.state, row.code) == (State.PLANNED, HELD)
    assert FIRST in english(row.reason)


async def test_a_number_that_a_contradiction_holds_does_not_hold_a_run_for_ever() -> None:
    """The answer to the other run's attempt names a document that no look finds."""
    office = Office(sandbox(steps("mislink"), orders=60))
    await office.open_run(orders(3), FIRST)
    await office.execute(FIRST)
    await office.open_run(orders(3), SECOND)
    with anyio.fail_after(100_000):
        second = await office.execute(SECOND, check=False)
    assert second.states[orders(1)[0]] is State.PLANNED
    assert second.of(State.PUSHED) == set(orders(2, 1))
    assert FIRST in second.stop.causes[Cause.BARRED]


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_two_living_runs_that_hold_each_other_up_both_end(field: str) -> None:
    """Each holds a number that only a person can settle, and wants the other's."""
    a, b = orders(2)
    lost = "mislink" if field else "reset"
    options = sandbox(steps(lost, lost), link_fields=bool(field))
    office = Office(options, replace(ROUTE, source_number_field=field))
    await office.open_run([a, b])
    await office.open_run([b, a], SECOND)
    for run in (FIRST, SECOND):
        await office.execute(run, limits=PushLimits(canary=False, limit=1), check=False)
    assert (await office.rows())[a].state is State.UNKNOWN
    assert (await office.rows(SECOND))[b].state is State.UNKNOWN
    ended: list[Pushed] = []

    async def resume(run: RunId) -> None:
        ended.append(await office.execute(run, limits=PushLimits(canary=False), check=False))

    with anyio.move_on_after(10 * WINDOW_S):
        async with anyio.create_task_group() as both:
            both.start_soon(resume, FIRST)
            both.start_soon(resume, SECOND)
    assert len(ended) == 2
    assert all(Cause.PERSON in pushed.stop.causes for pushed in ended)
    assert office.site.calls[Channel.PUSH] == 2
