"""Which spellings the database takes for one text (P 4.7).

A Chinese SQL Server passes over letter case, over full and half width, and over
blanks at the end; an Oracle site compares exactly. Some collations take a ligature for its two
letters as well. The world and its queries take one of the functions below and use it for every
comparison of text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

Collation = Callable[[str], str]

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


@lru_cache(maxsize=4096)  # a number is compared some thirty times on its way
def loose(text: str) -> str:
    """Give the key under which SQL Server's usual Chinese collation compares *text*.

    >>> loose("ＣＧＤＤ0000017 ") == loose("cgdd0000017")
    True
    """
    if not text.isascii():
        text = text.translate(_FULL_WIDTH)
    return text.lower().rstrip(" ")


def spelt_out(text: str) -> str:
    """Give the key under which a collation compares *text* that spells ligatures out.

    >>> spelt_out("Æ3") == spelt_out("ae3 ")
    True
    """
    return loose(text).replace("æ", "ae").replace("œ", "oe")


def exact(text: str) -> str:
    """Give *text* itself: no two spellings are one."""
    return text
