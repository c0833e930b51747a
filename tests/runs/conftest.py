from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on virtual time, so that a window of ten minutes passes at once."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}
