"""What it means that a look shows nothing of numbers whose window has passed (rules 6 and 7)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, Intent, Outcome, RunId, Sighting, State, Target
from k3push.core.protocol import wire
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.target_sets import every_id, labels, new_targets
from k3push.ports import Doubt
from k3push.runs.context import Context
from k3push.runs.documents.form_marks import mark_before
from k3push.runs.documents.merged_beside import has_made_beside, may_hide_merged
from k3push.runs.documents.renumbered_bills import moved_among
from k3push.runs.doubts.doubt_answers import attempt_of, names_documents
from k3push.runs.doubts.doubt_words import tell_of_doubts
from k3push.runs.kept_in_ledger.kept_attempts import rows_under, sent_by
from k3push.runs.lookup.document_lookup import are_linked, look_at_standings
from k3push.runs.lookup.source_lookup import look_at_ids
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.proof.own_sight import UNSEEN
from k3push.runs.proof.seen_since import shown_since
from k3push.runs.proof.stray_calls import OpenCall
from k3push.runs.proof.unclear_documents import unclear


async def judge_silence(
    context: Context, run: RunId, doubts: Sequence[Doubt], seen: Sighting
) -> tuple[list[Doubt], set[BillNumber], set[BillNumber]]:
    """Say what it means that a look shows nothing of numbers whose window has passed.

    Nothing can be concluded where the look shows documents that may be of another bill. The same is
    true where a call of several bills has made a document that no link ties to its bill: a rule may
    merge several bills into a line that names only one of them (P 5.6).

    Returns:
        Those of which nothing was made, those that only a person can settle, and those that wait
        for the proof of the field. A number that is in none of the three waits until more is known
        of what its sender sees.
    """
    named = {doubt.number for doubt in doubts if await names_documents(context, doubt, seen)}
    # A look that misses one document known to exist proves nothing about the other numbers.
    context.proofs.missed = context.proofs.missed or bool(named)
    absent: list[Doubt] = []
    hopeless: set[BillNumber] = set()
    told: list[Outcome] = []
    unproved: set[BillNumber] = set()
    proved = bool(doubts) and await context.absence_proved()
    by_field = not context.links.tell
    merged = await _calls_with_unlinked(context, run, doubts) if proved else frozenset[int]()
    merged |= await _made_of_others(context, doubts, merged) if proved else frozenset()

    attempts = {doubt.attempt for doubt in doubts}
    shown = {each: await shown_since(context.ledger, run, each) for each in attempts}
    untold_calls = set[int]()
    for doubt in doubts:
        by_id = bool(context.id_of(doubt.number))
        unread = doubt.number in seen.refused or doubt.number in named
        why = unclear(context, doubt.number, seen, doubt.before, by_id=by_id)
        why = why or _out_of_sight(doubt, shown[doubt.attempt].get(doubt.number, ()), seen)
        if why is not None:
            told.append(why._replace(state=State.UNKNOWN))
        if unread or why is not None:
            hopeless.add(doubt.number)
            untold_calls.add(doubt.attempt)
    if by_field:
        # What no look tells of one may be a document of others of its call as well.
        merged |= untold_calls
    for doubt in (each for each in doubts if each.number not in hopeless):
        if not proved:
            unproved.add(doubt.number)
        elif untold := await _untold(context, doubt, seen, by_field=by_field, merged=merged):
            hopeless.add(doubt.number)
            told.append(untold)
        elif context.knows_enough_of(doubt.sender):
            absent.append(doubt)
    moved = await moved_among(context, run, [doubt.number for doubt in absent])
    of_strays: set[BillNumber] = set()
    for names_tell in (True, False):
        part = [doubt for doubt in absent if (doubt.number not in moved) is names_tell]
        of_strays |= await _with_strays(context, part, seen, names_tell=names_tell)
    hidden = await _hidden_bills(context, [d for d in absent if d.number not in of_strays])
    why_hidden = remark("note.bill_unshown")
    told += [Outcome(n, State.UNKNOWN, code=UNSEEN, reason=why_hidden) for n in sorted(hidden)]
    hopeless |= of_strays | hidden
    absent = [doubt for doubt in absent if doubt.number not in of_strays | hidden]
    await tell_of_doubts(context, run, [outcome for outcome in told if outcome.reason])
    return absent, hopeless, unproved


async def _untold(
    context: Context, doubt: Doubt, seen: Sighting, *, by_field: bool, merged: Collection[int]
) -> Outcome | None:
    """Say that a look may not show what was made of a number, and why; None where it would.

    Args:
        context: The execution.
        doubt: The number.
        seen: The look.
        by_field: The number field alone tells.
        merged: Calls that have made a document which no link ties to its bill.
    """
    asked = by_field or doubt.number in seen.linked
    trusted = not context.proofs.missed and doubt.attempt not in merged
    if not (asked and trusted and await context.covers(seen.users, doubt.sender)):
        return Outcome(doubt.number, State.UNKNOWN)
    hides = await context.hides_own(doubt)
    return Outcome(doubt.number, State.UNKNOWN, code=UNSEEN, reason=hides) if hides else None


async def _hidden_bills(context: Context, absent: Sequence[Doubt]) -> set[BillNumber]:
    """Return which bills without a document the source form does not show any more.

    Somebody may have deleted them, which an ERP lets nobody do beside a document. But their user
    may have lost a right, to an organisation say, and is not shown their documents either then.
    """
    ids = {doubt.number: context.known_id(doubt.number) for doubt in absent}
    asked = sorted({id_ for id_ in ids.values() if id_})
    found, refused = await look_at_ids(context, asked) if asked else ({}, {})
    return {n for n, id_ in ids.items() if id_ and id_ not in found and id_ not in refused}


async def _with_strays(
    context: Context, absent: Sequence[Doubt], seen: Sighting, *, names_tell: bool
) -> set[BillNumber]:
    """Return which of the doubts without a document may have become a stray document.

    Args:
        context: The execution.
        absent: The doubts.
        seen: The look.
        names_tell: As in `look_for_strays`.
    """
    calls = []
    for attempt, doubts in _by_attempt(absent).items():
        first, kept = doubts[0], await attempt_of(context, doubts[0])
        numbers = tuple(doubt.number for doubt in doubts)
        before = {id_ for doubt in doubts for id_ in doubt.before} | seen.ids_beside(numbers)
        calls.append(
            OpenCall(
                numbers,
                first.sender,
                context.began(attempt, first.began_at),
                before,
                mark=await _mark_before(context, first),
                rule=wire.rule_in(kept.attempt.intent.request) if kept else None,
            )
        )
    beside = await context.calls_with_strays(calls, names_tell=names_tell)
    return {number for call in beside for number in call.bills}


async def _mark_before(context: Context, doubt: Doubt) -> str:
    """Return a document that was there before the call of a doubt left, or ""."""
    kept = await sent_by(context.ledger, doubt.run, doubt.number)
    chunks = [each.attempt.intent.chunk for each in kept if each.attempt.id == doubt.attempt]
    return await mark_before(context, doubt.run, min(chunks, default=0), doubt.attempt)


def _out_of_sight(doubt: Doubt, shown: Sequence[Target], seen: Sighting) -> Outcome | None:
    """Tell of documents that an earlier look has shown, and that this one shows nowhere.

    Somebody may have deleted them, or the bill may have got another number, which they do not bear.
    """
    kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied, seen.namesakes, seen.loose)
    there = {target.id for kind in kinds for target in kind.get(doubt.number, ())}
    lost = labels([each for each in shown if each.id not in there])
    why = remark("note.out_of_sight", documents=lost)
    return Outcome(doubt.number, State.UNKNOWN, reason=why) if lost else None


async def _calls_with_unlinked(
    context: Context, run: RunId, doubts: Sequence[Doubt]
) -> frozenset[int]:
    """Return the attempts that have made a document which no link ties to its bill."""
    one_of_each = {doubt.attempt: doubt for doubt in doubts if not doubt.alone}
    fruitful = await context.ledger.fruitful(run, one_of_each) if one_of_each else frozenset[int]()
    if not context.links.tell:
        return fruitful
    found = set()
    for attempt in sorted(fruitful):
        kept = await attempt_of(context, one_of_each[attempt])
        if kept is None or not await _is_linked(context, kept.attempt.intent):
            found.add(attempt)
    return frozenset(found)


async def _made_of_others(
    context: Context, doubts: Sequence[Doubt], known: Collection[int]
) -> frozenset[int]:
    """Return the calls that have made a document of another bill than those in doubt."""
    found = set[int]()
    for attempt, of_call in _by_attempt(doubts).items():
        kept = await attempt_of(context, of_call[0]) if attempt not in known else None
        if kept is not None and may_hide_merged(kept):
            mine = [doubt.number for doubt in of_call]
            if await has_made_beside(context, kept, mine):
                found.add(attempt)
    return frozenset(found)


async def _is_linked(context: Context, intent: Intent) -> bool:
    """Say whether a link ties each line of what has come since an attempt began to its bill."""
    # A bill of the call that is settled by now may have got another number since.
    await context.recall_sources(intent.numbers, intent.run)
    seen = await look_at_targets(context, intent.numbers, by_all=True, stop_or_not=True)
    there = {number: seen.bearing(number) for number in intent.numbers}
    made = new_targets(there, intent.before)
    ids = every_id(made) | await _ids_in_rows(context, intent)
    return await are_linked(context, ids, seen)


async def _ids_in_rows(context: Context, intent: Intent) -> set[str]:
    """Return the documents that rows name of bills of a call, and that are there yet.

    A look by links alone shows none of them where the rule keeps none.
    """
    made: set[str] = set()
    for number in intent.numbers:
        rows = await rows_under(context.ledger, intent.run, number)
        made |= {t.id for row in rows if row.state in SENT_BEFORE for t in row.targets}
    return set(await look_at_standings(context, made)) if made else set()


def _by_attempt(doubts: Sequence[Doubt]) -> dict[int, list[Doubt]]:
    of_calls: dict[int, list[Doubt]] = {}
    for doubt in doubts:
        of_calls.setdefault(doubt.attempt, []).append(doubt)
    return of_calls
