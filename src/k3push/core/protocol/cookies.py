"""Cookies as servers write them, and only those that a request can carry back.

A library's jar keeps domains and paths apart, and then has two values for one name. The ERP
knows one session, so here the last value of a name counts, whatever it was set for. A cookie
that is none, or that no header can carry, is passed over; it is never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NAME = re.compile(r"[!-:<>-~]+")  # visible, without "=" and ";"
_VALUE = re.compile(r"(?:[!-:<-~](?:[ -:<-~]*[!-:<-~])?)?")  # visible, with blanks inside


def can_carry(value: str) -> bool:
    r"""Say whether *value* can stand in a header, and in a cookie beside others.

    >>> can_carry("6a1b-00"), can_carry("会话"), can_carry("a;b"), can_carry("a\r\nb")
    (True, False, False, False)
    """
    return _VALUE.fullmatch(value) is not None


def take_up(cookies: dict[str, str], lines: Iterable[bytes], now: datetime) -> None:
    r"""Add what the Set-Cookie *lines* of an answer set, and remove what they delete.

    >>> cookies = {"old": "1"}
    >>> lines = [b"a=1; path=/x", b"a=2; path=/", b"none", b"old=; Max-Age=0", b"b=\xff"]
    >>> take_up(cookies, lines, datetime(2026, 1, 2, tzinfo=UTC))
    >>> cookies
    {'a': '2'}
    """
    for line in lines:
        pair, *attributes = line.decode("latin-1").split(";")
        name, equals, value = (part.strip(" \t") for part in pair.partition("="))
        if not equals or not _NAME.fullmatch(name) or not can_carry(value):
            continue
        if _is_over(attributes, now):
            cookies.pop(name, None)
        else:
            cookies[name] = value


def _is_over(attributes: Iterable[str], now: datetime) -> bool:
    """Say whether a cookie is to be deleted; Max-Age outweighs Expires."""
    said = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        said[name.strip().lower()] = value.strip()
    if (age := said.get("max-age")) is not None and re.fullmatch(r"-?[0-9]+", age):
        return age.startswith("-") or not age.strip("0")
    try:
        expires = parsedate_to_datetime(said.get("expires", ""))
    except (ValueError, IndexError, OverflowError):
        return False
    return expires.replace(tzinfo=expires.tzinfo or UTC) <= now
