"""The other processes of a test, each playing a role of `players.py`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


class Player:
    """A process that plays a role of `players.py`."""

    def __init__(self, place: str, role: str, run: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.adapters.ledger.players", role, place, run],
            cwd=REPOSITORY,
            env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Return the next line that it says."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> list[str]:
        """Kill it, and return what it had still said."""
        self.process.kill()
        said = self.rest()
        assert self.process.returncode == -signal.SIGKILL
        return said

    def rest(self) -> list[str]:
        """Wait for its end, and return what it said before."""
        return self.process.communicate()[0].splitlines()
