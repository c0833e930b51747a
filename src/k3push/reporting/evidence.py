"""What a page shows of each number, packed: lines of JSON, in gzip, in base64.

A browser unpacks them without any library, and base64 holds nothing that a page could take
for markup, whatever a bill number or an ERP's message says. Each line is an array whose first
item tells what it is:

- `["row", line, number, bill, state, targets, ids, code, reason, attempts, chunk, sent,
  settled, cluster]`; `cluster` counts from 0, or is -1;
- `["attempt", id, chunk, nth, began, ended, numbers, request, answer, verdict]`;
- `["note", number, at, text]`.
"""

from __future__ import annotations

import base64
import zlib
from datetime import datetime
from typing import IO, Any

import orjson

from k3push.core.model import Answered, Exchange, Row
from k3push.ports import AttemptRecord, Note
from k3push.reporting.tables import local

# An answer longer than this is cut on the page; the ledger has it whole.
MOST_SHOWN = 20_000

_GZIP = 31  # zlib's word for a gzip stream of the largest window


class Packed:
    """Lines on their way into a page.

    Args:
        out: Takes ASCII.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._gzip = zlib.compressobj(level=6, wbits=_GZIP)
        self._left = b""

    def row(self, row: Row, cluster: int) -> None:
        """Write a number."""
        self._line(
            "row",
            row.line,
            row.number,
            "" if row.bill == row.number else row.bill,
            row.state,
            ";".join(target.number for target in row.targets),
            ";".join(target.id for target in row.targets),
            row.code,
            row.reason,
            row.attempts,
            row.chunk,
            local(row.sent_at),
            local(row.settled_at),
            cluster,
        )

    def attempt(self, kept: AttemptRecord, answer: str) -> None:
        """Write a sending, with the words for its answer."""
        intent = kept.attempt.intent
        self._line(
            "attempt",
            kept.attempt.id,
            intent.chunk,
            intent.nth,
            local(intent.began_at),
            local(kept.ended_at),
            intent.numbers,
            shown(intent.request),
            answer,
            kept.verdict,
        )

    def note(self, note: Note) -> None:
        """Write what happened to a number apart from its attempts."""
        self._line("note", note.number, local(note.at), note.text)

    def close(self) -> None:
        """Write what is left."""
        self._put(self._gzip.flush(), last=True)

    def _line(self, *items: Any) -> None:
        # The database may hold half a surrogate pair, which UTF-8 has no bytes for.
        whole = [i.encode("utf-8", "replace").decode() if isinstance(i, str) else i for i in items]
        self._put(self._gzip.compress(orjson.dumps(whole) + b"\n"))

    def _put(self, packed: bytes, *, last: bool = False) -> None:
        packed = self._left + packed
        # Base64 takes three bytes at a time; only its end may be filled up.
        whole = len(packed) if last else len(packed) - len(packed) % 3
        self._left = packed[whole:]
        self._out.write(base64.b64encode(packed[:whole]).decode("ascii"))


def words_of(exchange: Exchange | None, nothing: str) -> str:
    """Return what came back, as text; *nothing* where nothing was recorded."""
    if exchange is None:
        return nothing
    if isinstance(exchange, Answered):
        return f"HTTP {exchange.status}  {shown(exchange.body)}"
    return exchange.because


def shown(body: bytes) -> str:
    """Return bytes as text, cut where it grows too long.

    >>> shown("单据".encode())
    '单据'
    """
    text = body.decode("utf-8", "replace")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(body):,} bytes)"


def moment(at: datetime) -> str:
    """Return a time of day for a person."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
