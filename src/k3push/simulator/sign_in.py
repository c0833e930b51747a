"""Who may come in, and for how long: logins, sessions and their loss (P 2, P 3)."""

from __future__ import annotations

import random
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k3push.simulator.requests import Call
from k3push.simulator.signatures import app_data, headers_are_signed, login_sign

SESSION_NAME = "kdservice-sessionid"

# About this many wrong passwords lock an account, for about this long (P 2.4).
WRONG_PASSWORDS = 5
LOCKED_S = 30 * 60.0


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the site accepts.

    Attributes:
        acct_id: Id of its data centre.
        users: Password by user.
        app_id: Id of the application that may log in for users.
        barred: Users who are not on the site's list for the WebAPI (P 2.4).
        licence_warning: Whether every login gets the licence warning, which carries no
            session though it says IsSuccessByAPI (P 2.2).
        session_calls: Calls after which a session is lost; 0 for never.
        session_idle_s: Seconds without a call after which a session is lost.
        kick_off: Whether a login ends the user's earlier sessions (P 2.8).
        cookie_twice: Whether the session's cookie is set for two paths.
        cookie_without_value: Whether a cookie is set that is a bare name, without "=".
        ids_beyond_ascii: Whether session ids hold letters beyond ASCII.
    """

    acct_id: str = "sandbox"
    users: Mapping[str, str] = field(
        default_factory=lambda: {"sandbox": "sandbox", "sandbox2": "sandbox"}
    )
    app_id: str = "sandbox_" + "A" * 32
    app_secret: str = "sandbox-secret"  # noqa: S105 - a stand-in's secret is public
    barred: frozenset[str] = frozenset()
    licence_warning: bool = False
    session_calls: int = 0
    session_idle_s: float = 20 * 60.0
    kick_off: bool = False
    cookie_twice: bool = False
    cookie_without_value: bool = False
    ids_beyond_ascii: bool = False


@dataclass(slots=True)
class Session:
    """One login.

    Attributes:
        id: KDSVCSessionId.
        calls: Calls made with it.
        last_s: When it was used last, on the site's clock.
    """

    id: str
    user: str
    calls: int
    last_s: float


class ForeignAccountError(Exception):
    """Signed headers name a data centre that the site does not have (P 2.7)."""


class Logins:
    """The door of one site.

    Args:
        seed: Where session ids come from.
    """

    def __init__(self, accounts: Accounts | None = None, seed: int = 0) -> None:
        self.accounts = accounts or Accounts()
        self.successes = 0
        self.failures = 0
        self.sessions_lost = 0
        self._ids = random.Random(seed)  # noqa: S311 - ids of a stand-in, the same every time
        self._sessions: dict[str, Session] = {}
        self._wrong: dict[str, tuple[int, float]] = {}

    def log_in(self, call: Call, now_s: float) -> tuple[dict[str, Any], Session | None]:
        """Answer ValidateUser, LoginByAppSecret or LoginBySign, as object or by places (P 2.1).

        Args:
            call: The login; the variants whose name ends in 2 take `isKickOff` as well.
        """
        user = call.text(1, "username")
        refusal = self._refusal(call, user, now_s)
        if refusal is not None:
            self.failures += 1
            return refusal, None
        if self.accounts.licence_warning:
            return _licence_warning(), None
        if self.accounts.kick_off:
            self._end(*(each for each in self._sessions.values() if each.user == user))
        self._wrong.pop(user, None)
        session = self._open(user, now_s)
        return self._welcome(session), session

    def turn_down(self, text: str) -> dict[str, Any]:
        """Answer a login that is refused whoever asks, with the words *text*."""
        self.failures += 1
        return _refused(text, -1)

    def log_out(self, headers: Mapping[str, str]) -> bool:
        """Forget the session that *headers* carry; tell whether there was one."""
        return self._sessions.pop(_session_id(headers), None) is not None

    def find(self, headers: Mapping[str, str], target: str, now_s: float) -> Session | None:
        """Give the session of a request, or None where it is lost.

        A request with signed headers and no living session gets a new one (P 2.7).

        Args:
            headers: Names in lower case.
            target: The path that was asked for, which signatures cover.

        Raises:
            ForeignAccountError: If signed headers name another data centre.
        """
        session = self._sessions.get(_session_id(headers))
        if session is not None and self._is_over(session, now_s):
            self._end(session)
            session = None
        if session is None and "x-kd-signature" in headers:
            session = self._enter_signed(headers, target, now_s)
        return session

    def hollow_id(self) -> str:
        """Give a session id that opens nothing: a failed signature is handed one (P 2.7)."""
        session_id = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        return f"会话-{session_id}" if self.accounts.ids_beyond_ascii else session_id

    def cookies(self, session_id: str) -> tuple[tuple[str, str], ...]:
        """Give the headers that hand a session to a client (P 2.5)."""
        accounts = self.accounts
        asp_net = "" if accounts.cookie_without_value else "=" + session_id.replace("-", "")[:24]
        paths = ("/", "/K3Cloud/") if accounts.cookie_twice else ("/",)
        return (
            ("set-cookie", f"ASP.NET_SessionId{asp_net}; path=/; HttpOnly"),
            *(("set-cookie", f"{SESSION_NAME}={session_id}; path={path}") for path in paths),
        )

    def use(
        self, session: Session, headers: Mapping[str, str], now_s: float
    ) -> tuple[tuple[str, str], ...]:
        """Count a call of *session*; give the headers that hand it over where it is new."""
        session.calls += 1
        session.last_s = now_s
        return () if _session_id(headers) == session.id else self.cookies(session.id)

    def lose(self, session: Session) -> None:
        """Lose one session, as a server does when it recycles its memory."""
        self._end(session)

    def lose_all(self) -> None:
        """Lose every session."""
        self._end(*self._sessions.values())

    def _refusal(self, call: Call, user: str, now_s: float) -> dict[str, Any] | None:
        """Give the answer to a login that fails, or None."""
        if call.text(0, "acctid") != self.accounts.acct_id:
            return _refused("数据中心无法获取到，请检查数据中心标识", -1)
        if self._is_locked(user, now_s):
            return _refused("密码错误次数超限，用户已锁定，请30分钟后再试", -1)
        if user in self.accounts.barred:
            return _refused(f"用户{user}未指定允许调用WebAPI接口，请联系系统管理员", -1)
        if call.service.startswith("validateuser"):
            return self._password_refusal(user, call.text(2, "password"), now_s)
        return self._app_refusal(call, user)

    def _app_refusal(self, call: Call, user: str) -> dict[str, Any] | None:
        app_id = call.text(2, "appid")
        if user not in self.accounts.users:
            text = f"第三方应用：{app_id} 不允许用户{user} 登录，请联系系统管理员添加！"
            return _refused(text, -1)
        if app_id != self.accounts.app_id or not self._is_signed(call, user):
            return _refused("签名不匹配", -1, "016")
        return None

    def _password_refusal(self, user: str, password: str, now_s: float) -> dict[str, Any] | None:
        if self.accounts.users.get(user) == password:
            return None
        count = self._wrong.get(user, (0, 0.0))[0] + 1
        self._wrong[user] = (count, now_s + LOCKED_S)
        return _refused("用户名或密码错误", 0)

    def _is_locked(self, user: str, now_s: float) -> bool:
        count, until_s = self._wrong.get(user, (0, 0.0))
        if count < WRONG_PASSWORDS:
            return False
        if now_s >= until_s:
            del self._wrong[user]
            return False
        return True

    def _is_signed(self, call: Call, user: str) -> bool:
        accounts = self.accounts
        if call.service.startswith("loginbyappsecret"):
            return call.text(3, "appsecret") == accounts.app_secret
        wanted = login_sign(
            accounts.acct_id, user, accounts.app_id, accounts.app_secret, call.text(3, "timestamp")
        )
        return call.text(4, "sign").lower() == wanted

    def _enter_signed(
        self, headers: Mapping[str, str], target: str, now_s: float
    ) -> Session | None:
        acct_id, _, rest = app_data(headers).partition(",")
        if acct_id != self.accounts.acct_id:
            raise ForeignAccountError
        user = rest.partition(",")[0]
        if user not in self.accounts.users or not headers_are_signed(
            headers, target, self.accounts.app_id, self.accounts.app_secret
        ):
            self.failures += 1
            return None
        return self._open(user, now_s)

    def _open(self, user: str, now_s: float) -> Session:
        session_id = self.hollow_id()
        session = Session(session_id, user, 0, now_s)
        self._sessions[session_id] = session
        self.successes += 1
        return session

    def _is_over(self, session: Session, now_s: float) -> bool:
        most = self.accounts.session_calls
        used_up = most > 0 and session.calls >= most
        return used_up or now_s - session.last_s > self.accounts.session_idle_s

    def _end(self, *sessions: Session) -> None:
        for session in sessions:
            if self._sessions.pop(session.id, None) is not None:
                self.sessions_lost += 1

    def _welcome(self, session: Session) -> dict[str, Any]:
        """Give the answer to a login that succeeded (P 2.2), without what no client reads."""
        return {
            "Message": None,
            "MessageCode": "CheckPasswordPolicy",
            "LoginResultType": 1,
            "Context": {
                "UserLocale": "zh-CN",
                "DBid": self.accounts.acct_id,
                "SessionId": session.id.replace("-", "")[:24],
                "UserName": session.user,
                "UserId": user_id(session.user),
                "DisplayVersion": "9.0.0.0",
                "DataCenterName": "sandbox",
                "CurrentOrganizationInfo": {"ID": 1, "AcctOrgType": "1", "Name": "sandbox"},
            },
            "KDSVCSessionId": session.id,
            "FormId": None,
            "RedirectFormParam": None,
            "FormInputObject": None,
            "ErrorStackTrace": None,
            "Lcid": 0,
            "AccessToken": None,
            "KdAccessResult": None,
            "IsSuccessByAPI": True,
        }


def user_id(user: str) -> int:
    """Give the internal id of a user, which WorkflowAudit wants to know (P 10.7)."""
    return 100_000 + zlib.crc32(user.encode()) % 900_000


def _session_id(headers: Mapping[str, str]) -> str:
    """Read the session id from its own header or from the cookies."""
    if SESSION_NAME in headers:
        return _decoded(headers[SESSION_NAME])
    for cookie in headers.get("cookie", "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == SESSION_NAME:
            return _decoded(value)
    return ""


def _decoded(value: str) -> str:
    """Read what a socket hands over as Latin-1 for the UTF-8 that it may be."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _refused(text: str, kind: int, code: str = "") -> dict[str, Any]:
    return {
        "Message": text,
        "MessageCode": code,
        "LoginResultType": kind,
        "Context": None,
        "KDSVCSessionId": None,
        "FormId": None,
        "IsSuccessByAPI": False,
    }


def _licence_warning() -> dict[str, Any]:
    return {
        "Message": "还剩26天，当前您的软件处于未授权或版本使用期满，请及时购买正版！",
        "KDSVCSessionId": None,
        "FormId": "BOS_CloudInspection",
        "RedirectFormParam": None,
        "FormInputObject": 26,
        "ErrorStackTrace": None,
        "Lcid": 0,
        "AccessToken": None,
        "KdAccessResult": None,
        "IsSuccessByAPI": True,
    }
