"""Documents that answers have named, and that no look has shown as made from a bill of the call.

Such a document was made by that call. It belongs to no bill that the call did not carry, whatever
number it bears: the source-number field may be a wrong one, or a plug-in of the site may write
another order's number into it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from k3push.core.model import (
    BillNumber,
    Route,
    Row,
    RunId,
    Target,
    Targets,
    id_in,
    key_of,
    number_in,
)
from k3push.core.remark import remark
from k3push.core.safety.verdict import InDoubt, ReadBack
from k3push.ports import Ledger, Memo
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under, verdict_of
from k3push.runs.proof.seen_since import ALL

NAMED = "named_documents"
"""Kind of the memo about those of one answer; it is about the target form."""

EVERY_ROW = 1_000_000
"""Limit of a search for the rows that hold a document's number, so high that it finds all."""

MOST_SOUGHT = 10
"""Documents that are sought in all rows of the ledger, which takes a moment each."""

MOST_TOLD = 3
"""Most rows that one reason mentions; their remarks are nested in one another."""


async def note_named(
    ledger: Ledger,
    route: Route,
    documents: Collection[str],
    bills: Mapping[BillNumber, str],
    *,
    at: datetime,
    run: RunId,
    sender: str,
) -> None:
    """Write down that an answer has named documents that no look shows of its call's bills.

    Args:
        ledger: Keeps it.
        route: Of which forms the documents and the bills are: each form has ids of its own.
        documents: Their ids.
        bills: What the call carried, each with its id, or "" where that is not known.
        at: When.
        run: Whose call it was.
        sender: Who sent it.
    """
    form, ids = route.target.lower(), sorted(documents)
    value = {
        "source": route.source.lower(),
        "bills": [[number_in(bill), id_] for bill, id_ in bills.items()],
        "documents": ids,
        "run": run,
        "sender": sender,
    }
    await ledger.remember(Memo(NAMED, f"{form} {ids[0]}", at, value, about=form))


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """A document that an answer names, as it concerns a bill of its call.

    Attributes:
        alone: The call carried this bill alone. By number it may have carried another one that has
            lost the number since.
        bills: All that the call carried, each with its id, or "" where that is not known.
        sender: Who sent it; "" where an earlier version has written it down.
    """

    alone: bool
    bills: Mapping[BillNumber, str]
    sender: str


async def named_of(
    ledger: Ledger,
    route: Route,
    scope: str,
    bills: Mapping[BillNumber, str],
    run: RunId | None = None,
) -> dict[BillNumber, dict[str, NamedDocument]]:
    """Return the documents that answers have named of calls with bills, and no look has shown.

    If a person has settled as many other bills of the call as `pushed`, without naming documents,
    these documents belong to those bills.

    Args:
        ledger: Keeps what was named, and what was found to be of a bill since.
        route: Of which forms they are.
        scope: Whose runs count.
        bills: Each with its id, or "" where that is not known.
        run: Only its calls; None is those of all runs.

    Returns:
        By bill the documents, by id.
    """
    calls: dict[tuple[str, ...], tuple[dict[BillNumber, str], dict[str, str], set[str]]] = {}
    for call in await _calls(ledger, route):
        if call["source"] == route.source.lower() and run in {None, call.get("run")}:
            numbers = tuple(number for number, _ in call["bills"])
            carried, documents, runs = calls.setdefault(numbers, ({}, {}, set()))
            runs.add(call.get("run", ""))
            carried.update(_bills_of(call))
            documents.update(dict.fromkeys(call["documents"], call.get("sender", "")))
    found: dict[BillNumber, dict[str, NamedDocument]] = {}
    for carried, documents, runs in calls.values():
        if not (mine := _maybe_of(carried, bills)):
            continue
        made = await ledger.made_in(scope, carried)
        untied = documents.keys() - {id_ for each in made.values() for id_ in each.ids}
        # A person's word about another run is about another call.
        by_word = [each for each in made.values() if not each.ids]
        told = [each for each in by_word if "" in runs or each.run in runs]
        if len(untied) > len(told):
            for bill in mine:
                alone = len(carried) == 1 and is_among(carried, bill, bills[bill])
                found.setdefault(bill, {}).update(
                    {id_: NamedDocument(alone, carried, documents[id_]) for id_ in untied}
                )
    return found


@dataclass(frozen=True, slots=True)
class NamedCall:
    """A call whose answer names documents that no look has shown as made from its bills.

    Attributes:
        at: When that was written down.
        run: Whose call it was; "" where an earlier version has written it down.
        sender: Who sent it; likewise.
        bills: All that it carried.
        documents: Those that have not been given to a row since.
    """

    at: datetime
    run: str
    sender: str
    bills: Collection[BillNumber]
    documents: Sequence[str]


