"""Where the ERP is, how to talk to it, and whether calls to it can be made at all."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import httpx

from k3push.core.protocol.logins import HeaderSignature, LoginCall
from k3push.core.remark import remark


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the ERP is and how to talk to it.

    Attributes:
        user: Who logs in, as attempts keep it.
        url: Ends in `/K3Cloud/` or the like.
        login: Makes the login request from the time in seconds; or signs every request.
        form_encoded: Send forms instead of JSON (P 1.5).
        verify: True, a file of CA certificates, or False.
        login_turn: Gives the block in which the user logs in, and no other execution does.
    """

    url: str
    login: Callable[[int], LoginCall] | HeaderSignature
    form_encoded: bool = False
    verify: bool | Path = True
    connect_timeout_s: float = 10
    answer_timeout_s: float = 300
    user: str = ""
    login_turn: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


class UnusableEndpointError(Exception):
    """No call to a site can be made.

    Attributes:
        key: The setting, or the variable, that says so.
    """

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


def check_endpoint(site: Endpoint) -> None:
    """See that calls to a site can be made at all, before any is.

    Raises:
        UnusableEndpointError: Its address, its certificates or the proxy to it cannot be used.
    """
    try:
        httpx.URL(site.url)
    except httpx.InvalidURL as error:
        raise UnusableEndpointError("erp.url", str(error)) from error
    if isinstance(site.verify, Path):
        try:
            tls_context(site.verify)
        except OSError as error:
            why = remark("erp.certificates", path=site.verify, why=error.strerror or str(error))
            raise UnusableEndpointError("erp.verify", why) from error
    proxy_to(site.url)


def proxy_to(url: str) -> str | None:
    """Return the proxy that the environment names for *url* (HTTPS_PROXY, NO_PROXY, ...).

    Raises:
        UnusableEndpointError: It is none that k3push can go through.
    """
    parts, named = urlsplit(url), getproxies()
    variable = parts.scheme if named.get(parts.scheme) else "all"
    proxy = named.get(variable)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        # httpx would fail at the first call, with words about its own packages.
        usable = httpx.URL(proxy).scheme in {"http", "https"} and urlsplit(proxy).hostname
    except (httpx.InvalidURL, ValueError):
        usable = None
    if not usable:
        # It may hold a password, so it is not shown.
        raise UnusableEndpointError(f"{variable.upper()}_PROXY", remark("erp.proxy"))
    return proxy


def tls_context(verify: bool | Path) -> ssl.SSLContext:  # noqa: FBT001  # httpx's own word
    """Return what a connection to the ERP trusts."""
    if isinstance(verify, Path):
        return ssl.create_default_context(cafile=str(verify))
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
