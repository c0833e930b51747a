"""What a schedule has begun already: nothing more is begun for it while that goes on.

What a route selects, or a list names, would be pushed twice where a bill may be pushed in parts.
"""

from __future__ import annotations

from collections.abc import Collection

from k3push.core.model import Run, RunId, State
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

    Each file of a folder is new once. A push that has sent all its bills and waits for a workflow,
    perhaps for days, holds up no other.
    """
    known = await requests(ledger, only_open=True)
    own = [each for each in known if schedule_of(each) == schedule and not each.how.get("file")]
    begun = [each for each in own if is_approved_ahead(each) or each.stage is Stage.APPROVED]
    return [each for each in begun if await _sends(ledger, each.runs)]


async def _sends(ledger: Ledger, runs: Collection[RunId]) -> bool:
    """Say whether runs may send something yet, also where they are not in the ledger yet."""
    found = [await ledger.run(run) for run in runs]
    return not found or any([run is None or await _may_send(ledger, run) for run in found])


async def _may_send(ledger: Ledger, run: Run) -> bool:
    counts = await ledger.counts(run.id)
    return not run.whole or bool(counts.get(State.PLANNED) or counts.get(State.SENT))


async def selected_run_under_way(
    ledger: Ledger, scope: str, waiting: Collection[RunId] = ()
) -> Run | None:
    """Return a run of what a route of a scope has selected, which may send something yet.

    Args:
        ledger: The tenant's.
        scope: As in `model.Run`.
        waiting: Runs that are in a queue, or that a worker executes.
    """
    for run in await ledger.runs(undone=True):
        selected = run.scope == scope and any(job.endswith(SELECTED) for job in run.jobs)
        goes_on = selected and (run.id in waiting or await is_under_way(ledger, run))
        if goes_on and await _may_send(ledger, run):
            return run
    return None
