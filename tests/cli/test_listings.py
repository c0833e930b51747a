"""Lists in columns, in terminals that are narrow and for programs."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from k3push.cli.console.listing import put_listing
from k3push.words.width import columns

HEADINGS = ["run", "exit", "numbers", "list"]
LONG = "采购订单-华东区-2026年11月第四周-补推清单.csv"
ROWS = [
    ("20261129-164410-qbt", "3", "pushed 1200 · rejected 17 · unknown 3", LONG),
    ("20261128-164410-abc", "0", "pushed 2", "[bold]a.csv"),
]


def shown(width: int, *, terminal: bool) -> list[str]:
    """Return the lines that a list is shown as."""
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    put_listing(console, HEADINGS, ROWS, folds={2, 3})
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80])
def test_a_row_keeps_to_its_columns_in_a_narrow_terminal(width: int) -> None:
    """What a person copies is whole, and nothing of the rest is lost."""
    lines = shown(width, terminal=True)
    assert max(map(columns, lines)) <= width
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "run",
        *(row[0] for row in ROWS),
    ]
    assert len(lines) > len(ROWS) + 1
    found = "".join("".join(lines).split())
    assert all(char in found for char in LONG)
    assert "[bold]a.csv" in lines[-1]


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80])
def test_what_people_copy_is_whole_however_narrow_a_terminal_is(width: int) -> None:
    """A rule's id lacked its end, and the column that folds was gone."""
    file = StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    guid, target = "9f3b1c6e-5a6f-4a0a-8f0e-2b1e5c1f9a77", "SAL_DELIVERYNOTICE"
    rows = [(guid, "采购订单", target, "yes"), (guid, "a name that is long", target, "no")]
    put_listing(console, ["number", "name", "target", "default"], rows, folds={1})
    lines = file.getvalue().splitlines()
    assert sum(guid in line and target in line for line in lines) == len(rows)
    assert set("default采购订单anamethatislong") <= set(file.getvalue())


@pytest.mark.parametrize(("width", "terminal"), [(200, True), (80, False)])
def test_a_row_is_one_line_where_there_is_room_or_a_program_reads(
    width: int, *, terminal: bool
) -> None:
    """No line ends with blanks."""
    lines = shown(width, terminal=terminal)
    assert len(lines) == len(ROWS) + 1
    assert [line.rstrip() for line in lines] == lines
    assert lines[1].endswith(LONG)
    assert columns(lines[1][: lines[1].index(LONG)]) == lines[2].index("[bold]")
