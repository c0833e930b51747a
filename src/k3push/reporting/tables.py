"""The ledger as a table: its columns, and files of CSV and JSONL that hold them."""

from __future__ import annotations

import csv
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

import anyio
import anyio.to_thread
import orjson

from k3push.core.cells import marked
from k3push.core.model import Row, Run, State
from k3push.ports import Ledger


class Record(NamedTuple):
    """A row of the export; its fields are the columns of every format, in their order."""

    line: int
    number: str
    state: str
    targets: str
    target_ids: str
    code: str
    reason: str
    attempts: int
    chunk: int | None
    run: str
    route: str
    sent_at: str | None
    settled_at: str | None


COLUMNS = Record._fields

PAGE_ROWS = 2000


def records_of(rows: Iterable[Row], run: Run) -> list[Record]:
    """Return rows of a run as rows of the export."""
    at = cache(local)  # the numbers of a chunk share their times
    return [
        Record(
            row.line,
            row.number,
            row.state.value,
            ";".join([target.number for target in row.targets]),
            ";".join([target.id for target in row.targets]),
            row.code,
            row.reason,
            row.attempts,
            row.chunk or None,
            run.id,
            run.route.name,
            at(row.sent_at),
            at(row.settled_at),
        )
        for row in rows
    ]


async def pages_of(
    ledger: Ledger, run: Run, states: Collection[State] = ()
) -> AsyncIterator[list[Row]]:
    """Yield the rows of a run in the order of the job file, a page at a time."""
    place = 0
    while rows := await ledger.rows(run.id, states=states, after=place, limit=PAGE_ROWS):
        place = rows[-1].place
        yield list(rows)


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
    count = 0
    async with new_table(path, form, present) as put:

        def put_rows(rows: Sequence[Row]) -> None:
            put(records_of(rows, run))

        async for rows in pages_of(ledger, run, states):
            count += len(rows)
            await anyio.to_thread.run_sync(put_rows, rows)
    return count


@asynccontextmanager
async def new_table(path: Path, form: Form, states: Sequence[State] = ()) -> AsyncIterator[Put]:
    """Begin a table in a file for its owner only; it has its name when the block has ended.

    What is interrupted, or fills the disk, leaves no half file under that name.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with ExitStack() as opened:
            await anyio.to_thread.run_sync(_begin_for_owner, part)
            yield await anyio.to_thread.run_sync(opened.enter_context, form(part, states))
            await anyio.to_thread.run_sync(opened.close)
        await anyio.Path(part).replace(path)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(part).unlink(missing_ok=True)


@contextmanager
def csv_table(path: Path, _: Sequence[State]) -> Iterator[Put]:
    """Write CSV, UTF-8 with BOM for Excel."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        yield lambda records: table.writerows(map(_cells, records))


@contextmanager
def jsonl_table(path: Path, _: Sequence[State]) -> Iterator[Put]:
    """Write one JSON object a line."""
    with path.open("wb") as file:
        yield lambda records: file.writelines(
            orjson.dumps(record._asdict(), option=orjson.OPT_APPEND_NEWLINE) for record in records
        )


def opened_for_owner(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=owner_only)


def _begin_for_owner(path: Path) -> None:
    with opened_for_owner(path):
        pass


def _cells(record: Record) -> tuple[object, ...]:
    """Return the cells of a row; of those that are texts of others, none starts a formula."""
    line, number, state, targets, ids, code, reason, attempts, chunk, run, route, *times = record
    return (
        line,
        marked(number),
        state,
        marked(targets),
        marked(ids),
        marked(code),
        marked(reason),
        attempts,
        chunk,
        run,
        marked(route),
        *times,
    )


def local(moment: datetime | None) -> str | None:
    """Return a time as the ledger's exports write it: ISO 8601 with offset."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else None
