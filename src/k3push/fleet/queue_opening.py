"""Opening the queue: sessions, tables of the engine's and ours, and the engine over both."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from psycopg import AsyncConnection

from k3push.adapters.ledger.postgres.database import Server
from k3push.adapters.ledger.sql_files import sql_file
from k3push.core.remark import remark
from k3push.fleet.patient_engine import PatientManager
from k3push.fleet.queue import Queue
from k3push.fleet.queue_database import PACKAGE, SCHEMA, lost, session_of, verbs
from k3push.fleet.session_pool import session_pool
from k3push.ports import NoLedgerError
from k3push.wiring.open_ledger import beginning

POOL_PATIENCE_S = 5.0

# What they would say of lost connections, our errors say.
for _logger in ("psycopg", "procrastinate"):
    logging.getLogger(_logger).addHandler(logging.NullHandler())

VERSION = 6
"""Of our tables: as many steps as there are in `sql/`."""


@asynccontextmanager
async def open_queue(
    server: Server, *, create: bool, most: int = 2, name: str = "k3push", most_long: int = 1
) -> AsyncIterator[Queue]:
    """Open the fleet's database.

    Args:
        server: Where it is.
        create: Make it, where there is none.
        most: Sessions at once.
        name: What they are called.
        most_long: Long runs that its engine executes at once.

    Raises:
        NoLedgerError: It has no fleet, and none is to be made.
        LedgerLostError: It cannot be reached.
    """
    connector = PsycopgConnector(
        pool_factory=session_pool,
        conninfo=server.conninfo,
        # Each statement stands alone: with BEGIN and COMMIT it would travel three times.
        kwargs=session_of(server) | {"application_name": name, "autocommit": True},
        min_size=1,
        max_size=most,
        timeout=POOL_PATIENCE_S,
    )
    app = App(connector=connector)
    app.job_manager = manager = PatientManager(connector, most_long)
    with beginning(), lost(server):
        await _prepare(server, app, create=create)
        await app.open_async()
    try:
        yield Queue(app, server, manager)
    finally:
        with suppress(ConnectorException):
            await app.close_async()


async def _prepare(server: Server, app: App, *, create: bool) -> None:
    """Make the engine's tables and ours, once."""
    statements = verbs()
    async with (
        await AsyncConnection.connect(
            server.conninfo, autocommit=True, **session_of(server)
        ) as session,
        session.transaction(),
    ):
        await session.execute(statements["one_at_a_time"])
        version = await _one(session, statements["version"])
        if version == 0:
            if not create:
                why = remark("ledger.no_fleet")
                raise NoLedgerError(remark("ledger.lost", place=server.place, why=why))
            await session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            await session.execute(app.schema_manager.get_schema())
        elif version > 1:
            version = await _one(session, statements["version_noted"])
            if not version:
                why = remark("ledger.not_whole")
                raise NoLedgerError(remark("ledger.lost", place=server.place, why=why))
        # Each step only adds, so that workers of an older version go on beside this one.
        for step in range(version + 1, VERSION + 1):
            await session.execute(sql_file(PACKAGE, f"{step}.sql"))


async def _one(session: AsyncConnection, statement: str) -> int:
    row = await (await session.execute(statement)).fetchone()
    return int(row[0]) if row else 0
