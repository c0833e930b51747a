"""What a run of a job would do, number by number. The ERP is asked, and nothing is sent.

The forms are read with the same functions as before a sending (`lookup`), a page at a time,
so that a plan and a run cannot disagree on what they see. Of all numbers only the ERP's
spellings are kept, to know repeats.
"""

from __future__ import annotations

import math
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from itertools import chain

import anyio
import anyio.to_thread

from k3push.core.model import (
    HELD,
    BillNumber,
    Identified,
    Listed,
    Outcome,
    Route,
    RunId,
    Sighting,
    State,
    Targets,
    id_in,
    key_of,
    number_in,
)
from k3push.core.pacing.chunking import split
from k3push.core.pacing.expected_time import Measured
from k3push.core.plan import Forecast, Foreseen, busy_seconds
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import OPEN
from k3push.core.safety.links_found import Links
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import Erp, Ledger, Made
from k3push.runs.create import JobSource, next_lines
from k3push.runs.documents.there_already import already, by_ledger, ours_of_shared, there_already
from k3push.runs.kept_in_ledger.row_pages import pages_of
from k3push.runs.lookup.link_discovery import find_links
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.lookup.retried_reads import Waiter
from k3push.runs.lookup.source_check import look_at_listed, query_refused, unsendable
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.proof.named_documents import named_for_others
from k3push.runs.proof.told_by_answers import by_answers
from k3push.runs.proof.unclear_documents import unclear
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop, stopping

# A plan of a long list takes minutes, and meanwhile other runs come to doubts and to their ends.
HELD_KEEPS_S = 5.0


@dataclass(slots=True)
class HeldByOthers:
    """Numbers that another run has sent and whose answer it does not have, as of late.

    Attributes:
        ask: Asks the ledger which, and by which run; None where there is no ledger.
    """

    ask: Callable[[], Awaitable[Mapping[BillNumber, RunId]]] | None = None
    _known: Mapping[BillNumber, RunId] = field(default_factory=dict)
    _asked_s: float = -math.inf
    _asking: anyio.Lock = field(default_factory=anyio.Lock)

    async def now(self) -> Mapping[BillNumber, RunId]:
        """Return them; the ledger is asked again after some seconds, by one of many pages."""
        if self.ask is not None:
            async with self._asking:
                if anyio.current_time() - self._asked_s > HELD_KEEPS_S:
                    self._known, self._asked_s = await self.ask(), anyio.current_time()
        return self._known


@dataclass(frozen=True, slots=True)
class ForecastContext:
    """What the numbers of one route are looked at with. Fulfils `looker.Looker`.

    Attributes:
        held: What other runs have sent and have no answer for.
        ledger: Knows what was made of bills; None where there is none.
        scope: Whose runs count in it.
        again: A person wants numbers pushed that have a target.
        worked: Forms of which a read has succeeded.
        lengths: How many numbers questions may name.
        source_ids: Internal ids of bills that were read from the source form.
        links: What is known of the target form's links.
    """

    route: Route
    erp: Erp
    limits: PushLimits
    stop: Stop
    watch: Waiter
    held: HeldByOthers = field(default_factory=HeldByOthers)
    ledger: Ledger | None = None
    scope: str = ""
    again: bool = False
    worked: set[str] = field(default_factory=set)
    lengths: QuestionLengths = field(default_factory=QuestionLengths)
    source_ids: dict[BillNumber, str] = field(default_factory=dict)
    links: Links = field(default_factory=Links)

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Do no more than wait with the look itself: nothing is sent."""

    def knowing(self, source_ids: Mapping[BillNumber, str]) -> ForecastContext:
        """Return what looks the same, and knows ids of bills beside those that this one knows."""
        return replace(self, source_ids={**source_ids, **self.source_ids})

    async def made_of_namesakes(
        self, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return what the ledger has made of other bills of the same numbers."""
        return await self.ledger.made_of_namesakes(self.scope, bills) if self.ledger else {}

    async def named_for_others(self, found: Targets) -> Mapping[BillNumber, frozenset[str]]:
        """Return documents of bills that an answer names for a call without that bill."""
        if self.ledger is None:
            return {}
        return await named_for_others(self.ledger, self.route, found, self.source_ids)

    async def links_outweigh(self) -> bool:
        """Return False: a plan takes each document with a bill's number for the bill's own."""
        return False

    @property
    def repeats_pushes(self) -> bool:
        """Whether a target that is there does not stop a push."""
        return self.route.allow_partial or self.again

    async def made_of(self, bills: Mapping[BillNumber, str]) -> Mapping[BillNumber, Made]:
        """Return the latest that the ledger has made of bills, each with its id or ""."""
        return await self.ledger.made_in(self.scope, bills) if self.ledger and bills else {}

    async def named_there(self, bills: Mapping[BillNumber, str]) -> Mapping[BillNumber, Outcome]:
        """Say which bills have a document by an answer alone; each bill with its id or ""."""
        if self.ledger is None or not bills:
            return {}
        return await by_answers(self, self.ledger, self.scope, bills)


