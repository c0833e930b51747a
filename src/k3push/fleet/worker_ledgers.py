"""The ledgers of a worker's tenants: so many databases open at once, and what is idle is closed.

Tenants may have databases of their own, on servers that all share. A worker that kept each open
would take up all the connections that its servers have; so it waits its turn for one more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import anyio

from k3push.adapters.ledger.postgres import PostgresLedger, open_postgres
from k3push.adapters.ledger.postgres.database import Server

CONNECTIONS = 4
"""To each database, and one more for each run that is executed."""

MOST_OF_SERVER = 9
"""Databases of one server that are open at once: for four runs, a short one and four looks."""

MOST = 16
"""Databases of all servers."""

IDLE_S = 60.0
"""After so long without use a database is closed, where nobody waits for its place."""


@dataclass(slots=True)
class _Open:
    """A database that is open, or being opened."""

    server: str
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    ledger: PostgresLedger | None = None
    uses: int = 0
    idle_since_s: float = 0.0

    def made(self) -> PostgresLedger:
        """Return its ledger, once that is open."""
        if self.ledger is None:
            raise LookupError(self.server)
        return self.ledger


@dataclass(slots=True)
class Ledgers:
    """The databases that are open, by their URLs.

    Attributes:
        name: What their sessions are called.
        most_of_server: Databases of one server at once.
        most: Databases at once.
        idle_s: How long an idle one stays open.
    """

    name: str
    most_of_server: int = MOST_OF_SERVER
    most: int = MOST
    idle_s: float = IDLE_S
    _open: dict[str, _Open] = field(default_factory=dict)
    _change: anyio.Condition = field(default_factory=anyio.Condition)

    @asynccontextmanager
    async def of(
        self, url: str, account: str, password: Callable[[], Awaitable[str]]
    ) -> AsyncIterator[PostgresLedger]:
        """Give the ledger of an account, as long as the block lasts.

        Args:
            url: Of the database.
            account: Whose runs it tells of.
            password: Finds the password, if the database has to be opened.

        Raises:
            LedgerLostError: It cannot be opened.
        """
        entry = await self._taken(url, account, password)
        try:
            yield entry.made().of_account(account)
        finally:
            with anyio.CancelScope(shield=True):
                async with self._change:
                    entry.uses -= 1
                    entry.idle_since_s = anyio.current_time()
                    self._change.notify_all()

    async def close_idle(self) -> None:
        """Close what has been idle for long enough."""
        async with self._change:
            for url in list(self._open):
                entry = self._open[url]
                if not entry.uses and anyio.current_time() - entry.idle_since_s >= self.idle_s:
                    await self._close(url)
            self._change.notify_all()

    async def close(self) -> None:
        """Close all."""
        async with self._change:
            for url in list(self._open):
                await self._close(url)

    async def _taken(self, url: str, account: str, password: Callable[[], Awaitable[str]]) -> _Open:
        server = Server.of(url).address
        async with self._change:
            while True:
                entry = self._open.get(url)
                if entry is not None and entry.ledger is not None:
                    entry.uses += 1
                    return entry
                if entry is None and await self._has_room(server):
                    break
                await self._change.wait()
            entry = self._open[url] = _Open(server, uses=1)
        # While others use and leave theirs: a server may not answer, and a secret takes its time.
        try:
            named = f"{url}{'&' if '?' in url else '?'}application_name={quote(self.name)}"
            opening = open_postgres(
                named, account=account, password=await password(), connections=CONNECTIONS
            )
            entry.ledger = await entry.stack.enter_async_context(opening)
        except BaseException:
            self._open.pop(url, None)
            raise
        finally:
            with anyio.CancelScope(shield=True):
                async with self._change:
                    self._change.notify_all()
        return entry

    async def _has_room(self, server: str) -> bool:
        """Say whether one more may be opened; what has been idle longest makes room."""
        while True:
            of_server = [each for each in self._open.values() if each.server == server]
            crowded = len(of_server) >= self.most_of_server
            if not crowded and len(self._open) < self.most:
                return True
            idle = [
                (entry.idle_since_s, url)
                for url, entry in self._open.items()
                if not entry.uses and (not crowded or entry.server == server)
            ]
            if not idle:
                return False
            await self._close(min(idle)[1])

    async def _close(self, url: str) -> None:
        with anyio.CancelScope(shield=True):
            await self._open.pop(url).stack.aclose()
