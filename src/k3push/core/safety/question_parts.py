"""Numbers into questions: so many in each, and so long, as every server takes.

Two spellings that might be one bill never share a question: whose would the answer be?
"""

from __future__ import annotations

from collections.abc import Iterable

from k3push.core.model import BillNumber
from k3push.core.pacing.chunking import apart, split
from k3push.core.safety.matching import fold

# An IN list of this many numbers, and a filter of this many characters, went through on every
# server that is known of; nothing official limits them.
MOST_NUMBERS = 100
MOST_CHARACTERS = 4000


def questions(numbers: Iterable[BillNumber]) -> list[tuple[BillNumber, ...]]:
    """Divide numbers into lists of which each can be one filter.

    >>> questions([BillNumber("a1"), BillNumber("B2"), BillNumber("A1")])
    [('a1', 'B2'), ('A1',)]
    """
    rounds = apart(dict.fromkeys(numbers), fold)
    return [part for each in rounds for part in _short_enough(each)]


def _short_enough(numbers: list[BillNumber]) -> list[tuple[BillNumber, ...]]:
    # A quote is written twice.
    longest = max(len(number) + number.count("'") for number in numbers) + len("'',")
    return split(numbers, max(1, min(MOST_NUMBERS, MOST_CHARACTERS // longest)))
