"""The newest document of a target form before an execution has sent anything.

No call of the execution has made a document that is older than that. The newest document is asked
for while the first sources are looked at, and is written down for later executions, which may have
to say what a call of this one has made.
"""

from __future__ import annotations

from contextlib import suppress
from operator import itemgetter

import anyio

from k3push.core.model import RunId
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, Memo
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.put_memo import put_memo
from k3push.runs.lookup.looker import can_ask

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
        found = await _newest_id(context)
        # What comes too late may be of the first call.
        if found.isdecimal() and not context.has_begun:
            context.mark = found
            run, now = context.run.id, context.clock.now()
            value = {"chunk": first_chunk, "id": found}
            # An execution that sends nothing leaves its first chunk to the next one.
            memo = Memo(MARK, f"{run} {first_chunk}", now, value, about=run)
            await put_memo(context.ledger, memo)
    finally:
        context.marked.set()


async def end_wait(context: Context) -> None:
    """Let the first call go after a while; the question goes on, since it may be at a login."""
    await anyio.sleep(PATIENCE_S)
    context.marked.set()


async def _newest_id(context: Context) -> str:
    if can_ask(context):
        # Where it cannot be had, the looks that matter say what is away.
        with suppress(LookFailedError, ErpUnreachableError, LoginRefusedError):
            return await context.erp.newest_id(context.route)
    return ""


async def mark_before(context: Context, run: RunId, chunk: int, attempt: int) -> str:
    """Return a document that was there before a call left, as late as one is known, or ""."""
    is_ours = run == context.run.id and context.ages.left_s({attempt}) is not None
    # A mark of an earlier execution was there before this one as well.
    return (context.mark if is_ours else "") or await _kept(context, run, chunk)


async def _kept(context: Context, run: RunId, chunk: int) -> str:
    if run not in context.marks:
        # What a later execution of another run notes is of later calls.
        memos = await context.ledger.memos(MARK, about=run)
        context.marks[run] = [(int(memo.value["chunk"]), str(memo.value["id"])) for memo in memos]
    before = [mark for mark in context.marks[run] if mark[0] <= chunk]
    # Of one chunk the first is the newest.
    return max(before, key=itemgetter(0))[1] if before else ""
