"""Programs as clients of the dashboard's server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx

from tests.web.shop import Shop
from tests.web.visits import HOST, PATIENCE_S, House, in_time

API = "/api/v1"

JSON = Mapping[str, Any]


@asynccontextmanager
async def program(home: House, token: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """Open a program's client, which is no browser."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(home.ready.app, raise_app_exceptions=False),
        base_url=f"{HOST}{API}",
        headers={"authorization": f"Bearer {token}"} if token else {},
    ) as client:
        yield client


async def until_over(client: httpx.AsyncClient, id_: str) -> JSON:
    """Ask how a push stands until nothing more is done about it by itself."""
    told: JSON = {"state": "planning"}
    with anyio.fail_after(PATIENCE_S):
        while told["state"] in {"planning", "accepted", "running"}:
            await anyio.sleep(0.5)
            told = (await client.get(f"/pushes/{id_}")).json()
    return told


Play = Callable[[Shop, House, httpx.AsyncClient], Awaitable[None]]


def played(act: Play, folder: Path, shop: Shop | None = None) -> None:
    """Play with a program that may do all, in a server whose waiting takes no time."""

    async def visit() -> None:
        here = shop or Shop(folder)
        token = await here.token()
        async with here.open() as home, program(home, token) as client:
            await act(here, home, client)

    in_time(visit)
