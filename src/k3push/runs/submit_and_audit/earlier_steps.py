"""What earlier calls have done to a document, whichever run of this ledger made them."""

from __future__ import annotations

from k3push.core.safety.document_steps import is_denied, tells_by_status
from k3push.core.safety.verdict import SendAgain
from k3push.ports import Ledger, StepRecord
from k3push.runs.kept_in_ledger.kept_attempts import verdict_of


def step_did_nothing(kept: StepRecord) -> bool:
    """Say whether a call has done nothing."""
    verdict = verdict_of(kept)
    if is_denied(verdict):
        return not tells_by_status(kept.attempt.intent)
    return isinstance(verdict, SendAgain)


async def was_submitted(ledger: Ledger, id_: str, form: str) -> bool:
    """Say whether a run of this ledger may have submitted a document of a form."""
    kept = [each for each in await ledger.steps_of(id_) if not step_did_nothing(each)]
    runs = [await ledger.run(run) for run in {each.attempt.intent.run for each in kept}]
    # The ERP counts the ids of each form for itself.
    return any(run is not None and run.route.target.lower() == form.lower() for run in runs)
