"""The site on a socket: HTTP/1.1 by h11, on loopback only.

Sockets are used directly, with anyio only for waiting, because breaking a connection
off as a fault demands control that streams do not give: a reset must not be preceded
by an orderly end.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from email.utils import formatdate

import anyio
import h11

from k3push.simulator.exchange import Break, CutOff, Reply, Request
from k3push.simulator.site import Site

_LOOPBACK = "127.0.0.1"
_BACKLOG = 1024
_CHUNK = 64 * 1024

# Linger for no time: closing then resets the connection instead of ending it.
# Windows keeps the two numbers in half the room.
_RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


async def serve(site: Site, *, port: int = 0, started: Callable[[str], None] | None = None) -> None:
    """Serve *site* until cancelled.

    Args:
        port: Port on 127.0.0.1; 0 for any free one.
        started: Called with the address once it is listening.

    Raises:
        ValueError: If a fault of the site can be played in memory only.
        OSError: If the port is taken.
    """
    if site.faults.needs_memory():
        raise ValueError("a connection that is never made can be played in memory only")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
        listener.listen(_BACKLOG)
        listener.settimeout(0)
        if started is not None:
            started(f"http://{_LOOPBACK}:{listener.getsockname()[1]}/K3Cloud/")
        async with anyio.create_task_group() as tasks:
            while True:
                await anyio.wait_readable(listener)
                try:
                    accepted, _ = listener.accept()
                except (BlockingIOError, ConnectionError):
                    continue
                tasks.start_soon(_Connection(accepted, site).run)


class _Connection:
    """One client's connection, from its first request to its end."""

    def __init__(self, sock: socket.socket, site: Site) -> None:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._site = site
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        """Answer requests until either side ends the connection."""
        try:
            while (request := await self._request()) is not None:
                if not await self._play(request):
                    return
                self._http.start_next_cycle()
        except (OSError, h11.ProtocolError):
            # The client has left or does not speak HTTP; neither concerns the site.
            return
        finally:
            self._sock.close()

    async def _request(self) -> Request | None:
        """Read a request whole; None when the client has ended the connection."""
        head: h11.Request | None = None
        body = b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await self._send(self._http.send(go_on))
                self._http.receive_data(await self._receive())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = {
                    name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers
                }
                return Request(head.method.decode(), head.target.decode("latin-1"), headers, body)
            else:
                return None

    async def _play(self, request: Request) -> bool:
        """Answer *request* or break off; tell whether the connection may go on."""
        fate = await self._site.handle(request)
        match fate:
            case Reply():
                await self._send(self._message(fate, fate.body))
                return self._http.our_state is h11.DONE
            case CutOff(reply):
                await self._send(self._message(reply, fate.part))
                self._reset()
            case Break.RESET:
                self._reset()
            case Break.SILENT:
                while await self._receive():
                    pass
            case Break.CLOSED:
                pass
            case _:
                raise ValueError(f"{fate} can be played in memory only")
        return False

    def _message(self, reply: Reply, part: bytes) -> bytes:
        """Give the bytes of *reply*, of whose body only *part* is sent."""
        # Every server of a real site tells the time.
        now = formatdate(usegmt=True)
        given = [*reply.headers, ("date", now), ("content-length", str(len(reply.body)))]
        headers = [(name.encode(), value.encode()) for name, value in given]
        sent = self._http.send(h11.Response(status_code=reply.status, headers=headers))
        sent += self._http.send(h11.Data(data=part))
        if len(part) == len(reply.body):
            sent += self._http.send(h11.EndOfMessage())
        return sent

    def _reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    async def _receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(_CHUNK)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)

    async def _send(self, content: bytes | None) -> None:
        rest = memoryview(content or b"")
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)
