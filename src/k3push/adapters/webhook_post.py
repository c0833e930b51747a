"""Webhooks: one signed POST, and whether it was taken.

Signed as the Standard Webhooks have it: an HMAC-SHA256 over id, timestamp and body, so that a
receiver knows who has sent it, when, and whether it saw it before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio
import httpx

PATIENCE_S = 15.0
SECRET_PREFIX = "whsec_"  # noqa: S105  # how others write such a secret
SHORTEST_SECRET = 16

DOWN = frozenset(
    {
        httpx.codes.REQUEST_TIMEOUT,
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.BAD_GATEWAY,
        httpx.codes.SERVICE_UNAVAILABLE,
        httpx.codes.GATEWAY_TIMEOUT,
    }
)
"""Nobody has looked at the event. Any other answer is about that one, an error of 500 as well."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event was not taken.

    Attributes:
        why: In the network's words, without the address; it is a secret.
        down: Whether another event might not be taken either.
    """

    why: str
    down: bool


def is_address(url: str) -> bool:
    """Say whether something can be posted there.

    >>> is_address("https://wms.example.com/k3push"), is_address("wms.example.com")
    (True, False)
    """
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def headers_of(secret: str, event: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body.

    >>> headers_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ...     1614265330, b'{"test": 2432232314}')["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{event}.{timestamp_s}.".encode() + body
    mac = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "k3push",
        "webhook-id": event,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


async def post(address: str, headers: Mapping[str, str], body: bytes) -> Refused | None:
    """Post a body once; return None where it was taken. No redirect is followed."""
    try:
        with anyio.fail_after(PATIENCE_S):
            async with (
                httpx.AsyncClient(timeout=PATIENCE_S) as client,
                client.stream("POST", address, headers=dict(headers), content=body) as answer,
            ):
                status = answer.status_code
    except TimeoutError:
        return Refused("timeout", down=True)
    except Exception as error:  # noqa: BLE001  # of a proxy's or a host's name as well, of any kind
        return Refused(type(error).__name__, down=True)
    if httpx.codes.is_success(status):
        return None
    return Refused(f"HTTP {status}", down=status in DOWN)
