"""Tasks that wait for a change of what they share."""

from __future__ import annotations

import anyio


class Wakeup:
    """Lets every task that waits for a change look again, whatever has changed."""

    def __init__(self) -> None:
        self._changed = anyio.Event()

    def notify(self) -> None:
        """Say that something has changed."""
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self) -> None:
        """Return at the next change."""
        await self._changed.wait()
