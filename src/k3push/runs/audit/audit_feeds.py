"""Which bills an audit looks at: those of a list, of the ledger, or all that have documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime

import anyio.to_thread

from k3push.core.model import Listed, Row, Run, id_in, number_in
from k3push.core.pacing.chunking import split
from k3push.core.protocol.audit_queries import Named
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import Inspection, Ledger
from k3push.runs.create import JobSource, next_lines
from k3push.runs.forecast import ForecastContext
from k3push.runs.kept_in_ledger.row_pages import PAGE_ROWS
from k3push.runs.lookup.retried_reads import read_with_retries

Batches = AsyncGenerator[Sequence[Named], None]


async def of_jobs(jobs: Sequence[JobSource], takes: Callable[[Listed], bool]) -> Batches:
    """Yield the numbers of job files that are meant."""
    for job in jobs:
        lines = filter(takes, job.read())
        while batch := await anyio.to_thread.run_sync(next_lines, lines, MOST_NUMBERS):
            yield [Named(listed.number, listed.id) for listed in batch]


async def of_ledger(ledger: Ledger, scope: str, since: datetime | None = None) -> Batches:
    """Yield the bills of the runs of a scope, or those that were worked on since a time."""
    for run in await ledger.runs():
        if run.scope != scope:
            continue
        place = 0
        while rows := await ledger.rows(run.id, after=place, limit=PAGE_ROWS):
            place = rows[-1].place
            named = [_named(row) for row in rows if row.bill and _is_since(run, row, since)]
            for part in split(named, MOST_NUMBERS):
                yield part


async def of_documents(look: ForecastContext, inspection: Inspection, since: str = "") -> Batches:
    """Yield the sources that documents of the target form name, the oldest document first.

    Args:
        look: What to look with.
        inspection: Reads the form.
        since: Only documents that were made at this local time of the server or later.
    """
    after: int | None = 0
    while after is not None:
        begin = after
        named, after = await read_with_retries(
            look,
            f"all of {look.route.target}",
            lambda: inspection.named_after(look.route, begin, since),  # noqa: B023  # it is called at once
        )
        for part in split(named, MOST_NUMBERS):
            yield part


async def chained(*feeds: Batches) -> Batches:
    """Yield from one after another."""
    for feed in feeds:
        async with aclosing(feed):
            async for batch in feed:
                yield batch


def _named(row: Row) -> Named:
    return Named(number_in(row.bill), row.source_id or id_in(row.bill))


def _is_since(run: Run, row: Row, since: datetime | None) -> bool:
    return since is None or (row.settled_at or row.sent_at or run.started_at) >= since
