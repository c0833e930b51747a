"""Which addresses of the web are safe against whoever stands between."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def is_confidential(url: str) -> bool:
    """Say whether nobody between can read or change what goes to an address.

    >>> is_confidential("https://id.example.com/realms/erp")
    True
    >>> is_confidential("http://127.0.0.1:8300"), is_confidential("http://id.example.com")
    (True, False)
    >>> is_confidential("id.example.com"), is_confidential("https://id.example.com:x")
    (False, False)
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if port == 0:
        return False
    return (parts.scheme == "https" and bool(host)) or (parts.scheme == "http" and host in LOOPBACK)
