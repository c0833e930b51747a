"""The ledger as Parquet, for whoever counts over many runs. Needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]  # it has no types of its own
from pyarrow import parquet

from k3push.core.model import State
from k3push.reporting.table_files import COLUMNS, Put, Record

_WHOLE: Final = frozenset({"line", "attempts", "chunk"})
_TIMES: Final = frozenset({"sent_at", "settled_at"})

# As the records have them: times are text there.
_GIVEN: Final = pa.schema(
    [(name, pa.int64() if name in _WHOLE else pa.string()) for name in COLUMNS]
)

SCHEMA: Final = pa.schema(
    [
        (field.name, pa.timestamp("s", tz="UTC") if field.name in _TIMES else field.type)
        for field in _GIVEN
    ]
)
"""Whole numbers are int64, times are timestamps in UTC, and all else is text."""


@contextmanager
def parquet_table(path: Path, _: Sequence[State]) -> Iterator[Put]:
    """Write Parquet, each page of rows as a row group."""
    with parquet.ParquetWriter(path, SCHEMA) as file:

        def put(records: Sequence[Record]) -> None:
            columns = [list(column) for column in zip(*records, strict=True)]
            file.write_table(pa.table(columns, schema=_GIVEN).cast(SCHEMA))

        yield put
