"""Calls under a session: logins, pushes that are sent once, and looks that are read.

What goes out and comes back is bytes; `core.protocol` says what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlencode

import anyio

from k3push.adapters.erp.carrier import Carrier, NewTransport
from k3push.adapters.erp.endpoint import Endpoint
from k3push.adapters.erp.rate_limit import RateLimit
from k3push.adapters.erp.session import ErpSession, SessionKeeper
from k3push.core.model import Answered, Exchange, NeverSent, NoAnswer
from k3push.core.protocol import wire
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.logins import (
    AccountSet,
    HeaderSignature,
    LoginCall,
    LoginFailedError,
    LoginThrewError,
    read_account_sets,
    read_login,
)
from k3push.core.protocol.lost_sessions import is_lost_session
from k3push.core.protocol.msg_codes import CALL_LIMIT
from k3push.core.remark import foreign, remark
from k3push.core.safety.verdict import BUSY_STATUSES
from k3push.ports import (
    ErpBusyError,
    ErpUnreachableError,
    LoginBrokeError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)

T = TypeVar("T")

AUTH_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.AuthService"
FORM_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
ACCOUNT_SETS = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList"
SESSION_KEY = "kdservice-sessionid"

# A form that always answers with a lost session lacks a right (P 3.4), however well other
# calls fare; eight workers that lose each other's sessions need fewer.
MOST_SESSIONS_A_LOOK = 10

LOGOUT_TIMEOUT_S = 5

# Before a login that met an exception is tried once more.
AFTER_EXCEPTION_S = 2.0

# Of a proxy whose server is away for a moment, or of a server that is busy.
_PASSING = BUSY_STATUSES | {500, 502, 503, 504, 519}

# Of a server, or what stands before it, that lets nobody through without a session, or sends him to
# its login page (P 3.6); some do so with status 200 and a page or a text (P 1.11, 1.12).
_NOT_LET_IN = frozenset({301, 302, 303, 307, 308, 401, 403})
_NO_ENTRY = (b"<", b"401 ")

# MsgCodes that say that the question is wrong (P 4.3): a right, an operation, a form, a parameter,
# a field, the administrator. An exception (4) or a failed database (6) may pass.
DEFINITE_CODES = frozenset({"2", "3", "5", "8", "9", "12", "15"})

# An exception that says of a form or a field that it does not exist (P 4.4) does not pass either.
EXCEPTION_CODE = "4"
NO_SUCH = "不存在"


class Calls:
    """The calls of one user of one account set."""

    def __init__(
        self,
        site: Endpoint,
        turns: RateLimit,
        now_s: Callable[[], float],
        transport: NewTransport | None,
    ) -> None:
        """Begin without a connection; `client.ErpClient` says what these are."""
        self._site = site
        self._now_s = now_s
        self._turns = turns
        self._carrier = Carrier(site, now_s, transport)
        self.keeper = SessionKeeper(self._log_in)

    async def aclose(self) -> None:
        """Log out, since contexts that are left behind pile up in the server (P 2.10)."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(LOGOUT_TIMEOUT_S):
                await self._log_out()
            await self._carrier.aclose()

    @property
    def server_time(self) -> str:
        """The `Date` of the last answer."""
        return self._carrier.server_time

    async def account_sets(self) -> list[AccountSet]:
        """Return the account sets of the site, which it tells without a login (P 1.2).

        Raises:
            LookFailedError: It does not.
        """
        exchange = await self._carrier.post(ACCOUNT_SETS, self._body("", b"{}"), {}, None)
        if not isinstance(exchange, Answered):
            raise LookFailedError(exchange.because)
        with as_failed(ACCOUNT_SETS):
            return read_account_sets(exchange.body)

    async def turn(self) -> None:
        """Log in if need be, and wait until a call may leave at once."""
        await self.keeper.open()
        await self._turns.take(first=True)
        # Others may have lost the session while this one waited.
        await self.keeper.open()

    async def perform(
        self, operation: str, form: str, data: bytes, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once; see `ports.Turn`."""
        session = self.keeper.current
        if session is None:
            return NeverSent(remark("note.session_gone", operation=operation))
        exchange = await self._call(
            f"{FORM_SERVICE}.{operation}", session, form, data, held_back=held_back
        )
        if isinstance(exchange, Answered) and not session.accepted:
            session.accepted = _is_accepted(exchange)
        return exchange

    async def ask(self, operation: str, form: str, data: bytes, read: Callable[[bytes], T]) -> T:
        """Ask once about *form*, and read the answer.

        Raises:
            LookRefusedError: The ERP answered with an error.
            LookFailedError: Nothing usable came back.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        for _ in range(MOST_SESSIONS_A_LOOK):
            # A lost session leads to a new one until the keeper refuses; a read may be repeated.
            await self._turns.take()
            session = await self.keeper.open()
            exchange = await self._call(f"{FORM_SERVICE}.{operation}", session, "", data)
            if not isinstance(exchange, Answered):
                raise LookFailedError(exchange.because)
            if exchange.status not in wire.ANSWER_STATUSES:
                self._renew(session, exchange)
                words = _page_words(exchange)
                raise (ErpBusyError if exchange.status in BUSY_STATUSES else LookFailedError)(words)
            try:
                told = read(exchange.body)
            except wire.SessionLostError:
                self.keeper.lose(session.number)
            except wire.QueryRefusedError as error:
                session.accepted = True
                if error.code == CALL_LIMIT:
                    raise ErpBusyError(of_place(form, error)) from error
                gone = error.code == EXCEPTION_CODE and NO_SUCH in str(error)
                definite = error.code in DEFINITE_CODES or gone
                raise LookRefusedError(
                    of_place(form, error), code=error.code, definite=definite
                ) from error
            except UnreadableError as error:
                self._renew(session, exchange)
                raise LookFailedError(of_place(form, error)) from error
            else:
                session.accepted = True
                return told
        lost = remark("answer.sessions", times=MOST_SESSIONS_A_LOOK)
        raise LookFailedError(of_place(form, lost))

    # -- sessions -----------------------------------------------------------------------------

    def _renew(self, session: ErpSession, exchange: Answered) -> None:
        """Have the next call log in, where an answer may be that of a lost session.

        It may as well come from a proxy whose site is away. So a session is given up only if it has
        been of use, and no outage costs more than one login.
        """
        answers = exchange.status in wire.ANSWER_STATUSES
        no_entry = answers and wire.unmarked(exchange.body).lstrip().startswith(_NO_ENTRY)
        if session.accepted and (no_entry or exchange.status in _NOT_LET_IN):
            self.keeper.lose(session.number)

    async def _log_in(self, session: ErpSession) -> None:
        log_in = self._site.login
        if isinstance(log_in, HeaderSignature):
            try:
                log_in.headers("/", timestamp_s=0)
            except LoginFailedError as error:
                raise LoginRefusedError(str(error)) from error
            return
        try:
            async with self._site.login_turn():
                try:
                    cookies = await self._cookies_of(log_in)
                except LoginThrewError:
                    # A deadlock, say, is no wrong password: of these, five lock the account
                    # (P 2.4).
                    await anyio.sleep(AFTER_EXCEPTION_S)
                    cookies = await self._cookies_of(log_in)
        except LoginThrewError as error:
            raise LoginRefusedError(remark("answer.login_threw", why=str(error))) from error
        except LoginFailedError as error:
            raise LoginRefusedError(str(error)) from error
        session.cookies = cookies
        session.headers = _session_headers(session.cookies)

    async def _cookies_of(self, log_in: Callable[[int], LoginCall]) -> dict[str, str]:
        """Log in once; return the cookies that carry the session.

        Raises:
            LoginFailedError: The ERP refused it.
            ErpUnreachableError: Nothing usable came back; `LoginBrokeError` where it may pass.
        """
        # It may be needed while an attempt is open, whose age counts from its beginning (rule
        # 6), so it does not wait; the calls after it do.
        self._turns.count()
        login = log_in(int(self._now_s()))
        body = urlencode(login.arguments).encode() if self._site.form_encoded else login.as_json()
        cookies: dict[str, str] = {}
        exchange = await self._carrier.post(f"{AUTH_SERVICE}.{login.method}", body, {}, cookies)
        if not isinstance(exchange, Answered):
            connects = isinstance(exchange, NoAnswer) and not exchange.timed_out
            kind = LoginBrokeError if connects else ErpUnreachableError
            raise kind(of_place(self._site.url, exchange.because))
        if exchange.status not in wire.ANSWER_STATUSES:
            kind = LoginBrokeError if exchange.status in _PASSING else ErpUnreachableError
            words = _page_words(exchange)
            if place := self._carrier.leads_to:
                words = remark("note.redirect", status=exchange.status, place=foreign(place[:200]))
            raise kind(of_place(self._site.url, words))
        try:
            return cookies | {SESSION_KEY: read_login(exchange.body)}
        except UnreadableError as error:
            raise LoginBrokeError(of_place(self._site.url, error)) from error

    async def _log_out(self) -> None:
        session = self.keeper.current
        if session is not None and session.headers:
            await self._call(f"{AUTH_SERVICE}.Logout", session, "", b"{}")
            self.keeper.forget()

    async def _call(
        self,
        service: str,
        session: ErpSession,
        form: str,
        data: bytes,
        *,
        held_back: Callable[[], str] | None = None,
    ) -> Exchange:
        """Make one call under a session; the answer bears the session's number."""
        headers = session.headers
        if isinstance(self._site.login, HeaderSignature):
            path = self._carrier.path_of(service)
            headers = self._site.login.headers(path, timestamp_s=int(self._now_s())) | headers
        # Without it the server would open a session for every signed call, and it puts
        # another in the place of one that has ended (P 2.7).
        signed = isinstance(self._site.login, HeaderSignature)
        cookies: dict[str, str] | None = {} if signed else None
        with session.travelling():
            body = self._body(form, data)
            exchange = await self._carrier.post(
                service, body, headers, cookies, held_back=held_back
            )
        if cookies and cookies.get(SESSION_KEY):
            session.cookies = cookies
            session.headers = _session_headers(cookies)
        if isinstance(exchange, Answered):
            return Answered(exchange.status, exchange.body, session.number)
        return exchange

    def _body(self, form: str, data: bytes) -> bytes:
        if self._site.form_encoded:
            fields = {"formid": form} if form else {}
            return urlencode(fields | {"data": data.decode()}).encode()
        return wire.call_body(form, data)


@contextmanager
def as_failed(form: str) -> Iterator[None]:
    """Say of rows that cannot be read that the look at their form has failed."""
    try:
        yield
    except UnreadableError as error:
        raise LookFailedError(of_place(form, error)) from error


def of_place(place: str, why: object) -> str:
    """Say where something went wrong, as a remark."""
    return remark("note.place", place=place, why=str(why))


def _is_accepted(exchange: Answered) -> bool:
    try:
        answer = wire.read_push(exchange.body)
    except UnreadableError:
        return False
    return not is_lost_session(answer.saved, answer.converted)


def _session_headers(cookies: Mapping[str, str]) -> dict[str, str]:
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {SESSION_KEY: cookies[SESSION_KEY], "Cookie": pairs}


def _page_words(exchange: Answered) -> str:
    return of_place(f"HTTP {exchange.status}", wire.describe(exchange.body))
