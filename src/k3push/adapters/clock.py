"""The computer's clocks."""

from __future__ import annotations

import hashlib
import socket
import sys
import time
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path

from k3push.core.model import Uptime

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE_ID = Path("/etc/machine-id")
SYSTEMD = Path("/run/systemd/system")
"""There where systemd has set up the machine; a container may hold the id of its image."""


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
        return f"{boot}@{_machine(boot)}"


def _machine(boot: str) -> str:
    """Return what tells this machine from others; two that are cloned differ by their names.

    A container may go on elsewhere under its name, so that there each boot is another machine.
    """
    is_set_up = SYSTEMD.exists() and MACHINE_ID.exists()
    names = [socket.gethostname(), MACHINE_ID.read_text("ascii").strip() if is_set_up else boot]
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]
