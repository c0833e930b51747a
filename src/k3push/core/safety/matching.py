"""Which spellings may be one bill, and which answer rows belong to which numbers asked for.

The ERP's database may pass over letter case and width when it compares (P 4.7), so a row can
come back in another spelling than the one asked for. Whether it does is asked, not guessed:
two spellings that might be one bill never share a question (`question_parts`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from k3push.core.model import BillNumber

Row = TypeVar("Row")

_KATAKANA = {hiragana: hiragana + 0x60 for hiragana in range(0x3041, 0x3097)}

# Combining marks, and characters that only join or part others.
_UNSEEN = {"Mn", "Cf"}


def fold(number: str) -> str:
    """Map spellings that some database may regard as equal to one form.

    Letter case, width, accents, kinds of kana, and characters that nobody sees (P 4.7). If it maps
    together spellings that no database regards as equal, nothing is lost: they are asked for in two
    questions.

    >>> fold("ＣＧＤＤ0000017 ") == fold("cgdd0000017")
    True
    >>> fold("CGあ1") == fold("cgｱ1"), fold("CGé1") == fold("CGE1")
    (True, True)
    """
    if number.isascii():  # NFKD and casefold do no more to ASCII
        return number.lower().strip()
    plain = unicodedata.normalize("NFKD", number).casefold().translate(_KATAKANA)
    return "".join(c for c in plain if unicodedata.category(c) not in _UNSEEN).strip()


def assign(
    asked: Sequence[BillNumber], rows: Iterable[tuple[BillNumber, Row]]
) -> tuple[dict[BillNumber, list[Row]], bool]:
    """Give each row to the number that it answers.

    Args:
        asked: The numbers of one question.
        rows: The ERP's spelling, and what it belongs to.

    Returns:
        The rows of each number that has some, and whether a row was left that fits none. What is
        not told apart by all (`maybe_spelled_otherwise`) fits a number that was asked for alone.

    >>> assign([BillNumber("a1"), BillNumber("B2")], [(BillNumber("A1"), "row")])
    ({'a1': ['row']}, False)
    """
    exact = set(asked)
    by_fold: dict[str, BillNumber] = {}
    found: dict[BillNumber, list[Row]] = {}
    left = False
    for spelling, row in rows:
        number: BillNumber | None = spelling
        if spelling not in exact:
            by_fold = by_fold or {fold(asked_for): asked_for for asked_for in asked}
            number = by_fold.get(fold(spelling))
        if number is None and len(asked) == 1 and not (spelling + asked[0]).isascii():
            number = asked[0]
        if number is None:
            left = True
        else:
            found.setdefault(number, []).append(row)
    return found, left


def maybe_spelled_otherwise(
    asked: Sequence[BillNumber], found: Collection[BillNumber]
) -> list[BillNumber]:
    """Return numbers of a question that may be spelled as other numbers of it.

    A row is spelled in one way, and some databases take a ligature for two letters. Only numbers
    of English letters, digits and signs, which `fold` tells apart, are told apart by all.

    Args:
        asked: The numbers of one question.
        found: Those that have rows.

    >>> maybe_spelled_otherwise([BillNumber("AE3"), BillNumber("\u00e63")], [BillNumber("\u00e63")])
    ['AE3']
    >>> maybe_spelled_otherwise([BillNumber("A1"), BillNumber("A2")], [BillNumber("A2")])
    []
    """
    silent = [number for number in asked if number not in found]
    if all(number.isascii() for number in found):
        return [number for number in silent if found and not number.isascii()]
    return silent
