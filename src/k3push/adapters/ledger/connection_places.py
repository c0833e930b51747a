"""How many connections a process has to each server, whichever of its databases they are to.

Tenants may have databases of their own, on servers that all share. Whoever looks at the ledgers
of all of them would take up all the connections that a server has. So the databases of a server
share a bound: one that nobody uses at the moment gives its connections up for one that is wanted,
and where all are in use the next is waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

MOST_TO_SERVER = 32
"""PostgreSQL has a hundred for all, and the worker of a host may have fifty of them."""

PATIENCE_S = 30.0
"""For how long a place is waited for."""

PRESSED_S = 2.0
"""So long at most for the first connection to a database: others may keep all of theirs busy."""


class Pool(Protocol):
    """The connections to one database.

    Attributes:
        server: Where it is; the same for all databases that share a bound.
        most: How many it opens at most; whoever comes besides waits for one of these.
    """

    server: str
    most: int

    @property
    def size(self) -> int:
        """How many there are, in use or not."""
        ...

    async def let_go(self) -> None:
        """Close all of them; none is in use."""
        ...


class ConnectionPlaces:
    """The places for connections to servers.

    Args:
        most: To each server.
    """

    def __init__(self, most: int = MOST_TO_SERVER) -> None:
        self.most = most
        # Those that may have connections, the one that was used last at the end.
        self._uses: dict[Pool, int] = {}
        self._freed = anyio.Event()

    @asynccontextmanager
    async def one(self, pool: Pool) -> AsyncIterator[None]:
        """Hold a place for a connection of a pool; raises `TimeoutError` where none gets free."""
        with anyio.move_on_after(PRESSED_S):
            await self._make_room(pool)
        if not self._has_room(pool, pressed=True):
            with anyio.fail_after(PATIENCE_S):
                await self._make_room(pool)
        self._uses[pool] = self._uses.pop(pool, 0) + 1
        try:
            yield
        finally:
            if pool in self._uses:
                self._uses[pool] -= 1
            self._tell()

    def leave(self, pool: Pool) -> None:
        """Forget a pool, which is closed for good."""
        self._uses.pop(pool, None)
        self._tell()

    def _tell(self) -> None:
        self._freed.set()
        self._freed = anyio.Event()

    def _has_room(self, pool: Pool, *, pressed: bool = False) -> bool:
        """Say whether a pool has a connection that nobody uses, or may open one more."""
        uses = self._uses.get(pool, 0)
        if pool.size > uses or uses >= pool.most or (pressed and not uses):
            return True
        those = ((each, n) for each, n in self._uses.items() if each.server == pool.server)
        return sum(min(max(each.size, n), each.most) for each, n in those) < self.most

    async def _make_room(self, pool: Pool) -> None:
        """Have what was not used for longest closed, or wait until others are ready."""
        while not self._has_room(pool):
            unused = (each for each, uses in self._uses.items() if each.size and not uses)
            longest = next((each for each in unused if each.server == pool.server), None)
            if longest is None:
                await self._freed.wait()
            else:
                await longest.let_go()
