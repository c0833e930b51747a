"""A job file as text: opened, of a kind that can be read, in an encoding that is certain.

The whole file is decoded once before its first number is read. That costs little beside
the reading itself, and it alone tells UTF-8 from GB18030 when the first Chinese character
comes after megabytes of ASCII.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from k3push.adapters.job_files.troubles import Code, JobFileError, Trouble

LONGEST_LINE: Final = 131_072
"""Characters of the longest line of a table, as the csv module limits a cell."""

_CHUNK: Final = 1 << 16
UTF8: Final = "utf-8"
_GB18030: Final = "gb18030"

_BOMS: Final = (
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", _GB18030),
)
ZIP: Final = b"PK\x03\x04"
"""How a ZIP archive begins, and with it an XLSX workbook."""

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file of Office 97 begins, and with it an XLSX workbook that has a password."""

_OTHER_KINDS: Final = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"%PDF-", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!\x1a", "RAR"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"PAR1", "Parquet"),
    (b"{\\rtf", "RTF"),
)
# Many systems "export to Excel" by naming a web page .xls or .csv.
_MARKUP: Final = re.compile(r"\s*<(?:[!?]|(?:html|head|meta|body|table|xml|div)\b)", re.IGNORECASE)

# What cannot be decoded appears as one of these under the error handler that _pieces uses.
_ESCAPED: Final = "\udc80-\udcff"
_REPLACED: Final = "\ufffd"


@dataclass(frozen=True, slots=True)
class OpenJobFile:
    """An open job file whose every byte is known to be text.

    Attributes:
        file: Name for messages.
        handle: The open file, seekable.
        start: Bytes to pass over before the text (a byte order mark).
        long_line: The first line longer than ``LONGEST_LINE``, from 1, or None.
    """

    file: str
    handle: IO[bytes]
    start: int
    encoding: str
    long_line: int | None = None

    @contextmanager
    def text(self, errors: str = "strict") -> Iterator[io.TextIOWrapper]:
        """Read from the start as text; lines keep their ends, whether LF, CRLF or CR.

        Readings may be nested: the file's position is put back for the outer one.
        """
        position = self.handle.tell()
        self.handle.seek(self.start)
        text = io.TextIOWrapper(self.handle, self.encoding, errors, newline="")
        try:
            yield text
        finally:
            text.detach()
            self.handle.seek(position)

    def head(self) -> str:
        """Return the first characters that are not all blank, "" if there are none."""
        with self.text() as text:
            while (head := text.read(_CHUNK)).isspace():
                pass
            return head

    def feed(self) -> Iterator[tuple[int, bytes]]:
        """Yield the text in UTF-8, cut after every line end, each piece with its line from 1.

        A piece is never long: a line without end comes in many.
        """
        line = 1
        after_cr = False
        with self.text() as text:
            while chunk := text.read(_CHUNK).encode():
                if after_cr and chunk.startswith(b"\n"):
                    line -= 1
                for piece in chunk.splitlines(keepends=True):
                    yield line, piece
                    if piece.endswith((b"\n", b"\r")):
                        line += 1
                after_cr = chunk.endswith(b"\r")


@contextmanager
def opened(source: Path | IO[bytes], file: str) -> Iterator[IO[bytes]]:
    """Open *source* so that it can be read more than once.

    What cannot be read twice (standard input, a named pipe) is copied to a temporary file.

    Raises:
        JobFileError: If it cannot be opened.
    """
    if not isinstance(source, Path):
        with _copied(source) as copy:
            yield copy
        return
    if source.is_dir():  # said before Windows calls it a lack of permission
        raise JobFileError(Trouble(Code.FOLDER, file))
    try:
        handle = source.open("rb")
    except FileNotFoundError as error:
        is_word = file == source.stem  # neither a folder nor an ending: a bill, perhaps
        raise JobFileError(Trouble(Code.MISSING_WORD if is_word else Code.MISSING, file)) from error
    except PermissionError as error:
        raise JobFileError(Trouble(Code.NO_PERMISSION, file)) from error
    with handle:
        mode = os.fstat(handle.fileno()).st_mode
        if (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)) and not handle.isatty():
            raise JobFileError(Trouble(Code.DEVICE, file))
        if handle.seekable():
            yield handle
        else:
            with _copied(handle) as copy:
                yield copy


@contextmanager
def _copied(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, _CHUNK)
        copy.seek(0)
        yield copy


