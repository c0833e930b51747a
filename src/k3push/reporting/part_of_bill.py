"""The part of a request or an answer that is about one bill, of the many that share a call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from k3push.core.safety.named_bills import messages_by_number

# Shorter lists are shown as they are.
MOST_WHOLE = 3

# The ERP takes the ids of a call as one text.
_IDS = re.compile(r"[0-9]+(,[0-9]+)+")


def part_of_bill(text: str, names: Collection[str], others: Callable[[int], str]) -> str:
    """Return a text of JSON whose lists leave out what is about other bills.

    In a list of which some items name the bill or its documents, the others are left out. What is
    no JSON, or holds no such list, is returned as it is.

    Args:
        text: A body.
        names: Numbers and ids of the bill and its documents.
        others: Says how many items are left out.

    >>> part_of_bill('{"Numbers":["A1","A2","A3","A4"]}', ["A2"], lambda n: f"{n} more")
    '{"Numbers":["A2","3 more"]}'
    """
    try:
        whole = json.loads(text)
        part = _part(whole, names, others)
        return (
            text if part == whole else json.dumps(part, ensure_ascii=False, separators=(",", ":"))
        )
    except (ValueError, RecursionError):
        return text


def _part(value: Any, names: Collection[str], others: Callable[[int], str]) -> Any:
    if isinstance(value, dict):
        return {key: _part(each, names, others) for key, each in value.items()}
    if isinstance(value, str) and _IDS.fullmatch(value):
        return ",".join(map(str, _part(value.split(","), names, others)))
    if not isinstance(value, list):
        return value
    own = [each for each in value if _names_any(each, names)]
    left_out = len(value) - len(own)
    if own and left_out and len(value) > MOST_WHOLE:
        return [*own, others(left_out)]
    return [_part(each, names, others) for each in value]


def _names_any(value: Any, names: Collection[str]) -> bool:
    if isinstance(value, dict):
        return any(_names_any(each, names) for each in value.values())
    if isinstance(value, list):
        return any(_names_any(each, names) for each in value)
    text = str(value)
    return text in names or (isinstance(value, str) and bool(messages_by_number([text], names)))
