from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from k3push.reporting.metrics import LEDGER_UP, Sample
from k3push.reporting.prometheus_text import write_textfile

UP = [Sample(LEDGER_UP, {"tenant": "甲"}, 1)]


def test_a_textfile_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    """A collector that reads at that moment gets the old one or the new one, and no half."""
    file = tmp_path / "k3push.prom"
    file.write_bytes(b"old " * 10_000)
    with file.open("rb") as reading:
        write_textfile(file, UP)
        assert reading.read() == b"old " * 10_000
    assert file.read_text("utf-8").splitlines()[-1] == 'k3push_ledger_up{tenant="甲"} 1.0'
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_collector_of_another_user_may_read_it(tmp_path: Path) -> None:
    """Whoever keeps results to themselves with a umask still wants to be watched."""
    old = os.umask(0o077)
    try:
        write_textfile(tmp_path / "k3push.prom", UP)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "k3push.prom").stat().st_mode) == 0o644


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such links for everybody")
def test_a_link_to_a_textfile_stays(tmp_path: Path) -> None:
    """Its file is replaced."""
    (tmp_path / "k3push.prom").symlink_to("kept.prom")
    for _ in range(2):
        write_textfile(tmp_path / "k3push.prom", UP)
    assert (tmp_path / "k3push.prom").is_symlink()
    assert "k3push_ledger_up" in (tmp_path / "kept.prom").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes of this kind")
def test_a_textfile_takes_the_place_of_no_pipe(tmp_path: Path) -> None:
    """Whoever reads it would wait for ever, and a run that wrote to it as well."""
    os.mkfifo(tmp_path / "k3push.prom")
    with pytest.raises(FileExistsError, match=r"k3push\.prom"):
        write_textfile(tmp_path / "k3push.prom", UP)
    assert [stat.S_ISFIFO(path.stat().st_mode) for path in tmp_path.iterdir()] == [True]


def test_a_textfile_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """The folder is a collector's, and runs come every night."""
    (tmp_path / "k3push.prom").mkdir()
    with pytest.raises(OSError, match=r"k3push\.prom"):
        write_textfile(tmp_path / "k3push.prom", UP)
    assert [path.name for path in tmp_path.iterdir()] == ["k3push.prom"]
