from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.protocol.compression import MOST_BYTES, PackingError, inflated, unpacked
from tests.said import refused

RAW = zlib.compressobj(wbits=-15)
WAYS = {
    "": b"ok",
    "identity": b"ok",
    "gzip": gzip.compress(b"ok", mtime=0),
    "X-GZip": gzip.compress(b"ok", mtime=0),
    "deflate": zlib.compress(b"ok"),
    " deflate , ": RAW.compress(b"ok") + RAW.flush(),
    "gzip, gzip": gzip.compress(gzip.compress(b"ok", mtime=0), mtime=0),
    "deflate,identity,gzip": gzip.compress(zlib.compress(b"ok"), mtime=0),
}


@pytest.mark.parametrize(("said", "body"), WAYS.items(), ids=WAYS)
def test_a_body_is_unpacked_as_its_header_says(said: str, body: bytes) -> None:
    """Once for each way, the last first."""
    assert unpacked(body, said) == b"ok"


@pytest.mark.parametrize(
    ("said", "body", "why"),
    [
        ("br", b"ok", "'br'"),
        ("gzip, zstd", b"ok", "'zstd'"),
        ("gzip", b"ok", "does not unpack"),
        ("gzip", gzip.compress(b"ok", mtime=0)[:-3], "cut off"),
        ("gzip", b"", "cut off"),
        ("deflate", b"no", "does not unpack"),
        ("gzip, gzip", gzip.compress(b"ok", mtime=0), "does not unpack"),
    ],
)
def test_a_body_that_does_not_unpack_whole_is_none(said: str, body: bytes, why: str) -> None:
    """Half an answer would be read as another."""
    with refused(PackingError, why):
        unpacked(body, said)


def test_a_bomb_is_not_unpacked() -> None:
    """It would take all the memory of the machine."""
    bomb = zlib.compress(bytes(MOST_BYTES + 1), level=1)
    with refused(PackingError, "more than"):
        inflated(bomb, wbits=15)


@given(st.binary(max_size=60), st.text("gzipdeflate,br ", max_size=20))
def test_any_body_is_unpacked_or_an_error_of_ours(body: bytes, said: str) -> None:
    """No other exception leaves the module."""
    try:
        unpacked(body, said)
    except PackingError:
        return
