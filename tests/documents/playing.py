"""The commands of a page, typed in their order in a fresh clone, and what they print.

A page is played from its top. Blocks of `console` show commands behind `$ ` and what they
printed; blocks of `sh` show commands alone. `k3push sandbox` goes on beside what follows, until
the next one or the end of the page. A comment before a block says what else is to be known:

    <!-- play: skip: why -->          it is not played
    <!-- play: file: NAME -->         the block is the content of a file
    <!-- play: first: 12 -->          the first lines of the output are shown
    <!-- play: through: TEXT -->      those through the first line that holds this are shown
    <!-- play: typed: a | b -->       what a person answers, one after another
    <!-- play: beside -->             what follows does not wait for the end of the command
    <!-- play: interrupt -->          Ctrl-C ends it; `kill` kills it
    <!-- play: when: 21 documents --> the moment at which one of the last three happens; or a
                                      text of the output
    <!-- play: counts vary -->        how far a run has come differs each time
    <!-- play: varies -->             so does all of the output; its commands must work
    <!-- play: postgres -->           a server of PostgreSQL takes the place of the ledger's
    <!-- play: watched -->            with `beside`: on a terminal, where a bar moves
    <!-- play: frames: pause stop --> no command, but the bar as it was when commands were typed
                                      that end with these words

What is the same on every machine is shown (`Clone.shown`), and what is the same every time is
compared (`outputs.masked`).
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

from tests.cli.terminal import PATIENCE_S, Sandbox, until
from tests.documents.outputs import COLUMNS, masked, wrapped
from tests.documents.pages import ROOT, Block, Page
from tests.forked import Forked

ADDRESS = "127.0.0.1:8100"
"""Where the pages have their sandbox."""

LONGEST_S = 120
"""How long a command may take, on a machine that has much else to do."""

# A command of `console` may end with any exit code but that of a defect.
EXITS = {0, 2, 3, 4, 5, 6}

# A command in which a shell has nothing to do but to find words in it needs none.
_OURS_ALONE = re.compile(r"k3push [^|&;<>$`*?(){}\[\]~#!\\]*")
_SCRIPT = Path(sys.executable).with_name("k3push")

# A terminal of its own: what runs in it gets the signals that are typed there.
_IN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp("bash", ["bash", "-c", sys.argv[1]])
"""


@dataclass(frozen=True, slots=True)
class Played:
    """A block that was played, and what it would show now."""

    block: Block
    text: str

    @property
    def is_true(self) -> bool:
        """Whether the page shows what is printed now."""
        if "varies" in self.block.play or "frames" in self.block.play:
            return True
        vary = "counts vary" in self.block.play
        return masked(self.block.text, counts_vary=vary) == masked(self.text, counts_vary=vary)


