"""`report.html`: one self-contained page about a run, for a browser, offline, and for paper."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread

from k3push.core.advice import code_of
from k3push.core.clusters import TOLD, Clusters
from k3push.core.model import BillNumber, Row, Run, State
from k3push.ports import AttemptRecord, Ledger, Note
from k3push.reporting.ending import Ending
from k3push.reporting.evidence import Packed, moment, words_of
from k3push.reporting.page import Contents, head, tail
from k3push.reporting.tables import opened_for_owner, pages_of
from k3push.reporting.timeline import Say, Timeline

# Of a larger run, the page holds only numbers that a person may have to look at, and no more
# than so many of them.
MOST_ROWS = 200_000

ATTEMPTS_A_PAGE = 200
NOTES_A_PAGE = 2000

_WELL = frozenset({State.PUSHED, State.ALREADY})


async def write_report(
    ledger: Ledger, ending: Ending, path: Path, say: Say, *, lang: str, now: datetime
) -> None:
    """Write the page of a run, readable by its owner only; an older one is replaced whole.

    Args:
        ledger: Holds the run.
        ending: How it stands.
        path: The file.
        say: Sentences in *lang*.
        lang: `en` or `zh`.
        now: When the page is made.
    """
    async with new_report(ledger, ending, path, say, lang=lang, now=now) as gatherer:
        async for rows in pages_of(ledger, ending.run):
            await anyio.to_thread.run_sync(gatherer.rows, rows)


@asynccontextmanager
async def new_report(
    ledger: Ledger, ending: Ending, path: Path, say: Say, *, lang: str, now: datetime
) -> AsyncIterator[Gatherer]:
    """Begin what `write_report` writes, for a caller who gives it all rows of the run.

    The page is there when the block has ended.
    """
    part = path.with_name(f"{path.name}.part")
    run = ending.run
    try:
        # Beside the page: the folder of temporary files may be small, or in memory.
        with tempfile.TemporaryFile("w+", encoding="ascii", dir=path.parent) as packed:
            gatherer = Gatherer(sum(ending.counts.values()), packed, say("explain.no_answer"))
            yield gatherer
            async for attempts in _attempts(ledger, run):
                await anyio.to_thread.run_sync(gatherer.attempts, attempts)
            async for notes in _notes(ledger, run):
                await anyio.to_thread.run_sync(gatherer.notes, notes)
            gatherer.close()
            pictures = await anyio.to_thread.run_sync(gatherer.timeline.pictures, say)
            largest = gatherer.clusters.largest()
            contents = Contents(ending, largest, pictures, gatherer.left_out, lang)
            made = tail(contents, say, version("k3push"), moment(now))
            await anyio.to_thread.run_sync(_join, part, head(contents, say), packed, made)
        await anyio.Path(part).replace(path)
    except OSError:
        with suppress(OSError):
            await anyio.Path(part).unlink(missing_ok=True)
        raise


class Gatherer:
    """Reads a run once: packs what the page shows into *out*, and sums up the rest.

    Attributes:
        clusters: Why numbers are where they are.
        timeline: What was done when.
        left_out: Numbers whose rows the page does not hold.
    """

    def __init__(
        self, total: int, out: IO[str], nothing: str, *, most_rows: int = MOST_ROWS
    ) -> None:
        """Begin with a run of *total* rows; *nothing* stands for an answer that never came."""
        self.clusters = Clusters()
        self.timeline = Timeline()
        self.left_out = 0
        self._whole = total <= most_rows
        self._room = most_rows
        self._packed = Packed(out)
        self._nothing = nothing
        self._told: set[BillNumber] = set()

    def rows(self, rows: Sequence[Row]) -> None:
        """Take a page of rows."""
        for row in rows:
            self.timeline.add_row(row)
            number = row.bill or row.number
            cluster = None
            if row.state in TOLD:
                cluster = self.clusters.add(code_of(row), row.reason, number)
            if self._whole or (row.state not in _WELL and self._room):
                self._room -= 1
                self._packed.row(row, cluster.place if cluster else -1)
                if not self._whole:
                    self._told.add(number)
            else:
                self.left_out += 1

    def attempts(self, page: Sequence[AttemptRecord]) -> None:
        """Take a page of attempts."""
        for kept in page:
            self.timeline.add_attempt(kept)
            if self._whole or not self._told.isdisjoint(kept.attempt.intent.numbers):
                self._packed.attempt(kept, words_of(kept.exchange, self._nothing))

    def notes(self, page: Sequence[Note]) -> None:
        """Take a page of notes."""
        for note in page:
            if self._whole or note.number in self._told:
                self._packed.note(note)

    def close(self) -> None:
        """Write what is left."""
        self._packed.close()


async def _attempts(ledger: Ledger, run: Run) -> AsyncIterator[list[AttemptRecord]]:
    after = 0
    while page := await ledger.attempts_in(run.id, after=after, limit=ATTEMPTS_A_PAGE):
        after = page[-1].attempt.id
        yield list(page)


async def _notes(ledger: Ledger, run: Run) -> AsyncIterator[list[Note]]:
    after = 0
    while page := await ledger.notes_in(run.id, after=after, limit=NOTES_A_PAGE):
        after = page[-1].id
        yield list(page)


def _join(path: Path, head: str, packed: IO[str], tail: str) -> None:
    packed.seek(0)
    with opened_for_owner(path) as file:
        file.write(head)
        shutil.copyfileobj(packed, file)
        file.write(tail)
