from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.protocol.keyset import part_of
from k3push.core.protocol.paging import PagesError, Row

LINES = st.dictionaries(st.integers(1, 30), st.integers(1, 6))


def rows_of(lines: dict[int, int]) -> list[Row]:
    """Return the rows of documents with so many lines each."""
    return [[id_, line] for id_ in sorted(lines) for line in range(lines[id_])]


def read(rows: list[Row], cut: int, meanwhile: Callable[[int], None] = lambda _: None) -> list[Row]:
    """Read a form that gives out *cut* rows a page to its end."""
    found: list[Row] = []
    after = 0
    while True:
        page = [row for row in rows if row[0] > after][:cut]
        part = part_of(page, after)
        if part.is_end:
            return found
        found += part.rows
        after = part.after
        if part.alone is not None:
            found += [row for row in rows if row[0] == part.alone]
            after = part.alone
        meanwhile(after)


@given(LINES, st.integers(1, 12))
def test_a_form_is_read_whole_wherever_a_site_cuts(lines: dict[int, int], cut: int) -> None:
    """A document that is passed over would be a double that nobody sees."""
    assert read(rows_of(lines), cut) == rows_of(lines)


@given(LINES, st.integers(1, 12), st.lists(st.integers(31, 40), unique=True), st.data())
def test_what_is_made_and_deleted_meanwhile_moves_nothing(
    lines: dict[int, int], cut: int, new: list[int], data: st.DataObject
) -> None:
    """Documents that are there all the while are seen, each once."""
    gone = set(data.draw(st.lists(st.sampled_from(sorted(lines) or [0]), unique=True)))
    rows = rows_of(lines)

    def meanwhile(_: int) -> None:
        if new:
            made = new.pop()
            rows.extend([made, line] for line in range(2))
            rows.sort(key=lambda row: (row[0], row[1]))
        rows[:] = [row for row in rows if row[0] not in gone]

    found = read(rows, cut, meanwhile)
    stayed = [row for row in rows_of(lines) if row[0] not in gone]
    assert [row for row in found if row[0] in lines and row[0] not in gone] == stayed
    assert len({tuple(row) for row in found}) == len(found)


@pytest.mark.parametrize(
    "page", [[[9, 0], [7, 0]], [[5, 0], [7, 0]], [["x", 0]], [[None, 0]], [[7.5, 0]]]
)
def test_a_page_that_is_not_in_order_is_no_page(page: list[Row]) -> None:
    """A site that passes over the order may pass over documents."""
    with pytest.raises(PagesError):
        part_of(page, after=5)
