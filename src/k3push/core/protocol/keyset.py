"""Reading a form from its first document to its last, a page at a time, and keeping none.

Each page is asked for by the id behind which it begins, in the order of ids. So a page that a site
has cut is only a short one, nothing that is made or deleted meanwhile moves a row from one page to
another, and it is an empty page that proves the end.

A document has a row for each of its lines, and a page may end among them. So the last document of
a page is left to the next one; where a page holds no other, it is read by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from k3push.core.protocol.json_values import UnreadableError, name_in
from k3push.core.protocol.paging import PagesError, Row
from k3push.core.remark import remark


@dataclass(frozen=True, slots=True)
class Part:
    """What a page holds for certain.

    Attributes:
        rows: All rows of documents that it shows whole.
        after: Id of the last of these, behind which the next page begins.
        alone: Id of the one document of a page that may go on; else None.
        is_end: Nothing follows.
    """

    rows: Sequence[Row]
    after: int
    alone: int | None = None
    is_end: bool = False


def part_of(page: Sequence[Row], after: int) -> Part:
    """Say what a page that begins behind an id holds for certain.

    Args:
        page: Rows, the document's id first.
        after: The id.

    Raises:
        PagesError: The rows are not in the order that was asked for, or an id is no number.

    >>> part_of([[7, "a"], [7, "b"], [9, "c"]], after=5)
    Part(rows=[[7, 'a'], [7, 'b']], after=7, alone=None, is_end=False)
    >>> part_of([[9, "c"]], after=7).alone, part_of([], after=9).is_end
    (9, True)
    >>> part_of([[7.0, "a"], ["9", "c"]], after=5).after  # as some servers write them
    7
    """
    ids = [_number(row[0]) for row in page]
    if not ids:
        return Part([], after, is_end=True)
    if ids != sorted(ids) or ids[0] <= after:
        raise PagesError(remark("answer.not_by_id"))
    if ids[0] == ids[-1]:
        return Part([], after, alone=ids[0])
    whole = ids.index(ids[-1])
    return Part(page[:whole], ids[whole - 1])


def _number(value: object) -> int:
    try:
        return int(name_in(value))
    except (ValueError, UnreadableError):
        raise PagesError(remark("answer.no_id", value=str(value)[:40])) from None
