"""Twins: bills with more documents than their push made. A few of them stop an execution."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import TWIN, Outcome
from k3push.runs.context import Context
from k3push.runs.stop import Cause

MORE_THAN_ONE = "note.more_than_one"
"""Key of what is told of a bill that has more documents than the rule has made of any so far."""

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
