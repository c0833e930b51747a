"""The places for connections that all databases of a server share."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from psycopg_pool import PoolTimeout

from k3push.adapters.ledger import connection_places
from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.postgres.database import Server
from k3push.adapters.ledger.postgres.transactions import Connections

pytestmark = pytest.mark.anyio


@dataclass(eq=False)
class Pool:
    """Opens what is used, and keeps it."""

    name: str
    server: str = "db:5432"
    most: int = 2
    size: int = 0
    closed: int = 0

    async def let_go(self) -> None:
        """Close what is open."""
        self.size = 0
        self.closed += 1


async def use(places: ConnectionPlaces, *pools: Pool) -> None:
    """Use one connection of each, one after another."""
    for pool in pools:
        async with places.one(pool):
            pool.size = max(pool.size, 1)


async def test_what_was_not_used_for_longest_makes_room() -> None:
    """It is opened again when it is asked for."""
    places = ConnectionPlaces(2)
    first, second, third = Pool("1"), Pool("2"), Pool("3")
    await use(places, first, second, first, third)
    assert [pool.closed for pool in (first, second, third)] == [0, 1, 0]
    await use(places, second)
    assert [pool.closed for pool in (first, second, third)] == [1, 1, 0]


async def test_a_connection_that_nobody_uses_needs_no_room() -> None:
    """And a database that is used alone has all places."""
    places = ConnectionPlaces(2)
    pool = Pool("1")
    async with places.one(pool), places.one(pool):
        pool.size = 2
    async with places.one(pool), places.one(pool):
        assert pool.closed == 0


async def test_servers_have_places_of_their_own() -> None:
    """What one has is no matter to the other."""
    places = ConnectionPlaces(1)
    here, there = Pool("1"), Pool("1", server="other:5432")
    async with places.one(here), places.one(there):
        pass
    assert here.closed == there.closed == 0


async def test_where_all_are_in_use_the_next_is_waited_for() -> None:
    """Whoever waits goes on as soon as one is ready."""
    places = ConnectionPlaces(1)
    first, second = Pool("1", size=1), Pool("2")
    came: list[str] = []

    async def come(pool: Pool) -> None:
        async with places.one(pool):
            came.append(pool.name)

    async with anyio.create_task_group() as tasks:
        async with places.one(first):
            tasks.start_soon(come, second)
            await wait_all_tasks_blocked()
            assert came == []
        await wait_all_tasks_blocked()
        assert came == ["2"]
    assert first.closed == 1


async def test_whoever_waited_for_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place that was waited for is nobody's."""
    monkeypatch.setattr(connection_places, "PATIENCE_S", 0.0)
    monkeypatch.setattr(connection_places, "PRESSED_S", 0.0)
    places = ConnectionPlaces(1)
    first = Pool("1", size=1)
    async with places.one(first):
        with pytest.raises(TimeoutError):
            async with places.one(first):
                pass
    await use(places, first)


async def test_a_time_out_of_the_work_itself_is_no_lack_of_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever reads the log is told what was slow."""
    monkeypatch.setattr(connection_places, "PATIENCE_S", 0.0)
    monkeypatch.setattr(connection_places, "PRESSED_S", 0.0)
    pool = Connections(Server.of("postgresql://db/k3push"), 2, ConnectionPlaces(1))
    with pytest.raises(TimeoutError, match="the work"):
        async with pool.place():
            raise TimeoutError("the work")
    async with pool.place():
        with pytest.raises(PoolTimeout, match="1 connections to db:"):
            async with pool.place():
                pass


async def test_a_pool_that_is_closed_for_good_leaves_its_place() -> None:
    """Its connections are gone with it."""
    places = ConnectionPlaces(1)
    first, second = Pool("1"), Pool("2")
    await use(places, first)
    places.leave(first)
    await use(places, second)
    assert first.closed == 0


async def test_whoever_waits_for_a_connection_of_its_own_database_takes_no_place() -> None:
    """A database that hangs had taken the places of all others of its server."""
    places = ConnectionPlaces(3)
    hangs, other = Pool("1"), Pool("2")
    async with AsyncExitStack() as stack:
        for _ in range(9):
            await stack.enter_async_context(places.one(hangs))
        with anyio.fail_after(1):
            await use(places, other)


async def test_a_pool_that_is_closed_for_good_ends_no_use_of_it() -> None:
    """What is answered as a server ends is answered all the same."""
    places = ConnectionPlaces(1)
    pool = Pool("1")
    async with places.one(pool):
        places.leave(pool)
    await use(places, Pool("2"))


async def test_busy_databases_do_not_keep_another_from_its_first_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is one more than the bound; the ledger of a tenant was lost after a minute."""
    monkeypatch.setattr(connection_places, "PRESSED_S", 0.0)
    places = ConnectionPlaces(2)
    busy, other = Pool("1", size=2), Pool("2")
    async with places.one(busy), places.one(busy):
        await use(places, other)
        assert (busy.closed, other.size) == (0, 1)
