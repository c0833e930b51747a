"""A dashboard in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from tests.cli.terminal import Desk, Ran, end


class Served(AbstractContextManager["Served"]):
    """A dashboard that a terminal serves."""

    def __init__(self, desk: Desk, *options: str) -> None:
        """Start it, on a free port unless one is named; its first line is its address."""
        port = () if "--port" in options else ("--port", "0")
        self._process = desk.begin("serve", *port, *options)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address.startswith("http://"), end(self._process)
        self.base = "/".join(self.address.split("/")[:3])
        self.pid = self._process.pid
        self.ran: Ran | None = None

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self.ran = end(self._process)

    def stop(self) -> Ran:
        """Stop it by SIGTERM."""
        if self.ran is None:
            self._process.terminate()
            self.ran = end(self._process)
        return self.ran

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it; to be told to stop is no failure of a server."""
        if self.ran is not None and self.ran.exit < 0:
            return  # it was killed
        ran = self.stop()
        assert kind is not None or (ran.exit, "Traceback" in ran.err) == (0, False), ran


Serve = Callable[..., Served]
