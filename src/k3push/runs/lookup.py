"""Ask the ERP what is there: which bills, what was made of them, and how that stands.

A look is one question, with what its answer means: by which evidence a document was found, which
bill of a number it is of, and what a site that refuses the question leaves unknown. Each read is
tried again where it fails (`retried_reads`), so that "nothing is there" is always an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import anyio

from k3push.core.model import (
    BillNumber,
    FlowTask,
    Route,
    Sighting,
    Source,
    Standing,
    Target,
    Targets,
    id_in,
    key_of,
    number_in,
)
from k3push.core.protocol import wire
from k3push.core.protocol.links import are_learnt, is_of_rule, link_fields, source_tables
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.remark import remark
from k3push.core.safety.evidence import ids_in, new_targets
from k3push.core.safety.matching import fold
from k3push.ports import (
    ErpUnreachableError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)
from k3push.runs.retried_reads import (
    TRIES_OF_A_PART,
    ReadContext,
    read_in_parts,
    read_unless_refused,
    read_with_retries,
)

T = TypeVar("T")
U = TypeVar("U")

# The share of a field's values that must be bills before the field is believed to name bills:
# people also write bill numbers into remarks.
LEAST_SHARE = 0.5

# A number that no bill has: where its query is refused as well, the numbers are not to blame.
HARMLESS = BillNumber("k3push-check")
HARMLESS_ID = "1"


@dataclass(slots=True)
class Links:
    """What is known of the links of a route's target form (P 6.5).

    Attributes:
        find: They have found a document that another look, or an answer, knows of a bill.
        missed: They have missed one.
        find_own: They have found one that a call by the route's rule has made.
        missed_own: They have missed one of those, which its bill's number has shown.
        recalled: They have found such a one in an execution of late.
        untold: Whether they find anything has been asked for in vain.
        tell_more: They have found one that the field has passed over, which may hold the number of
            one of several merged bills.
        absent: The site does not let them be queried, or the pair's are not known.
    """

    find: bool = False
    missed: bool = False
    find_own: bool = False
    missed_own: bool = False
    recalled: bool = False
    untold: bool = False
    tell_more: bool = False
    absent: bool = False

    @property
    def tell(self) -> bool:
        """Whether a bill that no link names has no document."""
        return self.find and not self.missed and not self.absent

    @property
    def are_of_use(self) -> bool:
        """Whether they can be asked, and have missed nothing yet."""
        return not self.absent and not self.missed

    @property
    def are_kept(self) -> bool:
        """Whether they have found what the route's rule makes, now or of late."""
        return self.find_own or self.recalled

    @property
    def may_outweigh(self) -> bool:
        """Whether the route's rule may keep links: they have found one, or missed none of its."""
        return self.are_kept or (not self.missed_own and (self.find or not self.absent))

    @property
    def outweigh(self) -> bool:
        """Whether a number alone ties no document: the site keeps links, and this rule may, too."""
        return self.may_outweigh and (self.find or self.are_kept or self.untold)

    def compare(self, known: Collection[str], seen: Sighting) -> None:
        """Take in whether the links have found documents of bills that they were asked for."""
        if seen.linked and known:
            self.find = self.find or bool(seen.by_link.intersection(known))
            self.missed = self.missed or not seen.by_link.issuperset(known)

    def compare_own(self, made: Collection[str], number: BillNumber, seen: Sighting) -> None:
        """Take in whether the links have found what a call by the route's rule has made of a bill.

        What the bill's number does not show may be gone, or bear another number.
        """
        if number in seen.linked:
            shown = {target.id for target in seen.bearing(number)}.intersection(made)
            found = bool(shown & seen.by_link)
            self.find_own = self.find_own or found
            self.missed_own = self.missed_own or (bool(shown) and not found)


