"""The tools of the system that torment a process: skipped without, and never under CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.terminal import Sandbox

Start = Callable[..., Sandbox]


def need(tool: str) -> None:
    """Skip a test whose tool is not installed; under CI, which installs them all, fail it."""
    if shutil.which(tool) is None:
        miss(f"{tool} is not installed")


def miss(why: str) -> None:
    """Skip a test that cannot be made here, or fail it under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; .ci/run must see to it")
    pytest.skip(why)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start sandboxes with options; all are stopped at the end."""
    with ExitStack() as stack:

        def started(*options: str) -> Sandbox:
            return stack.enter_context(Sandbox(tmp_path, *options))

        yield started
