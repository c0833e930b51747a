from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import k3push

ROOT = Path(__file__).parents[2]
SOURCE = Path(k3push.__file__).parent
CHANGES = tomllib.loads((ROOT / "tests" / "sabotage.toml").read_text(encoding="utf-8"))["change"]
RULES = 11


@pytest.mark.timeout(300)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change['rule']}: {change['why']}")
def test_a_broken_rule_is_found(change: dict[str, Any], tmp_path: Path) -> None:
    """A campaign that finds nothing proves something only if it finds what is there."""
    copy = _sabotaged(change, tmp_path)
    caught_by = change.get("caught_by")
    if caught_by:
        found = _python(copy, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", caught_by)
        where = _python(copy, "-c", "import k3push; print(k3push.__file__)")
        assert where.stdout.strip() == str(copy / "__init__.py")
        assert " failed" in found.stdout, found.stdout
    else:
        tells = [word for text in change.get("tells", ()) for word in ("--tells", text)]
        found = _python(copy, "-m", "tests.simulate", "--jobs", "1", "--fail-fast", *tells)
        assert f"k3push in {copy}\n" in found.stderr
        assert found.stdout.startswith("seed "), found.stdout
    assert found.returncode == 1


@pytest.mark.timeout(300)
def test_a_failure_is_cut_down_and_can_be_played_again(tmp_path: Path) -> None:
    """A story of twenty events tells nobody which of them matter."""
    (change,) = [each for each in CHANGES if each["why"].startswith("Absence counts before")]
    copy = _sabotaged(change, tmp_path)
    found = _python(copy, "-m", "tests.simulate", "--jobs", "1", "--first", "3", "--seeds", "1")
    whole, short = found.stdout.split("The shortest part of it that fails:\n")
    command = short.partition("python -m ")[2].splitlines()[0]
    again = _python(copy, "-m", *command.split())
    events = command.partition("--only ")[2].split(",")
    assert (found.returncode, again.returncode) == (1, 1)
    assert short.startswith(again.stdout.splitlines()[0])
    assert 1 <= len(events) < whole.count("\n") - 4


def test_every_rule_is_broken_by_some_change() -> None:
    """A rule that nobody dares to break is one that nobody checks."""
    assert {change["rule"] for change in CHANGES} == set(range(1, RULES + 1))


def test_each_way_in_which_the_promise_was_broken_is_found_by_stories() -> None:
    """A named test finds the defect that it was written for; its neighbours take a campaign."""
    why = " ".join(each["why"] for each in CHANGES if "caught_by" not in each)
    found = {int(item) for item in re.findall(r"\(issue 13: (\d+)\)", why)}
    assert found == set(range(1, 24))


def _sabotaged(change: dict[str, Any], folder: Path) -> Path:
    """Copy the source, and change one place in it."""
    copy = folder / SOURCE.name
    shutil.copytree(SOURCE, copy)
    file = copy / change["file"]
    text = file.read_text(encoding="utf-8")
    assert text.count(change["find"]) == 1
    file.write_text(text.replace(change["find"], change["put"]), encoding="utf-8")
    return copy


def _python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy in the place of k3push."""
    return subprocess.run(  # noqa: S603  # our own tests
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
