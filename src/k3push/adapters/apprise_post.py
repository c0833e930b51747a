"""Messages to people through Apprise: DingTalk, WeCom, Feishu, e-mail, Slack and many more.

An address holds a token, so no text of this module shows one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel

# Long enough for a slow mail server; a run's end waits for it.
MOST_WAIT_S = 30.0

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")


class NotifierMissingError(Exception):
    """Apprise, which carries the messages, is not installed."""


def unknown_services(urls: Sequence[str]) -> list[str]:
    """Return the schemes that no service answers to; raises `NotifierMissingError`."""
    apprise = _apprise()
    return [_scheme(url) for url in urls if apprise.Apprise.instantiate(url) is None]


async def notify(urls: Sequence[str], title: str, body: str) -> list[str]:
    """Send one message to each address, once, all at the same time.

    Raises nothing for a message that does not arrive: that is what is returned.

    Args:
        urls: Addresses as Apprise reads them.

    Returns:
        The schemes of the addresses that took no message, such as `dingtalk`.
    """
    failed: list[str] = []

    async def send(url: str) -> None:
        taken = False
        with anyio.move_on_after(MOST_WAIT_S):
            taken = await _sent(url, title, body)
        if not taken:
            failed.append(_scheme(url))

    async with anyio.create_task_group() as tasks:
        for url in urls:
            tasks.start_soon(send, url)
    return sorted(failed)


async def _sent(url: str, title: str, body: str) -> bool:
    """Send a message in a daemon thread: after a time-out, and at its end, the process goes on."""
    taken, over = False, anyio.Event()
    token = anyio.lowlevel.current_token()

    def send() -> None:
        nonlocal taken
        taken = _send(url, title, body)
        with suppress(RuntimeError):  # the loop is over
            anyio.from_thread.run_sync(over.set, token=token)

    Thread(target=send, name=f"message to {_scheme(url)}", daemon=True).start()
    await over.wait()
    return taken


def _send(url: str, title: str, body: str) -> bool:
    try:
        service = _apprise().Apprise.instantiate(url)
        return service is not None and bool(service.notify(title=title, body=body))
    except Exception:  # noqa: BLE001  # some plug-in's own fault must not fail a run
        return False


def _apprise() -> Any:
    try:
        return importlib.import_module("apprise")
    except ImportError as error:
        raise NotifierMissingError from error


def _scheme(url: str) -> str:
    """Return how an address begins, which tells nothing of the rest; "?" where it is none.

    >>> _scheme("mailto://me:secret[1]@example.com"), _scheme("secret")
    ('mailto', '?')
    """
    scheme, sign, _ = url.partition("://")
    return scheme.lower() if sign and _SCHEME.fullmatch(scheme) else "?"
