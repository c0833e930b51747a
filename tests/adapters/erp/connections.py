"""A server on a socket that answers with bytes, and lines to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from k3push.adapters.erp.connection import Line, Reuse

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Server:
    """A server that answers with bytes, and what it saw.

    Attributes:
        url: Where it listens.
        connections: How many were made.
        open: How many of them are.
        calls: The bodies that came, in their order.
        closed: Is set each time a client has closed its connection.
    """

    url: str = ""
    connections: int = 0
    open: int = 0
    calls: list[bytes] = field(default_factory=list)
    closed: anyio.Event = field(default_factory=anyio.Event)


Answering = Callable[[Server, bytes, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def served(answering: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve *answering*, which is told each body and may write to the stream or close it."""
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                server.calls.append(body)
                await answering(server, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            server.closed.set()
        finally:
            server.open -= 1
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/K3Cloud/"
    async with listening:
        yield server


def answering(*answers: bytes, then_close: bool = False) -> Answering:
    """Give the answers one after another, the last one ever again."""

    async def answer(server: Server, _: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[min(len(server.calls), len(answers)) - 1])
        await writer.drain()
        if then_close:
            writer.close()

    return answer


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off."""
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


def a_line(tls: ssl.SSLContext | None = None, reuse: Reuse | None = None) -> Line:
    """Make a line that trusts nobody, or those that a context trusts."""
    return Line(tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), reuse or Reuse())


async def call(
    line: Line, url: str, body: bytes = b"{}", *, connect_s: float = 5, read_s: float = 5
) -> httpx.Response:
    """Make a call, as the adapter does."""
    timeout = {"connect": connect_s, "read": read_s}
    request = httpx.Request("POST", url, content=body, extensions={"timeout": timeout})
    return await line.handle_async_request(request)
