"""What no text from outside may hold, wherever it is typed or stored."""

from __future__ import annotations

import re

from k3push.core.remark import remark

JSON_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.?",
    re.DOTALL,
)
"""An escape in a text of JSON: both halves of a surrogate pair, one half alone, or any other."""


# So many characters of a text of others are shown: some twelve lines, enough to know what it is.
MOST_OPENING = 1000


def opening(text: str) -> str:
    """Return words of others as a message shows them: a page without end tells no more.

    >>> opening("密码错误"), opening("x" * 5000)[-3:]
    ('密码错误', 'xx…')
    """
    return text if len(text) <= MOST_OPENING else f"{text[:MOST_OPENING]}…"


def flaw_of(text: str) -> str:
    r"""Return what is wrong with a text, as a remark; "" if nothing is.

    Bytes that are no text come from the system as lone surrogates, which no file of UTF-8, no
    database and no call can hold; a NUL ends a name for the system, and a text for a driver.

    >>> flaw_of("a\0b"), flaw_of("a\udcff"), flaw_of("采购")
    ('text.nul{}', 'text.not_utf8{}', '')
    """
    if "\0" in text:
        return remark("text.nul")
    try:
        text.encode()
    except UnicodeEncodeError:
        return remark("text.not_utf8")
    return ""
