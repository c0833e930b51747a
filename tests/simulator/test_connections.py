"""The socket server, and the in-memory transport that must break the same way."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from k3push.simulator import Site, serve
from tests.simulator.clients import MEMORY, Client, client_of, logged_in, site_of

pytestmark = pytest.mark.anyio

NUMBER = "CGDD0000001"

BREAKS = [
    ("reset", httpx.ReadError),
    ("make-then-reset", httpx.ReadError),
    ("close", httpx.RemoteProtocolError),
    ("make-then-close", httpx.RemoteProtocolError),
    ("make-then-cut-off", httpx.ReadError),
    ("make-then-silence", httpx.ReadTimeout),
]

# Long enough for every answer on loopback, short enough for a test of silence.
TIMEOUT_S = 0.2


@pytest.fixture
def anyio_backend() -> str:
    """Run on real time, as sockets do."""
    return "asyncio"


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[str]:
    """Serve a site on a free port and give its address."""
    address: list[str] = []
    listening = anyio.Event()

    def started(url: str) -> None:
        address.append(url)
        listening.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve(site, started=started))
        await listening.wait()
        yield address[0]
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(site: Site, kind: str) -> AsyncIterator[Client]:
    """Give a client that is logged in, over a socket or in memory."""
    if kind == "memory":
        yield await logged_in(site, timeout_s=TIMEOUT_S)
        return
    async with served(site) as url, httpx.AsyncClient(timeout=TIMEOUT_S) as http:
        client = Client(http, url)
        await client.log_in()
        yield client


@pytest.mark.parametrize("kind", ["memory", "socket"])
@pytest.mark.parametrize(("name", "raised"), BREAKS)
async def test_a_break_raises_the_same_in_memory_and_on_a_socket(
    kind: str, name: str, raised: type[Exception]
) -> None:
    """Tests in memory prove something only as far as this holds."""
    site = site_of()
    async with connected(site, kind) as client:
        site.faults.add(name)
        with pytest.raises(raised):
            await client.push_raw(NUMBER)
        assert len(site.world.documents_of(NUMBER)) == int(name.startswith("make"))


@pytest.mark.parametrize("kind", ["memory", "socket"])
async def test_answers_arrive_the_same_in_memory_and_on_a_socket(kind: str) -> None:
    """Status, compression and content come through either way."""
    site = site_of()
    async with connected(site, kind) as client:
        site.faults.add("gzip", "html-502", "gateway-519")
        packed = await client.push_raw(NUMBER)
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.json()["Result"]["ResponseStatus"]["IsSuccess"] is True
        assert (await client.push_raw(NUMBER)).status_code == 502
        gateway = await client.push_raw(NUMBER)
        assert (gateway.status_code, gateway.headers["x-api-requestid"]) == (519, "sandbox")
        assert site.faults.unused() == ()


@pytest.mark.parametrize(
    ("name", "raised"),
    [("refuse-connection", httpx.ConnectError), ("connect-timeout", httpx.ConnectTimeout)],
)
async def test_a_connection_that_is_never_made_is_played_in_memory_only(
    name: str, raised: type[Exception]
) -> None:
    """A server that is there cannot refuse what it has accepted, and says so at the start."""
    site = site_of()
    client = await logged_in(site, timeout_s=TIMEOUT_S)
    site.faults.add(name)
    with pytest.raises(raised):
        await client.push_raw(NUMBER)
    site.faults.add(name)
    with pytest.raises(ValueError, match="in memory only"):
        await serve(site)


async def test_a_closed_port_is_refused() -> None:
    """The in-memory refusal stands for this."""
    async with served(site_of()) as url:
        pass
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_a_taken_port_is_an_error() -> None:
    """Whoever starts a second sandbox on one port must hear of it."""
    async with served(site_of()) as url:
        port = int(httpx.URL(url).port or 0)
        with pytest.raises(OSError, match=r"in use|10048"):
            await serve(site_of(), port=port)


async def test_many_calls_share_one_connection() -> None:
    """Keep-alive is what makes thousands of calls a second possible."""
    async with served(site_of()) as url, httpx.AsyncClient() as http:
        client = Client(http, url)
        await client.log_in()
        streams = [(await client.push_raw(NUMBER)).extensions["network_stream"] for _ in range(3)]
        ports = {stream.get_extra_info("client_addr") for stream in streams}
        assert len(ports) == 1
        closing = await http.get(url.replace("K3Cloud", "sandbox"), headers={"connection": "close"})
        assert "sandbox" in closing.text


async def test_a_large_answer_arrives_whole() -> None:
    """It does not fit into the socket's buffer, so the server must wait for its client."""
    keys = ",".join(["FBillNo", "FPOOrderEntry_FEntryId"] * 20)
    data = {"FormId": "PUR_PurchaseOrder", "FieldKeys": keys, "Limit": 10_000}
    async with connected(site_of(orders=6000), "socket") as client:
        client.http.timeout = httpx.Timeout(30)
        rows = await client.query(**data)
    assert len(rows) == 10_000


async def test_the_truth_is_a_page_of_the_server() -> None:
    """A newcomer can look at it in a browser."""
    async with served(site_of()) as url, httpx.AsyncClient() as http:
        truth = (await http.get(httpx.URL(url).join("/sandbox/truth"))).json()
        assert truth["pushes"] == 0


async def raw(url: str, *parts: bytes) -> bytes:
    """Send bytes in parts, and give all that comes back until the server ends."""
    port = int(httpx.URL(url).port or 0)
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        received = b""
        for part in parts:
            await stream.send(part)
            if part != parts[-1]:
                received += await stream.receive()
        await stream.send_eof()
        async for chunk in stream:
            received += chunk
        return received


async def test_a_client_may_wait_for_the_word_to_go_on() -> None:
    """Clients on .NET send no body before it."""
    head = (
        b"POST /K3Cloud/X.AuthService.Logout.common.kdsvc HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    async with served(site_of()) as url:
        received = await raw(url, head, b"{}")
    assert received.startswith(b"HTTP/1.1 100 ")
    assert received.endswith(b"false")


async def test_nonsense_and_early_leaving_end_one_connection_only() -> None:
    """The server must outlive whatever is thrown at it."""
    async with served(site_of()) as url:
        assert await raw(url, b"no http at all\r\n\r\n") == b""
        assert await raw(url, b"POST / HTTP/1.1\r\nContent-Length: 5\r\n") == b""
        async with httpx.AsyncClient() as http:
            assert (await Client(http, url).log_in())["LoginResultType"] == 1


async def test_the_server_listens_on_loopback_only() -> None:
    """A stand-in with public passwords must not be reachable from outside."""
    async with served(site_of()) as url:
        assert httpx.URL(url).host == "127.0.0.1"
        with socket.socket() as other:
            other.settimeout(TIMEOUT_S)
            assert other.connect_ex(("127.0.0.2", httpx.URL(url).port or 0)) != 0


async def test_the_memory_client_needs_no_address_of_its_own() -> None:
    """Any host will do, so settings that name a real one can be tested."""
    client = Client(client_of(site_of()).http, MEMORY.replace("sandbox", "erp.example"))
    assert (await client.log_in())["LoginResultType"] == 1


def test_importing_the_simulator_does_not_import_httpx() -> None:
    """The sandbox must start in an environment that has no client in it."""
    code = "import k3push.simulator, sys; sys.exit('httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own words
