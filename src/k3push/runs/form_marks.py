"""The newest document of a target form before an execution has sent anything.

No call of the execution has made a document that is older than that. The newest document is asked
for while the first sources are looked at, and is written down for later executions, which may have
to say what a call of this one has made.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import anyio

from k3push.core.model import RunId
from k3push.ports import ErpUnreachableError, Ledger, LoginRefusedError, LookFailedError, Memo
from k3push.runs.context import Context
from k3push.runs.lookup import can_ask

MARK = "mark"
"""Kind of the memos about a run: the mark of each execution, with the index of its first chunk."""

PATIENCE_S = 20.0
"""For how long the first call waits for it."""


async def note_mark(context: Context, first_chunk: int) -> None:
    """Ask for the newest document, and let what waits for that go on.

    Args:
        context: The execution.
        first_chunk: The index of its first chunk.
    """
    try:
        if not can_ask(context):
            return
        found = ""
        # Where it cannot be had, the looks that matter say what is away.
        with (
            suppress(LookFailedError, ErpUnreachableError, LoginRefusedError),
            anyio.move_on_after(PATIENCE_S),
        ):
            found = await context.erp.newest_id(context.route)
        if not found.isdecimal():
            return
        context.mark = found
        run, now = context.run.id, context.clock.now()
        value = {"chunk": first_chunk, "id": found}
        memo = Memo(MARK, f"{run} {first_chunk}", now, value, about=run)
        await context.ledger.remember(memo)
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
    is_ours = run == context.run.id and context.ages.began_s({attempt}) is not None
    # A mark of an earlier execution was there before this one as well.
    return (context.mark if is_ours else "") or await _kept(context.ledger, run, chunk)


async def _kept(ledger: Ledger, run: RunId, chunk: int) -> str:
    memos = await ledger.memos(MARK, about=run)
    marks = {int(memo.value["chunk"]): str(memo.value["id"]) for memo in memos}
    return max(((at, id_) for at, id_ in marks.items() if at <= chunk), default=(0, ""))[1]
