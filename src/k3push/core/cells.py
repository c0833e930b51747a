"""Texts in cells of a table, such that no spreadsheet takes one for a formula; both ways.

What an export writes is a job file again, so the mark that it sets is taken off when read.
"""

from __future__ import annotations

_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")


def marked(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    >>> marked("=1+1"), marked("CGDD01")
    ("'=1+1", 'CGDD01')
    """
    return f"'{text}" if text[:1] in _FORMULA_STARTS else text


def unmarked(cell: str) -> str:
    """Return the text that `marked` was given.

    >>> unmarked("'=1+1"), unmarked("CGDD01"), unmarked("'CGDD01")
    ('=1+1', 'CGDD01', "'CGDD01")
    """
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA_STARTS else cell
