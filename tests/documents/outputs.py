"""Outputs as pages show them, and what of them is the same every time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

COLUMNS = 80
"""A page shows a line of this length as one line."""

_RUN_ID = r"\d{8}-\d{6}-[a-z]{3}"
_VOLATILE = [
    (r"^.*(?:pace:|节奏：).*\n", ""),
    # Every half minute a run says how far it is.
    (r"^\d+/\d+ · .*\n", ""),
    # On a busy machine it has something to wait for.
    (r"^(?:waiting \d+ s: |等待 \d+ 秒：).*\n", ""),
    (_RUN_ID, "RUN"),
    # Who has typed a command, and on which machine.
    (r"[\w.-]+@[\w.-]+(?=: |：)", "WHO"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:\d\d)?", "TIME"),
    (r"\b\d\d:\d\d\b", "TIME"),
    (r"\b\d\d-\d\d TIME", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r'"(seconds|pushes|logins)":[\d.]+', r'"\1":N'),
    (r"token=\S+", "token=T"),
    (r"[\d.]+ s\b|[\d.]+ 秒", "SECONDS"),
    (r"pushes \d+ · logins \d+|\d+ 次下推，\d+ 次登录", "CALLS"),
    # How many numbers travel together is found out anew each time, and so is which of them first.
    (r"CGRK\d+", "CGRK"),
    (r"\(CGDD\d+(?=, …\))", "(CGDD"),
    (r"(answers lost: |应答丢失：(?:涉及 )?)\d+", r"\1N"),
    (r"attempt \d+: .*\n?.*numbers|调用 #?\d+：.*\n?.*(?:编号|单据)", "ATTEMPT"),
    (r'"Numbers":\[[^\]]*\]', '"Numbers":[]'),
    (r"(about )?[\d,]+ calls? · time.*|(约 )?[\d,]+ 次调用 · .*", "FORECAST"),
    (r"; (?:one chunk is|\d+ chunks are) on .*recorded|；\d+ 批已发出，会照常记录", ""),
]
_COUNTS = [(r"^  (\S+) +\d+$", r"\1 N"), (r"documents \d+|\d+ 张下游单据", "DOCUMENTS")]


def masked(text: str, *, counts_vary: bool = False) -> str:
    """Return what of an output is the same every time, whatever the width of the terminal."""
    for pattern, put in [*_VOLATILE, *(_COUNTS if counts_vary else ())]:
        text = re.sub(pattern, put, text, flags=re.MULTILINE)
    return "".join(text.split())


def width(text: str) -> int:
    """Return how many columns a terminal needs for a line."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def wrapped(line: str) -> Iterator[str]:
    """Break a line where a page is at its edge: at a space, behind a comma, or anywhere.

    >>> list(wrapped("word " * 17))
    ['word word word word word word word word word word word word word word word word', 'word']
    """
    while width(line) > COLUMNS:
        at = next(n for n in range(len(line), 0, -1) if width(line[:n]) <= COLUMNS)
        # Chinese breaks anywhere, but for marks that may not begin a line.
        while at > 1 and line[at] in "，。：；）”、":
            at -= 1
        words = max(line.rfind(" ", 0, at + 1), line.rfind(",", 0, at) + 1)
        if words > at // 2 and line[at].isascii():
            at = words
        yield line[:at].rstrip()
        line = line[at:].lstrip()
    yield line.rstrip()
