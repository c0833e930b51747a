"""A dashboard whose port strangers can reach: what they can take up, and what they are told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from k3push.web.admission.addresses import neighbourhood, plain_address
from k3push.web.admission.connection_limits import Limits, SeldomTold, room
from tests.cli.terminal import CONFIG, Desk, until
from tests.memory_ledger.ledger import MemoryLedger
from tests.web.programs import API, played
from tests.web.server import Serve
from tests.web.shop import Shop, signed_in
from tests.web.test_live import Viewer
from tests.web.visits import (
    ACCT,
    COOKIE,
    HOST,
    PASSWORD,
    PROXY,
    House,
    house,
    in_time,
    seal_of,
    tenant,
)

pytestmark = pytest.mark.halved

SHORT_S = 0.3
POURED = 2**26
SMALL = 2**15
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop of servers."""
    return "asyncio"


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    """Answer once the whole request has come."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def pour(_: Scope, __: Receive, send: Send) -> None:
    """Answer more than a connection holds that nobody reads from."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _nth in range(POURED // 2**20):
        await send({"type": "http.response.body", "body": b"x" * 2**20, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(
    limits: Limits, app: ASGIApp = echo, *, sent: int = 0, grace_s: float | None = None
) -> AsyncIterator[int]:
    """Serve an application within limits, and give its port; *sent* bytes are on their way."""
    listener = socket.create_server(("127.0.0.1", 0))
    if sent:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sent)
    config = uvicorn.Config(
        app, http=limits.protocol(), lifespan="off", log_config=None, log_level="error"
    )
    config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]  # it takes parts, too
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server._serve, [listener])
        while not server.started:  # noqa: ASYNC110  # it tells nobody
            await anyio.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True


async def connected(stack: AsyncExitStack, port: int, said: bytes) -> anyio.abc.ByteStream:
    """Open a connection and say something."""
    stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
    await stream.send(said)
    return stream


async def is_ended(stream: anyio.abc.ByteStream) -> bool:
    """Say whether the server ends a connection within a while."""
    with anyio.move_on_after(20 * SHORT_S):
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True
    return False


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", HEAD, HEAD + b"half", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT"]
)
async def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(said: bytes) -> None:
    """230 of them had silenced the dashboard for everybody."""
    limits = Limits(lambda _: False, headers_s=SHORT_S, body_s=SHORT_S)
    async with served(limits) as port, AsyncExitStack() as stack:
        stream = await connected(stack, port, said)
        if said.startswith(b"GET / HTTP"):
            assert b"200" in await stream.receive()
        assert await is_ended(stream)


@pytest.mark.anyio
async def test_who_is_cut_off_as_the_server_ends_is_no_defect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each slow upload left a trace of fifty lines in the log of a server that was stopped."""
    async with AsyncExitStack() as stack:
        async with served(Limits(lambda _: False), grace_s=SHORT_S) as port:
            stream = await connected(stack, port, HEAD + b"half")
            await anyio.sleep(SHORT_S)
        assert b"500" in await stream.receive()
    assert caplog.messages == []


@pytest.mark.anyio
async def test_who_reads_nothing_of_an_answer_is_let_go() -> None:
    """A few of them would keep all places for as long as they like."""
    limits = Limits(lambda _: False, unread_s=SHORT_S)
    async with served(limits, pour) as port, AsyncExitStack() as stack:
        stream = await connected(stack, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with anyio.fail_after(60 * SHORT_S):
            while not limits._places:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            while limits._places:  # noqa: ASYNC110  # it tells nobody
                await anyio.sleep(0.01)
        got = len(await stream.receive())
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while got < POURED:
                got += len(await stream.receive())
        assert got < POURED


async def give(_: Scope, receive: Receive, send: Send) -> None:
    """Answer in one piece, as pages and programs are."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * POURED})


