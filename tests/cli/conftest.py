from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.terminal import Desk, Sandbox

Start = Callable[..., Sandbox]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start sandboxes with options; all are stopped at the end."""
    with ExitStack() as stack:

        def started(*options: str) -> Sandbox:
            return stack.enter_context(Sandbox(tmp_path, *options))

        yield started


@pytest.fixture
def sandbox(start: Start) -> Sandbox:
    """A sandbox in which nothing goes wrong."""
    return start()


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox for all tests that push nothing."""
    with Sandbox(tmp_path_factory.mktemp("untouched")) as sandbox:
        yield sandbox


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder without a configuration."""
    return Desk(tmp_path)


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing of our own environment, and the desk's folder as the place to type in."""
    for name in os.environ:
        if name.upper().startswith("K3PUSH_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return monkeypatch
