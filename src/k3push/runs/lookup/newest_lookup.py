"""Ask the newest documents of a target form what they show of its number field and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from k3push.core.model import BillNumber, Standing
from k3push.core.protocol.links import are_learnt, is_of_rule, source_tables
from k3push.runs.lookup.document_lookup import look_at_standings_if_allowed
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.retried_reads import read_unless_refused
from k3push.runs.lookup.source_lookup import look_at_sources

# The share of a field's values that must be bills before the field is believed to name bills:
# people also write bill numbers into remarks.
LEAST_SHARE = 0.5


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
        """Whether the field finds what is there.

        A few bill numbers among other values may be chance.
        """
        return bool(self.named) and self.count - self.strange >= self.count * LEAST_SHARE


async def look_at_newest(context: Looker) -> Newest:
    """Read what the newest targets name; nothing is known where the ERP refuses the question."""
    rows = await _newest_rows(context)
    values = list(dict.fromkeys(value for _, value in rows if value))
    found, _ = await look_at_sources(context, values) if values else ({}, {})
    known = {value for value in values if found.get(value)}
    told = {id_ for id_, value in rows if value in known}
    count = len({id_ for id_, _ in rows})
    named = tuple(value for value in values if found.get(value))
    return Newest(count, named, count - len(told))


async def _newest_rows(context: Looker) -> Sequence[tuple[str, BillNumber]]:
    asked = f"the newest of {context.route.target}"
    rows = await read_unless_refused(
        context, asked, lambda: context.erp.newest_of(context.route), stop_or_not=True
    )
    return rows or ()


async def newest_standings(context: Looker) -> Mapping[str, Standing]:
    """Read how the newest documents stand, by id; none where the ERP refuses the question."""
    if not context.route.source_number_field:
        return {}
    rows = await _newest_rows(context)
    ids = dict.fromkeys(id_ for id_, _ in rows)
    return await look_at_standings_if_allowed(context, list(ids)) or {} if ids else {}


async def look_at_newest_links(context: Looker) -> bool:
    """Say whether the newest targets have links, and whether these lead to the source form.

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
