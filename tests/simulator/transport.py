"""The site as an httpx transport: no sockets, and every break raises what httpx would raise.

Which exception stands for which break was measured on real sockets; the same requests
against the socket server hold this module to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpx

from k3push.simulator.exchange import Break, CutOff, Fate, Reply, Request
from k3push.simulator.site import Site


class SandboxTransport(httpx.AsyncBaseTransport):
    """Carries requests to a site in memory.

    Time-outs count on anyio's clock, so that a virtual one makes an hour pass at once.

    Args:
        site: The site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* to the site.

        Raises:
            httpx.ConnectError: If the connection is refused.
            httpx.ConnectTimeout: If it is never made and nobody says so.
            httpx.ReadError: If the connection is reset, before or after the work.
            httpx.RemoteProtocolError: If it is closed without an answer.
            httpx.ReadTimeout: If no answer comes in the time that the request allows.
        """
        timeouts = request.extensions.get("timeout", {})
        asked = Request(
            request.method,
            request.url.raw_path.decode(),
            {name.lower(): value for name, value in request.headers.items()},
            await request.aread(),
        )
        fate: Fate = Break.SILENT
        with anyio.move_on_after(timeouts.get("read")):
            fate = await self._site.handle(asked)
            if fate is Break.SILENT:
                await anyio.sleep_forever()
        match fate:
            case Break.REFUSED:
                raise httpx.ConnectError("the sandbox refuses the connection", request=request)
            case Break.UNREACHABLE:
                with anyio.move_on_after(timeouts.get("connect")):
                    await anyio.sleep_forever()
                raise httpx.ConnectTimeout("the sandbox is not reached", request=request)
            case Break.RESET:
                raise httpx.ReadError("the sandbox resets the connection", request=request)
            case Break.CLOSED:
                raise httpx.RemoteProtocolError("the sandbox closes", request=request)
            case Break.SILENT:
                raise httpx.ReadTimeout("the sandbox does not answer", request=request)
            case CutOff(reply):
                return httpx.Response(
                    reply.status, headers=_raw(reply), stream=_Cut(fate.part, request)
                )
        return httpx.Response(fate.status, headers=_raw(fate), stream=httpx.ByteStream(fate.body))


def _raw(reply: Reply) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in reply.headers]


class _Cut(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, part: bytes, request: httpx.Request) -> None:
        self._part = part
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._part
        raise httpx.ReadError("the sandbox breaks off", request=self._request)
