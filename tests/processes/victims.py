"""A run that is tormented in processes of its own, brought to its end, and checked."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.cli.terminal import Desk, Ran, Sandbox, assert_true, end, orders, until

# A bad night in a few seconds: what the preset `night` holds, with late work that is done long
# before the window of `tests.cli.terminal.CONFIG` is over.
NIGHT = """\
session_calls = 150

[[refusal]]
number = "CGDD0000003"
code = 11
text = "单据编号为“{{number}}”的采购订单，数量超出可入库数量！"

[seeded]
rate = 0.25
seed = {seed}
most = 60
faults = ["reset", "make-then-reset", "make-then-close", "make-then-html-502", "html-503",
  "make-then-cut-off", "make-then-empty", "response-error", "make-then-response-error-text",
  "late-commit:1", "edit-lock", "call-limit", "lose-session", "drop-one", "gzip"]
"""

# Several processes at a time on a machine that others are busy on as well.
PATIENCE_S = 150.0

DONE = {0, 3}
STOPPED = {4, 5, 6}
NOTHING_WAS_SENT = ("nothing has been run", "nothing of it was sent")
FINAL = {"pushed", "already", "rejected"}
MOST_RESUMES = 12


def night(folder: Path, seed: int) -> str:
    """Write a bad night down, and return what `--faults` takes."""
    path = folder / "night.toml"
    path.write_text(NIGHT.format(seed=seed), "utf-8")
    return str(path)


@dataclass
class Victim:
    """A person's list, and the commands that bring it to its end whatever happens to them.

    Attributes:
        options: Of every `run` and `resume`.
        knows_run: A run with all of the list is in the ledger, as far as this person can tell.
    """

    desk: Desk
    sandbox: Sandbox
    numbers: Sequence[str]
    options: tuple[str, ...] = ("--chunk-size", "5", "--halt", "")
    knows_run: bool = False

    @classmethod
    def of(
        cls,
        folder: Path,
        sandbox: Sandbox,
        count: int,
        first: int = 0,
        lines: Mapping[str, str] | None = None,
    ) -> Victim:
        """Write a list and its settings into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        desk = Desk(folder).configure(sandbox.url, lines=lines)
        numbers = orders(count, first)
        desk.job(numbers)
        return cls(desk, sandbox, numbers)

    def begin(self, wrapper: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start `run`, or `resume` where a run may be there, inside another program or bare."""
        command = ("resume",) if self.knows_run else ("run", "orders.csv")
        self.knows_run = True
        return self.desk.begin(*command, "--json", *self.options, wrapper=wrapper)

    def ending(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for the end of a command."""
        return end(process, patience_s=PATIENCE_S)

    def pushes(self) -> int:
        """Count the pushes that the sandbox has seen, whoever made them."""
        return int(self.sandbox.truth()["calls"].get("push", 0))

    def told(self, query: str) -> list[tuple[str, ...]]:
        """Look into the ledger as any other program may."""
        path = (self.desk.folder / "ledger.db").resolve().as_uri()
        with closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as ledger:
            return ledger.execute(query).fetchall()

    @property
    def written_at(self) -> int:
        """When the ledger was written to last, in nanoseconds; 0 if it never was."""
        log = self.desk.folder / "ledger.db-wal"
        return log.stat().st_mtime_ns if log.exists() else 0

    def look(self, ran: Ran) -> bool:
        """See how a command ended, which was no defect; say whether all is done."""
        assert ran.exit != 1, ran
        assert "Traceback" not in ran.text, ran
        if ran.exit == 2:
            # The one before was stopped when the list was not yet in the ledger, or half of it.
            assert any(words in ran.err for words in NOTHING_WAS_SENT), ran
            self.knows_run = False
        return ran.exit in DONE

    def finish(self) -> Ran:
        """Resume to the end, with nothing in the way, and hold the rows against the books."""
        ran = self.ending(self.begin())
        for _ in range(MOST_RESUMES):
            if self.look(ran):
                self.check_ledger(ran)
                break
            if ran.exit == 4:
                self._give_a_word(ran)
            ran = self.ending(self.begin())
        assert ran.exit in DONE, ran
        return ran

    def _give_a_word(self, ran: Ran) -> None:
        """Settle what only a person can: a success that made nothing, before any link was seen."""
        made = self.sandbox.truth()["sources"]
        for row in self.desk.rows(ran.said["run"], "unknown.csv"):
            if row["code"] == "contradiction":
                word = "pushed" if row["number"] in made else "absent"
                settle = ("settle", "--as", word, row["number"], "--because", "seen in the books")
                assert self.desk.k3push(*settle).exit == 0

    def check_ledger(self, ran: Ran) -> None:
        """See that every number has one true, final row, and none was made twice."""
        until(lambda: self.sandbox.truth()["work_to_come"] == 0, PATIENCE_S)
        rows = self.desk.rows(ran.said["run"])
        truth = self.sandbox.truth()
        assert_true(rows, truth)
        assert [row["number"] for row in rows] == list(self.numbers)
        assert {row["state"] for row in rows} <= FINAL


def kill_again_and_again(victim: Victim, seed: int, most: int) -> int:
    """Kill a run and its resumes, at moments of a seed after their first write, then finish it.

    Returns:
        How many processes were killed in their middle.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    kills = 0
    while kills < most:
        before = victim.written_at
        process = victim.begin()
        while victim.written_at == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.8))
        process.kill()
        ran = victim.ending(process)
        if ran.exit >= 0 and victim.look(ran):
            break
        kills += ran.exit < 0
    victim.finish()
    return kills
