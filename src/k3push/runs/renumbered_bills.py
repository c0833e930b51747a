"""What calls have made of bills whose numbers have changed hands since they were looked at.

A document names the number that its bill had as it was made. Links tell of which bill it is. Where
they cannot be asked, what travels by its id is asked for by the number that it has now as well, and
by those that it was seen to have; and a number that one bill had and another has got tells nothing
of either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from k3push.core.model import BillNumber, RunId, Sighting, id_in, key_of, number_in
from k3push.core.remark import remark
from k3push.core.safety.evidence import new_targets
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.listed_bills import Unclear
from k3push.core.safety.matching import fold
from k3push.runs.context import Context
from k3push.runs.lookup import look_at_targets, united, with_other_numbers
from k3push.runs.seen_since import note_numbers, numbers_since
from k3push.runs.source_check import look_at_listed


async def look_at_sent(
    context: Context,
    numbers: Collection[BillNumber],
    *,
    unsent: Collection[BillNumber] = (),
    run: RunId | None = None,
    by_all: bool,
    before_sending: bool = False,
    stop_or_not: bool = False,
) -> Sighting:
    """Read every target that was made from bills that are sent, or were; see `look_at_targets`.

    Args:
        context: What to look with; it knows which of them travel by id.
        numbers: The ERP's spellings.
        unsent: Those of them that no call has carried yet.
        run: Which run has sent them; None is this one.
        by_all: Ask through every user.
        before_sending: Some of them are about to be sent.
        stop_or_not: Go on trying though a stop is asked.
    """
    seen = await look_at_targets(
        context, numbers, by_all=by_all, before_sending=before_sending, stop_or_not=stop_or_not
    )
    if not context.links.absent or not context.route.source_number_field:
        return seen
    by_id = {key_of("", id_): number for number in numbers if (id_ := context.id_of(number))}
    # Where nothing is shown under a number, it does not matter whose it is.
    shown = [number for number in seen.targets if number not in unsent]
    called = {n: n for n in shown if not id_in(n) and context.known_id(n)}
    lines = by_id | called
    looked = await look_at_listed(context, list(lines))
    now: dict[BillNumber, BillNumber] = {}
    ids: dict[BillNumber, str] = {}
    others: dict[str, BillNumber] = {}
    # Of a bill whose number of today is not told, nothing proves that it has no document.
    unread = {lines[line]: words for line, words in looked.refused.items()}
    for line, meant in looked.meant.items():
        bill, number = meant.bill, lines[line]
        if line in called:
            ours = context.known_id(number)
            others |= {each.id: number for each in meant.sources if each.id != ours}
        elif meant.unclear is Unclear.UNNUMBERED and number not in {*seen.targets, *unsent}:
            unread[number] = remark("note.unnumbered")
        elif bill is not None and number_in(bill.bill) != number_in(number):
            now[bill.bill], ids[bill.bill] = number, bill.id
    seen = await _but_of_others(context, seen, others) if others else seen
    since = await _numbers_since(context, run or context.run.id, ids)
    named = {n: context.known_id(n) for n in seen.targets if not id_in(n) and context.known_id(n)}
    seen = _but_doubtful(seen, await _had_by_others(context, since, named))
    # A call may be carried out later than it has lost a number again, which another may have got.
    names = [
        (name, number)
        for number in numbers
        if number not in unsent
        for name in sorted(since.get(context.id_of(number), ()))
        if now.get(name) != number
    ]
    had = {name: number for name, number in names if name not in now}
    if asked := now | had:
        # Another bill may have had that number before: what was made of it is none of this one's.
        ids |= {name: context.id_of(number) for name, number in had.items()}
        told = replace(context, source_ids=context.source_ids | ids)
        other = await look_at_targets(
            told, list(asked), by_all=by_all, before_sending=True, stop_or_not=stop_or_not
        )
        doubtful = {each for each in now if await _was_sent_for_another(context, each, ids[each])}
        doubtful |= await _had_by_others(context, since, {name: ids[name] for name in now})
        other = _but_doubtful(other, doubtful | {name for name, _ in names})
        seen = with_other_numbers(seen, other, asked)
        # What one of them has now, and others had, may be any one's.
        for name, number in names:
            any_ones = {number: other.shared[name]} if name in other.shared else {}
            seen = replace(seen, shared=united(seen.shared, any_ones))
    return replace(seen, refused={**seen.refused, **unread})


async def _numbers_since(
    context: Context, run: RunId, ids: Mapping[BillNumber, str]
) -> Mapping[str, Collection[BillNumber]]:
    """Take in the numbers that bills have by now; return all that looks have seen them to have."""
    since = context.renumbered if run == context.run.id else None
    if since is None:  # or others may have gone on with that run since the last look
        since = await numbers_since(context.ledger, run)
    if run == context.run.id:
        # Another look may have read them as well, and have added to them by now.
        since = context.renumbered = since if context.renumbered is None else context.renumbered
    for name, id_ in ids.items():
        if name not in since.get(id_, ()):
            # It counts as known once it is written down: a look may be cut off.
            await note_numbers(context.ledger, run, id_, [name], at=context.clock.now())
            since.setdefault(id_, set()).add(name)
    return since


async def _had_by_others(
    context: Context, since: Mapping[str, Collection[BillNumber]], bills: Mapping[BillNumber, str]
) -> set[BillNumber]:
    """Return the numbers of bills that others have had while a call for these may be open.

    Args:
        context: The execution.
        since: The numbers that bills have had since they were sent, by their ids.
        bills: The numbers, and the ids of who has them.
    """
    spelled: dict[str, set[BillNumber]] = {}
    for number in bills:
        spelled.setdefault(fold(number_in(number)), set()).add(number)
    had = {
        id_: {
            number
            for name in names
            for number in spelled.get(fold(number_in(name)), ())
            if bills[number] != id_
        }
        for id_, names in since.items()
    }
    theirs = {id_: numbers for id_, numbers in had.items() if numbers}
    sent = await _may_be_open(context, theirs) if theirs else set()
    return set().union(*(theirs[id_] for id_ in sent))


async def _may_be_open(context: Context, ids: Collection[str]) -> set[str]:
    """Return of which bills a call may have made something that is not known yet."""
    sent = {context.known_id(number) for number in context.sent_before}
    sent.update(await context.ledger.in_hand(context.run.id, ids))
    return sent.intersection(ids)


async def _but_of_others(
    context: Context, seen: Sighting, others: Mapping[str, BillNumber]
) -> Sighting:
    """Set documents apart that runs have made, or may have, of bills that have a number by now.

    Args:
        context: The execution.
        seen: The look.
        others: Which of its numbers other bills have, by their ids.
    """
    ledger, run = context.ledger, context.run
    theirs = {number: set[str]() for number in others.values()}
    for id_, number in others.items():
        made = await ledger.made_in(run.scope, {number: id_})
        theirs[number].update(*(each.ids for each in made.values()))
    sent = await _may_be_open(context, others)
    seen = replace(seen, targets=new_targets(seen.targets, theirs))
    return _but_doubtful(seen, {others[id_] for id_ in sent})


def _but_doubtful(seen: Sighting, numbers: Collection[BillNumber]) -> Sighting:
    """Set documents apart of numbers that may be another bill's."""
    doubtful = {n: found for n, found in seen.targets.items() if n in numbers}
    targets = {n: found for n, found in seen.targets.items() if n not in numbers}
    return replace(seen, targets=targets, shared=united(seen.shared, doubtful))


async def _was_sent_for_another(context: Context, number: BillNumber, id_: str) -> bool:
    """Say whether a run has sent another bill under a number, and does not know what came of it."""
    rows = await context.ledger.rows_of(number_in(number))
    others = [row for _, row in rows if row.attempts and row.source_id != id_]
    return any(row.state not in SENT_BEFORE for row in others)
