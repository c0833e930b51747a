"""The clients that are compared: k3push, and two scripts as people write them.

Each is started in processes of its own, as an administrator would, and tells of every number
whether it is done.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.cli.terminal import Desk, end, read_csv
from tests.compare.faults import (
    ANSWER_TIMEOUT_S,
    CHUNK,
    CONNECT_TIMEOUT_S,
    FIRST_WAIT_S,
    POLL_S,
    WINDOW_S,
    Books,
)

ROOT = Path(__file__).parents[2]

DONE = frozenset({"pushed", "draft", "already"})
# What an exit code of k3push asks for; the others ask for nothing that a script can do.
CURES = {4: "settle", 5: "resume", 6: "resume"}
MOST_CURES = 4


class Client(Protocol):
    """Works on one list of numbers at a time."""

    def begin(self, name: str, numbers: Sequence[str]) -> subprocess.Popen[str]:
        """Start to work on a list, which *name* stands for."""

    def go_on(self, name: str, exit_code: int) -> None:
        """Do once what people do when *name* has ended, or was killed."""

    def reports(self, name: str) -> Mapping[str, bool]:
        """Tell of each number of *name* whether it was reported as done at last."""


class K3push:
    """The command line; its exit codes say what to do next."""

    def __init__(self, folder: Path, url: str, books: Books) -> None:
        self._desk = Desk(folder).configure(
            url,
            lines={
                "connect_timeout_s": f"connect_timeout_s = {CONNECT_TIMEOUT_S}",
                "answer_timeout_s": f"answer_timeout_s = {ANSWER_TIMEOUT_S}",
                "first_wait_s": f"first_wait_s = {FIRST_WAIT_S}",
                "poll_s": f"poll_s = {POLL_S}",
                "window_s": f"window_s = {WINDOW_S}",
            },
            more="draft_when_save_fails = true\n" if books is Books.DRAFTS else "",
        )

    def begin(self, name: str, numbers: Sequence[str]) -> subprocess.Popen[str]:
        """Start `k3push run`."""
        job = self._desk.job(numbers, f"{name}.csv")
        return self._desk.begin("run", job, "--chunk-size", str(CHUNK), "--json", "--quiet")

    def go_on(self, name: str, exit_code: int) -> None:
        """Settle or resume as the exit code says; a killed run is resumed."""
        if exit_code < 0:
            exit_code = self._desk.k3push("resume", "--json", "--quiet").exit
        for _ in range(MOST_CURES):
            if exit_code not in CURES:
                break
            run = self._results(name).suffix.removeprefix(".")
            exit_code = self._desk.k3push(CURES[exit_code], run, "--json", "--quiet").exit

    def reports(self, name: str) -> Mapping[str, bool]:
        """Read the run's ledger."""
        rows = read_csv(self._results(name) / "ledger.csv")
        return {row["number"]: row["state"] in DONE for row in rows}

    def _results(self, name: str) -> Path:
        (folder,) = self._desk.folder.glob(f"results/{name}.*")
        return folder


class Script:
    """A script that prints OK or FAILED for each number.

    The next morning it is run again, once, with the numbers that it did not call OK.
    """

    def __init__(self, module: str, folder: Path, url: str, books: Books) -> None:
        self._module = module
        self._folder = folder
        self._arguments = (url, str(books is Books.DRAFTS).lower())
        self._lists: dict[str, Sequence[str]] = {}

    def begin(self, name: str, numbers: Sequence[str]) -> subprocess.Popen[str]:
        """Start the script, which adds to its log."""
        self._lists.setdefault(name, numbers)
        with (
            (self._folder / f"{name}.log").open("a", encoding="utf-8") as log,
            (self._folder / f"{name}.err").open("a", encoding="utf-8") as trouble,
        ):
            return subprocess.Popen(  # noqa: S603  # our own interpreter
                [sys.executable, "-m", self._module, *self._arguments, *numbers],
                cwd=ROOT,
                stdout=log,
                stderr=trouble,
                text=True,
            )

    def go_on(self, name: str, exit_code: int) -> None:
        """Run it again with what was not OK; its exit code says nothing."""
        del exit_code
        reports = self.reports(name)
        failed = [number for number in self._lists[name] if not reports[number]]
        if failed:
            assert end(self.begin(name, failed)).exit == 0

    def reports(self, name: str) -> Mapping[str, bool]:
        """Read the log; what stands in it last counts, and what does not is not done."""
        reports = dict.fromkeys(self._lists[name], False)
        for line in (self._folder / f"{name}.log").read_text("utf-8").splitlines():
            number, word, *_ = line.split()
            reports[number] = word == "OK"
        return reports


CLIENTS = ("k3push", "SDK script", "retry loop")


def client(name: str, folder: Path, url: str, books: Books) -> Client:
    """Make one of `CLIENTS`, which works in *folder*."""
    if name == "k3push":
        return K3push(folder, url, books)
    module = {"SDK script": "sdk_script", "retry loop": "retry_loop"}[name]
    return Script(f"tests.compare.{module}", folder, url, books)
