"""What every SQL ledger remembers of people and programs outside of runs."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.adapters.ledger import codec, records
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection
from k3push.ports import Memo


async def remember(connection: StepConnection, memo: Memo) -> Memo:
    """Write a memo down unless it is there; return the one that is."""
    await connection.do("insert_memo", at=codec.write_time(memo.at), **records.write_memo(memo))
    found = await connection.one("select_memo", kind=memo.kind, id=memo.id)
    return records.read_memo(found) if found else memo


async def revise(connection: StepConnection, memo: Memo) -> bool:
    """Put a memo in the place of its own version."""
    written = records.write_memo(memo)
    return await connection.changed("revise_memo", version=memo.version, **written) == 1


async def memo(connection: StepConnection, kind: str, id_: str) -> Memo | None:
    """Return one memo."""
    found = await connection.one("select_memo", kind=kind, id=id_)
    return records.read_memo(found) if found else None


async def memos(
    connection: StepConnection,
    kind: str,
    *,
    about: str = "",
    only_open: bool = False,
    limit: int = 1000,
) -> Sequence[Memo]:
    """Return memos of a kind, the newest first."""
    if about:
        least = int(only_open)
        found = await connection.all(
            "memos_about", kind=kind, about=about, least=least, limit=limit
        )
    else:
        query = "open_memos" if only_open else "select_memos"
        found = await connection.all(query, kind=kind, limit=limit)
    return [records.read_memo(each) for each in found]
