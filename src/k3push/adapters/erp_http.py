"""The ERP over HTTP: logins, sessions, pushes and looks.

This and `erp_line` are what knows httpx.

httpx slows down when many calls share one pool (3.7 ms of CPU a call at 256 at once, against
0.6 ms with a pool for each), so a call takes a line of its own from a stack of idle ones. A
line is a transport without httpx's client: redirects, cookies and logins are not the library's
to decide here, and the client's share is a sixth of what a call costs. Where a proxy stands
between, it is httpx's own transport, which knows proxies.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import certifi
import httpx

from k3push.adapters.erp_line import Line
from k3push.adapters.erp_session import Session, SessionKeeper
from k3push.adapters.erp_turns import Turns
from k3push.core import wire
from k3push.core.evidence import CALL_LIMIT
from k3push.core.logins import HeaderSignature, LoginCall, LoginFailedError, read_login
from k3push.core.matching import assign, questions
from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    NeverSent,
    NoAnswer,
    Route,
    Source,
    Target,
    Targets,
)
from k3push.core.verdict import BUSY_STATUSES
from k3push.ports import (
    ErpBusyError,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)

T = TypeVar("T")

# httpx raises ReadError both when the server read nothing and when it read everything
# (measured on sockets), so only these three prove that nothing was sent.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

AUTH_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.AuthService"
FORM_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
SESSION_KEY = "kdservice-sessionid"

# What servers of every age give out in one page (P 6.1).
PAGE_ROWS = 2000
# A page that is full to a round number below that may have been cut by a limit of the site.
SUSPICIOUS_ROWS = 500

# A form that always answers with a lost session lacks a right (P 3.4), however well other
# calls fare; eight workers that lose each other's sessions need fewer.
MOST_SESSIONS_A_LOOK = 10

LOGOUT_TIMEOUT_S = 5

# What httpx can unpack; the others say who calls.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "k3push"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the ERP is and how to talk to it.

    Attributes:
        url: Ends in `/K3Cloud/` or the like.
        login: Makes the login request from the time in seconds; or signs every request.
        form_encoded: Send forms instead of JSON (P 1.5).
        verify: True, a file of CA certificates, or False.
        connect_timeout_s: For connecting.
        answer_timeout_s: For a whole answer.
    """

    url: str
    login: Callable[[int], LoginCall] | HeaderSignature
    form_encoded: bool = False
    verify: bool | Path = True
    connect_timeout_s: float = 10
    answer_timeout_s: float = 300


