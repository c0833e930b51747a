"""Tables as workbooks; a ledger has one sheet with all rows, and one for each state.

Every cell is text or a whole number, so none is a formula and no digit is lost; the first
sheet of a ledger is a job file again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # it has no types of its own
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]  # as above

from k3push.core.model import State
from k3push.reporting.table_files import COLUMNS, Put, Record

ALL = "ledger"
"""Name of the sheet with all rows."""

SHEET_ROWS = 1_048_575
"""Rows that a sheet takes below its heading."""

# In characters; what is not named here is as wide as an id of a run.
_WIDTHS = {"line": 8, "state": 10, "code": 12, "reason": 60, "attempts": 9, "chunk": 8}
_WIDTH = 24


@contextmanager
def xlsx_table(
    path: Path, states: Sequence[State], *, sheet_rows: int = SHEET_ROWS
) -> Iterator[Put]:
    """Write rows of a ledger to a workbook, row by row.

    Args:
        states: States that have a sheet of their own, if there are more than one.
        sheet_rows: Rows below a heading, after which another sheet goes on.
    """
    with workbook(path, COLUMNS, sheet_rows=sheet_rows) as table:
        every = table(ALL)
        by_state = {state.value: table(state.value) for state in states if len(states) > 1}

        def put(records: Sequence[Record]) -> None:
            for record in records:
                every.add(record)
                # A run that goes on meanwhile may reach a state that had no rows before.
                if own := by_state.get(record.state):
                    own.add(record)

        yield put


@contextmanager
def workbook(
    path: Path, columns: Sequence[str], *, sheet_rows: int = SHEET_ROWS
) -> Iterator[Callable[[str], XlsxTable]]:
    """Write a workbook; texts above Excel's 32,767 characters are cut there.

    Args:
        columns: Headings of each of its tables.
        sheet_rows: Rows below a heading, after which another sheet goes on.

    Yields:
        What begins a table, by its name.
    """
    with tempfile.TemporaryDirectory(prefix="k3push-", ignore_cleanup_errors=True) as folder:
        book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": folder})
        book.use_zip64()
        tables: list[XlsxTable] = []

        def table(name: str) -> XlsxTable:
            tables.append(XlsxTable(book, name, columns, sheet_rows))
            return tables[-1]

        try:
            yield table
            for each in tables:
                each.end()
            book.close()
        except FileCreateError as error:
            raise error.args[0] from error
        finally:
            # Rows wait in files that the library closes only with the book.
            for sheet in book.worksheets():
                sheet.row_data_fh.close()


class XlsxTable:
    """Rows under a heading, on as many sheets as they need."""

    def __init__(self, book: Any, name: str, columns: Sequence[str], sheet_rows: int) -> None:
        """Begin its first sheet."""
        self._book = book
        self._name = name
        self._columns = columns
        self._sheet_rows = sheet_rows
        self._text = book.add_format({"num_format": "@"})
        self._heading = book.add_format({"bold": True})
        self._sheets = 0
        self._begin()

    def add(self, record: Iterable[str | int | None]) -> None:
        """Put a row at the end."""
        if self._row > self._sheet_rows:
            self.end()
            self._begin()
        for column, value in enumerate(record):
            if isinstance(value, int):
                self._sheet.write_number(self._row, column, value)
            elif value:
                self._sheet.write_string(self._row, column, value, self._text)
        self._row += 1

    def end(self) -> None:
        """Say that the sheet has no more rows."""
        self._sheet.autofilter(0, 0, self._row - 1, len(self._columns) - 1)

    def _begin(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        self._sheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for column, heading in enumerate(self._columns):
            self._sheet.set_column(column, column, _WIDTHS.get(heading, _WIDTH))
            self._sheet.write_string(0, column, heading, self._heading)
        self._row = 1
