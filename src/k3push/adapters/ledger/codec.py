"""How the particulars of a row, a run and an attempt are written into a database, and read back.

Times are ISO 8601 in UTC with milliseconds, so that they sort as text; lists are JSON; what is
empty is None; requests and answers are kept whole, as zlib streams.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import orjson

from k3push.core.model import (
    Answered,
    Archive,
    BillNumber,
    Exchange,
    NeverSent,
    NoAnswer,
    Outcome,
    Route,
    Step,
    Target,
    Uptime,
    id_in,
    number_in,
)
from k3push.core.pacing.server_model import FittedServer, Learnt
from k3push.core.remark import kind_and_words, remark
from k3push.ports import LedgerDamagedError

P = ParamSpec("P")
T = TypeVar("T")

# What the readers of times, lists, streams and words raise of what they cannot read.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error)


def damaged(what: str, error: Exception) -> LedgerDamagedError:
    """Return the error for what a ledger holds and k3push never writes."""
    return LedgerDamagedError(remark("ledger.damaged", what=what, why=kind_and_words(error)))


def whole(read: Callable[P, T]) -> Callable[P, T]:
    """Let a reader of columns raise `LedgerDamagedError` for what k3push never writes."""

    @wraps(read)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except UNREADABLE as error:
            raise damaged(read.__name__.removeprefix("read_"), error) from error

    return checked


def read_words(cell: object) -> str:
    """Read a text that must be there; SQLite keeps anything in any column."""
    if not isinstance(cell, str):
        raise TypeError(f"{cell!r} is no text")
    return cell


def read_whole_number(cell: object) -> int:
    """Read a whole number that must be there."""
    if not isinstance(cell, int):
        raise TypeError(f"{cell!r} is no whole number")
    return cell


def read_uptime(boot: object, seconds: object) -> Uptime:
    """Read how long a machine had been up, and since which boot."""
    if not isinstance(seconds, int | float):
        raise TypeError(f"{seconds!r} is no time in seconds")
    return Uptime("" if boot is None else read_words(boot), seconds)


def write_time(at: datetime) -> str:
    """Write a time.

    >>> write_time(datetime(2024, 5, 17, 8, 30, 0, 123456, tzinfo=UTC))
    '2024-05-17T08:30:00.123Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_time_or_none(at: datetime | None) -> str | None:
    """Write a time that may be missing."""
    return None if at is None else write_time(at)


@whole
def read_time(text: str) -> datetime:
    """Read a time, aware."""
    return datetime.fromisoformat(text)


def read_time_or_none(text: str | None) -> datetime | None:
    """Read a time that may be missing."""
    return None if text is None else read_time(text)


def write_text(text: str) -> str | None:
    """Write words from outside; "" is None.

    An answer may hold half of a surrogate pair, which no database takes as text, or a NUL,
    which PostgreSQL does not. Losing the outcome for that would be worse than a question mark.
    """
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    return text.replace("\0", "?") or None


def like(words: str) -> str:
    r"""Write what a LIKE compares texts with that hold *words*.

    >>> like("CG_5%")
    '%CG\\_5\\%%'
    """
    for special in ("\\", "%", "_"):
        words = words.replace(special, f"\\{special}")
    return f"%{write_text(words) or ''}%"


def like_in_json(words: str) -> str:
    r"""Write what a LIKE compares JSON with of which a text holds *words*.

    >>> print(like_in_json('say "5%"'))
    %say \\"5\%\\"%
    """
    return like(write_json(write_text(words) or "")[1:-1])


def write_targets(targets: Sequence[Target]) -> str | None:
    """Write targets, as lists of id and number, and 1 behind a draft.

    >>> write_targets([Target("100", "CGRK01"), Target("101", "", draft=True)])
    '[["100","CGRK01"],["101","",1]]'
    """
    return write_json(target_items(targets)) if targets else None


def target_items(targets: Sequence[Target]) -> list[list[object]] | None:
    """Return what `write_targets` writes, for JSON that holds it.

    >>> target_items([Target("100", "CGRK01"), Target("101", "", draft=True)])
    [['100', 'CGRK01'], ['101', '', 1]]
    """
    return [
        [write_text(t.id) or "", write_text(t.number) or "", *([1] if t.draft else [])]
        for t in targets
    ] or None


def read_targets(text: str | None) -> tuple[Target, ...]:
    """Read targets."""
    if text is None:
        return ()
    return tuple([Target(id_, number, bool(draft)) for id_, number, *draft in orjson.loads(text)])


def write_json(value: object) -> str:
    """Write compact JSON."""
    return orjson.dumps(value).decode()


@whole
def read_numbers(text: str) -> tuple[BillNumber, ...]:
    """Read a list of numbers."""
    return tuple(orjson.loads(text))


