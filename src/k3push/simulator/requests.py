"""From a request's bytes to a call: every encoding that real servers accept (P 1.5).

The content type is not looked at, since real servers take a misspelt one (P 1.6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from k3push.simulator.exchange import Request

_SERVICE = re.compile(r"/k3cloud/(?:[\w.]+\.)?(\w+)\.common\.kdsvc(?:\?.*)?", re.IGNORECASE)


class BadCallError(ValueError):
    """The body is none of the known encodings."""


@dataclass(frozen=True, slots=True)
class Call:
    """A service and its arguments.

    Attributes:
        service: Last part of the service's name, in lower case: "push", "validateuser".
        named: Arguments by name; names in lower case.
        positional: Arguments by place, where the caller sent a `parameters` array.
    """

    service: str
    named: Mapping[str, Any] = field(default_factory=dict)
    positional: Sequence[Any] = ()

    def argument(self, place: int, name: str) -> Any:
        """Give an argument, by its place where places were sent, else by its name."""
        if self.positional:
            return self.positional[place] if place < len(self.positional) else None
        return self.named.get(name)

    def text(self, place: int, name: str) -> str:
        """Give an argument as text; "" where there is none."""
        value = self.argument(place, name)
        return "" if value is None else str(value)

    def data(self, place: int) -> Mapping[str, Any]:
        """Give the argument `data` as a mapping with keys in lower case.

        Raises:
            BadCallError: If it is neither an object nor the JSON text of one.
        """
        value = self.argument(place, "data")
        if isinstance(value, str):
            value = _json(value)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadCallError("data is not an object")
        return lower_keys(value)


def lower_keys(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Give *mapping* with its keys in lower case, since the ERP passes over it (P 1.5 f)."""
    return {str(key).lower(): value for key, value in mapping.items()}


def service_of(target: str) -> str | None:
    """Give the service that a request line asks for, or None where it is none.

    >>> service_of("/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.Logout.common.kdsvc")
    'logout'
    """
    match = _SERVICE.fullmatch(target)
    return match[1].lower() if match else None


def read_call(service: str, request: Request) -> Call:
    """Read the arguments of *service* from the body of *request*.

    Raises:
        BadCallError: If the body is none of the known encodings.
    """
    body = request.body.strip()
    if not body:
        return Call(service)
    if body.startswith(b"{"):
        named = _json(body)
    elif body.startswith(b"["):
        return Call(service, positional=tuple(_array(_json(body))))
    else:
        try:
            named = dict(parse_qsl(body.decode(), keep_blank_values=True))
        except UnicodeDecodeError as error:
            raise BadCallError("the form is not UTF-8") from error
    named = lower_keys(named)
    if "parameters" in named:
        parameters = named["parameters"]
        if isinstance(parameters, str):
            parameters = _json(parameters)
        return Call(service, positional=tuple(_array(parameters)))
    return Call(service, named)


def _json(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadCallError(f"not JSON: {error}") from error


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadCallError("parameters is not an array")
    return value
