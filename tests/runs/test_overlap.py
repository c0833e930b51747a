from __future__ import annotations

import anyio
import pytest

from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.overlap import make_way
from tests.runs.office import FIRST, Office, orders

pytestmark = pytest.mark.anyio

NIGHT_S = 8 * 3600.0


async def test_a_wait_for_another_run_ends_when_nothing_may_be_sent_any_more() -> None:
    """A night's command that may send until six is not there at noon."""
    office = Office()
    await office.open_run(orders(1))
    told: list[str] = []
    async with office.store.own(FIRST):
        began_s = anyio.current_time()
        with pytest.raises(Problem) as met:
            await make_way(
                office.store,
                [office.run(FIRST).scope],
                "wait",
                lambda sentence, **_: told.append(sentence),
                most_s=NIGHT_S,
            )
    assert anyio.current_time() - began_s == NIGHT_S
    assert (met.value.exit, told) == (Exit.STOPPED, ["overlap.waiting"])


async def test_a_wait_ends_with_the_run_that_is_waited_for() -> None:
    """And the next one begins."""
    office = Office()
    await office.open_run(orders(1))
    async with anyio.create_task_group() as tasks:
        async with office.store.own(FIRST):
            tasks.start_soon(
                make_way, office.store, [office.run(FIRST).scope], "wait", lambda *_, **__: None
            )
            await anyio.sleep(60)
        ended_s = anyio.current_time()
    assert anyio.current_time() - ended_s <= 2
