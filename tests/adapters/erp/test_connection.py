"""One connection: when it serves again, when it does not, and what each end of it means."""

from __future__ import annotations

import asyncio
import gzip
import ssl

import anyio
import httpx
import pytest
import trustme
from anyio.lowlevel import checkpoint

from k3push.adapters.erp import connection
from k3push.adapters.erp.connection import Reuse
from k3push.core.protocol.compression import MOST_BYTES
from k3push.runs.stop import Cause, told_as
from tests.adapters.erp.connections import (
    OK,
    Answering,
    Server,
    a_line,
    answering,
    call,
    reset,
    served,
)

pytestmark = pytest.mark.anyio

LATE_S = 0.05
PACKED = gzip.compress(b"ok")


@pytest.fixture
def anyio_backend() -> str:
    """A line works on asyncio alone, as the command line does."""
    return "asyncio"


async def test_one_connection_serves_call_after_call() -> None:
    """To open one takes longer than a call."""
    async with served(answering(OK)) as server:
        line = a_line()
        for body in (b"1", b"2", b"3"):
            assert (await call(line, server.url, body)).content == b"ok"
        await line.aclose()
        await server.closed.wait()
    assert (server.connections, server.calls) == (1, [b"1", b"2", b"3"])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(PACKED), PACKED),
    ],
    ids=["in chunks", "after a 100", "packed"],
)
async def test_an_answer_is_read_whole_however_it_is_framed(answer: bytes) -> None:
    """And the connection serves on after it."""
    async with served(answering(answer, OK)) as server:
        line = a_line()
        assert (await call(line, server.url)).content == b"ok"
        assert (await call(line, server.url)).content == b"ok"
        await line.aclose()
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\n\r\nok", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ids=["that ends with it", "of HTTP/1.0"],
)
async def test_an_answer_may_end_its_connection(answer: bytes) -> None:
    """The next call opens another."""
    async with served(answering(answer, then_close=True)) as server:
        line = a_line()
        for _ in range(2):
            assert (await call(line, server.url)).content == b"ok"
        await line.aclose()
    assert server.connections == 2


async def test_a_failure_ends_its_connection() -> None:
    """What a proxy has given up may be answered yet, and would pass for the next call's answer."""
    failed = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"
    async with served(answering(failed, OK)) as server:
        line = a_line()
        answers = [(await call(line, server.url)).status_code for _ in range(3)]
        await line.aclose()
    assert (answers, server.connections) == ([504, 200, 200], 2)


async def test_a_connection_that_the_server_closed_is_not_taken_for_the_next_call() -> None:
    """Servers and firewalls close what is idle."""
    async with served(answering(OK, then_close=True)) as server:
        line = a_line()
        await call(line, server.url, b"1")
        await server.closed.wait()
        for _ in range(5):  # until the end has come here
            await checkpoint()
        await call(line, server.url, b"2")
        await line.aclose()
    assert (server.connections, server.calls) == (2, [b"1", b"2"])


async def test_a_connection_that_was_idle_for_long_is_not_trusted() -> None:
    """Its server may close it just as the call leaves, and nobody could say what it has read."""
    async with served(answering(OK)) as server:
        line = a_line(reuse=Reuse(below_s=0.0))
        await call(line, server.url)
        await call(line, server.url)
        await line.aclose()
    assert server.connections == 2


def hanging_up() -> Answering:
    """Answer the first call of each connection; the second finds it about to be closed."""
    served_once: set[asyncio.StreamWriter] = set()

    async def answer(_server: Server, _body: bytes, writer: asyncio.StreamWriter) -> None:
        if writer in served_once:
            writer.transport.abort()
            return
        served_once.add(writer)
        writer.write(OK)
        await writer.drain()

    return answer


async def test_a_server_that_ends_each_connection_unsaid_loses_one_call_and_no_more() -> None:
    """A look of two queries never came to its end there, and each push was in doubt."""
    async with served(hanging_up()) as server:
        reuse = Reuse()
        lines = [a_line(reuse=reuse), a_line(reuse=reuse)]
        for line in lines:
            await call(line, server.url)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await call(lines[0], server.url)
        for line in lines * 3:
            await call(line, server.url)
        for line in lines:
            await line.aclose()
    assert len(server.calls) == 9


