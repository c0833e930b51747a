"""What other runs have pushed since the bills of a run were planned, or selected.

Where bills may be pushed in parts, documents that are there stop no push. But nobody has agreed to
push once more what was pushed since: it stands as `already`, with the run that has done so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from k3push.core.model import BY_LEDGER, BillNumber, Outcome, Row, RunId, State
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger, Made, Memo
from k3push.runs.context import Context

SEEN = "seen"


async def keep_seen(
    ledger: Ledger, run: RunId, at: datetime, *, clock: Clock | None = None
) -> None:
    """Keep when the bills of a run were looked at, before it was there.

    Args:
        clock: Of this machine, whose time of day may be set back before the run goes on.
    """
    value = {}
    if clock is not None:
        uptime, ago = clock.uptime(), max(clock.now() - at, timedelta())
        value = {"boot": uptime.boot, "uptime_s": uptime.seconds - ago.total_seconds()}
    await ledger.remember(Memo(SEEN, run, at, value, about=run))


async def pushed_since(
    context: Context, known: Mapping[BillNumber, Made]
) -> dict[BillNumber, Outcome]:
    """Say which bills another run has pushed since they were looked at for this one.

    Args:
        context: The execution.
        known: What other runs have made of bills; the others were pushed by nobody.
    """
    if not known or context.run.again_because or not context.route.allow_partial:
        return {}
    seen = await context.ledger.memo(SEEN, context.run.id)
    if seen is None:
        return {}
    found: dict[BillNumber, Outcome] = {}
    for bill, made in known.items():
        for number in {bill, made.number}:
            for run, row in await context.ledger.rows_of(number):
                if await _is_since(context, bill, run, row, seen):
                    why = remark("note.pushed_since", run=run)
                    found[bill] = Outcome(bill, State.ALREADY, row.targets, BY_LEDGER, why)
    return found


async def _is_since(context: Context, bill: BillNumber, run: RunId, row: Row, seen: Memo) -> bool:
    if run == context.run.id or row.state not in {State.PUSHED, State.DRAFT}:
        return False
    if row.settled_at is None:
        return False
    if row.settled_at < seen.at and not await _has_left_since(context, run, row, seen):
        return False
    id_ = context.id_of(bill) or context.source_ids.get(bill, "")
    other = await context.ledger.run(run)
    is_bill = not id_ or row.source_id in {"", id_}
    return is_bill and other is not None and other.scope == context.run.scope


async def _has_left_since(context: Context, run: RunId, row: Row, seen: Memo) -> bool:
    """Say whether a call of a run has left since, by the uptime, which nobody can set back."""
    if not seen.value.get("boot"):
        return False
    sent = [each.attempt.intent for each in await context.ledger.attempts_of(row.key)]
    return any(
        each.run == run
        and each.uptime.boot == seen.value["boot"]
        and each.uptime.seconds >= seen.value["uptime_s"]
        for each in sent
    )
