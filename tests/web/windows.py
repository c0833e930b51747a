"""Windows of a real browser on a dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page

from tests.web.server import Served


@contextmanager
def opened(browser: Browser, base: str, **options: Any) -> Iterator[Page]:
    """Open a window; no script of a page may fail, and none may ask elsewhere."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(100_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security" in said.text else None,
    )
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(f"{base}/") else faults.append(asked.url),
    )
    yield page
    assert faults == []
    context.close()


@contextmanager
def entered(browser: Browser, served: Served, **options: Any) -> Iterator[Page]:
    """Open the printed address, and be led to the first page."""
    with opened(browser, served.base, locale="en-US", **options) as page:
        page.goto(served.address)
        page.wait_for_url(f"{served.base}/")
        yield page
