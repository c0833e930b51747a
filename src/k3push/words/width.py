"""How wide a text is on a terminal, where a Chinese character takes two columns."""

from __future__ import annotations

import re
import unicodedata

# A word of Latin letters stays whole; a line may break around any Chinese character.
_PIECE = re.compile(
    r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]|\s+|[^\s\u2e80-\uffff]+|."
)

# What begins no line.
_CLOSING = "，。；：、！？）」』】》”’…"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    >>> columns("ERP 采购")
    8
    """
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def filled(text: str, wide: int) -> str:
    """Fill a text up with spaces to so many columns."""
    return text + " " * (wide - columns(text))


def cut(text: str, wide: int) -> str:
    """Shorten a text to at most so many columns.

    >>> cut("采购入库单", 7), cut("abc", 5)
    ('采购入…', 'abc')
    """
    while columns(text) > wide:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def wrapped(text: str, wide: int) -> list[str]:
    """Break a text into lines of at most so many columns.

    >>> wrapped("重新下推任务中被拒绝的单据，不写 RUN 则为全部。", 20)
    ['重新下推任务中被拒绝', '的单据，不写 RUN 则', '为全部。']
    """
    lines: list[str] = []
    line = ""
    pieces = _PIECE.findall(text)
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        kept_with = columns(following) if following and following in _CLOSING else 0
        if line and columns((line + piece).rstrip()) + kept_with > wide:
            lines.append(line.rstrip())
            line = ""
        if line or not piece.isspace():
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines
