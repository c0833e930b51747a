"""Twins: bills with more documents than their push made.

How a row tells of them, and how a few stop an execution: something else pushes the same bills.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from k3push.core.model import (
    TWIN,
    BillNumber,
    NeverSent,
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
from k3push.ports import LatelySent
from k3push.runs.context import Context
from k3push.runs.earlier_calls import was_in_doubt
from k3push.runs.stop import Cause

MORE_THAN_ONE = "note.more_than_one"
"""Key of what is told of a bill that has more documents than the rule has made of any so far."""

WHOSE = "note.whose"
"""Key of what is told of documents of which nothing tells of which bill they are."""

# Before all attempts.
EVER = datetime(2000, 1, 1, tzinfo=UTC)

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
        surely: Many bills have to be known.
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


async def told_of_late_calls(context: Context, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Mark bills that are `already` by two calls of ours, one carried out after its window.

    A call that was in doubt was settled as absent, the bill was sent again, and both have made
    documents. Bills that people have pushed in parts are done by several documents, too.
    """
    several = {each.number: each for each in outcomes if _is_of_several(each)}
    if not several or await context.may_split():
        return list(outcomes)
    calls: dict[BillNumber, list[LatelySent]] = {}
    for sent in await context.ledger.lately_sent(context.run.id, context.with_ids(several), EVER):
        for number in () if isinstance(sent.kept.exchange, NeverSent) else sent.bills:
            calls.setdefault(number, []).append(sent)
    twice = [n for n, sent in calls.items() if await _was_made_twice(context, several[n], sent)]
    told = {n: also(several[n].reason, told_of_twins(several[n]).reason) for n in twice}
    return [
        each._replace(code=TWIN, reason=told[each.number]) if each.number in told else each
        for each in outcomes
    ]


def _is_of_several(outcome: Outcome) -> bool:
    return outcome.state is State.ALREADY and len(outcome.targets) > 1 and not outcome.code


async def _was_made_twice(context: Context, there: Outcome, sent: Sequence[LatelySent]) -> bool:
    """Say whether a bill that was in doubt was sent again since, and several have come of that.

    Documents that were known before the last call left do not count: somebody had asked for a
    second one.
    """
    bill = there.number
    sent = [each for each in sent if not await _was_of_namesake(context, bill, each)]
    if not any(was_in_doubt(each.kept) for each in sent[:-1]):
        return False
    known = sent[-1].kept.attempt.intent.before.get(sent[-1].bills[bill], ())
    return len(there.targets) - len({target.id for target in there.targets}.intersection(known)) > 1


async def _was_of_namesake(context: Context, bill: BillNumber, sent: LatelySent) -> bool:
    """Say whether an attempt was at another bill, which had the number before."""
    id_, run = context.known_id(bill), sent.kept.attempt.intent.run
    rows = await context.ledger.rows_of(sent.bills[bill])
    ids = {row.source_id for of, row in rows if of == run and row.bill == sent.bills[bill]}
    return bool(id_) and not ids & {"", id_}
