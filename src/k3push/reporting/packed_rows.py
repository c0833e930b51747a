"""What a page shows of each number, packed: lines of JSON, in gzip, in base64.

A browser unpacks them without any library, and base64 holds nothing that a page could take
for markup, whatever a bill number or an ERP's message says. Each line is an array whose first
item tells what it is:

- `["row", line, number, bill, state, targets, ids, code, reason, attempts, chunk, sent,
  settled, cluster, id, key, follow, why]`; `cluster` counts from 0, or is -1; by `key` attempts
  and notes name the bill, where it is not the number;
- `["attempt", id, chunk, nth, began, ended, numbers, request, answer, verdict]`;
- `["note", number, at, text]`.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any

import orjson

from k3push.core.model import Answered, Exchange, number_in
from k3push.ports import AttemptRecord, Note
from k3push.reporting.table_files import local
from k3push.runs.kept_in_ledger.row_pages import FollowedRow
from k3push.words.language import Say

# An answer longer than this is cut on the page; the ledger has it whole.
MOST_SHOWN = 20_000

_GZIP = 31  # zlib's word for a gzip stream of the largest window


class Packed:
    """Lines on their way into a page.

    Args:
        out: Takes ASCII.
    """

    def __init__(self, out: IO[str], say: Say) -> None:
        self._out = out
        self._say = say
        self._gzip = zlib.compressobj(level=6, wbits=_GZIP)
        self._left = b""

    def row(self, followed: FollowedRow, cluster: int) -> None:
        """Write a number."""
        row, follow, why = followed
        self._line(
            "row",
            row.line,
            row.shown_number,
            "" if number_in(row.bill) == row.shown_number else number_in(row.bill),
            row.state,
            ";".join(target.number for target in row.targets),
            ";".join(target.id for target in row.targets),
            row.code,
            self._say.said(row.reason),
            row.attempts,
            row.chunk,
            local(row.sent_at),
            local(row.settled_at),
            cluster,
            row.shown_id,
            "" if row.key == row.shown_number else row.key,
            follow.value,
            self._say.said(why),
        )

    def attempt(self, kept: AttemptRecord) -> None:
        """Write a sending."""
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
            words_of(kept.exchange, self._say, shown),
            self._say.said(kept.verdict),
        )

    def note(self, note: Note) -> None:
        """Write what happened to a number apart from its attempts."""
        self._line("note", note.number, local(note.at), self._say.said(note.text))

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


def words_of(exchange: Exchange | None, say: Say, shown: Callable[[bytes], str]) -> str:
    """Return what came back, as text; *shown* says how much of a body."""
    if exchange is None:
        return say("explain.no_answer")
    if isinstance(exchange, Answered):
        return f"HTTP {exchange.status}  {shown(exchange.body)}"
    return say.said(exchange.because)


def shown(body: bytes) -> str:
    """Return bytes as text, cut where it grows too long.

    >>> shown("单据".encode())
    '单据'
    """
    text = body.decode("utf-8", "replace")
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(body):,} bytes)"


def moment(at: datetime) -> str:
    """Return date and time for a person, by the clock of this host."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