async def learn_links(outlook: ForecastContext) -> ForecastContext:
    """Return an outlook on a route with what its site tells of its links."""
    found = await find_links(outlook, in_haste=True)
    outlook.links.find = outlook.links.find or found.proved
    outlook.links.absent = outlook.links.absent or found.absent
    return replace(outlook, route=found.route)


async def forecast(
    jobs: Sequence[JobSource], outlooks: Mapping[str, ForecastContext], stop: Stop, *, at_once: int
) -> AsyncIterator[list[Foreseen]]:
    """Yield what would become of each line of a job, in its order, some pages at a time.

    What ends a run ends this as well: the stop is asked with its cause, and no more comes.

    Args:
        jobs: Job files, which have been read to their ends before.
        outlooks: What to look with, by the name of the route that a line asks for.
        stop: That of the outlooks.
        at_once: Pages that are looked at side by side.
    """
    lines = chain.from_iterable(job.read() for job in jobs)
    first_lines: dict[tuple[str, BillNumber], int] = {}
    while listed := await anyio.to_thread.run_sync(next_lines, lines, at_once * MOST_NUMBERS):
        pages = split(listed, MOST_NUMBERS)
        looked = await _look_at_all(pages, outlooks, stop)
        if looked is None:
            return
        yield [_repeat_or_not(foreseen, first_lines) for foreseen in chain.from_iterable(looked)]


async def held_numbers(ledger: Ledger, scope: str) -> dict[BillNumber, RunId]:
    """Return the numbers and ids of a scope that some run has sent without an answer, and that run.

    A bill may have got another number since. An id stands as in a list (`,100002`).
    """
    held: dict[BillNumber, RunId] = {}
    for run in await ledger.runs(undone=True):
        if run.scope != scope or run.is_settled:
            continue
        counts = await ledger.counts(run.id)
        if any(counts.get(state) for state in OPEN):
            async for rows in pages_of(ledger, run, OPEN):
                held.update((number_in(row.bill), run.id) for row in rows)
                held.update((key_of("", row.source_id), run.id) for row in rows if row.source_id)
    return held


async def measured(ledger: Ledger, scope: str) -> Measured | None:
    """Return what the last run of a scope took that was long enough to tell, or None."""
    for run in reversed(await ledger.runs(last=RUNS_MEASURED)):
        counts = await ledger.counts(run.id) if run.scope == scope else {}
        made = counts.get(State.PUSHED, 0) + counts.get(State.DRAFT, 0)
        spans = await ledger.spans(run.id) if made >= LEAST_MEASURED else ()
        if seconds := busy_seconds(spans):
            return Measured(made, len(spans), seconds)
    return None


async def _look_at_all(
    pages: Sequence[Sequence[Listed]], outlooks: Mapping[str, ForecastContext], stop: Stop
) -> list[list[Foreseen]] | None:
    """Look at pages side by side; None if one of them could not be."""
    looked: dict[int, list[Foreseen]] = {}

    async def look(nth: int) -> None:
        with stopping(stop):
            looked[nth] = await _look_at(pages[nth], outlooks)

    async with anyio.create_task_group() as tasks:
        for nth in range(len(pages)):
            tasks.start_soon(look, nth)
    return None if stop.asked else [looked[nth] for nth in range(len(pages))]


async def _look_at(
    page: Sequence[Listed], outlooks: Mapping[str, ForecastContext]
) -> list[Foreseen]:
    """Look at one page at both ends, for each of its routes."""
    by_route: dict[str, dict[BillNumber, Foreseen]] = {}
    for name in dict.fromkeys(listed.route for listed in page):
        lines = dict.fromkeys(listed.key for listed in page if listed.route == name)
        by_route[name] = await _look_by(outlooks[name], list(lines))
    return [replace(by_route[one.route][one.key], line=one.line) for one in page]


