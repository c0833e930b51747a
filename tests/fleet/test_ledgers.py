"""The databases that a worker has open: bounded, waited for in turn, and closed when idle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import anyio
import psycopg
import pytest

from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.adapters.ledger.postgres import open_postgres
from k3push.adapters.ledger.postgres.database import Server
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.worker_ledgers import Ledgers
from k3push.ports import LedgerLostError
from tests.fleet.crew import until

pytestmark = pytest.mark.anyio

DATABASES = 6
NAME = "k3push-w1"


async def no_password() -> str:
    """Return none."""
    return ""


@pytest.fixture
def urls(postgres_url: str) -> Iterator[list[str]]:
    """Make databases of their own for several tenants, on one server."""
    names = [f"k3push_test_{uuid4().hex}" for _ in range(DATABASES)]
    with psycopg.connect(postgres_url, autocommit=True) as home:
        for name in names:
            home.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield [urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}")) for name in names]
        for name in names:
            home.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def sessions(url: str) -> int:
    """Count the sessions of the worker on the server."""
    with psycopg.connect(url, autocommit=True) as home:
        found = home.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (NAME,)
        ).fetchone()
    assert found is not None
    return int(found[0])


async def test_the_queue_reads_times_however_the_database_writes_them(postgres_url: str) -> None:
    """An administrator may have chosen that; workers ended at once."""
    with psycopg.connect(postgres_url, autocommit=True) as home:
        database = home.info.dbname
        home.execute(f"ALTER DATABASE {database} SET datestyle = 'SQL, DMY'".encode())
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        assert abs(datetime.now(UTC) - await queue.now()) < timedelta(hours=1)


async def test_a_session_of_the_queue_may_rest_whatever_the_database_says(
    postgres_url: str,
) -> None:
    """A worker that drained could not write down what it had done."""
    with psycopg.connect(postgres_url, autocommit=True) as home:
        home.execute(f"ALTER DATABASE {home.info.dbname} SET idle_session_timeout = 50".encode())
    async with open_queue(Server.of(postgres_url), create=True) as queue:
        assert await queue.app.connector.execute_query_all_async("SHOW idle_session_timeout") == [
            {"idle_session_timeout": "0"}
        ]


async def test_the_queue_is_opened_with_what_its_url_tells_each_session(postgres_url: str) -> None:
    """A role that owns the tables, say, or what a hosted server knows its databases by."""
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-c%20work_mem%3D5MB"
    async with open_queue(Server.of(url), create=True) as queue:
        assert await queue.app.connector.execute_query_all_async("SHOW work_mem") == [
            {"work_mem": "5MB"}
        ]


async def test_tenants_with_databases_of_their_own_wait_their_turn(
    postgres_url: str, urls: list[str]
) -> None:
    """130 of them had used up a server of 100 connections, for all."""
    ledgers = Ledgers(NAME, most_of_server=2)
    most = 0
    done = 0

    async def use(url: str) -> None:
        nonlocal most, done
        async with ledgers.of(url, "a", no_password) as ledger:
            assert await ledger.runs() == []
            most = max(most, len(ledgers._open))
            await anyio.sleep(0.05)
        done += 1

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for url in [*urls, *urls]:
                tasks.start_soon(use, url)
    assert (most, done) == (2, 2 * DATABASES)
    await ledgers.close()
    await until(lambda: sessions(postgres_url) == 0)


async def test_tenants_of_one_database_share_it_and_what_is_idle_is_closed(
    postgres_url: str, urls: list[str]
) -> None:
    """A server that all share has room for the others."""
    ledgers = Ledgers(NAME, most_of_server=1, idle_s=0.0)
    async with (
        ledgers.of(urls[0], "a", no_password) as one,
        ledgers.of(urls[0], "b", no_password) as other,
    ):
        assert await one.runs() == await other.runs() == []
        await ledgers.close_idle()
        assert await one.runs() == []
    await ledgers.close_idle()
    await until(lambda: sessions(postgres_url) == 0)


async def test_a_database_that_cannot_be_opened_takes_no_place(urls: list[str]) -> None:
    """The next one waits for nobody."""
    ledgers = Ledgers(NAME, most_of_server=1)
    with pytest.raises(LedgerLostError):
        async with ledgers.of(urls[0] + "_gone", "a", no_password):
            pass
    with anyio.fail_after(20):
        async with ledgers.of(urls[0], "a", no_password):
            pass
    await ledgers.close()


async def test_a_database_that_does_not_answer_holds_up_no_other(urls: list[str]) -> None:
    """Neither one that is open, nor one that comes after it."""
    ledgers = Ledgers(NAME)
    hangs = anyio.Event()

    async def never() -> str:
        hangs.set()
        await anyio.sleep_forever()
        return ""

    async def use_hanging() -> None:
        async with ledgers.of(urls[0], "a", never):
            pass

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            async with ledgers.of(urls[1], "a", no_password):
                tasks.start_soon(use_hanging)
                await hangs.wait()
            async with ledgers.of(urls[2], "a", no_password) as ledger:
                assert await ledger.runs() == []
            tasks.cancel_scope.cancel()
        async with ledgers.of(urls[0], "a", no_password) as ledger:
            assert await ledger.runs() == []
    await ledgers.close()


async def test_databases_of_one_server_share_a_bound_in_a_dashboard(
    postgres_url: str, urls: list[str]
) -> None:
    """It asks all of them at once, and one that is not used makes room for the next."""
    places = ConnectionPlaces(2)
    asked = 0
    again = anyio.Event()

    async def ask(url: str) -> None:
        nonlocal asked
        named = f"{url}{'&' if '?' in url else '?'}application_name={NAME}"
        async with open_postgres(named, account="a", places=places) as ledger:
            assert await ledger.runs() == []
            asked += 1
            await again.wait()
            assert await ledger.runs() == []

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(ask, url)
            # A server notices the end of a connection only after a moment.
            await until(lambda: asked == DATABASES and sessions(postgres_url) == 2)
            again.set()
    await until(lambda: sessions(postgres_url) == 0)


async def test_a_ledger_that_nobody_asks_holds_no_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dashboard keeps the ledgers of all tenants that somebody has looked at."""
    monkeypatch.setattr("k3push.adapters.ledger.postgres.transactions.IDLE_S", 1.5)
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}application_name={NAME}"
    async with open_postgres(url, account="a") as ledger:
        assert await ledger.runs() == []
        # A server notices the end of a connection only after a moment.
        await until(lambda: sessions(postgres_url) == 1)
        with anyio.fail_after(20):
            while sessions(postgres_url):  # noqa: ASYNC110  # a server tells nobody
                await anyio.sleep(0.1)
        assert await ledger.runs() == []
