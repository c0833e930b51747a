from __future__ import annotations

import anyio
import pytest

from k3push.core.control_words import Command, Key, Verb
from k3push.core.model import RunId
from k3push.ports import Commanded, Ledger
from tests.adapters.ledger.samples import NOON, later, planned

pytestmark = pytest.mark.anyio

PAUSE = Command(Verb.PAUSE)
STOP = Command(Verb.STOP)
FASTER = Command(Verb.SET, Key.CONCURRENCY, 8)
AUTO = Command(Verb.SET, Key.CHUNK_SIZE)


async def test_a_command_reaches_the_executor_and_its_answer_comes_back(
    ledger: Ledger, other: Ledger
) -> None:
    """Two terminals share nothing but the ledger."""
    run = await planned(ledger, "A")
    async with ledger.own(run):
        given = [await other.command(run, what, at=NOON) for what in (PAUSE, FASTER, AUTO)]
        kept = await ledger.commands(run)
        assert [each.command for each in kept] == [PAUSE, FASTER, AUTO]
        assert [each.id for each in kept] == given == sorted(given)
        assert {each.obeyed_at for each in kept} == {None}
        await ledger.obeyed(given[1], at=later(2), on_their_way=3)
        assert (await other.commands(run))[1] == Commanded(given[1], FASTER, NOON, later(2), 3)


async def test_a_command_is_obeyed_once(ledger: Ledger) -> None:
    """The time at which it was obeyed is what `status` tells."""
    run = await planned(ledger, "A")
    given = await ledger.command(run, PAUSE, at=NOON)
    await ledger.obeyed(given, at=later(1), on_their_way=1)
    await ledger.obeyed(given, at=later(9), on_their_way=9)
    assert await ledger.commands(run) == [Commanded(given, PAUSE, NOON, later(1), 1)]


async def test_a_command_to_a_dead_executor_does_not_reach_the_next_one(
    ledger: Ledger, other: Ledger
) -> None:
    """A stop of last night must not end the run that somebody resumes this morning."""
    run = await planned(ledger, "A")
    second = await planned(ledger, "A", "r2")
    old = await ledger.command(run, STOP, at=NOON)
    kept = await ledger.command(second, PAUSE, at=NOON)
    async with other.own(run):
        assert await other.commands(run) == []
        await ledger.obeyed(old, at=later(1), on_their_way=0)
        new = await ledger.command(run, PAUSE, at=later(2))
        assert new not in {old, kept}
        assert [each.id for each in await other.commands(run)] == [new]
    assert [each.id for each in await other.commands(second)] == [kept]


async def test_two_who_command_at_once_are_both_heard(ledger: Ledger, other: Ledger) -> None:
    """Neither word may take the place of the other."""
    run = await planned(ledger, "A")

    async def command(process: Ledger) -> None:
        for value in range(1, 11):
            await process.command(run, Command(Verb.SET, Key.CONCURRENCY, value), at=NOON)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(command, ledger)
        tasks.start_soon(command, other)
    kept = await ledger.commands(run)
    assert len({each.id for each in kept}) == 20
    assert sorted(each.command.value or 0 for each in kept) == sorted([*range(1, 11)] * 2)


async def test_a_run_that_nobody_opened_takes_no_command(ledger: Ledger) -> None:
    """A command that nobody can ever see would be waited for in vain."""
    with pytest.raises(LookupError):
        await ledger.command(RunId("r9"), PAUSE, at=NOON)
    with pytest.raises(LookupError):
        await ledger.commands(RunId("r9"))