class ErpHttp:
    """One user of one account set, over HTTP. Fulfils `ports.Erp`."""

    def __init__(
        self,
        site: Site,
        *,
        turns: Turns | None = None,
        now_s: Callable[[], float] = time.time,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """Begin without a connection.

        Args:
            site: Where and how.
            turns: The line in which calls wait, which users of one site share; None is no limit.
            now_s: The time of day in seconds, for signatures.
            transport: Makes what carries a client's requests, instead of sockets.
        """
        self._site = site
        self._now_s = now_s
        self._transport = transport
        self._turns = turns or Turns(lambda: 0)
        self._tls: ssl.SSLContext | None = None
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._urls: dict[str, httpx.URL] = {}
        self._timeouts = httpx.Timeout(
            site.answer_timeout_s, connect=site.connect_timeout_s, pool=site.connect_timeout_s
        ).as_dict()
        self._keeper = SessionKeeper(self._log_in)
        self._lacking: dict[str, set[str]] = {}
        self.server_time: str = ""

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out, since contexts that are left behind pile up in the server (P 2.10)."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(LOGOUT_TIMEOUT_S):
                await self._log_out()
            for line in self._idle:
                await line.aclose()

    @property
    def logins(self) -> int:
        """How often it has logged in."""
        return self._keeper.logins

    @property
    def refused(self) -> LoginRefusedError | None:
        """The refusal after which it logs in no more."""
        return self._keeper.refused

    async def open_session(self) -> None:
        """Log in if there is no session.

        Raises:
            LoginRefusedError: Now, or at an earlier call.
            ErpUnreachableError: Nothing answered.
        """
        await self._keeper.open()

    # -- ports.Erp ----------------------------------------------------------------------------

    async def turn(self) -> None:
        """Wait until a push may leave at once."""
        await self._turns.take(first=True)

    async def push(self, route: Route, data: bytes) -> Exchange:
        """Send one Push request, once, and say what came back."""
        try:
            session = await self._keeper.open()
        except (LoginRefusedError, ErpUnreachableError) as error:
            return NeverSent(f"no session: {error}")
        exchange = await self._call(f"{FORM_SERVICE}.Push", session, route.source, data)
        if isinstance(exchange, Answered) and not session.accepted:
            session.accepted = _is_accepted(exchange)
        return exchange

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost."""
        self._keeper.lose(session)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings."""
        found = await _by_number(numbers, lambda asked: self._ask_sources(route, asked))
        return {number: found.get(number, ()) for number in numbers}

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,  # noqa: ARG002  # one user is all there are
    ) -> Targets:
        """Ask the target form for every document linked to *numbers*, drafts included."""
        return await _by_number(numbers, lambda asked: self._ask_targets(route, asked))

    # -- looks --------------------------------------------------------------------------------

    async def newest_values(self, form: str, field: str, limit: int) -> list[str]:
        """Return what the newest rows of a form hold in a field, "" for a blank; for `check`.

        Raises:
            LookRefusedError: The form or the field does not exist, or a right is missing.
            LookFailedError: The answer was not whole.
            ErpUnreachableError: Nothing answered.
            LoginRefusedError: No session could be opened.
        """
        page = await self._page(form, [field], "", start=0, limit=limit, newest_first=True)
        return [str(row[0] or "").strip() for row in page]

    def lacking(self, form: str) -> list[str]:
        """Return the status fields that a form was found to lack when it was looked at."""
        return sorted(self._lacking.get(form, ()))

    async def _ask_sources(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, Source]]:
        lacking = self._lacking.setdefault(route.source, set())
        while True:
            fields = wire.source_fields(lacking)
            try:
                rows = await self._rows(route.source, fields, wire.one_of(wire.BILL_NO, numbers))
            except LookRefusedError as refusal:
                missing = wire.field_named_in(str(refusal), fields)
                if missing is None:
                    raise
                lacking.add(missing)
                continue
            try:
                return [(source.number, source) for source in wire.read_sources(rows, fields)]
            except wire.UnreadableError as error:
                raise LookFailedError(f"{route.source}: {error}") from error

    async def _ask_targets(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, Target]]:
        rows = await self._rows(
            route.target,
            wire.target_fields(route),
            wire.one_of(route.source_number_field, numbers),
        )
        try:
            return wire.read_targets(rows)
        except wire.UnreadableError as error:
            raise LookFailedError(str(error)) from error

    async def _rows(
        self, form: str, fields: Sequence[str], filter_string: str
    ) -> list[list[object]]:
        """Read all pages; the last is one that cannot have been cut."""
        rows: list[list[object]] = []
        while True:
            page = await self._page(form, fields, filter_string, start=len(rows), limit=PAGE_ROWS)
            rows += page
            if not page or (len(page) < PAGE_ROWS and len(page) % SUSPICIOUS_ROWS):
                return rows

    async def _page(
        self,
        form: str,
        fields: Sequence[str],
        filter_string: str,
        *,
        start: int,
        limit: int,
        newest_first: bool = False,
    ) -> list[list[object]]:
        data = wire.query_data(
            form, fields, filter_string, start=start, limit=limit, newest_first=newest_first
        )
        for _ in range(MOST_SESSIONS_A_LOOK):
            # A lost session leads to a new one until the keeper refuses; a read may be repeated.
            await self._turns.take()
            session = await self._keeper.open()
            exchange = await self._call(f"{FORM_SERVICE}.ExecuteBillQuery", session, "", data)
            if not isinstance(exchange, Answered):
                raise LookFailedError(exchange.because)
            if exchange.status not in wire.ANSWER_STATUSES:
                words = f"HTTP {exchange.status}: {wire.describe(exchange.body)}"
                raise (ErpBusyError if exchange.status in BUSY_STATUSES else LookFailedError)(words)
            try:
                rows = wire.read_rows(exchange.body, len(fields))
            except wire.SessionLostError:
                self._keeper.lose(session.number)
            except wire.QueryRefusedError as error:
                session.accepted = True
                if error.code == CALL_LIMIT:
                    raise ErpBusyError(f"{form}: {error}") from error
                raise LookRefusedError(f"{form}: {error}") from error
            except wire.UnreadableError as error:
                raise LookFailedError(f"{form}: {error}") from error
            else:
                session.accepted = True
                return rows
        raise LookFailedError(f"{form}: {MOST_SESSIONS_A_LOOK} sessions were lost on one page")

    # -- sessions -----------------------------------------------------------------------------

    async def _log_in(self, session: Session) -> None:
        if isinstance(self._site.login, HeaderSignature):
            try:
                self._site.login.headers("/", timestamp_s=0)
            except LoginFailedError as error:
                raise LoginRefusedError(str(error)) from error
            return
        # It may be needed while an attempt is open, whose age counts from its beginning (rule
        # 6), so it does not wait; the calls after it do.
        self._turns.count()
        login = self._site.login(int(self._now_s()))
        body = urlencode(login.arguments).encode() if self._site.form_encoded else login.as_json()
        cookies: dict[str, str] = {}
        exchange = await self._post(f"{AUTH_SERVICE}.{login.method}", body, {}, cookies)
        if not isinstance(exchange, Answered):
            raise ErpUnreachableError(f"{self._site.url}: {exchange.because}")
        if exchange.status not in wire.ANSWER_STATUSES:
            words = wire.describe(exchange.body)
            raise ErpUnreachableError(f"{self._site.url}: HTTP {exchange.status}: {words}")
        try:
            session_id = read_login(exchange.body)
        except LoginFailedError as error:
            raise LoginRefusedError(str(error)) from error
        except wire.UnreadableError as error:
            raise ErpUnreachableError(f"{self._site.url}: {error}") from error
        session.cookies = cookies | {SESSION_KEY: session_id}
        session.headers = _session_headers(session.cookies)

    async def _log_out(self) -> None:
        session = self._keeper.current
        if session is not None and session.headers:
            await self._call(f"{AUTH_SERVICE}.Logout", session, "", b"{}")
            self._keeper.forget()

    # -- the wire -----------------------------------------------------------------------------

    async def _call(self, service: str, session: Session, form: str, data: bytes) -> Exchange:
        """Make one call under a session; the answer bears the session's number."""
        headers = session.headers
        if isinstance(self._site.login, HeaderSignature):
            path = urlsplit(str(self._url(service))).path
            headers = self._site.login.headers(path, timestamp_s=int(self._now_s())) | headers
        # Without it the server would open a session for every signed call, and it puts
        # another in the place of one that has ended (P 2.7).
        signed = isinstance(self._site.login, HeaderSignature)
        cookies: dict[str, str] | None = {} if signed else None
        with session.travelling():
            exchange = await self._post(service, self._body(form, data), headers, cookies)
        if cookies and SESSION_KEY in cookies:
            session.cookies = cookies
            session.headers = _session_headers(cookies)
        if isinstance(exchange, Answered):
            return Answered(exchange.status, exchange.body, session.number)
        return exchange

    async def _post(
        self, service: str, body: bytes, headers: Mapping[str, str], cookies: dict[str, str] | None
    ) -> Exchange:
        """Post once; *cookies*, if there, takes up those that the answer sets."""
        kind = (
            "application/x-www-form-urlencoded" if self._site.form_encoded else "application/json"
        )
        request = httpx.Request(
            "POST",
            self._url(service),
            content=body,
            headers={**HEADERS, "Content-Type": f"{kind}; charset=utf-8", **headers},
            extensions={"timeout": self._timeouts},
        )
        line = self._idle.pop() if self._idle else self._new_line()
        try:
            response = await line.handle_async_request(request)
        except NEVER_SENT as error:
            return NeverSent(_words(error))
        except (httpx.TimeoutException, TimeoutError) as error:
            return NoAnswer(_words(error), timed_out=True)
        except httpx.RequestError as error:
            return NoAnswer(_words(error))
        finally:
            self._idle.append(line)
        if cookies is not None:
            cookies.update(response.cookies)
        self.server_time = response.headers.get("Date", "")
        return Answered(response.status_code, response.content)

    def _url(self, service: str) -> httpx.URL:
        if service not in self._urls:
            self._urls[service] = httpx.URL(f"{self._site.url}{service}.common.kdsvc")
        return self._urls[service]

    def _body(self, form: str, data: bytes) -> bytes:
        if self._site.form_encoded:
            fields = {"formid": form} if form else {}
            return urlencode(fields | {"data": data.decode()}).encode()
        return wire.call_body(form, data)

    def _new_line(self) -> httpx.AsyncBaseTransport:
        if self._transport:
            return _Whole(self._transport())
        if self._tls is None:
            # To read all certificates takes longer than a call, and plain http needs none.
            plain = urlsplit(self._site.url).scheme == "http"
            trusting_none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls = trusting_none if plain else _tls_context(self._site.verify)
            self._tls.set_alpn_protocols(["http/1.1"])
        if proxy := _proxy_to(self._site.url):
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            return _Whole(httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, proxy=proxy))
        return Line(self._tls)


