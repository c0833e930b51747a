"""Find out what became of numbers whose answer was lost, and when to ask again (rule 6).

The ERP is only read here.

A number is done when two looks, `poll_s` apart, show the same documents. One look is not enough: a
rule that splits a bill saves its documents one after another. Where such a rule was seen, the
window has to pass as well. Absence counts only

- after `window_s` plus `first_wait_s`: the ERP may finish a call long after the connection broke
  (P 5.15), and looks may show it late;
- once no more documents of the same call come;
- where the field that is asked was proved to find what is there; and
- where the user who sent the number has looked, or another who sees what that user makes
  (`absence_proof`).

Until then a number stays `unknown`. If the ERP's answer names a document that no look shows, the
look is wrong, and only a person can settle the number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from k3push.core.model import (
    ABSENT,
    BillNumber,
    Outcome,
    RunId,
    Sighting,
    State,
    Target,
    Targets,
    number_in,
)
from k3push.core.pacing.chunking import halve
from k3push.core.protocol.links import link_fields
from k3push.core.remark import also, remark
from k3push.core.safety.target_sets import ids_in, labels, new_targets, united
from k3push.ports import (
    SHORTEST_WAIT_S,
    Doubt,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
)
from k3push.runs.calls_at_work import may_run
from k3push.runs.calls_of_others import hear_of_others
from k3push.runs.context import Context
from k3push.runs.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.doubts.doubt_answers import (
    answer_to,
    attempt_of,
    crowded_among,
    names_documents,
    of_short_looks,
    was_in_doubt_before,
    without_strangers,
)
from k3push.runs.doubts.doubt_words import tell_of_doubts
from k3push.runs.doubts.silent_doubts import judge_silence
from k3push.runs.doubts.tries_used_up import ended_by_tries
from k3push.runs.kept_attempts import rows_under
from k3push.runs.lookup.retried_reads import READ_IS_TRIED_S
from k3push.runs.lookup.target_lookup import found_by
from k3push.runs.own_documents import but_others_cancelled, ours_of, with_loose_of_others
from k3push.runs.proof.own_sight import out_of_sight
from k3push.runs.proof.seen_since import note_shown
from k3push.runs.proof.unclear_documents import whose
from k3push.runs.renumbered_bills import look_at_sent
from k3push.runs.stop import Cause
from k3push.runs.twins import note_twins, told_of_doubtful, told_of_twins

# How many looks after the window another executor gets, before its doubts are left to a person.
LOOKS_OF_OTHERS = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """What one round of settling came to.

    Attributes:
        outcomes: Numbers that are in doubt no longer.
        parts: Those of them of which nothing was made, in the parts in which they may be sent
            again. Numbers that came into doubt together are halved.
        hopeless: Numbers that no look can settle, only a person.
        unproved: Numbers that wait for the proof that the field finds what is there.
        left: How many numbers a later look may settle.
        due: Those of them whose window has passed: more has to be known, of their sender at most.
        at_work: Attempts of these at which the ERP may still be at work.
        next_due_s: Seconds until the next look is worth it; infinite if none is left.
    """

    outcomes: tuple[Outcome, ...] = ()
    parts: tuple[tuple[BillNumber, ...], ...] = ()
    hopeless: frozenset[BillNumber] = frozenset()
    unproved: frozenset[BillNumber] = frozenset()
    left: int = 0
    due: frozenset[BillNumber] = frozenset()
    at_work: frozenset[int] = frozenset()
    next_due_s: float = math.inf


async def settle_once(context: Context, run: RunId) -> Settled:
    """Look once for the targets of every number of *run* that is in doubt and due.

    The caller owns *run*, which may be another run of the context's scope. If a look fails for
    good, its error is raised, and nothing is settled (rule 7).
    """
    doubts = await context.ledger.doubts(run)
    if not context.reads_back:
        return Settled(hopeless=frozenset(doubt.number for doubt in doubts))
    if run != context.run.id and await _was_blind(context, run):
        return Settled(hopeless=frozenset(doubt.number for doubt in doubts))
    times = context.settle
    # Another bill may have got the number since it was sent, and this execution may mean that one.
    known = {doubt.number: doubt.source_id for doubt in doubts if doubt.source_id}
    ids = {doubt.number: doubt.id for doubt in doubts if doubt.id}
    if run == context.run.id:
        context.ids |= ids
        context.source_ids |= known | context.source_ids
        if not context.at_work.is_seeded:
            kept = [await attempt_of(context, doubt) for doubt in doubts]
            context.at_work.seed([each.attempt.id for each in kept if each and may_run(each)])
    else:
        context = replace(context, source_ids=context.source_ids | known, ids=ids)
    if doubts:
        await hear_of_others(context, run, doubts)
    aged = [(doubt, context.ages.age_s(doubt)) for doubt in doubts]
    due = [(doubt, age) for doubt, age in aged if age >= times.first_wait_s]
    settled = await _look(context, run, due) if due else Settled()
    over = settled.hopeless | settled.unproved | {each.number for each in settled.outcomes}
    left = [
        (doubt, age, context.ages.shown_by_s(times, context.ages.behind_s(doubt)))
        for doubt, age in aged
        if doubt.number not in over
    ]
    waits = [next_look_in_s(age, times, shown_by_s) for _, age, shown_by_s in left]
    return replace(
        settled,
        left=len(left),
        due=frozenset(doubt.number for doubt, age, shown_by_s in left if age >= shown_by_s),
        at_work=frozenset(doubt.attempt for doubt, age, shown_by_s in left if age < shown_by_s),
        next_due_s=min(waits, default=math.inf),
    )


async def _was_blind(context: Context, run: RunId) -> bool:
    """Say whether documents from before another run's calls may be shown now for the first time."""
    other = await context.ledger.run(run)
    return (other is None or context.asks_otherwise(other)) and not context.links.find


