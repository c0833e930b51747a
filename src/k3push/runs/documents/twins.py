"""Twins: bills with more documents than their push made.

How a row tells of them, and how a few stop an execution: something else pushes the same bills. The
line at the end of a run is `odd_lines` in `reporting/summary.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import (
    TWIN,
    BillNumber,
    Outcome,
    State,
    Target,
    Targets,
    number_in,
)
from k3push.core.remark import also, remark
from k3push.core.safety.documents_beside import crowded
from k3push.core.safety.matching import fold
from k3push.core.safety.target_sets import labels
from k3push.runs.context import Context
from k3push.runs.stop import Cause

MORE_THAN_ONE = "note.more_than_one"
"""Key of the note to a bill with several documents where the rule has made one of each so far."""

WHOSE = "note.whose"
"""Key of what is told of documents of which nothing tells of which bill they are."""

# When this many numbers were pushed by somebody else as well, it is no accident.
MOST_TWINS = 3


def note_twins(context: Context, outcomes: Sequence[Outcome]) -> None:
    """Count twins once they are in the ledger: a few of them stop the execution.

    Where few bills are known, what looks like one may be the first that the rule has split.
    """
    sure = context.split_bills.is_known_well
    for outcome in outcomes:
        if is_twin(outcome) and (sure or MORE_THAN_ONE not in outcome.reason):
            note_twin(context, outcome.reason)


def note_unnamed(context: Context, outcomes: Sequence[Outcome]) -> None:
    """Count twins in a row of calls whose answers name no documents.

    Something that repeats calls makes twins one after another; a rule that splits bills does so
    now and then.
    """
    for outcome in outcomes:
        if outcome.targets:
            context.twins_in_a_row = context.twins_in_a_row + 1 if is_twin(outcome) else 0
        if context.twins_in_a_row >= MOST_TWINS:
            context.stop.ask(Cause.TWINS, outcome.reason)


def note_twin(context: Context, why: str) -> None:
    """Count a number that somebody else has pushed as well; a few stop the run."""
    context.twins += 1
    if context.twins >= MOST_TWINS:
        context.stop.ask(Cause.TWINS, why)


def is_twin(outcome: Outcome) -> bool:
    """Say whether a bill has more documents than its push made, as far as anything tells."""
    return outcome.code == TWIN and WHOSE not in outcome.reason


async def told_of_another(
    context: Context, outcome: Outcome, named: Collection[str] = (), *, surely: bool = False
) -> Outcome:
    """Mark a bill with several documents as a twin where every known bill has only one.

    Args:
        context: The execution.
        outcome: What a look has shown.
        named: Ids of documents that the call's own answer names.
        surely: Only where many bills are known to have got one document each.
    """
    unnamed = {target.id for target in outcome.targets}.difference(named)
    if outcome.code or len(outcome.targets) < 2 or not unnamed:  # noqa: PLR2004
        return outcome
    if not await context.makes_one(surely=surely):
        return outcome
    # A second call may have come from another program, or from a proxy that sends on its own.
    why = remark("note.more_than_one", documents=labels(outcome.targets))
    return outcome._replace(code=TWIN, reason=also(outcome.reason, why))


def told_of_twins(outcome: Outcome) -> Outcome:
    """Tell that several calls for a number have made documents, where they have."""
    if len(outcome.targets) < 2:  # noqa: PLR2004
        return outcome
    why = remark("note.late_twin", documents=labels(outcome.targets[1:]))
    return outcome._replace(code=TWIN, reason=why)


async def doubtful_among(
    context: Context,
    messages: Sequence[str],
    numbers: Sequence[BillNumber],
    made: Targets,
    linked: Collection[str],
) -> dict[BillNumber, tuple[Target, ...]]:
    """Return documents of a call of which one may be of a bill of it that has none (`crowded`).

    Where the rule splits bills, as far as is known, it is no wonder that a bill has several; but
    documents that bear the beginning of a longer number may be of that one (a field that is too
    short).
    """
    found = crowded(messages, numbers, made, linked)
    most = 2 * len(found) > len(made)
    if found and (await context.may_split() or (most and not await context.makes_one())):
        without = [fold(number_in(number)) for number in numbers if number not in made]
        return {
            number: documents
            for number, documents in found.items()
            if any(longer.startswith(fold(number_in(number))) for longer in without)
        }
    return found


def told_of_doubtful(outcome: Outcome, documents: Sequence[Target]) -> Outcome:
    """Tell of documents of which nothing tells of which bill they are, where a bill has some."""
    if outcome.state is not State.PUSHED or not documents:
        return outcome
    why = remark("note.whose", documents=labels(documents))
    return outcome._replace(code=outcome.code or TWIN, reason=also(outcome.reason, why))
