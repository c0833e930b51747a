"""Login requests, what they answer, and the official client's header signature (P 2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from k3push.core.foreign_text import opening
from k3push.core.protocol import wire
from k3push.core.protocol.cookies import can_carry
from k3push.core.protocol.json_values import UnreadableError, text_in
from k3push.core.remark import remark

VALIDATE_USER = "ValidateUser"
LOGIN_BY_APP_SECRET = "LoginByAppSecret"  # noqa: S105  # the name of a method
LOGIN_BY_SIGN = "LoginBySign"

# The key that the official client's application ids are scrambled with; it guards nothing.
_APP_ID_MASK = "0054f397c6234378b09ca7d3e5debce7"


class LoginFailedError(Exception):
    """The ERP refused a login; the words are its own."""


class LoginThrewError(LoginFailedError):
    """The ERP met an exception at a login, which may be no fault of the user's."""


@dataclass(frozen=True, slots=True)
class LoginCall:
    """A login request: the method of AuthService, and its arguments in their order.

    Attributes:
        method: Such as `ValidateUser`.
        arguments: Name and value; the value may be a secret.
    """

    method: str
    arguments: tuple[tuple[str, str | int], ...]

    def as_json(self) -> bytes:
        """Write it as JSON, by position: names differ in case between clients (P 1.5)."""
        return orjson.dumps({"parameters": [value for _, value in self.arguments]})

    def __repr__(self) -> str:
        """Show the method alone; the arguments hold secrets."""
        return f"LoginCall({self.method!r})"


@dataclass(frozen=True, slots=True)
class AccountSet:
    """An account set (数据中心) of a site.

    Attributes:
        id: What `acct_id` names.
        name: For people.
    """

    id: str
    name: str


def read_account_sets(body: bytes) -> list[AccountSet]:
    """Read what GetDataCenterList answers to anybody (P 1.2).

    >>> read_account_sets(b'[{"Id":"20180321174312","Number":"001","Name":"test"}]')
    [AccountSet(id='20180321174312', name='test')]

    Raises:
        UnreadableError: It is no list of account sets.
    """
    answer = wire.parse(body)
    found = []
    for each in answer if isinstance(answer, list) else [None]:
        if not isinstance(each, dict):
            raise UnreadableError(remark("answer.no_rows"))
        told = {key.lower(): text_in(value) for key, value in each.items()}
        if id_ := told.get("id"):
            found.append(AccountSet(id_, told.get("name", "")))
    return found


def password_login(acct_id: str, username: str, password: str, lcid: int) -> LoginCall:
    """Log in by name and password."""
    return LoginCall(
        VALIDATE_USER,
        (("acctid", acct_id), ("username", username), ("password", password), ("lcid", lcid)),
    )


def app_secret_login(
    acct_id: str, username: str, app_id: str, app_secret: str, lcid: int
) -> LoginCall:
    """Log in for a user by a registered application."""
    return LoginCall(
        LOGIN_BY_APP_SECRET,
        (
            ("acctid", acct_id),
            ("username", username),
            ("appid", app_id),
            ("appsecret", app_secret),
            ("lcid", lcid),
        ),
    )


def sign_login(
    acct_id: str, username: str, app_id: str, app_secret: str, lcid: int, *, timestamp_s: int
) -> LoginCall:
    """Log in by a signature instead of the secret itself; the server wants a right clock."""
    parts = sorted([acct_id, username, app_id, app_secret, str(timestamp_s)])
    sign = hashlib.sha256("".join(parts).encode()).hexdigest()
    return LoginCall(
        LOGIN_BY_SIGN,
        (
            ("acctid", acct_id),
            ("username", username),
            ("appid", app_id),
            ("timestamp", timestamp_s),
            ("sign", sign),
            ("lcid", lcid),
        ),
    )


def read_login(body: bytes) -> str:
    """Return the session id that a login answered with.

    Both the result type and the id count: a licence warning has `IsSuccessByAPI` and no
    session (P 2.2).

    Raises:
        LoginFailedError: The ERP refused it, or its session can be of no use.
        LoginThrewError: The ERP met an exception (P 1.10).
        UnreadableError: This is no answer to a login.
    """
    failure = wire.read_response_error(body)
    if failure is not None:
        raise LoginThrewError(opening(failure.message))
    answer = wire.parse(body)
    if not isinstance(answer, dict) or not {"LoginResultType", "KDSVCSessionId"} & set(answer):
        raise UnreadableError(remark("answer.no_login"))
    kind = answer.get("LoginResultType")
    session = answer.get("KDSVCSessionId")
    if kind in (1, "1") and isinstance(session, str) and session:
        if not can_carry(session):
            raise LoginFailedError(remark("answer.session_id"))
        return session
    words = str(answer.get("Message") or "").strip()
    code = str(answer.get("MessageCode") or "").strip()
    what = opening(f"LoginResultType {kind}{', ' + code if code else ''}")
    if not words:
        raise LoginFailedError(remark("answer.login_wordless", what=what))
    raise LoginFailedError(f"{opening(words)} ({what})")


@dataclass(frozen=True, slots=True)
class HeaderSignature:
    """The official client's way: every request is signed, and there is no login (P 2.6).

    Attributes:
        app_id: `clientid_secretpart`.
    """

    acct_id: str
    username: str
    app_id: str
    app_secret: str
    lcid: int
    org_num: str = ""

    def __repr__(self) -> str:
        """Show no secret."""
        return f"HeaderSignature({self.username!r})"

    def headers(self, path: str, *, timestamp_s: int) -> dict[str, str]:
        """Sign a POST to *path*.

        Raises:
            LoginFailedError: The application id does not have the form that can be signed with.
        """
        client_id, _, scrambled = self.app_id.partition("_")
        try:
            client_id.encode("ascii")
            client_secret = _unscrambled(scrambled)
        except ValueError as error:
            raise LoginFailedError(remark("answer.app_id")) from error
        stamp = str(timestamp_s)
        signed = f"POST\n{quote(path, safe='')}\n\nx-api-nonce:{stamp}\nx-api-timestamp:{stamp}\n"
        # The official client writes 0 for no organisation.
        app_data = f"{self.acct_id},{self.username},{self.lcid},{self.org_num or 0}"
        return {
            "X-Api-ClientID": client_id,
            "X-Api-Auth-Version": "2.0",
            "x-api-timestamp": stamp,
            "x-api-nonce": stamp,
            "x-api-signheaders": "x-api-timestamp,x-api-nonce",
            "X-Api-Signature": _signature(client_secret, signed),
            "X-Kd-Appkey": self.app_id,
            "X-Kd-Appdata": base64.b64encode(app_data.encode()).decode(),
            "X-Kd-Signature": _signature(self.app_secret, self.app_id + app_data),
        }


def _signature(key: str, text: str) -> str:
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def _unscrambled(secret_part: str) -> str:
    mask = _APP_ID_MASK.encode()
    scrambled = base64.b64decode(secret_part, validate=True)
    if not scrambled or len(scrambled) > len(mask):
        raise ValueError("not a secret part")
    plain = bytes(byte ^ mask[i] for i, byte in enumerate(scrambled))
    return base64.b64encode(plain).decode()
