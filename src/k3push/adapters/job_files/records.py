"""JSONL: one string or object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import orjson

from k3push.adapters.job_files.elements import Elements
from k3push.adapters.job_files.numbers import Headings
from k3push.adapters.job_files.sources import LONGEST_LINE, Source
from k3push.adapters.job_files.troubles import BadLines, Code
from k3push.core.model import Listed


def read_records(source: Source, headings: Headings, bad: BadLines) -> Iterator[Listed]:
    """Read one JSON value a line.

    Raises:
        JobFileError: If it is one document instead, or breaks off in its last line.
    """
    if source.long_line is not None:
        raise bad.stop(Code.LONG_LINE, source.long_line, most=LONGEST_LINE)
    elements = Elements(headings, bad)
    first = True
    with source.text() as text:
        for line, record in enumerate(text, 1):
            if record.isspace():
                continue
            if first and _is_document(record):
                raise bad.stop(Code.JSON_NOT_LINES, line)
            first = False
            try:
                value = _value(record)
            except orjson.JSONDecodeError as error:
                if not record.endswith(("\n", "\r")):
                    raise bad.stop(Code.CUT_OFF, line) from error
                bad.add(Code.BAD_RECORD, line)
                continue
            listed = elements.listed(value, line)
            if listed is not None:
                yield listed


def _is_document(record: str) -> bool:
    """Whether the first line begins, or is, a document of the kind that ``documents`` reads.

    >>> _is_document("["), _is_document('{"numbers": []}'), _is_document('{"number": "A"}')
    (True, True, False)
    """
    record = record.strip()
    if record.startswith("[") or record == "{":
        return True
    try:
        value = orjson.loads(record)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and "numbers" in map(str.casefold, value)


def _value(record: str) -> object:
    """Return the JSON value of a line, whole numbers with all their digits.

    >>> _value("123456789012345678901234567890")
    123456789012345678901234567890
    """
    value: object = orjson.loads(record)
    fields = value.values() if isinstance(value, dict) else (value,)
    if any(isinstance(field, float) for field in fields):
        # orjson rounds whole numbers above 64 bits; the slower module does not.
        try:
            return json.loads(record)
        except RecursionError:  # it nests less deep than orjson
            return value
    return value