def survey(handle: IO[bytes], file: str) -> OpenJobFile:
    """Find out the encoding, by decoding all of the file.

    Raises:
        JobFileError: If the file is empty, of another kind, damaged, or in no known encoding.
    """
    head = handle.read(_CHUNK)
    if not head:
        raise JobFileError(Trouble(Code.NO_BYTE, file))
    if head.startswith(ZIP):
        raise JobFileError(Trouble(Code.WORKBOOK_BY_ANOTHER_NAME, file))
    if head.startswith(OLE):
        raise JobFileError(Trouble(Code.WORKBOOK, file, facts={"kind": "XLS"}))
    for magic, kind in _OTHER_KINDS:
        if head.startswith(magic):
            raise JobFileError(Trouble(Code.OTHER_KIND, file, facts={"kind": kind}))
    source = _decoded(handle, file, head)
    if _MARKUP.match(source.head()):
        raise JobFileError(Trouble(Code.OTHER_KIND, file, 1, facts={"kind": "HTML/XML"}))
    return source


def _decoded(handle: IO[bytes], file: str, head: bytes) -> OpenJobFile:
    """Return the source in the first encoding that fits all of it."""
    start, encoding = _marked(head)
    if encoding:
        return _scanned(OpenJobFile(file, handle, start, encoding))
    utf8 = OpenJobFile(file, handle, 0, UTF8)
    try:
        return _scanned(utf8)
    except JobFileError:
        if _is_damaged_utf8(utf8):
            raise
    return _scanned(OpenJobFile(file, handle, 0, _GB18030))


def _marked(head: bytes) -> tuple[int, str]:
    """Return the length of the byte order mark and the encoding; "" if it is not evident."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return len(bom), encoding
    # Digits, commas and line ends are half NUL in UTF-16, always the same half.
    pairs = len(head) // 2
    first, second = head[: 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if second * 4 >= pairs > 0 and first * 10 <= second:
        return 0, "utf-16-le"
    if first * 4 >= pairs > 0 and second * 10 <= first:
        return 0, "utf-16-be"
    return 0, ""


def _scanned(source: OpenJobFile) -> OpenJobFile:
    """Decode everything strictly; return the source with its first long line.

    Raises:
        JobFileError: If a byte cannot be decoded, or is NUL.
    """
    decoder = codecs.getincrementaldecoder(source.encoding)()
    newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
    line, length = 1, 0
    long_line: int | None = None
    source.handle.seek(source.start)
    final = False
    while not final:
        chunk = source.handle.read(_CHUNK)
        final = not chunk
        try:
            text = newlines.decode(chunk, final=final)
        except UnicodeDecodeError as error:
            line = _line_of(source, f"[{_ESCAPED}{_REPLACED}]")
            facts = {"encoding": source.encoding.upper()}
            raise JobFileError(Trouble(Code.UNDECODABLE, source.file, line, facts=facts)) from error
        if "\0" in text:
            line = _line_of(source, "\0")
            raise JobFileError(Trouble(Code.NUL, source.file, line))
        # A chunk is shorter than the longest line, so a long line fills or ends no single one.
        first = text.find("\n")
        length += len(text) if first < 0 else first
        if length > LONGEST_LINE and long_line is None:
            long_line = line
        if first >= 0:
            line += text.count("\n")
            length = len(text) - text.rfind("\n") - 1
    return OpenJobFile(source.file, source.handle, source.start, source.encoding, long_line)


def _pieces(source: OpenJobFile) -> Iterator[str]:
    """Yield the text with LF for every line end, undecodable bytes marked."""
    # The UTF-16 codecs cannot escape; there a replacement character stands for the bytes.
    errors = "replace" if source.encoding.startswith("utf-16") else "surrogateescape"
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    with source.text(errors) as text:
        while piece := text.read(_CHUNK):
            yield newlines.decode(piece)


def _line_of(source: OpenJobFile, pattern: str) -> int:
    """Return the line, from 1, of the first character that matches *pattern*."""
    if not source.encoding.startswith("utf-16"):
        pattern = pattern.replace(_REPLACED, "")  # may stand in the file in its own right
    line = 1
    for piece in _pieces(source):
        found = re.search(pattern, piece)
        if found:
            return line + piece.count("\n", 0, found.start())
        line += piece.count("\n")
    return line  # not there any more: someone has written to the file


def _is_damaged_utf8(source: OpenJobFile) -> bool:
    """Whether text that is not wholly UTF-8 was meant to be.

    It was if two characters of three bytes come before the first wrong byte: GB18030 looks
    like that hardly ever, and damaged UTF-8 read as GB18030 gives other characters unseen.
    """
    wide = 0
    for piece in _pieces(source):
        for found in re.finditer("[\u0800-\uffff]", piece):
            if "\udc80" <= found[0] <= "\udcff":
                return False
            wide += 1
            if wide == 2:  # noqa: PLR2004 - see the docstring
                return True
    return False
