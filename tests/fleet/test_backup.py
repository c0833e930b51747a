"""What the page for operators says of backups: they are taken, restored, and gone on with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.cli.terminal import assert_true, orders, until
from tests.fleet.test_commands import Fleet, fleet
from tests.fleet.test_isolation import as_role, session
from tests.postgres import PostgresServer

pytestmark = pytest.mark.halved

__all__ = ["fleet"]

ROLE = "k3push_acme"


def test_a_backup_from_before_the_night_is_restored_and_makes_nothing_twice(
    fleet: Fleet, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Ledger, queue, roles and policies come back; what was pushed since is there already."""
    acme = fleet.tenant("acme")
    fleet.enqueue(orders(3), acme)
    with session(fleet.database) as owner:
        owner.execute(fleet.k3push("fleet", "init-tenant", "acme").out.encode())
    bind(fleet)
    with fleet.worker():
        until(fleet.done)
    fleet.enqueue(orders(3, 3), acme)
    backup = tmp_path / "k3push.dump"
    run(postgres_server, "pg_dump", "--format=custom", f"--file={backup}", fleet.database)
    with fleet.worker():
        until(fleet.done)
    assert len(fleet.sandbox.truth()["sources"]) == 6
    restore(postgres_server, fleet.database, backup)
    assert fleet.row("acme")["queued"] == 1
    with fleet.worker():
        until(fleet.done)
    (last,) = fleet.do("SELECT run FROM fleet_runs ORDER BY asked_at DESC LIMIT 1")
    states = "SELECT state FROM k3push.rows JOIN k3push.runs ON key = run ORDER BY run, place"
    assert fleet.do(states) == [("pushed",)] * 3 + [("already",)] * 3
    truth = fleet.sandbox.truth()
    assert_true([], truth)
    assert set(truth["sources"]) == set(orders(6))
    assert fleet.k3push("ledger", "check", "--config", acme).exit == 0
    assert fleet.k3push("audit-dups", "--from-ledger", "--config", acme).exit == 0
    with session(fleet.database) as owner:
        owner.execute("INSERT INTO role_accounts VALUES (%s, 'other')", ("somebody",))
        owner.execute("UPDATE runs SET account = 'other' WHERE id <> %s", last)
    with session(fleet.database, ROLE) as bound:
        assert bound.execute("SELECT id FROM runs").fetchall() == [last]


def bind(fleet: Fleet) -> None:
    """Let the tenant's file name its role."""
    path = fleet.folder / "tenants" / "acme.toml"
    text = path.read_text("utf-8").replace(fleet.database, as_role(fleet.database, ROLE))
    path.write_text(f'{text}\n[fleet]\ndatabase = "{fleet.database}"\n', "utf-8")


def restore(server: PostgresServer, url: str, backup: Path) -> None:
    """Put a backup in the place of a database."""
    name = urlsplit(url).path[1:]
    with psycopg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres"))) as home:
        home.autocommit = True
        home.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        home.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    run(server, "pg_restore", "--exit-on-error", f"--dbname={url}", str(backup))


def run(server: PostgresServer, *command: str) -> None:
    """Run a tool of PostgreSQL."""
    tool, *arguments = command
    subprocess.run([server.tools / tool, *arguments], check=True, capture_output=True)  # noqa: S603
