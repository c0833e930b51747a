from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from k3push.core.control_words import Key
from k3push.core.model import RunId, State
from k3push.core.pacing.pace import MERGING_CHUNK_SIZE
from k3push.core.pacing.samples import Setting
from k3push.simulator.fault_plans.script import Channel
from tests.benchmarks.shapes import SHAPES, makespan_s
from tests.runs.office import Notebook, Office, orders, sandbox, steered, steps
from tests.schedules import seed_schedule
from tests.shares import shared_out

# The best fixed pair of a small grid for 1,000 numbers, and what auto may take beside it. Short
# lists leave little time to find a pace; `python -m tests.benchmarks makespan` has longer ones.
SLACK = 1.3
GRID = (Setting(1, 200), Setting(4, 50), Setting(16, 20), Setting(64, 20))


SHARED = shared_out(["user-queue", "site-queue", "capacity-4", "heavy"], 4, of_more=1)


@pytest.mark.parametrize("name", SHARED)
def test_auto_is_near_the_best_fixed_setting(name: str) -> None:
    """Nobody knows the shape of their server, and each wants another setting."""
    shape = replace(SHAPES[name], numbers=1000)
    best_s = float("inf")
    for setting in GRID:
        best_s = min(best_s, makespan_s(shape, setting, cut_s=best_s) or best_s)
    auto_s = makespan_s(shape, cut_s=SLACK * best_s)
    assert auto_s is not None, f"more than {SLACK} × {best_s:.1f} s"


@pytest.mark.more
def test_auto_does_not_run_into_a_limit_on_calls_that_larger_chunks_avoid() -> None:
    """The first round of a climb flatters small chunks, which are mostly calls.

    The list takes nearly all calls of the first minute, so that one schedule in twenty meets it.
    """
    took_s = []
    for seed in range(3):
        seed_schedule(seed)
        took_s.append(makespan_s(SHAPES["call-limit"], cut_s=65))
    assert sum(each_s is not None for each_s in took_s) >= 2


@pytest.mark.anyio
async def test_the_next_night_is_quicker() -> None:
    """It begins with as many calls as this one came to, on these forms."""
    options = sandbox(orders=480, latency_s=0.3, per_number_s=0.1, capacity=16, link_fields=False)
    office = Office(options)
    took_s = []
    for nth in range(2):
        run = RunId(f"night-{nth}")
        await office.open_run(orders(480)[nth * 240 : (nth + 1) * 240], run)
        began_s = anyio.current_time()
        await office.execute(run, throttle=steered())
        took_s.append(anyio.current_time() - began_s)
    assert took_s[1] < 0.9 * took_s[0]
    assert await office.store.pace("another") is None


@pytest.mark.anyio
async def test_a_look_that_is_turned_away_for_too_many_calls_is_made_again() -> None:
    """MsgCode 14 is about the rate of calls and not about a form or a right."""
    office = Office(sandbox(steps("ok", "call-limit", on=Channel.QUERY)))
    await office.open_run(orders(40))
    pushed = await office.execute(throttle=steered())
    assert pushed.of(State.PUSHED) == set(orders(40))
    assert pushed.stop.causes == {}
    assert pushed.watch.waits


@pytest.mark.anyio
async def test_under_rules_that_merge_the_size_stays() -> None:
    """The chunk decides which sources share a target (P 5.6)."""
    office = Office(sandbox(orders=300, policy="merge", latency_s=1.0))
    await office.open_run(orders(300))
    pushed = await office.execute(throttle=steered())
    assert pushed.of(State.PUSHED) == set(orders(300))
    sizes = [len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings]
    rest = (300 - sum(sizes[:2])) % MERGING_CHUNK_SIZE
    assert set(sizes[2:]) == {MERGING_CHUNK_SIZE, rest}


@pytest.mark.anyio
@pytest.mark.parametrize("fixed", [{"concurrency": 2}, {"chunk_size": 7}])
async def test_one_quantity_may_be_fixed_while_the_other_is_steered(fixed: dict[str, int]) -> None:
    """Who knows the one does not always know the other."""
    throttle = steered(**fixed)
    office = Office(sandbox(orders=600, latency_s=0.5, per_number_s=0.05, capacity=8))
    await office.open_run(orders(600))
    watch = Notebook()
    await office.execute(throttle=throttle, watch=watch)
    sizes = {len(attempt.intent.numbers) for attempt, _, _ in watch.sendings}
    if "chunk_size" in fixed:
        assert sizes - {1, (600 - 1) % 7} == {7}
        assert throttle[Key.CONCURRENCY] > 4
    else:
        assert max(sizes) > 10
        assert throttle[Key.CONCURRENCY] == 2
