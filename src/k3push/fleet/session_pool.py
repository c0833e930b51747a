"""The sessions of the queue: whether one is still there is asked where that is in doubt.

The engine asks before each statement, which made every one of them travel twice.
"""

from __future__ import annotations

import math
import selectors
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from k3push.adapters.ledger.postgres.telling_pool import TellingPool

BELIEVED_S = 1.0
"""So long after it was lent last, a session is taken for one that is there."""

# For any number of open files, where the system has it.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


def session_pool(**options: Any) -> AsyncConnectionPool:
    """Return a pool that is not open yet, in place of the engine's own."""
    return TellingPool(**options | {"check": Check()})


class Check:
    """Looks at a session before it is lent.

    One that was lent a moment ago, and has not heard from the server since, is there: a server
    that ends a session says so.
    """

    def __init__(self) -> None:
        self._lent_s: WeakKeyDictionary[AsyncConnection[Any], float] = WeakKeyDictionary()

    async def __call__(self, session: AsyncConnection[Any]) -> None:
        """Ask the server for a sign of life, where there is doubt.

        Raises:
            OperationalError: It has closed the session; the pool opens another.
        """
        now_s = anyio.current_time()
        rested_s = now_s - self._lent_s.get(session, -math.inf)
        if rested_s > BELIEVED_S or _has_heard(session):
            await AsyncConnectionPool.check_connection(session)
        self._lent_s[session] = now_s


def _has_heard(session: AsyncConnection[Any]) -> bool:
    """Say whether something has come that nobody has read."""
    with _Selector() as selector:
        selector.register(session.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))
