"""Bringing the schema of a file up to date, and refusing a file or a disk that is unfit."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from k3push.adapters.ledger.sqlite.connections import Connection, lost_as_ledger, of_file
from k3push.core.remark import remark
from k3push.ports import LedgerLostError, NoLedgerError

VERSION = 15
"""The newest schema that this code knows: there is an `sql/N.sql` for every version N."""

APPLICATION_ID = 0x4B335055
"""What `PRAGMA application_id` says of a file that is a ledger: "K3PU"."""

# What `sql/open.sql` asks for. A disk that cannot share memory (most network disks) stays at
# another journal mode without saying so.
DURABLE = ("wal", 2)


def bring_up_to_date(path: Path, writer: Connection) -> None:
    """Bring the schema up to date.

    Raises:
        NoLedgerError: The file is another program's, or newer than this code.
        LedgerLostError: The disk may lose what it said it has.
    """
    version = _version_in(path, writer)
    if version > VERSION:
        why = remark("ledger.newer", version=version, known=VERSION)
        raise NoLedgerError(of_file(path, why))
    writer.script("open.sql")
    if writer.all("durability") != [DURABLE]:
        raise LedgerLostError(of_file(path, remark("ledger.unsafe_disk")))
    for next_version in range(version + 1, VERSION + 1):
        writer.script(f"{next_version}.sql")


def version_of(path: Path) -> int:
    """Return the version of the schema in a file; 0 if there is no file, or nothing in it.

    Raises:
        NoLedgerError: The file is another program's.
        LedgerLostError: It cannot be read.
    """
    if not path.exists():
        return 0
    with lost_as_ledger(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        connection = Connection(path, "ro")
        try:
            return _version_in(path, connection)
        finally:
            connection.close()


def _version_in(path: Path, connection: Connection) -> int:
    ((application,),) = connection.all("application_id")
    ((version,),) = connection.all("user_version")
    ((tables,),) = connection.all("count_tables")
    if tables and application != APPLICATION_ID:
        raise NoLedgerError(of_file(path, remark("ledger.other_program")))
    return int(version)
