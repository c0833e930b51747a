"""What a call has come to that the ERP has finished, by its answer and by looks after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial

import anyio

from k3push.core.model import (
    Attempt,
    BillNumber,
    Outcome,
    Sighting,
    State,
    Targets,
    number_in,
)
from k3push.core.remark import remark
from k3push.core.safety.documents_beside import but_strangers, strangers
from k3push.core.safety.evidence import (
    LICENCE,
    Conclusion,
    Look,
    beside_stray,
    conclude,
    conclude_unread,
    goes_elsewhere,
    may_hide_draft,
    may_hide_part,
    needs_patience,
    nothing_ran,
)
from k3push.core.safety.named_bills import messages_by_number
from k3push.core.safety.target_sets import are_merged, new_targets, united
from k3push.core.safety.verdict import ReadBack, Said
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.lag_pauses import lag_pauses
from k3push.runs.lookup.target_lookup import but_tied, found_by, look_at_targets
from k3push.runs.own_documents import (
    doubtful_among,
    strangers_among,
    told_of_doubtful,
    with_loose_of_others,
)
from k3push.runs.proof.stray_calls import OpenCall
from k3push.runs.renumbered_bills import look_at_sent, moved_among
from k3push.runs.sending_state import Sending
from k3push.runs.source_check import unclear

UNREAD = "unread"
"""`Outcome.code` of a number in doubt since what a call has made cannot be looked at."""

Untold = tuple[str, str]
"""Code and reason of a number that stays in doubt, since no look tells what became of it."""


async def read_back(
    context: Context, attempt: Attempt, sending: Sending, verdict: ReadBack
) -> Conclusion:
    """Conclude a call that the ERP has finished (rules 5, 6, 8 and 9)."""
    numbers, said = attempt.intent.numbers, verdict.said
    if not context.reads_back and len(numbers) == 1:
        return await _by_answer_alone(context, sending, attempt, said)
    parts: dict[BillNumber, Untold] = {}
    try:
        made, seen = await _look_after(context, attempt, sending, said)
        made = await _but_others(context, attempt, sending, said, made)
        sending.shown = made
        if not context.tells_of_several:
            context.links.compare(_named(attempt, said), seen)
            if not context.links.tell and len(numbers) == 1 and numbers[0] not in made:
                # The links have not been proved by any document, nor by this one.
                return await _by_answer_alone(context, sending, attempt, said, is_asked=True)
        conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
        saves_more = await _may_save_more(context, attempt, said, made)
        if verdict.twice or saves_more:
            # No number is sent again or rejected after a single look; and where a rule splits
            # bills, more documents may still come.
            await anyio.sleep(context.settle.first_wait_s)
            later, seen = await _look_after(context, attempt, sending, said, by_all=True)
            later = await _but_others(context, attempt, sending, said, later)
            made = _together(new_targets(made, _set_apart(seen)), later)
            sending.shown = made
            conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
            if saves_more and not await context.covers(seen.users, attempt.intent.sender):
                # The user who saw the first part did not take part in this look.
                parts = dict.fromkeys(made, ("unseen", remark("note.unseen")))
    except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
        if not context.route.source_number_field and len(numbers) == 1:
            return await _by_answer_alone(context, sending, attempt, said)
        return _unread(numbers, str(error))
    for number, others in strangers(said, numbers, _new_in(attempt, said, seen)).items():
        if number in made:
            documents = ", ".join(other.label for other in others)
            sending.twins[number] = remark("note.twin", documents=documents)
        else:
            # If the number travels again, these documents count as there before, not as made by
            # this call.
            met = context.sent_before.get(number, frozenset())
            context.sent_before[number] = met.union(other.id for other in others)
    doubtful = await _doubtful(context, attempt, said, made, seen)
    outcomes = [told_of_doubtful(o, doubtful.get(o.number, ())) for o in conclusion.outcomes]
    conclusion = replace(conclusion, outcomes=tuple(outcomes))
    untold = {**parts, **_untold(context, attempt, made, seen)}
    conclusion = _without(conclusion, untold)
    return _sent_on(conclusion, _new_in(attempt, said, seen).keys() - made.keys())


async def _may_save_more(context: Context, attempt: Attempt, said: Said, made: Targets) -> bool:
    """Say whether documents may still come that no look shows yet, since a rule may split bills.

    A refused call may have saved some without naming them, and an old answer names one document at
    most.
    """
    if said.success:
        return bool(made) and not said.names_all and await context.may_have_several()
    named = _named(attempt, said)
    untold = any(target.id not in named for targets in made.values() for target in targets)
    return untold and await context.may_have_several()


def _sent_on(conclusion: Conclusion, numbers: Collection[BillNumber]) -> Conclusion:
    """Plan refused numbers again that somebody else has pushed; their next look finds that."""
    on = [o for o in conclusion.outcomes if o.number in numbers and o.state is State.REJECTED]
    if not on:
        return conclusion
    again = {outcome.number: outcome._replace(state=State.PLANNED) for outcome in on}
    outcomes = tuple(again.get(outcome.number, outcome) for outcome in conclusion.outcomes)
    parts = (*conclusion.parts, *((number,) for number in again))
    return replace(conclusion, outcomes=outcomes, parts=parts)


async def _by_answer_alone(
    context: Context, sending: Sending, attempt: Attempt, said: Said, *, is_asked: bool = False
) -> Conclusion:
    """Conclude a call of one number by its answer alone: what that names is of this number.

    Args:
        context: The execution.
        sending: The chunk.
        attempt: The call.
        said: Its answer.
        is_asked: The target form can be asked for documents that tie themselves to no bill.
    """
    sending.ground = remark("note.by_answer")
    several = not said.success and await context.may_have_several()
    conclusion = conclude_unread(
        said,
        attempt.intent.numbers[0],
        last_try=sending.chunk.tries + 1 >= context.limits.max_attempts,
        drafts=context.route.draft_when_save_fails,
        elsewhere=context.erp.spares(attempt.intent.sender),
    )
    if is_asked and conclusion.parts and await _has_stray(context, attempt, said, {}, Sighting()):
        return beside_stray(said, attempt.intent.numbers)
    return replace(conclusion, hides=may_hide_part(said, attempt.intent.numbers, several=several))


def _named(attempt: Attempt, said: Said) -> set[str]:
    """Return the ids of the documents that an answer names."""
    return {target.id for target in said.targets(attempt.intent.numbers)}


async def _conclude(
    context: Context,
    attempt: Attempt,
    sending: Sending,
    said: Said,
    *,
    made: Targets,
    seen: Sighting,
) -> Conclusion:
    """Say what came of each number, from an answer and what a look shows."""
    numbers, sender = attempt.intent.numbers, attempt.intent.sender
    sending.merged = are_merged(made)
    sending.note_found(context, seen)
    sending.found_own = sending.found_own or bool(made)
    context.stray_calls.note_answer(said.targets(numbers))
    loose = frozenset(t.id for n in numbers for t in seen.loose.get(n, ()))
    look = Look(made, proved=sending.links_proved or sending.found_links, loose=loose)
    if len(made) < len(numbers):
        asked = seen.linked.issuperset(number for number in numbers if number not in made)
        shown = {t.id for targets in made.values() for t in targets} <= seen.by_link
        proved = await context.absence_proved()
        look = replace(
            look,
            proved=proved and (asked or not context.links.tell),
            covered=await context.covers(seen.users, sender),
            trusted=not context.proofs.missed and context.knows_enough_of(sender),
            linked=asked and shown and context.links.tell,
            stray=await _has_stray(context, attempt, said, made, seen),
        )
    ids = {target.id for targets in made.values() for target in targets}
    last = {t.id for targets in _made_in(attempt, said, seen).values() for t in targets}
    # What is kept from an earlier look tells nothing of what the last one misses.
    context.proofs.compare(sender, _named(attempt, said), last)
    sending.ground = found_by(context.route, seen, ids)
    return conclude(
        said,
        numbers,
        look,
        alone=sending.chunk.alone,
        last_try=sending.chunk.tries + 1 >= context.limits.max_attempts,
        drafts=context.route.draft_when_save_fails,
        elsewhere=context.erp.spares(sender),
        splits=bool(made) and not said.success and await context.may_be_parted(),
        several=not said.success and await context.may_have_several(),
    )


async def _learn_links(context: Context, attempt: Attempt, said: Said, seen: Sighting) -> Sighting:
    """Learn whether links find what a call of ours has made, where they find others'.

    Returns:
        The look, or a later one: what the field shows was not asked for by links, or somebody may
        have deleted a document between the two questions.
    """
    links, numbers, now = context.links, attempt.intent.numbers, context.clock.now()
    if links.find_own or not (links.outweigh or links.missed_own):
        return seen
    proofs = context.proofs
    for is_asked in (False, True):
        known = replace(links)
        vouched = _vouched(attempt, said, context, seen, learns=True)
        made = _linked_in(attempt, seen) if said.success else {}
        for number, targets in united(vouched, made).items():
            known.compare_own({target.id for target in targets}, number, seen)
        if known.find_own:
            links.find_own = True
            break
        asks = any(vouched.values()) and not is_asked
        if not (asks and await proofs.asks_for_links(context, context.ledger, now=now)):
            # What an earlier night knows stands: a plug-in may drop links, and of many bills.
            links.missed_own = links.missed_own or (is_asked and known.missed_own)
            break
        try:
            seen = await look_at_sent(
                context,
                numbers,
                before=attempt.intent.before,
                by_all=True,
                stop_or_not=True,
                vouched=partial(_vouched_or_there, attempt, said, context),
            )
        except (LookFailedError, ErpUnreachableError, LoginRefusedError):
            break  # it is the next call's to learn
    return seen


async def _has_stray(
    context: Context, attempt: Attempt, said: Said, made: Targets, seen: Sighting
) -> bool:
    """Say whether a document has come that ties itself to no bill, and that may be this call's.

    It may come from a call that broke, from an answer that passes over a number or refuses several,
    from a refusal of a single number that goes on all the same, and from any refusal that may have
    left a draft.
    """
    numbers, sender = attempt.intent.numbers, attempt.intent.sender
    elsewhere = context.erp.spares(sender)
    goes_on = said.code == LICENCE or goes_elsewhere(said, elsewhere=elsewhere)
    several = len(numbers) > 1 or (goes_on and await context.may_have_several())
    hides = may_hide_draft(said, drafts=context.route.draft_when_save_fails)
    if not (said.thrown or said.acted or several or hides) or nothing_ran(said, numbers):
        return False
    missing = [number for number in numbers if number not in made]
    moved = await moved_among(context, attempt.intent.run, missing)
    before = {id_ for n in missing for id_ in attempt.intent.before.get(n, ())}
    before |= seen.ids_beside(missing)
    # What a link ties to a bill, and a success does not name, somebody else has made of it.
    others = strangers(said, numbers, _new_in(attempt, said, seen))
    before |= {t.id for n in missing for t in others.get(n, ()) if t.id in seen.by_link}
    began = context.began(attempt.id, attempt.intent.began_at)
    call = OpenCall(missing, sender, began, before, mark=context.mark)
    return bool(await context.calls_with_strays([call], names_tell=not moved))


def _linked_in(attempt: Attempt, seen: Sighting) -> Targets:
    """Return the documents that are new since an attempt, and that links tie to its bills."""
    new = new_targets(seen.targets, attempt.intent.before)
    return {n: tuple(t for t in new.get(n, ()) if t.id in seen.by_link) for n in new}


def _vouched_or_there(attempt: Attempt, said: Said, context: Context, seen: Sighting) -> Targets:
    """Return the documents that need no link: those of `_vouched`, and what was there before."""
    mine, before = _vouched(attempt, said, context, seen), attempt.intent.before
    return {
        n: (*mine.get(n, ()), *(t for t in seen.targets.get(n, ()) if t.id in before.get(n, ())))
        for n in attempt.intent.numbers
    }


def _vouched(
    attempt: Attempt, said: Said, context: Context, seen: Sighting, *, learns: bool = False
) -> Targets:
    """Return the documents that the answer itself assigns to the bills whose numbers they bear.

    These are the new ones that it names. A success that does not name all adds each new document of
    a bill of which links show none, unless links are known to find what the rule makes.

    Nothing is returned while a bill of the call is neither refused nor shown with a document: one
    of these may be that bill's.

    Args:
        attempt: The call.
        said: Its answer.
        context: The execution.
        seen: What a look has shown since.
        learns: It is asked for to learn whether the rule keeps links. Then those that it names
            are returned all the same if more bills have one than show none.
    """
    numbers, named = attempt.intent.numbers, _named(attempt, said)
    new = new_targets({n: seen.bearing(n) for n in numbers}, attempt.intent.before)
    linked = {n for n in numbers if any(target.id in seen.by_link for target in new.get(n, ()))}
    # A refusal that may leave a draft behind says of no bill that it has none.
    drafts = not said.success and context.route.draft_when_save_fails
    refused = {} if drafts else messages_by_number(said.messages, list(map(number_in, numbers)))
    # Where links find what the rule makes, a bill without one may have been passed over.
    is_kept = context.links.are_kept and not learns
    asked = numbers if context.links.absent else () if is_kept else seen.linked
    bare = {n for n in asked if n not in linked} if said.success and not said.names_all else set()
    mine = {n: tuple(t for t in new.get(n, ()) if t.id in named or n in bare) for n in numbers}
    silent = [n for n in numbers if not mine[n] and n not in linked and number_in(n) not in refused]
    if not silent or len(numbers) == 1:
        return mine
    # Each that bears the number of another bill leaves one without: the rest are as they say.
    sure = {n: tuple(t for t in mine[n] if t.id in named) for n in numbers}
    return sure if learns and sum(map(bool, sure.values())) > len(silent) else {}


def _set_apart(seen: Sighting) -> dict[BillNumber, set[str]]:
    """Return the documents that a look shows as another's, or as any one's, by source number."""
    kinds = (seen.shared, seen.denied, seen.namesakes, seen.loose)
    return {n: {t.id for kind in kinds for t in kind.get(n, ())} for kind in kinds for n in kind}


def _together(earlier: Targets, later: Targets) -> Targets:
    """Return what two looks have shown: a person may have deleted a document since the first."""
    gone = new_targets(earlier, {n: {t.id for t in later[n]} for n in later})
    numbers = {**earlier, **later}
    return {number: (*gone.get(number, ()), *later.get(number, ())) for number in numbers}


async def _but_others(
    context: Context, attempt: Attempt, sending: Sending, said: Said, made: Targets
) -> Targets:
    """Leave out what somebody else has made meanwhile, and tell of it beside ours.

    What an answer names was made by its call, and where it names all, nothing else (`strangers`).
    """
    named = _named(attempt, said)
    unnamed = {n: tuple(t for t in made[n] if t.id not in named) for n in made}
    if said.names_all or not (unnamed := {n: left for n, left in unnamed.items() if left}):
        return made
    others = await strangers_among(context, unnamed)
    ours = new_targets(made, dict.fromkeys(made, others))
    for number in unnamed.keys() & ours.keys():
        if theirs := [t.label for t in unnamed[number] if t.id in others]:
            sending.twins[number] = remark("note.twin", documents=", ".join(theirs))
    return ours


async def _look_after(
    context: Context, attempt: Attempt, sending: Sending, said: Said, *, by_all: bool = False
) -> tuple[Targets, Sighting]:
    """Look for what an attempt has made, through as many users and as often as it takes.

    What one complete look shows is enough where it shows all. Where a number is missing that may
    travel again or be rejected for it, everybody is asked, and after a success, or a refusal that
    may hide a draft, for as long as a document may take to be shown.

    Returns:
        New documents by source number, and the last look.
    """
    numbers, before = attempt.intent.numbers, attempt.intent.before
    drafts = context.route.draft_when_save_fails
    vouched = partial(_vouched_or_there, attempt, said, context)

    async def look(*, by_all: bool, renumbered: bool = True) -> tuple[Targets, Sighting]:
        if renumbered:
            seen = await look_at_sent(
                context, numbers, before=before, by_all=by_all, stop_or_not=True, vouched=vouched
            )
        else:
            seen = await look_at_targets(
                context, numbers, by_all=by_all, stop_or_not=True, vouched=vouched
            )
        seen = but_tied(context, await _learn_links(context, attempt, said, seen))
        await context.proofs.note_links(context, context.ledger, now=context.clock.now())
        met = {number: before.get(number, ()) for number in numbers}
        seen = await with_loose_of_others(context, seen, met)
        # The next look may fail, or be answered by a copy of the database that lags behind.
        earlier = new_targets(sending.shown, _set_apart(seen))
        sending.shown = _together(earlier, _made_in(attempt, said, seen))
        return sending.shown, seen

    # A bill may have got another number since the look before the call. Then a look by numbers
    # alone shows none of our documents of it, and may show another bill's. An answer that names all
    # documents tells these apart, unless that other bill is in the same call.
    several = len(numbers) > 1 and any(map(context.id_of, numbers))
    # What no answer names is not believed by its number alone, so that links are asked at once.
    at_once = by_all or (not said.names_all and len(context.erp.users) == 1)
    made, seen = await look(by_all=at_once, renumbered=by_all or several or not said.names_all)

    def is_open() -> bool:
        # What is loose now will be so after any wait.
        shown = united(made, seen.loose)
        return needs_patience(said, numbers, shown, drafts=drafts)

    is_all = len(made) == len(numbers) and not is_open()
    # Links that miss a document which the field shows prove nothing of the others of its call.
    unasked = context.links.tell and not seen.linked.issuperset(numbers)
    if not is_all and (unasked or not set(context.erp.users) <= seen.users):
        made, seen = await look(by_all=True)
    for pause_s in lag_pauses(context.settle.first_wait_s):
        if not is_open():
            break
        await anyio.sleep(pause_s)
        made, seen = await look(by_all=True)
    return made, seen


def _untold(
    context: Context, attempt: Attempt, made: Targets, seen: Sighting
) -> Mapping[BillNumber, Untold]:
    """Return the numbers of which a look does not tell what an attempt has made, and why."""
    untold = {number: (UNREAD, words) for number, words in seen.refused.items()}
    for number in attempt.intent.numbers:
        before = attempt.intent.before.get(number, ())
        if number not in made and (
            outcome := unclear(context, number, seen, before, by_id=bool(context.id_of(number)))
        ):
            untold[number] = (outcome.code, outcome.reason)
    return untold


async def _doubtful(
    context: Context, attempt: Attempt, said: Said, made: Targets, seen: Sighting
) -> Targets:
    """Return the documents of which nothing proves that they are of the bill of their number.

    A document is doubtful if

    - its bill has several that links do not all name, another bill of the call has none, and the
      rule does not split bills; or
    - it bears the number of a bill that has another document, no link names its source, the answer
      was a success that does not name every document, and there are more such documents than bills
      of which nothing is shown. While there are not, each may be of such a bill.
    """
    numbers = attempt.intent.numbers
    found = await doubtful_among(context, said.messages, numbers, made, seen.by_link)
    loose = new_targets({n: seen.loose.get(n, ()) for n in made}, attempt.intent.before)
    ids = {target.id for targets in loose.values() for target in targets}
    missing = [n for n in numbers if n not in made and not seen.loose.get(n)]
    if said.success and not said.names_all and len(ids) > len(missing):
        found |= loose
    return found


def _made_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows of the numbers of which an attempt has made something."""
    return but_strangers(said, attempt.intent.numbers, _new_in(attempt, said, seen))