@dataclass
class Terminal:
    """One command of a block, on a terminal of its own or on a pipe."""

    command: str
    output: str = ""
    _keyboard: int | None = None
    _process: subprocess.Popen[Any] | None = None
    _reader: Thread | None = None

    def begin(self, folder: Path, environment: Mapping[str, str], *, on_terminal: bool) -> None:
        """Start it, and read what it prints."""
        kind: type[subprocess.Popen[Any]] = subprocess.Popen
        if on_terminal:
            ours, theirs = pty.openpty()
            fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
            arguments = [sys.executable, "-c", _IN_TERMINAL, self.command]
            stdin = theirs
        else:
            ours, theirs = os.pipe()
            arguments = ["bash", "-c", self.command]
            stdin = subprocess.DEVNULL
            if _OURS_ALONE.fullmatch(self.command):
                arguments = [sys.executable, str(_SCRIPT), *shlex.split(self.command)[1:]]
                kind = Forked
        self._process = kind(
            arguments, cwd=folder, env=environment, stdin=stdin, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self._reader = Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()
        self._keyboard = ours if on_terminal else None

    def _read(self, end: int) -> None:
        with open(end, "rb", buffering=0) as file:
            while True:
                try:
                    data = file.read(4096)
                except OSError:  # a terminal whose other end is closed
                    return
                if not data:
                    return
                self.output += data.decode("utf-8", "replace").replace("\r\n", "\n")

    def typed(self, text: str) -> None:
        """Type into it."""
        assert self._keyboard is not None
        os.write(self._keyboard, text.encode())

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        assert self._process is not None
        assert self._reader is not None
        try:
            self._process.wait(LONGEST_S)
        finally:
            self._process.kill()
        self._reader.join(PATIENCE_S)
        return self._process.returncode


def needs_postgres(page: Page) -> bool:
    """Say whether a page cannot be played without PostgreSQL."""
    return any("postgres" in block.play for block in page.blocks)


@dataclass
class Clone(AbstractContextManager["Clone"]):
    """A fresh clone as far as a page needs it, and the terminals that are open in it.

    Attributes:
        folder: An empty folder; the clone stands in it as `k3push`.
        lang: What the system's language is.
        environment: What else is set.
    """

    folder: Path
    lang: str
    environment: dict[str, str] = field(default_factory=dict)
    _sandbox: Sandbox | None = None
    _frames: dict[str, str] = field(default_factory=dict)
    _begun: list[Terminal] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Copy what a clone has."""
        self.top = self.at = self.folder / "k3push"
        ours = shutil.ignore_patterns("results", "*.plan.jsonl", "ledger.db*")
        shutil.copytree(ROOT / "batches", self.top / "batches", ignore=ours)
        shutil.copy2(ROOT / "config.toml", self.top)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(self.folder),
            "LANG": "zh_CN.UTF-8" if self.lang == "zh" else "C.UTF-8",
            "PYTHONUTF8": "1",
            "NO_COLOR": "1",
            **self.environment,
        }

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what still goes on."""
        try:
            for terminal in self._begun:
                terminal.signal(signal.SIGKILL)
                terminal.end()
        finally:
            self._stop_sandbox()

    def play(self, page: Page) -> list[Played]:
        """Play a page, and return its console blocks as they would be now."""
        played = []
        for block in page.blocks:
            if "file" in block.play:
                path = self.top / block.play["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, "utf-8")
            elif "frames" in block.play:
                moments = block.play["frames"].split()
                played.append(Played(block, "".join(self._frames[each] for each in moments)))
            elif block.lang in {"console", "sh"} and "skip" not in block.play:
                text = "".join(self._play(command, block) for command in _commands(block))
                if block.lang == "console":
                    played.append(Played(block, text))
        return played

    def type(self, command: str) -> str:
        """Type a command that is no more than that; return what it prints."""
        return self._play(command, Block("sh", f"{command}\n", 0))

    def begin(self, command: str, *, on_terminal: bool = False, watched: bool = False) -> Terminal:
        """Type a command, and do not wait for its end; a bar moves only where it is watched."""
        terminal = Terminal(command)
        environment = {**self.environment, "TERM": "xterm" if watched else "dumb"}
        terminal.begin(self.at, environment, on_terminal=on_terminal or watched)
        self._begun.append(terminal)
        return terminal

    def made(self) -> int:
        """Count the source bills of which the sandbox has made something."""
        return 0 if self._sandbox is None else self._sandbox.made()

    def _play(self, command: str, block: Block) -> str:
        """Type one command of a block; return it with what it prints."""
        shown = f"$ {command}\n"
        plain = command.replace("\\\n", " ")
        if found := re.fullmatch(r"export (\w+)='?([^']*)'?", plain):
            self.environment[found[1]] = found[2]
            return shown
        if plain.startswith("cd "):
            self.at = (self.at / plain.removeprefix("cd ")).resolve()
            return shown
        if plain.startswith("k3push sandbox"):
            self._serve(plain)
            return shown
        self._look_at_bar(plain)
        on_terminal = bool({"typed", "interrupt"} & set(block.play))
        terminal = self.begin(plain, on_terminal=on_terminal, watched="watched" in block.play)
        said = 0
        for answer in block.play["typed"].split("|") if "typed" in block.play else ():
            said = _asked(terminal, said)
            terminal.typed(self._here(answer.strip()) + "\n")
        if "when" in block.play:
            until(lambda: self._has_come(block.play["when"], terminal))
        if "interrupt" in block.play:
            terminal.typed("\x03")
        if "kill" in block.play:
            terminal.signal(signal.SIGKILL)
        if "beside" in block.play:
            return shown
        code = terminal.end()
        allowed = {0} if block.lang == "sh" else EXITS
        assert "kill" in block.play or code in allowed, (command, code, terminal.output)
        lines = _first_lines(self.shown(terminal.output).splitlines(), block)
        return shown + "".join(f"{line}\n" for line in lines)

    def _look_at_bar(self, command: str) -> None:
        """Keep what a watched run shows as a command is typed: the bar, and what is under it."""
        for terminal in self._begun:
            lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.output).splitlines()
            bars = [line for line in lines if re.search(r"\d+/\d+ ·", line)]
            if bars:
                self._frames[command.rsplit(maxsplit=1)[-1]] = f"{bars[-1].rstrip()}\n"

    def _has_come(self, moment: str, terminal: Terminal) -> bool:
        if found := re.fullmatch(r"(\d+) documents", moment):
            return self.made() >= int(found[1])
        return moment in terminal.output

    def _serve(self, command: str) -> None:
        """Start a sandbox at a free port, which all that follows takes for the page's own."""
        self._stop_sandbox()
        options = command.split()[2:]
        if "--port" in options:
            at = options.index("--port")
            del options[at : at + 2]
        self._sandbox = Sandbox(self.top, *options)
        self.environment["K3PUSH_ERP__URL"] = self._sandbox.url

    def _stop_sandbox(self) -> None:
        if self._sandbox is not None:
            self._sandbox.__exit__(None, None, None)
            self._sandbox = None

    def _here(self, typed: str) -> str:
        """Return what is typed with the sandbox's own address in the place of the page's."""
        return typed if self._sandbox is None else typed.replace(ADDRESS, self._sandbox.address)

    def shown(self, output: str) -> str:
        """Return an output as a page shows it: no path of this machine, and no line too long."""
        if self._sandbox is not None:
            output = output.replace(self._sandbox.address, ADDRESS)
        output = output.replace(str(self.folder.resolve()), "…")
        output = output.replace(str(Path(sys.executable).parent), "…")
        return "".join(f"{part}\n" for line in output.splitlines() for part in wrapped(line))


def _first_lines(lines: Sequence[str], block: Block) -> Sequence[str]:
    """Return those of an output that a block shows."""
    if "first" in block.play:
        return lines[: int(block.play["first"])]
    if "through" in block.play:
        last = next(n for n, line in enumerate(lines) if block.play["through"] in line)
        return lines[: last + 1]
    return lines


def _asked(terminal: Terminal, said: int) -> int:
    """Wait for a question behind what was *said* before; return how much is said with it."""
    try:
        until(lambda: terminal.output[said:].rstrip().endswith(":"))
    except AssertionError as error:
        raise AssertionError(f"no question at the end of: {terminal.output}") from error
    return len(terminal.output)


def _commands(block: Block) -> Iterator[str]:
    """Yield the commands of a block; one that is continued keeps its line breaks."""
    lines = iter(block.text.splitlines())
    for line in lines:
        command = line.removeprefix("$ ") if block.lang == "console" else line
        if block.lang == "console" and not line.startswith("$ "):
            continue
        while command.endswith("\\"):
            command += "\n" + next(lines)
        if command and not command.startswith("#"):
            yield command


def renewed(page: Page, played: list[Played], *, all_blocks: bool = False) -> str:
    """Return a page's text with what its commands print now.

    Args:
        page: The page.
        played: Its blocks as they are now.
        all_blocks: Also those that differ in what changes every time.
    """
    text = page.text
    for each in reversed(played):
        if all_blocks or not each.is_true:
            end = each.block.start + len(each.block.text)
            text = text[: each.block.start] + each.text + text[end:]
    return text
