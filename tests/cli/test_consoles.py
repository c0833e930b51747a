from __future__ import annotations

import io
import subprocess
import sys

import pytest

from k3push.cli.console.screen import screen, tick
from tests.cli.terminal import Desk, Sandbox, end, orders
from tests.shares import shared_out

pytestmark = pytest.mark.halved

ENCODINGS = ["gbk", "cp936", "ascii", "utf-16"]


@pytest.mark.parametrize("encoding", shared_out(ENCODINGS, 2))
def test_a_console_of_any_encoding_shows_a_run(desk: Desk, sandbox: Sandbox, encoding: str) -> None:
    """A Chinese Windows has consoles of GBK; a character that it lacks must stop nothing."""
    desk.configure(sandbox.url)
    job = desk.job([*orders(2), "NOWHERE-ö-😀"], "采购 订单.csv")
    environment = {**desk.environment, "PYTHONIOENCODING": encoding, "LANG": "zh_CN.GBK"}
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-m", "k3push", "--lang", "zh", "run", job],
        cwd=desk.folder,
        env={"PATH": "", "HOME": str(desk.folder), **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    said = ran.stdout.decode(encoding)
    assert ran.returncode == 3, ran
    assert b"Traceback" not in ran.stderr
    assert "results" in said
    if encoding != "ascii":
        assert "已下推" in said
        assert "退出码 3" in said
    # What is read by programs does not depend on the console.
    assert desk.rows()[2]["number"] == "NOWHERE-ö-😀"


@pytest.mark.parametrize(
    ("encoding", "marks"),
    [("utf-8", "✓✗"), ("gb18030", "✓✗"), ("gbk", "√×"), ("latin-1", "+x"), ("ascii", "+x")],
)
def test_what_is_well_is_told_from_what_is_wrong_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, marks: str
) -> None:
    """`check > result.txt` of a Chinese Windows is GBK, in which both were question marks."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    assert tick(good=True) + tick(good=False) == marks


@pytest.mark.parametrize("columns", ["0", "²"])
def test_an_environment_of_no_size_hides_no_output(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Some ways into a container say COLUMNS=0; rich would show nothing, or end with a trace."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "0")
    shown = io.StringIO()
    screen(file=shown).print("exit 0: every number is pushed or already")
    assert shown.getvalue() == "exit 0: every number is pushed or already\n"


def test_paths_may_hold_blanks_and_chinese(desk: Desk, sandbox: Sandbox) -> None:
    """On the desktop of an administrator, every folder has such a name."""
    folder = desk.folder / "我的 文件 (1)" / "清单%20&b"
    folder.mkdir(parents=True)
    home = Desk(folder).configure(sandbox.url)
    ran = home.k3push("run", home.job(orders(2), "十一月 25日.csv"), "--json")
    assert ran.exit == 0, ran
    assert [row["state"] for row in home.rows()] == ["pushed", "pushed"]
    assert home.k3push("status").exit == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix closes streams")
@pytest.mark.parametrize(
    "closed",
    shared_out([">&-", "2>&-", "<&-", ">&- 2>&- <&-", "> /dev/full", "2> /dev/full"], 3, of_more=1),
)
def test_streams_that_are_closed_or_full_end_no_run(
    desk: Desk, sandbox: Sandbox, closed: str
) -> None:
    """A unit, or a full disk under a log, may leave none; the run has its exit code all the same.

    A ledger that is opened as number 1 or 2 would have the next message written into it.
    """
    desk.configure(sandbox.url)
    job = desk.job(orders(2))
    command = f'exec "{sys.executable}" -m k3push run {job} --json {closed}'
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        ["/bin/sh", "-c", command],
        cwd=desk.folder,
        env={"PATH": "", "HOME": str(desk.folder), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran
    assert "Traceback" not in ran.stderr
    assert ("No space left" in ran.stderr) == (closed == "> /dev/full"), ran
    assert [row["state"] for row in desk.rows()] == ["pushed", "pushed"]
    assert desk.k3push("ledger", "check").exit == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that somebody is in")
@pytest.mark.more
def test_a_folder_that_is_gone_ends_no_command(desk: Desk, sandbox: Sandbox) -> None:
    """A timer, or a shell that somebody has left open, may stand in one."""
    desk.configure(sandbox.url)
    job = desk.folder / desk.job(orders(2))
    gone = ("sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh")
    config = ("--config", str(desk.folder / "config.toml"))
    ran = end(desk.begin("run", str(job), *config, wrapper=gone))
    assert (ran.exit, "Traceback" in ran.err) == (0, False), ran
    for command in (("status",), ("export", "--output", "-"), ("export", "--output", "a.csv")):
        looked = end(desk.begin(*command, *config, wrapper=gone))
        assert (looked.exit, "Traceback" in looked.err) == (2 * ("a.csv" in command), False), looked


@pytest.mark.skipif(sys.platform == "win32", reason="arguments of Windows are text")
def test_an_argument_that_is_not_utf_8_is_refused(desk: Desk, untouched: Sandbox) -> None:
    """No ledger and no JSON could hold the name of that list."""
    desk.configure(untouched.url)
    ran = desk.k3push("run", "orders\udcff.csv")
    assert (ran.exit, "is not UTF-8 text" in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "ht!tp://x", "http://", "http://[::1", "://"]
)
def test_a_proxy_that_cannot_be_gone_through_is_named(
    desk: Desk, untouched: Sandbox, proxy: str
) -> None:
    """It was found at the first call, by a package that is not installed."""
    desk.configure(untouched.url).environment["HTTP_PROXY"] = proxy
    ran = desk.k3push("run", desk.job(orders(1)))
    assert (ran.exit, "HTTP_PROXY" in ran.err) == (2, True), ran
    assert "Traceback" not in ran.err


def test_a_proxy_at_which_nobody_answers_is_named_without_its_password(
    desk: Desk, untouched: Sandbox
) -> None:
    """Nothing is wrong with the address of the ERP, which the message names as well."""
    desk.configure(untouched.url).environment["HTTP_PROXY"] = "http://me:geheim@127.0.0.1:9"
    for ran in (desk.k3push("check"), desk.k3push("rules")):
        assert "through the proxy 127.0.0.1:9" in ran.out + ran.err, ran
        assert "geheim" not in ran.out + ran.err


def test_questions_that_nobody_answers_end_in_a_line(desk: Desk) -> None:
    """`init` in a pipeline, or a hand that presses Ctrl-D."""
    ran = desk.k3push("init")
    assert (ran.exit, "standard input ended" in ran.err) == (2, True), ran
    assert not (desk.folder / "config.toml").exists()
    ran = desk.k3push(
        "init",
        "--config",
        "no/where.toml",
        given="http://127.0.0.1:9/K3Cloud/\n" + "A1\n" * 7 + "\n",
    )
    assert (ran.exit, "where.toml" in ran.err) == (2, True), ran
