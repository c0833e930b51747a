"""Drawn stories of a service for many; `python -m tests.fleet --stories` plays more of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fleet.service import play
from tests.fleet.stories import story_of
from tests.postgres import PostgresServer
from tests.shares import shared_out

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
    pytest.mark.timeout(240),
]


@pytest.mark.parametrize("seed", shared_out([1, 2], 2, normal=0, of_more=1))
def test_tenants_are_kept_apart_in_a_drawn_story(
    seed: int, tmp_path: Path, postgres_server: PostgresServer, postgres_ledger_url: str
) -> None:
    """Hostile files, roles, copies of ERPs, a full minute and deaths meet in ways nobody names."""
    play(story_of(seed), tmp_path, postgres_server, postgres_ledger_url)
