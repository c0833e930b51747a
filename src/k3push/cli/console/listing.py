"""Lists in columns: within the width of a terminal, and a line for each row elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from k3push.words.language import harmless
from k3push.words.width import columns, filled


def put_listing(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    folds: Collection[int],
) -> None:
    """Print rows under their headings; a Chinese character takes two places.

    Args:
        console: Where to.
        headings: One for each column.
        rows: Their cells, in the words of anybody.
        folds: Columns whose long cells go on below where a terminal is narrow. The others are
            whole in one line, since people copy them.
    """
    lines = [headings, *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(map(columns, cells)) for cells in zip(*lines, strict=True)]
    between = 2
    if not console.is_terminal or sum(widths) + between * (len(widths) - 1) <= console.width:
        for line in lines:
            text = (" " * between).join(map(filled, line, widths)).rstrip()
            console.print(text, markup=False, soft_wrap=True)
        return
    table = Table(box=None, padding=(0, between, 0, 0), header_style="", pad_edge=False)
    for nth, heading in enumerate(headings):
        folded = nth in folds
        table.add_column(heading, no_wrap=not folded, overflow="fold" if folded else "ignore")
    for cells in lines[1:]:
        table.add_row(*map(escape, cells))
    console.print(table)
