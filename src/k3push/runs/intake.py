"""Planned rows into the backlog: read ahead of the sending, and looked at on the source form.

What is not sent comes to its end here: it is not there, cannot be pushed as it is now, or has a
target already (rule 3). What was in doubt once, or broke its call, waits behind the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import anyio

from k3push.core.control_words import Key
from k3push.core.model import BillNumber, NeverSent, Outcome, Row, State, id_in, number_in
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.chunking import apart, halve, split
from k3push.core.safety.evidence import DROPPED, made_outcome
from k3push.core.safety.matching import MOST_NUMBERS
from k3push.core.safety.verdict import InDoubt, ReadBack, judge
from k3push.ports import AttemptRecord, Holder
from k3push.runs.context import Context
from k3push.runs.held_numbers import HeldNumbers
from k3push.runs.lookup import look_at_targets
from k3push.runs.settle import ABSENT
from k3push.runs.source_check import (
    SourceLook,
    look_at_listed,
    renamed,
    there_already,
    unsendable,
)
from k3push.runs.stop import guarded
from k3push.runs.wakeup import Wakeup

# Numbers that are looked at before anything is known of how fast they leave.
MOST_READY = 2000


class Intake:
    """Feeds the backlog of one execution.

    Attributes:
        fed: All planned rows that may be taken up have been read.
        cut: The limit has left planned rows out.
        coming: Planned rows that have not been read yet.
        busy: How many looks are under way at rows that are in no other list meanwhile.
    """

    def __init__(
        self,
        context: Context,
        backlog: Backlog,
        held: HeldNumbers,
        wakeup: Wakeup,
        doubted: frozenset[BillNumber],
    ) -> None:
        """Begin with nothing read.

        Args:
            context: The execution.
            backlog: Is fed.
            held: Takes what another run has claimed.
            wakeup: Is told when there is more to send, and tells when there is less.
            doubted: Numbers that were in doubt at the beginning; settling feeds these.
        """
        self.fed = False
        self.cut = False
        self.coming = 0
        self.busy = 0
        self._context = context
        self._backlog = backlog
        self._held = held
        self._wakeup = wakeup
        self._doubted = doubted

    async def feed(self) -> None:
        """Read planned rows, and ask the source form for their bills, ahead of the sending."""
        context = self._context
        place = 0
        left = math.inf if context.pace.limit is None else context.pace.limit
        planned = (await context.ledger.counts(context.run.id)).get(State.PLANNED, 0)
        self.coming = int(min(left, planned))
        while not context.stop.asked:
            page = context.throttle.looks_at_once * MOST_NUMBERS
            rows = await context.ledger.rows(
                context.run.id, states={State.PLANNED}, after=place, limit=page
            )
            self.cut = bool(rows) and not left
            if not rows or not left:
                break
            rows = rows[: int(min(left, page))]
            place = rows[-1].place
            left -= len(rows)
            await self.take_in([row for row in rows if row.bill not in self._doubted])
            self.coming = max(0, self.coming - len(rows))
            self._wakeup.notify()
            while self._backlog.waiting >= self._ahead() and not context.stop.asked:
                await self._wakeup.wait()
        self.coming = 0
        self.fed = True
        self._wakeup.notify()

    def _ahead(self) -> int:
        """Return how many numbers are to wait: enough to give each call its next chunk."""
        throttle = self._context.throttle
        return max(MOST_READY, 2 * throttle[Key.CONCURRENCY] * throttle[Key.CHUNK_SIZE])

    async def take_in(self, rows: Sequence[Row]) -> None:
        """Put bills into the backlog that may be sent; what was in doubt waits behind the others.

        Rows that are not sent come to their end here (rule 3).
        """
        self.busy += 1
        try:
            await self._take_in(rows)
        finally:
            self.busy -= 1

    async def _take_in(self, rows: Sequence[Row]) -> None:
        context = self._context
        sendable = await self._sendable(rows)
        suspects: dict[tuple[int, float], list[BillNumber]] = {}
        # A run that is resumed knows no better when what broke its call may be shown.
        later_s = anyio.current_time() + context.settle.first_wait_s
        for row, bill in sendable:
            mine = await self._attempts_of(bill) if row.attempts else []
            if mine:
                before = self._remember(bill, mine)
                if any(map(_was_in_doubt, mine)):
                    # The call may be carried out after all, long after its window.
                    context.suspects.setdefault(bill, before)
            broke = _has_broken(mine)
            if row.code == DROPPED:
                self._backlog.add_suspect((bill,), alone=True, due_s=later_s)
            elif broke or row.code == ABSENT:
                suspects.setdefault((row.chunk, later_s if broke else 0.0), []).append(bill)
            else:
                self._backlog.add([bill])
        for (_, due_s), together in suspects.items():
            for part in halve(together):
                self._backlog.add_suspect(part, due_s=due_s)

    async def _sendable(self, rows: Sequence[Row]) -> list[tuple[Row, BillNumber]]:
        """Return the rows that may be sent, each with its bill."""
        context = self._context
        by_line = {row.listed: row for row in rows}
        looked = await self._sources_of(list(by_line))
        if context.stop.asked:
            return []
        known, outcomes = unsendable(context.route, by_line, looked)
        for repeat in await context.ledger.identify(context.run.id, known):
            outcomes.pop(repeat.number, None)
        known = {line: known[line] for line in known if line in outcomes}
        bills = {line: _called(by_line[line], known[line].bill) for line in known}
        for line, named in known.items():
            context.source_ids[bills[line]] = named.id
            if id_in(named.bill) and not id_in(bills[line]):
                outcomes[line] = renamed(bills[line])
            elif by_line[line].listed_id:
                context.ids[bills[line]] = by_line[line].source_id or named.id
        by_bill = {bills[line]: by_line[line] for line in bills}
        unsent = [outcome for outcome in outcomes.values() if outcome is not None]
        unsent = await self._but_held(unsent, by_bill)
        unsent = await self._made_before(unsent, by_bill)
        if unsent and not context.run.again_because:
            made = await context.ledger.made_of(
                context.run.id, [outcome.number for outcome in unsent]
            )
            unsent = await there_already(context, unsent, made)
        if unsent:
            await context.ledger.conclude(context.run.id, unsent, at=context.clock.now())
            context.watch.concluded(unsent)
            context.forget(unsent)
        return [(by_line[n], bills[n]) for n, outcome in outcomes.items() if outcome is None]

    async def _attempts_of(self, bill: BillNumber) -> list[AttemptRecord]:
        """Return what this run has sent of a bill and may have made something, the first first."""
        context = self._context
        kept = [
            each
            for each in await context.ledger.attempts_of(bill)
            if each.attempt.intent.run == context.run.id
        ]
        left = [each for each in kept if not isinstance(each.exchange, NeverSent)]
        # Where a bill may have several documents, whose a new one is cannot be told by time.
        return [each for each in left if context.repeats_pushes or _may_have_made(each)]

    def _remember(self, bill: BillNumber, mine: Sequence[AttemptRecord]) -> frozenset[str]:
        """Return which documents of a bill were there before this run first sent it."""
        before = mine[0].attempt.intent.before.get(bill, ())
        return self._context.sent_before.setdefault(bill, frozenset(before))

    async def _made_before(
        self, refused: Sequence[Outcome], rows: Mapping[BillNumber, Row]
    ) -> list[Outcome]:
        """Find what an earlier sending of this run has made of bills that are about to be refused.

        A session may be denied after the work, and the source closed for what was made.
        """
        context = self._context
        numbers = [each.number for each in refused if each.number in rows]
        numbers = [number for number in numbers if rows[number].attempts]
        if not numbers or not context.reads_back:
            return list(refused)
        seen = await look_at_targets(context, numbers, by_all=True)
        found: dict[BillNumber, Outcome] = {}
        for number in numbers:
            if not (mine := await self._attempts_of(number)):
                continue
            before = self._remember(number, mine)
            made = [each for each in seen.targets.get(number, ()) if each.id not in before]
            if made:
                found[number] = made_outcome(number, made)
                context.suspects.setdefault(number, before)
        return [found.get(each.number, each) for each in refused]

    async def _but_held(
        self, refused: Sequence[Outcome], rows: Mapping[BillNumber, Row]
    ) -> list[Outcome]:
        """Leave out bills that another run has on its way or in doubt: they wait for that run.

        Their sources may be closed for what that run has made of them.
        """
        context = self._context
        bills = [outcome.number for outcome in refused if outcome.number in rows]
        held: dict[BillNumber, Holder] = {}
        for part in apart(bills, number_in):
            held |= await context.ledger.claim(context.run.id, part)
        self._held.add(held)
        self._held.blocked.update({number: rows[number] for number in held})
        return [outcome for outcome in refused if outcome.number not in held]

    async def _sources_of(self, lines: Sequence[BillNumber]) -> SourceLook:
        """Look at the source form, a page's questions side by side; not all where a stop comes."""
        context = self._context
        looked = SourceLook()

        async def look(part: Sequence[BillNumber]) -> None:
            looked.add(await look_at_listed(context, part))

        async with anyio.create_task_group() as looks:
            for part in split(lines, MOST_NUMBERS):
                looks.start_soon(guarded, context.stop, partial(look, part))
        return looked


def _called(row: Row, bill: BillNumber) -> BillNumber:
    """Return what a bill is called in this run: one that was sent keeps its name."""
    return row.bill if row.attempts else bill


def _may_have_made(kept: AttemptRecord) -> bool:
    """Say whether an attempt that has left may have made more of a planned number than is known.

    What an answer of success names is known of whom it is.
    """
    verdict = judge(kept.exchange) if kept.exchange else None
    if not isinstance(verdict, ReadBack):
        return True
    return verdict.twice or (verdict.said.acted and not verdict.said.names_all)


def _was_in_doubt(kept: AttemptRecord) -> bool:
    """Say whether nobody could know at first what became of an attempt."""
    return kept.exchange is None or isinstance(judge(kept.exchange), InDoubt)


def _has_broken(attempts: Sequence[AttemptRecord]) -> bool:
    """Say whether the last of these calls broke on the server (rule 5)."""
    if not attempts or attempts[-1].exchange is None:
        return False
    verdict = judge(attempts[-1].exchange)
    return isinstance(verdict, ReadBack) and verdict.twice
