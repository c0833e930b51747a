"""What a run's rows say for documents that have come since its calls: which of them are its own.

What another run of this ledger has made is that run's, and what somebody else has made is told by
its maker and its time (`document_makers`). Either beside a document of ours makes a twin: two
programs, or a program and a person, have pushed one bill, and none could hold the other back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from k3push.core.model import (
    PARTLY,
    TWIN,
    BillNumber,
    NeverSent,
    Outcome,
    Row,
    RunId,
    Sighting,
    State,
    Target,
    Targets,
    number_in,
)
from k3push.core.remark import also, remark
from k3push.core.safety.conclusion import made_beside
from k3push.core.safety.documents_beside import crowded
from k3push.core.safety.legal_moves import OPEN
from k3push.core.safety.matching import fold
from k3push.core.safety.target_sets import ids_in, new_targets, united
from k3push.ports import AttemptRecord, LatelySent
from k3push.runs.context import Context
from k3push.runs.earlier_calls import was_in_doubt, words_of_refusal
from k3push.runs.kept_attempts import sent_by, sent_under
from k3push.runs.proof.document_makers import SentCalls
from k3push.runs.proof.told_by_answers import by_answers

# A loose document may be any run's. So the newest runs are searched (MOST_RUNS), of those to the
# same form the newest are asked for doubts (MOST_IN_DOUBT), and each for numbers on their way
# (MOST_SENT).
MOST_RUNS = 200
MOST_IN_DOUBT = 20
MOST_SENT = 50

# Before all attempts.
EVER = datetime(2000, 1, 1, tzinfo=UTC)


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


async def but_open_elsewhere(
    context: Context, found: Targets, run: RunId | None = None
) -> dict[BillNumber, tuple[Target, ...]]:
    """Leave out what another run may have made of a bill by a call that is open or in doubt.

    That run has looked right before its first call: what was there is not its own. This is asked
    first, and the rows of other runs after it, since another run may write its row in between.

    Args:
        context: The execution.
        found: Documents that a look has shown, by source number.
        run: Whose documents are meant; None is this one's.
    """
    left = {}
    for number, targets in found.items():
        mine = set(targets)
        for of, bill in await _open_elsewhere(context, number, run) if targets else ():
            kept = await sent_by(context.ledger, of, bill)
            there = kept[0].attempt.intent.before.get(bill, ()) if kept else ()
            mine = {target for target in mine if target.id in there}
        if mine:
            left[number] = tuple(target for target in targets if target in mine)
    return left


async def _open_elsewhere(
    context: Context, number: BillNumber, run: RunId | None
) -> list[tuple[RunId, BillNumber]]:
    """Return the runs that have a bill on its way or in doubt, by its number or an earlier one."""
    mine = run or context.run.id
    rows = [(of, row) for of, row in await context.ledger.rows_of(number) if row.state in OPEN]
    found = [(of, row.bill) for of, row in rows if await _is_of_bill(context, number, of, row, run)]
    if id_ := context.source_ids.get(number, ""):
        renamed = await context.ledger.in_hand(mine, [id_])
        found += [(each.run, each.bill) for each in renamed.get(id_, ()) if each.run != mine]
    return list(dict.fromkeys(found))


async def _is_of_bill(
    context: Context, number: BillNumber, of: RunId, row: Row, run: RunId | None
) -> bool:
    """Say whether a row is another run's, and of a bill that this one's number may mean."""
    if of == (run or context.run.id):
        return False
    mine = context.source_ids.get(number, "")
    other = await context.ledger.run(of)
    in_scope = other is not None and other.scope == context.run.scope
    return in_scope and not (mine and row.source_id and mine != row.source_id)


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
    why = remark("note.more_than_one", documents=", ".join(t.label for t in outcome.targets))
    return outcome._replace(code=TWIN, reason=also(outcome.reason, why))


def told_of_twins(outcome: Outcome) -> Outcome:
    """Tell that several calls for a number have made documents, where they have."""
    if len(outcome.targets) < 2:  # noqa: PLR2004
        return outcome
    why = remark("note.late_twin", documents=", ".join(t.label for t in outcome.targets[1:]))
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
    why = remark("note.whose", documents=", ".join(target.label for target in documents))
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
