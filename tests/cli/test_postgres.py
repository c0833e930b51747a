from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from k3push.adapters.ledger.sqlite.schema import VERSION
from tests.cli.conftest import Start
from tests.cli.terminal import PATIENT, Desk, Sandbox, assert_all_once, end, orders, until
from tests.forked import path_of_ours

SECRET = "nobody-reads-this"


def ledger(url: str) -> str:
    """Return the section of config.toml."""
    return f'\n[ledger]\nurl = "{url}"\n'


def test_a_run_in_postgres_is_like_any_other(
    desk: Desk, sandbox: Sandbox, postgres_url: str
) -> None:
    """The commands know of the ledger by its words alone."""
    desk.configure(sandbox.url, more=ledger(postgres_url))
    none = desk.k3push("status")
    assert (none.exit, "there is no ledger yet" in none.err) == (2, True)
    numbers = orders(120)
    job = desk.job(numbers)
    planned = desk.k3push("plan", job, "--output", "night.plan")
    assert planned.exit == 0, planned
    ran = desk.k3push("apply", "night.plan", "--yes", "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 120})
    assert_all_once(desk.rows(), sandbox.truth(), numbers)
    again = desk.k3push("run", job, "--yes", "--json")
    assert (again.exit, again.said["counts"]) == (0, {"already": 120})
    assert ran.said["run"] in desk.k3push("runs").out
    assert numbers[7] in desk.k3push("explain", numbers[7]).out
    assert desk.k3push("check").exit == 0
    assert not (desk.folder / "ledger.db").exists()


def test_the_password_is_in_no_error(desk: Desk, sandbox: Sandbox) -> None:
    """Errors go into logs and messages that many read."""
    desk.configure(sandbox.url, more=ledger(f"postgresql://me:{SECRET}@127.0.0.1:1/nights"))
    for command in (["status"], ["check"], ["run", desk.job(orders(3)), "--yes"]):
        ran = desk.k3push(*command)
        assert ran.exit != 0
        assert "postgresql://me@127.0.0.1:1/nights" in ran.text
        assert SECRET not in ran.text


@pytest.mark.parametrize(
    "line",
    [
        "run orders.csv --yes",
        "plan orders.csv",
        "resume",
        "retry",
        "settle",
        "status",
        "export R --output x.csv",
        "enqueue orders.csv --config tenants/acme.toml",
        "control R stop",
        "audit-dups orders.csv",
    ],
)
def test_a_ledger_that_is_away_as_a_command_begins_is_nothing_to_resume(
    desk: Desk, sandbox: Sandbox, line: str
) -> None:
    """Whoever resumed went on with the night before, and was told that nothing is left to do."""
    away = "postgresql://me@127.0.0.1:1/nights"
    desk.configure(sandbox.url, more=f'{ledger(away)}\n[fleet]\ndatabase = "{away}"\n')
    desk.job(orders(3))
    (desk.folder / "tenants").mkdir()
    desk.write("tenants/acme.toml", (desk.folder / "config.toml").read_text("utf-8"))
    ran = desk.k3push(*line.split())
    assert (ran.exit, "run the command again" in ran.err) == (2, True), ran
    assert "resume" not in ran.text


def test_a_missing_extra_is_named(desk: Desk, sandbox: Sandbox) -> None:
    """Most users have no PostgreSQL, and whoever wants it is told what to install."""
    desk.configure(sandbox.url, more=ledger("postgresql://me@127.0.0.1:1/nights"))
    (desk.folder / "without").mkdir()
    desk.write("without/psycopg.py", "raise ImportError('No module named psycopg')\n")
    desk.environment |= path_of_ours(desk.folder / "without")
    ran = desk.k3push("run", desk.job(orders(3)), "--yes")
    assert ran.exit == 2
    assert 'pip install "k3push[postgres]"' in ran.err


def test_a_ledger_moves_to_postgres_and_goes_on(
    desk: Desk, sandbox: Sandbox, postgres_url: str
) -> None:
    """Begun on one machine in SQLite, stopped half way, and resumed where many can reach it."""
    desk.configure(sandbox.url)
    numbers = orders(60)
    stopped = desk.k3push("run", desk.job(numbers), "--limit", "20", "--yes", "--json")
    assert (stopped.exit, stopped.said["counts"]) == (5, {"pushed": 20, "planned": 40})
    assert f"version {VERSION}, up to date" in desk.k3push("ledger", "migrate").out
    copied = desk.k3push("ledger", "copy", "config", postgres_url)
    assert (copied.exit, "60 rows" in copied.out) == (0, True), copied
    again = desk.k3push("ledger", "copy", "sqlite:///ledger.db", postgres_url)
    assert (again.exit, "is not empty" in again.err) == (2, True)
    desk.configure(sandbox.url, more=ledger(postgres_url))
    checked = desk.k3push("ledger", "check")
    assert (checked.exit, checked.out.count("✓"), "✗" in checked.out) == (0, 7, False)
    assert desk.k3push("resume", "--json").said["counts"] == {"pushed": 60}
    assert_all_once(desk.rows(), sandbox.truth(), numbers)


def test_a_fault_of_the_ledger_is_told_with_its_cure(desk: Desk, sandbox: Sandbox) -> None:
    """Somebody has written into it with another program."""
    desk.configure(sandbox.url)
    assert desk.k3push("run", desk.job(orders(3)), "--yes").exit == 0
    with closing(sqlite3.connect(desk.folder / "ledger.db")) as connection:
        connection.execute("UPDATE tallies SET n = 7")
        connection.commit()
    checked = desk.k3push("ledger", "check")
    assert checked.exit == 2
    (fault,) = (line for line in checked.out.splitlines() if line.startswith("✗"))
    assert "`k3push ledger copy` counts again" in fault
    moved = desk.k3push("ledger", "copy", "config", "sqlite:///sound.db")
    assert moved.exit == 0, moved
    desk.configure(sandbox.url, more=ledger("sqlite:///sound.db"))
    assert desk.k3push("ledger", "check").exit == 0


def test_a_ledger_in_use_is_not_copied(desk: Desk, start: Start) -> None:
    """Half of a run in two places would be sent from both."""
    sandbox = start("--latency", "2")
    desk.configure(sandbox.url, lines=PATIENT)
    running = desk.begin("run", desk.job(orders(20)), "--yes")
    try:
        until(lambda: desk.k3push("runs").exit == 0)
        until(lambda: sandbox.truth()["logins"] > 0)
        ran = desk.k3push("ledger", "copy", "config", "sqlite:///other.db")
    finally:
        running.kill()
        end(running)
    assert (ran.exit, "is under way" in ran.err) == (2, True), ran
