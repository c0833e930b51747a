from __future__ import annotations

from tests.cli.terminal import Desk, Sandbox, assert_all_once, orders

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
    assert (none.exit, "there is no ledger yet" in none.err) == (5, True)
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


def test_a_missing_extra_is_named(desk: Desk, sandbox: Sandbox) -> None:
    """Most users have no PostgreSQL, and whoever wants it is told what to install."""
    desk.configure(sandbox.url, more=ledger("postgresql://me@127.0.0.1:1/nights"))
    (desk.folder / "without").mkdir()
    desk.write("without/psycopg.py", "raise ImportError('No module named psycopg')\n")
    desk.environment["PYTHONPATH"] = str(desk.folder / "without")
    ran = desk.k3push("run", desk.job(orders(3)), "--yes")
    assert ran.exit == 2
    assert 'pip install "k3push[postgres]"' in ran.err
