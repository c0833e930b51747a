r"""An upgrade without a stop: workers of two versions side by side, one host after the other.

git worktree add /tmp/old COMMIT
python -m tests.fleet.upgrade --old /tmp/old/src --tenants 40

Three nights, each with a list for every tenant and all due at once: two workers of the older
version, of which one is drained in the middle of its work and comes back as the newer; then one
of each; then the other goes the same way. Every number must have been pushed, once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.fleet.night import SECRET
from tests.fleet.thousands import (
    DUE,
    NUMBERS,
    PLANNED,
    RUNS,
    THERE,
    UNDONE,
    UNREAD,
    Thousands,
    books_of,
    postgres,
    twice,
    worlds,
    write_list,
    write_tenants,
)

NIGHTS = 3
PATIENCE_S = 300.0
STARTED_S = 60.0


class Upgrade(Thousands):
    """A service whose workers are of two versions."""

    def worker(self, source: str) -> subprocess.Popen[str]:
        """Start a worker from a tree, and wait until it serves."""
        path = self.folder / f"w{len(self.told['workers'])}"
        self.told["workers"].append("old" if source else "new")
        environment = {**os.environ, SECRET: "sandbox"}
        if source:
            environment["PYTHONPATH"] = source
        with path.open("w") as log:
            process = subprocess.Popen(  # our own command
                [sys.executable, "-m", "k3push", "worker", "--tenants", "tenants"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                text=True,
            )
        began_s = time.monotonic()
        while "serves" not in path.read_text():
            assert time.monotonic() - began_s < STARTED_S, path.read_text()
            time.sleep(0.1)
        return process

    def drain(self, process: subprocess.Popen[str]) -> None:
        """Tell a worker to end, which it does well."""
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, self.said()

    def said(self) -> str:
        """Return what all workers have said."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("w?")))

    def begin_night(self, nth: int) -> None:
        """Give every tenant another list, and let all be due."""
        for inbox in (self.folder / "tenants" / "inbox").iterdir():
            write_list(inbox / f"night{nth}.csv", nth * NUMBERS)
        self.session.execute(DUE.encode())

    def end_night(self, runs: int) -> None:
        """Wait until all lists are read, and all runs done."""
        self.wait(lambda: self.one(UNREAD) == 0 and self.one(RUNS) >= runs and not self.one(UNDONE))


def upgrade(old: str, tenants: int) -> dict[str, Any]:
    """Play three nights; say what came of them."""
    with (
        postgres() as url,
        worlds(tenants, NUMBERS * NIGHTS) as addresses,
        tempfile.TemporaryDirectory(prefix="k3push-upgrade-") as scratch,
        psycopg.connect(url, autocommit=True) as session,
    ):
        played = Upgrade(Path(scratch), session, PATIENCE_S)
        played.told |= {"tenants": tenants, "workers": []}
        write_tenants(played.folder, addresses, url, lists=False)
        one, other = played.worker(old), played.worker(old)
        played.wait(lambda: played.one(THERE) > 0 and played.one(PLANNED) == tenants)
        played.begin_night(0)
        time.sleep(1)
        played.drain(one)
        one = played.worker("")
        played.end_night(tenants)
        played.begin_night(1)
        played.end_night(2 * tenants)
        played.begin_night(2)
        time.sleep(1)
        played.drain(other)
        other = played.worker("")
        played.end_night(3 * tenants)
        for each in (one, other):
            played.drain(each)
        began = [path.read_text().count(" begins") for path in sorted(played.folder.glob("w?"))]
        played.told |= {
            "runs_begun_by_each": began,
            "runs": played.one(RUNS),
            "numbers_pushed": sum(len(books["sources"]) for books in books_of(addresses)),
            "numbers_due": tenants * NUMBERS * NIGHTS,
            "documents_twice": twice(addresses),
            "defects": played.said().count("Traceback"),
        }
        return played.told


def main() -> int:
    """Try an upgrade; print what it came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--old", required=True, help="`src` of a tree of the older version")
    parser.add_argument("--tenants", type=int, default=40)
    options = parser.parse_args()
    told = upgrade(options.old, options.tenants)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
