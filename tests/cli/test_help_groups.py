"""What a shell completes, and how the commands stand in `--help`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import typer.main

from k3push.cli.actions.control_run import _commands
from k3push.cli.app import COMPLETES, build_app
from k3push.cli.help_groups import GROUPS
from k3push.core.control_words import Key
from k3push.runs.problem import Problem
from k3push.words.language import speaker
from tests.cli.terminal import Desk


def test_each_command_stands_in_one_group() -> None:
    """A command that is in none is in no help."""
    commands = typer.main.get_group(build_app(speaker("en"))).commands
    assert Counter(name for names in GROUPS.values() for name in names) == Counter(list(commands))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_shell_gets_what_it_needs(desk: Desk, shell: str) -> None:
    """It asks the command itself what may come."""
    ran = desk.k3push("completion", shell)
    assert (ran.exit, COMPLETES in ran.out, ran.err) == (0, True, "")


def _completed(folder: Path, words: str) -> list[str]:
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        COMPLETES: "complete_bash",
        "COMP_WORDS": f"k3push {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    ran = subprocess.run(  # our own interpreter
        [sys.executable, "-m", "k3push"],
        env=environment,
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    return ran.stdout.split()


def test_commands_options_and_choices_are_completed(tmp_path: Path) -> None:
    """At the place where the cursor is."""
    assert _completed(tmp_path, "ret") == ["retry"]
    assert "--skip-bad-lines" in _completed(tmp_path, "run --skip")
    assert _completed(tmp_path, "token re") == ["revoke"]


def test_several_settings_are_several_commands() -> None:
    """None is given where one of them is wrong."""
    wanted, name = _commands(["20261125", "set", "concurrency=8", "chunk-size=auto"])
    assert name == "20261125"
    assert [(each.key, each.value) for each in wanted] == [
        (Key.CONCURRENCY, 8),
        (Key.CHUNK_SIZE, None),
    ]
    assert [str(each) for each in _commands(["pause"])[0]] == ["pause"]
    for wrong in (["set"], ["set", "concurrency=8", "x"], ["pause", "now"], ["run"]):
        with pytest.raises(Problem):
            _commands(wrong)
