"""What a schedule has begun already: nothing more is begun for it while that goes on.

What a route selects, or a list names, would be pushed twice where a bill may be pushed in parts.
"""

from __future__ import annotations

from collections.abc import Collection

from k3push.core.model import Run, RunId
from k3push.ports import Ledger
from k3push.runs.create import SELECTED
from k3push.runs.find import is_under_way
from k3push.runs.request_stages import Request, Stage, requests


def schedule_of(request: Request) -> str:
    """Return the schedule that a request is of; "" for none."""
    return str(request.how.get("schedule", ""))


def is_approved_ahead(request: Request) -> bool:
    """Say whether a request needs nobody's approval: the settings have said it."""
    return bool(request.how.get("approved"))


async def pushes_under_way(ledger: Ledger, schedule: str) -> list[Request]:
    """Return pushes of a schedule that nobody has to approve any more, but those of new files.

    Each file of a folder is new once.
    """
    known = await requests(ledger, only_open=True)
    own = [each for each in known if schedule_of(each) == schedule and not each.how.get("file")]
    return [each for each in own if is_approved_ahead(each) or each.stage is Stage.APPROVED]


async def selected_run_under_way(
    ledger: Ledger, scope: str, waiting: Collection[RunId] = ()
) -> Run | None:
    """Return a run of what a route of a scope has selected, which goes on or is in a queue.

    Args:
        ledger: The tenant's.
        scope: As in `model.Run`.
        waiting: Runs that are in a queue, or that a worker executes.
    """
    for run in await ledger.runs(undone=True):
        selected = run.scope == scope and any(job.endswith(SELECTED) for job in run.jobs)
        if selected and (run.id in waiting or await is_under_way(ledger, run)):
            return run
    return None