def _new_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows that was not there before an attempt.

    What the answer names was made by it, even if somebody has cancelled it since, no link shows of
    which bill of the number it is, or a field names another form. What may be any one's of several
    bills of the call is nobody's.
    """
    any_ones = (*seen.shared.values(), *seen.loose.values())
    bills = Counter(target.id for targets in any_ones for target in targets)
    named = {target.id for target in said.named if bills[target.id] <= 1}
    found = {number: list(targets) for number, targets in seen.targets.items()}
    kinds = (seen.cancelled, seen.shared, seen.denied)
    for number, targets in (each for kind in kinds for each in kind.items()):
        ours = [target for target in targets if target.id in named]
        if ours:
            found.setdefault(number, []).extend(ours)
    all_found = {number: tuple(targets) for number, targets in found.items()}
    return new_targets(all_found, attempt.intent.before)


def _without(conclusion: Conclusion, untold: Mapping[BillNumber, Untold]) -> Conclusion:
    """Leave in doubt the numbers of which no look tells."""
    if not untold:
        return conclusion
    outcomes = [
        Outcome(each.number, State.UNKNOWN, (), *untold[each.number])
        if each.number in untold
        else each
        for each in conclusion.outcomes
    ]
    parts = [tuple(n for n in part if n not in untold) for part in conclusion.parts]
    return replace(
        conclusion,
        outcomes=tuple(outcomes),
        parts=tuple(part for part in parts if part),
        alone=tuple(number for number in conclusion.alone if number not in untold),
    )


def _unread(numbers: tuple[BillNumber, ...], why: str) -> Conclusion:
    return Conclusion(tuple(Outcome(n, State.UNKNOWN, (), UNREAD, why) for n in numbers))
