"""What is left of a ledger when the power fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.processes.conftest import Start, need
from tests.processes.power_loss import lose_power
from tests.processes.victims import Victim, night
from tests.shares import shared_out

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has strace"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("seed", shared_out([0, 2, 5], 3))
def test_every_push_is_on_disk_before_it_leaves(tmp_path: Path, start: Start, seed: int) -> None:
    """Whatever the disk kept of later writes, the next start knows of it and ends the run."""
    need("strace")
    sandbox = start("--faults", night(tmp_path, seed), "--latency", "0.05")
    assert lose_power(Victim.of(tmp_path / "desk", sandbox, 100), seed)
