"""Texts in cells of a CSV table, so that no spreadsheet takes one for a formula; both ways.

The mark is an apostrophe. What an export writes may be read as a job file again, so the mark is
taken off then. A number may begin with an apostrophe of its own, so it is taken off only in tables
whose headings show that k3push has written them.
"""

from __future__ import annotations

from collections.abc import Sequence

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")

LIST_COLUMNS = ("number", "id", "date", "organisation")
"""The headings of a list that `select` writes."""

REPORT_COLUMNS = ("number", "code", "reason", "id")
"""The headings of a list that the report saves."""

_OWN_HEADINGS = (
    ("line", "number", "state"),  # an export
    ("finding", "route", "number", "id"),  # an audit
    ("line", "number", "id", "route", "fate"),  # a plan
    LIST_COLUMNS,
    REPORT_COLUMNS,
)


def has_own_headings(headings: Sequence[str]) -> bool:
    """Say whether a table is one of ours that is a job file, by its first headings.

    >>> has_own_headings(["line", "number", "state", "targets"]), has_own_headings(["number"])
    (True, False)
    """
    return any(tuple(headings[: len(own)]) == own for own in _OWN_HEADINGS)


def marked(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, and that `unmarked` gives back.

    >>> marked("=1+1"), marked("CGDD01"), marked("'=1+1")
    ("'=1+1", 'CGDD01', "''=1+1")
    """
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA_STARTS else text


def is_marked(cell: str) -> bool:
    """Say whether a cell may bear the mark, or begin so by itself.

    >>> is_marked("'=1+1"), is_marked("=1+1"), is_marked("'CGDD01")
    (True, False, False)
    """
    return cell[:1] == "'" and cell.lstrip("'")[:1] in _FORMULA_STARTS


def unmarked(cell: str) -> str:
    """Return the text that `marked` was given.

    >>> unmarked("'=1+1"), unmarked("CGDD01"), unmarked("'CGDD01"), unmarked("''=1+1")
    ('=1+1', 'CGDD01', "'CGDD01", "'=1+1")
    """
    return cell[1:] if is_marked(cell) else cell
