"""Move runs that are over into archives, and remove from the ledger what nothing depends on.

Before anything is removed, the archive is on disk and the ledger says so. If archiving is cut off,
it is done again from that point, with the same result.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import anyio

from k3push.core.model import Run, RunId
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Ledger, RunIsAliveError, RunIsArchivedError
from k3push.ports.archives import Archives, Part
from k3push.runs.kept_in_ledger.row_pages import PAGE_ROWS

# Attempts carry requests and answers, which may have megabytes each.
ATTEMPTS_A_PAGE = 50


@dataclass(slots=True)
class ArchivingResult:
    """What came of archiving.

    Attributes:
        runs: How many were archived and pruned.
        left: Whether some that are due had to wait for another time.
    """

    runs: int = 0
    left: bool = False


async def archive_due(
    ledger: Ledger, archives: Archives, *, before: datetime, seconds: float = math.inf
) -> ArchivingResult:
    """Archive the runs that ended before a time and are done with, the oldest first.

    Args:
        ledger: Where they are.
        archives: Where they go.
        before: The time.
        seconds: After so many no other run is begun.

    Raises:
        OSError: An archive cannot be written; nothing of its run is removed.
        LedgerLostError: The ledger could not be read or written.
    """
    told, tried = ArchivingResult(), set[RunId]()
    ends_s = anyio.current_time() + seconds
    while due := [r for r in await ledger.due_for_archive(before) if r.id not in tried]:
        for run in due:
            if anyio.current_time() > ends_s:
                told.left = True
                return told
            tried.add(run.id)
            if run.archive is not None or await _write(ledger, archives, run):
                await _prune(ledger, run.id)
                told.runs += 1
    return told


async def _write(ledger: Ledger, archives: Archives, run: Run) -> bool:
    """Write the archive of a run; say whether the ledger names it."""
    try:
        # Nobody plans its numbers again while they are written down.
        async with ledger.own(run.id, executes=False):
            async with aclosing(parts_of(ledger, run)) as parts:
                archive = await archives.write(run, parts)
            await ledger.archive(run.id, archive)
    except (RunIsAliveError, IllegalMoveError):
        return False  # somebody has taken it up since it was found
    except RunIsArchivedError:
        pass  # another process was quicker
    return True


async def _prune(ledger: Ledger, run: RunId) -> None:
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        after = await ledger.prune(run, after=after)


async def parts_of(ledger: Ledger, run: Run) -> AsyncGenerator[Sequence[Part], None]:
    """Yield what a ledger knows of a run, page by page; its documents and steps stay there."""
    place = 0
    while rows := await ledger.rows(run.id, after=place, limit=PAGE_ROWS):
        yield rows
        place = rows[-1].place
    yield await ledger.repeats(run.id)
    last = 0
    while attempts := await ledger.attempts_in(run.id, after=last, limit=ATTEMPTS_A_PAGE):
        yield attempts
        last = attempts[-1].attempt.id
    last = 0
    while notes := await ledger.notes_in(run.id, after=last):
        yield notes
        last = notes[-1].id
    yield await ledger.commands(run.id)
