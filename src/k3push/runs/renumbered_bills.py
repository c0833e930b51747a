"""What calls by id have made of bills that have got another number since they were looked at.

A document names the number that its bill had as it was made. Links tell of which bill it is; where
they cannot be asked, it is asked for by the number that the bill has now as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from k3push.core.model import BillNumber, Sighting, key_of, number_in
from k3push.core.safety.matching import fold
from k3push.runs.lookup import Looker, look_at_targets, with_other_numbers
from k3push.runs.source_check import look_at_listed


async def look_at_sent(
    context: Looker,
    numbers: Collection[BillNumber],
    ids: Mapping[BillNumber, str],
    *,
    by_all: bool,
    before_sending: bool = False,
    stop_or_not: bool = False,
) -> Sighting:
    """Read every target that was made from *numbers*; see `lookup.look_at_targets`.

    Args:
        context: What to look with.
        numbers: The ERP's spellings.
        ids: Of those that calls may have carried by their ids, which these were; "" for none.
        by_all: Ask through every user.
        before_sending: Some of them are about to be sent.
        stop_or_not: Go on trying though a stop is asked.
    """
    seen = await look_at_targets(
        context, numbers, by_all=by_all, before_sending=before_sending, stop_or_not=stop_or_not
    )
    sent = {key_of("", id_): number for number, id_ in ids.items() if id_}
    if not sent or not context.links.absent or not context.route.source_number_field:
        return seen
    looked = await look_at_listed(context, list(sent))
    now: dict[BillNumber, BillNumber] = {}
    for line, meant in looked.meant.items():
        bill, number = meant.bill, sent[line]
        if bill is not None and fold(number_in(bill.bill)) != fold(number_in(number)):
            now[bill.bill] = number
            context.source_ids[bill.bill] = bill.id
    if now:
        # Another bill may have had that number before: what was made of it is none of this one's.
        other = await look_at_targets(
            context, list(now), by_all=by_all, before_sending=True, stop_or_not=stop_or_not
        )
        seen = with_other_numbers(seen, other, now)
    # Of a bill whose number of today is not told, nothing proves that it has no document.
    unread = {sent[line]: words for line, words in looked.refused.items()}
    return replace(seen, refused={**seen.refused, **unread})
