"""The ledger as a table: its columns, and files of CSV and JSONL that hold them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio
import anyio.to_thread
import orjson

from k3push.adapters.output_files import named, whole_file
from k3push.core.cells import marked
from k3push.core.model import Run, State
from k3push.ports import Ledger
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, followed_pages_of
from k3push.words.language import in_files

T = TypeVar("T")


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
    id: str
    follow: str
    follow_reason: str


COLUMNS = Record._fields


def records_of(rows: Iterable[FollowedRow], run: Run) -> list[Record]:
    """Return rows of a run as rows of the export."""
    at = cache(local)  # the numbers of a chunk share their times
    return [
        Record(
            row.line,
            row.shown_number,
            row.state.value,
            ";".join([target.number for target in row.targets]),
            ";".join([target.id for target in row.targets]),
            row.code,
            in_files(row.reason),
            row.attempts,
            row.chunk or None,
            run.id,
            run.route.name,
            at(row.sent_at),
            at(row.settled_at),
            row.shown_id,
            follow.value,
            in_files(why),
        )
        for row, follow, why in rows
    ]


Put = Callable[[Sequence[Record]], None]
"""Puts rows at the end of a table."""

Form = Callable[[Path, Sequence[State]], AbstractContextManager[Put]]
"""Begins a table in an empty file, for rows in the given states; it is whole when the block ends.

Everything in it blocks, and runs in worker threads.
"""


async def write_table(
    ledger: Ledger,
    run: Run,
    path: Path,
    form: Form,
    states: Collection[State] = (),
    *,
    takes: Callable[[FollowedRow], bool] | None = None,
) -> int:
    """Write the rows of a run, in any of *states* (all if empty), to a file for its owner only.

    Args:
        form: What writes its format.
        takes: Leaves rows out; None takes all.

    Returns:
        How many rows it has.

    Raises:
        OSError: The disk refused; an earlier file of that name is as it was.
    """
    counts = await ledger.counts(run.id)
    present = [state for state in State if counts.get(state) and (not states or state in states)]
    count = 0
    async with whole_file(named(path), lambda part: form(part, present)) as put:

        def put_rows(rows: Sequence[FollowedRow]) -> None:
            put(records_of(rows, run))

        async for page in followed_pages_of(ledger, run, states):
            rows = page if takes is None else [each for each in page if takes(each)]
            count += len(rows)
            await anyio.to_thread.run_sync(put_rows, rows)
    return count


@contextmanager
def csv_table(path: Path, _: Sequence[State] = ()) -> Iterator[Put]:
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


def _cells(record: Record) -> Iterator[str | int | None]:
    """Return the cells of a row, none of which starts a formula."""
    return (marked(cell) if isinstance(cell, str) else cell for cell in record)


def local(moment: datetime | None) -> str | None:
    """Return a time as the ledger's exports write it: ISO 8601 with offset."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else None