class Looker(ReadContext, Protocol):
    """What a look is made with; a `Context` is one."""

    @property
    def source_ids(self) -> dict[BillNumber, str]:
        """Internal ids of bills that were read from the source form."""
        ...

    @property
    def links(self) -> Links:
        """What is known of the target form's links."""
        ...

    async def made_of_namesakes(
        self, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return what the ledger has made of other bills of the same numbers."""
        ...

    async def named_for_others(self, found: Targets) -> Mapping[BillNumber, frozenset[str]]:
        """Return documents of bills that an answer names for a call without that bill."""
        ...

    async def links_outweigh(self) -> bool:
        """Say whether a number alone ties no document to a bill; learn it where it is not known."""
        ...


def can_ask(looker: Looker) -> bool:
    """Say whether the target form can be asked what was made of a bill: by a field, or by links."""
    route = looker.route
    return bool(route.source_number_field) or (bool(link_fields(route)) and not looker.links.absent)


async def look_at_sources(
    context: Looker, numbers: Sequence[BillNumber]
) -> tuple[Mapping[BillNumber, tuple[Source, ...]], Mapping[BillNumber, str]]:
    """Read the bills that *numbers* spell from the source form.

    Returns:
        What it holds of each number, and the ERP's words for those whose query it refuses.
    """
    found: dict[BillNumber, tuple[Source, ...]] = {}
    refused: dict[BillNumber, str] = {}

    async def read(part: Sequence[BillNumber]) -> None:
        found.update(await context.erp.sources_of(context.route, part))

    form, harmless = context.route.source, _harmless_source(context)
    await read_in_parts(context, form, numbers, read, harmless=harmless, refused=refused)
    return found, refused


async def look_at_ids(
    context: Looker, ids: Sequence[str]
) -> tuple[Mapping[str, Source], Mapping[str, str]]:
    """Read the bills that have *ids* from the source form.

    Returns:
        Those that it holds, and the ERP's words for ids whose query it refuses.
    """
    found: dict[str, Source] = {}
    refused: dict[str, str] = {}

    async def read(part: Sequence[str]) -> None:
        found.update(await context.erp.sources_by_id(context.route, part))

    form, harmless = context.route.source, _harmless_source(context)
    await read_in_parts(context, form, ids, read, harmless=harmless, refused=refused)
    return found, refused


def _harmless_source(context: Looker) -> Callable[[], Awaitable[object]]:
    return lambda: context.erp.sources_of(context.route, [HARMLESS])


async def look_at_selected(
    context: ReadContext, selection: Selection, *, today: date, after: str
) -> SelectedPage:
    """Read the bills that a selection names with the next higher ids, some at a time.

    Where a filter of the user's own is refused, and the same question without it is answered, it
    is refused for good.
    """
    refusals = 0

    async def ask(what: Selection) -> SelectedPage:
        return await context.erp.selected(context.route, what, today=today, after=after)

    async def read() -> SelectedPage:
        nonlocal refusals
        try:
            return await ask(selection)
        except LookRefusedError as refusal:
            refusals += 1
            if refusal.definite or not selection.where or refusals < TRIES_OF_A_PART:
                raise
            await ask(replace(selection, where=""))
            raise LookRefusedError(str(refusal), code=refusal.code) from refusal

    return await read_with_retries(context, context.route.source, read)


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

    The links are asked for bills of which the field shows nothing, and for all where they tell more
    than the field, where it is not known yet whether they tell, or everybody is asked. Without a
    field they are all there is. Where links outweigh numbers, what bears a number alone is
    `Sighting.loose`: a plug-in of the site may write another order's number.

    Args:
        context: What to look with.
        numbers: The ERP's spellings.
        by_all: Ask through every user (see `ports.Erp.targets_of`).
        before_sending: Most of them will have none, so that both are asked at the same time. What
            the ledger has made of another bill that had the number before is none of theirs.
        stop_or_not: Go on trying though a stop is asked: an open chunk is waited for.
        vouched: Returns which documents of a look an answer tells to be of the bills whose
            numbers they bear.
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
    """Give loose documents to the bills of their numbers once links do not outweigh these."""
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


def unlinked(found: Targets, seen: Sighting) -> Targets:
    """Leave out the documents that a link names."""
    return new_targets(found, dict.fromkeys(found, seen.by_link))


def parted(seen: Sighting, others: Mapping[BillNumber, Collection[str]]) -> tuple[Targets, Targets]:
    """Return the targets of a look without some of each number, by their ids, and these."""
    left = new_targets(seen.targets, others)
    return left, new_targets(seen.targets, ids_in(left))


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
    return _with_links(context, found, linked) if linked is not None else found


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
    context.links.compare({t.id for ts in sure.values() for t in ts}, linked)
    # That they find it for another of its bills does not mean that they find it for this one.
    of_links = ids_in(linked.targets)
    # Somebody may have cancelled it between the two questions.
    shown = ids_in(united(linked.targets, linked.cancelled))
    context.links.missed = context.links.missed or bool(new_targets(sure, shown))
    # What the field shows as another's, or as cancelled, it has not passed over.
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
    """Return the internal ids of bills; where nothing but the number of two is known, none."""
    context.source_ids.update({number: id_in(number) for number in numbers if id_in(number)})
    missing = [number for number in numbers if number not in context.source_ids]
    if missing:
        sources, _ = await look_at_sources(context, missing)
        for number, bills in sources.items():
            if len(bills) == 1:
                context.source_ids[number] = bills[0].id
    return {n: context.source_ids[n] for n in numbers if n in context.source_ids}


def united(one: Targets, other: Targets) -> Targets:
    """Join documents by number, each once."""
    both = dict(one)
    for number, targets in other.items():
        ids = {target.id for target in both.get(number, ())}
        both[number] = (*both.get(number, ()), *(t for t in targets if t.id not in ids))
    return both


def with_other_numbers(
    seen: Sighting, other: Sighting, bills: Mapping[BillNumber, BillNumber]
) -> Sighting:
    """Add to a look what was seen by other numbers of the same bills.

    Args:
        seen: The look.
        other: What was seen by the others.
        bills: What the first look calls those that have another number.
    """

    def added(one: Targets, more: Targets) -> Targets:
        for number, targets in more.items():  # several of them may be of one bill
            one = united(one, {bills.get(number, number): targets})
        return one

    return replace(
        seen,
        targets=added(seen.targets, other.targets),
        users=seen.users & other.users,
        cancelled=added(seen.cancelled, other.cancelled),
        refused={**seen.refused, **{bills.get(n, n): why for n, why in other.refused.items()}},
        thin=seen.thin | other.thin,
        linked=seen.linked | {bills.get(n, n) for n in other.linked},
        by_link=seen.by_link | other.by_link,
        by_field=seen.by_the_field() | other.by_the_field(),
        shared=added(seen.shared, other.shared),
        denied=added(seen.denied, other.denied),
        namesakes=added(seen.namesakes, other.namesakes),
        loose=added(seen.loose, other.loose),
        sources={
            **seen.sources,
            **{(bills.get(n, n), id_): named for (n, id_), named in other.sources.items()},
        },
    )


async def look_at_standings(
    context: Looker, ids: Collection[str], *, of_source: bool = False
) -> Mapping[str, Standing]:
    """Read how documents of the target form stand, by id; one that is gone is absent.

    It goes on trying though a stop is asked: what a call has done is written down.

    Args:
        context: What to look with.
        ids: The documents.
        of_source: Bills of the source form are read instead.
    """
    route = context.route
    route = replace(route, target=route.source) if of_source else route
    return await read_with_retries(
        context, route.target, lambda: context.erp.standings_of(route, ids), stop_or_not=True
    )


async def look_at_standings_if_allowed(
    context: Looker, ids: Collection[str]
) -> Mapping[str, Standing] | None:
    """Read how documents of the target form stand; None where nobody here may read them."""
    route = context.route
    return await read_unless_refused(
        context, route.target, lambda: context.erp.standings_of(route, ids), stop_or_not=True
    )


async def look_at_flow_tasks(
    context: Looker, numbers: Collection[str]
) -> Mapping[str, FlowTask] | None:
    """Read open tasks of approval flows; None where the site does not let them be read."""
    return await read_unless_refused(
        context,
        wire.FLOW_TASKS,
        lambda: context.erp.flow_tasks_of(context.route, numbers),
        stop_or_not=True,
        with_any_error=True,
    )


@dataclass(frozen=True, slots=True)
class Newest:
    """What the number field of the newest targets holds.

    Attributes:
        count: How many documents were looked at.
        named: Bills of the source form that some of them name.
        strange: Documents whose field is blank, or holds what is no bill of the source form.
    """

    count: int = 0
    named: tuple[BillNumber, ...] = ()
    strange: int = 0

    @property
    def proves(self) -> bool:
        """Whether the field finds what is there; a few bills among other things are chance."""
        return bool(self.named) and self.count - self.strange >= self.count * LEAST_SHARE


async def look_at_newest(context: Looker) -> Newest:
    """Read what the newest targets name; nothing is known where the ERP refuses the question."""
    asked = f"the newest of {context.route.target}"
    rows = await read_unless_refused(
        context, asked, lambda: context.erp.newest_of(context.route), stop_or_not=True
    )
    values = list(dict.fromkeys(value for _, value in rows or () if value))
    found, _ = await look_at_sources(context, values) if values else ({}, {})
    known = {value for value in values if found.get(value)}
    told = {id_ for id_, value in rows or () if value in known}
    count = len({id_ for id_, _ in rows or ()})
    named = tuple(value for value in values if found.get(value))
    return Newest(count, named, count - len(told))


class Stray(NamedTuple):
    """A document that neither a link nor a number ties to a bill of its own.

    Attributes:
        id: Its id.
        standing: How it stands.
        names: The numbers that it bears all the same.
    """

    id: str
    standing: Standing
    names: Collection[BillNumber] = ()


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
    """Find documents made since that neither a link nor a number ties to a bill of its own.

    One of them may be what a lost call made of any of *numbers*: the rule may keep no link and
    write no number, or the field may be too short for the number. Documents that name another
    bill are no strays, unless what they name is a part of one of *numbers*. Where links tell, a
    number alone ties none: a plug-in of the site may write another order's.

    Args:
        context: What to look with.
        when: Local time of the server.
        numbers: Of which no look shows anything.
        known: Returns the ids of documents that are known to be of bills of some numbers, so that
            the ERP need not be asked for each of a day. Another document that names such a number
            may be of a bill that has got it since, and may have lost it again.
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
    whole = [number_in(number) for number in numbers]
    values = dict.fromkeys(value for _, value in rows if value)
    others = [each for each in values if not any(each in n and each != n for n in whole)]
    made = await known(others) if others else {}
    told = {id_ for id_, value in rows if id_ in made.get(value, ())}
    # A document of several bills names each of them.
    names_tell = names_tell and not context.links.outweigh
    open_ = {value for id_, value in rows if id_ not in told and names_tell}
    if asked_for := [each for each in others if each in open_]:
        found, _ = await look_at_sources(context, asked_for)
        told |= {id_ for id_, value in rows if found.get(value)}
    strays = [id_ for id_ in dict.fromkeys(id_ for id_, _ in rows) if id_ not in told]
    if strays:
        told = await _tied(context, strays, whole)
        left = {*strays} - told
        told |= {*await earlier({value for id_, value in rows if value and id_ in left})}
        strays = [id_ for id_ in strays if id_ not in told]
    if not strays:
        return Strays()
    standings = await look_at_standings(context, [*strays, *beside])
    names: dict[str, set[BillNumber]] = {}
    for id_, value in rows:
        names.setdefault(id_, set()).update([value] if value else ())
    there = [id_ for id_ in strays if id_ in standings]
    return Strays([Stray(id_, standings[id_], names[id_]) for id_ in there], standings)


async def _tied(context: Looker, ids: Sequence[str], whole: Sequence[str]) -> set[str]:
    """Return which documents a link ties to another bill than those of some numbers.

    A bill that nobody is shown may be another of such a number, which the ERP has taken instead.
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
    numbers = set(map(fold, whole))
    named = {id_ for id_, bill in bills.items() if bill.number and fold(bill.number) not in numbers}
    doubtful = {row.document for row in ours if row.source_id not in named}
    return {row.document for row in rows} - doubtful


async def look_at_newest_links(context: Looker) -> bool:
    """Say whether the links of the newest targets show that links are kept, and find a source.

    Where the pair is not known, or nothing but links can be asked, the route's own rule has to
    have made them: another rule between the same forms may keep none. They show nothing where the
    ERP refuses the question.
    """
    route, asked = context.route, f"the links of {context.route.target}"
    if route.source_number_field and not are_learnt(route):
        sources = await read_unless_refused(
            context, asked, lambda: context.erp.linked_sources(route), stop_or_not=True
        )
        return bool(sources)
    rows = await read_unless_refused(
        context, asked, lambda: context.erp.newest_links(route), stop_or_not=True
    )
    tables = source_tables(route)
    return any(is_of_rule(row, route) and row.table.lower() in tables for row in rows or ())


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


def joined(seen: Sequence[Sighting]) -> Sighting:
    """Join looks at different numbers; of users, those count who have made all of them."""
    users = frozenset.intersection(*(each.users for each in seen)) if seen else frozenset()
    return Sighting(
        {number: found for each in seen for number, found in each.targets.items()},
        users,
        {number: found for each in seen for number, found in each.cancelled.items()},
        {number: why for each in seen for number, why in each.refused.items()},
        thin=frozenset().union(*(each.thin for each in seen)),
        linked=frozenset().union(*(each.linked for each in seen)),
        by_link=frozenset().union(*(each.by_link for each in seen)),
        by_field=frozenset().union(*(each.by_field for each in seen)),
        shared={number: found for each in seen for number, found in each.shared.items()},
        denied={number: found for each in seen for number, found in each.denied.items()},
        sources={of: named for each in seen for of, named in each.sources.items()},
    )
