"""How wide a text is on a terminal, where a Chinese character takes two columns."""

from __future__ import annotations

import re
import unicodedata

_WIDE = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f"
# What ends no line, and what begins none.
_OPENING = "（「『【《“‘"
_CLOSING = "，。；：、！？）」』】》”’…"

# A word of Latin letters stays whole, and so does what brackets hold, such as `[默认：8100]`; a
# line may break around any Chinese character.
_PIECE = re.compile(
    rf"[{_OPENING}]*(?:\[[^\[\]\s]+\]|[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)[{_CLOSING}]*|\s+|."
)


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

    No bracket and no sign stands at the wrong end of a line:

    >>> wrapped("全部任务（默认最近一次），端口。 [默认：0]", 11)
    ['全部任务', '（默认最近', '一次），端', '口。', '[默认：0]']
    """
    lines: list[str] = []
    line = ""
    for piece in _PIECE.findall(text):
        if line and columns((line + piece).rstrip()) > wide:
            lines.append(line.rstrip())
            line = ""
        if line or not piece.isspace():
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines
