"""What calls have made of bills whose numbers have changed hands since they were looked at.

A document names the number that its bill had as it was made. Links tell of which bill it is. Where
they cannot be asked, or a rule keeps none, a bill that is sent by its id is also looked for under
its present number and under each that it was seen to have. A number that has passed from one bill
to another proves nothing about either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from k3push.core.model import BillNumber, RunId, Sighting, Targets, id_in, key_of, number_in
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.listed_bills import Unclear
from k3push.core.safety.matching import fold
from k3push.core.safety.target_sets import (
    ids_in,
    new_targets,
    parted,
    united,
    unlinked,
    with_other_numbers,
)
from k3push.runs.context import Context
from k3push.runs.lookup.source_check import look_at_listed
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.proof.seen_since import note_numbers, numbers_since, numbers_since_of_form


async def look_at_sent(
    context: Context,
    numbers: Collection[BillNumber],
    *,
    before: Mapping[BillNumber, Collection[str]] | None = None,
    unsent: Collection[BillNumber] = (),
    run: RunId | None = None,
    by_all: bool,
    before_sending: bool = False,
    stop_or_not: bool = False,
    vouched: Callable[[Sighting], Targets] | None = None,
) -> Sighting:
    """Read every target that was made from bills that are sent, or were; see `look_at_targets`.

    Args:
        context: What to look with; it knows which of them travel by id.
        numbers: The ERP's spellings.
        before: Ids of the documents that were there before they were sent.
        unsent: Those of them that no call has carried yet.
        run: Which run has sent them; None is this one.
        by_all: Ask through every user.
        before_sending: Some of them are about to be sent.
        stop_or_not: Go on trying though a stop is asked.
        vouched: As in `look_at_targets`.
    """
    seen = await look_at_targets(
        context,
        numbers,
        by_all=by_all,
        before_sending=before_sending,
        stop_or_not=stop_or_not,
        vouched=vouched,
    )
    if context.links.tell or not context.route.source_number_field:
        return seen
    today = await _look_at_numbers_of_today(context, numbers, seen, unsent=unsent)
    seen = await _but_of_others(context, seen, today.others)
    since = await _numbers_since(context, run or context.run.id, today.now)
    named = {n: context.known_id(n) for n in seen.targets if not id_in(n) and context.known_id(n)}
    seen = await _but_of_former(context, seen, named)
    # A call may be carried out later than it has lost a number again, which another may have got.
    had = [
        (name, number)
        for number in numbers
        if number not in unsent
        for name in sorted(since.get(context.id_of(number), ()))
        if today.now.get(name) != number
    ]
    if today.now or had:
        other, bills = await _look_by_other_numbers(
            context, today, had, by_all=by_all, stop_or_not=stop_or_not, vouched=vouched
        )
        seen = with_other_numbers(seen, other, bills)
        # A number that one of them has now and another had before tells nothing of either.
        for name, number in had:
            any_ones = {number: other.shared[name]} if name in other.shared else {}
            seen = replace(seen, shared=united(seen.shared, any_ones))
        seen = _but_of_either(seen, today.now, {*numbers} - {*unsent})
    unread = today.unread | _nameless(today, new_targets(seen.targets, before or {}))
    return replace(seen, refused={**seen.refused, **unread})


async def moved_among(
    context: Context, run: RunId, numbers: Collection[BillNumber]
) -> set[BillNumber]:
    """Return which bills by id looks have seen to have other numbers since a run sent them."""
    by_id = {number: id_ for number in numbers if (id_ := context.id_of(number))}
    since = await _numbers_since(context, run, {}) if by_id else {}
    return {number for number, id_ in by_id.items() if since.get(id_)}


@dataclass(frozen=True, slots=True)
class _Today:
    """What the source form has shown of who has which number by now.

    Attributes:
        now: Other numbers that bills by id have got, with what they are called here.
        others: Which of the numbers that show documents other bills have, by the ids of these.
        unread: Of which bills the number is not told, and why: nothing proves that they have no
            document.
        nameless: Bills that have none by which a document could be found: what an earlier number
            of theirs shows is not all.
    """

    now: dict[BillNumber, BillNumber] = field(default_factory=dict)
    others: dict[str, BillNumber] = field(default_factory=dict)
    unread: dict[BillNumber, str] = field(default_factory=dict)
    nameless: set[BillNumber] = field(default_factory=set)


def _nameless(today: _Today, made: Targets) -> dict[BillNumber, str]:
    """Return the bills without a number of which nothing is shown that is new since their calls."""
    return dict.fromkeys(today.nameless - made.keys(), remark("note.unnumbered"))


async def _look_at_numbers_of_today(
    context: Context,
    numbers: Collection[BillNumber],
    seen: Sighting,
    *,
    unsent: Collection[BillNumber],
) -> _Today:
    """Ask the source form which numbers bills by id have, and who has those that show documents."""
    by_id = {key_of("", id_): number for number in numbers if (id_ := context.id_of(number))}
    # Where nothing is shown under a number, it does not matter whose it is.
    shown = [number for number in seen.targets if number not in unsent]
    called = {n: n for n in shown if not id_in(n) and context.known_id(n)}
    lines = by_id | called
    looked = await look_at_listed(context, list(lines))
    today = _Today(unread={lines[line]: words for line, words in looked.refused.items()})
    for line, meant in looked.meant.items():
        bill, number = meant.bill, lines[line]
        if line in called:
            ours = context.known_id(number)
            today.others.update({each.id: number for each in meant.sources if each.id != ours})
        elif meant.unclear is Unclear.UNNUMBERED and number not in unsent:
            today.nameless.add(number)
        elif bill is not None and number_in(bill.bill) != number_in(number):
            today.now[bill.bill] = number
    return today


async def _look_by_other_numbers(
    context: Context,
    today: _Today,
    had: Sequence[tuple[BillNumber, BillNumber]],
    *,
    by_all: bool,
    stop_or_not: bool,
    vouched: Callable[[Sighting], Targets] | None,
) -> tuple[Sighting, Mapping[BillNumber, BillNumber]]:
    """Read the targets that name numbers which bills by id have got, or have had for a while.

    Another bill may have had such a number before: what was made of it is none of this one's.

    Args:
        context: The execution.
        today: Who has which number by now.
        had: Numbers that bills have had, each with what the bill is called here.
        by_all: As in `look_at_sent`.
        stop_or_not: As in `look_at_sent`.
        vouched: As in `look_at_targets`; it knows the bills by what they are called here.

    Returns:
        The look, and what the bill of each number that was asked for is called here.
    """
    bills = {name: number for name, number in had if name not in today.now} | today.now
    ids = {name: context.id_of(number) for name, number in bills.items()}
    told = replace(context, source_ids=context.source_ids | ids)

    def vouched_by_name(seen: Sighting) -> Targets:
        """Ask for documents that bear another number of a bill as if they bore this one's."""
        here = Sighting(linked=frozenset(bills.get(name, name) for name in seen.linked))
        here = with_other_numbers(here, replace(seen, sources={}), bills)
        found = vouched(here) if vouched else {}
        return {name: found.get(bills.get(name, name), ()) for name in seen.targets}

    seen = await look_at_targets(
        told,
        list(bills),
        by_all=by_all,
        before_sending=True,
        stop_or_not=stop_or_not,
        vouched=vouched_by_name,
    )
    got = {name: ids[name] for name in today.now}
    seen = await _but_of_former(context, seen, got)
    doubtful = {n for n, id_ in got.items() if await _was_sent_for_another(context, n, id_)}
    return _but_doubtful(seen, {*doubtful, *(name for name, _ in had)}), bills


