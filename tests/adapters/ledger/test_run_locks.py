"""The locks of runs in one process, whose threads take, look at and give back."""

from __future__ import annotations

import os
import stat
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from k3push.adapters.ledger.sqlite.opening import connect
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


RUN = RunId("run")
SOMEBODY = 65501


@pytest.mark.parametrize("met", ["taken", "given_back"])
def test_no_lock_is_kept_where_the_disk_fails(tmp_path: Path, met: str) -> None:
    """A server lives on, and so may the error, which keeps what it has passed through.

    Nobody could execute the run before the collector of garbage came, or a restart.
    """
    locks = RunLocks(tmp_path)
    if met == "taken":
        locks.note_sending(RUN, datetime.now(UTC))
        in_the_way = tmp_path / "run.sent.new"
        fails = locks.take
    else:
        locks.take(RUN)
        (in_the_way := tmp_path / "gate").unlink()
        fails = locks.give_back
    in_the_way.mkdir()
    with pytest.raises(OSError, match=in_the_way.name) as kept:
        fails(RUN)
    in_the_way.rmdir()
    assert not RunLocks(tmp_path).is_alive(RUN), kept
    locks.take(RUN)


def made_in(folder: Path) -> dict[str, os.stat_result]:
    """Execute a run, and return what others have to open meanwhile."""
    locks = RunLocks(folder)
    locks.take(RUN)
    made = {file.name: file.stat() for file in folder.iterdir()}
    locks.give_back(RUN)
    assert set(made) == {"gate", "run.lock"}
    return made


@pytest.mark.skipif(sys.platform == "win32", reason="it has no modes")
@pytest.mark.parametrize("mode", [0o700, 0o770])
def test_who_may_use_a_ledger_may_use_its_locks(tmp_path: Path, mode: int) -> None:
    """SQLite gives its own files the mode of the ledger; the others kept a group out."""
    folder = tmp_path / "locks"
    folder.mkdir()
    folder.chmod(mode)
    assert {stat.S_IMODE(file.st_mode) for file in made_in(folder).values()} == {mode & 0o666}


def test_the_note_of_another_user_is_renewed_as_it_was(tmp_path: Path) -> None:
    """Nobody can set the time of another's file, so a resumed run could note no call."""
    locks, at = RunLocks(tmp_path / "locks"), datetime(2026, 1, 2, tzinfo=UTC)
    locks.take(RUN)
    locks.note_sending(RUN, at)
    locks.give_back(RUN)
    note = tmp_path / "locks" / "run.sent"
    before = note.stat().st_ino
    locks.take(RUN)
    assert (locks.sent_at(RUN), list(locks.sendings())) == (at, [RUN])
    assert note.stat().st_ino != before
    locks.give_back(RUN)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root")
def test_what_root_makes_beside_a_ledger_is_its_owners(tmp_path: Path) -> None:
    """Somebody tried `sudo k3push`, and its owner could not even ask for the status afterwards."""
    folder = tmp_path / "locks"
    folder.mkdir()
    os.chown(folder, SOMEBODY, SOMEBODY)
    for file in made_in(folder).values():
        assert (file.st_uid, file.st_gid) == (SOMEBODY, SOMEBODY)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_ledger_that_root_opens_first_is_its_owners(tmp_path: Path, *, is_there: bool) -> None:
    """The first command was a `sudo k3push`, or the first one beside a ledger that was copied."""
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    if is_there:
        (tmp_path / "ledger.db").touch(mode=0o600)
        os.chown(tmp_path / "ledger.db", SOMEBODY, SOMEBODY)
    for connection in connect(tmp_path / "ledger.db", create=True):
        connection.close()
    made = {file.name: file.stat() for file in tmp_path.rglob("*")}
    assert {"ledger.db", "ledger.db-locks", "opening"} <= set(made)
    for file in made.values():
        assert (file.st_uid, file.st_gid) == (SOMEBODY, SOMEBODY)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root")
def test_nobody_is_given_a_file_of_root_by_a_link(tmp_path: Path) -> None:
    """Whoever owns the folder may put links there."""
    folder, secret = tmp_path / "locks", tmp_path / "secret"
    folder.mkdir()
    secret.touch()
    os.chown(folder, SOMEBODY, SOMEBODY)
    os.link(secret, folder / "gate")
    made_in(folder)
    assert secret.stat().st_uid == 0
