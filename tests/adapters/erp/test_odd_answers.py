"""Whatever a server does after it was called is an answer, doubt, or a look that failed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest

from k3push.adapters.erp.carrier import Carrier
from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.core.model import Answered, NeverSent, NoAnswer
from k3push.core.safety.verdict import InDoubt, judge
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.simulator import Channel
from tests.adapters.erp.connections import Answering, Server, served
from tests.adapters.erp.sites import LOGINS, ORDERS, ROUTE, Recorder, erp_of, push, sandbox
from tests.said import refused

pytestmark = pytest.mark.anyio

A, B, C = ORDERS[:3]
JSON = orjson.dumps({"Result": {"ResponseStatus": {"IsSuccess": True}}})
PACKED = gzip.compress(JSON)


@pytest.fixture
def anyio_backend() -> str:
    """Run as the command line does."""
    return "asyncio"


def http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Write an answer."""
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


WELCOME = http(orjson.dumps({"LoginResultType": 1, "KDSVCSessionId": "s1"}))
BR, ZSTD = b"Content-Encoding: br", b"Content-Encoding: zstd"
GZIP = b"Content-Encoding: gzip"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ODD: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x28",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of words": b"HTTP/1.1 OK 200\r\nContent-Length: 0\r\n\r\n",
    "a status that is not ASCII": b"HTTP/1.1 200 \xe6\x88\x90\xff\r\nContent-Length: 1\r\n\r\n{",
    "HTTP/2": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    "only informational": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "a header block without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
    "a header of megabytes": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000,
    "a header without a colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a header with a NUL": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 1\r\n\r\n{",
    "two lengths": http(JSON, b"Content-Length: 3"),
    "a length of words": b"HTTP/1.1 200 OK\r\nContent-Length: long\r\n\r\n{}",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "a body that is cut off": http(JSON)[:-5],
    "a body longer than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + JSON,
    "a chunk size of words": CHUNKED + b"many\r\n" + JSON,
    "a chunk size beyond reason": CHUNKED + b"f" * 30 + b"\r\n" + JSON,
    "a chunk that is cut off": CHUNKED + b"40\r\n" + JSON,
    "chunks without an end": CHUNKED + b"2\r\n{}\r\n",
    "another transfer encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + PACKED,
    "packed as nobody asked for": http(JSON, BR),
    "packed as nobody asked for, in part": http(PACKED, b"Content-Encoding: gzip, zstd"),
    "said to be packed": http(JSON, GZIP),
    "packed and cut off": http(PACKED[:-4], GZIP),
    "packed twice, said once": http(gzip.compress(PACKED), GZIP),
    "packed once, said twice": http(PACKED, GZIP, GZIP),
    "two statuses": b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
    "a redirect to a login page": http(b"", b"Location: /login", status=b"302 Found"),
    "a login page": http(b"<html><form action=/login></form></html>"),
    "an encoding that does not exist": http(b"\xff\xfe{", b"Content-Type: text/x; charset=no-such"),
    "a date that is none": http(b"[", b"Date: \xff\x00"[:-1]),
}


def odd(answer: bytes, *, logins: bytes = WELCOME) -> Answering:
    """Answer a call oddly, and end the connection; a login is answered well."""

    async def respond(_: Server, body: bytes, writer: asyncio.StreamWriter) -> None:
        is_login = b"parameters" in body
        writer.write(logins if is_login else answer)
        await writer.drain()
        if not is_login or logins is not WELCOME:
            writer.close()

    return respond


@asynccontextmanager
async def erp_that(answering: Answering) -> AsyncIterator[tuple[ErpClient, Server]]:
    """Give the adapter of a server on a socket."""
    async with served(answering) as server:
        erp = ErpClient(Endpoint(server.url, LOGINS["password"], answer_timeout_s=5))
        try:
            yield erp, server
        finally:
            await erp._calls._carrier.aclose()


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_an_odd_answer_to_a_push_is_doubt(answer: bytes) -> None:
    """The request was read, so it may have been done."""
    async with erp_that(odd(answer)) as (erp, server):
        for number in (A, B):
            exchange = await push(erp, number)
            assert isinstance(exchange, NoAnswer | Answered)
            assert isinstance(judge(exchange), InDoubt)
    assert len(server.calls) == len(set(server.calls))  # nothing travelled twice


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_an_odd_answer_to_a_look_is_no_absence(answer: bytes) -> None:
    """A number that seems absent would be sent again."""
    async with erp_that(odd(answer)) as (erp, _):
        with pytest.raises(LookFailedError):
            await erp.targets_of(ROUTE, [A])
        with pytest.raises(LookFailedError):
            await erp.sources_of(ROUTE, [A])


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_an_odd_answer_to_a_login_is_no_refusal(answer: bytes) -> None:
    """Nothing was said of the password."""
    async with erp_that(odd(b"", logins=answer)) as (erp, _):
        with refused(ErpUnreachableError, "http://127"):
            await erp.open_session()
        with pytest.raises(ErpUnreachableError):
            await push(erp, A)


