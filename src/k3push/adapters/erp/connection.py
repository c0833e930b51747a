"""A line to the ERP: one connection under httpx's interface.

What httpx brings itself spends two thirds of a call's processor time between its layers
(measured: 0.36 ms a call, here 0.14). This one has HTTP's rules from h11, as httpx has, and
lets asyncio write to the socket and read from it without a layer between.

It opens a connection for the first call and for one that finds the last connection gone, and
never takes up a call again: what was handed to a socket once may have been read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import cast

import anyio
import h11
import httpx
from aiohappyeyeballs import start_connection

from k3push.core.protocol.compression import MOST_BYTES, PackingError, unpacked
from k3push.core.remark import remark

# A connection that was idle for longer is not used again: the server may close it just as the next
# call leaves.
IDLE_S = 5.0

# A connection that ends within this time after a call has left was being closed before it; one that
# ends later has cut the call off.
SOON_S = 1.0

PACKED_AS = b"content-encoding"

# How soon the next address of a name is tried beside one that does not answer (RFC 8305).
NEXT_ADDRESS_S = 0.25


HELD_BACK = "k3push.held_back"
"""Extension of a request: asked when the connection stands and before the first byte leaves."""


class HeldBackError(httpx.ConnectError):
    """Nothing was sent, since its caller no longer wants it to leave."""


def why_held_back(request: httpx.Request) -> str:
    """Return why a request is not to leave any more, or ""."""
    asked = request.extensions.get(HELD_BACK)
    return asked() if asked else ""


@dataclass(slots=True)
class Reuse:
    """Which connections to a site are used again, as far as is known.

    Some servers and proxies close each after its answer or after a second, and say nothing of it.

    Attributes:
        below_s: Connections that were idle for less than this are used again; the server has closed
            one that was idle for as long. Settings of servers for it are whole seconds.
    """

    below_s: float = IDLE_S


class Line(httpx.AsyncBaseTransport):
    """Carries one call at a time, on asyncio."""

    def __init__(self, tls: ssl.SSLContext, reuse: Reuse) -> None:
        """Begin without a connection.

        Args:
            tls: What a server must show, where the URL is https.
            reuse: What all lines to the site have learnt.
        """
        self._tls = tls
        self._reuse = reuse
        self._wire: _Socket | None = None
        self._http = h11.Connection(h11.CLIENT)
        self._idle_since_s = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer, both within the extension "timeout".

        Raises:
            httpx.ConnectError: No connection was made, so nothing was sent.
            httpx.ConnectTimeout: The same.
            HeldBackError: The same: the extension `HELD_BACK` says why.
            httpx.ReadTimeout: The answer took too long.
            httpx.ReadError: The connection broke.
            httpx.RemoteProtocolError: The answer broke off, is not HTTP, or has no end.
            httpx.DecodingError: The answer is packed, and does not unpack.
            httpx.LocalProtocolError: The request is none that HTTP can carry.
        """
        limits = request.extensions["timeout"]
        loop = asyncio.get_running_loop()
        idle_s = loop.time() - self._idle_since_s
        kept = self._usable(idle_s)
        wire = kept or await self._connect(request.url, limits["connect"])
        self._wire = None
        if why := why_held_back(request):
            wire.transport.abort()
            raise HeldBackError(why)
        # A cancel scope would do the same for ten times the price.
        deadline = loop.call_later(limits["read"], wire.be_late)
        left_s = loop.time()
        try:
            response = await self._exchange(wire, request)
            # After a proxy's word of a failure the true answer may follow on the same connection.
            is_sound = response.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            if is_sound and self._http.our_state is self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
                self._idle_since_s = loop.time()
                self._wire, wire.busy = wire, False
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None
        except (ConnectionError, h11.RemoteProtocolError) as error:
            if kept and self._is_unanswered and loop.time() - left_s < SOON_S:
                self._reuse.below_s = min(self._reuse.below_s, floor(idle_s))
            broke = isinstance(error, ConnectionError)
            raise (httpx.ReadError if broke else httpx.RemoteProtocolError)(str(error)) from error
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        finally:
            deadline.cancel()
            if self._wire is None:
                wire.transport.abort()
        return response

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None:
            self._wire.transport.abort()
            await self._wire.lost.wait()

    def _usable(self, idle_s: float) -> _Socket | None:
        """Return the last connection, if nothing has come over it since and it is not old."""
        wire, self._wire = self._wire, None
        if wire is None or wire.ended:
            return None
        if idle_s >= self._reuse.below_s or self._http.trailing_data[0]:
            wire.transport.abort()
            return None
        return wire

    @property
    def _is_unanswered(self) -> bool:
        return self._http.their_state is h11.SEND_RESPONSE

    async def _connect(self, url: httpx.URL, timeout_s: float) -> _Socket:
        secure = url.scheme == "https"
        host, port = url.raw_host.decode(), url.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(timeout_s):
                # asyncio's own race of addresses loses a socket that opens as it is cancelled.
                connected = await start_connection(
                    await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM),
                    happy_eyeballs_delay=NEXT_ADDRESS_S,
                )
                _, wire = await loop.create_connection(
                    _Socket,
                    sock=connected,
                    ssl=self._tls if secure else None,
                    server_hostname=host if secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, ValueError, OverflowError) as error:
            # The latter two: names and ports that no address can have.
            raise httpx.ConnectError(str(error)) from error
        self._http = h11.Connection(h11.CLIENT)
        return wire

    async def _exchange(self, wire: _Socket, request: httpx.Request) -> httpx.Response:
        http = self._http
        head = h11.Request(
            method=request.method, target=request.url.raw_path, headers=request.headers.raw
        )
        sent = [
            http.send(head),
            http.send(h11.Data(request.content)),
            http.send(h11.EndOfMessage()),
        ]
        wire.busy = True
        wire.transport.write(b"".join(part for part in sent if part))
        answer: h11.Response | None = None
        body = Body()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                data = await wire.read()
                if not data and self._is_unanswered:
                    # h11 would say so in words about its own states.
                    raise h11.RemoteProtocolError(remark("answer.hung_up"))
                http.receive_data(data)
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                body.add(bytes(event.data))
            elif answer is not None and isinstance(event, h11.EndOfMessage):
                return body.answer(request, answer.status_code, answer.headers)


