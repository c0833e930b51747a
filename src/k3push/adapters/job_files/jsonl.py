"""JSONL: one string or object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import orjson

from k3push.adapters.job_files.elements import Elements, put_field
from k3push.adapters.job_files.number_columns import Headings
from k3push.adapters.job_files.sources import LONGEST_LINE, OpenJobFile
from k3push.adapters.job_files.troubles import BadLines, Code
from k3push.core.model import Listed

# The first key of a plan's first line.
PLAN_MARK = "k3push_plan"


def read_records(source: OpenJobFile, headings: Headings, bad: BadLines) -> Iterator[Listed]:
    """Read one JSON value a line.

    Raises:
        JobFileError: If it is one document, or a plan, instead, or breaks off in its last line.
    """
    if source.long_line is not None:
        raise bad.stop(Code.LONG_LINE, source.long_line, most=LONGEST_LINE)
    elements = Elements(headings, bad)
    first = True
    with source.text() as text:
        for line, record in enumerate(text, 1):
            if record.isspace():
                continue
            if first and record.startswith(f'{{"{PLAN_MARK}"'):
                raise bad.stop(Code.PLAN)
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
    """Whether the first line begins, or is, a document of the kind that ``json_lists`` reads.

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
    """Return the JSON value of a line, whole numbers with all their digits and all its keys.

    >>> _value("123456789012345678901234567890")
    123456789012345678901234567890
    >>> _value('{"number": "A", "number": "B"}')
    {'number': 'A', 'number ': 'B'}
    """
    value: object = orjson.loads(record)
    fields = value.values() if isinstance(value, dict) else (value,)
    # orjson rounds whole numbers above 64 bits, and of a key that is there twice it keeps the
    # last one only; the slower module does neither.
    may_repeat = isinstance(value, dict) and record.count(":") > len(value)
    if may_repeat or any(isinstance(field, float) for field in fields):
        try:
            return json.loads(record, object_pairs_hook=_fields)
        except (RecursionError, ValueError):  # it nests less deep, and reads fewer digits
            return value
    return value


def _fields(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs:
        put_field(fields, key, value)
    return fields
