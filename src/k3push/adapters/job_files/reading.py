"""From a path or a stream to numbers: which reader a job file needs, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Final

import orjson

from k3push.adapters.job_files.delimited import read_table
from k3push.adapters.job_files.json_lists import read_document
from k3push.adapters.job_files.jsonl import read_records
from k3push.adapters.job_files.number_columns import Headings, tidy
from k3push.adapters.job_files.sources import ZIP, OpenJobFile, opened, survey
from k3push.adapters.job_files.troubles import BadLines, Code, Trouble
from k3push.core.model import Listed

_Reader = Callable[[OpenJobFile, Headings, BadLines], Iterator[Listed]]

_TABLES: Final = (".csv", ".tsv", ".txt")
_DOCUMENTS: Final = (".json",)
_RECORDS: Final = (".jsonl", ".ndjson")
_WORKBOOKS: Final = (".xlsx", ".xlsm")
_OTHER_WORKBOOKS: Final = (".xlsb", ".xls", ".et", ".ods")

_SETTINGS: Final = ".toml"
"""What k3push's own settings are called, whose every line would be a number: a password, too."""

SUFFIXES: Final = (*_TABLES, *_DOCUMENTS, *_RECORDS, *_WORKBOOKS)
"""Extensions of job files."""

# A bill number may begin with a bracket; JSON has one of these behind it.
_JSON_BEGINS: Final = re.compile(r'\s*(?:\[\s*(?:["{\[\]\d-]|$)|\{\s*(?:["}]|$))')


def read_job(
    source: Path | BinaryIO,
    *,
    name: str = "-",
    column: str | None = None,
    sheet: str | None = None,
    skip_bad_lines: bool = False,
    on_bad_line: Callable[[Trouble], None] | None = None,
) -> Iterator[Listed]:
    r"""Yield the numbers of a job file in its order, repeats included, as a stream.

    Nothing may be sent before the iterator has ended by itself: bad lines are raised there,
    all at once, after the good ones were yielded. What is wrong with the file as a whole is
    raised as soon as it is met.

    Args:
        source: The file, or a binary stream such as standard input, which is copied to a
            temporary file first. The name's extension says what is in it; that of a stream
            and any other extension is found out.
        name: What messages call it; "-" is standard input, and a file by its path.
        column: Heading or key of the bill numbers, instead of the known ones.
        sheet: Sheet of a workbook, instead of the first that can be seen; "" is the only one that
            can be seen and has cells.
        skip_bad_lines: Whether to go on without lines that have no usable number.
        on_bad_line: Told of each line that is skipped, and of sheets that are not read.

    Raises:
        JobFileError: If the file must be mended first.

    >>> import io
    >>> list(read_job(io.BytesIO("单据编号;备注\nCGDD0000017;急\n".encode("gb18030"))))
    [Listed(line=2, number='CGDD0000017', route='', id='')]
    """
    file = str(source) if isinstance(source, Path) and name == "-" else name
    suffix = source.suffix.lower() if isinstance(source, Path) else ""
    bad = BadLines(file, skip=skip_bad_lines, on_bad_line=on_bad_line)
    try:
        with opened(source, file) as handle:
            if suffix == _SETTINGS:
                raise bad.stop(Code.SETTINGS)
            if _is_workbook(handle, suffix, bad):
                # Few lists are workbooks, and help and status need none of it.
                from k3push.adapters.job_files.xlsx_lists import read_workbook  # noqa: PLC0415

                yield from read_workbook(handle, sheet, Headings(column), bad)
            else:
                surveyed = survey(handle, file)
                reader = _reader(surveyed, suffix, bad)
                yield from reader(surveyed, Headings(column), bad)
    except UnicodeDecodeError as error:  # every byte could be decoded a moment ago
        raise bad.stop(Code.CHANGED) from error
    except OSError as error:
        raise bad.stop(Code.UNREADABLE, reason=error.strerror or str(error)) from error
    bad.end()


def _is_workbook(handle: IO[bytes], suffix: str, bad: BadLines) -> bool:
    """Whether a file is an XLSX workbook, or is called one."""
    begin = handle.read(len(ZIP))
    handle.seek(0)
    if begin and suffix in _OTHER_WORKBOOKS:
        # Text that is only called a workbook would be misread by what its name promises.
        raise bad.stop(Code.WORKBOOK, kind=suffix[1:].upper())
    return suffix in _WORKBOOKS or (begin == ZIP and suffix not in SUFFIXES)


def _reader(source: OpenJobFile, suffix: str, bad: BadLines) -> _Reader:
    """Choose the reader by extension, else by content; they must not contradict each other."""
    head = source.head()
    begins = tidy(head)[:1]
    if suffix in _DOCUMENTS or suffix in _RECORDS:
        if not begins:
            raise bad.stop(Code.BLANK)
        if begins == '"' and suffix in _DOCUMENTS:
            raise bad.stop(Code.LINES_NOT_JSON, 1)
        if begins not in '[{"':
            raise bad.stop(Code.NOT_JSON, 1)
        return read_document if suffix in _DOCUMENTS else read_records
    if not _JSON_BEGINS.match(head):
        return read_table
    if suffix in _TABLES:
        raise bad.stop(Code.JSON_IN_TABLE, 1)
    return read_records if begins == "{" and _is_record(head) else read_document


def _is_record(head: str) -> bool:
    r"""Whether the first line is a JSON object of its own, and no list with a route.

    >>> _is_record('{"number": "A"}\n'), _is_record('{"numbers": ["A"]}'), _is_record('{\n')
    (True, False, False)
    """
    try:
        value = orjson.loads(head.lstrip().partition("\n")[0])
    except orjson.JSONDecodeError:
        return False
    return not any(key.casefold() == "numbers" for key in value)
