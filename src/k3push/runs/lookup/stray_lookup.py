"""Ask for documents that neither a link nor a number ties to a bill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from k3push.core.model import BillNumber, Standing, id_in, number_in
from k3push.core.protocol.links import source_tables
from k3push.core.safety.matching import fold
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.retried_reads import read_unless_refused, read_with_retries
from k3push.runs.lookup.source_lookup import look_at_ids, look_at_sources


class Stray(NamedTuple):
    """A document that neither a link nor a number ties to a bill of its own.

    Attributes:
        id: Its id.
        standing: How it stands.
        names: The numbers that it bears all the same.
        tied: Numbers of those that were asked for, folded, to whose bills it is tied, if only to
            such: it is no stray beside calls for other bills.
    """

    id: str
    standing: Standing
    names: Collection[BillNumber] = ()
    tied: Collection[str] = ()

    def is_of_others(self, bills: Collection[BillNumber]) -> bool:
        """Say whether it is surely of other bills than these; one of them may name a part of one.

        >>> stray = Stray("1", Standing("RK1", "C", cancelled=False), tied={"a1"})
        >>> [stray.is_of_others([BillNumber(bill)]) for bill in ("B1", "A1", "A12", ",100")]
        [True, False, False, False]
        """
        numbers = [fold(number_in(bill)) for bill in bills]
        may_be = any(not one or of in one for of in self.tied for one in numbers)
        return bool(self.tied) and not may_be


class Strays(NamedTuple):
    """Documents that nothing ties to a bill, and how others stand that were read beside them."""

    strays: Sequence[Stray] = ()
    beside: Mapping[str, Standing] = MappingProxyType({})


async def look_for_strays(
    context: Looker,
    when: str,
    numbers: Collection[BillNumber],
    *,
    known: Callable[[Sequence[BillNumber]], Awaitable[Mapping[BillNumber, Collection[str]]]],
    earlier: Callable[[Collection[BillNumber]], Awaitable[Collection[str]]],
    names_tell: bool = True,
    beside: Sequence[str] = (),
) -> Strays | None:
    """Find documents made since *when* that neither a link nor a number ties to a bill.

    One of them may be what a lost call made of any of *numbers*: the rule may keep no link and
    write no number, or the field may be too short for the number. A document that names another
    bill is no stray. It is one if its field holds only a part of one of *numbers*, or one of them
    in a spelling that no look finds. Where links tell, a number alone ties none: a plug-in of the
    site may write another order's.

    Args:
        context: What to look with.
        when: Local time of the server.
        numbers: Of which no look shows anything.
        known: Returns, for some numbers, the ids of documents that the ledger knows to be theirs;
            so the ERP is not asked about every document of a day. Any other document with such a
            number may be of a bill that got the number later, and may have lost it since.
        earlier: Returns the ids of documents that were found for some numbers before any call.
        names_tell: Whether a document that the ledger does not know belongs to the bill that it
            names. False where one of *numbers* may have had the number of another bill at the
            moment of its call.
        beside: Other documents that are read as well, where there are strays.

    Returns:
        The documents; None where the ERP refuses the question.
    """
    rows = await read_unless_refused(
        context,
        f"the documents of {context.route.target} by time",
        lambda: context.erp.made_since(context.route, when),
        stop_or_not=True,
        with_any_error=True,
    )
    if rows is None:
        return None
    whole = {number_in(number) for number in numbers}
    values = dict.fromkeys(value for _, value in rows if value)
    numbered = set(map(fold, whole))
    folded = {each: fold(each) for each in values}
    # There may be thousands of values: most are found in no number at one glance.
    all_numbers = "\n".join(numbered)
    parts = {
        each
        for each, of in folded.items()
        if of in all_numbers and any(of in n and of != n for n in numbered)
    }
    made = await known(list(values)) if values else {}
    owned = [(id_, value) for id_, value in rows if id_ in made.get(value, ())]
    have_moved = not names_tell
    # A document of several bills names each of them.
    names_tell = names_tell and not context.links.outweigh
    sure = {id_ for id_, _ in owned}
    open_ = {value for id_, value in rows if id_ not in sure and names_tell}
    # A value that means one of the numbers, and by which no look found the document, is spelled in
    # another way.
    if asked_for := [each for each in values if each in open_ and folded[each] not in numbered]:
        found, _ = await look_at_sources(context, asked_for)
        # One of *numbers* may have got that number since its call left, or while it was at work.
        ours = {id_in(number) or context.source_ids.get(number, "") for number in numbers}
        others = {value for value, bills in found.items() if ours.isdisjoint(b.id for b in bills)}
        owned += [(id_, value) for id_, value in rows if value in others and found[value]]
    # Beside a number of which it is a part, what a field holds may be all that it has room for.
    owners = _by_document(owned)
    told = {id_ for id_, of in owners.items() if of - parts}
    strays = [id_ for id_ in dict.fromkeys(id_ for id_, _ in rows) if id_ not in told]
    linked: Mapping[str, Collection[str]] = {}
    if strays:
        linked = await _linked(context, strays)
        told = {id_ for id_, of in linked.items() if numbered.isdisjoint(of)}
        left = {*strays} - told
        told |= {*await earlier({value for id_, value in rows if value and id_ in left})}
        strays = [id_ for id_ in strays if id_ not in told]
    if not strays:
        return Strays()
    standings = await look_at_standings(context, [*strays, *beside])
    names = _by_document(rows)

    def counts(id_: str) -> bool:
        """Say whether a document is there, and is no cancelled one that bears one of *numbers*."""
        is_numbered = not numbered.isdisjoint(map(fold, names[id_]))
        return id_ in standings and not (is_numbered and standings[id_].cancelled)

    def tied(id_: str) -> Collection[str]:
        """Return the numbers to whose bills a document is tied, if it is."""
        if have_moved:
            return ()
        named = {folded[each] for each in names[id_] if names_tell and each in whole}
        return named or {*linked.get(id_, ()), *(folded[each] for each in owners.get(id_, ()))}

    there = list(filter(counts, strays))
    return Strays([Stray(id_, standings[id_], names[id_], tied(id_)) for id_ in there], standings)


def _by_document(rows: Iterable[tuple[str, BillNumber]]) -> dict[str, set[BillNumber]]:
    """Gather what lines of documents name, by the id of the document."""
    named: dict[str, set[BillNumber]] = {}
    for id_, value in rows:
        named.setdefault(id_, set()).update([value] if value else ())
    return named


async def _linked(context: Looker, ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the numbers, folded, of the bills to which links tie documents.

    If nobody is shown a linked bill, it may be another one with such a number, which the ERP has
    pushed instead: its document is left out.
    """
    route, tables = context.route, source_tables(context.route)
    asked = f"the links of {route.target}"
    rows = await read_with_retries(
        context, asked, lambda: context.erp.links_of(route, ids), stop_or_not=True
    )
    # What names the table of another form is that form's.
    ours = [row for row in rows if not row.table.strip() or row.table.lower() in tables]
    wanted = list(dict.fromkeys(row.source_id for row in ours))
    bills, _ = await look_at_ids(context, wanted) if wanted else ({}, {})
    linked: dict[str, set[str]] = {row.document: set() for row in rows}
    for row in ours:
        bill = bills.get(row.source_id)
        if bill is None or not bill.number:
            linked.pop(row.document, None)
        elif row.document in linked:
            linked[row.document].add(fold(bill.number))
    return linked
