"""Rules of sending that are broken on purpose, each in a copy of the source.

    python -m tests.campaign.sabotage

plays each change that the campaign finds from the first seed on, and writes beside it the seed
that shows it (`tests/sabotage.toml`). The seed is where the suite begins to look: where stories
are drawn otherwise meanwhile, it is another one that shows it, and this command finds it anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import k3push

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "sabotage.toml"
SOURCE = Path(k3push.__file__).parent

Change = dict[str, Any]


def changes() -> list[Change]:
    """Read them all."""
    found: list[Change] = tomllib.loads(FILE.read_text(encoding="utf-8"))["change"]
    return found


def sabotaged(change: Change, folder: Path) -> Path:
    """Copy the source, and change one place in it."""
    copy = folder / SOURCE.name
    shutil.copytree(SOURCE, copy)
    file = copy / change["file"]
    text = file.read_text(encoding="utf-8")
    assert text.count(change["find"]) == 1
    file.write_text(text.replace(change["find"], change["put"]), encoding="utf-8")
    return copy


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy in the place of k3push."""
    return subprocess.run(  # noqa: S603  # our own tests
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def find(change: Change, copy: Path, first: int) -> subprocess.CompletedProcess[str]:
    """Play stories from a seed on until one shows the change."""
    tells = [word for text in change.get("tells", ()) for word in ("--tells", text)]
    begin = ("--jobs", "1", "--fail-fast", "--first", str(first))
    return python(copy, "-m", "tests.simulate", *begin, *tells)


def _keep_seeds() -> None:
    for change in changes():
        if "caught_by" in change:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = find(change, sabotaged(change, Path(folder)), 0)
        seed = re.match(r"seed (\d+):", found.stdout)
        print(seed[1] if seed else "not found", change["why"], flush=True)
        if seed:
            _write_seed(change["why"], seed[1])


def _write_seed(why: str, seed: str) -> None:
    head, said, rest = FILE.read_text(encoding="utf-8").partition(f'why = "{why}"\n')
    rest = re.sub(r"\A(tells = .*\n)?(seed = \d+\n)?", rf"\g<1>seed = {seed}\n", rest)
    FILE.write_text(head + said + rest, encoding="utf-8")


if __name__ == "__main__":
    _keep_seeds()
