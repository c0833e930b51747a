"""What the ledger keeps in English, in the language of whoever reads it.

A ledger has one language, so that a query of it finds what any process wrote.
"""

from __future__ import annotations

import re

from k3push.cli.words import Say, speaker

_KEPT = (
    "kept.wait",
    "kept.log in",
    "kept.doubt",
    "kept.success",
    "kept.refused twice",
    "kept.refused",
    "kept.killed",
    "kept.settled",
    "kept.retry",
    "kept.user",
    "kept.person",
)


def kept(text: str, say: Say) -> str:
    """Say a verdict or a note of the ledger; one that is not known stays as it is.

    >>> kept("in doubt (broken: the connection broke (ReadError))", speaker("zh"))
    '存疑（broken：the connection broke (ReadError)）'
    """
    for key in _KEPT:
        english = re.escape(speaker("en")(key))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", english)
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return say(key, **match.groupdict()) if match.groupdict() else say(key)
    return text
