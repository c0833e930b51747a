"""How the particulars of a row, a run and an attempt are written into a database, and read back.

Times are ISO 8601 in UTC with milliseconds, so that they sort as text; lists are JSON; what is
empty is None; requests and answers are kept whole, as zlib streams.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import orjson

from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    NeverSent,
    NoAnswer,
    Route,
    Target,
)


def from_time(at: datetime) -> str:
    """Write a time.

    >>> from_time(datetime(2024, 5, 17, 8, 30, 0, 123456, tzinfo=UTC))
    '2024-05-17T08:30:00.123Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_time_or_none(at: datetime | None) -> str | None:
    """Write a time that may be missing."""
    return None if at is None else from_time(at)


def to_time(text: str) -> datetime:
    """Read a time, aware."""
    return datetime.fromisoformat(text)


def to_time_or_none(text: str | None) -> datetime | None:
    """Read a time that may be missing."""
    return None if text is None else to_time(text)


def from_text(text: str) -> str | None:
    """Write words from outside; "" is None.

    An answer may hold half of a surrogate pair, which no database takes as text, or a NUL,
    which PostgreSQL does not. Losing the outcome for that would be worse than a question mark.
    """
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "?") or None


def from_targets(targets: Sequence[Target]) -> str | None:
    """Write targets, as lists of id and number, and 1 behind a draft.

    >>> from_targets([Target("100", "CGRK01"), Target("101", "", draft=True)])
    '[["100","CGRK01"],["101","",1]]'
    """
    return from_json(target_items(targets)) if targets else None


def target_items(targets: Sequence[Target]) -> list[list[object]] | None:
    """Return what `from_targets` writes, for JSON that holds it.

    >>> target_items([Target("100", "CGRK01"), Target("101", "", draft=True)])
    [['100', 'CGRK01'], ['101', '', 1]]
    """
    return [
        [from_text(t.id) or "", from_text(t.number) or "", *([1] if t.draft else [])]
        for t in targets
    ] or None


def to_targets(text: str | None) -> tuple[Target, ...]:
    """Read targets."""
    if text is None:
        return ()
    return tuple([Target(id_, number, bool(draft)) for id_, number, *draft in orjson.loads(text)])


def from_json(value: object) -> str:
    """Write compact JSON."""
    return orjson.dumps(value).decode()


def to_numbers(text: str) -> tuple[BillNumber, ...]:
    """Read a list of numbers."""
    return tuple(orjson.loads(text))


def from_before(before: Mapping[BillNumber, tuple[str, ...]]) -> str | None:
    """Write which targets numbers had before an attempt."""
    return from_json(before) if before else None


def to_before(text: str | None) -> dict[BillNumber, tuple[str, ...]]:
    """Read which targets numbers had before an attempt."""
    if text is None:
        return {}
    return {number: tuple(ids) for number, ids in orjson.loads(text).items()}


def from_route(route: Route) -> str:
    """Write a route, to be read by people as well."""
    return from_json(asdict(route))


def to_route(text: str) -> Route:
    """Read a route."""
    return Route(**orjson.loads(text))


def from_bytes(data: bytes) -> bytes:
    """Compress a request or an answer.

    With 4 KiB to look back on instead of 32, since to make room for more takes several times as
    long as to pack a chunk of 50, and answers repeat themselves every few lines.
    """
    packing = zlib.compressobj(wbits=12, memLevel=5)
    return packing.compress(data) + packing.flush()


def to_bytes(data: bytes) -> bytes:
    """Read a request or an answer back."""
    return zlib.decompress(data)


def from_exchange(exchange: Exchange) -> dict[str, str | int | bytes | None]:
    """Write an exchange as the columns `answer`, `status`, `because` and `body`."""
    if isinstance(exchange, Answered):
        body = from_bytes(exchange.body)
        return {"answer": "answered", "status": exchange.status, "because": None, "body": body}
    answer = "never-sent"
    if isinstance(exchange, NoAnswer):
        answer = "timed-out" if exchange.timed_out else "no-answer"
    because = from_text(exchange.because)
    return {"answer": answer, "status": None, "because": because, "body": None}


def to_exchange(
    answer: str | None, status: int, because: str | None, body: bytes
) -> Exchange | None:
    """Read an exchange from its columns; None where nothing was recorded."""
    if answer is None:
        return None
    if answer == "answered":
        return Answered(status, to_bytes(body))
    if answer == "never-sent":
        return NeverSent(because or "")
    return NoAnswer(because or "", timed_out=answer == "timed-out")
