"""Which bills a route selects, asked of the ERP's source form. Nothing is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from k3push.core.model import Route, id_in, key_of
from k3push.core.protocol.selection import Selected, Selection
from k3push.ports import Erp, Ledger
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.lookup.retried_reads import Waiter
from k3push.runs.lookup.source_lookup import look_at_selected
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop


@dataclass(frozen=True, slots=True)
class SelectContext:
    """What bills are selected with. Fulfils `retried_reads.ReadContext`.

    Attributes:
        worked: Forms of which a read has succeeded.
        lengths: How many numbers questions may name.
    """

    route: Route
    erp: Erp
    limits: PushLimits
    stop: Stop
    watch: Waiter
    worked: set[str] = field(default_factory=set)
    lengths: QuestionLengths = field(default_factory=QuestionLengths)

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Do nothing: the look itself waits, and nothing is sent that could be spared."""


@dataclass(frozen=True, slots=True)
class Selecting:
    """What a selection has come to.

    Attributes:
        count: Bills that were taken.
        more: More than the selection's `max_count` are there.
        lacking: Fields of the selection that the form lacks.
        passed: Bills that have their documents, and for which `max_count` left no place.
    """

    count: int
    more: bool = False
    lacking: Collection[str] = ()
    passed: int = 0


Take = Callable[[Sequence[Selected]], Awaitable[None]]
"""Takes bills, in the order of their ids."""

HaveDocuments = Callable[[Sequence[Selected]], Awaitable[Collection[str]]]
"""Says which of some bills have their documents, by their ids."""


async def none_have(_: Sequence[Selected]) -> Collection[str]:
    """Say of all bills that they are to be pushed, whatever there is of them."""
    return ()


def as_ledger_says(ledger: Ledger, scope: str) -> HaveDocuments:
    """Return what says which bills runs of a scope have pushed, or have found pushed."""

    async def have(bills: Sequence[Selected]) -> Collection[str]:
        asked = {key_of(bill.number, bill.id): bill.id for bill in bills if bill.number}
        return {id_in(key) for key in await ledger.made_in(scope, asked, or_found=True)}

    return have


async def select_bills(
    context: SelectContext,
    selection: Selection,
    *,
    today: date,
    take: Take,
    have: HaveDocuments = none_have,
) -> Selecting:
    """Read the bills that a selection names to their end, or up to its `max_count`.

    Where a pair writes back when its documents are approved, a pushed bill is selected until then.
    Such bills would fill `max_count` night after night; so bills that have documents come last,
    and take no more than the places that are left.

    Args:
        context: What to look with.
        selection: Which bills.
        today: What days are counted from.
        take: Takes them.
        have: Which of them have their documents.

    Raises:
        LookFailedError: Some page could not be read whole, so that what was taken is no list.
        ErpUnreachableError: Nothing answered.
        LoginRefusedError: No session could be opened.
    """
    count, after, passed = 0, "0", 0
    last: list[Selected] = []
    while True:
        page = await look_at_selected(context, selection, today=today, after=after)
        having = await have(page.bills) if page.bills else ()
        to_push = [bill for bill in page.bills if bill.id not in having]
        taken = to_push[: selection.max_count - count]
        if taken:
            await take(taken)
        count += len(taken)
        last += [bill for bill in page.bills if bill.id in having]
        passed += max(0, len(last) - (selection.max_count - count))
        del last[selection.max_count - count :]
        more = len(taken) < len(to_push)
        if more or not page.bills:
            if last:
                await take(last)
            return Selecting(count + len(last), more, page.lacking, passed)
        after = page.bills[-1].id
