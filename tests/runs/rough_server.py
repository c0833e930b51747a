"""The sandbox behind a server that frames, cuts and drops as a seed draws it."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.lowlevel import checkpoint

from k3push.simulator import Site
from k3push.simulator.exchange import Break, CutOff, Reply, Request
from tests.adapters.erp.frames import COOKIES, FRAMES, UNTIL_CLOSED, Answer

# Shares of all requests.
UNREAD, CUT_OFF, RESET, CLOSED = 0.02, 0.03, 0.03, 0.1

_LENGTH = re.compile(r"content-length: (\d+)", re.IGNORECASE)


@asynccontextmanager
async def served_roughly(site: Site, seed: int) -> AsyncIterator[str]:
    """Serve *site* on loopback, and give its address."""
    connections = 0

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        chance = random.Random(f"{seed}/{connections}")  # noqa: S311  # the same each time
        try:
            while await _serve(site, chance, reader, writer):
                pass
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left, as it may
        finally:
            if not writer.is_closing():
                writer.transport.abort()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/K3Cloud/"


async def _serve(
    site: Site, chance: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Serve one request; say whether the connection serves on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    if chance.random() < UNREAD:
        _reset(writer)
        return False
    said = _LENGTH.search(head)
    body = await reader.readexactly(int(said[1]) if said else 0)
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split()
    named = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in named}
    fate = await site.handle(Request(method, target, headers, body))
    if isinstance(fate, Break):
        if fate is Break.RESET:
            _reset(writer)
        return False
    framed = chance.choice(FRAMES)
    reply = fate.reply if isinstance(fate, CutOff) else fate
    answer = _written(reply, framed(chance.random()))
    if isinstance(fate, CutOff) or chance.random() < CUT_OFF:
        await _write(writer, answer[: chance.randrange(len(answer))], 0)
        _reset(writer)
        return False
    await _write(writer, answer, chance.choice([0, 0, 1, 100]))
    if chance.random() < RESET:
        _reset(writer)
        return False
    return framed not in UNTIL_CLOSED and chance.random() >= CLOSED


def _written(reply: Reply, frame: Answer) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers).encode()
    return frame(b"%d Status" % reply.status, COOKIES + lines, reply.body)


async def _write(writer: asyncio.StreamWriter, answer: bytes, piece: int) -> None:
    for at in range(0, len(answer), piece or len(answer) or 1):
        writer.write(answer[at : at + (piece or len(answer))])
        await writer.drain()
        await checkpoint()


def _reset(writer: asyncio.StreamWriter) -> None:
    at_once = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