async def _numbers_since(
    context: Context, run: RunId, now: Mapping[BillNumber, BillNumber]
) -> Mapping[str, Collection[BillNumber]]:
    """Take in the numbers that bills have by now; return all that looks have seen them to have.

    Args:
        context: The execution.
        run: Which run has sent them.
        now: Other numbers that bills by id have got, with what they are called here.

    Returns:
        The numbers, by the ids of the bills.
    """
    since = context.renumbered if run == context.run.id else None
    if since is None:  # or others may have gone on with that run since the last look
        since = await numbers_since(context.ledger, run)
    if run == context.run.id:
        # Another look may have read them as well, and have added to them by now.
        since = context.renumbered = since if context.renumbered is None else context.renumbered
    for name, number in now.items():
        id_ = context.id_of(number)
        if name not in since.get(id_, ()):
            # It counts as known once it is written down: a look may be cut off.
            await note_numbers(context.ledger, run, id_, [name], at=context.clock.now())
            since.setdefault(id_, set()).add(name)
    return since


async def _but_of_former(
    context: Context, seen: Sighting, bills: Mapping[BillNumber, str]
) -> Sighting:
    """Set documents apart that runs have made, or may have, of bills that have had a number.

    Args:
        context: The execution.
        seen: The look.
        bills: Numbers that show documents, and the ids of who has them.
    """
    theirs = await _had_by_others(context, bills) if bills else {}
    if not theirs:
        return seen
    ledger, scope = context.ledger, context.run.scope
    made: dict[BillNumber, set[str]] = {}
    for id_, number in ((id_, number) for id_, numbers in theirs.items() for number in numbers):
        told = await ledger.made_in(scope, {number: id_})
        mine = await ledger.made_in(scope, {number: bills[number]})
        ids = {each for of in told.values() for each in of.ids}
        made.setdefault(number, set()).update(ids.difference(*(of.ids for of in mine.values())))
    left, apart = parted(seen, {n: ids - seen.by_link for n, ids in made.items()})
    seen = replace(seen, targets=left, namesakes=united(seen.namesakes, apart))
    sent = await _may_be_open(context, theirs)
    return _but_doubtful(seen, set().union(*(theirs[id_] for id_ in sent)))


async def _had_by_others(
    context: Context, bills: Mapping[BillNumber, str]
) -> dict[str, set[BillNumber]]:
    """Return which of the numbers other bills have had since they were sent, by their ids.

    Args:
        context: The execution.
        bills: The numbers, and the ids of who has them.
    """
    # Another run may have sent them.
    since = await numbers_since_of_form(context.ledger, context.route.source)
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
    return {id_: numbers for id_, numbers in had.items() if numbers}


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
    if not others:
        return seen
    ledger, run = context.ledger, context.run
    theirs = {number: set[str]() for number in others.values()}
    for id_, number in others.items():
        made = await ledger.made_in(run.scope, {number: id_})
        theirs[number].update(*(each.ids for each in made.values()))
    sent = await _may_be_open(context, others)
    others_made = {number: ids - seen.by_link for number, ids in theirs.items()}
    seen = replace(seen, targets=new_targets(seen.targets, others_made))
    return _but_doubtful(seen, {others[id_] for id_ in sent})


def _but_doubtful(seen: Sighting, numbers: Collection[BillNumber]) -> Sighting:
    """Set documents apart of numbers that may be another bill's, save what a link names."""
    doubtful = unlinked({n: found for n, found in seen.targets.items() if n in numbers}, seen)
    targets = new_targets(seen.targets, ids_in(doubtful))
    return replace(seen, targets=targets, shared=united(seen.shared, doubtful))


def _but_of_either(
    seen: Sighting, now: Mapping[BillNumber, BillNumber], sent: Collection[BillNumber]
) -> Sighting:
    """Set documents apart that two bills of a look share, since one has the other's number by now.

    Args:
        seen: The look.
        now: Other numbers that bills by id have got, with what they are called here.
        sent: What bills that are sent, or were, are called here.
    """
    had: dict[str, set[BillNumber]] = {}
    for number in sent:
        had.setdefault(fold(number_in(number)), set()).add(number)
    for name, heir in now.items():
        for number in had.get(fold(number_in(name)), set()) - {heir}:
            mine, theirs = (seen.targets.get(each, ()) for each in (number, heir))
            both = {t.id for t in mine} & {t.id for t in theirs} - seen.by_link
            left, apart = parted(seen, {number: both, heir: both})
            seen = replace(seen, targets=left, shared=united(seen.shared, apart))
    return seen


async def _was_sent_for_another(context: Context, number: BillNumber, id_: str) -> bool:
    """Say whether a run has sent another bill under a number, and does not know what came of it."""
    rows = await context.ledger.rows_of(number_in(number))
    others = [row for _, row in rows if row.attempts and row.source_id != id_]
    return any(row.state not in SENT_BEFORE for row in others)
