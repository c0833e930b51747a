"""Which numbers of bills, or of documents, a message of the ERP names.

A message that names a number wrongly rejects a sound bill with another's reason, and a message
that is passed over costs no more than a few calls, since the refused chunk is split until the bad
bills are found. So a number counts only where it surely stands as a bill:

- in quotes or brackets of its own, or
- between characters that no number continues with, if it is too long for a quantity.

A Chinese character is no such boundary: numbers may hold them (``CGDD01改``). The number of a row
(``第1行``) is never a bill.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, number_in

_ROW = re.compile(r"第\s*[^第行]{1,20}\s*行")

_PAIRS = {
    "“": "”",
    "‘": "’",
    "「": "」",
    "『": "』",
    "《": "》",
    "【": "】",
    "[": "]",
    "(": ")",
    "（": "）",
    "<": ">",
    '"': '"',
    "'": "'",
}

# Dots, slashes, hyphens and the like join the parts of a number, and are left out.
_BOUNDS = (
    frozenset(" \t\r\n\u3000,;:!?，。；：、！？…") | frozenset(_PAIRS) | frozenset(_PAIRS.values())
)

# A bare number below these lengths may as well be a quantity, a row or a warehouse.
_LEAST_WITH_LETTERS = 4
_LEAST_OF_DIGITS = 6


def messages_naming(
    messages: Sequence[str], numbers: Collection[BillNumber]
) -> dict[BillNumber, list[str]]:
    """Find the messages that name a number; numbers without one are absent.

    Of a bill that is known by number and id, messages name the number.

    >>> bills = [BillNumber("CGDD01"), BillNumber("CGDD01-2"), BillNumber("1")]
    >>> messages_naming(["单据“CGDD01-2”未审核", "第1行分录的数量 1 不足"], bills)
    {'CGDD01-2': ['单据“CGDD01-2”未审核']}
    """
    bills = {number_in(number): number for number in numbers}
    by_number = messages_by_number(messages, bills)
    named = {bills[BillNumber(number)]: words for number, words in by_number.items()}
    return {number: named[number] for number in numbers if number in named}


def messages_by_number(messages: Sequence[str], numbers: Collection[str]) -> dict[str, list[str]]:
    """Find the messages that name a number, each taken as it is; numbers without one are absent.

    >>> messages_by_number(["单据“CGRK01-2”未审核"], ["CGRK01", "CGRK01-2"])
    {'CGRK01-2': ['单据“CGRK01-2”未审核']}
    """
    named: dict[str, list[str]] = {}
    # The longest first, so that a number inside another is not seen in the other's place.
    by_length = sorted(filter(None, dict.fromkeys(numbers)), key=len, reverse=True)
    for message in messages:
        rest = _ROW.sub(lambda match: "\0" * len(match[0]), message)
        for number in by_length:
            places = [at for at in _places(rest, number) if _stands(rest, at, number)]
            if places:
                named.setdefault(number, []).append(message)
            for at in places:
                rest = rest[:at] + "\0" * len(number) + rest[at + len(number) :]
    return named


def naming_one(messages: Sequence[str], numbers: Collection[BillNumber]) -> list[str]:
    """Leave out the messages that name several bills: each may be sound without the others.

    >>> bills = [BillNumber("CGDD01"), BillNumber("CGDD02")]
    >>> naming_one(["单据“CGDD01”与单据“CGDD02”的供应商不同", "单据“CGDD01”未审核"], bills)
    ['单据“CGDD01”未审核']
    """
    return [each for each in messages if len(messages_naming([each], numbers)) < 2]  # noqa: PLR2004


def _places(text: str, part: str) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(part), text)]


def _stands(text: str, at: int, number: str) -> bool:
    """Say whether the number at a place stands there as a bill."""
    before = text[at - 1 : at] if at else ""
    after = text[at + len(number) : at + len(number) + 1]
    if before and _PAIRS.get(before) == after:
        return True
    bounded = (not before or before in _BOUNDS) and (not after or after in _BOUNDS)
    return bounded and _is_no_quantity(number)


def _is_no_quantity(number: str) -> bool:
    if number.isdigit():
        return len(number) >= _LEAST_OF_DIGITS
    return len(number) >= _LEAST_WITH_LETTERS and any(map(str.isdigit, number))
