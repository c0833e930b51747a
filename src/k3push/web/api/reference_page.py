"""The page of the addresses of programs, read from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHAPE = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Field:
    """What is sent or told under a name.

    Attributes:
        kind: What its values are, such as `list of Target` or `integer or null`.
        needed: It may not be left out.
    """

    name: str
    kind: str
    needed: bool
    what: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a body or an answer is made of."""

    name: str
    what: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class DocumentedAddress:
    """What can be asked for at an address.

    Attributes:
        body: Name of the shape that is sent; "" for none.
        answers: Each status, what it means, and the name of its shape.
    """

    id: str
    method: str
    path: str
    title: str
    what: str
    fields: Sequence[Field]
    body: str
    answers: Sequence[tuple[str, str, str]]


def addresses_of(document: Mapping[str, Any]) -> list[DocumentedAddress]:
    """Return all addresses, in the order of the document."""
    return [
        DocumentedAddress(
            operation["operationId"],
            method.upper(),
            path,
            operation["summary"],
            operation["description"],
            [_parameter(each) for each in operation.get("parameters", ())],
            _shape_of(operation.get("requestBody", {})),
            [
                (status, each["description"], _shape_of(each))
                for status, each in _answers(operation)
            ],
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def shapes_of(document: Mapping[str, Any]) -> list[Shape]:
    """Return all shapes, by their names."""
    return [
        Shape(name, shape.get("description", ""), list(_fields(shape)))
        for name, shape in sorted(document["components"]["schemas"].items())
    ]


def kind_of(schema: Mapping[str, Any]) -> str:
    """Say what values a schema takes.

    >>> kind_of({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]})
    'date-time or null'
    >>> kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Row"}})
    'list of Row'
    >>> kind_of({"type": "object", "additionalProperties": {"type": "integer"}})
    'object of integer'
    >>> kind_of({"type": "string", "enum": ["pause", "stop"]})
    'pause | stop'
    """
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_SHAPE)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", ""))
    inner = schema.get("items") or schema.get("additionalProperties")
    if isinstance(inner, Mapping):
        return f"{'list' if kind == 'array' else kind} of {kind_of(inner)}"
    return str(schema.get("format", kind))


def _fields(shape: Mapping[str, Any]) -> Iterator[Field]:
    for name, each in shape.get("properties", {}).items():
        needed = name in shape.get("required", ())
        yield Field(name, kind_of(each), needed, each.get("description", ""))


def _parameter(each: Mapping[str, Any]) -> Field:
    return Field(
        each["name"],
        kind_of(each["schema"]),
        bool(each.get("required")),
        each.get("description", ""),
    )


def _answers(operation: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted((str(status), each) for status, each in operation["responses"].items())


def _shape_of(has_content: Mapping[str, Any]) -> str:
    for content in has_content.get("content", {}).values():
        return kind_of(content.get("schema", {}))
    return ""
