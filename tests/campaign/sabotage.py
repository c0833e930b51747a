"""Rules of sending that are broken on purpose, each in a copy of the source.

    python -m tests.campaign.sabotage

plays each change that the campaign finds from the first seed on, and writes beside it the seed
that shows it (`tests/sabotage.toml`). The seed is where the suite begins to look: where stories
are drawn otherwise meanwhile, it is another one that shows it, and this command finds it anew.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

import k3push
from tests.forked import ForkedWithoutOurs

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "sabotage.toml"
SOURCE = Path(k3push.__file__).parent

MEMORY_LEDGER = "tests/memory_ledger/"

Change = dict[str, Any]


def changes() -> list[Change]:
    """Read them all."""
    found: list[Change] = tomllib.loads(FILE.read_text(encoding="utf-8"))["change"]
    return found


def _file(change: Change, source: Path, root: Path) -> Path:
    """Return what is changed: a file of the source, or of the ledger that stories are played on."""
    name: str = change["file"]
    return (root if name.startswith(MEMORY_LEDGER) else source) / name


def changed(change: Change) -> str:
    """Return the text of its module with the change in it, which must still be Python."""
    file = _file(change, SOURCE, ROOT)
    text = file.read_text(encoding="utf-8")
    assert text.count(change["find"]) == 1, change["why"]
    after: str = text.replace(change["find"], change["put"])
    if file.suffix == ".py":
        ast.parse(after, change["why"])
    return after


def sabotaged(change: Change, folder: Path) -> Path:
    """Copy the source, and the ledger of the tests where that is changed; change one place."""
    copy = folder / SOURCE.name
    shutil.copytree(SOURCE, copy)
    # As in the wheel; a sandbox without them does not begin, whatever is changed.
    shutil.copytree(ROOT / "batches", copy / "batches")
    shutil.copy(ROOT / "config.toml", copy / "batches")
    if change["file"].startswith(MEMORY_LEDGER):
        _link_tests(folder)
    file = _file(change, copy, folder)
    file.write_text(changed(change), encoding="utf-8")
    for old in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        old.unlink()
    return copy


def _link_tests(folder: Path) -> None:
    """Let a folder stand for the repository, with a copy of the memory ledger."""
    ledger = folder / MEMORY_LEDGER
    shutil.copytree(ROOT / MEMORY_LEDGER, ledger)
    for place in (ROOT, ROOT / "tests"):
        for each in place.iterdir():
            link = folder / each.relative_to(ROOT)
            if not link.exists():
                link.symlink_to(each)


def python(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module with the copy in the place of k3push, and the tests that stand beside it.

    What is neither k3push nor the tests is imported once for all changes, where that can be; a
    fork finds the tests where they are.
    """
    root = copy.parent if (copy.parent / "tests").exists() else ROOT
    forked = hasattr(os, "fork") and root == ROOT
    kind = ForkedWithoutOurs if forked else subprocess.Popen
    with kind(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(copy.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


LONGEST_S = 40
"""How long a test may take with a broken rule: some wait without end then."""


def try_test(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run a test with the copy in the place of k3push; its summary says where k3push is.

    Its first case that fails is enough. What an assert compares is told to nobody, so that no code
    need be written for it. The test may be one that the normal run leaves to `pytest -m more`.
    """
    options = ("-q", "-x", "-n0", "-m", "", "--assert=plain", f"--timeout={LONGEST_S}")
    plugins = ("-p", "no:cacheprovider", "-p", __spec__.name)
    return python(copy, "pytest", *options, *plugins, test)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which k3push was tried; pytest calls this, where `try_test` has it begun."""
    terminalreporter.write_line(f"k3push in {SOURCE}")


def find(change: Change, copy: Path, first: int) -> subprocess.CompletedProcess[str]:
    """Play stories from a seed on until one shows the change."""
    tells = [word for text in change.get("tells", ()) for word in ("--tells", text)]
    begin = ("--jobs", "1", "--fail-fast", "--first", str(first))
    return python(copy, "tests.simulate", *begin, *tells)


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
