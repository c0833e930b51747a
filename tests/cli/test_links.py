"""Links that lead in a circle: no command, no worker and no server ends with a trace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from k3push.cli.app import run
from k3push.config.real_paths import real
from k3push.config.tenants import TenantFiles
from tests.cli.terminal import Desk

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such links for everybody")

SOURCES = Path(__file__).parents[2] / "src" / "k3push"

COMMANDS = {
    "plan": ("plan", "circle.csv"),
    "plan-of-a-folder": ("plan", "inbox"),
    "run": ("run", "circle.csv", "--yes"),
    "log": ("run", "inbox", "--yes", "--log-file", "log.txt"),
    "timer": ("schedule", "circle.csv", "--at", "20:00", "--for", "cron"),
    "select": ("select", "-o", "circle.csv"),
    "audit": ("audit-dups", "circle.csv", "--output", "a.csv"),
    "copy": ("ledger", "copy", "config", "sqlite:///circle.csv"),
    "status": ("status", "--config", "circle.csv"),
}


@pytest.fixture
def circles(tmp_path: Path) -> Path:
    """A folder with a link that leads to itself, and an inbox with one."""
    (tmp_path / "circle.csv").symlink_to("circle.csv")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "circle.csv").symlink_to("circle.csv")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_circle_of_links_is_no_defect(
    circles: Path,
    cleared: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Whoever may write into an inbox can put one there."""
    cleared.chdir(circles)
    Desk(circles).configure("http://127.0.0.1:9/K3Cloud/")
    assert run(COMMANDS[command], "en") != 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_ledger_behind_a_circle_is_its_tenants_trouble_alone(circles: Path) -> None:
    """All workers of the fleet read the folder; not one of them could begin or go on."""
    for name, ledger in (("acme", "circle.csv"), ("bexo", "bexo.db")):
        desk = Desk(circles).configure("http://127.0.0.1:9/K3Cloud/")
        text = (desk.folder / "config.toml").read_text("utf-8")
        (circles / "tenants").mkdir(exist_ok=True)
        url = f"sqlite:///{circles / ledger}"
        (circles / "tenants" / f"{name}.toml").write_text(
            text.replace("sqlite:///ledger.db", url), "utf-8"
        )
    assert {"acme", "bexo"} <= TenantFiles(circles / "tenants", {}).read().by_name.keys()


def test_a_circle_is_its_own_path(circles: Path) -> None:
    """The system says what is wrong with it when it is opened."""
    assert real(circles / "circle.csv") == real(circles) / "circle.csv"


def test_no_path_is_resolved_in_another_way() -> None:
    """`Path.resolve` raises a `RuntimeError` there, which nobody expects of a path."""
    found = [path.name for path in SOURCES.rglob("*.py") if ".resolve()" in path.read_text("utf-8")]
    assert found == []
