"""The calls of k3push by aiohttp, whose parser is compiled: the limit of Python."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.benchmarks.peers.calls import Post, main


@asynccontextmanager
async def connect(headers: dict[str, str]) -> AsyncIterator[Post]:
    """Open a client."""
    async with aiohttp.ClientSession(headers=headers) as client:

        async def post(url: str, body: bytes) -> bytes:
            async with client.post(url, data=body) as answer:
                return await answer.read()

        yield post


if __name__ == "__main__":
    main(connect)
