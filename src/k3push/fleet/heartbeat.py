"""A worker's sign of life, and after how long without one it counts as dead.

It has a connection that no other work of the worker can hold up.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import anyio
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from k3push.adapters.ledger.postgres.database import Server
from k3push.fleet.queue_database import lost, session_of, verbs


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a worker does what, in seconds; all workers of a fleet keep to the same.

    Attributes:
        poll: Between looks for a job.
        tick: Between signs of life, and looks for what is due or left behind.
        gone: A worker that has no session counts as dead after so long without a sign of life;
            a restart of the server ends all sessions.
        silence: Any other does so after so long.
    """

    poll: float = 1.0
    tick: float = 2.0
    gone: float = 6.0
    silence: float = 20.0


class Beat(AbstractAsyncContextManager["Beat"]):
    """Writes down that a worker lives; connects anew where that was lost."""

    def __init__(self, database: Server, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._session: AsyncConnection[DictRow] | None = None

    async def here(self, name: str, host: str, *, serves: int, engine: int | None) -> bool:
        """Say that the worker is there.

        Args:
            name: What people call it.
            host: Where it runs.
            serves: How many tenants.
            engine: How its engine is registered, if it is.

        Returns:
            Whether the engine is still known.

        Raises:
            LedgerLostError: The database cannot be reached.
        """
        await self._do("here", worker=self._worker, name=name, host=host, serves=serves)
        if engine is None:
            return True
        await self._do("beat_of_engine", engine=engine)
        rows = await self._do("is_registered", engine=engine)
        return bool(rows[0]["found"])

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        if self._session is not None:
            with anyio.CancelScope(shield=True):
                await self._session.close()

    async def _do(self, statement: str, **values: object) -> list[dict[str, Any]]:
        with lost(self._database):
            if self._session is None or self._session.closed:
                self._session = await AsyncConnection.connect(
                    self._database.conninfo,
                    autocommit=True,
                    row_factory=dict_row,
                    **session_of(self._database) | {"application_name": self._worker},
                )
            cursor = await self._session.execute(verbs()[statement].encode(), values)
            return await cursor.fetchall() if cursor.description else []
