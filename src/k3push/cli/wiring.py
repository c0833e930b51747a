"""What every command begins with: the time, the settings, the ledger."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path

import platformdirs

from k3push.adapters.sqlite import open_sqlite
from k3push.cli.problem import Problem
from k3push.cli.words import Say
from k3push.core.model import Uptime
from k3push.ports import Ledger
from k3push.settings import Settings, read_settings

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE_ID = Path("/etc/machine-id")


class SystemClock:
    """The computer's time of day, and how long it has been up."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        """Begin with a zone to tell the time of day in; the computer's own if it is None."""
        self._zone = zone

    def now(self) -> datetime:
        """Return the time, aware."""
        return datetime.now().astimezone(self._zone)

    def uptime(self) -> Uptime:
        """Return the time since the machine came up, on Linux with the time it was suspended.

        Other systems name no boot that the standard library can read, and a wait that it
        counts short is only a longer wait.
        """
        seconds = time.monotonic()
        if sys.platform == "linux":
            seconds = time.clock_gettime(time.CLOCK_BOOTTIME)
        return Uptime(self._boot, seconds)

    @cached_property
    def _boot(self) -> str:
        boot = BOOT_ID.read_text("ascii").strip() if BOOT_ID.exists() else ""
        return f"{boot}@{_machine()}"


def _machine() -> str:
    """Return what tells this machine from others; two that are cloned differ by their names."""
    names = [socket.gethostname()]
    names += [MACHINE_ID.read_text("ascii").strip()] if MACHINE_ID.exists() else []
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]


def find_config(named: Path | None, say: Say) -> Path:
    """Return the configuration file: the named one, the folder's own, or the user's."""
    if named is not None:
        return named
    folder = platformdirs.user_config_path("k3push")
    for path in (Path("config.toml"), folder / "config.toml"):
        if path.is_file():
            return path
    raise Problem(say("no_config", folder=folder))


def load_settings(named: Path | None, say: Say) -> Settings:
    """Read the settings, the environment's included."""
    return read_settings(find_config(named, say), os.environ)


def ledger_of(
    settings: Settings, say: Say, *, create: bool = False
) -> AbstractAsyncContextManager[Ledger]:
    """Open the ledger; a command that only reads does not make one."""
    path = settings.ledger_path
    if path is None:
        with needs_postgres(say):
            from k3push.adapters.postgres import open_postgres  # noqa: PLC0415
        return open_postgres(settings.ledger.url, password=ledger_password(settings), create=create)
    if not create and not path.exists():
        raise Problem(say("no_ledger", path=path))
    return open_sqlite(path, create=create)


async def is_there(settings: Settings, say: Say) -> bool:
    """Say whether there is a ledger already."""
    path = settings.ledger_path
    if path is None:
        with needs_postgres(say):
            from k3push.adapters import postgres  # noqa: PLC0415
        return await postgres.version_of(settings.ledger.url, ledger_password(settings)) > 0
    return path.exists()


def ledger_password(settings: Settings) -> str:
    """Return the password of `[ledger]`; libpq looks for others itself."""
    secret = settings.ledger.password
    return secret.resolve("ledger.password", settings.file) if secret else ""


@contextmanager
def needs_postgres(say: Say) -> Iterator[None]:
    """Say which extra is missing, where an import of PostgreSQL's adapter fails."""
    try:
        yield
    except ImportError as missing:
        raise Problem(say("no_postgres", why=missing)) from None
