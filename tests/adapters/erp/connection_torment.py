"""A server that torments a line, as a seed draws it, and what it may never come to.

What is sent again rests on one thing: whatever a line calls "no connection" was never sent.
The server reads and writes in threads of its own on real sockets, so it knows what it has
read, and no step of it waits for the loop that the line lives on.
"""

from __future__ import annotations

import random
import re
import select
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache

import anyio
import httpx
import trustme

from k3push.adapters.erp.connection import Line
from tests.adapters.erp.connections import a_line, call
from tests.adapters.erp.frames import COOKIES, FRAMES, UNTIL_CLOSED

CALLS = 12
# A silent server, or a handshake that never ends, costs this much.
LATE_S = 0.3
# Who is stuck for longer than this is not waiting for anybody any more.
STUCK_S = 20.0

HEADS = [
    *[(b"200 OK", b"")] * 3,
    (b"200 OK", COOKIES),
    (b"302 Found", b"Location: /login\r\n"),
    (b"502 Bad Gateway", b""),
]

_AT_ONCE = struct.pack("ii", 1, 0)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
# As long as all others, so that no part of one is another.
_TOKEN = re.compile(rb"t\d{7}-\d\d")


class End(Enum):
    """What becomes of a connection after an answer."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()
    HALF_CLOSE = auto()
    SILENCE = auto()


class Shake(Enum):
    """How a handshake goes."""

    WELL = auto()
    STRANGER = auto()
    ANOTHER_NAME = auto()
    WANTS_TO_KNOW = auto()
    GARBAGE = auto()
    CLOSE = auto()
    RESET = auto()
    SILENCE = auto()


@dataclass(frozen=True)
class Act:
    """What the server does with one request.

    Attributes:
        reads: How many bytes of the request it reads before it acts; None for all.
        answer: What it answers to a token.
        piece: How many bytes it writes at a time; 0 for all at once.
        end: What becomes of the connection.
        sound: The answer is whole and well framed.
    """

    reads: int | None
    answer: Callable[[bytes], bytes]
    piece: int
    end: End
    sound: bool


@dataclass
class Seen:
    """One connection.

    Attributes:
        read: What the server has read, without the cover of TLS.
        requests: How many requests it has read something of.
        answered: The tokens that got a sound answer.
    """

    read: bytearray = field(default_factory=bytearray)
    requests: int = 0
    answered: list[bytes] = field(default_factory=list)


def body_for(token: bytes) -> bytes:
    """Give the body of an answer."""
    return b'{"to":"%s"}' % token


class Tormentor:
    """A server on a port of loopback.

    Args:
        seed: Draws all that it does.
        secure: It speaks TLS.
    """

    def __init__(self, seed: int, *, secure: bool) -> None:
        self._seed = seed
        self._secure = secure
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._gone_after = random.Random(seed).choice([3, 8, 99])  # noqa: S311
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self.port = self._listener.getsockname()[1]
        self.seen: list[Seen] = []
        self.failures: list[BaseException] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._secure else 'http'}://127.0.0.1:{self.port}/K3Cloud/"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve in threads, until all connections have ended."""
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield
        finally:
            self._ending.set()
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                pass
            await _joined(accepting)
            for thread in self._threads:
                await _joined(thread)

    def _accept(self) -> None:
        with self._listener:
            while len(self.seen) < self._gone_after:
                sock, _ = self._listener.accept()
                if self._ending.is_set():
                    sock.close()
                    return
                seen = Seen()
                self.seen.append(seen)
                thread = threading.Thread(target=self._attend, args=(sock, seen, len(self.seen)))
                self._threads.append(thread)
                thread.start()

    def _attend(self, sock: socket.socket, seen: Seen, nth: int) -> None:
        chance = random.Random(f"{self._seed}/{nth}")  # noqa: S311  # the same each time
        sock.settimeout(STUCK_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            covered = _shaken(sock, chance) if self._secure else sock
            if covered is None:
                return
            with covered:
                while _serve(covered, seen, drawn(chance)):
                    pass
        except (OSError, EOFError):
            pass  # the client has left, as it may
        except BaseException as failure:  # noqa: BLE001  # a thread tells nobody else
            self.failures.append(failure)
        finally:
            sock.close()


async def _joined(thread: threading.Thread) -> None:
    # The loop goes on meanwhile, and closes what the client has given up.
    await anyio.to_thread.run_sync(thread.join, STUCK_S)
    assert not thread.is_alive()


def _serve(sock: socket.socket, seen: Seen, act: Act) -> bool:
    """Act on one request; say whether the connection serves on."""
    if act.reads == 0:
        if act.end is not End.CLOSE:
            # A reset before the next request might take the last answer with it.
            select.select([sock], [], [], STUCK_S)
        _end(sock, act.end)
        return False
    token = _read_request(sock, seen, act.reads)
    answer = act.answer(token)
    step = act.piece or len(answer) or 1
    for at in range(0, len(answer), step):
        sock.sendall(answer[at : at + step])
    if act.sound and act.end in {End.KEEP, End.CLOSE}:
        seen.answered.append(token)
    if act.end is End.KEEP:
        return True
    _end(sock, act.end)
    return False


def _read_request(sock: socket.socket, seen: Seen, most: int | None) -> bytes:
    """Read a request, or some bytes of it, and give its token as far as it is known."""
    request = b""
    length: int | None = None
    while (most is None or len(request) < most) and (length is None or len(request) < length):
        data = sock.recv(4096 if most is None else most - len(request))
        if not data:
            raise EOFError
        if not request:
            seen.requests += 1
        seen.read += data
        request += data
        head, blank, _ = request.partition(b"\r\n\r\n")
        if blank and (said := _LENGTH.search(head)):
            length = len(head) + 4 + int(said[1])
    token = _TOKEN.search(request)
    return token[0] if token else b"unknown"


def _end(sock: socket.socket, end: End) -> None:
    if end is End.RESET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    elif end is End.HALF_CLOSE:
        # Under TLS as well, this ends what is sent without a word of TLS.
        socket.socket.shutdown(sock, socket.SHUT_WR)
    if end in {End.HALF_CLOSE, End.SILENCE}:
        while sock.recv(4096):
            pass


def _shaken(sock: socket.socket, chance: random.Random) -> ssl.SSLSocket | None:
    """Go through a handshake, in some way, or end the connection in its place."""
    shake = chance.choices(list(Shake), [30, 1, 1, 2, 1, 1, 1, 0.3])[0]
    if shake in {Shake.CLOSE, Shake.RESET, Shake.SILENCE, Shake.GARBAGE}:
        if chance.random() < 0.5:
            sock.recv(chance.choice([1, 100, 4096]))
        if shake is Shake.GARBAGE:
            sock.sendall(chance.randbytes(chance.randint(1, 200)))
        _end(sock, {Shake.RESET: End.RESET, Shake.SILENCE: End.SILENCE}.get(shake, End.CLOSE))
        return None
    return shown(shake).wrap_socket(sock, server_side=True)


@cache
def _authorities() -> tuple[trustme.CA, trustme.CA]:
    return trustme.CA(), trustme.CA()


@cache
def shown(shake: Shake) -> ssl.SSLContext:
    """Give what the server shows."""
    known, stranger = _authorities()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = stranger if shake is Shake.STRANGER else known
    host = "erp.example" if shake is Shake.ANOTHER_NAME else "127.0.0.1"
    authority.issue_cert(host).configure_cert(context)
    if shake is Shake.WANTS_TO_KNOW:
        # The client has no certificate, and hears of it when its handshake is long over.
        context.verify_mode = ssl.CERT_REQUIRED
        known.configure_trust(context)
    return context


@cache
def trusting() -> ssl.SSLContext:
    """Give what the client trusts."""
    context = ssl.create_default_context()
    _authorities()[0].configure_trust(context)
    return context


def drawn(chance: random.Random) -> Act:
    """Draw what becomes of one request."""
    end = chance.choices(list(End), [12, 3, 2, 2, 0.1])[0]
    if chance.random() < 0.08:
        return Act(0, body_for, 0, End.CLOSE if end is End.KEEP else end, sound=False)
    reads = chance.randint(1, 400) if chance.random() < 0.08 else None
    if end is End.SILENCE:
        return Act(reads, lambda _: b"", 0, end, sound=False)
    status, headers = chance.choice(HEADS)
    framed = chance.choice(FRAMES)
    frame = framed(chance.random())

    def made(token: bytes) -> bytes:
        return frame(status, headers, body_for(token))

    piece = chance.choice([0, 0, 0, 1, 1, 7, 100])
    answer, sound = made, reads is None
    twist = chance.random()
    if twist < 0.1:
        share, sound, end = chance.random(), False, _cut_end(end)
        answer = lambda token: made(token)[: int(share * len(made(token)))]  # noqa: E731
    elif twist < 0.2:
        place, bit, sound = chance.random(), 1 << chance.randrange(8), False
        end = _cut_end(end)
        answer = lambda token: _flipped(made(token), place, bit)  # noqa: E731
    elif twist < 0.35:
        # In one piece with the answer: what comes later may cross the next request on its way.
        sound, piece = False, 0
        more = chance.choice(
            [b"\r\n", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"]
        )
        answer = lambda token: made(token) + more  # noqa: E731
    if framed in UNTIL_CLOSED or reads is not None:
        end = _cut_end(end)
    return Act(reads, answer, piece, end, sound=sound)


def _cut_end(end: End) -> End:
    # Else one would wait for the rest, or take it for the next request.
    return End.CLOSE if end is End.KEEP else end


def _flipped(answer: bytes, place: float, bit: int) -> bytes:
    at = int(place * len(answer))
    return answer[:at] + bytes([answer[at] ^ bit]) + answer[at + 1 :]


# -- the client -----------------------------------------------------------------------------------


async def torment(seed: int) -> Counter[str]:
    """Make some calls over one line; return how many came to what."""
    chance = random.Random(-seed - 1)  # noqa: S311  # the same each time
    secure = chance.random() < 0.4
    server = Tormentor(seed, secure=secure)
    outcomes: dict[bytes, str] = {}
    line = a_line(trusting() if secure else None)
    async with server.serving():
        try:
            for nth in range(CALLS):
                token = b"t%07d-%02d" % (seed, nth)
                outcomes[token] = await _outcome(line, server, token)
                for _ in range(chance.choice([0, 0, 1, 5])):
                    await anyio.lowlevel.checkpoint()
        finally:
            await line.aclose()
    assert not server.failures, server.failures
    _check(server, outcomes)
    return Counter(outcomes.values())


async def _outcome(line: Line, server: Tormentor, token: bytes) -> str:
    """Make one call; return "answered", or the name of the error."""
    url = f"{server.url}{token.decode()}"
    try:
        answer = await call(line, url, token * 3, connect_s=LATE_S, read_s=LATE_S)
    except httpx.RequestError as error:
        return type(error).__name__
    assert answer.content != b"stray", "an answer that nobody asked for passes for one"
    for named in _TOKEN.findall(answer.content):
        assert _is_nearly(named, token), f"the answer to {named!r} passes for that to {token!r}"
    return "answered" if answer.content == body_for(token) else "answered oddly"


def _check(server: Tormentor, outcomes: dict[bytes, str]) -> None:
    """Hold what the server has read against what the line said."""
    never = {
        token for token, came in outcomes.items() if came in {"ConnectError", "ConnectTimeout"}
    }
    read = [bytes(seen.read) for seen in server.seen]
    tokens = Counter(
        token for each in read for token in re.findall(rb"/(%s) " % _TOKEN.pattern, each)
    )
    assert not never & set(tokens), f"said to be never sent, and read: {never & set(tokens)}"
    twice = {token for token, count in tokens.items() if count > 1}
    assert not twice, f"sent twice: {twice}"
    for token in (token for seen in server.seen for token in seen.answered):
        # Under load the answer may come late.
        assert outcomes[token] in {"answered", "ReadTimeout"}, f"{token!r}: {outcomes[token]}"
    begun = sum(seen.requests for seen in server.seen)
    assert begun <= len(outcomes) - len(never), "something was read of a call never sent"


def _is_nearly(named: bytes, token: bytes) -> bool:
    """Say whether a name is that of a token, but for one bit that was flipped on its way."""
    bits = int.from_bytes(named) ^ int.from_bytes(token)
    return bits.bit_count() <= 1
