"""Links of a target form: the rows by which the ERP keeps from which bills a document was made.

They belong to one entry of the target form, and name the source by its id and by the table of its
entry (P 6.5). Of pairs that are known both are built in. Of others the site tells them: the
settings or QueryBusinessInfo name the entries (P 15.1), and the documents that are there, whose
links name the conversion rule as well, tell which entry it is and what the table is called.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from k3push.core.model import Route
from k3push.core.protocol.pairs import known_pair

_ID, _TABLE, _RULE = "FSBillId", "FSTableName", "FRuleId"

HEAD = "FBillHead"
_SUFFIX = "_Link"

# A form has a few entries; each of them costs a question.
MOST_ENTRIES = 20


class FormEntry(NamedTuple):
    """A table of a form.

    Attributes:
        key: As fields are called by it; that of links ends in `_Link`.
        table: Name of the table in the database, or "".
        parent: Key of the table that it belongs to, or "".
    """

    key: str
    table: str = ""
    parent: str = ""


class LinkRow(NamedTuple):
    """A line of a document that was made from another.

    Attributes:
        document: Internal id of the document.
        source_id: Internal id of the source.
        table: Name of the source's table.
        rule: Id of the conversion rule.
    """

    document: str
    source_id: str
    table: str
    rule: str


@dataclass(frozen=True, slots=True)
class FoundLinks:
    """What a site tells of the links of a route.

    Attributes:
        route: The route with the entry and the tables that were found, or as it was.
        proved: Documents that are there show that the route's own rule keeps its links there.
        absent: Its links cannot be asked for.
    """

    route: Route
    proved: bool = False
    absent: bool = False


def link_fields(route: Route) -> list[str]:
    """Return the fields of the target form that name the source by its id and its table (P 6.5).

    There are none where the entry that carries links, or the source's tables, are not known: an
    id says nothing without its form.

    >>> link_fields(Route("r", "PUR_PurchaseOrder", "STK_InStock"))
    ['FInStockEntry_Link_FSBillId', 'FInStockEntry_Link_FSTableName']
    """
    return any_link_fields(route)[:2] if target_entry(route) and source_tables(route) else []


def any_link_fields(route: Route) -> list[str]:
    """Return the fields of links whatever they name: the source's id, its table, and the rule.

    >>> any_link_fields(Route("r", "A_B", "C_D", target_entry="FEntity"))
    ['FEntity_Link_FSBillId', 'FEntity_Link_FSTableName', 'FEntity_Link_FRuleId']
    """
    return [f"{target_entry(route)}{_SUFFIX}_{name}" for name in (_ID, _TABLE, _RULE)]


def target_entry(route: Route) -> str:
    """Return the key of the target's entry that carries the links, or ""."""
    pair = known_pair(route.source, route.target)
    return route.target_entry or (pair.target_entry if pair else "")


def source_tables(route: Route) -> frozenset[str]:
    """Return the tables of the source form as links name them, in lower case.

    >>> source_tables(Route("r", "PUR_PurchaseOrder", "STK_InStock"))
    frozenset({'t_pur_poorderentry'})
    """
    pair = known_pair(route.source, route.target)
    tables = route.source_tables or ((pair.source_table,) if pair else ())
    return frozenset(table.lower() for table in tables) - {""}


def are_learnt(route: Route) -> bool:
    """Say whether the tables of the source were found out, and are not built in."""
    return bool(route.source_tables)


def entries_that_may_link(entries: Sequence[FormEntry]) -> list[str]:
    """Return the keys of the entries of a form that may carry links.

    They are those that have a table of links; where none is listed, it may be any of them.

    >>> entries_that_may_link([FormEntry("FBillHead"), FormEntry("FEntity", "T_E", "FBillHead")])
    ['FEntity']
    """
    listed = [each.key.removesuffix(_SUFFIX) for each in entries if each.key.endswith(_SUFFIX)]
    every = [each.key for each in entries if each.key != HEAD]
    return (listed or every)[:MOST_ENTRIES]


def is_of_rule(row: LinkRow, route: Route) -> bool:
    """Say whether a link was made by the route's own rule."""
    return bool(route.rule) and row.rule.lower() == route.rule.lower()


def found_in(
    route: Route, newest: Mapping[str, Sequence[LinkRow]], tables: Collection[str]
) -> FoundLinks:
    """Say which entry carries the links of a route, and what the source's tables are called.

    What the route's own rule has made tells both for certain. Else it is the one entry that has
    links at all, and the tables are those of the source form; that has to be proved yet, since
    the rule may keep no links.

    Args:
        route: The route.
        newest: The links of the newest documents, by the entry; only entries that have links.
        tables: Those of the source form, as far as the site tells.

    >>> row = LinkRow("7", "100017", "T_A_BENTRY", "my rule")
    >>> found_in(Route("r", "A_B", "C_D", rule="My Rule"), {"FEntity": [row]}, ()).proved
    True
    """
    of_rule = {
        entry: {row.table for row in rows if row.table and is_of_rule(row, route)}
        for entry, rows in newest.items()
    }
    sure = [entry for entry, named in of_rule.items() if named]
    if len(sure) == 1:
        mine = {*of_rule[sure[0]], *source_tables(route)}
        return FoundLinks(_with(route, sure[0], mine), proved=True)
    mine = {*source_tables(route), *filter(None, tables)}
    if sure or len(newest) != 1 or not mine:
        return FoundLinks(route, absent=True)
    return FoundLinks(_with(route, next(iter(newest)), mine))


def _with(route: Route, entry: str, tables: Collection[str]) -> Route:
    return replace(route, target_entry=entry, source_tables=tuple(sorted(tables)))
