"""Folders of job files: what counts as a list, in which order, and what tells two apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from k3push.adapters.job_files import Code, JobFileError
from k3push.adapters.job_files.folders import QUIET_S, Left, look_into
from k3push.adapters.untrusted_paths import Below
from tests.said import refused

NOW_S = 1_800_000_000.0


def drop(folder: Path, name: str, content: str = "A1\n", *, age_s: float = 60) -> None:
    """Put a file into a folder."""
    path = folder / name
    path.write_text(content, "utf-8")
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))


def names(folder: Path) -> list[str]:
    """Return the lists of a folder."""
    return [file.name for file in look_into(Below(folder, ()), NOW_S).files]


def test_the_file_that_was_changed_first_comes_first(tmp_path: Path) -> None:
    """Lists are pushed as they came; of one moment, by name."""
    for name, age_s in {"c.csv": 60.0, "b.csv": 60.0, "a.csv": 30.0, "d.XLSX": 90.0}.items():
        drop(tmp_path, name, age_s=age_s)
    assert names(tmp_path) == ["d.XLSX", "b.csv", "c.csv", "a.csv"]


def test_a_file_is_told_by_its_folder_its_name_and_its_content(tmp_path: Path) -> None:
    """The time of change is none of it: a copy may keep or lose it."""
    drop(tmp_path, "a.csv", "A1\n", age_s=60)
    (first,) = look_into(Below(tmp_path, ()), NOW_S).files
    drop(tmp_path, "a.csv", "A1\n", age_s=50)
    assert look_into(Below(tmp_path, ()), NOW_S).files == (first,)
    drop(tmp_path, "a.csv", "A2\n", age_s=50)
    (changed,) = look_into(Below(tmp_path, ()), NOW_S).files
    assert (changed.folder, changed.name) == (first.folder, first.name)
    assert changed.digest != first.digest


@pytest.mark.parametrize(
    ("age_s", "taken"),
    [(0, False), (QUIET_S - 1, False), (-QUIET_S + 1, False), (QUIET_S, True), (-36_000, True)],
)
def test_a_file_that_has_just_changed_is_left(tmp_path: Path, age_s: float, taken: bool) -> None:  # noqa: FBT001 - a parameter
    """It may still be growing; but a clock that is hours ahead holds nothing up for ever."""
    drop(tmp_path, "a.csv", age_s=age_s)
    assert names(tmp_path) == (["a.csv"] if taken else [])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.csv.part", Left.UNFINISHED),
        ("a.tmp", Left.UNFINISHED),
        ("a.csv.crdownload", Left.UNFINISHED),
        ("a.docx", Left.UNKNOWN_KIND),
        ("a.xls", Left.UNKNOWN_KIND),
        ("a.plan.jsonl", Left.PLAN),
        ("a", Left.UNKNOWN_KIND),
    ],
)
def test_what_is_no_list_is_left_with_a_reason(tmp_path: Path, name: str, why: Left) -> None:
    """Nothing that a person has put there is passed over in silence."""
    drop(tmp_path, name)
    found = look_into(Below(tmp_path, ()), NOW_S)
    assert (found.files, found.left) == ((), ((name, why),))


@pytest.mark.parametrize("lock", ["~$a.xlsx", ".~lock.a.xlsx#"])
def test_a_file_that_is_open_in_a_spreadsheet_is_left(tmp_path: Path, lock: str) -> None:
    """Its owner has not done with it."""
    drop(tmp_path, "a.xlsx")
    drop(tmp_path, lock)
    assert look_into(Below(tmp_path, ()), NOW_S).left == (("a.xlsx", Left.OPEN),)


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    """Results stand in a folder among the lists."""
    drop(tmp_path, ".a.csv")
    (tmp_path / "results.csv").mkdir()
    found = look_into(Below(tmp_path, ()), NOW_S)
    assert (found.files, found.left) == ((), ())


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Nothing is taken from the rest of a folder that is half known."""
    with refused(JobFileError, "none") as caught:
        look_into(Below(tmp_path, ("none",)), NOW_S)
    assert caught.value.troubles[0].code is Code.UNREADABLE


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_file_whose_name_is_no_text_is_left_and_the_others_are_taken(tmp_path: Path) -> None:
    """No ledger can keep such a name; every schedule of its tenant would wait for ever."""
    drop(tmp_path, "a.csv")
    drop(tmp_path, os.fsdecode(b"\xc9\xcf.csv"))
    found = look_into(Below(tmp_path, ()), NOW_S)
    assert [file.name for file in found.files] == ["a.csv"]
    assert found.left == ((os.fsdecode(b"\xc9\xcf.csv"), Left.NAME),)
