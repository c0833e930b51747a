"""FilterString: SQL-like text, or the official array, into a tree (P 6.1).

The grammar, loosest first: ``or``, ``and``, ``not``, then a comparison or parentheses.
A quote inside text is doubled. The official array is turned into the same tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Literal = str | int | float


class Untyped(str):
    """A literal of the official array, where numbers stand in quotes as well."""

    __slots__ = ()


# Compare codes of the official array that are known (P 6.1), as operators.
COMPARE = {"67": "=", "17": "contains", "39": ">="}

# Deeper than any client nests; beyond it the recursion would end the process's stack.
_MAX_DEPTH = 50

_TOKEN = re.compile(
    r"\s*(?:N?'(?P<text>[^']*(?:''[^']*)*)'"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<sign><>|!=|<=|>=|[=<>(),])"
    r"|(?P<word>[A-Za-z_][\w.]*))"
)


class FilterError(ValueError):
    """The filter cannot be read."""


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of a field with literals.

    Attributes:
        field: Key of the field, as written.
        operator: =, <>, <, >, <=, >=, in, like, contains or null.
        values: One literal; for ``in`` any number; for ``null`` none.
    """

    field: str
    operator: str
    values: tuple[Literal, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of its part."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of its parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of its parts at least."""

    parts: tuple[Node, ...]


Node = Test | Not | And | Or

Token = tuple[str, Literal]
"""A kind (text, number, sign, word) and what it holds."""


def parse(filter_string: Any) -> Node | None:
    """Read a filter; None stands for one that lets everything through.

    Raises:
        FilterError: If it cannot be read.

    >>> parse("FBillNo = 'a''b'")
    Test(field='FBillNo', operator='=', values=("a'b",))
    """
    if isinstance(filter_string, str):
        tokens = _tokens(filter_string)
    elif isinstance(filter_string, list):
        tokens = _tokens_of_array(filter_string)
    elif filter_string is None:
        return None
    else:
        raise FilterError("FilterString is neither text nor an array")
    if not tokens:
        return None
    parser = _Parser(tokens)
    tree = parser.any_of(0)
    if parser.kind != "end":
        raise FilterError(f"unexpected {parser.value!r}")
    return tree


def texts_in(filter_string: Any) -> list[str]:
    """Give the texts that a filter compares with; none where it cannot be read.

    >>> texts_in("FBillNo in ('a', 'b') and FID > 7")
    ['a', 'b']
    """
    try:
        return [str(value) for value in _literals(parse(filter_string)) if isinstance(value, str)]
    except FilterError:
        return []


def _literals(node: Node | None) -> Iterator[Literal]:
    if isinstance(node, Test):
        yield from node.values
    elif isinstance(node, Not):
        yield from _literals(node.part)
    elif node is not None:
        for part in node.parts:
            yield from _literals(part)


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FilterError(f"incorrect syntax near {text[place : place + 20]!r}")
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "text":
            tokens.append((kind, value.replace("''", "'")))
        elif kind == "number":
            tokens.append((kind, float(value) if "." in value else int(value)))
        elif kind == "word" and value.lower() in _KEYWORDS:
            tokens.append(("sign", value.lower()))
        else:
            tokens.append((kind, value))
        place = match.end()
    return tokens


_KEYWORDS = frozenset({"and", "or", "not", "in", "like", "is", "null"})


def _tokens_of_array(items: Sequence[Any]) -> list[Token]:
    tokens: list[Token] = []
    logic = ""
    for item in items:
        if not isinstance(item, dict):
            raise FilterError("an item of FilterString is not an object")
        part = {str(key).lower(): str(value) for key, value in item.items()}
        operator = COMPARE.get(part.get("compare", ""))
        if operator is None:
            raise FilterError(f"unknown Compare {part.get('compare')!r}")
        if tokens:
            tokens.append(("sign", logic))
        tokens.extend(("sign", sign) for sign in part.get("left", "").strip())
        tokens += [
            ("word", part.get("fieldname", "")),
            ("sign", operator),
            ("text", Untyped(part.get("value", ""))),
        ]
        tokens.extend(("sign", sign) for sign in part.get("right", "").strip())
        logic = "or" if part.get("logic") == "1" else "and"
    return tokens


class _Parser:
    """Recursive descent over tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else "end"

    @property
    def value(self) -> Literal:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def any_of(self, depth: int) -> Node:
        parts = [self._all_of(depth)]
        while self._take("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise FilterError("nested too deep")
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            inner = self.any_of(depth + 1)
            self._expect(")")
            return inner
        return self._test()

    def _test(self) -> Node:
        if self.kind != "word":
            raise FilterError(f"a field is expected, not {self.value!r}")
        name = str(self.value)
        self._place += 1
        if self._take("is"):
            opposite = self._take("not")
            self._expect("null")
            test = Test(name, "null")
        else:
            opposite = self._take("not")
            operator = str(self.value) if self.kind == "sign" else ""
            if operator not in _OPERATORS or (opposite and operator not in {"in", "like"}):
                raise FilterError(f"an operator is expected, not {self.value!r}")
            self._place += 1
            values = self._list() if operator == "in" else (self._literal(),)
            test = Test(name, "<>" if operator == "!=" else operator, values)
        return Not(test) if opposite else test

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self) -> Literal:
        if self.kind not in {"text", "number"}:
            raise FilterError(f"a value is expected, not {self.value!r}")
        value = self.value
        self._place += 1
        return value

    def _take(self, sign: str) -> bool:
        if self.kind == "sign" and self.value == sign:
            self._place += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise FilterError(f"{sign!r} is expected, not {self.value!r}")


_OPERATORS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">=", "in", "like", "contains"})
