"""A few rough runs; `python -m tests.torment --only runs` makes many."""

from __future__ import annotations

import pytest

from tests.runs.rough_runs import run_roughly
from tests.shares import shared_out


@pytest.mark.parametrize("seed", shared_out(range(6), 3))
def test_a_run_over_sockets_comes_to_true_rows(seed: int) -> None:
    """Whatever breaks on the way, no number gets two documents, and no row tells what is not."""
    assert run_roughly(seed)