def tell_of_person(
    context: Context, unproved: Collection[BillNumber], hopeless: Collection[BillNumber]
) -> None:
    """End an execution, since only a person can settle or mend what is left."""
    if unproved:
        tell_of_proof(context, len(unproved))
    if hopeless:
        context.stop.ask(Cause.PERSON, remark("why.person", count=len(hopeless)))


def tell_of_proof(context: Context, count: int) -> None:
    """End an execution, since nothing proves that the field finds what is there."""
    route = context.route
    field = route.source_number_field or "".join(link_fields(route)[:1])
    context.stop.ask(Cause.UNPROVED, f"{count}: {route.target}.{field}")


async def hopeless_in(
    context: Context, run: RunId, numbers: Collection[BillNumber]
) -> set[BillNumber]:
    """Return doubts over *numbers* that only a person can settle, in a run that is executed.

    Nothing is settled here: the process that executes the run makes its own looks. A doubt that it
    has not settled some looks after the window counts as one that it cannot settle; otherwise two
    runs might wait for each other for ever.
    """
    held, every = set(map(number_in, numbers)), await context.ledger.doubts(run)
    doubts = [doubt for doubt in every if number_in(doubt.number) in held]
    if not context.reads_back:
        return {doubt.number for doubt in doubts}
    times = context.settle
    # The ERP may be unreachable when the window ends; the other executor then repeats its look for
    # a while.
    enough_s = LOOKS_OF_OTHERS * times.poll_s + READ_IS_TRIED_S
    late = await _note_late_elsewhere(context, run, every)
    if doubts:
        await hear_of_others(context, run, doubts)
    old_s = late.shown_by_s(times, more_s=enough_s) + enough_s
    ages = context.ages
    old = [doubt for doubt in doubts if ages.age_s(doubt) - ages.behind_s(doubt) >= old_s]
    # The other process may have been paused, so its time to look counts from when we first see the
    # doubt.
    hopeless = {doubt.number for doubt in old if ages.watched_s(doubt) >= enough_s}
    rest = [doubt for doubt in old if doubt.number not in hopeless]
    return hopeless | {doubt.number for doubt in rest if await names_documents(context, doubt)}


