"""Bringing the schema of a database up to date, and refusing a server that may forget."""

from __future__ import annotations

from psycopg.errors import InsufficientPrivilege

from k3push.adapters.ledger.postgres.database import SCHEMA, SESSION, Connection, Server
from k3push.core.remark import remark
from k3push.ports import NoLedgerError

VERSION = 14
"""The newest schema that this code knows: there is an `sql/N.sql` for every version N."""

OLDEST_SERVER = 14

SURE = {"on", "remote_apply"}
"""Values of `synchronous_commit` with which a commit is on disk, a standby's too, if asked for."""


async def bring_up_to_date(server: Server, connection: Connection, *, create: bool) -> int:
    """Bring the schema up to date, and return the version that was there; 0 if none was.

    Raises:
        NoLedgerError: There is no ledger and *create* is false, or none that this version can
            use, or the server may lose what it said it has.
    """
    await check_server(server, connection)
    # Not `Connection.transaction`: a script is no single statement, as a pipeline needs it.
    async with connection.raw.transaction():
        # Of many who open a new database at once, one makes the schema.
        await connection.do("lock_schema")
        version = await schema_version(server, connection)
        if not version and not create:
            raise NoLedgerError(_lost(server, remark("ledger.none")))
        try:
            for following in range(version + 1, VERSION + 1):
                await connection.script(f"{following}.sql")
        except InsufficientPrivilege as said:
            if not version:
                raise
            why = remark("ledger.not_owner", version=version, known=VERSION)
            raise NoLedgerError(_lost(server, why)) from said
        if create:  # else it may be that nothing can be written for a while
            await connection.do("forget_signatures")
    return version


async def schema_version(server: Server, connection: Connection) -> int:
    """Return the version of the schema that is there; 0 if there is none."""
    ((there, ours),) = await connection.all("schema_there")
    if not there:
        return 0
    if not ours:
        raise NoLedgerError(_lost(server, remark("ledger.other_schema", schema=SCHEMA)))
    if not (found := await connection.all("schema_version")):
        raise NoLedgerError(_lost(server, remark("ledger.not_whole")))
    ((version,),) = found
    if version > VERSION:
        why = remark("ledger.newer", version=version, known=VERSION)
        raise NoLedgerError(_lost(server, why))
    return int(version)


async def check_server(server: Server, connection: Connection) -> None:
    """Raise `NoLedgerError` where a server may lose what it said it has."""
    ((commit, fsync, encoding, standby, patience),) = await connection.all("durability")
    wrong = ""
    if connection.raw.info.server_version < OLDEST_SERVER * 10_000:
        wrong = remark("ledger.old_server", oldest=OLDEST_SERVER)
    elif standby:
        wrong = remark("ledger.standby")
    elif commit not in SURE:
        wrong = remark("ledger.unsure_commit", value=commit)
    elif fsync != "on":
        wrong = remark("ledger.no_fsync")
    elif patience != SESSION["idle_in_transaction_session_timeout"]:
        wrong = remark("ledger.pooler")  # nor would it keep the locks of runs
    elif encoding != "UTF8":
        wrong = remark("ledger.encoding", encoding=encoding)
    if wrong:
        raise NoLedgerError(_lost(server, wrong))


def _lost(server: Server, why: str) -> str:
    return remark("ledger.lost", place=server.place, why=why)
