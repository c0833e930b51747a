"""The locks of runs in one process, whose threads take, look at and give back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from k3push.adapters.ledger.sqlite.run_locks import RunLocks
from k3push.core.model import RunId
from k3push.ports import LedgerLostError, RunIsAliveError

ROUNDS = 60


def test_a_lock_that_is_given_back_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """A server executes many runs, and whoever commits looks at all their locks."""
    locks = RunLocks(tmp_path / "locks")

    def execute(name: str) -> None:
        for nth in range(ROUNDS):
            run = RunId(f"{name}-{nth}")
            locks.take(run)
            locks.give_back(run)

    executors = [threading.Thread(target=execute, args=[name]) for name in "abc"]
    for executor in executors:
        executor.start()
    lost: list[LedgerLostError] = []
    while any(executor.is_alive() for executor in executors):
        try:
            locks.check()
        except LedgerLostError as error:
            lost.append(error)
    assert lost == []


def test_a_lock_that_somebody_has_removed_is_lost(tmp_path: Path) -> None:
    """Another process may execute the run by now."""
    locks = RunLocks(tmp_path / "locks")
    locks.take(RunId("run"))
    locks.check()
    (tmp_path / "locks" / "run.lock").unlink()
    with pytest.raises(LedgerLostError):
        locks.check()
    with pytest.raises(RunIsAliveError):
        locks.take(RunId("run"))
    locks.give_back(RunId("run"))
    locks.check()
