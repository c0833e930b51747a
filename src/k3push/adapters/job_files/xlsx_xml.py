"""The XML in an XLSX file: parsers of cells and shared texts, and what number formats show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final
from xml.parsers import expat

MOST_ROWS: Final = 1 << 20
"""Rows of the longest sheet, and with `MOST_COLUMNS` all that a workbook may have (ECMA-376)."""

MOST_COLUMNS: Final = 1 << 14

# Characters that Excel itself allows in a cell are 32,767; what is longer is no spreadsheet.
_LONGEST_TEXT: Final = 1 << 20

# Bytes of one tag with all its attributes: the parser keeps it until it ends.
_LONGEST_TAG: Final = 1 << 20

# Elements within elements; those of a workbook are some ten deep.
_DEEPEST: Final = 100

MOST_TEXTS: Final = 1 << 22
"""Texts that cells share, and with `MOST_TEXT_CHARACTERS` what may be kept of them in memory."""

MOST_TEXT_CHARACTERS: Final = 1 << 28

_SPACES: Final = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_TAGS: Final = ("row", "c", "f", "v", "t", "si", "rPh")
_TAG_OF: Final = {f"{space} {tag}": tag for space in _SPACES for tag in _TAGS}

_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
_DATE: Final = re.compile(r"[ymdhs]", re.IGNORECASE)
_SHAPED: Final = re.compile(r'[^.]*0,?0|.*(?:"[^"]*\w|\\\w)')

_PLACE: Final = re.compile(r"([A-Za-z]{1,3})[0-9]*")
_ROW: Final = re.compile(r"[0-9]{1,7}")

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


class CellKind(Enum):
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
    "str": CellKind.TEXT,
    "inlineStr": CellKind.TEXT,
    "b": CellKind.BOOLEAN,
    "d": CellKind.DATE,
    "e": CellKind.ERROR,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        kind: What it holds.
        text: The text, or the number as the file writes it; of a formula that was to fill
            several cells and was never worked out, their places.
    """

    kind: CellKind
    text: str


Row = tuple[int, Mapping[int, Cell]]
"""Number of a row, from 1, and its cells by column, from 1; those that are not there are empty."""


def shown_as(code: str) -> CellKind:
    """Return what a format makes of a number.

    >>> shown_as("yyyy-mm-dd").name, shown_as("[h]:mm").name, shown_as("[Red]#,##0.00").name
    ('DATE', 'DATE', 'NUMBER')
    >>> shown_as("000000").name, shown_as('"CGDD"0').name
    ('SHAPED', 'SHAPED')
    """
    if _DATE.search(_LITERAL.sub("", code)):
        return CellKind.DATE
    return CellKind.SHAPED if _SHAPED.match(code.partition(";")[0]) else CellKind.NUMBER


def xml_parser() -> expat.XMLParserType:
    """Return a parser whose names have their namespace before them; it takes no document type."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise ValueError("a document type, which no workbook has")

    parser.StartDoctypeDeclHandler = refuse
    return parser


class ParserFeed:
    """Gives a parser its bytes, and sees that it has to keep few of them."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        self._fed = 0
        self._depth = 0

    def feed(self, chunk: bytes) -> None:
        """Read on; raises `ValueError` where a tag has no end."""
        self._parser.Parse(chunk)
        self._fed += len(chunk)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TAG + len(chunk):
            raise ValueError("a tag without end")

    def close(self) -> None:
        """Say that this was all."""
        self._parser.Parse(b"", True)  # noqa: FBT003 - expat's own way to say so

    def begin(self) -> None:
        """Count an element that begins; raises `ValueError` where it is within too many others."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("elements within elements without end")

    def end(self) -> None:
        """Count an element that ends."""
        self._depth -= 1


class TextParser(ParserFeed):
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
        parser = xml_parser()
        super().__init__(parser)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self.begin()
        tag = _TAG_OF.get(name)
        if tag == "t":
            self._keeping = not self._phonetic
        elif tag == "rPh":
            self._phonetic = True

    def _end(self, name: str) -> None:
        self.end()
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
    fills: str = ""


class SheetParser(TextParser):
    """Reads rows out of the XML of a sheet.

    Attributes:
        rows: The rows that have ended since they were last taken.
    """

    def __init__(self, texts: Sequence[str], styles: Mapping[str, CellKind]) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._shared = texts
        self._styles = styles
        self._columns: dict[str, int] = {}
        self._row = 0
        self._column = 0
        self._cells: dict[int, Cell] = {}
        self._count = 0
        self._cell = _Open()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        super()._start(name, attributes)
        tag = _TAG_OF.get(name)
        if tag == "c":
            # Empty ones in one place would be as many as somebody likes.
            self._count += 1
            if self._count > MOST_COLUMNS:
                raise ValueError(f"more cells in row {self._row} than a sheet has columns")
            place = attributes.get("r")
            self._column = self._column_of(place) if place else self._column + 1
            if self._column > MOST_COLUMNS:
                raise ValueError(f"a cell in column {self._column}, which no sheet has")
            self._cell = _Open(attributes.get("t", "n"), attributes.get("s", "0"))
        elif tag == "v":
            self._keeping = self._cell.has_value = True
        elif tag == "f":
            self._cell.has_formula = True
            if attributes.get("t") == "array":
                self._cell.fills = attributes.get("ref", "")
        elif tag == "row":
            self._row = self._row_of(attributes.get("r"))
            self._column = self._count = 0

    def _end(self, name: str) -> None:
        super()._end(name)
        tag = _TAG_OF.get(name)
        if tag == "c":
            cell = self._ended()
            if cell.text or cell.kind is CellKind.NO_RESULT:
                if self._column in self._cells:
                    raise ValueError(f"two cells in one place, in row {self._row}")
                self._cells[self._column] = cell
        elif tag == "row" and self._cells:
            self.rows.append((self._row, self._cells))
            self._cells = {}

    def _ended(self) -> Cell:
        cell, text = self._cell, self._taken()
        # A result may be an empty text, which says so and is there; whatever else is empty
        # was left by a program that writes formulas and works none out.
        if cell.has_formula and not (text or (cell.kind == "str" and cell.has_value)):
            return Cell(CellKind.NO_RESULT, cell.fills)
        if cell.kind == "s":
            return Cell(CellKind.TEXT, self._shared_text(text) if text else "")
        if cell.kind == "n":
            return Cell(self._styles.get(cell.style, CellKind.NUMBER), text)
        return Cell(_KINDS.get(cell.kind, CellKind.NUMBER), text)

    def _shared_text(self, index: str) -> str:
        if not index.strip().isdecimal():  # a negative one would count from the end
            raise ValueError(f"a text that is not there ({index})")
        return self._shared[int(index)]

    def _row_of(self, number: str | None) -> int:
        """Return the number of a row, which follows the last one where it has none."""
        row = self._row + 1
        if number is not None:
            row = int(number) if _ROW.fullmatch(number) else 0
        if not 1 <= row <= MOST_ROWS:
            raise ValueError(f"a row {number or row}, which no sheet has")
        return row

    def _column_of(self, place: str) -> int:
        """Return the column of a place such as B17."""
        found = _PLACE.fullmatch(place)
        if found is None:
            raise ValueError(f"a cell in {place}, which is no place")
        letters = found[1]
        column = self._columns.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper():
                column = 26 * column + ord(letter) - ord("A") + 1
            self._columns[letters] = column
        return column
