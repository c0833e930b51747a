"""What a shell completes, and how the commands stand in `--help`."""

from __future__ import annotations

import json
import os
import shutil
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
from tests.cli.terminal import Desk, orders


def test_each_command_stands_in_one_group() -> None:
    """A command that is in none is in no help."""
    commands = typer.main.get_group(build_app(speaker("en"))).commands
    assert Counter(name for names in GROUPS.values() for name in names) == Counter(list(commands))


def test_an_option_has_its_short_form_in_every_command() -> None:
    """Whoever has typed `select -o` types `export -o`."""
    long, forms = {"--output", "--quiet", "--verbose", "--yes"}, set()
    waiting = [typer.main.get_group(build_app(speaker("en")))]
    while waiting:
        for command in waiting.pop().commands.values():
            waiting += [command] if isinstance(command, typer.core.TyperGroup) else []
            forms |= {tuple(p.opts) for p in command.params if long.intersection(p.opts)}
    assert {form[0] for form in forms} == long
    assert len(forms) == len(long), forms


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_a_shell_gets_what_it_needs(desk: Desk, shell: str) -> None:
    """It asks the command itself what may come."""
    ran = desk.k3push("completion", shell)
    assert (ran.exit, COMPLETES in ran.out, ran.err) == (0, True, "")
    # zsh may not have loaded yet what completes.
    assert ("compinit" in ran.out) == (shell == "zsh")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_what_it_gets(desk: Desk) -> None:
    """As where somebody has typed a part of a command and presses the key."""
    program = desk.folder / "k3push"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m k3push "$@"\n')
    program.chmod(0o755)
    pressed = "COMP_WORDS=(k3push ret) COMP_CWORD=1; _k3push_completion k3push; echo $COMPREPLY"
    ran = subprocess.run(  # noqa: S603  # what k3push itself has written
        ["bash", "-c", f"{desk.k3push('completion', 'bash').out}\n{pressed}"],  # noqa: S607
        env={**os.environ, "PATH": f"{desk.folder}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert ran.stdout == "retry\n"


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


@pytest.mark.more
def test_values_are_completed(desk: Desk) -> None:
    """Routes of the settings at hand, states, presets of a sandbox, and words of control."""
    assert _completed(desk.folder, "run --route po") == []  # there are no settings yet
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    assert _completed(desk.folder, "run --route po") == ["po-instock"]
    marked = "\ufeff" + (desk.folder / "config.toml").read_text("utf-8")
    desk.write("config.toml", marked)  # as editors of Windows save it
    assert _completed(desk.folder, "run --route po") == ["po-instock"]
    assert _completed(desk.folder, "export --state re") == ["rejected"]
    assert "refusals" in _completed(desk.folder, "sandbox --faults re")
    assert _completed(desk.folder, "control pa") == ["pause"]
    assert _completed(desk.folder, "control set ch") == ["chunk-size="]
    assert _completed(desk.folder, "runs --exit 1") == ["1"]
    assert _completed(desk.folder, "resume 2") == []  # there is no ledger yet
    desk.k3push("run", desk.job(orders(1)), "--quiet")
    (run,) = json.loads(desk.k3push("runs", "--json").out)
    assert _completed(desk.folder, f"resume {run['run'][:4]}") == [run["run"]]
    desk.write("config.toml", "routes = 3")
    assert _completed(desk.folder, "run --route po") == []


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("control", "[OPTIONS] [RUN] pause|continue|stop|set KEY=VALUE..."),
        ("explain", "[OPTIONS] NUMBER"),
        ("enqueue", "[OPTIONS] JOB..."),
        ("settle", "[OPTIONS] [RUN | NUMBER...]"),
        ("completion", "[OPTIONS] {bash|zsh|fish|powershell|pwsh}"),
    ],
)
def test_a_usage_is_as_a_person_would_write_it(desk: Desk, command: str, usage: str) -> None:
    """Brackets about brackets say nothing, and neither does a choice that is told twice."""
    said = " ".join(desk.k3push(command, "--help").out.split())
    assert f"k3push {command} {usage} " in said
    assert "<bash" not in said


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
