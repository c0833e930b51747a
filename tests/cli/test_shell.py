from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from k3push.cli.console.shell import Shell

posix = pytest.mark.skipif(os.name == "nt", reason="paths of another system")


def made(path: Path) -> str:
    """Make a program, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return str(path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an environment of its own, and a shell in it."""
    made(tmp_path / "project/.venv/bin/k3push")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def started_by_uv(project: Path, **more: str) -> Mapping[str, str]:
    """Return what `uv run` in a project sets."""
    uv = made(project.parent / "tools/uv")
    return {
        "UV": uv,
        "UV_RUN_RECURSION_DEPTH": "1",
        "VIRTUAL_ENV": str(project / ".venv"),
        "PATH": f"{project}/.venv/bin:{project.parent}/tools",
        "PWD": str(project),
        **more,
    }


def script_of(project: Path, environ: Mapping[str, str]) -> Shell:
    """Return the shell in which the project's script was started."""
    home = project / ".venv"
    script = str(home / "bin/k3push")
    return Shell([script, "demo"], [str(home / "bin/python"), script, "demo"], environ, str(home))


@posix
def test_what_uv_ran_is_run_by_uv_again(project: Path) -> None:
    """The shell has no k3push on its PATH; uv alone put it there."""
    assert script_of(project, started_by_uv(project)).command("check") == "uv run k3push check"
    # `python -m uv` works without uv on the PATH.
    away = started_by_uv(project, PATH="/nowhere")
    shell = script_of(project, {**away, "UV_INTERNAL__PARENT_INTERPRETER": "/usr/bin/py"})
    assert shell.command("check") == "/usr/bin/py -m uv run k3push check"
    assert script_of(project, away).command("check") == f"{away['UV']} run k3push check"


@posix
@pytest.mark.parametrize("how", ["another folder", "another environment", "inherited"])
def test_what_uv_would_not_find_again_is_named_by_its_path(
    project: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`uv run --project`, or a shell that was itself started by `uv run` somewhere else."""
    environ = dict(started_by_uv(project, PATH="/nowhere"))
    if how == "another folder":
        environ["PWD"] = str(project.parent)
    elif how == "another environment":
        environ["VIRTUAL_ENV"] = str(project.parent)
    else:
        monkeypatch.chdir(project.parent)
        environ["PWD"] = str(project.parent)
    script = project / ".venv/bin/k3push"
    assert script_of(project, environ).command("check") == f"{script} check"


@posix
def test_a_path_is_told_from_where_the_shell_stands(project: Path) -> None:
    """`uv run --directory` goes elsewhere, and the shell does not follow."""
    config = Path("demo/config.toml")
    here = script_of(project, {"PWD": str(project), "PATH": str(project / ".venv/bin")})
    assert here.command("check", config) == "k3push check demo/config.toml"
    there = script_of(project, {"PWD": str(project.parent), "PATH": str(project / ".venv/bin")})
    assert there.command("check", config) == f"k3push check {project}/demo/config.toml"


@posix
def test_one_file_in_the_shells_folder_is_not_looked_for_on_the_path(project: Path) -> None:
    """`./k3push.pyz demo`: Python leaves the dot away, and a shell must have it."""
    for typed in ("k3push.pyz", "./k3push.pyz"):
        made(project / "k3push.pyz")
        shell = Shell([typed, "demo"], ["python", typed, "demo"], {"PATH": "/nowhere"}, "/usr")
        assert shell.command("check") == "./k3push.pyz check"
    inner = made(project / "dist/k3push")
    named = str(Path(inner).relative_to(project))
    shell = Shell([named, "demo"], [named, "demo"], {"PATH": "/nowhere"}, "/usr")
    assert shell.command("check") == "dist/k3push check"


@posix
def test_another_k3push_on_the_path_is_not_this_one(project: Path) -> None:
    """The name alone would start an older installation."""
    made(project.parent / "old/k3push")
    shell = script_of(project, {"PWD": str(project), "PATH": str(project.parent / "old")})
    assert shell.command("check") == f"{project}/.venv/bin/k3push check"


@posix
def test_a_module_is_run_as_a_module_again() -> None:
    """With the interpreter as it was typed, and its options."""
    main = "/site/k3push/__main__.py"
    typed = ["python3", "-X", "utf8", "-m", "k3push", "demo"]
    shell = Shell([main, "demo"], typed, {}, "/usr")
    assert shell.command("check") == "python3 -X utf8 -m k3push check"
    joined = Shell([main, "demo"], ["python3", "-mk3push", "demo"], {}, "/usr")
    assert joined.command("check") == "python3 -m k3push check"


@posix
@pytest.mark.parametrize(
    ("environ", "platform", "said"),
    [
        ({}, "linux", "'/a b/k3push' check '/c d.toml'"),
        ({"PROMPT": "$P$G"}, "win32", '"/a b/k3push" check "/c d.toml"'),
        ({}, "win32", "& '/a b/k3push' check '/c d.toml'"),
    ],
    ids=["sh", "cmd", "powershell"],
)
def test_blanks_are_quoted_as_the_shell_wants_it(
    environ: Mapping[str, str], platform: str, said: str
) -> None:
    """PowerShell takes a quoted program for a text unless it is called."""
    shell = Shell(["/a b/k3push"], ["python", "/a b/k3push"], environ, "/usr", platform)
    assert shell.command("check", Path("/c d.toml")) == said