async def test_a_call_that_is_cut_off_later_says_nothing_of_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy that cuts what takes long would make each call open a connection of its own."""
    monkeypatch.setattr(connection, "SOON_S", 0.0)
    async with served(hanging_up()) as server:
        reuse = Reuse()
        line = a_line(reuse=reuse)
        await call(line, server.url)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await call(line, server.url)
    assert reuse == Reuse()


@pytest.mark.parametrize("extra", [OK, b"garbage"])
async def test_what_nobody_asked_for_is_no_answer_to_the_next_call(extra: bytes) -> None:
    """It would say of one chunk what is true of another."""
    async with served(answering(OK + extra, OK)) as server:
        line = a_line()
        await call(line, server.url, b"1")
        answer = await call(line, server.url, b"2")
        await line.aclose()
    assert answer.content == b"ok"
    assert (server.connections, server.calls) == (2, [b"1", b"2"])


async def test_what_comes_while_nobody_waits_is_no_answer_to_the_next_call() -> None:
    """The same, where it comes by itself."""
    idle, said = anyio.Event(), anyio.Event()

    async def answer_and_more(server: Server, _: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        if len(server.calls) == 1:
            await idle.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
            await writer.drain()
            said.set()

    async with served(answer_and_more) as server:
        line = a_line()
        await call(line, server.url, b"1")
        idle.set()
        await said.wait()
        await server.closed.wait()
        answer = await call(line, server.url, b"2")
        await line.aclose()
    assert answer.content == b"ok"
    assert (server.connections, server.calls) == (2, [b"1", b"2"])


async def test_what_comes_late_is_no_answer_to_the_next_call() -> None:
    """A call that ran out of time takes its connection with it."""
    later = anyio.Event()

    async def answer(server: Server, body: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.calls) == 1:
            await later.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + body)

    async with served(answer) as server:
        line = a_line()
        with pytest.raises(httpx.ReadTimeout):
            await call(line, server.url, b"1", read_s=LATE_S)
        later.set()
        assert (await call(line, server.url, b"2")).content == b"2"
        await line.aclose()


async def test_an_answer_that_drips_for_ever_is_late() -> None:
    """The time is that of the whole answer, and not of each piece."""

    async def drip(_: Server, __: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\n.\r\n")
            await writer.drain()
            await checkpoint()

    async with served(drip) as server:
        with pytest.raises(httpx.ReadTimeout):
            await call(a_line(), server.url, read_s=LATE_S)
        await server.closed.wait()


async def test_a_call_that_is_cancelled_takes_its_connection_with_it() -> None:
    """Half an answer may be on its way."""
    began = anyio.Event()

    async def answer(server: Server, _: bytes, writer: asyncio.StreamWriter) -> None:
        began.set()
        if len(server.calls) > 1:
            writer.write(OK)

    async with served(answer) as server:
        line = a_line()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, line, server.url)
            await began.wait()
            tasks.cancel_scope.cancel()
        await server.closed.wait()
        assert (await call(line, server.url)).content == b"ok"
        await line.aclose()
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n",
        b"no HTTP\r\n",
    ],
    ids=["none", "cut off", "half a head", "no HTTP"],
)
@pytest.mark.parametrize("by_reset", [False, True])
async def test_a_call_that_may_have_been_read_is_not_repeated(
    answer: bytes, *, by_reset: bool
) -> None:
    """On a connection that has served before as well: there other libraries send again."""

    async def answer_one(server: Server, _: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.calls) == 1:
            writer.write(OK)
            return
        writer.write(answer)
        await writer.drain()
        if by_reset:
            reset(writer)
        else:
            writer.close()

    async with served(answer_one) as server:
        line = a_line()
        await call(line, server.url, b"1")
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await call(line, server.url, b"2")
        await line.aclose()
    assert (server.connections, server.calls) == (1, [b"1", b"2"])


async def test_what_came_unasked_ends_its_connection_at_once() -> None:
    """The next call may leave before the system has closed it."""
    async with served(answering(OK)) as server:
        line = a_line()
        await call(line, server.url, b"1")
        assert line._wire is not None
        line._wire.data_received(b"unasked")
        assert (await call(line, server.url, b"2")).content == b"ok"
        await line.aclose()
    assert (server.connections, server.calls) == (2, [b"1", b"2"])


@pytest.mark.parametrize("host", ["x" * 64, "x..y"])
async def test_a_name_that_no_host_can_have_is_no_connection(host: str) -> None:
    """So nothing was sent, and the run says which name it is."""
    with pytest.raises(httpx.ConnectError):
        await call(a_line(), f"http://{host}/K3Cloud/")


def test_an_answer_without_end_is_given_up() -> None:
    """It would take all the memory of the machine before it is late."""
    body = connection.Body()
    body.add(bytes(MOST_BYTES))
    with pytest.raises(httpx.RemoteProtocolError, match="too_long"):
        body.add(b".")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["none", "half a head"])
async def test_a_server_that_hangs_up_is_said_to(answer: bytes) -> None:
    """`explain` shows the words to people."""
    async with served(answering(answer, then_close=True)) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="hung_up"):
            await call(a_line(), server.url)


async def test_a_reset_is_no_end_of_an_answer() -> None:
    """One that only its end would frame may have been cut off there."""

    async def answer_and_reset(_: Server, __: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await writer.drain()
        reset(writer)

    async with served(answer_and_reset) as server:
        with pytest.raises(httpx.ReadError):
            await call(a_line(), server.url)


async def test_a_request_that_http_cannot_carry_is_said_to_be_one() -> None:
    """Such a header would be a second request to whoever believes it."""
    async with served(answering(OK)) as server:
        line = a_line()
        request = httpx.Request(
            "POST",
            server.url,
            headers={"Cookie": "a\r\nb: c"},
            content=b"",
            extensions={"timeout": {"connect": 5, "read": 5}},
        )
        with pytest.raises(httpx.LocalProtocolError):
            await line.handle_async_request(request)
        await line.aclose()
    assert server.calls == []


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Make who vouches for servers."""
    return trustme.CA()


