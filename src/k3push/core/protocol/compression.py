"""Bodies that are packed, unpacked with a bound: a few bytes can stand for gigabytes."""

from __future__ import annotations

import zlib

from k3push.core.remark import remark

# An answer to a chunk of thousands is some hundred kilobytes; what is larger is no answer.
MOST_BYTES = 256 * 1024 * 1024

_GZIP, _ZLIB, _RAW = 31, 15, -15
_PLAIN = frozenset({"", "identity"})


class PackingError(Exception):
    """A body does not unpack, not whole, or not within the bound."""


def unpacked(body: bytes, encodings: str) -> bytes:
    """Undo what a Content-Encoding header says, which is what was done last, last.

    >>> unpacked(zlib.compress(b"ok"), "identity, deflate")
    b'ok'

    Raises:
        PackingError: It does not unpack, or is packed in a way that nobody asked for.
    """
    for encoding in reversed([each.strip().lower() for each in encodings.split(",")]):
        if encoding in {"gzip", "x-gzip"}:
            body = inflated(body, _GZIP)
        elif encoding == "deflate":
            body = _deflated(body)
        elif encoding not in _PLAIN:
            raise PackingError(remark("answer.packed_as", encoding=encoding[:40]))
    return body


def inflated(packed: bytes, wbits: int = _GZIP) -> bytes:
    """Inflate gzip, or what *wbits* says.

    Raises:
        PackingError: It does not unpack, or not whole, or not within the bound.
    """
    inflate = zlib.decompressobj(wbits)
    try:
        body = inflate.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise PackingError(remark("answer.no_unpacking", why=str(error))) from error
    if inflate.unconsumed_tail:
        raise PackingError(remark("answer.too_large", most=MOST_BYTES))
    if not inflate.eof:
        raise PackingError(remark("answer.cut_off"))
    return body


def _deflated(packed: bytes) -> bytes:
    try:
        return inflated(packed, _ZLIB)
    except PackingError:
        # Some servers leave the frame out that the standard asks for.
        return inflated(packed, _RAW)