async def _note_late_elsewhere(context: Context, run: RunId, doubts: Sequence[Doubt]) -> DoubtAges:
    """Note which documents of another run have come late, as its rows tell."""
    ages, earlier = context.ages_elsewhere.setdefault(run, (DoubtAges(context.clock), ()))
    context.ages_elsewhere[run] = ages, doubts
    open_ = {(doubt.attempt, doubt.number) for doubt in doubts}
    gone = [doubt for doubt in earlier if (doubt.attempt, doubt.number) not in open_]
    rows = {d.number: await rows_under(context.ledger, run, d.number) for d in gone}
    made = {number for number, of in rows.items() if any(row.targets for row in of)}
    # Two looks have to agree: what they find at once has not come late.
    at_once_s = context.settle.first_wait_s + 2 * context.settle.poll_s
    ages.note_looks([d for d in (*doubts, *gone) if ages.age_s(d) >= at_once_s], made)
    return ages


def next_look_in_s(age_s: float, times: SettleTimes, shown_by_s: float) -> float:
    """Return how long to wait for the next look at a doubt, in seconds.

    A look is due at the moment from which absence counts (`DoubtAges.shown_by_s`).

    >>> times = SettleTimes(first_wait_s=20, poll_s=30)
    >>> [next_look_in_s(age, times, 620) for age in (5.0, 20 - 4e-15, 20.0, 605.0, 620.0)]
    [15.0, 0.01, 30, 15.0, 30]
    """
    if age_s < times.first_wait_s:
        return max(times.first_wait_s - age_s, SHORTEST_WAIT_S)
    left_s = shown_by_s - age_s
    return max(min(left_s, times.poll_s), SHORTEST_WAIT_S) if left_s > 0 else times.poll_s


@dataclass(frozen=True, slots=True)
class _Shown:
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
class _Found:
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


async def _look(context: Context, run: RunId, due: Sequence[tuple[Doubt, float]]) -> Settled:
    """Look for the documents of doubts, and conclude those that the look settles."""
    shown = await _shown_of(context, run, due)
    found = await _judge_shown(context, due, shown)
    # What is found is written down first: it may prove that other users see what the sender makes.
    await _conclude_found(context, run, found.outcomes, shown.seen)
    silent = [(doubt, age) for doubt, age in due if doubt.number not in shown.made]
    context.ages.note_looks([doubt for doubt, _ in due], shown.made)
    # A call whose documents still come may save more, though the window has passed.
    over = [
        doubt
        for doubt, age in silent
        if _is_over(context, doubt, age) and doubt.attempt not in found.at_work
    ]
    absent, hopeless, unproved = await judge_silence(context, run, over, shown.seen)
    nothing = [_absent(doubt.number, context.settle) for doubt in absent]
    outcomes = [*found.outcomes, *nothing]
    if run == context.run.id:
        settled = {outcome.number for outcome in outcomes}
        _note_met(context, [doubt for doubt, _ in due if doubt.number in settled], shown)
    parts = await _conclude(context, run, nothing, absent)
    unnamed = frozenset(found.unnamed)
    await _tell_whose(context, run, {n: shown.untied[n] for n in unnamed & shown.untied.keys()})
    return Settled(tuple(outcomes), parts, unnamed | hopeless, frozenset(unproved))


def _is_over(context: Context, doubt: Doubt, age_s: float) -> bool:
    """Say whether looks surely show what a call has made, if anything."""
    return age_s >= context.ages.shown_by_s(context.settle, context.ages.behind_s(doubt))


