"""What the other processes do in `test_processes.py` and `test_postgres_server.py`.

Each says "ready", waits for a line where others are to begin with it, and then says what it
has done.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
from anyio import to_thread

from k3push.adapters.ledger.postgres import open_postgres
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import BillNumber, RunId
from k3push.ports import Ledger, LedgerLostError
from tests.adapters.ledger.samples import ACCOUNT, intent
from tests.said import english


def say(line: str) -> None:
    """Say a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def wait_for_others() -> None:
    """Wait until the test lets all begin."""
    say("ready")
    await to_thread.run_sync(sys.stdin.readline)


def open_ledger(
    place: str, *, account: str = ACCOUNT, create: bool = True
) -> AbstractAsyncContextManager[Ledger]:
    """Open a ledger: a URL of PostgreSQL, or a file."""
    if place.startswith("postgresql://"):
        return open_postgres(place, account=account, create=create)
    return open_sqlite(Path(place), account=account, create=create)


async def own(ledger: Ledger, run: RunId) -> None:
    """Own a run until the end of the process."""
    async with ledger.own(run):
        await wait_for_others()


async def claim(ledger: Ledger, run: RunId) -> None:
    """Claim all rows in small chunks, several at once, and say which were had."""
    had: list[str] = []

    async def claim_one(chunk: tuple[BillNumber, ...]) -> None:
        held = await ledger.claim(run, chunk)
        had.extend(number for number in chunk if number not in held)

    async with ledger.own(run):
        bills = [row.bill for row in await ledger.rows(run)]
        await wait_for_others()
        async with anyio.create_task_group() as tasks:
            for first in range(0, len(bills), 7):
                tasks.start_soon(claim_one, tuple(bills[first : first + 7]))
        say(" ".join(had))
        # Alive until the other has claimed as well: it may take over what the dead had planned.
        await to_thread.run_sync(sys.stdin.readline)


async def begin(ledger: Ledger, run: RunId) -> None:
    """Begin attempts of one number, several at once, and say each."""

    async def begin_each(numbers: list[BillNumber]) -> None:
        for number in numbers:
            await ledger.claim(run, [number])
            attempt = await ledger.begin(intent(run, number))
            say(json.dumps([attempt.id, number]))

    async with ledger.own(run):
        bills = [row.bill for row in await ledger.rows(run, limit=4000)]
        async with anyio.create_task_group() as tasks:
            for first in range(4):
                tasks.start_soon(begin_each, bills[first::4])


async def sleepwalk(ledger: Ledger, run: RunId) -> None:
    """Own a run, and begin an attempt when told to, which may be too late."""
    async with ledger.own(run):
        bills = [row.bill for row in await ledger.rows(run)]
        await ledger.claim(run, bills)
        await ledger.begin(intent(run, bills[0]))
        await wait_for_others()
        for number in bills[1:]:
            try:
                await ledger.begin(intent(run, number))
                say(f"began {number}")
            except LedgerLostError as lost:
                say(f"LedgerLostError {english(lost)}")


async def fill(ledger: Ledger, run: RunId) -> None:
    """Begin attempts on a disk that fills up, and say each, and the error at the end."""
    async with ledger.own(run):
        bills = [row.bill for row in await ledger.rows(run, limit=2000)]
        await ledger.claim(run, bills)
        # No file may grow beyond this, which is how a full disk looks to a process.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
        try:
            for number in bills:
                await ledger.begin(intent(run, number))
                say(number)
        except LedgerLostError as lost:
            say(f"LedgerLostError {lost}")


async def main(role: str, place: str, run: str) -> None:
    """Play one role."""
    roles = {"own": own, "claim": claim, "begin": begin, "fill": fill, "sleepwalk": sleepwalk}
    async with open_ledger(place, create=False) as ledger:
        await roles[role](ledger, RunId(run))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