async def _look_by(
    outlook: ForecastContext, lines: Sequence[BillNumber]
) -> dict[BillNumber, Foreseen]:
    """Say what would become of *lines*, wherever they stand."""
    route = outlook.route
    looked = await look_at_listed(outlook, lines)
    bills, refusals = unsendable(route, lines, looked)
    outlook.source_ids.update(bills.values())
    ids = dict(bills.values())
    sendable = [bills[n].bill for n in lines if refusals[n] is None]
    blocked = [outcome for outcome in refusals.values() if outcome is not None]
    if not outlook.again:
        known = await outlook.made_of({each.number: ids.get(each.number, "") for each in blocked})
        blocked = await there_already(
            outlook,
            blocked,
            known,
            contradictory=looked.contradictory,
            named=lambda left: outlook.named_there({bill: ids.get(bill, "") for bill in left}),
        )
    ended = {outcome.number: outcome for outcome in blocked}
    # After the look at the sources: one may be closed for what another run has in doubt.
    shown = _Shown(ended, await outlook.held.now())
    if sendable and can_ask(outlook):
        several = len(outlook.erp.users) > 1
        shown.seen = await look_at_targets(outlook, sendable, by_all=several, before_sending=True)
    if not outlook.repeats_pushes:
        unseen = {bill: ids.get(bill, "") for bill in sendable if bill not in shown.seen.targets}
        shown.made = await outlook.made_of(unseen)
        left = {bill: id_ for bill, id_ in unseen.items() if bill not in shown.made}
        shown.named = await outlook.named_there(left)
    return {line: _foreseen(outlook, line, bills.get(line, NOBODY), shown) for line in lines}


@dataclass(slots=True)
class _Shown:
    """What both forms and the ledger show of the lines of a page.

    Attributes:
        ended: What would not be sent for its source, by bill, or by line where no bill is meant.
        held: Numbers, and ids, that other runs have in doubt (`held_numbers`).
        seen: The look at the target form.
        made: What the ledger has made of bills of which that shows nothing.
        named: What answers alone tell of the others.
    """

    ended: Mapping[BillNumber, Outcome]
    held: Mapping[BillNumber, RunId]
    seen: Sighting = field(default_factory=Sighting)
    made: Mapping[BillNumber, Made] = field(default_factory=dict)
    named: Mapping[BillNumber, Outcome] = field(default_factory=dict)


def _foreseen(
    outlook: ForecastContext,
    line: BillNumber,
    known: Identified,
    shown: _Shown,
) -> Foreseen:
    """Say what would become of one line, from what both forms and the ledger show."""
    bill, seen, made = known.bill, shown.seen, shown.made.get(known.bill)
    foreseen = Foreseen(
        0,
        number_in(line),
        outlook.route.name,
        bill,
        Forecast.READY,
        listed_id=id_in(line),
        source_id=known.id,
    )
    outcome = shown.ended.get(bill or line)
    if outcome is None and bill in seen.refused:
        outcome = query_refused(bill, seen.refused[bill])
    if outcome is None and bill not in seen.targets and not outlook.repeats_pushes:
        outcome = ours_of_shared(bill, seen, made)
        outcome = outcome or unclear(outlook, bill, seen, by_id=bool(id_in(line)))
        outcome = outcome or by_ledger(bill, seen, made) or shown.named.get(bill)
    if holder := shown.held.get(number_in(bill)) or shown.held.get(key_of("", known.id)):
        reason = remark("note.held", run=holder)
        return replace(foreseen, fate=Forecast.BLOCKED, code=HELD, reason=reason)
    if outcome is not None and outcome.state is State.REJECTED:
        return replace(foreseen, fate=Forecast.BLOCKED, code=outcome.code, reason=outcome.reason)
    if outcome is None and bill in seen.targets:
        outcome = already(bill, seen.targets[bill], thin=seen.thin)
        if outlook.repeats_pushes:
            reason = outcome.reason
            return replace(foreseen, fate=Forecast.PARTLY, targets=outcome.targets, reason=reason)
    if outcome is None:
        return foreseen
    return replace(
        foreseen,
        fate=Forecast.ALREADY,
        targets=outcome.targets,
        code=outcome.code,
        reason=outcome.reason,
    )


RUNS_MEASURED = 1000
"""Runs that are looked through for one whose pace says how long the next will take."""

LEAST_MEASURED = 10
"""Numbers that tell how long others take: of one or two nobody knows what was the call's time."""

NOBODY = Identified(BillNumber(""), "")


def _repeat_or_not(foreseen: Foreseen, first_lines: dict[tuple[str, BillNumber], int]) -> Foreseen:
    key = (foreseen.route, foreseen.key)
    if key in first_lines:
        return replace(foreseen, first_line=first_lines[key])
    first_lines[key] = foreseen.line
    return foreseen
