"""A pool of connections that says why it has none; psycopg's own says how long it has waited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout


class _Connection(AsyncConnection[Any]):
    """A connection of such a pool, which keeps what the server said of the last one that failed."""

    @classmethod
    async def connect(cls, *args: Any, **options: Any) -> Self:
        refused: list[psycopg.Error] = options.pop("refused")
        try:
            connection = await super().connect(*args, **options)
        except psycopg.Error as said:
            refused[:] = [said]
            raise
        refused.clear()
        return connection


class TellingPool(AsyncConnectionPool[AsyncConnection[Any]]):
    """A pool that is not open yet."""

    def __init__(self, conninfo: str, *, kwargs: Mapping[str, Any], **options: Any) -> None:
        """Take what psycopg's pool takes, as it is."""
        self._refused: list[psycopg.Error] = []
        super().__init__(
            conninfo,
            connection_class=_Connection,
            kwargs={**kwargs, "refused": self._refused},
            **options,
        )

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # as psycopg has it
    ) -> AsyncConnection[Any]:
        """Lend a connection; where none comes in time, raise why the last one was not made."""
        try:
            return await super().getconn(timeout)
        except PoolTimeout as late:
            if self._refused:
                raise self._refused[0].with_traceback(None) from late
            raise