class _Whole(httpx.AsyncBaseTransport):
    """A transport whose answers are read whole and in time, as those of a `Line` are."""

    def __init__(self, carrier: httpx.AsyncBaseTransport) -> None:
        self._carrier = carrier

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read the whole answer."""
        limits = request.extensions["timeout"]
        with anyio.fail_after(limits["connect"] + limits["read"]):
            response = await self._carrier.handle_async_request(request)
            response.request = request
            try:
                await response.aread()
            finally:
                # Else the line would stay taken by an answer that broke off.
                await response.aclose()
        return response

    async def aclose(self) -> None:
        """Close what carries."""
        await self._carrier.aclose()


def _proxy_to(url: str) -> str | None:
    """Return the proxy that the environment names for *url* (HTTPS_PROXY, NO_PROXY, ...)."""
    parts, named = urlsplit(url), getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


async def _by_number(
    numbers: Iterable[BillNumber],
    ask: Callable[[Sequence[BillNumber]], Awaitable[list[tuple[BillNumber, T]]]],
) -> dict[BillNumber, tuple[T, ...]]:
    """Ask in as few questions as may be, and give each number the rows that answer it."""
    found: dict[BillNumber, tuple[T, ...]] = {}
    for question in questions(numbers):
        matched, left = assign(question, await ask(question))
        if left:
            # The database compares in a way that `fold` does not know: ask one by one.
            for number in question:
                matched |= assign([number], await ask([number]))[0]
        found |= {number: tuple(rows) for number, rows in matched.items()}
    return found


def _is_accepted(exchange: Answered) -> bool:
    try:
        answer = wire.read_push(exchange.body)
    except wire.UnreadableError:
        return False
    return not wire.is_lost_session(answer.saved, answer.converted)


def _session_headers(cookies: Mapping[str, str]) -> dict[str, str]:
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {SESSION_KEY: cookies[SESSION_KEY], "Cookie": pairs}


def _tls_context(verify: bool | Path) -> ssl.SSLContext:  # noqa: FBT001  # httpx's own word
    if isinstance(verify, Path):
        return ssl.create_default_context(cafile=str(verify))
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    """Say what the network layer said, or in words of ours where it said nothing."""
    name = type(error).__name__
    if str(error):
        return f"{name}: {error}"
    late = isinstance(error, (httpx.TimeoutException, TimeoutError))
    return f"{'no answer in time' if late else 'the connection broke'} ({name})"
