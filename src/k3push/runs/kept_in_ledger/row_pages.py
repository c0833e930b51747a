"""The rows of a run, page by page, and how far their documents have come after the push."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from typing import NamedTuple

from k3push.core.advice.diagnosis import Advice, advise, advise_of_doubt, code_of, code_of_step
from k3push.core.model import TWIN, Document, Follow, Outcome, Row, Run, RunId, State
from k3push.core.safety.document_steps import FOR_PERSON, of_row
from k3push.ports import Ledger, StepRecord

PAGE_ROWS = 2000


async def pages_of(
    ledger: Ledger, run: Run, states: Collection[State] = ()
) -> AsyncGenerator[list[Row], None]:
    """Yield the rows of a run in the order of the job file, a page at a time.

    A caller that awaits something else between two pages may be cancelled there: it uses
    `aclosing`.
    """
    place, is_full = 0, True
    while is_full and (
        rows := await ledger.rows(run.id, states=states, after=place, limit=PAGE_ROWS)
    ):
        place, is_full = rows[-1].place, len(rows) == PAGE_ROWS
        yield list(rows)


class FollowedRow(NamedTuple):
    """A row, and how far its documents have come after their push.

    Attributes:
        follow: As far as the last of them.
        why: Why they stand there, or "".
    """

    row: Row
    follow: Follow = Follow.OPEN
    why: str = ""


def advice_of(found: FollowedRow, *, hopeless: bool = False) -> Advice | None:
    """Return what helps: a step that a document was refused stands before what the push has met.

    Args:
        found: A row.
        hopeless: It is in doubt, and no look can settle it.
    """
    if found.follow in FOR_PERSON:
        return advise(code_of_step(found.follow), found.why)
    advice = advise(code_of(found.row), found.row.reason)
    return advise_of_doubt(advice, found.row.reason) if hopeless else advice


async def followed_pages_of(
    ledger: Ledger, run: Run, states: Collection[State] = ()
) -> AsyncGenerator[list[FollowedRow], None]:
    """Yield the rows of a run and how far their documents have come, a page at a time."""
    follows = bool(await ledger.document_counts(run.id))
    async with aclosing(pages_of(ledger, run, states)) as pages:
        async for rows in pages:
            if follows:
                yield await with_follow(ledger, run.id, rows)
            else:
                yield list(map(FollowedRow, rows))


async def with_follow(ledger: Ledger, run: RunId, rows: Sequence[Row]) -> list[FollowedRow]:
    """Look up how far the documents of rows have come."""
    ids = {target.id for row in rows for target in row.targets}
    documents = await ledger.documents_of(run, ids) if ids else {}
    return [FollowedRow(row, *of_row(row.targets, documents)) for row in rows]


async def steps_of_row(ledger: Ledger, run: RunId, row: Row) -> list[StepRecord]:
    """Return the attempts of a run at steps of the documents of a row."""
    kept = [each for target in row.targets for each in await ledger.steps_of(target.id)]
    return [each for each in kept if each.attempt.intent.run == run]


async def not_enrolled(ledger: Ledger, run: Run) -> tuple[int, int]:
    """Count what waits to be followed and is not followed yet by the ledger.

    Returns:
        Documents, of which there are some where an execution was cut short right after a push; and
        rows that a person has settled, whose documents nobody has named.
    """
    count = unnamed = place = 0
    while rows := await ledger.rows(run.id, states=[State.PUSHED], after=place, limit=PAGE_ROWS):
        place = rows[-1].place
        ids = {document.id for row in rows for document in documents_in(row)}
        count += len(ids) - len(await ledger.documents_of(run.id, ids))
        unnamed += sum(not row.targets for row in rows)
    return count, unnamed


def documents_in(of: Row | Outcome) -> list[Document]:
    """Return the documents that a row, or the outcome of a sending, gives to follow."""
    if of.state is not State.PUSHED or of.code == TWIN:
        return []
    return [Document(target.id, target.number) for target in of.targets if not target.draft]
