"""The limit of calls in a minute is of a process, whatever it executes side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.rate_limit import RateLimit
from k3push.config.settings_file import read_settings
from k3push.wiring.erp import ErpAccess, RefusedUsers, endpoints_of
from k3push.wiring.shared_login import KeptAccess
from tests.cli.terminal import CONFIG, PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Line:
    """A client that only waits for its turns."""

    site: object
    turns: RateLimit
    refused: None = None
    logins: int = 0

    async def __aexit__(self, *_: object) -> None:
        """Close nothing."""


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], ErpAccess]:
    """Return what gives the way in of one more execution of a process."""
    monkeypatch.setattr("k3push.wiring.erp.ErpClient", Line)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(url="http://sandbox/K3Cloud/", password=PASSWORD), "utf-8")
    settings, users = read_settings(config, {}), RefusedUsers()
    return lambda: users.spare(ErpAccess(endpoints_of(settings)), settings.erp)


def way_of(access: ErpAccess, per_minute: Callable[[], int]) -> RateLimit:
    """Return the turns of one execution."""
    turns = access.opened(per_minute, lambda *_: None).turns  # type: ignore[union-attr]
    assert isinstance(turns, RateLimit)
    return turns


async def test_executions_side_by_side_keep_one_limit(opened: Callable[[], ErpAccess]) -> None:
    """Each had the whole of it, and the ERP that it spares met as many times more."""
    began: list[float] = []

    async def calls(turns: RateLimit) -> None:
        for _ in range(10):
            await turns.take()
            began.append(anyio.current_time())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(calls, way_of(opened(), lambda: 60))
    assert began == pytest.approx([began[0] + nth for nth in range(30)])


async def test_programs_keep_to_the_limit_of_the_latest(
    opened: Callable[[], ErpAccess], tmp_path: Path
) -> None:
    """The first one's held as long as programs came, whatever the settings said by then."""
    settings = read_settings(tmp_path / "config.toml", {}).erp
    kept = KeptAccess(RefusedUsers())
    async with anyio.create_task_group() as tasks:
        for limit, seconds in ((60, 1), (6, 10)):
            turns = way_of(kept.of(opened(), settings, tasks), lambda limit=limit: limit)  # type: ignore[misc]
            await turns.take()
            began_s = anyio.current_time()
            await turns.take()
            assert anyio.current_time() - began_s == pytest.approx(seconds)
        await kept.close()
