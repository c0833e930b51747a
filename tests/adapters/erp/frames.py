"""The ways in which a server may frame an answer over HTTP/1."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

Answer = Callable[[bytes, bytes, bytes], bytes]
"""Frames a status, lines of headers, and a body."""

COOKIES = b"Set-Cookie: a=1; path=/\r\nSet-Cookie: a=2; path=/x\r\nSet-Cookie: none\r\n"

_BEFORE = (
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
)


def _by_length(version: bytes, more: bytes = b"", pack: Callable[[bytes], bytes] = bytes) -> Answer:
    def answer(status: bytes, headers: bytes, body: bytes) -> bytes:
        packed = pack(body)
        head = b"HTTP/%s %s\r\n%s%s" % (version, status, headers, more)
        return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(packed), packed)

    return answer


def plain(_: float) -> Answer:
    """Say how long it is."""
    return _by_length(b"1.1")


def packed(drawn: float) -> Answer:
    """Pack it, and say how."""
    if drawn < 0.5:
        return _by_length(b"1.1", b"Content-Encoding: gzip\r\n", gzip.compress)
    return _by_length(b"1.1", b"Content-Encoding: deflate\r\n", zlib.compress)


def old(drawn: float) -> Answer:
    """Speak HTTP/1.0, and perhaps promise to go on."""
    return _by_length(b"1.0", b"Connection: keep-alive\r\n" if drawn < 0.5 else b"")


def closing(_: float) -> Answer:
    """Say that the connection ends with it."""
    return _by_length(b"1.1", b"Connection: close\r\n")


def informed(drawn: float) -> Answer:
    """Send answers before it that are none."""
    many = b"".join(_BEFORE[i % len(_BEFORE)] for i in range(1 + int(drawn * 6)))
    last = _by_length(b"1.1")
    return lambda status, headers, body: many + last(status, headers, body)


def chunked(drawn: float) -> Answer:
    """Send it in chunks, with extensions and perhaps a trailer."""
    trailer = b"X-Trailer: 1\r\n" if drawn < 0.5 else b""

    def answer(status: bytes, headers: bytes, body: bytes) -> bytes:
        size = 1 + int(drawn * len(body))
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
        head = b"HTTP/1.1 %s\r\n%sTransfer-Encoding: chunked\r\n\r\n" % (status, headers)
        return head + chunks + b"0\r\n" + trailer + b"\r\n"

    return answer


def until_closed(drawn: float) -> Answer:
    """Let the end of the connection be its end."""
    version = b"1.0" if drawn < 0.5 else b"1.1"
    return lambda status, headers, body: (
        b"HTTP/%s %s\r\n%s\r\n%s" % (version, status, headers, body)
    )


FRAMES = (plain, packed, old, closing, informed, chunked, until_closed)
UNTIL_CLOSED = frozenset({until_closed})
