from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.terminal import Desk, Sandbox, orders

ENCODINGS = ["gbk", "cp936", "ascii", "utf-16"]


@pytest.mark.parametrize("encoding", ENCODINGS)
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
    assert "pushed" in said
    if encoding != "ascii":
        assert "退出码 3" in said
    # What is read by programs does not depend on the console.
    assert desk.rows()[2]["number"] == "NOWHERE-ö-😀"


def test_paths_may_hold_blanks_and_chinese(desk: Desk, sandbox: Sandbox) -> None:
    """On the desktop of an administrator, every folder has such a name."""
    folder = desk.folder / "我的 文件 (1)" / "清单%20&b"
    folder.mkdir(parents=True)
    home = Desk(folder).configure(sandbox.url)
    ran = home.k3push("run", home.job(orders(2), "十一月 25日.csv"), "--json")
    assert ran.exit == 0, ran
    assert [row["state"] for row in home.rows()] == ["pushed", "pushed"]
    assert home.k3push("status").exit == 0
