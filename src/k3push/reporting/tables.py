"""The ledger as a table: its columns, and files of CSV and JSONL that hold them."""

from __future__ import annotations

import csv
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
    """Write the rows of a run as CSV; returns how many there are."""
    return await write_table(ledger, run, path, csv_table, states)


Record = Mapping[str, Any]
Put = Callable[[Sequence[Record]], None]
"""Puts rows at the end of a table."""

Form = Callable[[Path, Sequence[State]], AbstractContextManager[Put]]
"""Begins a table in an empty file, for rows in the given states; it is whole when the block ends.

Everything in it blocks, and runs in worker threads.
"""


async def write_table(
    ledger: Ledger, run: Run, path: Path, form: Form, states: Collection[State] = ()
) -> int:
    """Write the rows of a run, in any of *states* (all if empty), to a file for its owner only.

    Returns:
        How many rows it has.

    Raises:
        OSError: The disk refused; an earlier file of that name is as it was.
    """
    counts = await ledger.counts(run.id)
    present = [state for state in State if counts.get(state) and (not states or state in states)]
    # What is interrupted, or fills the disk, leaves no half file under the name that was asked for.
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with ExitStack() as opened:
            await anyio.to_thread.run_sync(_begin_for_owner, part)
            put = await anyio.to_thread.run_sync(opened.enter_context, form(part, present))
            async for rows in pages_of(ledger, run, states):
                count += len(rows)
                await anyio.to_thread.run_sync(put, [record_of(row, run) for row in rows])
            await anyio.to_thread.run_sync(opened.close)
        await anyio.Path(part).replace(path)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(part).unlink(missing_ok=True)
    return count


@contextmanager
def csv_table(path: Path, _: Sequence[State]) -> Iterator[Put]:
    """Write CSV, UTF-8 with BOM for Excel."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)

        def put(records: Sequence[Record]) -> None:
            table.writerows([_cell(record[column]) for column in COLUMNS] for record in records)

        yield put


@contextmanager
def jsonl_table(path: Path, _: Sequence[State]) -> Iterator[Put]:
    """Write one JSON object a line."""
    with path.open("wb") as file:
        yield lambda records: file.writelines(
            orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records
        )


def opened_for_owner(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=owner_only)


def _begin_for_owner(path: Path) -> None:
    with opened_for_owner(path):
        pass


def _cell(value: object) -> object:
    return marked(value) if isinstance(value, str) else value


def local(moment: datetime | None) -> str | None:
    """Return a time as the ledger's exports write it: ISO 8601 with offset."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else None
