"""A clock that is set, and a process that is paused."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.terminal import assert_all_once, assert_true, orders, until
from tests.processes.conftest import Start, need
from tests.processes.victims import DONE, FINAL, MOST_RESUMES, PATIENCE_S, Victim, night
from tests.shares import shared_out

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's signals and clocks"),
    pytest.mark.timeout(300),
    pytest.mark.halved,
]

# The call that is open at the kill is made, and can be seen seconds later.
LATE = '[[step]]\nfault = "commit-late-then-delay:4"\n'


def faked(days: int) -> list[str]:
    """Return a wrapper in which the time of day is wrong; how long the machine is up is not."""
    faketime = shutil.which("faketime")
    assert faketime is not None
    return ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", faketime, "-f", f"{days:+}d"]


@pytest.mark.parametrize("days", shared_out([1, -1], 2))
def test_a_clock_that_is_set_between_kill_and_resume_doubles_nothing(
    tmp_path: Path, start: Start, days: int
) -> None:
    """What a killed run sent a second ago is no day old, whatever the clock on the wall says."""
    need("faketime")
    (tmp_path / "late.toml").write_text(LATE)
    sandbox = start("--faults", str(tmp_path / "late.toml"))
    lines = {"window_s": "window_s = 6"}
    victim = Victim.of(tmp_path / "desk", sandbox, 20, lines=lines)
    victim.options = ("--chunk-size", "20", "--no-canary")
    process = victim.begin()
    until(lambda: victim.pushes() == 1, PATIENCE_S)
    process.kill()
    victim.ending(process)
    ran = victim.ending(victim.begin(faked(days)))
    assert victim.look(ran), ran
    victim.check_ledger(ran)
    assert ran.said["pushes"] == 1
    assert ran.said["seconds"] < 60


def pause_between_writes(victim: Victim, process: subprocess.Popen[str]) -> None:
    """Stop a process, at a moment when it does not hold up who else wants to write."""

    def paused() -> bool:
        process.send_signal(signal.SIGSTOP)
        path = victim.desk.folder / "ledger.db"
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as ledger:
            try:
                ledger.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                return False
            return True

    until(paused, PATIENCE_S)


def test_a_paused_run_keeps_what_it_has_claimed(tmp_path: Path, start: Start) -> None:
    """A pause longer than every time-out is no death: neither `resume` nor a second run sends."""
    sandbox = start("--latency", "0.05")
    # Five looks of the second run are as many as the first is given to settle.
    lines = {"answer_timeout_s": "answer_timeout_s = 1", "poll_s": "poll_s = 0.5"}
    victim = Victim.of(tmp_path / "desk", sandbox, 100, lines=lines)
    first = victim.begin()
    until(lambda: sandbox.made() >= 15, PATIENCE_S)
    pause_between_writes(victim, first)
    claimed = {number for (number,) in victim.told("SELECT number FROM claims")}
    assert claimed

    refused = victim.desk.k3push("resume")
    assert (refused.exit, "under way already" in refused.err) == (2, True), refused
    paused_s = time.monotonic()
    second = victim.desk.begin("run", "orders.csv", "--json", *victim.options)
    rows = "SELECT number, state FROM ledger WHERE run = (SELECT max(id) FROM runs)"
    done = len(victim.numbers) - len(claimed)
    until(lambda: sum(state in FINAL for _, state in victim.told(rows)) == done, PATIENCE_S)
    until(lambda: time.monotonic() - paused_s > 5, PATIENCE_S)
    held = {number for number, state in victim.told(rows) if state == "planned"}
    assert held == claimed

    first.send_signal(signal.SIGCONT)
    endings = [victim.ending(first), victim.ending(second)]
    for ran in endings:
        assert ran.exit == 0, endings
        assert_all_once(victim.desk.rows(ran.said["run"]), sandbox.truth(), victim.numbers)


def test_two_runs_of_overlapping_lists_push_each_number_once(tmp_path: Path, start: Start) -> None:
    """Two people start them in the same second, on one ledger, in a bad night."""
    sandbox = start("--faults", night(tmp_path, 5))
    victim = Victim.of(tmp_path / "desk", sandbox, 80)
    lists = {"orders.csv": list(victim.numbers), "more.csv": orders(80, 40)}
    victim.desk.job(lists["more.csv"], "more.csv")
    options = ("--json", "--no-canary", *victim.options)
    runs = {name: victim.desk.begin("run", name, *options) for name in lists}
    endings = {name: victim.ending(process) for name, process in runs.items()}
    for name, numbers in lists.items():
        ran = endings[name]
        for _ in range(MOST_RESUMES):
            if ran.exit not in DONE:
                ran = victim.desk.k3push("resume", ran.said["run"], *options)
        rows = victim.desk.rows(ran.said["run"])
        assert_true(rows, sandbox.truth())
        assert [row["number"] for row in rows] == numbers
        assert {row["state"] for row in rows} <= FINAL
