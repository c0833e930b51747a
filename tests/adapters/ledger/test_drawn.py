"""Whatever two processes ask of a ledger, each kind of ledger tells the same (`drawn`).

The campaign plays on memory alone: what differs from the databases there, it cannot find.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.adapters.ledger.drawn import differences
from tests.shares import shared_out


@pytest.mark.parametrize("seed", shared_out(range(1000, 1060), 20))
def test_sqlite_tells_the_same_as_memory(tmp_path: Path, seed: int) -> None:
    """People have it: what is proved of the ledger in memory must hold for it."""
    assert anyio.run(differences, seed, [str(tmp_path / "ledger.db")]) == []


@pytest.mark.parametrize("seed", shared_out(range(2000, 2020), 20))
def test_postgres_tells_the_same_as_memory(postgres_ledger_url: str, seed: int) -> None:
    """Many machines share it: what is proved of the ledger in memory must hold for it."""
    assert anyio.run(differences, seed, [postgres_ledger_url]) == []
