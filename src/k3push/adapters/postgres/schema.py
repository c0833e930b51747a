"""Bringing the schema of a database up to date, and refusing a server that may forget."""

from __future__ import annotations

from k3push.adapters.postgres.server import SCHEMA, Connection, Server
from k3push.ports import LedgerLostError

VERSION = 2
"""The newest schema that this code knows: there is an `sql/N.sql` for every version N."""

OLDEST_SERVER = 13

SURE = {"on", "remote_apply"}
"""Values of `synchronous_commit` with which a commit is on disk, a standby's too, if asked for."""


async def bring_up_to_date(server: Server, connection: Connection, *, create: bool) -> int:
    """Bring the schema up to date, and return the version that was there; 0 if none was.

    Raises:
        LedgerLostError: There is no ledger and *create* is false, or none that this version can
            use, or the server may lose what it said it has.
    """
    await _check_server(server, connection)
    # Not `Connection.transaction`: a script is no single statement, as a pipeline needs it.
    async with connection.raw.transaction():
        # Of many who open a new database at once, one makes the schema.
        await connection.do("lock_schema")
        version = await schema_version(server, connection)
        if not version and not create:
            raise LedgerLostError(f"{server.place}: there is no ledger yet; `k3push run` makes one")
        for following in range(version + 1, VERSION + 1):
            await connection.script(f"{following}.sql")
        await connection.do("forget_signatures")
    return version


async def schema_version(server: Server, connection: Connection) -> int:
    """Return the version of the schema that is there; 0 if there is none."""
    ((there, ours),) = await connection.all("schema_there")
    if not there:
        return 0
    if not ours:
        raise LedgerLostError(
            f"{server.place}: its schema {SCHEMA} belongs to another program; name another"
            " database under [ledger] url"
        )
    ((version,),) = await connection.all("schema_version")
    if version > VERSION:
        raise LedgerLostError(
            f"{server.place}: written by a newer k3push (ledger version {version}, this one knows"
            f" {VERSION}). Install the newer k3push."
        )
    return int(version)


async def _check_server(server: Server, connection: Connection) -> None:
    ((commit, fsync, encoding, standby),) = await connection.all("durability")
    wrong = ""
    if connection.raw.info.server_version < OLDEST_SERVER * 10_000:
        wrong = f"PostgreSQL {OLDEST_SERVER} or later is needed"
    elif standby:
        wrong = "this is a standby; name the primary under [ledger] url"
    elif commit not in SURE:
        wrong = (
            f"synchronous_commit is {commit}, so a commit may be lost; set it to on"
            " (ALTER ROLE … SET synchronous_commit = on)"
        )
    elif fsync != "on":
        wrong = "fsync is off, so a power loss may lose the ledger; set it to on"
    elif encoding != "UTF8":
        wrong = f"the database's encoding is {encoding}; make one with ENCODING 'UTF8'"
    if wrong:
        raise LedgerLostError(f"{server.place}: {wrong}")
