"""A few rough runs; `python -m tests.torment --only runs` makes many."""

from __future__ import annotations

import pytest

from tests.runs.rough_runs import run_roughly


@pytest.mark.parametrize("seed", range(6))
def test_a_run_over_sockets_comes_to_true_rows(seed: int) -> None:
    """Whatever breaks on the way, no number gets two documents, and no row tells what is not."""
    assert run_roughly(seed)
