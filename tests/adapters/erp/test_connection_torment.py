"""A short torment of the line; `python -m tests.torment --only line` is a long one."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.adapters.erp.connection_torment import torment

pytestmark = pytest.mark.anyio

WORLDS = 15


@pytest.fixture
def anyio_backend() -> str:
    """A line works on asyncio alone, as the command line does."""
    return "asyncio"


@pytest.mark.parametrize("first", range(0, 8 * WORLDS, WORLDS))
async def test_what_was_never_sent_was_never_read(first: int) -> None:
    """And what was sent was sent once, whatever a server does with a connection."""
    came: Counter[str] = Counter()
    for seed in range(first, first + WORLDS):
        came += await torment(seed)
    assert came["answered"] > 0
    assert came["ConnectError"] > 0
    assert came["ReadError"] + came["RemoteProtocolError"] > 0
