"""The ledger as a table: the columns, and the files that hold them."""

from __future__ import annotations

import csv
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.to_thread
import orjson

from k3push.core.cells import marked
from k3push.core.model import Row, Run, State
from k3push.ports import Ledger

COLUMNS = (
    "line",
    "number",
    "state",
    "targets",
    "target_ids",
    "code",
    "reason",
    "attempts",
    "chunk",
    "run",
    "route",
    "sent_at",
    "settled_at",
)

PAGE_ROWS = 5000


def record_of(row: Row, run: Run) -> dict[str, Any]:
    """Return one row of the export, by column."""
    return {
        "line": row.line,
        "number": row.number,
        "state": row.state.value,
        "targets": ";".join(target.number for target in row.targets),
        "target_ids": ";".join(target.id for target in row.targets),
        "code": row.code,
        "reason": row.reason,
        "attempts": row.attempts,
        "chunk": row.chunk or None,
        "run": run.id,
        "route": run.route.name,
        "sent_at": local(row.sent_at),
        "settled_at": local(row.settled_at),
    }


async def pages_of(
    ledger: Ledger, run: Run, states: Collection[State] = ()
) -> AsyncIterator[list[Row]]:
    """Yield the rows of a run in the order of the job file, a page at a time."""
    place = 0
    while rows := await ledger.rows(run.id, states=states, after=place, limit=PAGE_ROWS):
        place = rows[-1].place
        yield list(rows)


async def write_csv(ledger: Ledger, run: Run, path: Path, states: Collection[State] = ()) -> int:
    """Write the rows of a run as CSV, UTF-8 with BOM for Excel, readable by its owner only.

    Returns:
        How many rows it has.
    """
    return await _write(
        ledger, run, path, states, encoding="utf-8-sig", put=_put_csv, heading=",".join(COLUMNS)
    )


async def write_jsonl(ledger: Ledger, run: Run, path: Path, states: Collection[State] = ()) -> int:
    """Write the rows of a run as one JSON object a line; returns how many there are."""
    return await _write(ledger, run, path, states, encoding="utf-8", put=_put_jsonl)


def opened_for_owner(path: Path, encoding: str = "utf-8") -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding=encoding, newline="", opener=owner_only)


Put = Callable[[IO[str], Iterable[dict[str, Any]]], None]


async def _write(
    ledger: Ledger,
    run: Run,
    path: Path,
    states: Collection[State],
    *,
    encoding: str,
    put: Put,
    heading: str = "",
) -> int:
    # A disk that fills up leaves the file of an earlier execution whole.
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with await anyio.to_thread.run_sync(opened_for_owner, part, encoding) as file:
            if heading:
                file.write(f"{heading}\r\n")
            async for rows in pages_of(ledger, run, states):
                count += len(rows)
                await anyio.to_thread.run_sync(put, file, [record_of(row, run) for row in rows])
        await anyio.Path(part).replace(path)
    except OSError:
        await anyio.Path(part).unlink(missing_ok=True)
        raise
    return count


def _put_csv(file: IO[str], records: Iterable[dict[str, Any]]) -> None:
    csv.writer(file).writerows(
        [marked(value) if isinstance(value := record[column], str) else value for column in COLUMNS]
        for record in records
    )


def _put_jsonl(file: IO[str], records: Iterable[dict[str, Any]]) -> None:
    file.writelines(orjson.dumps(record).decode() + "\n" for record in records)


def local(moment: datetime | None) -> str | None:
    """Return a time as the ledger's exports write it: ISO 8601 with offset."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else None
