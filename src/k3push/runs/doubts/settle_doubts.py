"""Find out what became of numbers whose answer was lost, and when to ask again (rule 6).

The ERP is only read here.

A number is done when two looks, `poll_s` apart, show the same documents (`shown_doubts`). Absence
(`silent_doubts`) counts only

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
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import anyio

from k3push.core.model import ABSENT, BillNumber, Outcome, RunId, Sighting, State, Targets
from k3push.core.pacing.chunking import halve
from k3push.core.protocol.links import link_fields
from k3push.core.remark import remark
from k3push.ports import SHORTEST_WAIT_S, Doubt
from k3push.runs.context import Context
from k3push.runs.documents.twins import note_twins
from k3push.runs.doubts.doubt_answers import attempt_of
from k3push.runs.doubts.doubt_words import tell_of_doubts
from k3push.runs.doubts.shown_doubts import Shown, is_surely_shown, judge_shown, shown_of
from k3push.runs.doubts.silent_doubts import judge_silence
from k3push.runs.doubts.tries_used_up import ended_by_tries
from k3push.runs.lookup.target_lookup import found_by
from k3push.runs.other_calls.calls_of_others import Heard, hear, hear_of_others
from k3push.runs.proof.calls_at_work import may_run
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.proof.told_by_answers import by_answers
from k3push.runs.proof.unclear_documents import whose
from k3push.runs.stop import Cause


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
        due: Of those that are left, those whose window has passed. Something else has to be known
            first, such as what their sender sees.
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


async def know_calls_at_work(context: Context, doubts: Sequence[Doubt]) -> None:
    """Take in at which calls of earlier executions of the run the ERP may be at work.

    Whoever sends before that may have more at work than can end within a window.
    """
    if context.reads_back:
        of_each = {doubt.attempt: doubt for doubt in doubts}
        kept = [await attempt_of(context, doubt) for doubt in of_each.values()]
        seeds = [each.attempt.id for each in kept if each and may_run(each)]
        age_s = min((context.ages.age_s(of_each[id_]) for id_ in seeds), default=0.0)
        context.at_work.seed(seeds, anyio.current_time() + context.settle.window_s - age_s)


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
    else:
        context = replace(context, source_ids=context.source_ids | known, ids=ids)
    heard = await hear(context) if doubts else Heard()
    aged = [(doubt, context.ages.age_s(doubt)) for doubt in doubts]
    due = [(doubt, age) for doubt, age in aged if age >= times.first_wait_s]
    settled = await _look(context, run, due, heard) if due else Settled()
    over = settled.hopeless | settled.unproved | {each.number for each in settled.outcomes}
    left = [
        (doubt, age, context.ages.shown_by_s(times, doubt))
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
    """Say whether another run could not see documents that were made before its calls.

    This execution asks in another way. What it finds may be older than the call in doubt.
    """
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


def next_look_in_s(age_s: float, times: SettleTimes, shown_by_s: float) -> float:
    """Return how long to wait for the next look at a doubt, in seconds.

    Looks go on every `poll_s`. One more is due at the moment from which absence counts
    (`DoubtAges.shown_by_s`).

    >>> times = SettleTimes(first_wait_s=20, poll_s=30)
    >>> [next_look_in_s(age, times, 620) for age in (5.0, 20 - 4e-15, 20.0, 605.0, 620.0)]
    [15.0, 0.01, 30, 15.0, 30]
    """
    if age_s < times.first_wait_s:
        return max(times.first_wait_s - age_s, SHORTEST_WAIT_S)
    left_s = shown_by_s - age_s
    return max(min(left_s, times.poll_s), SHORTEST_WAIT_S) if left_s > 0 else times.poll_s


async def _look(
    context: Context,
    run: RunId,
    due: Sequence[tuple[Doubt, float]],
    heard: Heard,
) -> Settled:
    """Look for the documents of doubts, and conclude those that the look settles."""
    shown = await shown_of(context, run, due)
    await hear_of_others(context, [doubt for doubt, _ in due], heard)
    found = await judge_shown(context, due, shown)
    # What is found is written down first: it may prove that other users see what the sender makes.
    await _conclude_found(context, run, found.outcomes, shown.seen)
    silent = [(doubt, age) for doubt, age in due if doubt.number not in shown.made]
    context.ages.note_looks([doubt for doubt, _ in due], shown.made)
    # A call whose documents still come may save more, though the window has passed.
    over = [
        doubt
        for doubt, age in silent
        if is_surely_shown(context, doubt, age) and doubt.attempt not in found.at_work
    ]
    absent, hopeless, unproved = await judge_silence(context, run, over, shown.seen)
    named = await _named_by_answers(context, run, absent)
    absent = [doubt for doubt in absent if doubt.number not in named]
    made = [each for each in named.values() if each.targets]
    await _conclude_found(context, run, made, shown.seen)
    hopeless |= named.keys() - {each.number for each in made}
    nothing = [_absent(doubt.number, context.settle) for doubt in absent]
    outcomes = [*found.outcomes, *made, *nothing]
    if run == context.run.id:
        settled = {outcome.number for outcome in outcomes}
        _note_met(context, [doubt for doubt, _ in due if doubt.number in settled], shown)
    parts = await _conclude(context, run, nothing, absent)
    unnamed = frozenset(found.unnamed)
    await _tell_whose(context, run, {n: shown.untied[n] for n in unnamed & shown.untied.keys()})
    return Settled(tuple(outcomes), parts, unnamed | hopeless, frozenset(unproved))


async def _named_by_answers(
    context: Context, run: RunId, absent: Sequence[Doubt]
) -> dict[BillNumber, Outcome]:
    """Return bills that no look shows with a document, and that have one by an answer alone.

    An answer that was interrupted names what was saved before. If the call carried others as well,
    the bill stays in doubt.
    """
    bills = context.with_ids(doubt.number for doubt in absent)
    ledger, scope = context.ledger, context.run.scope
    named = await by_answers(context, ledger, scope, bills, run=run, of_run_alone=True)
    unsure = [each for each in named.values() if not each.targets]
    await tell_of_doubts(context, run, [each._replace(state=State.UNKNOWN) for each in unsure])
    return named


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


def _note_met(context: Context, settled: Sequence[Doubt], shown: Shown) -> None:
    """Remember which documents of settled bills are not ours: one that comes later may be."""
    for doubt in settled:
        theirs = () if doubt.number in shown.made else shown.seen.bearing(doubt.number)
        met = frozenset(doubt.before) | {target.id for target in theirs}
        context.suspects.setdefault(doubt.number, met)
        context.sent_before.setdefault(doubt.number, met)


async def _tell_whose(context: Context, run: RunId, documents: Targets) -> None:
    """Write down that documents exist which may be a bill's, and that nothing proves it."""
    told = [whose(bill, documents[bill])._replace(state=State.UNKNOWN) for bill in documents]
    await tell_of_doubts(context, run, told)


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


def _absent(number: BillNumber, times: SettleTimes) -> Outcome:
    why = remark("note.absent", seconds=times.shown_by_s)
    return Outcome(number, State.PLANNED, code=ABSENT, reason=why)