async def drip(_: Scope, __: Receive, send: Send) -> None:
    """Answer in small pieces."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _nth in range(POURED // 2**14):
        await send({"type": "http.response.body", "body": b"x" * 2**14, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.anyio
@pytest.mark.parametrize("app", [drip, give])
async def test_who_reads_slowly_gets_all_of_an_answer(app: ASGIApp) -> None:
    """An answer was cut off ten seconds after it was written, whatever its client had read."""
    limits = Limits(lambda _: False, headers_s=SHORT_S, unread_s=SHORT_S)
    loop = asyncio.get_running_loop()
    async with served(limits, app, sent=SMALL) as port:
        with socket.socket() as client, anyio.fail_after(60 * SHORT_S):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
            client.connect(("127.0.0.1", port))
            client.settimeout(0)
            began_s, got = anyio.current_time(), 0
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while anyio.current_time() < began_s + 4 * SHORT_S:
                got += len(await loop.sock_recv(client, SMALL))
                await anyio.sleep(SHORT_S / 6)
            assert got < POURED
            while got < POURED and (more := await loop.sock_recv(client, POURED)):
                got += len(more)
        assert got >= POURED


@pytest.mark.anyio
async def test_who_reads_nothing_of_an_answer_in_one_piece_is_let_go() -> None:
    """All of it waits for its client, and nothing else is owed."""
    limits = Limits(lambda _: False, headers_s=60.0, unread_s=SHORT_S)
    async with served(limits, give) as port, AsyncExitStack() as stack:
        await connected(stack, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with anyio.fail_after(60 * SHORT_S):
            while not limits._places:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            while limits._places:  # noqa: ASYNC110  # it tells nobody
                await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_one_address_has_so_many_connections_and_all_have_so_many() -> None:
    """Those that come beyond that are closed at once, and room is made as others go."""
    limits = Limits(lambda _: False, most=4, most_of_address=3)
    async with served(limits) as port:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await connected(stack, port, b"GET")
            assert await is_ended(await connected(stack, port, b"GET"))
        await anyio.sleep(0.1)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
    limits = Limits(lambda _: True, most=4, most_of_address=3)
    async with served(limits) as port, AsyncExitStack() as stack:
        for _ in range(4):
            await connected(stack, port, b"GET")
        assert await is_ended(await connected(stack, port, b"GET"))


@pytest.mark.anyio
async def test_the_same_trouble_is_told_once_in_a_while() -> None:
    """Where files run out, a loop prints a trace for each of 2,048 tries, every second."""
    told: list[str] = []
    seldom = SeldomTold(told.append)
    for _ in range(2048):
        error = OSError(24, "Too many open files")
        seldom(asyncio.get_running_loop(), {"message": "accept", "exception": error})
    seldom(asyncio.get_running_loop(), {"message": "another"})
    assert told == ["accept: [Errno 24] Too many open files", "another"]
    assert room() > 0


def test_an_ipv4_client_of_an_ipv6_server_has_its_own_address() -> None:
    """They would all be one network, and no trusted proxy would be known."""
    assert plain_address("::ffff:10.0.0.9") == "10.0.0.9"
    assert neighbourhood("::ffff:10.0.0.9") != neighbourhood("::ffff:10.0.0.8")

    async def look() -> None:
        async with (
            house(rules=PROXY) as home,
            home.browser("::ffff:10.0.0.9", **{"x-remote-user": "li"}) as browser,
        ):
            assert (await browser.get("/")).status_code == 200

    in_time(look)


def test_metrics_without_their_token_are_401() -> None:
    """A collector that is sent to a page of login would read that as its answer."""

    async def look() -> None:
        rules = replace(PASSWORD, metrics_token="a token")
        async with house(rules=rules) as home, home.browser() as browser:
            for headers in ({}, {"authorization": "Bearer wrong"}):
                answer = await browser.get("/metrics", headers=headers)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            right = {"authorization": "Bearer a token"}
            assert (await browser.get("/metrics", headers=right)).status_code == 200

    in_time(look)


@pytest.mark.parametrize(
    "path", ["/numbers/%00", "/numbers?q=%00", "/runs/%00", "/runs?q=a%00", "/api/v1/pushes/%00"]
)
def test_an_address_with_a_nul_is_400(path: str) -> None:
    """No database can be asked for it, and that is no loss of the ledger."""

    async def look() -> None:
        async with house() as home, home.signed_in() as browser:
            assert (await browser.get(path)).status_code == 400

    in_time(look)


async def hang_up(home: House, path: str, **headers: str) -> None:
    """Send half a body, and go; what the server's own software would log is raised."""
    said = [{"type": "http.request", "body": b"--a\r\nContent-Disp", "more_body": True}]
    told = {"host": HOST.partition("//")[2], "content-length": "1000", **headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8200),
    }

    async def receive() -> MutableMapping[str, Any]:
        return said.pop() if said else {"type": "http.disconnect"}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    await home.ready.app(scope, receive, send)


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "json"])
def test_a_client_that_hangs_up_in_the_middle_of_a_body_is_no_defect(
    tmp_path: Path, form: str
) -> None:
    """Each would leave a long trace in the log, as if something were wrong with the server."""

    async def go(_: Shop, home: House, wms: httpx.AsyncClient) -> None:
        if form == "json":
            await hang_up(
                home, f"{API}/plans/a/withdraw", authorization=wms.headers["authorization"]
            )
        else:
            async with signed_in(home, "wang") as browser:
                headers = {
                    "origin": HOST,
                    "cookie": f"{COOKIE}={browser.cookies[COOKIE]}",
                    "content-type": {"multipart": "multipart/form-data; boundary=a"}.get(form, ""),
                }
                await hang_up(home, "/push", **headers)
        event, facts = home.logged[-1]
        assert (event, facts["status"], facts["debug"]) == ("request", 499, True)

    played(go, tmp_path)


