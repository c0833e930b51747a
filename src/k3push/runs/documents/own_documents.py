"""What a run's rows say for documents that have come since its calls: which of them are its own.

What another run of this ledger has made is that run's, and what somebody else has made is told by
its maker and its time (`document_makers`). Where either stands beside a document of ours, the bill
has a twin: another program, or a person, has pushed it at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from k3push.core.model import (
    PARTLY,
    BillNumber,
    Outcome,
    RunId,
    Sighting,
    State,
    Target,
    Targets,
)
from k3push.core.safety.conclusion import made_beside
from k3push.core.safety.target_sets import ids_in, new_targets, united
from k3push.ports import AttemptRecord
from k3push.runs.context import Context
from k3push.runs.documents.twins import told_of_another
from k3push.runs.kept_in_ledger.kept_attempts import sent_by, sent_under
from k3push.runs.other_calls.earlier_calls import was_in_doubt, words_of_refusal
from k3push.runs.other_calls.open_elsewhere import but_open_elsewhere
from k3push.runs.proof.document_makers import SentCalls
from k3push.runs.proof.told_by_answers import by_answers

# A loose document may be any run's. So the newest runs are searched (MOST_RUNS), of those to the
# same form the newest are asked for doubts (MOST_IN_DOUBT), and each for numbers on their way
# (MOST_SENT).
MOST_RUNS = 200
MOST_IN_DOUBT = 20
MOST_SENT = 50


async def with_loose_of_others(
    context: Context,
    seen: Sighting,
    before: Mapping[BillNumber, Collection[str]],
    run: RunId | None = None,
) -> Sighting:
    """Give a loose document to the bill whose number it bears, if no call of ours can have made it.

    It was made by somebody else, as its maker tells, or was there before. Such a document may be of
    any bill, so that any user may have made it, at any time since.

    Args:
        context: The execution.
        seen: The look.
        before: What was there before the first call for each number that was sent.
        run: Whose calls; None is this one's.
    """
    if not seen.loose:
        return seen
    new = new_targets({number: seen.loose.get(number, ()) for number in before}, before)
    strangers = await strangers_among(context, new, run, of_any_bill=True)
    ours = new_targets(new, dict.fromkeys(new, strangers))
    loose = {**seen.loose, **{number: ours.get(number, ()) for number in before}}
    theirs = new_targets(seen.loose, ids_in(loose))
    return replace(seen, targets=united(seen.targets, theirs), loose=loose)


async def ours_of(
    context: Context, found: Targets, run: RunId | None = None, *, may_send: bool = True
) -> dict[BillNumber, Outcome]:
    """Say what became of bills of which a run has made something, by a look.

    A bill is left out where others have made all that has come.

    Args:
        context: The execution.
        found: Documents that are new since the run's first call, by source number.
        run: Whose calls; None is this one's.
        may_send: A bill that is left out may be sent again.
    """
    if not (found := await but_open_elsewhere(context, found, run)):
        return {}
    by_runs = await context.ids_of_others(found, run)
    rest = new_targets(found, by_runs)
    strangers = await strangers_among(context, rest, run, may_send=may_send)
    outcomes = {}
    for number, targets in rest.items():
        if {target.id for target in targets} - strangers:
            # Where bills are pushed though they have a document, another run's is no accident.
            shown: Sequence[Target] = targets if context.repeats_pushes else found[number]
            others = strangers | by_runs.get(number, frozenset())
            outcomes[number] = made_beside(number, shown, others)
    for number, outcome in outcomes.items():
        kept = await sent_by(context.ledger, run or context.run.id, number)
        if context.is_by_rule(_that_may_have_made(kept)):
            told = await told_of_another(context, outcome)
            outcomes[number] = await _told_of_refusal(context, told, kept)
    return outcomes


async def _told_of_refusal(
    context: Context, outcome: Outcome, kept: Sequence[AttemptRecord]
) -> Outcome:
    """Tell that documents may be a part of what is due: the last call was refused (P 5.7)."""
    if outcome.code or outcome.state is not State.PUSHED:
        return outcome
    words = words_of_refusal(kept[-1], outcome.number) if kept else ""
    if not words or not await context.may_be_parted():
        return outcome
    return outcome._replace(code=PARTLY, reason=words)


async def but_others_cancelled(
    context: Context,
    seen: Sighting,
    before: Mapping[BillNumber, Collection[str]],
    run: RunId | None = None,
) -> Sighting:
    """Leave out of a look what others have made since a run's calls, and somebody has cancelled.

    Args:
        context: The execution.
        seen: The look.
        before: What was there before the first call for each number that was sent.
        run: Whose calls; None is this one's.
    """
    there = {number: seen.cancelled.get(number, ()) for number in before}
    if not (gone := new_targets(there, before)):
        return seen
    by_runs = await context.ids_of_others(gone, run)
    strangers = await strangers_among(context, new_targets(gone, by_runs), run)
    others = {number: strangers | by_runs.get(number, frozenset()) for number in gone}
    return replace(seen, cancelled=new_targets(seen.cancelled, others))


async def named_there(context: Context, bills: Collection[BillNumber]) -> dict[BillNumber, Outcome]:
    """Say which bills have a document by an answer alone, and are not sent again.

    No look shows of which bill it is, and a person who went by that may have said that nothing was
    made. Where the call carried others as well, nobody knows of which of them it is. The call may
    be one of another run.
    """
    if context.repeats_pushes:
        # What was there before is no hindrance; what a call of this run has made is.
        bills = [bill for bill in bills if bill in context.sent_before]
    there = await by_answers(
        context,
        context.ledger,
        context.run.scope,
        context.with_ids(bills),
        run=context.run.id,
        of_run_alone=context.repeats_pushes,
    )
    return {
        bill: outcome._replace(state=State.ALREADY)
        if outcome.targets and bill not in context.sent_before
        else outcome
        for bill, outcome in there.items()
    }


async def strangers_among(
    context: Context,
    found: Targets,
    run: RunId | None = None,
    *,
    may_send: bool = True,
    of_any_bill: bool = False,
) -> frozenset[str]:
    """Return which documents people and other programs have made since a run's calls, by makers.

    Where bills are pushed again on purpose, a mistake here would push one twice; so only a document
    that is older than the calls counts as somebody else's.

    Args:
        context: The execution.
        found: Documents that are new since the calls, by source number.
        run: Whose calls; None is this one's.
        may_send: A bill of which no document counts as ours may be sent again.
        of_any_bill: Any other call of ours may have made them as well.
    """
    run = run or context.run.id
    if not found:
        return frozenset()
    began_with = await context.ledger.run(run)
    of = context.run if run == context.run.id else began_with
    repeats = of is not None and bool(of.route.allow_partial or of.again_because)
    window, calls = timedelta(seconds=context.settle.window_s), {}
    in_doubt = await _senders_in_doubt(context) if of_any_bill else frozenset()
    # A run that began with another source-number field, or none, could not see what was there
    # before.
    was_blind = began_with is not None and context.asks_otherwise(began_with)
    for number in found:
        kept = await sent_by(context.ledger, run, number)
        if (intents := [each.attempt.intent for each in kept]) and context.is_by_rule(
            _that_may_have_made(kept)
        ):
            over_at = max(intent.began_at for intent in intents) + window
            began_at = min(intent.began_at for intent in intents)
            senders = frozenset(intent.sender for intent in intents)
            if of_any_bill:
                over_at, senders = context.clock.now(), senders | in_doubt
            calls[number] = SentCalls(senders, over_at, began_at, was_blind, of_any_bill)
    mine = {number: targets for number, targets in found.items() if number in calls}
    return await context.proofs.makers.others_among(
        context,
        context.ledger,
        context.run.id,
        found=mine,
        calls=calls,
        now=context.clock.now(),
        by_age_alone=may_send and repeats,
    )


def _that_may_have_made(kept: Sequence[AttemptRecord]) -> list[AttemptRecord]:
    """Return the last of a bill's attempts, and those before it whose result nobody could know."""
    return [each for each in kept if each is kept[-1] or was_in_doubt(each)]


async def _senders_in_doubt(context: Context) -> frozenset[str]:
    """Return the senders of all calls, of any run, whose result is not known yet."""
    ledger, form = context.ledger, context.route.target.lower()
    newest = await ledger.runs(last=MOST_RUNS, undone=True)
    alike = [run.id for run in newest if run.route.target.lower() == form][-MOST_IN_DOUBT:]
    senders = {doubt.sender for run in alike for doubt in await ledger.doubts(run)}
    for run in alike:
        for row in await ledger.rows(run, states=[State.SENT], limit=MOST_SENT):
            kept = await sent_under(ledger, run, row.bill)
            senders |= {each.attempt.intent.sender for each in kept[-1:]}
    return frozenset(senders)
