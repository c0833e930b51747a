"""XLSX as its file has it: the sheets of a workbook, and the cells of one as a stream.

Read here and not by a spreadsheet library, since what those give is too late or too little:
a cell that holds an error comes as an empty one, a number with its digits rounded, and a
stray cell in the last row and column costs the memory of all that lie between.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import IO, Final
from xml.parsers import expat

_CHUNK: Final = 1 << 16

# Characters that Excel itself allows in a cell are 32,767; what is longer is no spreadsheet.
_LONGEST_TEXT: Final = 1 << 20

_SPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_TAGS: Final = ("row", "c", "f", "v", "t", "si", "rPh", "sheet", "numFmt", "cellXfs", "xf")
_TAG_OF: Final = {f"{space} {tag}": tag for space in _SPACES for tag in _TAGS}

# Formats of dates that a file need not spell out (ECMA-376 18.8.30, those of East Asia included).
_DATE_FORMATS: Final = (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_DATE: Final = re.compile(r"[ymdhs]", re.IGNORECASE)
_SHAPED: Final = re.compile(r'[^.]*0,?0|.*(?:"[^"]*\w|\\\w)')

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


class XlsxError(Exception):
    """The file is no whole XLSX workbook."""


class Kind(Enum):
    """What a cell holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    SHAPED = "number that is shown with zeros or words around it"
    BOOLEAN = "boolean"
    ERROR = "error"
    NO_RESULT = "formula without a result"


