"""ENOSPC and EIO at the ledger's own calls, a disk that is full, results that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.terminal import read_csv, until
from tests.processes.conftest import Start, miss, need
from tests.processes.disk_errors import DiskError, break_the_disk
from tests.processes.victims import DONE, STOPPED, Victim

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has strace and tmpfs"),
    pytest.mark.timeout(300),
    pytest.mark.halved,
]

# Of the six hundred that `python -m tests.torment` goes through: while the ledger is made,
# while the list is written down, and in the middle of the sending.
MET = [
    DiskError("openat", "EIO", 3, once=False),
    DiskError("pwrite64", "ENOSPC", 60, once=True),
    DiskError("pwrite64", "EIO", 85, once=False),
    DiskError("fdatasync", "EIO", 10, once=True),
]


@pytest.mark.parametrize("met", MET, ids=str)
def test_an_error_of_the_disk_loses_and_doubles_nothing(
    tmp_path: Path, start: Start, met: DiskError
) -> None:
    """The run ends with the place and the cure, sends nothing more, and is resumed to its end."""
    need("strace")
    assert break_the_disk(Victim.of(tmp_path / "desk", start(), 12), met)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of sixteen megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:  # noqa: S603
        miss("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607


def fill_up(disk: Path) -> Path:
    """Write to a disk until nothing more goes in; return the file that took the room."""
    filler = disk / "other.log"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_disk_that_fills_up_is_said_and_a_resume_ends_it(small_disk: Path, start: Start) -> None:
    """Somebody makes room, and nothing was lost or sent unrecorded."""
    sandbox = start("--latency", "0.1")
    victim = Victim.of(small_disk, sandbox, 100)
    victim.options += ("--concurrency", "2")
    process = victim.begin()
    # However fast the machine is and however little a run writes: some of it is still to come.
    until(lambda: victim.pushes() > 0)
    filler = fill_up(small_disk)
    ran = victim.ending(process)
    assert ran.exit in STOPPED, ran
    assert "ledger.db" in ran.err, ran
    assert "Free some disk space" in ran.err, ran
    assert 0 < sandbox.made() < 100
    filler.unlink()
    victim.finish()


def test_results_that_cannot_be_written_do_not_hide_what_was_done(
    tmp_path: Path, start: Start
) -> None:
    """The ledger has the rows; the folder is named, and the next command writes them."""
    victim = Victim.of(tmp_path / "desk", start(), 12)
    in_the_way = victim.desk.folder / "results"
    in_the_way.write_text("a file where a folder should be")
    ran = victim.ending(victim.begin())
    assert ran.exit in DONE, ran
    assert str(in_the_way) in ran.err
    in_the_way.unlink()
    victim.finish()
    assert len(read_csv(victim.desk.results() / "ledger.csv")) == 12
