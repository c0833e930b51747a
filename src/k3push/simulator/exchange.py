"""What goes in and what comes out: a request, and a reply or a broken connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, read whole.

    Attributes:
        target: Path with query, as it stood in the request line.
        headers: Names in lower case; a repeated header keeps its last value.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, sent whole."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json; charset=utf-8"),)

    def with_headers(self, *headers: tuple[str, str]) -> Reply:
        """Give the same reply with more headers."""
        return Reply(self.status, self.body, self.headers + headers)


class Break(StrEnum):
    """How a connection ends without a whole answer."""

    REFUSED = "refused"
    """It is never made."""

    UNREACHABLE = "unreachable"
    """It is never made, and nobody says so."""

    RESET = "reset"
    """The request is read, then the connection is reset."""

    CLOSED = "closed"
    """The request is read, then the connection is closed."""

    SILENT = "silent"
    """The request is read, and nothing ever comes."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """A reply that breaks off after half of its body."""

    reply: Reply

    @property
    def part(self) -> bytes:
        """The half that arrives."""
        return self.reply.body[: len(self.reply.body) // 2]


Fate = Reply | CutOff | Break


def json_reply(content: Any) -> Reply:
    """Give *content* as the ERP gives its answers: HTTP 200, whatever they say (P 1.9)."""
    return Reply(200, orjson.dumps(content))


def text_reply(text: str) -> Reply:
    """Give plain text with HTTP 200."""
    return Reply(200, text.encode(), (("content-type", "text/plain; charset=utf-8"),))


def html_reply(status: int, title: str) -> Reply:
    """Give a page, as proxies and web servers make them (P 1.12)."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Reply(status, page.encode(), (("content-type", "text/html; charset=utf-8"),))
