"""The first row of a list: which columns it heads, or that it is no heading.

That is the same in CSV, TSV, TXT and XLSX.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from k3push.adapters.job_files.number_columns import ROLES, Headings, tidy
from k3push.adapters.job_files.troubles import BadLines, Code, names, shown
from k3push.core.cells import has_own_headings

# The first of two that fit equally well is taken. The wide ones are typed with a Chinese input
# method.
DELIMITERS: Final = (",", ";", "\t", "|", "，", "；")
_CUT: Final = re.compile(f"[{''.join(DELIMITERS)}]")


@dataclass(frozen=True, slots=True)
class FirstRow:
    """The first row as one delimiter cuts it.

    Attributes:
        cells: All of them, spaces around them trimmed.
        filled: Cells up to the last one that is not empty; spreadsheets leave empty ones behind.
        closed: Whether each quotation mark that opens in it closes where a cell ends.
    """

    delimiter: str
    cells: list[str]
    filled: int
    lines: int
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers stand.

    Attributes:
        first: The first line with data, from 1.
        number_at: Index of the number's cell, or -1 if there is none.
        id_at: Index of the id's cell, or -1 if there is none.
        route_at: Index of the route's cell, or -1 if there is none.
        width: Cells of the heading.
        ours: It is an export of ours, in which an apostrophe may be a mark.
        bare: There is no heading.
    """

    delimiter: str
    first: int
    number_at: int
    id_at: int
    route_at: int
    width: int
    ours: bool = False
    bare: bool = False


def columns(row: FirstRow, line: int, headings: Headings, bad: BadLines) -> Layout:
    """Find the columns in the first row, which is a heading unless it is one bare number.

    Raises:
        JobFileError: If no column, or more than one, can be meant.
    """
    roles = [headings.role(cell) for cell in row.cells]
    for role in ROLES:
        if roles.count(role) > 1:
            same = [cell for cell, its in zip(row.cells, roles, strict=True) if its == role]
            raise bad.stop(Code.TWO_COLUMNS, line, headings=names(same))
    if "number" in roles or _has_ids_alone(row, roles, headings):
        number_at, id_at, route_at = (roles.index(role) if role in roles else -1 for role in ROLES)
        first, ours = line + row.lines, has_own_headings(row.cells)
        return Layout(row.delimiter, first, number_at, id_at, route_at, len(row.cells), ours)
    seen = names(row.cells)
    if headings.column is not None:
        column = shown(headings.column)
        raise bad.stop(Code.NO_SUCH_COLUMN, line, column=column, headings=seen)
    if row.filled <= 1:
        # Bill numbers have digits, so this may be a heading that nobody knows.
        if row.filled and not any(c.isdigit() for c in row.cells[0]):
            bad.mention(Code.HEADING_PERHAPS, line, value=seen)
        return Layout(row.delimiter, line, 0, -1, -1, 1, bare=True)
    # Headings seldom have digits and bill numbers always do.
    if all(any(c.isdigit() for c in cell) for cell in row.cells[: row.filled] if cell):
        raise bad.stop(Code.PASTED_LIST, line, headings=seen)
    raise bad.stop(Code.UNKNOWN_HEADINGS, line, headings=seen)


def _has_ids_alone(row: FirstRow, roles: Sequence[str], headings: Headings) -> bool:
    """Say whether ids stand for the bills of a table that has no column of numbers."""
    if "id" not in roles or headings.column is not None:
        return False
    strangers = any(cell and not role for cell, role in zip(row.cells, roles, strict=True))
    return not (strangers and headings.is_plain_id(row.cells[roles.index("id")]))


def see_no_heading(cells: Iterable[str], line: int, headings: Headings, bad: BadLines) -> None:
    """Refuse a heading below a title, which was taken for a bare column of numbers.

    The title has no delimiter, so any of them may part the headings.

    Raises:
        JobFileError: One of the cells is a heading, or a row of them.
    """
    for cell in cells:
        # No heading ends with a digit, and most numbers do.
        if cell[-1:].isdigit():
            continue
        for part in _CUT.split(cell):
            if headings.role(part):
                raise bad.stop(Code.LATE_HEADING, line, value=shown(tidy(part)))
