"""Single values of the ERP's JSON, which comes from many programs: ids, numbers and texts."""

from __future__ import annotations

from typing import Any

from k3push.core.remark import foreign, remark

# How .NET writes "no id".
NO_ID = "0"

# From here on, whole numbers that came as fractions may have lost digits.
INEXACT = 2.0**53


class UnreadableError(Exception):
    """The bytes are not what the ERP sends."""


def name_in(value: Any) -> str:
    """Read an id or a number, by which one bill is told from another.

    Raises:
        UnreadableError: If it is neither text nor a whole number with all its digits.
    """
    if isinstance(value, str):
        return value.strip()
    if type(value) is int:  # a truth value is one as well, and names nothing
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < INEXACT:
        return str(int(value))
    if value is None:
        return ""
    raise UnreadableError(remark("answer.no_id", value=str(value)[:40]))


def text_in(value: Any) -> str:
    """Read a code or a text, which come as numbers, as text, as null or as one blank."""
    if isinstance(value, str):
        return foreign(value.strip())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or isinstance(value, dict | list) else str(value)
