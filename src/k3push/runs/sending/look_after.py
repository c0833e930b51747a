"""Look for what a call has made, as long and through as many users as it takes.

For one look it also says what is new since the call, and which of that the answer assigns to a
bill.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import anyio

from k3push.core.model import Attempt, BillNumber, Sighting, Targets, number_in
from k3push.core.pacing.growing_pauses import lag_pauses
from k3push.core.safety.documents_beside import but_strangers
from k3push.core.safety.evidence import needs_patience
from k3push.core.safety.named_bills import messages_by_number
from k3push.core.safety.target_sets import new_targets, united
from k3push.core.safety.verdict import Said
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import with_loose_of_others
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.lookup.target_lookup import but_tied, look_at_targets
from k3push.runs.sending.sending_state import Sending


async def look_after(
    context: Context, attempt: Attempt, sending: Sending, said: Said, *, by_all: bool = False
) -> tuple[Targets, Sighting]:
    """Look for what an attempt has made, through as many users and as often as it takes.

    One look is enough if it shows a document of every number, and all that the answer names. If a
    number is missing, it may be sent again or rejected; so all users are asked. After a success, or
    a refusal that may hide a draft, they are asked for as long as a document may take to be shown.

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
        earlier = new_targets(sending.shown, set_apart(seen))
        sending.shown = together(earlier, made_in(attempt, said, seen))
        return sending.shown, seen

    # A bill may have got another number since the look before the call. Then a look by numbers
    # alone shows none of our documents of it, and may show another bill's. An answer that names all
    # documents tells these apart, unless that other bill is in the same call.
    several = len(numbers) > 1 and any(map(context.id_of, numbers))
    # What no answer names is not believed by its number alone, so that links are asked at once.
    at_once = by_all or (not said.names_all and len(context.erp.users) == 1)
    made, seen = await look(by_all=at_once, renumbered=several or not said.names_all)

    def is_open() -> bool:
        # Waiting does not tie a loose document to a bill.
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


async def _learn_links(context: Context, attempt: Attempt, said: Said, seen: Sighting) -> Sighting:
    """Learn whether links find what our calls make, if they find what others make.

    Returns:
        The look, or a later one: if links were not asked for a shown document, or if a document may
        have been deleted between the two questions.
    """
    links, numbers, now = context.links, attempt.intent.numbers, context.clock.now()
    if not (links.outweigh or links.missed_own):
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
            # What an earlier execution has learnt stands after one miss: a plug-in may drop links,
            # even of many bills.
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
        learns: True while it is being learnt whether the rule keeps links. Then the named documents
            are returned even so, if more bills have one than have none.
    """
    numbers, named = attempt.intent.numbers, named_in(attempt, said)
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
    # Each document with a wrong number leaves one bill without any. So if more bills have one than
    # have none, most numbers are right.
    sure = {n: tuple(t for t in mine[n] if t.id in named) for n in numbers}
    return sure if learns and sum(map(bool, sure.values())) > len(silent) else {}


def set_apart(seen: Sighting) -> dict[BillNumber, set[str]]:
    """Return the documents that a look shows as another bill's, or as possibly any bill's.

    They are returned by source number.
    """
    kinds = (seen.shared, seen.denied, seen.namesakes, seen.loose)
    return {n: {t.id for kind in kinds for t in kind.get(n, ())} for kind in kinds for n in kind}


def together(earlier: Targets, later: Targets) -> Targets:
    """Return what two looks have shown: a person may have deleted a document since the first."""
    gone = new_targets(earlier, {n: {t.id for t in later[n]} for n in later})
    numbers = {**earlier, **later}
    return {number: (*gone.get(number, ()), *later.get(number, ())) for number in numbers}


def made_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows of the numbers of which an attempt has made something."""
    return but_strangers(said, attempt.intent.numbers, new_in(attempt, said, seen))


def new_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows that was not there before an attempt.

    What the answer names was made by it, even if somebody has cancelled it since, no link shows of
    which bill of the number it is, or a field names another form. A document that may be of several
    bills of the call is given to none.
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


def named_in(attempt: Attempt, said: Said) -> set[str]:
    """Return the ids of the documents that an answer names."""
    return {target.id for target in said.targets(attempt.intent.numbers)}
