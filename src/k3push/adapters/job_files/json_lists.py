"""JSON: a list of strings or objects, or an object that holds such a list and a route.

The parser is fed line by line, and what it reports meanwhile is of that line: so every
element has its line, and a document of millions is never whole in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import ijson  # type: ignore[import-untyped]  # it has no types of its own

from k3push.adapters.job_files.elements import (
    Elements,
    is_list_key,
    json_shown,
    put_field,
    route_name,
)
from k3push.adapters.job_files.number_columns import Headings
from k3push.adapters.job_files.sources import OpenJobFile
from k3push.adapters.job_files.troubles import BadLines, Code, names
from k3push.core.foreign_text import JSON_ESCAPE
from k3push.core.model import Listed

# Ours needs three; exports wrap theirs in a few more. Each level costs memory until it closes.
_DEEPEST: Final = 64

# Bytes within which a value must end: the parser keeps an unfinished one in memory.
_LONGEST_VALUE: Final = 1 << 20

# Keys of an object that are kept to be named in a message, beside those that are looked for.
_KEYS_KEPT: Final = 8

_OURS: Final = ("numbers", "route")

# What the next piece may make an escape.
_CUT_OFF: Final = re.compile(rb"(\\u[dD][89abAB][0-9a-fA-F]{2})?(\\(u[0-9a-fA-F]{0,3})?)?")

_Found = tuple[int, int, object]
"""Line, element from 1 (0: the route of the whole list), value."""


def read_document(source: OpenJobFile, headings: Headings, bad: BadLines) -> Iterator[Listed]:
    """Read a JSON document as a stream.

    Raises:
        JobFileError: If it holds no list, is not JSON, breaks off, or is nested without end.
    """
    elements = Elements(headings, bad)
    walk = _Walk(elements, bad)
    route: str | None = None
    for line, item, value in walk.over(source):
        if item == 0:
            route = elements.route = _route(value, line, bad)
            continue
        if route is None and walk.is_object:
            route = elements.route = _late_route(source, elements, bad)
        listed = elements.listed(value, line, item)
        if listed is not None:
            yield listed


def _late_route(source: OpenJobFile, elements: Elements, bad: BadLines) -> str:
    """Return the route that stands behind the list, or "": the list must not wait in memory."""
    for line, item, value in _Walk(elements, bad).over(source):
        if item == 0:
            return _route(value, line, bad)
    return ""


def _route(value: object, line: int, bad: BadLines) -> str:
    name = route_name(value)
    if name is None:
        raise bad.stop(Code.ROUTE_NOT_TEXT, line, value=json_shown(value))
    return name


class _Walk:
    """Follows the parser through one document and picks out elements and route.

    Attributes:
        is_object: Whether the document is an object with a list in it.
    """

    def __init__(self, elements: Elements, bad: BadLines) -> None:
        self.is_object = False
        self._role = elements.role
        self._bad = bad
        self._depth = 0
        # How deep the elements of the list are; 0 outside of it.
        self._floor = 0
        self._item = 0
        self._has_list = False
        self._key = ""
        self._keys: list[str] = []
        # Where the outer object names a bill itself.
        self._own: tuple[int, str] | None = None
        # The element that is being read: its first line, its fields (None: it is no object),
        # its latest key.
        self._began = 0
        self._fields: dict[str, object] | None = None
        self._field = ""
        self._found: list[_Found] = []

    def over(self, source: OpenJobFile) -> Iterator[_Found]:
        """Walk over the whole document; raises `JobFileError` where its structure is wrong."""
        events = ijson.sendable_list()
        parser = ijson.basic_parse_coro(events)
        halves = _Halves()
        line = silent = 0
        for line, piece in source.feed():
            is_json = not halves.are_in(piece) and self._accepts(parser, line, piece)
            silent = 0 if events else silent + len(piece)
            if silent > _LONGEST_VALUE:
                raise self._bad.stop(Code.HUGE_VALUE, line, self._item + 1)
            self._take(line, events)
            events.clear()
            yield from self._found
            self._found.clear()
            if not is_json:
                raise self._bad.stop(Code.JSON_SYNTAX, line, self._item or None)
        if halves.are_in(b"\n"):
            raise self._bad.stop(Code.JSON_SYNTAX, line, self._item or None)
        try:
            parser.close()
        except ijson.JSONError as error:
            raise self._bad.stop(Code.CUT_OFF, line, self._item or None) from error

    def _accepts(self, parser: Any, line: int, piece: bytes) -> bool:
        """Feed the parser; return whether it still takes the text for JSON."""
        try:
            parser.send(piece)
        except ijson.JSONError:
            return False
        except (ValueError, ArithmeticError, SystemError) as error:
            # A number of thousands of digits, or with such an exponent: the parser's C code
            # fails on it and leaves an event without a value, which must not be touched.
            raise self._bad.stop(Code.HUGE_VALUE, line, self._item + 1) from error
        return True

    def _take(self, line: int, events: list[tuple[str, Any]]) -> None:
        for event, value in events:
            if event == "map_key":
                self._take_key(line, value)
            elif event == "start_map" or event == "start_array":  # noqa: PLR1714 - faster than "in"
                self._open(line, is_map=event == "start_map")
            elif event == "end_map" or event == "end_array":  # noqa: PLR1714
                self._close(line)
            else:
                self._take_scalar(line, value)

    def _take_key(self, line: int, key: str) -> None:
        if self._depth == self._floor + 1 and self._floor:
            self._field = key
        elif self._depth == 1:
            self._key = key = key.casefold()
            if key in self._keys and key in _OURS:
                raise self._bad.stop(Code.KEY_TWICE, line, key=key)
            if key not in _OURS and self._role(key) == "number":
                self._own = (line, key)
            if key in _OURS or len(self._keys) < _KEYS_KEPT:
                self._keys.append(key)

    def _take_scalar(self, line: int, value: object) -> None:
        if self._floor:
            if self._depth == self._floor:
                self._item += 1
                self._found.append((line, self._item, value))
            elif self._depth == self._floor + 1:
                self._note(value)
        elif self._depth == 1:
            self._take_top(line, value)

    def _take_top(self, line: int, value: object) -> None:
        """Take a value of the outer object that is no list of numbers."""
        if self._key == "route":
            self._found.append((line, 0, value))
        elif self._key == "numbers":
            raise self._bad.stop(Code.NO_LIST, line, keys=names(self._keys))

    def _note(self, value: object) -> None:
        """Keep a field of the element, unless nobody will ask for it."""
        if self._fields is None:
            return
        counts = self._role(self._field) or is_list_key(self._field)
        if counts or len(self._fields) < _KEYS_KEPT:
            put_field(self._fields, self._field, value)

    def _open(self, line: int, *, is_map: bool) -> None:
        """Go one deeper. What is nested in an element is noted as empty: only its kind counts."""
        empty: object = {} if is_map else []
        if self._floor:
            if self._depth == self._floor:
                self._item += 1
                self._began = line
                self._fields = {} if is_map else None
                if not is_map:
                    self._found.append((line, self._item, empty))
            elif self._depth == self._floor + 1:
                self._note(empty)
        elif self._depth == 0:
            self.is_object = is_map
            self._floor = 0 if is_map else 1
        elif self._depth == 1:
            if self._key == "numbers" and not is_map:
                self._floor = 2
            else:
                self._take_top(line, empty)
        self._has_list = self._has_list or self._floor > 0
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._bad.stop(Code.TOO_DEEP, line, self._item or None, most=_DEEPEST)

    def _close(self, line: int) -> None:
        """Go one back; what ends may be an element, the list or the document."""
        self._depth -= 1
        if self._floor:
            if self._depth == self._floor and self._fields is not None:
                self._found.append((self._began, self._item, self._fields))
                self._fields = None
            elif self._depth < self._floor:
                self._floor = 0
        if self._depth == 0 and self._has_list and self._own is not None:
            # A bill of the outer object's own would be passed over.
            line, key = self._own
            raise self._bad.stop(Code.TWO_KEYS, line, keys=names([key, "numbers"]))
        if self._depth == 0 and not self._has_list:
            # An object that would be an element itself is the first line of JSONL.
            is_element = any(self._role(key) in {"number", "id"} for key in self._keys)
            code = Code.LINES_NOT_JSON if is_element else Code.NO_LIST
            raise self._bad.stop(code, line, keys=names(self._keys))


class _Halves:
    r"""Finds half a surrogate pair, which is no character, in a text of JSON that comes in pieces.

    The parser puts a "?" for it, and ? and the rest may be the number of another bill.

    >>> def found(*pieces: bytes) -> bool:
    ...     halves = _Halves()
    ...     return any([halves.are_in(piece) for piece in (*pieces, b"\n")])
    >>> found(rb'["\ud83dA"]'), found(rb'["\ud83d\ude00"]'), found(rb'["\\ud83d"]')
    (True, False, False)
    >>> found(rb'["\ud83d', rb'\ude00"]'), found(rb'["\ud83d', rb'B"]'), found(rb'["\u', rb'd83d"]')
    (False, True, True)
    """

    def __init__(self) -> None:
        self._rest = b""

    def are_in(self, piece: bytes) -> bool:
        """Say whether there is one in the next piece, or at the end of the one before."""
        if not self._rest and b"\\" not in piece:
            return False
        text, self._rest = self._rest + piece, b""
        for found in JSON_ESCAPE.finditer(text):
            if _CUT_OFF.fullmatch(text, found.start()):
                self._rest = text[found.start() :]
                return False
            if found["half"]:
                return True
        return False
