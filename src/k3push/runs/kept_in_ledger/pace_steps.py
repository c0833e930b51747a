"""The steps of the automatic pace of a run's last execution, kept for reports that come later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from k3push.core.model import RunId
from k3push.core.pacing.samples import PaceStep, Setting
from k3push.ports import Ledger, Memo
from k3push.runs.kept_in_ledger.put_memo import put_memo

STEPS = "pace"


async def keep_steps(
    ledger: Ledger, run: RunId, steps: Sequence[PaceStep], *, at: datetime
) -> None:
    """Keep the steps of an execution, in the place of those of an earlier one.

    Args:
        ledger: Holds the run.
        run: The run.
        steps: In seconds from the beginning of the execution; none keeps what is there, since an
            execution that only settles or follows has no pace.
        at: The time of day.
    """
    if not steps:
        return
    value = {
        "steps": [
            [step.at_s, step.setting.concurrency, step.setting.chunk_size, step.why]
            for step in steps
        ]
    }
    await put_memo(ledger, Memo(STEPS, run, at, value, about=run))


async def kept_steps(ledger: Ledger, run: RunId) -> list[PaceStep]:
    """Return the steps that were kept last."""
    memo = await ledger.memo(STEPS, run)
    steps = memo.value["steps"] if memo else []
    return [
        PaceStep(float(at_s), Setting(int(calls), int(numbers)), str(why))
        for at_s, calls, numbers, why in steps
    ]
