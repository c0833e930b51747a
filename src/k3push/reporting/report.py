"""`report.html`: one self-contained page about a run, for a browser, offline, and for paper."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread

from k3push.adapters.output_files import Goal, named
from k3push.adapters.private_files import opened_for_owner
from k3push.core.advice.clusters import Clusters, asks_for_person
from k3push.core.advice.diagnosis import code_of, code_of_step
from k3push.core.model import BillNumber, Follow, Run, State
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.ports import AttemptRecord, Ledger, Note
from k3push.reporting.packed_rows import Packed
from k3push.reporting.page import Contents, page
from k3push.reporting.summary import no_look_settles
from k3push.reporting.timeline import Timeline
from k3push.runs.kept_in_ledger.pace_steps import kept_steps
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, followed_pages_of
from k3push.runs.outcome import Ending
from k3push.words.language import Say

# Of a larger run, the page holds only numbers that a person may have to look at, and no more
# than so many of them.
MOST_ROWS = 200_000

COPIED_AT_ONCE = 64 * 1024
ATTEMPTS_A_PAGE = 200
NOTES_A_PAGE = 2000

_WELL = frozenset({State.PUSHED, State.ALREADY})
_FOLLOWED_WELL = frozenset(Follow) - FOR_PERSON


async def write_report(
    ledger: Ledger, ending: Ending, path: Path, say: Say, *, now: datetime
) -> None:
    """Write the page of a run, readable by its owner only; an older one is replaced whole.

    Args:
        say: Sentences, in the page's language.
        now: When the page is made.
    """
    ending = replace(ending, pace=ending.pace or await kept_steps(ledger, ending.run.id))
    async with new_report(ledger, ending, named(path), say, now=now) as gatherer:
        async for rows in followed_pages_of(ledger, ending.run):
            await anyio.to_thread.run_sync(gatherer.rows, rows)


@asynccontextmanager
async def new_report(
    ledger: Ledger, ending: Ending, goal: Goal, say: Say, *, now: datetime
) -> AsyncIterator[Gatherer]:
    """Begin what `write_report` writes, for a caller who gives it all rows of the run.

    The page is there when the block has ended.
    """
    run = ending.run
    # Beside the page: the folder of temporary files may be small, or in memory.
    with (
        goal.part() as part,
        tempfile.TemporaryFile("w+", encoding="ascii", dir=part.parent) as packed,
    ):
        gatherer = Gatherer(sum(ending.counts.values()), packed, say)
        yield gatherer
        async for attempts in _attempts(ledger, run):
            await anyio.to_thread.run_sync(gatherer.attempts, attempts)
        async for notes in _notes(ledger, run):
            await anyio.to_thread.run_sync(gatherer.notes, notes)
        gatherer.close()
        charts = await anyio.to_thread.run_sync(gatherer.timeline.charts, say)
        largest = gatherer.clusters.largest(hopeless=no_look_settles(ending.causes))
        contents = Contents(ending, largest, charts, gatherer.left_out, now)
        await anyio.to_thread.run_sync(_write, part, contents, packed, say)
        await goal.take(part)


class Gatherer:
    """Reads a run once: packs what the page shows into *out*, and sums up the rest.

    Attributes:
        clusters: Why numbers are where they are.
        left_out: Numbers whose rows the page does not hold.
    """

    def __init__(self, total: int, out: IO[str], say: Say, *, most_rows: int = MOST_ROWS) -> None:
        """Begin with a run of *total* rows."""
        self.clusters = Clusters()
        self.timeline = Timeline()
        self.left_out = 0
        self._whole = total <= most_rows
        self._room = most_rows
        self._packed = Packed(out, say)
        self._told: set[BillNumber] = set()

    def rows(self, rows: Sequence[FollowedRow]) -> None:
        """Take a page of rows."""
        for each in rows:
            row, follow, why = each
            self.timeline.add_row(row)
            number = row.key
            cluster = None
            if asks_for_person(row):
                cluster = self.clusters.add(code_of(row), row.reason, row.label_in_erp, row.state)
            elif follow in FOR_PERSON:
                cluster = self.clusters.add(code_of_step(follow), why, row.label_in_erp)
            well = row.state in _WELL and follow in _FOLLOWED_WELL
            if self._whole or (not well and self._room):
                self._room -= 1
                self._packed.row(each, cluster.place if cluster else -1)
                if not self._whole:
                    self._told.add(number)
            else:
                self.left_out += 1

    def attempts(self, page: Sequence[AttemptRecord]) -> None:
        """Take a page of attempts."""
        for kept in page:
            self.timeline.add_attempt(kept)
            if self._whole or not self._told.isdisjoint(kept.attempt.intent.numbers):
                self._packed.attempt(kept)

    def notes(self, page: Sequence[Note]) -> None:
        """Take a page of notes."""
        for note in page:
            if self._whole or note.number in self._told:
                self._packed.note(note)

    def close(self) -> None:
        """Write what is left."""
        self._packed.close()


async def _attempts(ledger: Ledger, run: Run) -> AsyncIterator[list[AttemptRecord]]:
    after, is_full = 0, True
    while is_full and (
        page := await ledger.attempts_in(run.id, after=after, limit=ATTEMPTS_A_PAGE)
    ):
        after, is_full = page[-1].attempt.id, len(page) == ATTEMPTS_A_PAGE
        yield list(page)


async def _notes(ledger: Ledger, run: Run) -> AsyncIterator[list[Note]]:
    after = 0
    while page := await ledger.notes_in(run.id, after=after, limit=NOTES_A_PAGE):
        after = page[-1].id
        yield list(page)


def _write(path: Path, contents: Contents, packed: IO[str], say: Say) -> None:
    packed.seek(0)
    with opened_for_owner(path) as file:
        file.writelines(page(contents, iter(partial(packed.read, COPIED_AT_ONCE), ""), say))
