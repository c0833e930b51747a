"""Ask the target form what was made of bills, by field and by links, and of which of them.

A look is one question, with what its answer means: by which evidence a document was found, which
bill of a number it is of, and what a site that refuses the question leaves unknown. Each read is
tried again where it fails (`retried_reads`), so that "nothing is there" is always an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

import anyio

from k3push.core.model import BillNumber, Route, Sighting, Target, Targets, id_in, key_of, number_in
from k3push.core.pacing.growing_pauses import lag_pauses
from k3push.core.protocol.links import link_fields
from k3push.core.remark import remark
from k3push.core.safety.target_sets import (
    every_id,
    ids_in,
    joined,
    new_targets,
    parted,
    united,
    unlinked,
)
from k3push.ports import ErpUnreachableError, LedgerLostError, LoginRefusedError, LookFailedError
from k3push.runs.lookup.looker import HARMLESS, HARMLESS_ID, Looker
from k3push.runs.lookup.retried_reads import read_in_parts
from k3push.runs.lookup.source_lookup import look_at_sources

T = TypeVar("T")
U = TypeVar("U")

COPY_LAGS_S = 20.0
"""For how long links are asked again that another look shows: a copy of the database is behind."""


async def look_at_targets(
    context: Looker,
    numbers: Collection[BillNumber],
    *,
    by_all: bool = False,
    before_sending: bool = False,
    stop_or_not: bool = False,
    vouched: Callable[[Sighting], Targets] | None = None,
) -> Sighting:
    """Read every target that was made from *numbers*: by the number field, and by the links.

    The links are asked for every bill of which the field shows nothing. They are asked for all
    bills if they have shown more than the field, if it is not known yet whether they tell, or if
    all users are asked. Without a field they are all there is. Where links outweigh numbers, what
    bears a number alone is `Sighting.loose`: a plug-in of the site may write another order's
    number.

    Args:
        context: What to look with.
        numbers: The ERP's spellings.
        by_all: Ask through every user (see `ports.Erp.targets_of`).
        before_sending: The look is made before a sending. Most bills will have no document, so that
            field and links are asked at the same time. What the ledger has made of an earlier bill
            with the same number does not count.
        stop_or_not: Go on trying though a stop is asked: an open chunk is waited for.
        vouched: Returns which documents of a look an answer assigns to the bills whose numbers they
            bear.
    """
    seen = await look_at_both(
        context, numbers, by_all=by_all, together=before_sending, stop_or_not=stop_or_not
    )
    seen = await _but_of_earlier_bills(context, seen) if before_sending else seen
    seen = await _but_of_other_calls(context, seen)
    alone = unlinked(seen.targets, seen)
    if alone and vouched:
        alone = new_targets(alone, ids_in(vouched(seen)))
    if not alone or not await context.links_outweigh():
        return seen
    if not by_all and not context.links.absent and not seen.linked.issuperset(alone):
        # Everybody is asked, and the links for each of them.
        return await look_at_targets(
            context,
            numbers,
            by_all=True,
            before_sending=before_sending,
            stop_or_not=stop_or_not,
            vouched=vouched,
        )
    left = new_targets(seen.targets, ids_in(alone))
    return replace(seen, targets=left, loose=united(seen.loose, alone))


def but_tied(context: Looker, seen: Sighting) -> Sighting:
    """Give loose documents to the bills whose numbers they bear, once a number alone is enough."""
    if not seen.loose or context.links.outweigh:
        return seen
    return replace(seen, targets=united(seen.targets, seen.loose), loose={})


async def _but_of_other_calls(context: Looker, seen: Sighting) -> Sighting:
    """Count unlinked documents as `shared` that an answer names for other bills."""
    others = await context.named_for_others(unlinked(seen.targets, seen))
    if not others:
        return seen
    mine, rest = parted(seen, others)
    return replace(seen, targets=mine, shared=united(seen.shared, rest))


async def look_at_both(
    context: Looker,
    numbers: Collection[BillNumber],
    *,
    by_all: bool,
    together: bool,
    stop_or_not: bool,
) -> Sighting:
    """Read what the number field and the links show, whatever that is worth.

    Args:
        context: What to look with.
        numbers: The ERP's spellings.
        by_all: As in `look_at_targets`.
        together: Both are asked at the same time, and the links for all.
        stop_or_not: As in `look_at_targets`.
    """
    links = context.links
    links.absent = links.absent or not link_fields(context.route)
    if not context.route.source_number_field:
        asked = [] if links.absent else numbers
        seen = await _look_by_links(context, asked, by_all=by_all, stop_or_not=stop_or_not)
        return seen or Sighting()
    if links.absent or not numbers:
        return await _look_by_field(context, numbers, by_all=by_all, stop_or_not=stop_or_not)
    if together and all(number in context.source_ids for number in numbers):
        found, linked = await side_by_side(
            lambda: _look_by_field(
                context, numbers, by_all=by_all, stop_or_not=stop_or_not, unsent=True
            ),
            lambda: _look_by_links(context, numbers, by_all=by_all, stop_or_not=stop_or_not),
        )
    else:
        found = await _look_by_field(
            context, numbers, by_all=by_all, stop_or_not=stop_or_not, unsent=together
        )
        found = _of_their_bills(context, found)
        links.tell_more = links.tell_more or _bears_other_number(context, found)
        prove = by_all or links.tell_more or not (links.find or links.missed)
        asked = [n for n in numbers if n not in found.refused and (prove or n not in found.targets)]
        linked = await _look_by_links(context, asked, by_all=by_all, stop_or_not=stop_or_not)
        rest = [n for n in numbers if n not in found.refused and n not in asked]
        if rest and linked is not None and linked.targets:
            others = await _look_by_links(context, rest, by_all=by_all, stop_or_not=stop_or_not)
            # What was found stays found, whether the rest can be asked for or not.
            linked = linked if others is None else joined([linked, others])
    # The look has asked for ids that were not known before.
    found = _of_their_bills(context, found)
    for pause_s in lag_pauses(COPY_LAGS_S):
        if linked is None or context.links.missed or not _are_late(context, found, linked):
            break
        await anyio.sleep(pause_s)
        again = [number for number in numbers if number in linked.linked]
        linked = await _look_by_links(context, again, by_all=by_all, stop_or_not=stop_or_not)
    return _with_links(context, found, linked) if linked is not None else found


def _are_late(context: Looker, found: Sighting, linked: Sighting) -> bool:
    """Say whether a look by number shows a link that the links themselves have not found.

    Several copies of the database may answer in turn, one of them behind the others.
    """
    return any(
        target.id not in linked.by_link
        and context.source_ids.get(number) in found.sources.get((number, target.id), ())
        for number in linked.linked & found.targets.keys()
        for target in found.targets[number]
    )


def _bears_other_number(context: Looker, found: Sighting) -> bool:
    """Say whether a document that bears the number of one bill has the link of another as well.

    Then the field holds one of several merged bills, and does not show the others all they have.
    """
    return any(
        found.sources.get((number, target.id), frozenset()) - {id_, ""}
        for number, targets in found.targets.items()
        if (id_ := context.source_ids.get(number, ""))
        for target in targets
    )


async def side_by_side(
    one: Callable[[], Awaitable[T]], other: Callable[[], Awaitable[U]]
) -> tuple[T, U]:
    """Make two looks at the same time, and return what each has found.

    If one fails, its own error is raised, not a group of errors.
    """
    results: dict[int, Any] = {}
    errors: list[Exception] = []

    async def keep(nth: int, look: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[nth] = await look()
        except (
            LookFailedError,
            ErpUnreachableError,
            LoginRefusedError,
            LedgerLostError,  # a look may ask the ledger whose documents it has found
        ) as error:
            errors.append(error)

    async with anyio.create_task_group() as looks:
        looks.start_soon(keep, 0, one)
        looks.start_soon(keep, 1, other)
    if errors:
        raise errors[0]
    return results[0], results[1]


async def _look_by_field(
    context: Looker,
    numbers: Collection[BillNumber],
    *,
    by_all: bool,
    stop_or_not: bool,
    unsent: bool = False,
) -> Sighting:
    """Read the targets whose number field names one of *numbers*."""
    seen: list[Sighting] = []
    refused: dict[BillNumber, str] = {}

    async def read(part: Sequence[BillNumber]) -> None:
        seen.append(await context.erp.targets_of(context.route, part, by_all=by_all, unsent=unsent))

    await read_in_parts(
        context,
        context.route.target,
        list(numbers),
        read,
        harmless=lambda: context.erp.targets_of(context.route, [HARMLESS]),
        refused=refused,
        stop_or_not=stop_or_not,
    )
    if len(seen) == 1 and not refused and not seen[0].shared:
        return seen[0]
    return await _told_apart(context, replace(joined(seen), refused=refused))


async def _told_apart(context: Looker, seen: Sighting) -> Sighting:
    """Leave out documents that the ledger knows to be of other bills of the same numbers."""
    if not seen.shared:
        return seen
    others = await context.made_of_namesakes(list(seen.shared))
    return replace(seen, shared=new_targets(seen.shared, others))


async def _but_of_earlier_bills(context: Looker, seen: Sighting) -> Sighting:
    """Set documents apart that the ledger has made of a bill which had the number before.

    Numbers are given out again, and where no link tells of which bill a document is, the ledger
    does.
    """
    asked = {
        key_of(number_in(number), id_): number
        for number in seen.targets
        if (id_ := context.source_ids.get(number, ""))
    }
    others = await context.made_of_namesakes(list(asked)) if asked else {}
    theirs = {asked[key]: ids - seen.by_link for key, ids in others.items()}
    if not any(theirs.values()):
        return seen
    mine, rest = parted(seen, theirs)
    return replace(seen, targets=mine, namesakes=united(seen.namesakes, rest))


def _of_their_bills(context: Looker, seen: Sighting) -> Sighting:
    """Set documents apart whose links name other bills of a number than the one that is meant."""
    if not seen.sources:
        return seen

    def of_others(number: BillNumber, target: Target) -> bool:
        id_, named = context.source_ids.get(number, ""), seen.sources.get((number, target.id))
        # Of a bill that is asked for by its id nothing else was found.
        return bool(id_ and named) and not id_in(number) and not {id_, ""} & (named or set())

    def parted(found: Targets, *, others: bool) -> Targets:
        kept = {n: tuple(t for t in ts if of_others(n, t) is others) for n, ts in found.items()}
        return {number: targets for number, targets in kept.items() if targets}

    namesakes = parted(seen.targets, others=True)
    return replace(
        seen,
        targets=parted(seen.targets, others=False),
        cancelled=parted(seen.cancelled, others=False),
        namesakes=united(seen.namesakes, namesakes),
    )


async def _look_by_links(
    context: Looker, numbers: Collection[BillNumber], *, by_all: bool, stop_or_not: bool
) -> Sighting | None:
    """Read the targets whose links name one of *numbers*; None where nobody can be asked."""
    ids = await _ids_of(context, numbers) if numbers else {}
    if not ids:
        return None
    seen: list[Sighting | None] = []
    refused: dict[BillNumber, str] = {}

    async def read(part: Sequence[BillNumber]) -> None:
        some = {number: ids[number] for number in part}
        seen.append(await context.erp.linked_targets_of(context.route, some, by_all=by_all))

    await read_in_parts(
        context,
        f"the links of {context.route.target}",  # another field may be wrong while these are read
        list(ids),
        read,
        harmless=lambda: context.erp.linked_targets_of(context.route, {HARMLESS: HARMLESS_ID}),
        refused=refused,
        stop_or_not=stop_or_not,
    )
    whole = [each for each in seen if each is not None]
    context.links.absent = len(whole) < len(seen)
    if context.links.absent and not whole:
        return None
    # What one half has shown is there, whether the site tells of the other or not.
    return whole[0] if len(whole) == 1 and not refused else replace(joined(whole), refused=refused)


def _with_links(context: Looker, found: Sighting, linked: Sighting) -> Sighting:
    """Add to what the field shows what the links show."""
    sure = {
        n: [t for t in found.targets.get(n, ()) if t.id not in found.thin] for n in linked.linked
    }
    context.links.compare(every_id(sure), linked)
    # A document may have a link to one of its bills and none to another: `linked` is by bill.
    of_links = ids_in(linked.targets)
    # Somebody may have cancelled it between the two questions.
    shown = ids_in(united(linked.targets, linked.cancelled))
    context.links.missed = context.links.missed or bool(new_targets(sure, shown))
    # What the field shows counts as shown, even as another bill's, or as cancelled.
    passed_by = (found.shared, found.denied, found.namesakes, found.cancelled)
    more = new_targets(linked.targets, ids_in(reduce(united, passed_by, found.targets)))
    context.links.tell_more = context.links.tell_more or bool(more)
    thin = found.thin - linked.by_link
    if context.links.tell:
        # Nothing but its number says that such a document was made from the bill.
        silent = found.targets.keys() & linked.linked - linked.targets.keys()
        thin |= {target.id for number in silent for target in found.targets[number]}
    return Sighting(
        united(found.targets, linked.targets),
        found.users & linked.users,
        united(found.cancelled, linked.cancelled),
        # What the field shows is there, whoever refuses to tell its links.
        {n: why for n, why in linked.refused.items() if n not in found.targets}
        | dict(found.refused),
        thin,
        linked.linked,
        linked.by_link,
        found.by_the_field(),
        new_targets(found.shared, of_links),
        new_targets(found.denied, of_links),
        found.namesakes,
    )


async def _ids_of(context: Looker, numbers: Collection[BillNumber]) -> dict[BillNumber, str]:
    """Return the internal ids of bills.

    A number that two bills share has none, if the number is all that is known.
    """
    context.source_ids.update({number: id_in(number) for number in numbers if id_in(number)})
    missing = [number for number in numbers if number not in context.source_ids]
    if missing:
        sources, _ = await look_at_sources(context, missing)
        for number, bills in sources.items():
            if len(bills) == 1:
                context.source_ids[number] = bills[0].id
    return {n: context.source_ids[n] for n in numbers if n in context.source_ids}


def found_by(route: Route, seen: Sighting, ids: Collection[str]) -> str:
    """Say by which evidence a look has found documents, as a remark; "" where it has found none.

    Args:
        route: Whose documents they are.
        seen: The look.
        ids: The documents.
    """
    by_link, by_field = seen.by_link.intersection(ids), seen.by_the_field().intersection(ids)
    if by_link and by_field:
        return remark("note.by_both", field=route.source_number_field)
    if by_link:
        return remark("note.by_link")
    return remark("note.by_field", field=route.source_number_field) if by_field else ""
