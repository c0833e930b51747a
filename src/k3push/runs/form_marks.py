"""The newest document of a target form before an execution has sent anything.

No call of the execution has made a document that is older than that. The newest document is asked
for while the first sources are looked at, and is written down for later executions, which may have
to say what a call of this one has made.
"""

from __future__ import annotations

from collections.abc import Iterable

from k3push.core.model import RunId, State
from k3push.ports import Ledger, Memo
from k3push.runs.context import Context
from k3push.runs.lookup import can_ask
from k3push.runs.retried_reads import read_unless_refused

MARK = "mark"
"""Kind of the memo about a run; it tells the mark of its first execution that had one."""


async def note_mark(context: Context, first_chunk: int) -> None:
    """Ask for the newest document, and let what waits for that go on.

    A single bill of which a call makes one document, as far as is known, needs none.

    Args:
        context: The execution.
        first_chunk: The index of its first chunk.
    """
    try:
        planned = (await context.ledger.counts(context.run.id)).get(State.PLANNED, 0)
        if not can_ask(context) or (planned < 2 and not await context.may_have_several()):  # noqa: PLR2004
            return
        route = context.route
        found = await read_unless_refused(
            context,
            f"the newest document of {route.target}",
            lambda: context.erp.newest_id(route),
            with_any_error=True,
        )
        if not found or not found.isdecimal():
            return
        context.mark = found
        run, now = context.run.id, context.clock.now()
        value = {"chunk": first_chunk, "id": found}
        await context.ledger.remember(Memo(MARK, run, now, value, about=run))
    finally:
        context.marked.set()


async def mark_before(context: Context, calls: Iterable[tuple[RunId, int, int]]) -> str:
    """Return a document that was there before some calls left, as late as one is known, or "".

    Args:
        context: The execution.
        calls: The run, the chunk and the attempt of each.
    """
    marks = [await _mark_of(context, run, chunk, attempt) for run, chunk, attempt in calls]
    return min(marks, key=int) if marks and all(marks) else ""


async def _mark_of(context: Context, run: RunId, chunk: int, attempt: int) -> str:
    if run == context.run.id and context.ages.began_s({attempt}) is not None:
        return context.mark
    return await _kept(context.ledger, run, chunk)


async def _kept(ledger: Ledger, run: RunId, chunk: int) -> str:
    memo = await ledger.memo(MARK, run)
    return str(memo.value["id"]) if memo and int(memo.value["chunk"]) <= chunk else ""
