from __future__ import annotations

import socket
from contextlib import closing
from typing import Any, cast

import anyio
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from trio.testing import MockClock

from k3push.fleet.session_pool import BELIEVED_S, Check

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Wait on virtual time; no server is asked."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class Session:
    """Stands for a session; what is written to *server* it has not read yet."""

    def __init__(self) -> None:
        self.ours, self.server = socket.socketpair()

    def fileno(self) -> int:
        """Return the number of its connection."""
        return self.ours.fileno()

    def close(self) -> None:
        """Close both ends."""
        self.ours.close()
        self.server.close()


async def test_a_session_is_asked_for_a_sign_of_life_only_where_it_has_rested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that reads thousands of lists sends a dozen statements for each."""
    asked: list[object] = []

    async def sign_of_life(session: object) -> None:
        asked.append(session)

    monkeypatch.setattr(AsyncConnectionPool, "check_connection", sign_of_life)
    check = Check()
    with closing(Session()) as first, closing(Session()) as second:
        for session in (first, first, second, first):
            await check(cast("AsyncConnection[Any]", session))
        assert asked == [first, second]
        await anyio.sleep(2 * BELIEVED_S)
        await check(cast("AsyncConnection[Any]", first))
        assert asked == [first, second, first]
        # The server has ended it.
        second.server.close()
        await check(cast("AsyncConnection[Any]", second))
        await check(cast("AsyncConnection[Any]", second))
        assert asked[3:] == [second, second]
