"""What rows say that stay in doubt: words that looks have added since."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import Outcome, RunId
from k3push.core.remark import also
from k3push.core.safety.conclusion import CONTRADICTION
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.kept_attempts import rows_under


async def tell_of_doubts(context: Context, run: RunId, told: Sequence[Outcome]) -> None:
    """Write down what a look tells of rows that stay in doubt.

    A row whose answer contradicts the looks keeps that code: nothing leaves before it is settled
    (`runs.engine_tasks.settler`).
    """
    kept = []
    for outcome in told:
        for row in await rows_under(context.ledger, run, outcome.number):
            if row.code == CONTRADICTION:
                reason = also(row.reason, outcome.reason)
                outcome = outcome._replace(code=CONTRADICTION, reason=reason)  # noqa: PLW2901
        kept.append(outcome)
    if kept:
        await context.ledger.put_off(run, kept)
