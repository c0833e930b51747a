"""A ledger in PostgreSQL that was put back, copied or taken over by a standby."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import anyio
import psycopg
import pytest
from anyio import to_thread

from k3push.adapters.ledger.maintenance.copy import copy
from k3push.adapters.ledger.maintenance.postgres_tables import books_in_postgres
from k3push.adapters.ledger.maintenance.sqlite_tables import books_in_sqlite
from k3push.adapters.ledger.postgres import migrate, open_postgres
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import State
from k3push.ports import LedgerLostError
from tests.adapters.ledger.samples import (
    ACCOUNT,
    ANSWER,
    later,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.postgres import PostgresServer
from tests.said import refused

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Psycopg works on asyncio."""
    return "asyncio"


def beside(url: str) -> str:
    """Return the URL of another database of the same server."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path}_beside"))


def tell(url: str, statement: str) -> None:
    """Execute a statement outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def dumped(server: PostgresServer, url: str, *options: str) -> bytes:
    """Dump the ledger, or a part of it."""
    return subprocess.run(  # noqa: S603
        [server.tools / "pg_dump", "--schema=k3push", *options, url],
        check=True,
        capture_output=True,
    ).stdout


def restore(server: PostgresServer, url: str, dump: bytes) -> None:
    """Put back what was dumped."""
    subprocess.run(  # noqa: S603
        [server.tools / "psql", "-q", "-v", "ON_ERROR_STOP=1", url],
        input=dump,
        check=True,
        capture_output=True,
    )


def put_back(server: PostgresServer, url: str) -> str:
    """Dump the ledger, drop it, and restore it in its place."""
    dump = dumped(server, url)
    tell(url, "DROP SCHEMA k3push CASCADE")
    restore(server, url, dump)
    return url


def rows_put_back(server: PostgresServer, url: str) -> str:
    """Dump the rows, empty the tables, and put the rows back into them."""
    dump = dumped(server, url, "--data-only", "--disable-triggers")
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'k3push'"
        ).fetchall()
    tell(url, f"TRUNCATE {', '.join(f'k3push.{name}' for (name,) in tables)}")
    restore(server, url, dump)
    return url


def copied_as_a_database(server: PostgresServer, url: str) -> str:
    """Copy the whole database, as people do before they try something."""
    names = [urlsplit(each).path[1:] for each in (url, beside(url))]
    tell(server.url, f'CREATE DATABASE "{names[1]}" TEMPLATE "{names[0]}"')
    return beside(url)


# A server is read before its recovery ends, and `pg_ctl` waits for no more.
UNTIL_RECOVERED = """
DO $$ BEGIN
    WHILE pg_is_in_recovery() LOOP PERFORM pg_sleep(0.01); END LOOP;
END $$
"""


def recovered(server: PostgresServer, url: str) -> str:
    """Recover the cluster, as to a moment, or as a standby that takes over."""
    folder = server.data
    tell(url, "ALTER SYSTEM SET restore_command = 'false'")
    server.stop()
    (folder / "recovery.signal").touch()
    server.start()
    tell(url, UNTIL_RECOVERED)
    tell(url, "ALTER SYSTEM RESET restore_command")
    return url


@pytest.mark.parametrize("move", [put_back, rows_put_back, copied_as_a_database, recovered])
async def test_a_ledger_in_another_place_waits_once_for_calls_that_it_may_not_know(
    postgres_server: PostgresServer,
    postgres_url: str,
    move: Callable[[PostgresServer, str], str],
) -> None:
    """Those that left after the backup was made may be carried out yet."""
    await migrate(postgres_url, create=True)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        await pushed(ledger, await planned(ledger, "A"), "A")
        assert await ledger.moved_at(later(1)) is None
    url = await to_thread.run_sync(move, postgres_server, postgres_url)
    for at in (3, 4):
        async with open_postgres(url, account=ACCOUNT) as ledger:
            moved_at = await ledger.moved_at(later(at))
            assert moved_at is not None
            assert later(at) - timedelta(minutes=2) < moved_at <= later(at)