async def named_and_untied(
    ledger: Ledger, route: Route, scope: str, *, since: datetime
) -> list[NamedCall]:
    """Return the calls whose answers have named documents that no look has shown.

    Args:
        ledger: Keeps what was named, and what was found to be of a bill since.
        route: Of which forms they are.
        scope: Whose runs count.
        since: What was named earlier is left out.
    """
    found = []
    for memo in await _memos(ledger, route):
        value = memo.value
        if memo.at >= since and value["source"] == route.source.lower():
            bills = _bills_of(value)
            made = await ledger.made_in(scope, bills)
            tied = {id_ for each in made.values() for id_ in each.ids}
            left = [id_ for id_ in value["documents"] if id_ not in tied]
            run, sender = value.get("run", ""), value.get("sender", "")
            found += [NamedCall(memo.at, run, sender, [*bills], left)] if left else []
    return found


async def named_for_others(
    ledger: Ledger, route: Route, found: Targets, ids: Mapping[BillNumber, str]
) -> dict[BillNumber, frozenset[str]]:
    """Return, by bill, documents that an answer has named for a call without that bill.

    Args:
        ledger: Keeps what was named.
        route: Of which forms they are.
        found: Documents by source number.
        ids: Ids of bills, as far as they are known.
    """
    if not found:
        return {}
    calls = {
        document: _bills_of(call) if call["source"] == route.source.lower() else {}
        for call in await _calls(ledger, route)
        for document in call["documents"]
    }
    others = {
        bill: frozenset(
            target.id
            for target in targets
            if target.id in calls and not is_among(calls[target.id], bill, ids.get(bill, ""))
        )
        for bill, targets in found.items()
    }
    return {bill: theirs for bill, theirs in others.items() if theirs}


async def rows_of_others(
    ledger: Ledger, scope: str, document: Target, carried: Mapping[BillNumber, str]
) -> list[tuple[RunId, Row]]:
    """Return the rows of a scope that name a document, and are of bills that a call did not carry.

    Args:
        ledger: All its rows are looked through.
        scope: Whose runs count.
        document: The document.
        carried: What the call carried, each with its id, or "" where that is not known.
    """
    found = []
    if not document.number:
        return []
    for of, row in await ledger.find_rows(document.number, limit=EVERY_ROW):
        holds = document.id in {target.id for target in row.targets}
        if holds and not is_among(carried, row.bill, row.source_id):
            run = await ledger.run(of)
            if run is not None and run.scope == scope:
                found.append((of, row))
    return found


def taken_by(document: Target, run: RunId, row: Row) -> str:
    """Tell of another bill's row that names a document which an answer gives to this one."""
    return remark("note.taken", document=document.label, bill=row.label, run=run)


async def named_by_answers(ledger: Ledger, run: RunId, bill: BillNumber) -> set[str]:
    """Return the documents that answers to the calls of a run with a bill name."""
    named: set[str] = set()
    for kept in await attempts_under(ledger, run, bill):
        verdict = verdict_of(kept)
        if isinstance(verdict, InDoubt | ReadBack) and verdict.said is not None:
            named.update(target.id for target in verdict.said.named)
    return named


def is_among(carried: Mapping[BillNumber, str], bill: BillNumber, id_: str) -> bool:
    """Say whether a bill is one of those that a call carried: its id tells, where it is known.

    Args:
        carried: These, each with its id, or "" where that is not known.
        bill: What it is called.
        id_: Its id, or "" where that is not known.
    """
    id_ = id_ or id_in(bill)
    # As a rule it is called as it was then: a long call is not searched for each of its bills.
    other = carried.get(bill)
    if other is not None and (not id_ or other in {"", id_}):
        return True
    return any(
        id_ == other if id_ and other else number_in(bill) == number_in(each)
        for each, other in carried.items()
    )


def _maybe_of(
    carried: Mapping[BillNumber, str], bills: Mapping[BillNumber, str]
) -> list[BillNumber]:
    """Return the bills that a call may have carried: by their ids, or by the numbers alone."""
    numbers, ids = {number_in(each) for each in carried} - {""}, {*carried.values()} - {""}
    return [bill for bill, id_ in bills.items() if number_in(bill) in numbers or id_ in ids]


def _bills_of(call: Mapping[str, Any]) -> dict[BillNumber, str]:
    return {key_of(number, id_): id_ for number, id_ in call["bills"]}


async def _calls(ledger: Ledger, route: Route) -> list[Mapping[str, Any]]:
    """Return what is written down of calls, the newest first."""
    return [memo.value for memo in await _memos(ledger, route)]


async def _memos(ledger: Ledger, route: Route) -> Sequence[Memo]:
    return await ledger.memos(NAMED, about=route.target.lower(), limit=ALL)
