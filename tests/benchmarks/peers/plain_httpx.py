"""The calls of k3push by httpx, a client for each worker: the limit of the library."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.benchmarks.peers.calls import Post, main

# One for all clients, since to make one takes longer than a chunk.
TLS = ssl.create_default_context()


@asynccontextmanager
async def connect(headers: dict[str, str]) -> AsyncIterator[Post]:
    """Open a client."""
    async with httpx.AsyncClient(
        headers=headers, trust_env=False, timeout=300, verify=TLS
    ) as client:

        async def post(url: str, body: bytes) -> bytes:
            return (await client.post(url, content=body)).content

        yield post


if __name__ == "__main__":
    main(connect)
