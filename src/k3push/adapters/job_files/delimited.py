"""CSV, TSV and TXT: rows of cells, under a heading or as one bare column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from k3push.adapters.job_files.heading_row import (
    DELIMITERS,
    FirstRow,
    Layout,
    columns,
    see_no_heading,
)
from k3push.adapters.job_files.number_columns import (
    Headings,
    flaw,
    flaw_of_cell,
    internal_id,
    is_route,
    plain,
    tidy,
)
from k3push.adapters.job_files.sources import LONGEST_LINE, UTF8, OpenJobFile
from k3push.adapters.job_files.troubles import BadLines, Code, shown
from k3push.core.cells import unmarked
from k3push.core.model import BillNumber, Listed

# Characters after the first line's beginning in which a heading must end.
_SAMPLE: Final = 1 << 16


def read_table(source: OpenJobFile, headings: Headings, bad: BadLines) -> Iterator[Listed]:
    """Read a table row by row.

    Raises:
        JobFileError: If it has no such column, or a quotation mark is left open.
    """
    if source.long_line is not None:
        raise bad.stop(Code.LONG_LINE, source.long_line, most=LONGEST_LINE)
    layout = _layout(source, headings, bad)
    at, id_at, route_at, width = layout.number_at, layout.id_at, layout.route_at, layout.width
    by_bytes = source.encoding == UTF8 and not source.start
    with source.text() as text:
        for _ in range(layout.first - 1):
            text.readline()
        for line, last, row in _rows(text, layout, bad):
            cells = len(row)
            if layout.bare:
                see_no_heading(row, line, headings, bad)
            if 0 <= at < cells <= width and plain(row[at]) and row[at][0] != "'":
                number = row[at]
            else:
                checked = _number(row, layout, bad, line, last)
                if checked is None:
                    continue
                number = checked
                if by_bytes and (other := as_gb18030(number)):
                    by_bytes = False  # once is enough
                    bad.mention(Code.ENCODING_PERHAPS, line, value=shown(number), other=other)
            id_ = internal_id(_cell(row, id_at)) if 0 <= id_at < cells else ""
            route = tidy(row[route_at]) if 0 <= route_at < cells else ""
            if id_ is None:
                bad.add(Code.BAD_ID, line, value=shown(row[id_at]))
            elif is_route(route):
                yield Listed(line, BillNumber(number), route, id_)
            else:
                bad.add(Code.BAD_ROUTE, line, value=shown(route))


def as_gb18030(number: str) -> str:
    """Return what the bytes of a number say in GB18030; "" where they can hardly be meant so.

    Nearly all texts of GB18030 are no UTF-8. One with a single Chinese character may be.

    >>> as_gb18030("³CG17"), as_gb18030("采CG17"), as_gb18030("CG17")
    ('鲁CG17', '', '')
    """
    if number.isascii() or max(number) >= "\u0800":
        return ""
    try:
        other = number.encode().decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return other if all(c.isascii() or "\u4e00" <= c <= "\u9fff" for c in other) else ""


def _cell(row: Sequence[str], at: int) -> str:
    """Return what a cell holds, "" where the row has none."""
    return tidy(row[at]) if 0 <= at < len(row) else ""


def _rows(
    text: io.TextIOWrapper, layout: Layout, bad: BadLines
) -> Iterator[tuple[int, int, list[str]]]:
    """Yield each row with its first and last line."""
    reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
    before = layout.first - 1
    line = layout.first
    while True:
        try:
            for row in reader:
                last = before + reader.line_num
                yield line, last, row
                line = last + 1
        except csv.Error as error:
            last = before + reader.line_num
            # Only an error within one line can be passed over: one that spans lines has
            # swallowed rows. The module tells the end of the file by this text alone.
            if last > line or str(error) == "unexpected end of data":
                raise bad.stop(Code.OPEN_QUOTE, line) from error
            bad.add(Code.STRAY_QUOTE, line)
            line = last + 1
        else:
            return


def _number(row: list[str], layout: Layout, bad: BadLines, line: int, last: int) -> str | None:
    """Return the number of a row that is out of the ordinary; None if it names no bill."""
    if not row or (len(row) == 1 and row[0] and not tidy(row[0])):
        return None  # a blank line
    cell = _cell(row, layout.number_at)
    number = unmarked(cell) if layout.ours else cell
    if any(map(tidy, row[layout.width :])):
        if layout.width == 1 and layout.delimiter == ",":
            bad.add(Code.COMMA, line, value=shown(",".join(row)))
        else:
            bad.add(Code.TOO_MANY_CELLS, line, cells=len(row), headings=layout.width)
        return None
    if "\n" in number or "\r" in number:
        bad.add(Code.LINE_BREAK, line, last=last, value=shown(number))
        return None
    if not number and _cell(row, layout.id_at):
        return ""
    wrong = flaw(number) if layout.ours else flaw_of_cell(number)
    if wrong:
        bad.add(wrong.code, line, **wrong.facts)
        return None
    return number


def _layout(source: OpenJobFile, headings: Headings, bad: BadLines) -> Layout:
    """Find out delimiter and columns from the first line that is not blank."""
    delimiters: Sequence[str] = DELIMITERS
    line = 1
    with source.text() as text:
        start = text.readline()
        named = _named_delimiter(start)
        if named:
            delimiters = (named,)
            line, start = 2, text.readline()
        while start and not tidy(start):
            line, start = line + 1, text.readline()
        if not start:
            raise bad.stop(Code.BLANK)
        sample = start + text.read(_SAMPLE)
    best = max(
        (_first_row(sample, delimiter) for delimiter in delimiters),
        key=lambda row: (
            any(headings.role(cell) == "number" for cell in row.cells),
            any(headings.role(cell) == "id" for cell in row.cells),
            len(row.cells),
        ),
    )
    if not best.closed:
        # A quotation mark that opens in the heading would swallow the rows under it.
        raise bad.stop(Code.OPEN_QUOTE, line)
    return columns(best, line, headings, bad)


def _first_row(sample: str, delimiter: str) -> FirstRow:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    cells = [tidy(cell) for cell in next(reader)]
    filled = max((index for index, cell in enumerate(cells, 1) if cell), default=0)
    strict = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    try:
        next(strict)
    except csv.Error:
        return FirstRow(delimiter, cells, filled, reader.line_num, closed=False)
    return FirstRow(delimiter, cells, filled, reader.line_num)


def _named_delimiter(line: str) -> str:
    """Return the delimiter that Excel's own first line names, or "".

    >>> _named_delimiter("sep=;"), _named_delimiter("number;route")
    (';', '')
    """
    key, _, value = line.strip("\r\n").strip('"').partition("=")
    usable = len(value) == 1 and not value.isalnum() and value not in '" '
    return value if key.casefold() == "sep" and usable else ""
