"""What the use cases need of the machine: its clocks, and room for names on its disk."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from k3push.core.model import Uptime


class Clock(Protocol):
    """Where the time comes from: the time of day, which can be set, and one that cannot."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware."""
        ...

    def uptime(self) -> Uptime:
        """Return how long the machine has been up; never more than that."""
        ...


class Once(Protocol):
    """Remembers names, so many that they do not fit into the memory. Its verbs block."""

    def new(self, names: Collection[str]) -> Collection[str]:
        """Return those of *names* that it is given for the first time; threads may call at once."""
        ...
