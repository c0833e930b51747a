"""A dashboard in memory, and browsers of different manners that come to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from ipaddress import ip_network
from typing import Any

import anyio
import httpx
from starlette.routing import BaseRoute
from trio.testing import MockClock

from k3push.core.model import Uptime
from k3push.core.web_addresses import LOOPBACK
from k3push.ports import Clock, Ledger, LedgerLostError
from k3push.web.admission.access import Rules
from k3push.web.asgi import Dashboard, dashboard
from k3push.web.tenant_ledgers import ServedTenant
from k3push.words.language import LANGUAGES, Say, speaker
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, RUN

HOST = "http://127.0.0.1:8200"
COOKIE = "k3push-8200"
RULES = Rules(hosts=LOOPBACK, cookie=COOKIE)
PASSWORD = Rules(hosts=LOOPBACK, cookie=COOKIE, password="correct horse")
PROXY = Rules(
    hosts=LOOPBACK,
    cookie=COOKIE,
    user_header="X-Remote-User",
    proxies=[ip_network("10.0.0.0/24")],
)
ACCT = RUN.scope.partition("|")[0]
SPEAKERS: Mapping[str, Say] = {each: speaker(each) for each in LANGUAGES}


class StoppedClock:
    """A time of day that stands still."""

    def now(self) -> Any:
        """Return the time, aware."""
        return NOON

    def uptime(self) -> Uptime:
        """Return the time since the machine came up."""
        return Uptime("boot", 1000)


def tenant(ledger: Ledger, name: str = "config", acct_id: str = ACCT) -> ServedTenant:
    """Return a tenant whose ledger is open already."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        yield ledger

    return ServedTenant(name, acct_id, str(id(ledger)), opened)


def without_ledger(name: str, why: str) -> ServedTenant:
    """Return a tenant whose ledger cannot be opened."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        raise LedgerLostError(why)
        yield MemoryLedger(account=ACCT)  # type: ignore[unreachable]  # makes it a generator

    return ServedTenant(name, ACCT, f"lost {name}", opened)


@dataclass
class House:
    """A dashboard, and what it has logged."""

    ready: Dashboard
    logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """All addresses of the dashboard."""
        return self.ready.routes

    def browser(self, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """Return a browser without cookies, that says where its forms come from."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.ready.app, client=(address, 50000)),
            base_url=HOST,
            headers=httpx.Headers(
                {"sec-fetch-site": "same-origin", "origin": HOST, **headers}, encoding="utf-8"
            ),
        )

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[httpx.AsyncClient]:
        """Open a browser that has used the printed address."""
        async with self.browser() as browser:
            answer = await browser.get("/enter", params={"token": self.ready.token})
            assert answer.status_code == 200, answer.text
            yield browser


@asynccontextmanager
async def house(
    *tenants: ServedTenant,
    rules: Rules = RULES,
    several: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[House]:
    """Open a dashboard."""
    logged: list[tuple[str, dict[str, object]]] = []

    def log(event: str, *, debug: bool = False, **facts: object) -> None:
        logged.append((event, {**facts, "debug": debug}))

    shown = tenants or (tenant(MemoryLedger(account=ACCT)),)
    async with dashboard(
        shown,
        rules,
        SPEAKERS,
        clock or StoppedClock(),
        lang="en",
        log=log,
        several=several,
    ) as ready:
        yield House(ready, logged)


def seal_of(answer: httpx.Response) -> str:
    """Return what the forms of a page bring along."""
    found = re.search(r'name="seal" value="([0-9a-f]+)"', answer.text)
    assert found, answer.text
    return found[1]


async def led(browser: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """Follow an answer to a form to the page that it leads to, which can be loaded again."""
    assert answer.status_code == 303, answer.text
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 200, page.text
    return page


def sent_in(answer: httpx.Response) -> dict[str, str]:
    """Return which calls the form for a person's word is about."""
    found = re.search(r'name="sent" value="([^"]*)"', answer.text)
    assert found, answer.text
    return {"sent": unescape(found[1])}


PATIENCE_S = 3600.0


async def until(condition: Callable[[], Awaitable[bool]], every_s: float = 0.1) -> None:
    """Wait until something holds, in virtual time."""
    with anyio.fail_after(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110  # what changes it tells nobody
            await anyio.sleep(every_s)


def in_time(act: Callable[[], Awaitable[None]]) -> None:
    """Run on a clock that jumps over all waiting."""
    anyio.run(act, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
