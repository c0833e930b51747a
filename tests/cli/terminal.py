"""A user's terminal: commands in processes of their own, and the books of a real sandbox."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self
from urllib.request import ProxyHandler, build_opener

import psutil  # type: ignore[import-untyped]  # it has no types

from k3push.cli.actions.demo import SANDBOX_CONFIG
from tests.forked import Forked, can_be_forked, path_of_ours

PATIENCE_S = 100.0

PASSWORD = "sandbox"

CONFIG = """\
[erp]
url = "{url}"
acct_id = "sandbox"
username = "sandbox"
password = "{password}"
connect_timeout_s = 1.4
answer_timeout_s = 3

[run]
halt = "fail=20%,min=50"

[settle]
first_wait_s = 0.2
poll_s = 0.2
window_s = 4.5

[routes.po-instock]
source = "PUR_PurchaseOrder"
target = "STK_InStock"
rule = "PUR_PurchaseOrder-STK_InStock"
"""

# For a server that is slow on purpose; the window must be longer than a call.
PATIENT = {"answer_timeout_s": "answer_timeout_s = 60", "window_s": "window_s = 62"}

SALES_ROUTE = """
[routes.so-outstock]
source = "SAL_SaleOrder"
target = "SAL_OUTSTOCK"
rule = "SaleOrder-OutStock"
"""

Rows = Sequence[Mapping[str, str]]
Truth = Mapping[str, Any]


def orders(count: int, first: int = 0) -> list[str]:
    """Name purchase orders that the sandbox holds."""
    return [f"CGDD{index:07d}" for index in range(first, first + count)]


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until *condition* holds; fail when it never does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def begin(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = subprocess.DEVNULL,
    wrapper: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start ``k3push`` in *folder*, with nothing of our own environment.

    A *wrapper* is a program that runs the command which follows it.
    """
    clean = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", **(environment or {})}
    if "SYSTEMROOT" in os.environ:
        clean["SYSTEMROOT"] = os.environ["SYSTEMROOT"]  # Windows has no sockets without it
    command = [*wrapper, sys.executable, "-m", "k3push", *arguments]
    if can_be_forked(command, clean):
        kind: type[subprocess.Popen[str]] = Forked
    else:
        kind, clean = subprocess.Popen, path_of_ours() | clean
    return kind(
        command,
        cwd=folder,
        env=clean,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    exit: int
    out: str
    err: str

    @property
    def said(self) -> dict[str, Any]:
        """What `--json` printed: one object and nothing else."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self
        said: dict[str, Any] = json.loads(lines[0])
        return said

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return self.out + self.err


def end(
    process: subprocess.Popen[str], given: str | None = None, patience_s: float = PATIENCE_S
) -> Ran:
    """Wait for the end of a command."""
    try:
        out, err = process.communicate(given, timeout=patience_s)
    finally:
        process.kill()
    return Ran(process.returncode, out, err)


class Sandbox(AbstractContextManager["Sandbox"]):
    """A sandbox process."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Start it, and read its address from its first line, then the configuration under it."""
        self._process = begin(folder, "sandbox", "--port", "0", *options)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url
        # Read to its last line, since a pipe that nobody reads can hold a process up.
        last = SANDBOX_CONFIG.splitlines(keepends=True)[-1]
        lines = takewhile(bool, iter(self._process.stdout.readline, last))  # or it has ended
        self.config = ("".join(lines) + last).partition("\n\n")[2]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it; to be told to stop is no failure of a server."""
        self._process.terminate()
        end(self._process)
        assert kind is not None or self._process.returncode == 0

    @property
    def address(self) -> str:
        """Its host and port."""
        return self.url.split("/")[2]

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def truth(self) -> dict[str, Any]:
        """Ask what really happened."""
        address = self.url.replace("K3Cloud/", "sandbox/truth")
        with build_opener(ProxyHandler({})).open(address, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def made(self) -> int:
        """Count the source bills from which something was made."""
        return len(self.truth()["sources"])

    @contextmanager
    def stopping(self, *, made: int) -> Iterator[None]:
        """Let it answer nobody once it has made so many, until the block ends."""
        process, left = psutil.Process(self.pid), Event()

        def stop() -> None:
            until(lambda: left.is_set() or self.made() >= made, patience_s=150)
            process.suspend()

        watcher = Thread(target=stop)
        watcher.start()
        try:
            yield
        finally:
            left.set()
            watcher.join()
            process.resume()


@dataclass
class Desk:
    """A folder with a config.toml, in which somebody types commands."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def configure(
        self,
        url: str,
        *,
        password: str = PASSWORD,
        lines: Mapping[str, str] | None = None,
        more: str = "",
    ) -> Self:
        """Write config.toml; *lines* replace those of their keys, *more* goes to the end."""
        text = CONFIG.format(url=url, password=password)
        for key, line in (lines or {}).items():
            old = next(each for each in text.splitlines() if each.startswith(f"{key} = "))
            text = text.replace(old, line)
        (self.folder / "config.toml").write_text(text + more, "utf-8")
        return self

    def write(self, name: str, content: str | bytes) -> str:
        """Write a file, and return its name."""
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(data)
        return name

    def job(self, numbers: Iterable[str], name: str = "orders.csv") -> str:
        """Write a job file, and return its name."""
        return self.write(name, "单据编号\n" + "".join(f"{number}\n" for number in numbers))

    def begin(self, *arguments: str, wrapper: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start a command, bare or inside another program."""
        return begin(self.folder, *arguments, environment=self.environment, wrapper=wrapper)

    def k3push(self, *arguments: str, given: str | None = None) -> Ran:
        """Run a command to its end."""
        stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
        started = begin(self.folder, *arguments, environment=self.environment, stdin=stdin)
        return end(started, given)

    def results(self, run: str = "*") -> Path:
        """Return the results folder of a run, or the only one."""
        (folder,) = self.folder.glob(f"results/*.{run}")
        return folder

    def rows(self, run: str = "*", name: str = "ledger.csv") -> list[dict[str, str]]:
        """Read the ledger of a run, or of the only one."""
        return read_csv(self.results(run) / name)

    def summary(self, run: str = "*") -> dict[str, Any]:
        """Read the summary of a run, or of the only one."""
        told: dict[str, Any] = json.loads((self.results(run) / "summary.json").read_bytes())
        return told


def typed(
    desk: Desk,
    answer: str,
    *arguments: str,
    meanwhile: Callable[[], None] = lambda: None,
    enter: str = "\n",
    question: str = "y/N",
) -> tuple[int, str]:
    """Run a command on a terminal of its own, and answer its question, after something else."""
    import pty  # noqa: PLC0415  # Windows lacks it

    pid, terminal = pty.fork()
    if not pid:
        os.chdir(desk.folder)
        clean = {"PATH": os.defpath, "HOME": str(desk.folder), "LANG": "C.UTF-8", "TERM": "dumb"}
        clean |= path_of_ours()
        os.execve(sys.executable, [sys.executable, "-m", "k3push", *arguments], clean)  # noqa: S606
    text = ""
    asked = False
    while True:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # its other end is closed
            break
        text += block.decode("utf-8", "replace")
        if question in text and not asked:
            asked = True
            meanwhile()
            # Python loses a signal that comes right before it begins to read; nobody is so quick.
            while psutil.Process(pid).status() == psutil.STATUS_RUNNING:
                pass
            os.write(terminal, f"{answer}{enter}".encode())
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a table, byte order mark included."""
    assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "Excel needs the mark"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def assert_true(rows: Rows, truth: Truth) -> None:
    """Hold each row against the sandbox's books, and see that nothing was made twice."""
    sources: Mapping[str, list[Mapping[str, Any]]] = truth["sources"]
    for number, made in sources.items():
        assert len({target["push"] for target in made}) == 1, f"{number} was pushed twice"
    for row in rows:
        made = sources.get(unicodedata.normalize("NFKC", row["number"]).upper(), [])
        if row["state"] in {"rejected", "planned"}:
            assert not made, row
        elif row["state"] in {"pushed", "already", "draft"}:
            assert made, row
            assert set(row["target_ids"].split(";")) == {str(each["id"]) for each in made}, row
            assert set(row["targets"].split(";")) == {each["number"] for each in made}, row
        else:
            assert row["state"] == "unknown", row


def assert_all_once(rows: Rows, truth: Truth, numbers: Sequence[str]) -> None:
    """See that every number has been pushed, once, and that its row says so."""
    assert_true(rows, truth)
    assert [row["number"] for row in rows] == list(numbers)
    assert {row["state"] for row in rows} <= {"pushed", "already"}
    assert set(truth["sources"]) == set(numbers)
