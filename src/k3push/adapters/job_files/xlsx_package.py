"""An XLSX file as a ZIP package: its sheets, hidden or not, and the rows of one as a stream.

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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final
from xml.parsers import expat

from k3push.adapters.job_files.xlsx_xml import (
    MOST_TEXT_CHARACTERS,
    MOST_TEXTS,
    CellKind,
    ParserFeed,
    Row,
    SheetParser,
    TextParser,
    shown_as,
    xml_parser,
)

_CHUNK: Final = 1 << 16
# A value, a text or a formula of a cell.
_VALUE: Final = re.compile(rb"<(\w+:)?(v|is|f)[ />]")

MOST_UNPACKED: Final = 1 << 30
"""Bytes of XML in a workbook: a sheet that is full of numbers has half of that."""

# Of a part that is no sheet: relations, styles.
_MOST_ELEMENTS: Final = 1 << 20

# Formats of dates that a file need not spell out (ECMA-376 18.8.30, those of East Asia included).
_DATE_FORMATS: Final = (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))


class XlsxError(Exception):
    """The file is no whole XLSX workbook."""


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


@contextmanager
def opened_workbook(handle: IO[bytes]) -> Iterator[Workbook]:
    """Open a workbook.

    Raises:
        XlsxError: If it is none, or not whole; what is read later may raise it too.
    """
    with _damage(), _Archive(handle) as archive:
        root = _relations(archive, "")
        part = next((r.part for r in root.values() if r.kind == "officeDocument"), "")
        yield Workbook(archive, part, _relations(archive, part))


class _Archive(zipfile.ZipFile):
    """An archive of which only so much is unpacked: a few bytes can stand for gigabytes."""

    _unpacked = 0

    def count(self, size: int) -> None:
        """Count bytes that were unpacked; raises `ValueError` where they are too many."""
        self._unpacked += size
        if self._unpacked > MOST_UNPACKED:
            raise ValueError(f"more than {MOST_UNPACKED >> 20} MB of cells")


class Workbook:
    """An open workbook; made by `opened_workbook`."""

    def __init__(self, archive: _Archive, part: str, relations: Mapping[str, _Relation]) -> None:
        self._archive = archive
        self._relations = relations
        sheets = [
            Sheet(
                attributes["name"],
                relations[key].part,
                attributes.get("state", "visible") != "visible",
            )
            for tag, attributes in _starts(archive, part)
            # A sheet whose part is not there ends the reading: its list would vanish.
            if tag == "sheet" and relations[key := _local(attributes, "id")].kind == "worksheet"
        ]
        self.sheets: Sequence[Sheet] = sheets

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """Yield the rows of a sheet that have cells, as a stream."""
        texts = self._shared_texts()
        styles: dict[str, CellKind] = {}
        for part in self._parts("styles"):
            styles |= _styles(self._archive, part)
        parser = SheetParser(texts, styles)
        for chunk in _chunks(self._archive, sheet.part):
            parser.feed(chunk)
            yield from parser.rows
            parser.rows.clear()
        parser.close()

    def seems_filled(self, sheet: Sheet) -> bool:
        """Say whether the beginning of a sheet has a value; one that cannot be read has none."""
        with suppress(XlsxError), _damage(), self._archive.open(sheet.part) as file:
            return _VALUE.search(file.read(_CHUNK)) is not None
        return False

    def _parts(self, kind: str) -> list[str]:
        return [relation.part for relation in self._relations.values() if relation.kind == kind]

    def _shared_texts(self) -> list[str]:
        texts: list[str] = []
        characters = 0
        for part in self._parts("sharedStrings"):
            for text in self._texts(part):
                texts.append(text)
                characters += len(text)
                if len(texts) > MOST_TEXTS or characters > MOST_TEXT_CHARACTERS:
                    raise ValueError("more texts than can be kept")
        return texts

    def _texts(self, part: str) -> Iterator[str]:
        parser = TextParser()
        for chunk in _chunks(self._archive, part):
            parser.feed(chunk)
            yield from parser.texts
            parser.texts.clear()
        parser.close()


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


def _chunks(archive: _Archive, part: str) -> Iterator[bytes]:
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            archive.count(len(chunk))
            yield chunk


def _starts(archive: _Archive, part: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the beginning of each element of a part: its tag and attributes."""
    found: list[tuple[str, dict[str, str]]] = []
    count = 0
    parser = xml_parser()
    feed = ParserFeed(parser)

    def start(name: str, attributes: dict[str, str]) -> None:
        feed.begin()
        found.append((name.rpartition(" ")[2], attributes))

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: feed.end()
    for chunk in _chunks(archive, part):
        feed.feed(chunk)
        yield from found
        count += len(found)
        if count > _MOST_ELEMENTS:
            raise ValueError("more elements than can be kept")
        found.clear()
    feed.close()


def _local(attributes: Mapping[str, str], name: str) -> str:
    """Return an attribute of any namespace, or ""."""
    return next((text for key, text in attributes.items() if key.endswith(f" {name}")), "")


def _relations(archive: _Archive, part: str) -> dict[str, _Relation]:
    """Return what a part says belongs to it, by id; "" is the file as a whole."""
    folder, name = posixpath.split(part)
    found = {}
    for tag, attributes in _starts(archive, posixpath.join(folder, "_rels", f"{name}.rels")):
        if tag == "Relationship":
            target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
            kind = attributes["Type"].rpartition("/")[2]
            found[attributes["Id"]] = _Relation(kind, target.lstrip("/"))
    return found


def _styles(archive: _Archive, part: str) -> dict[str, CellKind]:
    """Return the styles that make something else of a number, by their index."""
    formats = dict.fromkeys(map(str, _DATE_FORMATS), CellKind.DATE)
    styles: dict[str, CellKind] = {}
    index = -1
    for tag, attributes in _starts(archive, part):
        if tag == "numFmt":
            formats[attributes["numFmtId"]] = shown_as(attributes["formatCode"])
        elif tag == "cellXfs":
            index = 0
        elif tag == "cellStyles":
            break
        elif tag == "xf" and index >= 0:
            styles[str(index)] = formats.get(attributes.get("numFmtId", ""), CellKind.NUMBER)
            index += 1
    return styles
