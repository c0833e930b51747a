"""Several real processes on one ledger, some of them killed."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from k3push.core.model import BillNumber, RunId, State
from k3push.ports import Ledger, RunIsAliveError
from tests.adapters.ledger.players import open_ledger
from tests.adapters.ledger.playing import Player
from tests.adapters.ledger.samples import intent, numbers, planned
from tests.said import english
from tests.shares import shared_out


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where the ledger is."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def play(place: str) -> Iterator[Callable[[str, str], Player]]:
    """Start players on one ledger, and leave none behind."""
    players = []

    def start(role: str, run: str) -> Player:
        players.append(Player(place, role, run))
        return players[-1]

    yield start
    for player in players:
        player.process.kill()
        player.process.communicate()


Play = Callable[[str, str], Player]


@asynccontextmanager
async def owned_after_kill(ledger: Ledger, run: RunId) -> AsyncIterator[None]:
    """Own a run once its killed owner is gone: PostgreSQL ends its statement before it looks."""
    with anyio.fail_after(60):
        while await ledger.is_alive(run):
            await checkpoint()
    async with ledger.own(run):
        yield


async def prepare(place: str, **jobs: Sequence[str]) -> None:
    """Open runs, each with its numbers."""
    async with open_ledger(place) as ledger:
        for run, names in jobs.items():
            await planned(ledger, " ".join(names), run)


def test_each_number_has_one_winner(place: str, play: Play) -> None:
    """Two processes claim overlapping lists at the same time, in opposite orders."""
    names = [f"N{index}" for index in range(300)]
    anyio.run(partial(prepare, place, r1=names[:200], r2=names[:99:-1]))
    players = [play("claim", run) for run in ("r1", "r2")]
    assert [player.line() for player in players] == ["ready"] * 2
    for player in players:
        player.go()
    first, second = (set(player.line().split()) for player in players)
    assert first.isdisjoint(second)
    assert first | second == set(names)
    assert first >= set(names[:100])
    assert second >= set(names[200:])


def test_a_run_has_one_executor_over_processes(place: str, play: Play) -> None:
    """And whoever asked in vain can have it as soon as that one is killed."""
    run = RunId("r1")

    async def own(*, alive: bool) -> None:
        async with open_ledger(place, create=False) as ledger:
            assert await ledger.is_alive(run) == alive
            async with ledger.own(run):
                pass

    anyio.run(partial(prepare, place, r1=["A"]))
    holder = play("own", run)
    assert holder.line() == "ready"
    with pytest.raises(RunIsAliveError):
        anyio.run(partial(own, alive=True))
    holder.kill()
    anyio.run(partial(own, alive=False))


@pytest.mark.parametrize("seed", shared_out(range(4), 4, of_more=1))
def test_what_was_begun_before_a_kill_is_there(place: str, play: Play, seed: int) -> None:
    """Every attempt that a caller was told of, though the process was killed in mid-write."""
    run = RunId("r1")

    async def look(told: Sequence[str]) -> None:
        async with open_ledger(place, create=False) as ledger, owned_after_kill(ledger, run):
            for attempt, number in map(json.loads, told):
                (kept,) = await ledger.attempts_of(BillNumber(number))
                assert kept.attempt.id == attempt
            # Those that were begun but not told of are in doubt as well.
            begun = await ledger.attempt_count(run)
            assert begun >= len(told)
            assert await ledger.counts(run) == {State.UNKNOWN: begun, State.PLANNED: 4000 - begun}
            assert len(await ledger.doubts(run)) == begun

    anyio.run(partial(prepare, place, r1=[f"N{index}" for index in range(4000)]))
    sender = play("begin", run)
    told = [sender.line() for _ in range(1 + random.Random(seed).randrange(400))]  # noqa: S311
    told += sender.kill()
    # A line that the kill cut off was not said.
    anyio.run(look, [line for line in told if line.endswith("]")])


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_is_said_and_loses_nothing(place: str, play: Play) -> None:
    """What was begun before it is there; what could not be written down raised."""
    run = RunId("r1")

    async def look(told: Sequence[str]) -> None:
        async with open_ledger(place, create=False) as ledger, ledger.own(run):
            for number in told:
                assert len(await ledger.attempts_of(BillNumber(number))) == 1
            assert await ledger.attempt_count(run) == len(told)
            # Space was freed: this execution goes on.
            await ledger.claim(run, numbers("N1999"))
            await ledger.begin(intent(run, "N1999"))

    anyio.run(partial(prepare, place, r1=[f"N{index}" for index in range(2000)]))
    *told, lost = play("fill", run).rest()
    kind, _, why = lost.partition(" ")
    assert kind == "LedgerLostError"
    assert english(why).startswith(place)
    assert told
    anyio.run(look, told)
