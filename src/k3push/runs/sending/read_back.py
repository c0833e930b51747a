"""What a call has come to that the ERP has finished, by its answer and by looks after it.

`look_after` has the looks, and `core.safety.evidence` the conclusions; here they are put together:
a call that broke is looked at twice, documents of others are told apart, and a number of which no
look tells stays in doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import anyio

from k3push.core.model import (
    Attempt,
    BillNumber,
    Outcome,
    Sighting,
    Standing,
    State,
    Targets,
)
from k3push.core.protocol.msg_codes import LICENCE
from k3push.core.remark import remark
from k3push.core.safety.conclusion import Conclusion
from k3push.core.safety.documents_beside import strangers
from k3push.core.safety.evidence import (
    Look,
    beside_stray,
    conclude,
    conclude_unread,
    goes_elsewhere,
    may_hide_draft,
    may_hide_part,
    nothing_ran,
)
from k3push.core.safety.target_sets import are_merged, every_id, labels, new_targets
from k3push.core.safety.verdict import ReadBack, Said
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import strangers_among
from k3push.runs.documents.renumbered_bills import moved_among
from k3push.runs.documents.twins import doubtful_among, told_of_doubtful
from k3push.runs.lookup.document_lookup import are_linked, look_at_standings
from k3push.runs.lookup.target_lookup import found_by
from k3push.runs.proof.document_makers import EARLIEST, created_at
from k3push.runs.proof.stray_calls import SERVERS_DIFFER, OpenCall
from k3push.runs.proof.unclear_documents import unclear
from k3push.runs.sending.look_after import (
    look_after,
    made_in,
    named_in,
    new_in,
    set_apart,
    together,
)
from k3push.runs.sending.sending_state import Sending

UNREAD = "unread"
"""`Outcome.code` of a number in doubt because the look after its call failed or was refused."""


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
        made, seen = await look_after(context, attempt, sending, said)
        made = await _but_others(context, attempt, sending, said, made)
        sending.shown = made
        if not context.tells_of_several:
            context.links.compare(named_in(attempt, said), seen)
            if not context.links.tell and len(numbers) == 1 and numbers[0] not in made:
                # The links have not been proved by any document, nor by this one.
                return await _by_answer_alone(context, sending, attempt, said, is_asked=True)
        conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
        saves_more = await _may_save_more(context, attempt, said, made)
        if verdict.twice or saves_more:
            # No number is sent again or rejected after a single look; and where a rule splits
            # bills, more documents may still come.
            await anyio.sleep(context.settle.first_wait_s)
            later, seen = await look_after(context, attempt, sending, said, by_all=True)
            later = await _but_others(context, attempt, sending, said, later)
            made = together(new_targets(made, set_apart(seen)), later)
            sending.shown = made
            conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
            if saves_more and not await context.covers(seen.users, attempt.intent.sender):
                # The user who saw the first part did not take part in this look.
                parts = dict.fromkeys(made, ("unseen", remark("note.unseen")))
    except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
        return _unread(numbers, str(error))
    for number, others in strangers(said, numbers, new_in(attempt, said, seen)).items():
        if number in made:
            documents = labels(others)
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
    return _sent_on(conclusion, new_in(attempt, said, seen).keys() - made.keys())


async def _may_save_more(context: Context, attempt: Attempt, said: Said, made: Targets) -> bool:
    """Say whether documents may still come that no look shows yet, since a rule may split bills.

    A refused call may have saved some without naming them, and an old answer names one document at
    most.
    """
    if said.success:
        return bool(made) and not said.names_all and await context.may_have_several()
    named = named_in(attempt, said)
    untold = any(target.id not in named for targets in made.values() for target in targets)
    return untold and await context.may_have_several()


def _sent_on(conclusion: Conclusion, numbers: Collection[BillNumber]) -> Conclusion:
    """Plan refused numbers again that somebody else has pushed meanwhile.

    The look before their next sending finds what he has made.
    """
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
    conclusion = conclude_unread(
        said,
        attempt.intent.numbers[0],
        last_try=sending.chunk.tries + 1 >= context.limits.max_attempts,
        drafts=context.route.draft_when_save_fails,
        elsewhere=context.erp.spares(attempt.intent.sender),
    )
    asks = is_asked and bool(conclusion.parts)
    if asks and (why := await _why_stray(context, attempt, said, {}, Sighting())):
        return beside_stray(said, attempt.intent.numbers, why)
    return replace(conclusion, hides=may_hide_part(said, attempt.intent.numbers))


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
    ids = every_id(made)
    sending.merged = are_merged(made)
    sending.note_found(context, seen)
    sending.found_own = sending.found_own or bool(made)
    context.stray_calls.note_answer(said.targets(numbers), context.awake_s)
    loose = frozenset(t.id for n in numbers for t in seen.loose.get(n, ()))
    look = Look(made, loose=loose)
    if len(made) < len(numbers):
        asked = seen.linked.issuperset(number for number in numbers if number not in made)
        proved = await context.absence_proved()
        look = replace(
            look,
            proved=proved and (asked or not context.links.tell),
            covered=await context.covers(seen.users, sender),
            trusted=not (context.proofs.missed or await context.missed_of(sender))
            and context.knows_enough_of(sender),
            linked=asked and context.links.tell and await are_linked(context, ids, seen),
            stray=await _why_stray(context, attempt, said, made, seen),
        )
    last = every_id(made_in(attempt, said, seen))
    # Only what the last look shows counts here: what an earlier one showed, it may miss.
    context.proofs.compare(sender, named_in(attempt, said), last)
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
    )


async def _why_stray(
    context: Context, attempt: Attempt, said: Said, made: Targets, seen: Sighting
) -> str:
    """Say why a document that ties itself to no bill may be this call's; "" where none may.

    It may come from a call that broke; from an answer that passes over a number or refuses several;
    from a refusal of one number that is sent again (for want of a licence, or through another
    user); and from any refusal that may have left a draft.
    """
    numbers, sender = attempt.intent.numbers, attempt.intent.sender
    elsewhere = context.erp.spares(sender)
    goes_on = said.code == LICENCE or goes_elsewhere(said, elsewhere=elsewhere)
    several = len(numbers) > 1 or (goes_on and await context.may_have_several())
    hides = may_hide_draft(said, drafts=context.route.draft_when_save_fails)
    if not (said.thrown or said.acted or several or hides) or nothing_ran(said, numbers):
        return ""
    missing = [number for number in numbers if number not in made]
    moved = await moved_among(context, attempt.intent.run, missing)
    before = {id_ for n in missing for id_ in attempt.intent.before.get(n, ())}
    before |= seen.ids_beside(missing)
    # Somebody else has made a document that a link ties to a bill and that the success does not
    # name.
    others = strangers(said, numbers, new_in(attempt, said, seen))
    before |= {t.id for n in missing for t in others.get(n, ()) if t.id in seen.by_link}
    began = context.began(attempt.id, attempt.intent.began_at)
    call = OpenCall(missing, sender, began, before, mark=context.mark)
    beside = await context.calls_with_strays([call], names_tell=not moved)
    return context.stray_calls.why if beside else ""


async def _but_others(
    context: Context, attempt: Attempt, sending: Sending, said: Said, made: Targets
) -> Targets:
    """Leave out what somebody else has made meanwhile, and tell of it beside ours.

    What an answer names was made by its call, and where it names all, nothing else (`strangers`).
    """
    named = named_in(attempt, said)
    unnamed = {n: tuple(t for t in made[n] if t.id not in named) for n in made}
    if said.names_all or not (unnamed := {n: left for n, left in unnamed.items() if left}):
        return made
    others = await strangers_among(context, unnamed)
    if others and named:
        ids = {target.id for number in unnamed for target in made[number]}
        standings = await look_at_standings(context, ids)
        for number in unnamed:
            of_bill = {t.id: standings[t.id] for t in made[number] if t.id in standings}
            others -= _made_as_named(of_bill, named)
    ours = new_targets(made, dict.fromkeys(made, others))
    for number in unnamed.keys() & ours.keys():
        if theirs := [t for t in unnamed[number] if t.id in others]:
            sending.twins[number] = remark("note.twin", documents=labels(theirs))
    return ours


def _made_as_named(of_bill: Mapping[str, Standing], named: Collection[str]) -> set[str]:
    """Return which documents of a bill bear the maker of those that its answer names.

    None of them is older. The ERP's user may have been made anew since the makers were learnt.
    """
    ours = [each for id_, each in of_bill.items() if id_ in named]
    makers = {each.creator for each in ours} - {""}
    first_at = min(filter(None, map(created_at, ours)), default=EARLIEST) - SERVERS_DIFFER
    return {
        id_
        for id_, each in of_bill.items()
        if each.creator in makers and (created_at(each) or EARLIEST) >= first_at
    }


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
    - it is loose and bears the number of a bill that has another document, after a success that
      does not name all. That holds if there are more such documents than bills without any; if not,
      each may be of such a bill.
    """
    numbers = attempt.intent.numbers
    found = await doubtful_among(context, said.messages, numbers, made, seen.by_link)
    loose = new_targets({n: seen.loose.get(n, ()) for n in made}, attempt.intent.before)
    ids, ids_named = every_id(loose), named_in(attempt, said)
    missing = [n for n in numbers if n not in made and not seen.loose.get(n)]
    if said.success and not said.names_all and len(ids) > len(missing):
        found |= loose
    if said.names_all:
        # The call has made them, and the row of the bill whose number they bear names others.
        named = {n: tuple(t for t in loose[n] if t.id in ids_named) for n in loose}
        found |= {n: targets for n, targets in named.items() if targets}
    return found


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
