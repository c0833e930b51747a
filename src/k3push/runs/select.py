"""Which bills a route selects, asked of the ERP's source form. Nothing is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from k3push.core.model import Route
from k3push.core.protocol.selection import Selected, Selection
from k3push.ports import Erp
from k3push.runs.context import PushPace
from k3push.runs.lookup import Waiter, look_at_selected
from k3push.runs.stop import Stop


@dataclass(frozen=True, slots=True)
class SelectContext:
    """What bills are selected with. Fulfils `lookup.Reader`.

    Attributes:
        worked: Forms of which a read has succeeded.
    """

    route: Route
    erp: Erp
    pace: PushPace
    stop: Stop
    watch: Waiter
    worked: set[str] = field(default_factory=set)

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Do no more than wait with the look itself: nothing is sent."""


@dataclass(frozen=True, slots=True)
class Selecting:
    """What a selection has come to.

    Attributes:
        count: Bills that were taken.
        more: More than the selection's `max_count` are there.
        lacking: Fields of the selection that the form lacks.
    """

    count: int
    more: bool = False
    lacking: Collection[str] = ()


Take = Callable[[Sequence[Selected]], Awaitable[None]]
"""Takes bills, in the order of their ids."""


async def select_bills(
    context: SelectContext, selection: Selection, *, today: date, take: Take
) -> Selecting:
    """Read the bills that a selection names to their end, or up to its `max_count`.

    Raises:
        LookFailedError: Some page could not be read whole, so that what was taken is no list.
        ErpUnreachableError: Nothing answered.
        LoginRefusedError: No session could be opened.
    """
    count, after = 0, "0"
    while True:
        page = await look_at_selected(context, selection, today=today, after=after)
        taken = page.bills[: selection.max_count - count]
        if taken:
            await take(taken)
        count += len(taken)
        if not page.bills or len(taken) < len(page.bills):
            return Selecting(count, more=bool(page.bills), lacking=page.lacking)
        after = page.bills[-1].id
