from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.cli.terminal import Desk
from tests.reporting.test_report import CHROMIUM
from tests.web.server import Serve, Served


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder without a configuration."""
    return Desk(tmp_path)


@pytest.fixture
def serve(desk: Desk) -> Iterator[Serve]:
    """Start dashboards with options; all are stopped at the end."""
    with ExitStack() as stack:

        def served(*options: str) -> Served:
            return stack.enter_context(Served(desk, *options))

        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI installs Chromium"
        pytest.skip("there is no Chromium")
    expect.set_options(timeout=100_000)  # the machine may be busy
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
