from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from k3push.cli.console.logs import MOST_BYTES, OLD_FILES, LogOptions, open_log
from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, orders

pytestmark = pytest.mark.halved

REFUSED = '[[refusal]]\nnumber = "CGDD0000004"\ncode = 11\ntext = "secret price of {number}"\n'


def events(text: str) -> list[dict[str, Any]]:
    """Read lines of a JSON log."""
    return [json.loads(line) for line in text.splitlines()]


def test_each_attempt_is_one_event(desk: Desk, start: Start) -> None:
    """A log of the night is read by programs, and tells of every call once and of no bill."""
    sandbox = start("--faults", desk.write("script.toml", REFUSED))
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(12)), "--log-json", "--chunk-size", "4", "--json")
    told = events(ran.err)
    assert [each["event"] for each in told if each["event"].startswith("run.")] == [
        "run.began",
        "run.ended",
    ]
    attempts = [each for each in told if each["event"] == "attempt.recorded"]
    assert len(attempts) == ran.said["pushes"]
    assert sum(each.get("pushed", 0) for each in attempts) == 11
    assert sum(each.get("rejected", 0) for each in attempts) == 1
    assert {each["run"] for each in told} == {ran.said["run"]}
    assert {"chunk", "nth", "attempt", "verdict", "seconds", "timestamp", "level"} <= set(
        attempts[0]
    )
    assert all(datetime.fromisoformat(each["timestamp"]).tzinfo for each in told)
    assert "CGDD" not in ran.err
    assert "secret price" not in ran.err


def test_a_log_for_people_says_seconds_and_zone(desk: Desk, sandbox: Sandbox) -> None:
    """A terminal has 80 columns, and microseconds help nobody who reads there."""
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(1)), "-v")
    (line,) = [each for each in ran.err.splitlines() if "attempt.recorded" in each]
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d \[info\] attempt.recorded a", line
    )


def test_numbers_and_reasons_are_for_debug_alone(desk: Desk, start: Start) -> None:
    """Whoever asks twice for words wants to see the bills."""
    sandbox = start("--faults", desk.write("script.toml", REFUSED))
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(6)), "--log-json", "-vv")
    numbers = [each for each in events(ran.err) if each["event"] == "number"]
    assert {each["number"] for each in numbers} >= set(orders(6))
    (refused,) = [each for each in numbers if each["state"] == "rejected"]
    assert refused["reason"] == "secret price of CGDD0000004"
    assert {each["level"] for each in numbers} == {"debug"}


def test_a_file_takes_the_log_beside_the_terminal(desk: Desk, sandbox: Sandbox) -> None:
    """The bar is for who watches, the file for who comes later; runs follow one another in it."""
    desk.configure(sandbox.url)
    for _ in range(2):
        ran = desk.k3push("run", desk.job(orders(3)), "--log-file", "k3push.log")
        assert ran.exit == 0, ran
        assert "attempt.recorded" not in ran.err
    told = events((desk.folder / "k3push.log").read_text("utf-8"))
    assert [each["event"] for each in told].count("run.ended") == 2
    if os.name != "nt":
        assert stat.S_IMODE((desk.folder / "k3push.log").stat().st_mode) == 0o600


def test_a_person_reads_one_line_an_attempt(desk: Desk, sandbox: Sandbox) -> None:
    """-v is for the one who sits there, and needs no program to be read."""
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(3)), "-v")
    lines = [line for line in ran.err.splitlines() if "attempt.recorded" in line]
    assert len(lines) == 2
    assert "pushed=2" in lines[1]
    assert "CGDD" not in ran.err


def test_no_secret_is_in_any_log(desk: Desk, start: Start) -> None:
    """Logs are mailed to whoever helps; a session in one would open the ERP."""
    sandbox = start("--faults", "lost-session")
    secret = "s3cret-wörd"
    desk.configure(sandbox.url, password=secret)
    for options in (["--log-json", "-vv"], ["-vv", "--log-file", "k3push.log"]):
        ran = desk.k3push("run", desk.job(orders(8)), *options)
        assert ran.exit == 6, ran
        assert secret not in ran.text
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(30)), "-vv", "--log-file", "k3push.log")
    written = (desk.folder / "k3push.log").read_text("utf-8") + ran.text
    assert secret not in written
    assert "kdservice-sessionid" not in written.lower()
    assert "asp.net_sessionid" not in written.lower()


@pytest.mark.parametrize("name", ["nowhere/k3push.log", "."])
def test_a_file_that_cannot_be_written_stops_before_anything_is_sent(
    desk: Desk, untouched: Sandbox, name: str
) -> None:
    """Who asks for a log does not want a night without one."""
    desk.configure(untouched.url)
    ran = desk.k3push("run", desk.job(orders(3)), "--log-file", name)
    assert ran.exit == 2, ran
    assert "--log-file" in ran.err
    assert not (desk.folder / "ledger.db").exists()


def test_a_full_file_is_turned_over(tmp_path: Path) -> None:
    """A log that grows for years fills the disk that the ledger needs."""
    path = tmp_path / "k3push.log"
    console = Console(file=io.StringIO())
    lost: list[OSError] = []
    for _ in range(OLD_FILES + 3):
        path.write_bytes(b"x" * MOST_BYTES)
        with open_log(LogOptions(file=path), console, lost.append) as log:
            log.waiting("the ERP is busy", 3)
    assert len(list(tmp_path.iterdir())) == 1 + OLD_FILES
    assert events(path.read_text("utf-8"))[0]["why"] == "the ERP is busy"
    assert not lost


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_log_on_a_full_disk_is_told_once_and_ends_no_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The night goes on without it."""
    lost: list[OSError] = []
    console = Console(file=io.StringIO())
    with open_log(LogOptions(file=Path("/dev/full")), console, lost.append) as log:
        for _ in range(3):
            log.waiting("the ERP is busy", 3)
    assert [error.errno for error in lost] == [errno.ENOSPC]
    assert capsys.readouterr().err == ""