class Body:
    """The body of an answer while it comes, within a bound."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._room = MOST_BYTES

    def add(self, part: bytes) -> None:
        """Take what has come; raises `httpx.RemoteProtocolError` where it is too much."""
        self._room -= len(part)
        if self._room < 0:
            raise httpx.RemoteProtocolError(remark("answer.too_long", most=MOST_BYTES))
        self._parts.append(part)

    def answer(
        self, request: httpx.Request, status: int, headers: Sequence[tuple[bytes, bytes]]
    ) -> httpx.Response:
        """Make the whole answer; httpx would unpack it without a bound.

        Raises:
            httpx.DecodingError: It is packed, and does not unpack.
        """
        packed = [value for name, value in headers if name.lower() == PACKED_AS]
        plain = [each for each in headers if each[0].lower() != PACKED_AS] if packed else headers
        body = b"".join(self._parts)
        if packed:
            try:
                body = unpacked(body, b",".join(packed).decode("latin-1"))
            except PackingError as error:
                raise httpx.DecodingError(str(error)) from error
        return httpx.Response(status, headers=list(plain), content=body, request=request)


class _Socket(asyncio.Protocol):
    """A connection, as asyncio tells of it.

    Attributes:
        busy: A call is under way on it.
        ended: Nothing more comes.
        lost: It is closed on our side as well.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.busy = self.ended = self._late = False
        self.lost = anyio.Event()
        self._came: list[bytes] = []
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Return what has come, or b"" at the end.

        Raises:
            ConnectionError: The connection broke.
            TimeoutError: It has come to its deadline.
        """
        if not self._came and not self.ended:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if self._late:
            raise TimeoutError
        if self._came:
            data, self._came = b"".join(self._came), []
            return data
        if self._error is not None:
            raise ConnectionError(str(self._error)) from self._error
        return b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            # Nobody had asked, so it must not pass for the answer to the next call.
            self.ended = True
            self.transport.abort()
            return
        self._came.append(data)
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self._error = True, exc
        self.lost.set()
        self._wake()

    def be_late(self) -> None:
        """Wait no longer, whatever has come."""
        self.ended = self._late = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
