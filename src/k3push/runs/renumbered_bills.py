"""What calls by id make of bills that have got another number since they were looked at.

A document names the number that its bill had as it was made. Links tell of which bill it is; where
they cannot be asked, it is asked for by the number that the bill has now as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from k3push.core.model import BillNumber, Sighting, Target, key_of, number_in
from k3push.core.safety.matching import fold
from k3push.runs.context import Context
from k3push.runs.lookup import look_at_targets, united, with_other_numbers
from k3push.runs.source_check import look_at_listed


async def look_at_sent(
    context: Context,
    numbers: Collection[BillNumber],
    *,
    by_all: bool,
    before_sending: bool = False,
    stop_or_not: bool = False,
) -> Sighting:
    """Read every target that was made from bills that are sent, or were; see `look_at_targets`.

    Args:
        context: What to look with; it knows which of them travel by id.
        numbers: The ERP's spellings.
        by_all: Ask through every user.
        before_sending: Some of them are about to be sent.
        stop_or_not: Go on trying though a stop is asked.
    """
    seen = await look_at_targets(
        context, numbers, by_all=by_all, before_sending=before_sending, stop_or_not=stop_or_not
    )
    sent = {key_of("", id_): number for number in numbers if (id_ := context.id_of(number))}
    if not sent or not context.links.absent or not context.route.source_number_field:
        return seen
    looked = await look_at_listed(context, list(sent))
    now: dict[BillNumber, BillNumber] = {}
    ids: dict[BillNumber, str] = {}
    for line, meant in looked.meant.items():
        bill, number = meant.bill, sent[line]
        if bill is not None and fold(number_in(bill.bill)) != fold(number_in(number)):
            now[bill.bill], ids[bill.bill] = number, bill.id
    called = {fold(number_in(number)): number for number in numbers}
    taken = {b: called[key] for b in now if (key := fold(number_in(b))) in called}
    seen = _but_doubtful(seen, [(now[bill], taken[bill]) for bill in taken])
    if free := {bill: number for bill, number in now.items() if bill not in taken}:
        # Another bill may have had that number before: what was made of it is none of this one's.
        told = replace(context, source_ids=context.source_ids | ids)
        other = await look_at_targets(
            told, list(free), by_all=by_all, before_sending=True, stop_or_not=stop_or_not
        )
        seen = with_other_numbers(seen, other, free)
    # Of a bill whose number of today is not told, nothing proves that it has no document.
    unread = {sent[line]: words for line, words in looked.refused.items()}
    return replace(seen, refused={**seen.refused, **unread})


def _but_doubtful(seen: Sighting, pairs: Iterable[tuple[BillNumber, BillNumber]]) -> Sighting:
    """Set documents apart that name a number which one bill had and another has got.

    Args:
        seen: A look.
        pairs: Bills with the one whose number each has got; both as the look calls them.
    """
    pairs = list(pairs)
    both: Mapping[BillNumber, tuple[Target, ...]] = {
        name: (*seen.targets.get(before, ()), *seen.shared.get(before, ()))
        for one, before in pairs
        for name in (before, one)
    }
    before_them = {before for _, before in pairs}
    return replace(
        seen,
        targets={n: found for n, found in seen.targets.items() if n not in before_them},
        shared=united(seen.shared, {n: found for n, found in both.items() if found}),
    )