COOKIES = [
    [b"kdservice-sessionid=1; path=/", b"kdservice-sessionid=2; path=/K3Cloud"],
    [b"x=1; domain=127.0.0.1", b"x=2; domain=.0.0.1", b"x=3; path=/elsewhere"],
    [b"kdservice-sessionid", b"kdservice-sessionid=", b"=x", b";", b""],
    [b"Theme=\xe6\xa0\x87", b"a=\x01", b"kdservice-sessionid=\xff"],
    [b"x=1", b"x=; Max-Age=0", b"kdservice-sessionid=gone; Max-Age=0"],
]


@pytest.mark.parametrize("cookies", COOKIES, ids=repr)
@pytest.mark.parametrize("login", ["password", "signature"])
async def test_no_cookie_is_an_error(login: str, cookies: list[bytes]) -> None:
    """Two of one name, none at all, or what no header can carry."""
    site = sandbox()

    class Baking(Recorder):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            more = [(b"Set-Cookie", each) for each in cookies]
            return httpx.Response(
                answer.status_code, headers=[*answer.headers.raw, *more], stream=answer.stream
            )

    async with erp_of(Baking(site), LOGINS[login]) as erp:
        for number in (A, B, C):
            assert isinstance(await push(erp, number), Answered)
        assert (await erp.sources_of(ROUTE, [A]))[A]
    assert site.calls[Channel.PUSH] == 3


async def test_the_last_session_of_an_answer_is_the_one_that_is_kept() -> None:
    """A signing client learns it from there."""
    site = sandbox()

    class Replacing(Recorder):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            old = (b"Set-Cookie", b"kdservice-sessionid=old; path=/K3Cloud/old")
            return httpx.Response(200, headers=[old, *answer.headers.raw], stream=answer.stream)

    seen = Replacing(site)
    async with erp_of(seen, LOGINS["signature"]) as erp:
        for number in (A, B):
            await push(erp, number)
    assert "old" not in seen.named("Push")[1].headers["cookie"]
    assert site.logins.successes == 1


async def test_a_session_id_that_no_header_can_carry_is_a_refused_login() -> None:
    """Every call under it would break off before it left."""
    session = http(orjson.dumps({"LoginResultType": 1, "KDSVCSessionId": "会话"}))
    async with erp_that(odd(b"", logins=session)) as (erp, _):
        with refused(LoginRefusedError, "cannot be sent back"):
            await erp.open_session()
        with pytest.raises(LoginRefusedError):
            await push(erp, A)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x", "http://x:y"])
async def test_a_proxy_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Nothing was sent, and somebody has to mend the environment."""
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    async with ErpClient(Endpoint("http://erp.invalid/K3Cloud/", LOGINS["password"])) as erp:
        with refused(ErpUnreachableError, "proxy that the environment names"):
            await erp.open_session()
        with pytest.raises(ErpUnreachableError):
            await push(erp, A)


@pytest.mark.parametrize("why", ["a stop", ""], ids=["held back", "proxy changed"])
async def test_a_proxy_is_named_only_where_the_way_led_through_it(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """What is held back did not fail on its way, and a system's settings may change in a run."""

    def held_back() -> str:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9" if why else "nonsense://x")
        return why

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    site = Endpoint("http://erp.invalid/K3Cloud/", LOGINS["password"])
    carrier = Carrier(site, lambda: 0.0, None)
    told = await carrier.post("Push", b"", {}, None, held_back=held_back)
    assert isinstance(told, NeverSent)
    assert told.because == why if why else "through_proxy" not in told.because
    await carrier.aclose()
