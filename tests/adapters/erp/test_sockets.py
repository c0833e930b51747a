from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.abc
import httpx
import pytest
from anyio.abc import SocketStream

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.core.model import NeverSent, NoAnswer
from k3push.ports import ErpUnreachableError
from k3push.simulator import Channel, FaultPlan, Step, fault, serve
from k3push.simulator import Site as Sandbox
from tests.adapters.erp.sites import (
    LOGINS,
    ORDERS,
    ROUTE,
    Login,
    Scripted,
    erp_of,
    is_success,
    push,
    sandbox,
    targets,
)

pytestmark = pytest.mark.anyio

A, B, C = ORDERS[:3]


@pytest.fixture
def anyio_backend() -> str:
    """Run as the command line does."""
    return "asyncio"


@asynccontextmanager
async def over_sockets(
    site: Sandbox, login: Login, timeout_s: float = 5
) -> AsyncIterator[ErpClient]:
    """Serve a sandbox and give an adapter that talks to it."""
    address: list[str] = []
    listening = anyio.Event()

    def started(url: str) -> None:
        address.append(url)
        listening.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve(site, started=started))
        await listening.wait()
        erp = ErpClient(
            Endpoint(address[0], login, answer_timeout_s=timeout_s), now_s=lambda: 1_767_326_400
        )
        async with erp:
            yield erp
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("login", LOGINS)
async def test_every_login_works_over_sockets(login: str) -> None:
    """The transport in memory stands for this one."""
    site = sandbox()
    async with over_sockets(site, LOGINS[login]) as erp:
        assert [len(found) for found in (await erp.sources_of(ROUTE, [A, B])).values()] == [1, 1]
        assert is_success(await push(erp, A, B))
        assert list(await targets(erp, A, B, C)) == [A, B]
    assert site.logins.successes == 1


@pytest.mark.parametrize(
    "name", ["reset", "close", "make-then-reset", "make-then-close", "make-then-cut-off"]
)
async def test_a_broken_connection_is_no_answer(name: str) -> None:
    """And the client that it broke under goes on."""
    site = sandbox(faults=FaultPlan(steps=(Step(fault(name)),)))
    async with over_sockets(site, LOGINS["password"]) as erp:
        exchange = await push(erp, A)
        assert isinstance(exchange, NoAnswer)
        assert not exchange.timed_out
        assert bool(await targets(erp, A)) == name.startswith("make")


async def test_a_packed_answer_that_does_not_unpack_is_none() -> None:
    """Something broke on its way."""
    cut = httpx.Response(
        200,
        headers={"content-encoding": "gzip"},
        stream=httpx.ByteStream(b"no gzip at all"),
    )
    async with erp_of(Scripted(cut)) as erp:
        assert isinstance(await push(erp, A), NoAnswer)


async def test_silence_is_a_time_out() -> None:
    """The time is the settings'."""
    site = sandbox(faults=FaultPlan(steps=(Step(fault("make-then-silence")),)))
    async with over_sockets(site, LOGINS["password"], timeout_s=0.2) as erp:
        exchange = await push(erp, A)
        assert isinstance(exchange, NoAnswer)
        assert exchange.timed_out


async def test_a_port_that_nobody_listens_on_is_never_sent() -> None:
    """The operating system says so at once."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/K3Cloud/"
        async with ErpClient(Endpoint(url, LOGINS["signature"])) as signing:
            assert isinstance(await push(signing, A), NeverSent)
        async with ErpClient(Endpoint(url, LOGINS["password"])) as erp:
            with pytest.raises(ErpUnreachableError, match="http://127"):
                await erp.open_session()


async def test_calls_at_once_share_one_session_over_sockets() -> None:
    """Each has a connection of its own."""
    site = sandbox()
    async with over_sockets(site, LOGINS["password"]) as erp:
        async with anyio.create_task_group() as tasks:
            for number in ORDERS[:8]:
                tasks.start_soon(push, erp, number)
        assert len(await targets(erp, *ORDERS[:8])) == 8
    assert (site.logins.successes, site.calls[Channel.PUSH]) == (1, 8)


@pytest.mark.parametrize("excepted", [False, True])
async def test_the_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, *, excepted: bool
) -> None:
    """Many ERPs are behind one, and what NO_PROXY names is reached directly."""
    asked: list[bytes] = []

    async def answer(stream: SocketStream) -> None:
        async with stream:
            asked.append((await stream.receive()).split(b"\r\n")[0])
            await stream.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    proxy = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = proxy.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # no query of Django
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "erp.invalid" if excepted else "")
    url = "http://erp.invalid/K3Cloud/"
    async with (
        anyio.create_task_group() as tasks,
        ErpClient(Endpoint(url, LOGINS["password"])) as erp,
    ):
        tasks.start_soon(proxy.serve, answer)
        with pytest.raises(ErpUnreachableError):
            await erp.open_session()
        tasks.cancel_scope.cancel()
    await proxy.aclose()
    assert len(asked) == (not excepted)
    assert all(line.startswith(b"POST http://erp.invalid/K3Cloud/") for line in asked)


async def test_what_holds_a_push_back_is_asked_between_the_connection_and_the_first_byte() -> None:
    """Connecting may take long; what has come meanwhile must still stop the push (rule 1)."""
    connected = anyio.Event()
    received: list[bytes] = []
    asked: list[int] = []

    async def listen(stream: SocketStream) -> None:
        connected.set()
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    received.append(await stream.receive())

    def held_back() -> str:
        asked.append(len(received))
        return "a stop"

    server = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = server.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # no query of Django
    url = f"http://127.0.0.1:{port}/K3Cloud/"
    async with (
        anyio.create_task_group() as tasks,
        ErpClient(Endpoint(url, LOGINS["signature"])) as erp,
    ):
        tasks.start_soon(server.serve, listen)
        exchange = await push(erp, A, held_back=held_back)
        with anyio.fail_after(5):
            await connected.wait()
        tasks.cancel_scope.cancel()
    await server.aclose()
    assert exchange == NeverSent("a stop")
    assert (asked, received) == ([0], [])


async def test_a_push_that_was_held_back_takes_no_later_call_with_it() -> None:
    """The connection that was opened for it is closed, and the next call opens its own."""
    site = sandbox()
    async with over_sockets(site, LOGINS["password"]) as erp:
        assert isinstance(await push(erp, A, held_back=lambda: "a stop"), NeverSent)
        assert await targets(erp, A) == {}
        assert is_success(await push(erp, A))
    assert site.calls[Channel.PUSH] == 1
