"""No command writes over the ledger, the configuration, a list or a plan."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from k3push.adapters import output_files
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.adapters.output_files import Goal, whole_file
from k3push.adapters.plan_file import plan_written
from k3push.cli.actions import demo
from k3push.cli.app import run
from k3push.core.plan import PlanHead, PlannedJob
from tests.adapters.ledger.samples import NOON, planned
from tests.cli.terminal import Desk, begin, end, typed
from tests.shares import shared_out

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

# What goes into a stream as well; a report's name has no ending to look at.
STREAMED: dict[str, Command] = {
    "csv": lambda file: ("export", "--format", "csv", "--output", file),
    "jsonl": lambda file: ("export", "--format", "jsonl", "--output", file),
    "report": COMMANDS["report"],
}

WRITTEN = {"csv": b"CGDD0000001", "jsonl": b"CGDD0000001", "report": b"</html>"}

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
@pytest.mark.parametrize("command", shared_out(COMMANDS, 3, of_more=1))
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


@pytest.mark.parametrize("command", [("run", "orders.csv", "--yes"), ("resume",)])
def test_no_metrics_go_over_a_list(
    used: Desk,
    cleared: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    """The list of the night was gone after it, with exit 0."""
    before = content(used.folder)
    cleared.setenv("K3PUSH_METRICS__TEXTFILE", "orders.csv")
    assert run(command, "en") == 2
    assert "metrics.textfile" in capsys.readouterr().err
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
@pytest.mark.parametrize("job", [".", "..", "/"])
def test_a_plan_of_a_folder_is_refused_as_a_folder(
    capsys: pytest.CaptureFixture[str], job: str
) -> None:
    """Its name has nothing that a plan could be called after."""
    assert run(("plan", job), "en") == 2
    assert "folder" in capsys.readouterr().err


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("file", ["night.pdf", "night.XLSX", "night.html", "night.HTM", "night"])
def test_a_report_is_written_to_the_name_of_a_page_alone(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """A page under the name of another kind of file is one that no program opens."""
    is_page = not file.endswith((".pdf", ".XLSX"))
    assert run(COMMANDS["report"](file), "en") == (0 if is_page else 2)
    assert Path(file).exists() == is_page
    assert ("the report is a page" in capsys.readouterr().err) != is_page


def test_an_export_takes_the_place_of_an_earlier_one(used: Desk) -> None:
    """It is the same file of the night before."""
    for _ in range(2):
        assert run(("export", "--output", "all.csv"), "en") == 0
    (used.folder / "again.csv").symlink_to("all.csv")
    assert run(("export", "--output", "again.csv"), "en") == 0


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links for everybody")
@pytest.mark.parametrize("command", STREAMED)
def test_a_link_stays_and_its_file_is_replaced(command: str) -> None:
    """A folder of reports may be full of links to where they are kept."""
    Path("sub/kept").write_text("of the night before", "utf-8")
    Path("half").symlink_to("sub/kept")
    Path("link").symlink_to("half")
    assert run(STREAMED[command]("link"), "en") == 0
    assert [str(Path(name).readlink()) for name in ("link", "half")] == ["half", "sub/kept"]
    assert WRITTEN[command] in Path("sub/kept").read_bytes()


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links for everybody")
def test_a_link_that_another_user_has_set_is_not_followed(
    cleared: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may write to a folder would have a file written over that lies elsewhere."""
    Path("precious").write_text("mine", "utf-8")
    Path("all.csv").symlink_to("precious")
    cleared.setattr(output_files, "_ROOT", -1)
    cleared.setattr(os, "geteuid", lambda: os.lstat("all.csv").st_uid + 1)
    assert run(("export", "--output", "all.csv"), "en") == 2
    assert "all.csv cannot be written: a link" in capsys.readouterr().err
    assert Path("precious").read_text("utf-8") == "mine"


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes of this kind")
@pytest.mark.parametrize("command", STREAMED)
def test_a_pipe_is_written_to_and_stays_a_pipe(command: str) -> None:
    """It was replaced by a file, and its reader waited for ever."""
    os.mkfifo("pipe")
    # Open at both ends, so that neither end waits for the other.
    pipe = os.open("pipe", os.O_RDWR)
    try:
        assert run(STREAMED[command]("pipe"), "en") == 0
        assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
        assert WRITTEN[command] in os.read(pipe, 1 << 16)
    finally:
        os.close(pipe)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes of this kind")
