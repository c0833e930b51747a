"""What the ledger keeps of the attempts of a run at a bill, and what their answers prove."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import BillNumber, NeverSent, Row, RunId
from k3push.core.safety.verdict import Verdict, judge
from k3push.ports import AttemptRecord, Ledger, StepRecord
from k3push.runs.kept_in_ledger.moved_rows import attempts_at_another


def verdict_of(kept: AttemptRecord | StepRecord) -> Verdict | None:
    """Return what an attempt is proved to have done; None where it is open, or was killed."""
    return judge(kept.exchange) if kept.exchange is not None else None


async def attempts_under(ledger: Ledger, run: RunId, bill: BillNumber) -> list[AttemptRecord]:
    """Return the attempts of a run under what it calls a bill, the first first."""
    kept = await ledger.attempts_of(bill)
    return [each for each in kept if each.attempt.intent.run == run]


async def rows_under(ledger: Ledger, run: RunId, bill: BillNumber) -> list[Row]:
    """Return the rows of a run under what it calls a bill."""
    return [row for of, row in await ledger.rows_of(bill) if of == run and row.bill == bill]


async def sent_under(ledger: Ledger, run: RunId, bill: BillNumber) -> list[AttemptRecord]:
    """Return the attempts that have left, of a run under what it calls a bill, the first first.

    `Row.attempts` counts the others as well: of those nothing has come, and what was there before
    the first of them says nothing.
    """
    return _that_left(await attempts_under(ledger, run, bill))


async def sent_by(
    ledger: Ledger, run: RunId, bill: BillNumber, *, after: int = 0
) -> list[AttemptRecord]:
    """Return the attempts that have left, at a bill and not at another that had its number before.

    Args:
        ledger: Keeps them.
        run: The run.
        bill: What it calls the bill.
        after: So many of all attempts under that name are left out, from the first.
    """
    kept = await attempts_under(ledger, run, bill)
    others = await attempts_at_another(ledger, run, bill) if kept else 0
    return _that_left(kept[max(others, after) :])


async def was_sent(ledger: Ledger, run: RunId, row: Row) -> bool:
    """Say whether some attempt at a row's bill has left."""
    return bool(row.attempts and await sent_by(ledger, run, row.bill))


def _that_left(kept: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    return [each for each in kept if not isinstance(each.exchange, NeverSent)]
