"""Who comes in, and from where: every request passes here before any page is made.

- The Host must be one of ours, or a foreign site's name that was pointed at this machine would
  be served like our own (DNS rebinding).
- A POST must come from our own page (Origin, Sec-Fetch-Site) and bring along what was put into
  the form for this session or user.
- All else needs a session, or the user that a trusted reverse proxy names; programs come with
  tokens of their own, which no browser sends by itself.

Every answer forbids the browser what no page of ours needs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from k3push.core.foreign_text import flaw_of
from k3push.runs.kept_in_ledger.askers import may_be_user
from k3push.web.admission.addresses import plain_address
from k3push.web.admission.openid_rules import OpenId
from k3push.web.admission.roles import Role, Roles
from k3push.web.admission.sessions import Sessions, same
from k3push.web.admission.uploads import TooLargeError, read_upload

MOST_BYTES = 64 * 1024
MOST_FIELDS = 150  # a page of rows can be chosen from

HUNG_UP = 499
"""What the log tells as the status where a client was gone before its body had come."""

# Same-origin rather than no-referrer: with that, browsers would send "Origin: null" with our
# own forms, which could then not be told from foreign ones. No other site learns an address.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::\d{1,5})?")

TAKES_FILES = "/push"
"""How an address ends that takes a file."""

_PROGRAMS = re.compile(r"(?:/t/[^/]+)?/api/v1(?:/.*)?", re.DOTALL)
"""Addresses of programs, which have tokens and neither sessions nor forms (`web.api`)."""

_TENANTS = re.compile(r"/t/([^/]+)(?:/.*)?", re.DOTALL)
"""Addresses of one of several tenants."""

_OPEN_TO_ALL = ("/healthz", "/static/")
_ENTRIES = ("/enter", "/login", "/login/openid", "/login/callback")

Log = Callable[..., None]
"""Takes the name of an event and its facts; `debug=True` for one that few want to see."""

Refuse = Callable[[Request, int, str], Response]
"""Makes the page that says why a request was refused, by status and key of the sentence."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may come in.

    Attributes:
        hosts: Names by which the dashboard is reached, in small letters.
        cookie: Name of the session's cookie.
        password: What is asked for; "" for none.
        passwords: What each user is asked for by name, in its place.
        roles: What users may do in every tenant.
        four_eyes: Whether who has planned a push may not approve it.
        user_header: Header in which a reverse proxy names the user; "" for none.
        proxies: Whose headers are believed.
        metrics_token: Lets a collector read /metrics; "" for none.
        openid: How users come in by a provider of OpenID Connect; None for not at all.
    """

    hosts: frozenset[str]
    cookie: str
    password: str = ""
    passwords: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    four_eyes: bool = False
    user_header: str = ""
    proxies: Sequence[IPv4Network | IPv6Network] = ()
    metrics_token: str = ""
    openid: OpenId | None = None

    @property
    def knows_names(self) -> bool:
        """Whether users are told from one another, as roles need."""
        return bool(self.passwords or self.user_header or self.openid)

    def trusts(self, address: str) -> bool:
        """Say whether an address is that of a proxy whose headers are believed."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self.proxies)

    @property
    def entry(self) -> Literal["token", "password", "proxy", "openid"]:
        """How one comes in."""
        if self.user_header:
            return "proxy"
        if self.openid:
            return "openid"
        return "password" if self.password or self.passwords else "token"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who makes a request.

    Attributes:
        admitted: Whether they may see pages.
        owner: What their forms are bound to: a session's id, or a user.
        user: Their name where a proxy gives it or they have signed in by one, else "".
        role: What they may do with what they ask for.
        address: Where they are, by a trusted proxy's word if they came through one.
        secure: Whether their browser speaks https.
    """

    admitted: bool
    owner: str
    user: str
    role: Role
    address: str
    secure: bool

    def may(self, role: str) -> bool:
        """Say whether they may do what needs a role, by its name in small letters."""
        return self.admitted and self.role >= Role[role.upper()]


class Guard:
    """Lets in what the rules allow; all else is answered here."""

    def __init__(
        self,
        app: ASGIApp,
        rules: Rules,
        roles: Roles,
        sessions: Sessions,
        *,
        refuse: Refuse,
        log: Log,
    ) -> None:
        """Stand before *app*."""
        self._app = app
        self._rules = rules
        self._roles = roles
        self._sessions = sessions
        self._refuse = refuse
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        began_s = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        visitor = self._visitor(request)
        scope.setdefault("state", {}).update(visitor=visitor, form={}, file=None)
        try:
            async with AsyncExitStack() as opened:
                answer = await self._answer(request, visitor, opened)
                await (answer or self._app)(scope, receive, sending)
        except ClientDisconnect:
            status = HUNG_UP
        finally:
            self._log(
                "request",
                debug=True,
                method=request.method,
                path=scope["path"],  # never the query: the token travels in one
                status=status,
                user=visitor.user,
                ms=round((time.perf_counter() - began_s) * 1000, 1),
            )

    async def _answer(
        self, request: Request, visitor: Visitor, opened: AsyncExitStack
    ) -> Response | None:
        """Return the answer to a request that may not pass, or None."""
        if unfit := self._unfit(request):
            return self._refuse(request, *unfit)
        if is_for_programs(request["path"]):
            return None
        if request.method not in {"GET", "HEAD", "POST"}:
            return self._refuse(request, 405, "web.no_method")
        if request.method == "POST" and (refused := await self._foreign(request, visitor, opened)):
            return self._refuse_form(request, visitor, *refused)
        # The path that is routed by; that of `request.url` is put together with the Host.
        if request["path"].startswith(_OPEN_TO_ALL) or self._may_collect(request):
            return None
        return None if visitor.admitted else self._turned_away(request)

    def _refuse_form(
        self, request: Request, visitor: Visitor, status: int, sentence: str
    ) -> Response:
        """Say why a form is none of ours; whose session has ended meanwhile signs in again."""
        ended = sentence == "web.bad_form" and not visitor.admitted
        if ended and self._signs_in and request["path"] not in _ENTRIES:
            wanted = quote(request["path"]) if request["path"] != "/leave" else "/"
            return _to_sign_in(wanted, ended="1")
        if ended and self._rules.entry == "token":
            sentence = "web.no_session"  # loaded again, the page would say so
        return self._refuse(request, status, sentence)

    def _unfit(self, request: Request) -> tuple[int, str] | None:
        """Return why an address is none of ours, or None."""
        if _host(request) not in self._rules.hosts:
            return 421, "web.bad_host"
        query = unquote_plus(request["query_string"].decode("latin-1"))
        return (400, "web.bad_address") if flaw_of(request["path"]) or flaw_of(query) else None

    async def _foreign(
        self, request: Request, visitor: Visitor, opened: AsyncExitStack
    ) -> tuple[int, str] | None:
        """Read the form of a POST; return why it is none of ours, or None.

        Only who may begin a push may send a file, and only where one is asked for.
        """
        if not _is_our_own(request):
            return 403, "web.bad_origin"
        sends_file = request.headers.get("content-type", "").startswith("multipart/")
        if sends_file and not (visitor.may("operate") and request["path"].endswith(TAKES_FILES)):
            return 403, "web.no_right" if visitor.admitted else "web.bad_form"
        try:
            if sends_file:
                upload = await opened.enter_async_context(read_upload(request))
                form, request.state.file = upload.fields, upload.file
            else:
                form = await _form(request)
        except TooLargeError:
            return 413, "web.too_much"
        seal = form.get("seal", "")
        if not visitor.owner or not self._sessions.is_sealed(visitor.owner, seal):
            return 403, "web.bad_form"
        request.state.form = form
        return None

    def _turned_away(self, request: Request) -> Response | None:
        """Say how to come in, or let the page that does it be shown."""
        if request["path"] == "/metrics" and self._rules.metrics_token:
            answer = self._refuse(request, 401, "web.no_metrics_token")
            answer.headers["www-authenticate"] = "Bearer"
            return answer
        if self._rules.entry == "proxy":
            trusted = self._rules.trusts(_peer(request))
            why = "web.no_user" if trusted else "web.not_proxy"
            return self._refuse(request, 401 if trusted else 403, why)
        if request["path"] in _ENTRIES:
            return None
        if self._signs_in and request.method == "GET":
            return _to_sign_in(_address(request))
        return self._refuse(request, 403, "web.no_session")

    @property
    def _signs_in(self) -> bool:
        """Whether there is a page on which people sign in."""
        return self._rules.entry in {"password", "openid"}

    def _may_collect(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        token = self._rules.metrics_token
        return bool(token) and request["path"] == "/metrics" and same(given, f"Bearer {token}")

    # -- who it is ----------------------------------------------------------------------------

    def _visitor(self, request: Request) -> Visitor:
        peer = _peer(request)
        by_proxy = self._rules.trusts(peer)
        address = self._forwarded_for(request) or peer if by_proxy else peer
        proto = request.headers.get("x-forwarded-proto") if by_proxy else None
        secure = (proto or request.url.scheme) == "https"
        if self._rules.entry == "proxy":
            names = request.headers.getlist(self._rules.user_header) if by_proxy else []
            user = _as_utf8(names[0]).strip() if len(names) == 1 else ""
            user = user if may_be_user(user) else ""
            admitted = bool(user)
            owner = f"user {user}" if user else ""
        else:
            owner = request.cookies.get(self._rules.cookie, "")
            found = self._sessions.user_of(owner) if owner else None
            admitted, user = found is not None, found or ""
        role = self._roles.of(user, tenant_in(request["path"]))
        return Visitor(admitted, owner, user, role, address, secure)

    def _forwarded_for(self, request: Request) -> str:
        """Return the last address that is no proxy of ours; what stands before it may be forged."""
        named = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        addresses = [plain_address(each.strip()) for each in reversed(named)]
        return next((each for each in addresses if each and not self._rules.trusts(each)), "")


def is_for_programs(path: str) -> bool:
    """Say whether an address is one of those that programs use.

    >>> is_for_programs("/api/v1/pushes"), is_for_programs("/t/a/api/v1"), is_for_programs("/api")
    (True, True, False)
    """
    return _PROGRAMS.fullmatch(path) is not None


def tenant_in(path: str) -> str:
    """Return the tenant of an address, where there are several; "" for none.

    >>> tenant_in("/t/acme/runs/1"), tenant_in("/numbers")
    ('acme', '')
    """
    found = _TENANTS.fullmatch(path)
    return found[1] if found else ""


def _peer(request: Request) -> str:
    return plain_address(request.client.host) if request.client else ""


def _as_utf8(header: str) -> str:
    """Return what a proxy has written, which is UTF-8 where it is more than ASCII.

    >>> _as_utf8("王芳".encode().decode("latin-1"))
    '王芳'
    """
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _host(request: Request) -> str:
    """Return the name that the browser was pointed at, without the port; "" if it is no name."""
    named = request.headers.getlist("host")
    match = _HOST.fullmatch(named[0]) if len(named) == 1 else None
    return match[1].strip("[]").lower() if match else ""


def _address(request: Request) -> str:
    """Return what a browser asks for, without the host."""
    query = request.url.query
    return quote(request["path"]) + (f"?{query}" if query else "")


def _to_sign_in(wanted: str, **more: str) -> Response:
    """Lead to where people sign in, and from there to the page that they wanted."""
    query = ({"next": wanted} if wanted != "/" else {}) | more
    return RedirectResponse(f"/login?{urlencode(query)}" if query else "/login", 303)


def _is_our_own(request: Request) -> bool:
    """Say whether a form was sent by a page of ours. A browser says so in one way at least."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in {None, "same-origin"}:
        return False
    if origin is None:
        return site is not None
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    own = request.headers.get("host", "")
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == own.lower()


async def _form(request: Request) -> Mapping[str, str]:
    """Read a form, fields of one name as lines of one; raises `TooLargeError`."""
    body = b""
    async with aclosing(request.stream()) as parts:
        async for part in parts:
            body += part
            if len(body) > MOST_BYTES:
                raise TooLargeError
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    form: dict[str, str] = {}
    for name, value in fields:
        form[name] = f"{form[name]}\n{value}" if name in form else value
    return form