async def _shown_of(context: Context, run: RunId, due: Sequence[tuple[Doubt, float]]) -> _Shown:
    """Look for the documents of doubts, and tell ours from those of others."""
    before: Mapping[BillNumber, Sequence[str]] = {d.number: d.before for d, _ in due}
    seen = await _look_at(context, run, due, before)
    new = new_targets(seen.targets, before)
    # A document that only bears the number may be ours where nothing better is shown.
    untied = {n: found for n, found in seen.loose.items() if found and n not in new}
    made, ours = await _ours_among(context, run, due, {**untied, **new})
    seen = replace(seen, loose={n: seen.loose[n] for n in seen.loose.keys() & made.keys()})
    seen = await but_others_cancelled(context, seen, before, run)
    return _Shown(seen, made, ours, untied)


async def _judge_shown(
    context: Context, due: Sequence[tuple[Doubt, float]], shown: _Shown
) -> _Found:
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
        is_over = _is_over(context, doubt, age)
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
    return _Found(found, at_work, unnamed)


async def _conclude_found(
    context: Context, run: RunId, found: Sequence[Outcome], seen: Sighting
) -> None:
    """Write down the bills that are done, and what they tell of the rule and of twins."""
    if run == context.run.id:
        context.split_bills.note_made(found)
    ground = found_by(context.route, seen, {t.id for each in found for t in each.targets})
    await _conclude(context, run, found, (), ground)
    if run == context.run.id:
        note_twins(context, found)


def _note_met(context: Context, settled: Sequence[Doubt], shown: _Shown) -> None:
    """Remember which documents of settled bills no call of ours made: a later one may be ours."""
    for doubt in settled:
        theirs = () if doubt.number in shown.made else shown.seen.bearing(doubt.number)
        met = frozenset(doubt.before) | {target.id for target in theirs}
        context.suspects.setdefault(doubt.number, met)
        context.sent_before.setdefault(doubt.number, met)


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


async def _tell_whose(context: Context, run: RunId, documents: Targets) -> None:
    """Write down that documents exist which may be a bill's, and that nothing proves it."""
    told = [whose(bill, documents[bill])._replace(state=State.UNKNOWN) for bill in documents]
    await tell_of_doubts(context, run, told)


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


async def _conclude(
    context: Context,
    run: RunId,
    outcomes: Sequence[Outcome],
    absent: Sequence[Doubt],
    ground: str = "",
) -> tuple[tuple[BillNumber, ...], ...]:
    """Write down what was settled; return what may travel again.

    What was in doubt together is parted, so that one bill that breaks its calls does not take
    the others with it. A number that broke every call it travelled in alone is given up.
    """
    if not outcomes:
        return ()
    now = context.clock.now()
    note = remark("note.settled_absent" if absent else "note.settled")
    if ground:
        note = remark("note.also", first=note, more=ground)
    await context.ledger.conclude(run, outcomes, at=now, note=note)
    if run == context.run.id:
        context.forget(outcomes)
    last = [each for doubt in absent if (each := await ended_by_tries(context, doubt))]
    given_up = {outcome.number for outcome in last}
    if last:
        await context.ledger.conclude(run, last, at=now)
    if run == context.run.id:
        ended = [*(o for o in outcomes if o.number not in given_up), *last]
        context.watch.concluded(ended, left=State.UNKNOWN)
    together: dict[int, list[BillNumber]] = {}
    for doubt in absent:
        if doubt.number not in given_up:
            if run == context.run.id:
                context.absent.add(doubt.number)
            together.setdefault(doubt.attempt, []).append(doubt.number)
    return tuple(part for numbers in together.values() for part in halve(numbers))


async def _may_split(context: Context, doubts: Sequence[Doubt]) -> bool:
    """Say whether bills that were found may have more documents than a look shows."""
    calls = {doubt.attempt: doubt for doubt in doubts}.values()
    kept = [each for doubt in calls if (each := await attempt_of(context, doubt))]
    return bool(doubts) and (not context.is_by_rule(kept) or await context.may_split())


def _absent(number: BillNumber, times: SettleTimes) -> Outcome:
    why = remark("note.absent", seconds=times.shown_by_s)
    return Outcome(number, State.PLANNED, code=ABSENT, reason=why)
