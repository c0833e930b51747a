"""A list of bills as a job file, which is read again like any other.

The ERP takes any text for a number, and a list does not: a bill whose number has a comma, say, or
is too long stands there by its id alone, and travels by it like all others.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import orjson

from k3push.adapters.job_files.number_columns import can_be_listed
from k3push.adapters.output_files import named, whole_file
from k3push.core.cells import LIST_COLUMNS, marked
from k3push.core.model import BillNumber
from k3push.core.protocol.selection import Selected

ENDINGS = (".csv", ".jsonl")
"""What the name of a list may end with, in any letter case."""

Put = Callable[[Sequence[Selected]], None]


def new_list(path: Path) -> AbstractAsyncContextManager[Put]:
    """Begin a list in a file for its owner only; it has its name when the block has ended.

    What is interrupted or fails leaves no half list under that name. The functions that it gives
    block, and are for worker threads.
    """
    return whole_file(named(path), _jsonl if path.suffix.lower() == ".jsonl" else _csv)


@contextmanager
def _csv(path: Path) -> Iterator[Put]:
    """Write CSV, UTF-8 with BOM for Excel."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(LIST_COLUMNS)
        yield lambda bills: table.writerows(
            (marked(bill.number), bill.id, bill.date, marked(bill.organisation))
            for bill in map(_as_listed, bills)
        )


@contextmanager
def _jsonl(path: Path) -> Iterator[Put]:
    """Write one JSON object a line."""
    with path.open("w", encoding="utf-8") as file:

        def put(bills: Sequence[Selected]) -> None:
            lines = (orjson.dumps(_as_listed(bill)._asdict()).decode() for bill in bills)
            file.writelines(f"{line}\n" for line in lines)

        yield put


def _as_listed(bill: Selected) -> Selected:
    return bill if can_be_listed(bill.number) else bill._replace(number=BillNumber(""))
