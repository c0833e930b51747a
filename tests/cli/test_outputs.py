"""No command writes over the ledger, the configuration, a list or a plan."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.adapters.plan_file import plan_written
from k3push.cli.actions import demo
from k3push.cli.app import run
from k3push.core.plan import PlanHead, PlannedJob
from tests.adapters.ledger.samples import NOON, planned
from tests.cli.terminal import Desk

NOWHERE = "http://127.0.0.1:9/"

Command = Callable[[str], tuple[str, ...]]

COMMANDS: dict[str, Command] = {
    "export": lambda file: ("export", "--output", file),
    "report": lambda file: ("report", "--output", file),
    "plan": lambda file: ("plan", "orders.csv", "-o", file),
    "audit": lambda file: ("audit-dups", "orders.csv", "--output", file),
    "log": lambda file: ("run", "orders.csv", "--log-file", file),
    "log-of-resume": lambda file: ("resume", "--log-file", file),
    "log-of-apply": lambda file: ("apply", "a.plan.jsonl", "--log-file", file),
}

OURS = (
    "ledger.db",
    "ledger.db-wal",
    "ledger.db-shm",
    "ledger.db-journal",
    "ledger.db-locks/x",
    "config.toml",
    "orders.csv",
    "./orders.csv",
    "sub/../config.toml",
    "linked.toml",
    "hard.csv",
    "to-come",
    "LEDGER.DB-WAL",
    "linked.db",
)


@pytest.fixture
def used(desk: Desk, cleared: pytest.MonkeyPatch) -> Desk:
    """A desk with a ledger in which a run of orders.csv is, and links to what is ours."""
    cleared.chdir(desk.folder)
    desk.configure(NOWHERE).job(["CGDD0000001"])
    job = PlannedJob("orders.csv", str(desk.folder / "orders.csv"), "")
    with plan_written(desk.folder / "a.plan.jsonl") as writer:
        writer.begin(PlanHead(NOON, NOWHERE, "sandbox", "ledger.db", (job,), ()))
        writer.end()
    (desk.folder / "sub").mkdir()

    async def open_ledger() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            name = await planned(ledger, "CGDD0000001", scope="sandbox|po|in")
            async with ledger.own(name):
                await ledger.close_list(name)

    anyio.run(open_ledger)
    (desk.folder / "linked.toml").symlink_to("config.toml")
    (desk.folder / "linked.db").symlink_to("ledger.db")
    (desk.folder / "to-come").symlink_to("ledger.db-wal")
    os.link(desk.folder / "orders.csv", desk.folder / "hard.csv")
    return desk


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, but what SQLite sets beside a ledger."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes()
        for path in files
        if not path.name.startswith(("ledger.db-", "gate", "to-come"))
    }


@pytest.mark.parametrize("file", OURS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_output_goes_over_what_is_ours(
    used: Desk, capsys: pytest.CaptureFixture[str], command: str, file: str
) -> None:
    """Both the ledger and a list were replaced by an export, which said exit 0."""
    before = content(used.folder)
    assert run(COMMANDS[command](file), "en") == 2
    said = capsys.readouterr().err
    assert file.removeprefix("./") in said, said
    assert "name another file" in said or "cannot be written" in said, said
    assert content(used.folder) == before


@pytest.mark.parametrize("command", ["export", "report", "log", "log-of-apply"])
def test_a_plan_is_no_place_for_something_else(used: Desk, command: str) -> None:
    """It may wait for its night; only a new plan takes its place."""
    before = content(used.folder)
    assert run(COMMANDS[command]("a.plan.jsonl"), "en") == 2
    assert content(used.folder) == before


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("file", [".", "", "..", "sub", "x" * 300, "no/where.csv"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_file_is_said_so(
    capsys: pytest.CaptureFixture[str], command: str, file: str
) -> None:
    """A folder, no name, or one that no disk takes."""
    assert run(COMMANDS[command](file), "en") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: "), said
    assert "Traceback" not in said


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("job", [".", "..", "/", ""])
def test_a_plan_of_a_folder_is_refused_as_a_folder(
    capsys: pytest.CaptureFixture[str], job: str
) -> None:
    """Its name has nothing that a plan could be called after."""
    assert run(("plan", job), "en") == 2
    assert "folder" in capsys.readouterr().err


def test_an_export_takes_the_place_of_an_earlier_one(used: Desk) -> None:
    """It is the same file of the night before."""
    for _ in range(2):
        assert run(("export", "--output", "all.csv"), "en") == 0
    (used.folder / "again.csv").symlink_to("all.csv")
    assert run(("export", "--output", "again.csv"), "en") == 0


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("name", ["config.toml", "ledger.db", "orders.csv", "ledger.db-locks"])
def test_a_demo_leaves_a_folder_alone_that_is_no_demos(
    desk: Desk, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """It lays out files of these names, and begins with a new ledger."""
    desk.write(name, "mine")
    assert run(("demo", "--output", "."), "en") == 2
    assert name in capsys.readouterr().err
    assert (desk.folder / name).read_text("utf-8") == "mine"
    assert run(("demo", "--output", name), "en") == 2
    assert "--output" in capsys.readouterr().err


def test_a_demo_that_was_broken_off_is_in_no_way_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is known for a demo's from the first file on."""

    def breaks_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            demo.laid_out(tmp_path / "demo")
    (tmp_path / "demo" / "orders.csv").write_text("half", "utf-8")
    assert len(demo.laid_out(tmp_path / "demo")) == 2