# The types of cells, but for numbers and shared texts.
_KINDS: Final = {
    "str": Kind.TEXT,
    "inlineStr": Kind.TEXT,
    "b": Kind.BOOLEAN,
    "d": Kind.DATE,
    "e": Kind.ERROR,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        kind: What it holds.
        text: The text, or the number as the file writes it.
    """

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with cells, so no chart.

    Attributes:
        name: As its tab shows it.
        part: Where it is in the file.
        hidden: Whether its tab cannot be seen.
    """

    name: str
    part: str
    hidden: bool


Row = tuple[int, Mapping[int, Cell]]
"""Number of a row, from 1, and its cells by column, from 1; those that are not there are empty."""


@contextmanager
def opened_workbook(handle: IO[bytes]) -> Iterator[Workbook]:
    """Open a workbook.

    Raises:
        XlsxError: If it is none, or not whole; what is read later may raise it too.
    """
    with _damage(), zipfile.ZipFile(handle) as archive:
        root = _relations(archive, "")
        part = next((r.part for r in root.values() if r.kind == "officeDocument"), "")
        yield Workbook(archive, part, _relations(archive, part))


class Workbook:
    """An open workbook; made by `opened_workbook`."""

    def __init__(
        self, archive: zipfile.ZipFile, part: str, relations: Mapping[str, _Relation]
    ) -> None:
        self._archive = archive
        self._relations = relations
        sheets = [
            Sheet(
                attributes["name"],
                relations[key].part,
                attributes.get("state", "visible") != "visible",
            )
            for tag, attributes in _starts(archive, part)
            if tag == "sheet"
            and (key := _local(attributes, "id")) in relations
            and relations[key].kind == "worksheet"
        ]
        self.sheets: Sequence[Sheet] = sheets

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """Yield the rows of a sheet that have cells, as a stream."""
        texts = [text for part in self._parts("sharedStrings") for text in self._texts(part)]
        styles: dict[str, Kind] = {}
        for part in self._parts("styles"):
            styles |= _styles(self._archive, part)
        parser = _SheetParser(texts, styles)
        for chunk in _chunks(self._archive, sheet.part):
            parser.feed(chunk)
            yield from parser.rows
            parser.rows.clear()
        parser.close()

    def _parts(self, kind: str) -> list[str]:
        return [relation.part for relation in self._relations.values() if relation.kind == kind]

    def _texts(self, part: str) -> Iterator[str]:
        parser = _TextParser()
        for chunk in _chunks(self._archive, part):
            parser.feed(chunk)
            yield from parser.texts
            parser.texts.clear()
        parser.close()


def column_name(column: int) -> str:
    """Return the letters of a column, from 1.

    >>> column_name(1), column_name(26), column_name(27), column_name(16384)
    ('A', 'Z', 'AA', 'XFD')
    """
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class _Relation:
    kind: str
    part: str


@contextmanager
def _damage() -> Iterator[None]:
    """Turn what damaged archives and XML raise into `XlsxError`."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        EOFError,
        LookupError,  # a part, a text or an encoding that is not there
        RuntimeError,  # a member with a password, or a compression that zipfile does not know
        ValueError,
    ) as error:
        raise XlsxError(str(error)) from error


def _chunks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise ValueError("a document type, which no workbook has")

    parser.StartDoctypeDeclHandler = refuse
    return parser


def _starts(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the beginning of each element of a part: its tag and attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = _parser()
    parser.StartElementHandler = lambda name, attributes: found.append(
        (name.rpartition(" ")[2], attributes)
    )
    for chunk in _chunks(archive, part):
        parser.Parse(chunk)
        yield from found
        found.clear()
    parser.Parse(b"", True)  # noqa: FBT003 - expat's own way to say that this is the end


def _local(attributes: Mapping[str, str], name: str) -> str:
    """Return an attribute of any namespace, or ""."""
    return next((text for key, text in attributes.items() if key.endswith(f" {name}")), "")


def _relations(archive: zipfile.ZipFile, part: str) -> dict[str, _Relation]:
    """Return what a part says belongs to it, by id; "" is the file as a whole."""
    folder, name = posixpath.split(part)
    found = {}
    for tag, attributes in _starts(archive, posixpath.join(folder, "_rels", f"{name}.rels")):
        if tag == "Relationship":
            target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
            kind = attributes["Type"].rpartition("/")[2]
            found[attributes["Id"]] = _Relation(kind, target.lstrip("/"))
    return found


def _styles(archive: zipfile.ZipFile, part: str) -> dict[str, Kind]:
    """Return the styles that make something else of a number, by their index."""
    formats = dict.fromkeys(map(str, _DATE_FORMATS), Kind.DATE)
    styles: dict[str, Kind] = {}
    index = -1
    for tag, attributes in _starts(archive, part):
        if tag == "numFmt":
            formats[attributes["numFmtId"]] = _shown_as(attributes["formatCode"])
        elif tag == "cellXfs":
            index = 0
        elif tag == "cellStyles":
            break
        elif tag == "xf" and index >= 0:
            styles[str(index)] = formats.get(attributes.get("numFmtId", ""), Kind.NUMBER)
            index += 1
    return styles


def _shown_as(code: str) -> Kind:
    """Return what a format makes of a number.

    >>> _shown_as("yyyy-mm-dd").name, _shown_as("[h]:mm").name, _shown_as("[Red]#,##0.00").name
    ('DATE', 'DATE', 'NUMBER')
    >>> _shown_as("000000").name, _shown_as('"CGDD"0').name
    ('SHAPED', 'SHAPED')
    """
    if _DATE.search(_LITERAL.sub("", code)):
        return Kind.DATE
    return Kind.SHAPED if _SHAPED.match(code.partition(";")[0]) else Kind.NUMBER


class _TextParser:
    """Reads texts out of XML; phonetic ones, which explain a text, are none of it.

    Attributes:
        texts: The shared texts that have ended since they were last taken.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._pieces: list[str] = []
        self._length = 0
        self._keeping = False
        self._phonetic = False
        self._parser = _parser()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        self._parser.Parse(chunk)

    def close(self) -> None:
        """Say that this was all."""
        self._parser.Parse(b"", True)  # noqa: FBT003 - as above

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        tag = _TAG_OF.get(name)
        if tag == "t":
            self._keeping = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True

    def _end(self, name: str) -> None:
        self._keeping = False
        tag = _TAG_OF.get(name)
        if tag == "rPh":
            self._phonetic = False
        elif tag == "si":
            self.texts.append(self._taken())

    def _characters(self, text: str) -> None:
        if self._keeping:
            self._length += len(text)
            if self._length > _LONGEST_TEXT:
                raise ValueError("a text without end")
            self._pieces.append(text)

    def _taken(self) -> str:
        """Return the text so far, and begin anew."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


@dataclass(slots=True)
class _Open:
    """The cell that is being read."""

    kind: str = "n"
    style: str = ""
    has_formula: bool = False
    has_value: bool = False


class _SheetParser(_TextParser):
    """Reads rows out of the XML of a sheet.

    Attributes:
        rows: The rows that have ended since they were last taken.
    """

    def __init__(self, texts: Sequence[str], styles: Mapping[str, Kind]) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._shared = texts
        self._styles = styles
        self._columns: dict[str, int] = {}
        self._row = 0
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._cell = _Open()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = _TAG_OF.get(name)
        if tag == "c":
            place = attributes.get("r")
            self._column = self._column_of(place) if place else self._column + 1
            self._cell = _Open(attributes.get("t", "n"), attributes.get("s", "0"))
        elif tag == "v":
            self._keeping = self._cell.has_value = True
        elif tag == "f":
            self._cell.has_formula = True
        elif tag == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0
        else:
            super()._start(name, attributes)

    def _end(self, name: str) -> None:
        self._keeping = False
        tag = _TAG_OF.get(name)
        if tag == "c":
            cell = self._ended()
            if cell.text or cell.kind is Kind.NO_RESULT:
                self._cells[self._column] = cell
        elif tag == "row":
            if self._cells:
                self.rows.append((self._row, self._cells))
                self._cells = {}
        else:
            super()._end(name)

    def _ended(self) -> Cell:
        cell, text = self._cell, self._taken()
        if cell.has_formula and not cell.has_value:
            return Cell(Kind.NO_RESULT, "")
        if cell.kind == "s":
            return Cell(Kind.TEXT, self._shared[int(text)] if text else "")
        if cell.kind == "n":
            return Cell(self._styles.get(cell.style, Kind.NUMBER), text)
        return Cell(_KINDS.get(cell.kind, Kind.NUMBER), text)

    def _column_of(self, place: str) -> int:
        """Return the column of a place such as B17."""
        letters = place.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper():
                column = 26 * column + ord(letter) - ord("A") + 1
            self._columns[letters] = column
        return column