def listed(lines: Iterable[BillNumber]) -> list[tuple[str, str]]:
    """Return number and id of lines, as the job file has them.

    >>> listed([BillNumber("CGDD01"), BillNumber(",100017")])
    [('CGDD01', ''), ('', '100017')]
    """
    return [(number_in(line), id_in(line)) for line in dict.fromkeys(lines)]


def called(bills: Iterable[BillNumber]) -> list[tuple[str, str]]:
    """Return bills with their numbers, by which they are claimed.

    >>> called([BillNumber("CGDD01"), BillNumber("CGDD02,100017")])
    [('CGDD01', 'CGDD01'), ('CGDD02', 'CGDD02,100017')]
    """
    return [(number_in(bill), bill) for bill in dict.fromkeys(bills)]


def write_reason(outcome: Outcome) -> dict[str, str | None]:
    """Write why a bill stands where it does, by the ERP's spelling."""
    return {
        "bill": outcome.number,
        "state": outcome.state.value,
        "code": write_text(outcome.code),
        "reason": write_text(outcome.reason),
    }


def write_archive(archive: Archive) -> str:
    """Write where the archive of a run is."""
    said = {"file": write_text(archive.file), "sha256": archive.sha256}
    return write_json(said | {"at": write_time(archive.at)})


def read_archive(text: str | None) -> Archive | None:
    """Read where the archive of a run is, if it has one."""
    if text is None:
        return None
    said = orjson.loads(text)
    return Archive(read_words(said["file"]), read_words(said["sha256"]), read_time(said["at"]))


def write_before(before: Mapping[BillNumber, tuple[str, ...]]) -> str | None:
    """Write which targets numbers had before an attempt."""
    return write_json(before) if before else None


def read_before(text: str | None) -> dict[BillNumber, tuple[str, ...]]:
    """Read which targets numbers had before an attempt."""
    if text is None:
        return {}
    return {number: tuple(ids) for number, ids in orjson.loads(text).items()}


def write_route(route: Route) -> str:
    """Write a route, to be read by people as well; what is found out anew each time is left out."""
    said = asdict(route)
    del said["source_tables"]
    return write_json(said)


@lru_cache(maxsize=1024)
def read_route(text: str) -> Route:
    """Read a route; of many runs that go by one, it is read once."""
    said = orjson.loads(text)
    # A ledger of before has none.
    return Route(**said | {"follow": tuple(Step(step) for step in said.get("follow", ()))})


def write_bytes(data: bytes) -> bytes:
    """Compress a request or an answer.

    With 4 KiB to look back on instead of 32, since to make room for more takes several times as
    long as to pack a chunk of 50, and answers repeat themselves every few lines.
    """
    packing = zlib.compressobj(wbits=12, memLevel=5)
    return packing.compress(data) + packing.flush()


def read_bytes(data: bytes) -> bytes:
    """Read a request or an answer back."""
    return zlib.decompress(data)


NOTHING = write_bytes(b"")
"""A request or an answer of which the archive knows more."""


def write_exchange(exchange: Exchange) -> dict[str, str | int | bytes | None]:
    """Write an exchange as the columns `answer`, `status`, `because` and `body`."""
    if isinstance(exchange, Answered):
        body = write_bytes(exchange.body)
        return {"answer": "answered", "status": exchange.status, "because": None, "body": body}
    answer = "never-sent"
    if isinstance(exchange, NoAnswer):
        answer = "timed-out" if exchange.timed_out else "no-answer"
    because = write_text(exchange.because)
    return {"answer": answer, "status": None, "because": because, "body": None}


def read_exchange(
    answer: str | None, status: int, because: str | None, body: bytes
) -> Exchange | None:
    """Read an exchange from its columns; None where nothing was recorded."""
    if answer is None:
        return None
    if answer == "answered":
        return Answered(status, read_bytes(body))
    if answer == "never-sent":
        return NeverSent(because or "")
    return NoAnswer(because or "", timed_out=answer == "timed-out")


def write_server(server: FittedServer) -> str:
    """Write what is known of a server; a knee that was not met is null."""
    return orjson.dumps(asdict(server)).decode()


@whole
def read_pace(tried: object, server: object, at: object) -> tuple[Learnt, datetime]:
    """Read what an execution has found of a server, and when."""
    facts = orjson.loads(read_words(server))
    knee = facts.pop("knee")
    found = FittedServer(**{name: float(fact) for name, fact in facts.items()})
    found = replace(found, knee=math.inf if knee is None else float(knee))
    if not (found.number_s > 0 and found.call_s >= 0 and found.look_s >= 0 and found.knee >= 1):
        raise ValueError(f"{server!r} is no server")
    return Learnt(found, max(1, read_whole_number(tried))), read_time(read_words(at))