def test_an_event_stream_ends_with_its_session() -> None:
    """Who has signed out goes on watching otherwise, as long as the window is open."""

    async def look() -> None:
        ledger = MemoryLedger(account=ACCT)
        async with (
            house(tenant(ledger)) as home,
            home.signed_in() as browser,
            anyio.create_task_group() as tasks,
        ):
            viewer = Viewer()
            cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
            tasks.start_soon(viewer.view, home, cookie, "/events")
            await anyio.sleep(30)
            assert not viewer.ended
            seal = seal_of(await browser.get("/"))
            await browser.post("/leave", data={"seal": seal})
            await anyio.sleep(30)
            assert viewer.ended

    in_time(look)


@pytest.mark.more
def test_a_faulty_file_is_passed_over_and_files_are_read_again(desk: Desk, serve: Serve) -> None:
    """One tenant's slip of the hand is no outage of all, and a new tenant needs no restart."""
    folder = desk.folder / "tenants"
    folder.mkdir()
    good = CONFIG.format(url="http://127.0.0.1:9/K3Cloud/", password="x")
    (folder / "acme.toml").write_text(good)
    (folder / "bad.toml").write_text("[erp]\nurl = 7\n")
    ledger = '[ledger]\nurl = "sqlite:///shared.db"\n'
    (folder / "one.toml").write_text(good + ledger)
    other = good.replace("127.0.0.1:9", "127.0.0.1:8")
    (folder / "two.toml").write_text(other + ledger)
    server = serve("--tenants", "tenants")
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=30) as browser:

        def shown() -> str:
            return browser.get(f"{server.base}/").text

        browser.get(server.address)
        assert "/t/acme/" in shown()
        assert "/t/bad/" not in shown()
        assert "/t/one/" not in shown()
        (folder / "bad.toml").write_text(good)
        (folder / "new.toml").write_text(good)
        until(lambda: "/t/bad/" in shown() and "/t/new/" in shown(), 30)
        (folder / "new.toml").unlink()
        until(lambda: "/t/new/" not in shown(), 30)
    said = server.stop().err
    assert "bad.toml" in said
    assert "leaves one alone" in said


def test_proxies_are_trusted_by_network() -> None:
    """The rule is asked for every connection."""
    rules = replace(PROXY, proxies=[ip_network("10.0.0.0/24")])
    assert rules.trusts("10.0.0.7")
    assert not rules.trusts("10.0.1.7")
    assert not rules.trusts("nobody")
