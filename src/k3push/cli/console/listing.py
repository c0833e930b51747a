"""Lists in columns: within the width of a terminal, and a line for each row elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from k3push.words.language import harmless
from k3push.words.width import columns, filled

BETWEEN = 2
"""Blanks between columns."""

LEAST = 10
"""A column is not folded to less than that; where a terminal has no room for it, nothing is."""


def put_listing(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    folds: Collection[int],
) -> None:
    """Print rows under their headings; a Chinese character takes two places.

    Args:
        rows: Their cells, in the words of anybody.
        folds: Columns whose long cells go on below where a terminal is narrow. The others are
            whole in one line, since people copy them.
    """
    lines = [headings, *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(map(columns, cells)) for cells in zip(*lines, strict=True)]
    beside = BETWEEN * (len(widths) - 1)
    least = [min(width, LEAST) if nth in folds else width for nth, width in enumerate(widths)]
    fits, folds_to_fit = (sum(each) + beside <= console.width for each in (widths, least))
    if not console.is_terminal or fits or not folds_to_fit:
        for line in lines:
            text = (" " * BETWEEN).join(map(filled, line, widths)).rstrip()
            console.print(text, markup=False, soft_wrap=True)
        return
    table = Table(box=None, padding=(0, BETWEEN, 0, 0), header_style="", pad_edge=False)
    for nth, heading in enumerate(headings):
        folded = nth in folds
        table.add_column(
            heading,
            no_wrap=not folded,
            overflow="fold" if folded else "ignore",
            min_width=least[nth],
        )
    for cells in lines[1:]:
        table.add_row(*map(escape, cells))
    console.print(table)
