"""`worker`: serve the fleet's tenants until told to stop."""

from __future__ import annotations

import os
import re
import secrets
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from k3push.cli.console.signals import on_interrupt
from k3push.config.tenants import TenantFiles
from k3push.fleet import FleetWork, Worker, one_queue_of, queue_of, read_files
from k3push.runs.outcome import Exit
from k3push.wiring.open_ledger import staying
from k3push.wiring.process_memory import spare_memory
from k3push.words.language import Say

LONGEST_ID = 63
"""What PostgreSQL keeps of the name of a session."""


async def serve(folder: Path, *, concurrency: int, name: str | None, say: Say) -> Exit:
    """Serve until told to stop.

    Raises:
        Problem: There are no tenants, or they name several databases.
    """
    spare_memory()
    host = socket.gethostname()
    name = name or host
    # PostgreSQL writes any other letter in its own way, and sessions are found by their name.
    shown = re.sub(r"[^ -~]", "?", name)
    identity = f"k3push-{os.getpid()}-{secrets.token_hex(3)}-{shown}"[:LONGEST_ID]
    # Of thousands, the files are parsed once: a worker that begins anew is to serve soon.
    files = TenantFiles(folder, os.environ)
    first = one_queue_of(read_files(files))
    async with AsyncExitStack() as stack:
        work = FleetWork(files, first.database, identity, say, stack)
        worker = Worker(work, queue_of(first), identity, name, host, concurrency)

        def stop() -> None:
            work.tell("worker.stopping")
            worker.drain()

        with on_interrupt(stop), staying():
            await worker.serve()
        work.tell("worker.gone")
    return Exit.DONE
