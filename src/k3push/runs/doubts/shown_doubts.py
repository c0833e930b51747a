"""What it means that a look shows documents of numbers in doubt (rules 6 and 9).

A number is done when two looks, `poll_s` apart, show the same documents. One look is not enough: a
rule that splits a bill saves its documents one after another. Where such a rule was seen, the
window has to pass as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from k3push.core.model import BillNumber, Outcome, RunId, Sighting, Target, Targets
from k3push.core.remark import also, remark
from k3push.core.safety.target_sets import ids_in, labels, new_targets, united
from k3push.ports import Doubt, ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import but_others_cancelled, ours_of, with_loose_of_others
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.twins import told_of_doubtful, told_of_twins
from k3push.runs.doubts.doubt_answers import (
    answer_to,
    attempt_of,
    crowded_among,
    of_short_looks,
    was_in_doubt_before,
    without_strangers,
)
from k3push.runs.proof.own_sight import out_of_sight
from k3push.runs.proof.seen_since import note_shown


@dataclass(frozen=True, slots=True)
class Shown:
    """What a look has shown of doubts.

    Attributes:
        seen: The look, without loose documents that somebody else has made.
        made: New documents by the number of their bill, without those of others.
        ours: What becomes of the bills of these.
        untied: New documents that only bear the number of a bill, of bills for which the look shows
            nothing surer.
    """

    seen: Sighting
    made: Targets
    ours: Mapping[BillNumber, Outcome]
    untied: Targets


@dataclass(frozen=True, slots=True)
class Found:
    """What becomes of doubts of which a look shows documents.

    Attributes:
        outcomes: Bills that are done.
        at_work: Attempts that may make more documents.
        unnamed: Numbers that only a person can settle: nothing tells of which bill their document
            is, or the answer names one that no look shows.
    """

    outcomes: Sequence[Outcome]
    at_work: Collection[int]
    unnamed: Collection[BillNumber]


async def shown_of(context: Context, run: RunId, due: Sequence[tuple[Doubt, float]]) -> Shown:
    """Look for the documents of doubts, and tell ours from those of others."""
    before: Mapping[BillNumber, Sequence[str]] = {d.number: d.before for d, _ in due}
    seen = await _look_at(context, run, due, before)
    new = new_targets(seen.targets, before)
    # A document that only bears the number may be ours where nothing better is shown.
    untied = {n: found for n, found in seen.loose.items() if found and n not in new}
    made, ours = await _ours_among(context, run, due, {**untied, **new})
    seen = replace(seen, loose={n: seen.loose[n] for n in seen.loose.keys() & made.keys()})
    seen = await but_others_cancelled(context, seen, before, run)
    return Shown(seen, made, ours, untied)


async def judge_shown(context: Context, due: Sequence[tuple[Doubt, float]], shown: Shown) -> Found:
    """Say what becomes of the doubts of which a look shows documents."""
    made, seen = shown.made, shown.seen
    found = []
    at_work: set[int] = set()
    unnamed: set[BillNumber] = set()
    splits = await _may_split(context, [doubt for doubt, _ in due if doubt.number in made])
    with_some = [(doubt, age) for doubt, age in due if doubt.number in made]
    doubts = [doubt for doubt, _ in with_some]
    short = await of_short_looks(context, doubts, seen)
    crowded = await crowded_among(context, doubts, made, seen, splits=splits)
    # A document that bears the number alone, beside one that a link ties to the bill.
    loose = {n: found for n, found in seen.loose.items() if n not in shown.untied}
    doubtful = united(crowded, new_targets(loose, {d.number: d.before for d in doubts}))
    for doubt, age in with_some:
        number = doubt.number
        # If the rule splits bills, a further document may come until the window ends. If the number
        # was in doubt before, the document may be the earlier call's, and this call may make one
        # as well.
        sent_before = await was_in_doubt_before(context, doubt)
        is_over = is_surely_shown(context, doubt, age)
        waited = is_over or not (splits or sent_before)
        if doubt.attempt in short or number in shown.untied:
            # The document that the answer names may be a second one of any of the call's bills.
            if is_over:
                unnamed.add(number)
            else:
                at_work.add(doubt.attempt)
        elif waited and context.ages.agree(
            doubt, {target.id for target in made[number]}, context.settle.poll_s
        ):
            outcome = shown.ours[number]
            if sent_before and not splits:
                outcome = told_of_twins(outcome)
            outcome = told_of_doubtful(outcome, doubtful.get(number, ()))
            if gone := seen.cancelled.get(number):
                # What the call has made may be that, and what is shown a person's.
                why = remark("note.cancelled_before", documents=labels(gone))
                outcome = outcome._replace(reason=also(outcome.reason, why))
            if missed := await context.missed_of(doubt.sender):
                # The rule may split bills, and another part of this one be out of sight as well.
                outcome = outcome._replace(reason=also(outcome.reason, out_of_sight(missed)))
            found.append(outcome)
            by_field = seen.by_the_field().intersection(t.id for t in made[number])
            context.proofs.field_finds = context.proofs.field_finds or bool(by_field)
        else:
            at_work.add(doubt.attempt)
    return Found(found, at_work, unnamed)


def is_surely_shown(context: Context, doubt: Doubt, age_s: float) -> bool:
    """Say whether looks surely show what a call has made, if anything."""
    return age_s >= context.ages.shown_by_s(context.settle, doubt)


async def _look_at(
    context: Context,
    run: RunId,
    due: Sequence[tuple[Doubt, float]],
    before: Mapping[BillNumber, Sequence[str]],
) -> Sighting:
    """Look for the documents of doubts.

    For a document with the number and no link, answers and makers tell whose it is.
    """
    seen = await look_at_sent(
        context, list(before), before=before, run=run, by_all=True, stop_or_not=True
    )
    if not seen.loose:
        return seen
    named: dict[BillNumber, tuple[Target, ...]] = {}
    for doubt in (doubt for doubt, _ in due if doubt.number in seen.loose):
        numbers, said = await answer_to(context, doubt)
        if said is not None and len(numbers) == 1:
            ids = {target.id for target in said.targets(numbers)}
            found = seen.loose[doubt.number]
            named[doubt.number] = tuple(target for target in found if target.id in ids)
    loose = new_targets(seen.loose, ids_in(named))
    seen = replace(seen, targets=united(seen.targets, named), loose=loose)
    return await with_loose_of_others(context, seen, before, run)


async def _ours_among(
    context: Context, run: RunId, due: Sequence[tuple[Doubt, float]], made: Targets
) -> tuple[Targets, Mapping[BillNumber, Outcome]]:
    """Return which shown documents a run has made of its doubts, and note that they were shown.

    Args:
        context: The execution.
        run: Which run.
        due: The doubts, with their ages.
        made: What is new since their calls.

    Returns:
        The documents, and what becomes of the bills by them.
    """
    made, now = await without_strangers(context, due, made), context.clock.now()
    try:
        ours = await ours_of(context, made, run)
    except (LookFailedError, ErpUnreachableError, LoginRefusedError):
        # Whose they are cannot be asked now; that they were shown is noted all the same.
        await note_shown(context.ledger, run, _by_attempt(due, made), at=now)
        raise
    made = {number: made[number] for number in ours}
    await note_shown(context.ledger, run, _by_attempt(due, made), at=now)
    return made, ours


def _by_attempt(due: Sequence[tuple[Doubt, float]], made: Targets) -> Mapping[int, Targets]:
    """Group the documents of doubts by the attempt of each doubt."""
    found: dict[int, dict[BillNumber, tuple[Target, ...]]] = {}
    for doubt, _ in due:
        if doubt.number in made:
            found.setdefault(doubt.attempt, {})[doubt.number] = made[doubt.number]
    return found


async def _may_split(context: Context, doubts: Sequence[Doubt]) -> bool:
    """Say whether bills that were found may have more documents than a look shows."""
    calls = {doubt.attempt: doubt for doubt in doubts}.values()
    kept = [each for doubt in calls if (each := await attempt_of(context, doubt))]
    return bool(doubts) and (not context.is_by_rule(kept) or await context.may_split())
