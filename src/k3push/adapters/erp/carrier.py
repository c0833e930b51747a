"""One POST to the ERP, over a line from a stack of idle ones; whatever comes of it is a value.

This, `connection` and `endpoint` are what knows httpx.

httpx slows down when many calls share one pool (3.7 ms of CPU a call at 256 at once, against
0.6 ms with a pool for each), so a call takes a line of its own from a stack of idle ones. A
line is a transport without httpx's client: redirects, cookies and logins are not the library's
to decide here, and the client's share is a sixth of what a call costs. Where a proxy stands
between, it is httpx's own transport, which knows proxies.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

import anyio
import httpx

from k3push.adapters.erp.connection import (
    HELD_BACK,
    Body,
    HeldBackError,
    Line,
    Reuse,
    why_held_back,
)
from k3push.adapters.erp.endpoint import Endpoint, UnusableEndpointError, proxy_to, tls_context
from k3push.core.model import Answered, Exchange, NeverSent, NoAnswer
from k3push.core.protocol.cookies import take_up
from k3push.core.remark import kind_and_words, remark

# httpx raises ReadError both when the server read nothing and when it read everything
# (measured on sockets), so only these three prove that nothing was sent.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

# Accept-Encoding lists what can be unpacked here; User-Agent says who calls.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "k3push"}


NewTransport = Callable[[], httpx.AsyncBaseTransport]
"""Makes what carries requests instead of sockets."""


class Carrier:
    """Carries the requests of one user.

    Attributes:
        server_time: The `Date` of the last answer.
        leads_to: Where the last answer sends the caller instead; "" if nowhere.
    """

    def __init__(
        self,
        site: Endpoint,
        now_s: Callable[[], float],
        transport: NewTransport | None,
    ) -> None:
        self._site = site
        self._now_s = now_s
        self._transport = transport
        self._tls: ssl.SSLContext | None = None
        self._reuse = Reuse()
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._urls: dict[str, httpx.URL] = {}
        self._timeouts = httpx.Timeout(
            site.answer_timeout_s, connect=site.connect_timeout_s, pool=site.connect_timeout_s
        ).as_dict()
        self.server_time = ""
        self.leads_to = ""

    async def aclose(self) -> None:
        """Close the lines."""
        for line in self._idle:
            await line.aclose()

    def path_of(self, service: str) -> str:
        """Return the path of a service's address."""
        return urlsplit(str(self._url(service))).path

    async def post(
        self,
        service: str,
        body: bytes,
        headers: Mapping[str, str],
        cookies: dict[str, str] | None,
        *,
        held_back: Callable[[], str] | None = None,
    ) -> Exchange:
        """Post once; *cookies*, if there, takes up those that the answer sets.

        Whatever a server does after the request has left is an answer or `NoAnswer`.
        """
        kind = (
            "application/x-www-form-urlencoded" if self._site.form_encoded else "application/json"
        )
        request = httpx.Request(
            "POST",
            self._url(service),
            content=body,
            headers={**HEADERS, "Content-Type": f"{kind}; charset=utf-8", **headers},
            extensions={"timeout": self._timeouts, HELD_BACK: held_back},
        )
        try:
            line = self._idle.pop() if self._idle else self._new_line()
        except (ValueError, ImportError, httpx.InvalidURL, UnusableEndpointError) as error:
            return NeverSent(remark("note.bad_proxy", why=str(error)))
        try:
            response = await line.handle_async_request(request)
        except HeldBackError as error:
            return NeverSent(str(error))
        except NEVER_SENT as error:
            return NeverSent(self._by_proxy(_words(error)))
        except (httpx.TimeoutException, TimeoutError) as error:
            return NoAnswer(_words(error), timed_out=True)
        except httpx.RequestError as error:
            return NoAnswer(_words(error))
        finally:
            self._idle.append(line)
        if cookies is not None:
            lines = [value for name, value in response.headers.raw if name.lower() == b"set-cookie"]
            take_up(cookies, lines, datetime.fromtimestamp(self._now_s(), UTC))
        self.server_time = response.headers.get("Date", "")
        self.leads_to = response.headers.get("Location", "")
        return Answered(response.status_code, response.content)

    def _url(self, service: str) -> httpx.URL:
        if service not in self._urls:
            self._urls[service] = httpx.URL(f"{self._site.url}{service}.common.kdsvc")
        return self._urls[service]

    def _by_proxy(self, why: str) -> str:
        """Name the proxy that was to lead to the site; its address may hold a password as well."""
        proxy = None
        with suppress(UnusableEndpointError):  # it was changed since the line was made
            proxy = None if self._transport else proxy_to(self._site.url)
        if not proxy:
            return why
        place = urlsplit(proxy).netloc.rpartition("@")[2]
        return remark("note.through_proxy", proxy=place, why=why)

    def _new_line(self) -> httpx.AsyncBaseTransport:
        if self._transport:
            return _Whole(self._transport())
        if self._tls is None:
            # To read all certificates takes longer than a call, and plain http needs none.
            plain = urlsplit(self._site.url).scheme == "http"
            trusting_none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls = trusting_none if plain else tls_context(self._site.verify)
            self._tls.set_alpn_protocols(["http/1.1"])
        if proxy := proxy_to(self._site.url):
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            return _Whole(httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, proxy=proxy))
        return Line(self._tls, self._reuse)


class _Whole(httpx.AsyncBaseTransport):
    """A transport whose answers are read whole and in time, as those of a `Line` are."""

    def __init__(self, carrier: httpx.AsyncBaseTransport) -> None:
        self._carrier = carrier

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read the whole answer."""
        limits = request.extensions["timeout"]
        if why := why_held_back(request):
            raise HeldBackError(why)
        with anyio.fail_after(limits["connect"] + limits["read"]):
            response = await self._carrier.handle_async_request(request)
            body = Body()
            try:
                async for part in cast("AsyncIterable[bytes]", response.stream):
                    body.add(part)
            finally:
                # Else the line would stay taken by an answer that broke off.
                await response.aclose()
        return body.answer(request, response.status_code, response.headers.raw)

    async def aclose(self) -> None:
        """Close what carries."""
        await self._carrier.aclose()


def _words(error: Exception) -> str:
    """Say what the network layer said, or a remark of ours where it said nothing."""
    if str(error):
        return kind_and_words(error)
    late = isinstance(error, (httpx.TimeoutException, TimeoutError))
    return remark("note.no_answer" if late else "note.broke", name=type(error).__name__)
