"""How far a command has come that reads the ERP and sends nothing."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from rich.console import Console
from rich.status import Status

from k3push.cli.console.progress import LINE_EVERY_S
from k3push.cli.console.screen import can_draw
from k3push.words.language import Say


class LookProgress:
    """A spinner on a terminal, a line now and then elsewhere.

    Fulfils `retried_reads.Waiter`.
    """

    def __init__(
        self, console: Console, say: Say, line: Callable[[int], str], *, quiet: bool
    ) -> None:
        """Begin with nothing seen.

        Args:
            line: Says how far it is, from what was seen.
        """
        self._console = console
        self._say = say
        self._line = line
        self._done = 0
        self._quiet = quiet
        self._status: Status | None = None

    def __enter__(self) -> None:
        if can_draw(self._console) and not self._quiet:
            self._status = self._console.status(self._line(self._done))
            self._status.start()
            self._console.show_cursor(show=True)  # as `RunProgress`

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def add(self, count: int) -> None:
        """Say that so much more was seen."""
        self._done += count
        if self._status is not None:
            self._status.update(self._line(self._done))

    async def tell_now_and_then(self) -> None:
        """Without a terminal, write a line every 30 s until cancelled."""
        while self._status is None and not self._quiet:
            await anyio.sleep(LINE_EVERY_S)
            self._console.print(self._line(self._done), highlight=False, markup=False)

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        if not self._quiet:
            words = self._say("progress.waiting", why=why, seconds=seconds)
            self._console.print(words, highlight=False, markup=False)
