"""The signatures that clients prove themselves with (P 2.1, 2.6), computed anew.

Written from the protocol, not from any client's code, so that a client which signs
wrongly is found out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

# Official clients hide the second half of an app id under this text (P 2.6).
_MASK = b"0054f397c6234378b09ca7d3e5debce7"


def login_sign(acct_id: str, user: str, app_id: str, app_secret: str, timestamp: str) -> str:
    """Give the `sign` of LoginBySign: SHA-256 over the sorted parts, joined."""
    parts = sorted([acct_id, user, app_id, app_secret, timestamp])
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def client_secret(app_id: str) -> str:
    """Give the secret that the second half of *app_id* hides; "" where it hides none."""
    masked = app_id.partition("_")[2]
    try:
        raw = base64.b64decode(masked, validate=True)
    except ValueError:
        return ""
    return base64.b64encode(bytes(a ^ b for a, b in zip(raw, _MASK, strict=False))).decode()


def signed(secret: str, text: str) -> str:
    """Give base64(hex(HMAC-SHA256(*secret*, *text*)))."""
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def headers_are_signed(
    headers: Mapping[str, str], target: str, app_id: str, app_secret: str
) -> bool:
    """Check both signatures of a request that carries no session.

    Args:
        headers: Names in lower case.
        target: The path that was asked for.
        app_id: Id of the application that the site knows.
        app_secret: Its secret.
    """
    given_id = headers.get("x-kd-appkey", "")
    if given_id != app_id or headers.get("x-api-clientid") != app_id.partition("_")[0]:
        return False
    asked = (
        f"POST\n{quote(target, safe='')}\n\n"
        f"x-api-nonce:{headers.get('x-api-nonce', '')}\n"
        f"x-api-timestamp:{headers.get('x-api-timestamp', '')}\n"
    )
    request_good = hmac.compare_digest(
        headers.get("x-api-signature", ""), signed(client_secret(app_id), asked)
    )
    app_good = hmac.compare_digest(
        headers.get("x-kd-signature", ""), signed(app_secret, app_id + app_data(headers))
    )
    return request_good and app_good


def app_data(headers: Mapping[str, str]) -> str:
    """Give "account,user,lcid,organisation" from the headers; "" where they hold none."""
    try:
        return base64.b64decode(headers.get("x-kd-appdata", ""), validate=True).decode()
    except ValueError:
        return ""
