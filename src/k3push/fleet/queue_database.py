"""The fleet's database: its sessions, the statements of `sql/verbs.sql`, and what its loss is.

The engine is none of it: a worker's sign of life goes on while the engine waits, and what a dead
worker holds is taken away without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import psycopg
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection

from k3push.adapters.ledger.postgres.database import WRITTEN, Server, as_psycopg
from k3push.adapters.ledger.sql_files import sql_file, statements_in
from k3push.core.remark import remark
from k3push.ports import LedgerLostError

PACKAGE = "k3push.fleet"
SCHEMA = "k3push_fleet"

# Thousands of jobs come within a minute, before anybody has counted them: a plan that was made for
# a few must not go on, and what is wanted first is found by an index, not by sorting all.
_OPTIONS = {
    **WRITTEN,
    "search_path": SCHEMA,
    # Whatever the database's default: a run whose end cannot be written would begin again.
    "default_transaction_isolation": r"read\ committed",
    "lock_timeout": "30s",
    "statement_timeout": "30s",
    # A sign of life comes every two seconds, and a session waits for it.
    "idle_session_timeout": "0",
    "plan_cache_mode": "force_custom_plan",
    "enable_sort": "off",
}

_SESSION: dict[str, Any] = {
    "connect_timeout": 5,
    # A server that is cut off says nothing, so the system is told to give up by itself.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def session_of(server: Server) -> dict[str, Any]:
    """Return what a session of the queue is opened with, besides what the URL names."""
    told = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
    return _SESSION | {"options": f"{server.options} {told}".strip()}


async def end_sessions(server: Server, worker: str) -> None:
    """End all sessions of a worker in a database, so that what it holds there is free.

    A worker that is only paused finds its sessions gone when it wakes, and sends nothing.
    """
    statement = verbs()["end_sessions"]
    with lost(server):
        async with await AsyncConnection.connect(
            server.conninfo, autocommit=True, **session_of(server)
        ) as session:
            await session.execute(statement, {"worker": worker})


@contextmanager
def lost(server: Server) -> Iterator[None]:
    """Turn what the engine and PostgreSQL say into `LedgerLostError`."""
    try:
        yield
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.Error):
            raise server.lost(error.__cause__) from error
        raise LedgerLostError(remark("ledger.lost", place=server.place, why=str(error))) from error
    except psycopg.Error as error:
        raise server.lost(error) from error


@lru_cache(maxsize=4)
def array_of(names: tuple[str, ...]) -> str:
    r"""Return names as PostgreSQL writes an array.

    Every second a worker asks what there is for its tenants, who are thousands and the same ones
    as before. Made anew each time, their list costs more than all else that an idle worker does.

    >>> print(array_of(("acme", 'a"b', "c\\d", "")))
    {"acme","a\"b","c\\d",""}
    """
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"


@cache
def verbs() -> Mapping[str, str]:
    """Return the statements of `sql/verbs.sql`, by name, as psycopg wants them."""
    written = statements_in(sql_file(PACKAGE, "verbs.sql"))
    return {name: as_psycopg(text) for name, text in written.items()}
