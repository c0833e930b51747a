"""Documents that may be of a bill, and of which nothing tells that they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, Outcome, Sighting, State, Target, Targets
from k3push.core.remark import remark
from k3push.core.safety.target_sets import labels
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.source_check import AMBIGUOUS

SHARED = "shared"
"""`Outcome.code` of a bill whose number others have, where nothing tells whose a document is."""


CANCELLED_SINCE = "cancelled_since"
"""`Outcome.code` of a bill whose document somebody has cancelled since the bill was sent."""


def whose(bill: BillNumber, documents: Sequence[Target]) -> Outcome:
    """Say that a bill is not sent, since documents are there that may be its own.

    They name its number, which other bills have too, and no link and no ledger tells whose they
    are: to push it might make a second one.
    """
    why = remark("note.whose", documents=labels(documents))
    return Outcome(bill, State.REJECTED, code=SHARED, reason=why)


def of_namesakes(bill: BillNumber, documents: Sequence[Target]) -> Outcome:
    """Say that a bill is not sent by its number, since documents were made from others of it.

    The ERP may take the number for one of those, and the bill may be pushed by its id.
    """
    why = remark("note.of_namesakes", documents=labels(documents))
    return Outcome(bill, State.REJECTED, code=AMBIGUOUS, reason=why)


def unclear(
    context: Looker,
    bill: BillNumber,
    seen: Sighting,
    before: Collection[str] | None = None,
    *,
    by_id: bool,
) -> Outcome | None:
    """Say that a look shows documents of a bill's number and not whether they are its own.

    Where links tell, and were asked for the bill, what was there before it was sent and what they
    do not name is not its own, whatever a field says. What has come since may be: a rule may keep
    links for some documents only.

    Args:
        context: What was looked with.
        bill: The ERP's spelling.
        seen: The look.
        before: Ids of the documents that were there before the bill was sent; None if it was not.
        by_id: It travels by its id, which the ERP takes for no other bill.
    """

    def new(found: Targets) -> list[Target]:
        return [target for target in found.get(bill, ()) if target.id not in (before or ())]

    # Of a bill that was sent, what bears its number alone may be another call's.
    loose = new(seen.loose) if before is not None else []
    if documents := [*new(seen.shared), *loose]:
        return whose(bill, documents)
    if (documents := new(seen.namesakes)) and not by_id:
        return of_namesakes(bill, documents)
    told = context.links.tell and bill in seen.linked
    documents = [] if told and before is None else new(seen.denied)
    if before is not None and documents:
        why = remark("note.denied", documents=labels(documents))
        return Outcome(bill, State.REJECTED, code=SHARED, reason=why)
    if odd := [each for each in documents if each.id in seen.thin]:
        why = remark("note.odd_form", documents=labels(odd))
        return Outcome(bill, State.REJECTED, code=SHARED, reason=why)
    if before is not None and (documents := new(seen.cancelled)):
        # It may be what the sending made; somebody has cancelled it, and may not want another.
        why = remark("note.cancelled_since", documents=labels(documents))
        return Outcome(bill, State.REJECTED, code=CANCELLED_SINCE, reason=why)
    return None
