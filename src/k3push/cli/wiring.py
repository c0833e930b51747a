"""What every command begins with: the time, the settings, the ledger."""

from __future__ import annotations

import os
import sys
import time
from contextlib import AbstractAsyncContextManager
from datetime import datetime, tzinfo
from pathlib import Path

import platformdirs

from k3push.adapters.sqlite import SqliteLedger, open_sqlite
from k3push.cli.problem import Problem
from k3push.cli.words import Say
from k3push.core.model import Uptime
from k3push.settings import Settings, read_settings

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The computer's time of day, and how long it has been up."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        """Begin with a zone to tell the time of day in; the computer's own if it is None."""
        self._zone = zone
        self._boot = BOOT_ID.read_text("ascii").strip() if BOOT_ID.exists() else ""

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
) -> AbstractAsyncContextManager[SqliteLedger]:
    """Open the ledger; a command that only reads does not make one."""
    path = settings.ledger_path
    if not create and not path.exists():
        raise Problem(say("no_ledger", path=path))
    return open_sqlite(path, create=create)