def test_a_pipe_that_nobody_reads_keeps_no_process_from_its_end(tmp_path: Path) -> None:
    """Ctrl-C was heard, and the process waited for its thread until a second one."""
    pipe, part = tmp_path / "pipe", tmp_path / "part"
    os.mkfifo(pipe)
    part.write_bytes(b"rows")
    before = set(threading.enumerate())

    async def wait_for_reader() -> None:
        with anyio.move_on_after(0.1):
            await output_files.named(pipe).take(part)

    anyio.run(wait_for_reader)
    try:
        assert [
            each for each in threading.enumerate() if not each.daemon and each not in before
        ] == []
    finally:
        os.close(os.open(pipe, os.O_RDWR))


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes of this kind")
def test_a_plan_goes_into_no_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """It waits for its night."""
    os.mkfifo("pipe")
    assert run(("plan", "orders.csv", "-o", "pipe"), "en") == 2
    said = capsys.readouterr().err
    assert "pipe: a device, pipe or socket, which keeps no file; name a file" in said, said
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/fd/1").exists(), reason="there are no names of descriptors")
@pytest.mark.parametrize("name", ["/dev/fd/1", "out.csv"])
def test_standard_output_takes_an_export_behind_what_it_has(used: Desk, name: str) -> None:
    """`k3push export --output /dev/stdout | ...` printed nothing, and said exit 0."""
    (used.folder / "out.csv").symlink_to("/dev/fd/1")
    (used.folder / "all").write_text("before\n", "utf-8")
    into = ("sh", "-c", 'exec "$@" >> all', "sh")
    ran = end(begin(used.folder, "export", "--output", name, "--format", "csv", wrapper=into))
    assert ran.exit == 0, ran
    before, heading, row = (used.folder / "all").read_text("utf-8").splitlines()
    assert (before, heading.split(",")[1], row.split(",")[1]) == (
        "before",
        "number",
        "CGDD0000001",
    )


@pytest.mark.parametrize("command", STREAMED)
def test_a_hyphen_is_standard_output(used: Desk, command: str) -> None:
    """As with `gh` and `rclone`; a file of that name was written, and the pipe got nothing."""
    ran = end(begin(used.folder, *STREAMED[command]("-")))
    assert ran.exit == 0, ran
    assert WRITTEN[command].decode() in ran.out
    assert not (used.folder / "-").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
@pytest.mark.parametrize("form", ["xlsx", "parquet"])
@pytest.mark.parametrize("name", ["-", "/dev/fd/1"])
def test_what_is_no_text_is_not_written_to_a_terminal(used: Desk, form: str, name: str) -> None:
    """It would fill the screen with signs that nobody reads, and may leave the terminal odd."""
    code, shown = typed(used, "", "export", "--format", form, "--output", name)
    assert (code, "is a terminal" in shown, "PK" in shown) == (2, True, False), shown
    plain, shown = typed(used, "", "export", "--format", "csv", "--output", name)
    assert (plain, "CGDD0000001" in shown) == (0, True), shown


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    "types",
    [
        COMMANDS["plan"]("-"),
        COMMANDS["audit"]("-"),
        COMMANDS["log"]("-"),
        ("demo", "--output", "-"),
        ("select", "--json", "--output", "-"),
    ],
    ids=lambda types: "-".join(types[:2]),
)
def test_what_does_not_go_to_standard_output_says_so(
    capsys: pytest.CaptureFixture[str], types: tuple[str, ...]
) -> None:
    """A plan is read again, and a log or a demo's folder is no stream; no file is called `-`."""
    assert run(types, "en") == 2
    said = capsys.readouterr()
    assert (said.out, "standard output" in said.err) == ("", True), said
    assert not Path("-").exists()


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(not Path("/dev/fd/1").exists(), reason="there are no names of descriptors")
def test_a_descriptor_of_our_own_is_no_place_for_an_output() -> None:
    """It may be that of the ledger."""
    with Path("mine").open("w+", encoding="utf-8") as file:
        name = f"/dev/fd/{file.fileno()}"
        assert run(("export", "--output", name, "--format", "csv"), "en") == 2
    assert not Path("mine").read_text("utf-8")


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_terminal_obeys_nothing_of_what_is_written_to_it() -> None:
    """A file or a pipe gets every byte; what a person looks at is shown instead."""
    ours, theirs = os.openpty()

    async def write() -> None:
        goal = Goal(Path("-"), is_stream=True, descriptor=theirs)
        async with whole_file(goal, lambda part: part.open("w", encoding="utf-8")) as file:
            file.write("拒绝\x1b[2A\x9bK\u202e\n单据\n")

    try:
        anyio.run(write)
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.splitlines() == ["拒绝[U+001B][2A[U+009B]K[U+202E]", "单据"]