def shown_by(authority: trustme.CA, host: str) -> ssl.SSLContext:
    """Give what a server of that name shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Give what trusts an authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_server_that_shows_its_name_is_called_over_tls(authority: trustme.CA) -> None:
    """One connection for all calls, since a handshake takes several."""
    async with served(answering(OK), shown_by(authority, "127.0.0.1")) as server:
        line = a_line(trusting(authority))
        for _ in range(2):
            assert (await call(line, server.url)).content == b"ok"
        await line.aclose()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("host", "known", "why"),
    [
        ("127.0.0.1", False, "certificate verify failed"),
        ("erp.example", True, "IP address mismatch"),
    ],
    ids=["unknown", "another"],
)
async def test_who_does_not_prove_to_be_the_server_is_told_nothing(
    authority: trustme.CA, host: str, why: str, *, known: bool
) -> None:
    """So nothing was sent."""
    async with served(answering(OK), shown_by(authority, host)) as server:
        line = a_line(trusting(authority if known else trustme.CA()))
        with pytest.raises(httpx.ConnectError, match=why) as caught:
            await call(line, server.url)
        await line.aclose()
    assert server.calls == []
    assert told_as(Cause.UNREACHABLE, str(caught.value)) == "certificate"


async def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_away() -> None:
    """The network is well, and the address is mended by a letter."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(httpx.ConnectError) as caught:
            await call(a_line(), url)
    assert told_as(Cause.UNREACHABLE, str(caught.value)) == "no tls"


async def test_a_handshake_that_never_ends_is_no_connection() -> None:
    """The port is open, and nobody behind it speaks."""

    async def keep_still(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)

    kept: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(keep_still, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(httpx.ConnectTimeout):
            await call(a_line(), url, connect_s=LATE_S)
        for writer in kept:
            writer.transport.abort()


async def test_a_connection_that_is_given_up_while_it_opens_is_closed() -> None:
    """Whoever stops a run at once may do so in the moment in which the server takes the call."""
    async with served(answering(OK)) as server:
        turns = 0
        # A machine that is busy takes more turns until the server has taken the call.
        while turns < 14 or not server.connections:
            line = a_line()
            turns += 1
            calling = asyncio.ensure_future(call(line, server.url))
            for _ in range(turns):
                await checkpoint()
            calling.cancel()
            await asyncio.wait([calling])
            await line.aclose()
        with anyio.fail_after(5):
            while server.open:
                await checkpoint()
    assert server.connections
