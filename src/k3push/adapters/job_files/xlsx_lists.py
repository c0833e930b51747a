"""XLSX lists: which sheet is read, which number each row means, and which cells mean none.

Hidden rows count, those that a filter hides too: a list says which bills it means by what
is in it, and not by how it was last looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import IO, Final

from k3push.adapters.job_files.heading_row import FirstRow, Layout, columns, see_no_heading
from k3push.adapters.job_files.number_columns import (
    Headings,
    flaw_of_cell,
    internal_id,
    is_route,
    tidy,
)
from k3push.adapters.job_files.sources import OLE, ZIP
from k3push.adapters.job_files.troubles import BadLines, Code, names, shown
from k3push.adapters.job_files.xlsx_package import Sheet, Workbook, XlsxError, opened_workbook
from k3push.adapters.job_files.xlsx_xml import Cell, CellKind, Row
from k3push.core.model import BillNumber, Listed

# Digits of a number that Excel keeps.
_DIGITS: Final = 15

MOST_OFFERED: Final = 200
"""Sheets of a workbook to choose from."""

LONGEST_OFFERED: Final = 100
"""Letters of their names; Excel has 31."""

_NO_CELL: Final = Cell(CellKind.TEXT, "")

# What Office 97 called a stream in which an encrypted workbook lies.
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")

_CODES: Final = {
    CellKind.NUMBER: Code.NUMBER_CELL,
    CellKind.SHAPED: Code.SHAPED_CELL,
    CellKind.DATE: Code.DATE_CELL,
    CellKind.BOOLEAN: Code.TRUTH_CELL,
    CellKind.ERROR: Code.ERROR_CELL,
    CellKind.NO_RESULT: Code.NO_RESULT,
}


def read_workbook(
    handle: IO[bytes], wanted: str | None, headings: Headings, bad: BadLines
) -> Iterator[Listed]:
    """Read a sheet row by row; a line is a row of the sheet.

    Args:
        handle: The file, from its start.
        wanted: Name of the sheet, in any letter case; None is the first that can be seen, and ""
            the only one that can be seen and has cells: of several, one has to be named.

    Raises:
        JobFileError: If it is no whole workbook, or has no such sheet or column.
    """
    _check_kind(handle, bad)
    try:
        with opened_workbook(handle) as workbook:
            visible = (sheet.name for sheet in workbook.sheets if not sheet.hidden)
            offered = (name for name in visible if len(name) <= LONGEST_OFFERED)
            bad.sheets = list(islice(offered, MOST_OFFERED))
            sheet = _sheet(workbook, wanted, bad)
            bad.sheet = sheet.name
            yield from _listed(workbook, sheet, headings, bad)
            if wanted is None:
                _tell_of_others(workbook, sheet, bad)
    except XlsxError as error:
        raise bad.stop(Code.DAMAGED_WORKBOOK, reason=shown(str(error))) from error


def _check_kind(handle: IO[bytes], bad: BadLines) -> None:
    begin = handle.read(len(OLE))
    if not begin:
        raise bad.stop(Code.NO_BYTE)
    if begin == OLE:
        if _ENCRYPTED in handle.read():
            raise bad.stop(Code.ENCRYPTED)
        raise bad.stop(Code.WORKBOOK, kind="XLS")
    if not begin.startswith(ZIP):
        raise bad.stop(Code.NOT_A_WORKBOOK)
    handle.seek(0)


def _sheet(workbook: Workbook, wanted: str | None, bad: BadLines) -> Sheet:
    every = names(sheet.name for sheet in workbook.sheets)
    if not wanted:
        visible = [sheet for sheet in workbook.sheets if not sheet.hidden]
        if not visible:
            raise bad.stop(Code.NO_SHEET, sheets=every)
        filled = visible[:1] if wanted is None else [s for s in visible if _has_cells(workbook, s)]
        if len(filled) > 1:
            raise bad.stop(Code.WHICH_SHEET, sheets=names(sheet.name for sheet in filled))
        return (filled or visible)[0]
    for sheet in workbook.sheets:
        if tidy(sheet.name).casefold() == tidy(wanted).casefold():
            return sheet
    raise bad.stop(Code.NO_SUCH_SHEET, wanted=shown(wanted), sheets=every)


def _tell_of_others(workbook: Workbook, sheet: Sheet, bad: BadLines) -> None:
    """Tell which sheets are not read, since nobody has said which is: they may be lists as well."""
    others = [each for each in workbook.sheets if not (each is sheet or each.hidden)]
    if filled := [each.name for each in others if workbook.seems_filled(each)]:
        bad.mention(Code.OTHER_SHEETS, sheets=names(filled))


def _has_cells(workbook: Workbook, sheet: Sheet) -> bool:
    return any(not _is_blank(cells.values()) for _, cells in workbook.rows(sheet))


def _listed(
    workbook: Workbook, sheet: Sheet, headings: Headings, bad: BadLines
) -> Iterator[Listed]:
    rows = (row for row in workbook.rows(sheet) if not _is_blank(row[1].values()))
    first = next(rows, None)
    if first is None:
        rest = [each.name for each in workbook.sheets if each is not sheet]
        if not rest:
            raise bad.stop(Code.BLANK_ONLY_SHEET)
        raise bad.stop(Code.BLANK_SHEET, sheets=names(rest))
    _, cells = first
    # A list may begin in any column.
    offset = min(column for column, cell in cells.items() if _is_there(cell))
    layout = _layout(first, offset, headings, bad)
    number_at, id_at, route_at = (
        offset + at if at >= 0 else -1 for at in (layout.number_at, layout.id_at, layout.route_at)
    )
    for row, found in chain([first], rows) if layout.bare else rows:
        if layout.bare:
            see_no_heading((cell.text for cell in found.values()), row, headings, bad)
        others = (column for column in found if column != number_at) if layout.bare else ()
        id_ = _id(found.get(id_at, _NO_CELL))
        by_id = id_ and not _is_there(found.get(number_at, _NO_CELL))
        number = "" if by_id else _number(found, number_at, row, bad)
        if number is None:
            continue
        if id_ is None:
            bad.add(Code.BAD_ID, row, value=shown(found[id_at].text))
            continue
        beside = next((column for column in others if _is_there(found[column])), None)
        if beside is not None:
            bad.add(Code.MORE_CELLS, row, cell=f"{_letters(beside)}{row}")
            continue
        route = found.get(route_at, _NO_CELL)
        name = tidy(route.text)
        if route.kind is CellKind.TEXT and is_route(name):
            yield Listed(row, BillNumber(number), name, id_)
        else:
            bad.add(Code.BAD_ROUTE, row, value=shown(route.text or route.kind.value))


def _layout(row: Row, offset: int, headings: Headings, bad: BadLines) -> Layout:
    """Find the columns in the first row, counted from its first cell that is not empty."""
    line, found = row
    last = max(column for column, cell in found.items() if _is_there(cell))
    cells = [tidy(found.get(column, _NO_CELL).text) for column in range(offset, last + 1)]
    return columns(FirstRow("\t", cells, len(cells), 1), line, headings, bad)


def _number(cells: Mapping[int, Cell], column: int, row: int, bad: BadLines) -> str | None:
    """Return the bill number of a row; None if it has none, which is noted."""
    cell = cells.get(column, _NO_CELL)
    if cell.kind is CellKind.TEXT:
        number = tidy(cell.text)
        wrong = flaw_of_cell(number)
        if wrong is None:
            return number
        bad.add(wrong.code, row, **wrong.facts)
        return None
    if cell.kind is CellKind.NUMBER and (whole := _whole(cell.text)) is not None:
        return whole
    place = f"{_letters(column)}{row}"
    if cell.kind is CellKind.NO_RESULT and cell.text:
        place = shown(cell.text)
    bad.add(_CODES[cell.kind], row, cell=place, value=shown(cell.text))
    return None


def _id(cell: Cell) -> str | None:
    """Return the id in a cell, "" where it has none, None for what is no id."""
    if cell.kind is CellKind.TEXT:
        return internal_id(tidy(cell.text))
    whole = _whole(cell.text) if cell.kind is CellKind.NUMBER else None
    return internal_id(whole) if whole is not None else None


def _whole(number: str) -> str | None:
    """Return a number as Excel shows it without a format, if it is certain to be that number.

    >>> _whole("17"), _whole("17.0"), _whole("2.0180321174312E13"), _whole("-5")
    ('17', '17', '20180321174312', '-5')
    >>> _whole("1234567890123456"), _whole("17.5"), _whole("1E400"), _whole("x")
    (None, None, None, None)
    """
    try:
        value = Decimal(number)
    except InvalidOperation:
        return None
    if not value.is_finite() or value.adjusted() >= _DIGITS or value != value.to_integral_value():
        return None
    return str(int(value))


def _is_there(cell: Cell) -> bool:
    return cell.kind is not CellKind.TEXT or bool(tidy(cell.text))


def _is_blank(cells: Iterable[Cell]) -> bool:
    return not any(map(_is_there, cells))


def _letters(column: int) -> str:
    """Return the letters of a column, from 1.

    >>> _letters(1), _letters(26), _letters(27), _letters(16384)
    ('A', 'Z', 'AA', 'XFD')
    """
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
