"""Documents that answers have named, and that no look has shown as made from a bill of the call.

Such a document was made by that call. Of a bill that the call did not carry it is none, whatever
number it bears: the source-number field may be a wrong one, or a plug-in of the site may write
another order's number into it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from k3push.core.model import BillNumber, Route, Targets, number_in
from k3push.ports import Ledger, Memo

NAMED = "named_document"
"""Kind of the memo about a document; it is about the target form."""


async def note_named(
    ledger: Ledger,
    route: Route,
    documents: Collection[str],
    bills: Mapping[BillNumber, str],
    *,
    at: datetime,
) -> None:
    """Write down that an answer has named documents that no look shows of its call's bills.

    Args:
        ledger: Keeps it.
        route: Of the call.
        documents: Their ids.
        bills: What the call carried, each with its id, or "" where that is not known.
        at: When.
    """
    value = {
        "source": route.source.lower(),
        "numbers": [number_in(bill) for bill in bills],
        "ids": [id_ for id_ in bills.values() if id_],
    }
    for id_ in sorted(documents):
        await ledger.remember(Memo(NAMED, _id(route, id_), at, value, about=route.target.lower()))


async def named_of(
    ledger: Ledger, route: Route, scope: str, bills: Mapping[BillNumber, str]
) -> dict[BillNumber, dict[str, bool]]:
    """Return the documents that answers have named of calls with bills, and no look has shown.

    Where a person vouches for as many other bills of the call, whose documents nobody has named,
    the documents are those.

    Args:
        ledger: Keeps what was named, and what was found to be of a bill since.
        route: Of the bills.
        scope: Whose runs count.
        bills: Each with its id, or "" where that is not known.

    Returns:
        By bill the ids of documents, each with whether its call carried no other bill.
    """
    calls: dict[tuple[str, ...], list[Memo]] = {}
    for memo in await ledger.memos(NAMED, about=route.target.lower()):
        calls.setdefault((memo.value["source"], *memo.value["numbers"]), []).append(memo)
    found: dict[BillNumber, dict[str, bool]] = {}
    for (_, *numbers), memos in calls.items():
        mine = [bill for bill, id_ in bills.items() if _carried(memos[0].value, route, bill, id_)]
        if not mine:
            continue
        made = await ledger.made_in(scope, dict.fromkeys(map(BillNumber, numbers), ""))
        known = {id_ for each in made.values() for id_ in each.ids}
        untied = {memo.id.rpartition(" ")[2] for memo in memos} - known
        if len(untied) > sum(not each.ids for each in made.values()):
            for bill in mine:
                found.setdefault(bill, {}).update(dict.fromkeys(untied, len(numbers) == 1))
    return found


async def named_for_others(
    ledger: Ledger, route: Route, found: Targets, ids: Mapping[BillNumber, str]
) -> dict[BillNumber, frozenset[str]]:
    """Return which documents of bills answers have named of calls that did not carry the bill.

    Args:
        ledger: Keeps what was named.
        route: Of the bills.
        found: Documents by source number.
        ids: Ids of bills, as far as they are known.
    """
    if not found or not await ledger.memos(NAMED, about=route.target.lower(), limit=1):
        return {}
    calls: dict[str, Mapping[str, Any]] = {}
    for id_ in {target.id for targets in found.values() for target in targets}:
        if memo := await ledger.memo(NAMED, _id(route, id_)):
            calls[id_] = memo.value
    return {
        bill: others
        for bill, targets in found.items()
        if (
            others := frozenset(
                target.id
                for target in targets
                if target.id in calls
                and not _carried(calls[target.id], route, bill, ids.get(bill, ""))
            )
        )
    }


def _carried(call: Mapping[str, Any], route: Route, bill: BillNumber, id_: str) -> bool:
    """Say whether a call may have carried a bill of a route, by its number or its id."""
    of_form = route.source.lower() == call["source"]
    return of_form and (number_in(bill) in call["numbers"] or id_ in call["ids"])


def _id(route: Route, document: str) -> str:
    return f"{route.target.lower()} {document}"