async def test_who_comes_while_a_dump_is_put_back_writes_nothing_down(postgres_url: str) -> None:
    """Two of them wrote one place twice: its key was never made, and no run could begin again."""
    await migrate(postgres_url, create=True)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        tell(postgres_url, "DELETE FROM k3push.places")
        tell(postgres_url, "ALTER TABLE k3push.places DROP CONSTRAINT places_pkey")
        for _ in range(2):
            with refused(LedgerLostError, "places_pkey"):
                async with ledger.own(run):
                    pass
            with refused(LedgerLostError, "places_pkey"):
                await ledger.moved_at(later(1))
        tell(postgres_url, "ALTER TABLE k3push.places ADD PRIMARY KEY (place)")
        # The server notices the end of a session, and frees its lock, only after a moment.
        with anyio.fail_after(20):
            while await ledger.is_alive(run):  # noqa: ASYNC110  # a server tells nobody
                await anyio.sleep(0.05)
        async with ledger.own(run):
            assert await ledger.moved_at(later(1)) is None


async def test_a_ledger_of_an_older_version_is_where_it_was(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place was told without the file of its table, and no run has to wait for that."""
    schema = "k3push.adapters.ledger.postgres.schema"
    with monkeypatch.context() as older:
        older.setattr(f"{schema}.VERSION", 13)
        await migrate(postgres_url, create=True)
        async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
            assert await ledger.moved_at(later(1)) is None
    await migrate(postgres_url, create=False)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(2)) is None
    tell(postgres_url, "VACUUM FULL k3push.rows")
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(3)) is not None


async def test_a_restart_of_the_server_is_no_move(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """What was committed is there after it, so that nothing is waited for."""
    await migrate(postgres_url, create=True)
    for _ in range(2):
        async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
            assert await ledger.moved_at(later(1)) is None
        await to_thread.run_sync(postgres_server.restart)


async def test_what_ledger_copy_has_made_waits_as_any_other_copy_does(
    tmp_path: Path, postgres_url: str
) -> None:
    """It may be of a ledger that was put back, or go on while its source does."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        await pushed(ledger, await planned(ledger, "A"), "A")
    await migrate(postgres_url, create=True)
    async with books_in_sqlite(path) as source, books_in_postgres(postgres_url) as target:
        await copy(source, target)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(1)) is not None


@pytest.mark.parametrize("move", [put_back, recovered])
async def test_no_run_goes_on_in_another_place_than_where_it_was_begun(
    postgres_server: PostgresServer,
    postgres_url: str,
    move: Callable[[PostgresServer, str], str],
) -> None:
    """A standby may be behind, as a backup is: it gives bills out that another run is at."""
    await migrate(postgres_url, create=True)
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        runs = [await planned(ledger, text, name) for text, name in (("A", "r1"), ("B", "r2"))]
        async with ledger.own(runs[0]), other.own(runs[1]):
            attempt = await sent(ledger, runs[0], "A")
            await to_thread.run_sync(move, postgres_server, postgres_url)
            with refused(LedgerLostError, "resume the run"):
                await other.claim(runs[1], numbers("B"))
            with refused(LedgerLostError, "resume the run"):
                await ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
        async with ledger.own(runs[0]):
            assert await states(ledger, runs[0]) == {"A": State.UNKNOWN}
            assert await ledger.moved_at(later(2)) is not None


async def test_a_run_that_a_backup_does_not_know_is_no_defect(postgres_url: str) -> None:
    """It was begun after the backup was made."""
    await migrate(postgres_url, create=True)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with ledger.own(run):
            await to_thread.run_sync(tell, postgres_url, "TRUNCATE k3push.runs CASCADE")
            with refused(LedgerLostError, "resume the run"):
                await ledger.claim(run, numbers("A"))
