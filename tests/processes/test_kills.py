"""SIGKILL at random moments, again and again."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.processes.conftest import Start
from tests.processes.victims import Victim, kill_again_and_again, night

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
    pytest.mark.timeout(300),
    pytest.mark.halved,
]

AT_ONCE = 2
KILLS = 4


def test_a_run_may_be_killed_again_and_again(tmp_path: Path, start: Start) -> None:
    """In a bad night as well: every number has one true, final row, and none is made twice."""
    sandbox = start("--faults", night(tmp_path, 1), "--latency", "0.05")
    victims = [
        Victim.of(tmp_path / f"list{index}", sandbox, 200, index * 200) for index in range(AT_ONCE)
    ]
    with ThreadPoolExecutor(AT_ONCE) as people:
        kill = partial(kill_again_and_again, most=KILLS)
        kills = sum(people.map(kill, victims, range(AT_ONCE)))
    assert kills > AT_ONCE
