"""How many connections the dashboard's server keeps, and how long a request may take to arrive.

Whoever can reach the port can open connections and say nothing, or half a request, or read nothing
of what is answered. Each of them is closed after a while; there are so many at most, so many of one
address, and all of them fewer than files may be open: where these run out, a server accepts nobody
and says so without end.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from k3push.web.admission.addresses import neighbourhood, plain_address

HEADERS_S = 10.0
"""Until a request has its headers; the next one on a connection likewise."""

BODY_S = 120.0
"""Until it has its body; a list of 32 MB takes half of that at 4 Mbit/s."""

UNREAD_S = 60.0
"""Until a client takes some of the answer that waits for it; who reads slowly is waited for."""

_UNREAD = object()
"""What a client owes that has not read its answer."""

MOST = 1000
MOST_OF_ADDRESS = 100
"""A browser opens six; behind a proxy all have its address, and `trusted` ones have no bound."""

# Files that are open besides: ledgers, logs, modules.
FILES_BESIDE = 64

TOLD_EVERY_S = 60.0


def room() -> int:
    """Return how many connections this process can keep; the system's limit is raised first."""
    most = MOST
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST + FILES_BESIDE
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft != resource.RLIM_INFINITY:
            most = min(MOST, max(soft - FILES_BESIDE, 1))
    return most


@dataclass(slots=True)
class Limits:
    """What the connections of one server share.

    Attributes:
        is_trusted: Says whether an address is a proxy of ours, behind which many are.
        most: Connections.
        most_of_address: Connections of one address, or of one network where a host has many.
        headers_s: Seconds until a request has its headers.
        body_s: Seconds from there until it has its body.
        unread_s: Seconds for which a client may take nothing of an answer that waits for it.
    """

    is_trusted: Callable[[str], bool]
    most: int = MOST
    most_of_address: int = MOST_OF_ADDRESS
    headers_s: float = HEADERS_S
    body_s: float = BODY_S
    unread_s: float = UNREAD_S
    _places: Counter[str] = field(default_factory=Counter)

    def protocol(self) -> type[asyncio.Protocol]:
        """Return what speaks HTTP on a connection within these limits."""
        logging.getLogger("uvicorn.error").addFilter(_is_told)
        return type("Limited", (_Limited,), {"limits": self})

    def place_of(self, address: str) -> str:
        """Return what an address is counted as; "" if it is not."""
        return "" if self.is_trusted(address) else neighbourhood(address)

    def comes(self, place: str, connections: int) -> bool:
        """Count a connection, and say whether it may stay."""
        self._places[place] += 1
        crowded = bool(place) and self._places[place] > self.most_of_address
        return connections <= self.most and not crowded

    def goes(self, place: str) -> None:
        """Count a connection no longer."""
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]


def _is_told(record: logging.LogRecord) -> bool:
    """Pass over what is cut off as the server ends: clients that are slow are no defect."""
    error = record.exc_info[1] if record.exc_info else None
    cut_off = isinstance(error, asyncio.CancelledError)
    return not cut_off and "graceful shutdown exceeded" not in record.getMessage()


class _Limited(H11Protocol):
    """One connection."""

    limits: ClassVar[Limits]
    _place = ""
    _timer: asyncio.TimerHandle | None = None
    _waits_for: Any = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._place = self.limits.place_of(plain_address(self.client[0] if self.client else ""))
        if self.limits.comes(self._place, len(self.connections)):
            self._wait()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cease()
        self.limits.goes(self._place)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait()

    def _wait(self) -> None:
        """Let the connection end unless what it owes has come by then."""
        state: object = self.conn.their_state
        unread = self.transport.get_write_buffer_size()
        if unread and (state is h11.IDLE or self.flow.write_paused):
            state, owes = _UNREAD, self.limits.unread_s
        elif self.transport.is_closing():
            owes = None
        else:
            headers_s, body_s = self.limits.headers_s, self.limits.body_s
            owes = {h11.IDLE: headers_s, h11.SEND_BODY: body_s}.get(self.conn.their_state)
        if owes is None:
            self._cease()
        elif self._timer is None or state is not self._waits_for:
            self._cease()
            self._waits_for, self._unread = state, unread
            self._timer = self.loop.call_later(owes, self._end)

    def _end(self) -> None:
        """End the connection, unless its client has read some of its answer meanwhile."""
        reads = self.transport.get_write_buffer_size() < self._unread
        if self._waits_for is _UNREAD and reads:
            self._cease()
            self._wait()
        else:
            self.transport.abort()

    def _cease(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._waits_for = None


class SeldomTold:
    """Tells each kind of trouble of the event loop once in a while, however often it comes."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told_s: dict[str, float] = {}

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop would print, a trace for each connection that it cannot accept."""
        error = context.get("exception")
        what = str(context.get("message", ""))
        why = f"{what}: {error}" if error else what
        now_s = loop.time()
        if now_s - self._told_s.get(why, -TOLD_EVERY_S) >= TOLD_EVERY_S:
            self._told_s[why] = now_s
            self._tell(why)
