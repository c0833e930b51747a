"""Commands of ours as a person can type them again in the shell that ran this one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAME = "k3push"

# What PowerShell takes as it stands; a comma, an @ or a bracket means something to it.
_PLAIN = re.compile(r"[\w\\/:.+=-]+")


@dataclass(frozen=True, slots=True)
class Shell:
    """The shell that ran this process, as far as a process can know.

    Attributes:
        argv: As the interpreter made it: the script or `__main__.py`, and its arguments.
        orig_argv: As the interpreter was called.
        prefix: Of the virtual environment.
        platform: As `sys.platform`.
    """

    argv: Sequence[str] = field(default_factory=lambda: sys.argv)
    orig_argv: Sequence[str] = field(default_factory=lambda: sys.orig_argv)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    prefix: str = sys.prefix
    platform: str = sys.platform

    def command(self, *words: str | Path) -> str:
        """Return a command of k3push, quoted; paths among *words* may be relative."""
        shown = [self._path(word) if isinstance(word, Path) else word for word in words]
        return self._quoted([*self._beginning(), *shown])

    def word(self, path: Path) -> str:
        """Return a path, which may be relative, quoted as a word of a command."""
        return self._quoted([self._path(path)])

    # -- how k3push was called ----------------------------------------------------------------

    def _beginning(self) -> list[str]:
        """Return the words that start k3push there."""
        module = self._module()
        if uv := self._uv_run():
            return [*uv, "python", "-m", NAME] if module else [*uv, NAME]
        if module:
            return module
        script = Path(self.argv[0])
        found = shutil.which(NAME, path=self.environ.get("PATH"))
        if found and _is_same(Path(found), script):
            return [NAME]
        shown = self._path(script)
        # A shell looks for a bare name on its PATH, and not beside itself.
        return [shown if os.sep in shown else f".{os.sep}{shown}"]

    def _module(self) -> list[str]:
        """Return `python -m k3push` as it was typed, the interpreter's options included."""
        if Path(self.argv[0]).name != "__main__.py":
            return []
        typed = list(self.orig_argv)
        # `-mk3push` is one word.
        words = typed[: typed.index("-m") + 2] if "-m" in typed else [typed[0], "-m", NAME]
        if Path(words[0]).name != words[0]:
            words[0] = self._path(Path(words[0]))
        return words

    def _uv_run(self) -> list[str]:
        """Return the words of `uv run`, where it would find the same environment again.

        Its variables are inherited by all that is started in it, so they alone prove nothing.
        """
        uv = self.environ.get("UV", "")
        home = Path(self.prefix)
        ours = _is_same(Path(self.environ.get("VIRTUAL_ENV", "-")), home)
        folders = [self._folder, *self._folder.parents]
        found_again = home.name == ".venv" and any(_is_same(home.parent, each) for each in folders)
        if not uv or "UV_RUN_RECURSION_DEPTH" not in self.environ or not ours or not found_again:
            return []
        known = shutil.which("uv", path=self.environ.get("PATH"))
        if known and _is_same(Path(known), Path(uv)):
            return ["uv", "run"]
        # `python -m uv` needs no uv on the PATH.
        parent = self.environ.get("UV_INTERNAL__PARENT_INTERPRETER")
        return [parent, "-m", "uv", "run"] if parent else [uv, "run"]

    # -- where, and in what quotes ------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        """The shell's folder, which `uv run --directory` leaves for another."""
        return Path(self.environ.get("PWD") or _whole(Path()))

    def _path(self, path: Path) -> str:
        shown = str(path if _is_same(self._folder, Path()) else _whole(path))
        return f".{os.sep}{shown}" if shown.startswith("-") else shown  # which is no option

    def _quoted(self, words: Sequence[str]) -> str:
        if self.platform != "win32":
            return shlex.join(words)
        if "PROMPT" in self.environ:  # cmd.exe sets it
            return subprocess.list2cmdline(words)
        quoted = [word if _PLAIN.fullmatch(word) else _in_powershell(word) for word in words]
        return " ".join(["&", *quoted] if quoted[0] != words[0] else quoted)


def _in_powershell(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _whole(path: Path) -> Path:
    """Return a path from the root, or as it is where the current folder is gone."""
    try:
        return path.absolute()
    except OSError:
        return path
