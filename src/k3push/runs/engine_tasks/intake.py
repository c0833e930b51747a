"""Planned rows into the backlog: read ahead of the sending, and looked at on the source form.

Which bill a row means now says `line_bills`; what an earlier sending of this run may have made of
it, `earlier_sendings`. What is not sent comes to its end here: it is not there, cannot be pushed as
it is now, or has a target already (rule 3). What was in doubt once, or broke its call, waits behind
the others. No more is taken in than `--limit` allows.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from hashlib import blake2b

import anyio

from k3push.core.control_words import Key
from k3push.core.model import (
    ABSENT,
    BillNumber,
    Chunk,
    Outcome,
    Row,
    State,
    key_of,
    number_in,
)
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.chunking import apart, halve
from k3push.core.safety.conclusion import DROPPED
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import InHand
from k3push.runs.context import Context
from k3push.runs.documents.late_calls import told_of_late_calls
from k3push.runs.documents.own_documents import named_there
from k3push.runs.documents.there_already import there_already
from k3push.runs.engine_tasks.earlier_sendings import attempts_of, made_before, remember
from k3push.runs.engine_tasks.line_bills import look_at_sources, name_rows
from k3push.runs.kept_in_ledger.kept_attempts import rows_under, sent_by, sent_under
from k3push.runs.lookup.source_check import unsendable
from k3push.runs.other_calls.earlier_calls import (
    hear_in_front,
    wait_for_call_s,
    was_in_doubt,
    was_refused,
)
from k3push.runs.other_calls.held_numbers import HeldNumbers, claim
from k3push.runs.other_calls.left_to_others import is_free, is_left
from k3push.runs.proof.unclear_documents import SHARED
from k3push.runs.wakeup import Wakeup

# Numbers that are looked at before anything is known of how fast they leave.
MOST_READY = 2000


class Intake:
    """Feeds the backlog of one execution.

    Attributes:
        fed: All planned rows that may be taken up have been read.
        coming: Planned rows that have not been read yet.
        busy: How many looks are under way at rows that are in no other list meanwhile.
        _settled: Bills in doubt at the beginning that were found absent since.
        _moved: Bills whose numbers were another bill's when this run sent them.
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
        self.coming = 0
        self.busy = 0
        self._context = context
        self._backlog = backlog
        self._held = held
        self._wakeup = wakeup
        self._doubted = doubted
        context.uncounted.update(doubted)
        self._settled: set[BillNumber] = set()
        self._moved: set[BillNumber] = set()

    async def feed(self) -> None:
        """Read planned rows, and ask the source form for their bills, ahead of the sending.

        Where a limit is set, what was left to another run comes behind the others.
        """
        context = self._context
        place = 0
        last = math.inf if context.chosen is None else max(context.chosen, default=0)
        planned = (await context.ledger.counts(context.run.id)).get(State.PLANNED, 0)
        self.coming = int(min(context.left, planned))
        aside: list[Row] = []
        began = context.clock.now()

        def drawn(row: Row) -> bytes:
            """Return a sort key that each look draws anew: a fixed one would skip the same rows."""
            return blake2b(f"{began} {row.bill}".encode()).digest()

        while place < last and not context.stop.asked:
            page = context.throttle.looks_at_once * MOST_NUMBERS
            rows = await context.ledger.rows(
                context.run.id, states={State.PLANNED}, after=place, limit=page
            )
            context.cut = context.cut or (bool(rows) and not context.left)
            if not rows or not context.left:
                break
            place = rows[-1].place
            rows = [row for row in rows if row.bill not in self._doubted]
            if context.chosen is not None:
                rows = [row for row in rows if row.place in context.chosen]
            if context.left < math.inf:
                most, mine = int(context.left), [row for row in rows if not is_left(row)]
                aside += (row for row in rows if is_left(row))
                context.cut = context.cut or len(mine) > most or len(aside) > MOST_READY
                if len(aside) > MOST_READY:
                    aside = sorted(aside, key=drawn)[:MOST_READY]
                rows = mine[:most]
                self._count(rows)
            await self.take_in(rows)
            self.coming = max(0, self.coming - len(rows))
            self._wakeup.notify()
            while self._backlog.waiting >= self._ahead() and not context.stop.asked:
                await self._wakeup.wait()
        context.cut = context.cut or len(aside) > context.left
        if aside and context.left and not context.stop.asked:
            # What is free since comes before what may be left to another run still.
            waits = {row.place: not await is_free(context.ledger, row) for row in aside}
            aside.sort(key=lambda row: (waits[row.place], drawn(row)))
            del aside[int(context.left) :]
            self._count(aside)
            await self.take_in(aside)
        self.coming = 0
        self.fed = True
        self._wakeup.notify()

    def admitted(self, bills: Sequence[BillNumber]) -> tuple[BillNumber, ...]:
        """Return which of some bills that were in doubt may be sent: a limit counts these as well.

        The others stay planned, and so do all where a person has named others.
        """
        context = self._context
        new = [b for b in bills if b in self._doubted and b not in self._settled]
        if context.chosen is not None:
            return tuple(bill for bill in bills if bill not in self._doubted)
        over = set(new[int(min(len(new), context.left)) :])
        context.left -= len(new) - len(over)
        context.cut = context.cut or bool(over)
        context.uncounted.difference_update(bill for bill in new if bill not in over)
        self._settled.update(new)
        return tuple(bill for bill in bills if bill not in over)

    def _count(self, rows: Sequence[Row]) -> None:
        self._context.left -= len(rows)
        self._context.counted.update(row.place for row in rows)

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

    async def changed_among(self, bills: Sequence[BillNumber]) -> set[BillNumber]:
        """Look again at the sources of bills that have waited long, right before they leave.

        A window or a pause may have kept them for hours: a bill may be unapproved meanwhile, or
        entered anew, or share its number with a new one.

        Returns:
            Those that are not as they were; they are taken in anew, or come to their end.
        """
        context, now_s = self._context, self._context.awake_s
        old = context.unseen_for_long(bills)
        if not old:
            return set()
        lines = {key_of(number_in(bill), context.id_of(bill)): bill for bill in old}
        looked = await look_at_sources(context, list(lines))
        if context.stop.asked:
            return set(bills)
        known, outcomes = unsendable(context.route, lines, looked)
        context.looked_s.update(dict.fromkeys(old, now_s))
        changed = {
            bill
            for line, bill in lines.items()
            if outcomes[line] is not None
            or known[line].id != context.source_ids.get(bill, known[line].id)
        }
        if changed:
            rows = [row for bill in sorted(changed) for row in await self._rows_of(bill)]
            await self.take_in(rows)
        return changed

    async def _rows_of(self, bill: BillNumber) -> list[Row]:
        """Return the planned row of a bill in this run."""
        rows = await rows_under(self._context.ledger, self._context.run.id, bill)
        return [row for row in rows if row.state is State.PLANNED]

    async def _take_in(self, rows: Sequence[Row]) -> None:
        context, run = self._context, self._context.run.id
        named = await name_rows(context, rows, self._moved)
        await self._conclude(named.unsent, named.rows, named.crossed)
        # By chunk and call: each row's wait ends at a moment of its own, however little apart.
        suspects: dict[tuple[int, int], list[BillNumber]] = {}
        due: dict[tuple[int, int], float] = {}
        # After a resume nobody knows when the call broke, so the whole wait counts from now.
        later_s = anyio.current_time() + context.settle.first_wait_s
        calls = {
            bill: await sent_under(context.ledger, run, bill) if row.attempts else []
            for row, bill in named.sendable
        }
        waiting = [calls[bill] for row, bill in named.sendable if row.code != ABSENT]
        await hear_in_front(context, [sent[-1] for sent in waiting if sent])
        for row, bill in named.sendable:
            sent = calls[bill]
            self._note_earlier(row, bill)
            mine = await attempts_of(context, bill) if sent else []
            if row.code == SHARED and not mine and not self._context.repeats_pushes:
                # It was held back because documents are there that may be its own. So every
                # attempt that has left counts, whatever came of it.
                mine = await sent_by(context.ledger, run, bill)
            broke = bool(mine) and was_refused(mine[-1])
            if mine:
                before = remember(context, bill, mine)
                if any(map(was_in_doubt, mine)):
                    # The call may be carried out after all, long after its window.
                    context.suspects.setdefault(bill, before)
            # A number waits if looks may still show what its last call made; also if a person has
            # planned it again while that call may be at work. A number with the code `absent` need
            # not wait: looks have settled it after its window.
            waits = sent and row.code != ABSENT
            left_s = wait_for_call_s(context, sent[-1]) if waits else 0.0
            due_s = anyio.current_time() + left_s if left_s else 0.0
            if row.code == DROPPED:
                self._backlog.put_last(Chunk(0, (bill,), alone=True), max(due_s, later_s))
            elif due_s or broke or row.code == ABSENT:
                group = (row.chunk, sent[-1].attempt.id if due_s else 0)
                suspects.setdefault(group, []).append(bill)
                due[group] = max(due.get(group, 0.0), due_s)
            else:
                self._backlog.add([bill])
        for group, together in suspects.items():
            for part in halve(together):
                self._backlog.put_last(Chunk(0, part), due[group])

    def _note_earlier(self, row: Row, bill: BillNumber) -> None:
        """Know what earlier executions have done with a bill."""
        if row.attempts:
            self._context.sent_earlier.add(bill)
        if row.code == ABSENT:
            self._context.absent.add(bill)

    async def _conclude(
        self,
        unsent: Sequence[Outcome],
        rows: Mapping[BillNumber, Row],
        crossed: Collection[BillNumber],
    ) -> None:
        """Bring bills to their end that are not sent, and say what is there already.

        Args:
            unsent: Why not.
            rows: Of those that have a name, by what they are called.
            crossed: Whose number and id are not one bill's.
        """
        context = self._context
        unsent = await self._but_held(unsent, rows)
        unsent = await made_before(context, unsent, rows, self._moved)
        if unsent and not context.run.again_because:
            told = context.with_ids(outcome.number for outcome in unsent)
            made = await context.ledger.made_of(context.run.id, told)
            named = partial(named_there, context)
            there = await there_already(context, unsent, made, contradictory=crossed, named=named)
            unsent = await told_of_late_calls(context, there)
        if unsent:
            await context.ledger.conclude(context.run.id, unsent, at=context.clock.now())
            context.watch.concluded(unsent, left=State.PLANNED)
            context.forget(unsent)

    async def _but_held(
        self, refused: Sequence[Outcome], rows: Mapping[BillNumber, Row]
    ) -> list[Outcome]:
        """Leave out bills that another run has on its way or in doubt: they wait for that run.

        Their sources may be closed for what that run has made of them.
        """
        context = self._context
        # Where another bill of the number is on its way, this run has claimed it, and needs to.
        bills = self._backlog.reserve(o.number for o in refused if o.number in rows)
        held: dict[BillNumber, InHand] = {}
        try:
            for part in apart(bills, number_in):
                held |= await claim(context, part)
        finally:
            self._backlog.release(bills)
            self._wakeup.notify()
        self._held.add(held)
        self._held.blocked.update({number: rows[number] for number in held})
        return [outcome for outcome in refused if outcome.number not in held]
