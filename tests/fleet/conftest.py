"""The fleet works on asyncio, as its engine does."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Choose the one loop that the engine knows."""
    return "asyncio"
