"""Planned rows into the backlog: read ahead of the sending, and looked at on the source form.

What is not sent comes to its end here: it is not there, cannot be pushed as it is now, or has a
target already (rule 3). What was in doubt once, or broke its call, waits behind the others.
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
    Identified,
    Outcome,
    Row,
    State,
    id_in,
    key_of,
    number_in,
)
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.chunking import apart, halve, split
from k3push.core.remark import remark
from k3push.core.safety.conclusion import DROPPED, STRAY
from k3push.core.safety.matching import MOST_NUMBERS
from k3push.core.safety.target_sets import new_targets
from k3push.ports import AttemptRecord, InHand
from k3push.runs.context import Context
from k3push.runs.earlier_calls import may_have_made, wait_for_call_s, was_in_doubt, was_refused
from k3push.runs.held_numbers import HeldNumbers, claim
from k3push.runs.kept_attempts import sent_by, sent_under
from k3push.runs.last_looks import note_look, note_refused
from k3push.runs.left_to_others import is_free, is_left
from k3push.runs.moved_rows import attempts_at_another, note_moved
from k3push.runs.own_documents import named_there, ours_of, told_of_late_calls
from k3push.runs.planned_runs import is_of_plan
from k3push.runs.proof.unclear_documents import SHARED, unclear
from k3push.runs.renumbered_bills import look_at_sent
from k3push.runs.retry import attempts_before
from k3push.runs.source_check import PRECHECK, SourceLook, look_at_listed, renamed, unsendable
from k3push.runs.stop import guarded
from k3push.runs.stray_documents import bills_beside_strays
from k3push.runs.there_already import there_already
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
        self.cut = False
        self.coming = 0
        self.busy = 0
        self._context = context
        self._backlog = backlog
        self._held = held
        self._wakeup = wakeup
        self._doubted = doubted
        self._moved: set[BillNumber] = set()

    async def feed(self) -> None:
        """Read planned rows, and ask the source form for their bills, ahead of the sending.

        Where a limit is set, what was left to another run comes behind the others.
        """
        context = self._context
        place = 0
        left = math.inf if context.limits.limit is None else context.limits.limit
        planned = (await context.ledger.counts(context.run.id)).get(State.PLANNED, 0)
        self.coming = int(min(left, planned))
        aside: list[Row] = []
        began = context.clock.now()

        def drawn(row: Row) -> bytes:
            """Give each execution another order, or the same would hide the rest for ever."""
            return blake2b(f"{began} {row.bill}".encode()).digest()

        while not context.stop.asked:
            page = context.throttle.looks_at_once * MOST_NUMBERS
            rows = await context.ledger.rows(
                context.run.id, states={State.PLANNED}, after=place, limit=page
            )
            self.cut = self.cut or (bool(rows) and not left)
            if not rows or not left:
                break
            place = rows[-1].place
            if left < math.inf:
                most, mine = int(left), [row for row in rows if not is_left(row)]
                aside += (row for row in rows if is_left(row))
                self.cut = self.cut or len(mine) > most or len(aside) > MOST_READY
                if len(aside) > MOST_READY:
                    aside = sorted(aside, key=drawn)[:MOST_READY]
                rows = mine[:most]
                left -= len(rows)
            await self.take_in([row for row in rows if row.bill not in self._doubted])
            self.coming = max(0, self.coming - len(rows))
            self._wakeup.notify()
            while self._backlog.waiting >= self._ahead() and not context.stop.asked:
                await self._wakeup.wait()
        self.cut = self.cut or len(aside) > left
        if aside and left and not context.stop.asked:
            # What is free since comes before what may be left to another run still.
            waits = {row.place: not await is_free(context.ledger, row) for row in aside}
            aside.sort(key=lambda row: (waits[row.place], drawn(row)))
            await self.take_in([row for row in aside[: int(left)] if row.bill not in self._doubted])
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
        looked = await self._sources_of(list(lines))
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
        kept = await self._context.ledger.rows_of(bill)
        mine = [row for run, row in kept if run == self._context.run.id and row.bill == bill]
        return [row for row in mine if row.state is State.PLANNED]

    async def _take_in(self, rows: Sequence[Row]) -> None:
        context, run = self._context, self._context.run.id
        sendable = await self._sendable(rows)
        suspects: dict[tuple[int, float], list[BillNumber]] = {}
        # After a resume nobody knows when the call broke, so the whole wait counts from now.
        later_s = anyio.current_time() + context.settle.first_wait_s
        for row, bill in sendable:
            sent = await sent_under(context.ledger, run, bill) if row.attempts else []
            self._note_earlier(row, bill)
            mine = await self._attempts_of(bill) if sent else []
            if row.code == SHARED and not mine and not self._context.repeats_pushes:
                # It was not sent since documents are there that may be its own. So every attempt
                # that has left counts, whatever came of it.
                mine = await sent_by(context.ledger, run, bill)
            broke = bool(mine) and was_refused(mine[-1])
            if mine:
                before = self._remember(bill, mine)
                if any(map(was_in_doubt, mine)):
                    # The call may be carried out after all, long after its window.
                    context.suspects.setdefault(bill, before)
            # A number waits if looks may still show what its last call made; also if a person has
            # planned it again while that call may be at work. A number with the code `absent` need
            # not wait: looks have settled it after its window.
            left_s = wait_for_call_s(context, sent[-1]) if sent and row.code != ABSENT else 0.0
            due_s = anyio.current_time() + left_s if left_s else 0.0
            if row.code == DROPPED:
                self._backlog.add_suspect((bill,), alone=True, due_s=max(due_s, later_s))
            elif due_s or broke or row.code == ABSENT:
                suspects.setdefault((row.chunk, due_s), []).append(bill)
            else:
                self._backlog.add([bill])
        for (_, due_s), together in suspects.items():
            for part in halve(together):
                self._backlog.add_suspect(part, due_s=due_s)

    def _note_earlier(self, row: Row, bill: BillNumber) -> None:
        """Know what earlier executions have done with a bill."""
        if row.attempts:
            self._context.sent_earlier.add(bill)
        if row.code == ABSENT:
            self._context.absent.add(bill)

    async def _sendable(self, rows: Sequence[Row]) -> list[tuple[Row, BillNumber]]:
        """Return the rows that may be sent, each with its bill."""
        context = self._context
        by_line = {row.listed: row for row in rows}
        looked_s = context.awake_s
        looked = await self._sources_of(list(by_line))
        if context.stop.asked:
            return []
        known, outcomes = unsendable(context.route, by_line, looked)
        replaced = await self._replaced(by_line, known)
        outcomes |= replaced
        known = {line: known[line] for line in known if line not in replaced}
        known |= await self._known_otherwise(rows, known)
        earlier = await self._note_moved(by_line, known)
        identified = await context.ledger.identify(context.run.id, known)
        await self._note_led_away([by_line[line] for line in identified.led_away], earlier)
        for repeat in identified.repeats:
            outcomes.pop(repeat.number, None)
        for line, bill in identified.apart.items():
            known[line] = Identified(bill, known[line].id)
        known = {line: known[line] for line in known if line in outcomes}
        bills = {line: _called(by_line[line], known[line].bill) for line in known}
        for line, each in known.items():
            context.source_ids[bills[line]] = each.id
            context.looked_s[bills[line]] = looked_s
            if line in identified.led_away:
                context.source_ids[bills[line]] = by_line[line].source_id
                outcomes[line] = renamed(bills[line])
            elif id_in(each.bill) and not id_in(bills[line]):
                outcomes[line] = renamed(bills[line])
            elif by_line[line].listed_id:
                context.ids[bills[line]] = by_line[line].source_id or each.id
        # A bill keeps the name that an earlier execution gave it, even if no look finds it now.
        called = {line: bills.get(line, by_line[line].bill) or line for line in outcomes}
        with_bill = [line for line in outcomes if line in bills or by_line[line].bill]
        by_bill = {called[line]: by_line[line] for line in with_bill}
        unsent = [
            outcome._replace(number=called[line])
            for line, outcome in outcomes.items()
            if outcome is not None
        ]
        for bill in by_bill.keys() - bills.values():
            # No look shows it any more: its number may be another bill's by now.
            context.recall(by_bill[bill])
        crossed = {called.get(line, line) for line in looked.contradictory | replaced.keys()}
        await self._conclude(unsent, by_bill, crossed)
        return [(by_line[n], bills[n]) for n, outcome in outcomes.items() if outcome is None]

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
        unsent = await self._made_before(unsent, rows)
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

    async def _replaced(
        self, rows: Mapping[BillNumber, Row], known: Mapping[BillNumber, Identified]
    ) -> dict[BillNumber, Outcome]:
        """Reject lines of a plan whose number another bill has by now: nobody has agreed to that.

        Args:
            rows: By line.
            known: The bill that each line means now.
        """
        others = {
            line: rows[line].source_id
            for line, named in known.items()
            if rows[line].source_id not in {"", named.id}
        }
        if not others or not await is_of_plan(self._context.ledger, self._context.run.id):
            return {}
        return {
            line: Outcome(
                line, State.REJECTED, code=PRECHECK, reason=remark("note.replaced", id=id_)
            )
            for line, id_ in others.items()
        }

    async def _note_moved(
        self, rows: Mapping[BillNumber, Row], known: Mapping[BillNumber, Identified]
    ) -> Mapping[BillNumber, int]:
        """Write down, before they get its id, which rows are of another bill than was sent.

        Nothing that is there of that one is ours.

        Returns:
            What was written down of them until now.
        """
        context, earlier = self._context, {}
        for line, named in known.items():
            row = rows[line]
            if row.attempts and row.source_id not in {"", named.id}:
                self._moved.add(row.bill)
                context.sent_before.pop(row.bill, None)
                run, now = context.run.id, context.clock.now()
                earlier[row.bill] = await attempts_at_another(context.ledger, run, row.bill)
                await note_moved(context.ledger, run, row.bill, row.attempts, at=now)
        return earlier

    async def _note_led_away(self, rows: Sequence[Row], earlier: Mapping[BillNumber, int]) -> None:
        """Take back what is written down of rows that are of the bill that was sent, all the same.

        Their numbers have gone to bills of other rows.
        """
        for row in rows:
            self._moved.discard(row.bill)
            run, now = self._context.run.id, self._context.clock.now()
            attempts = earlier.get(row.bill, 0)
            await note_moved(self._context.ledger, run, row.bill, attempts, at=now)

    async def _known_otherwise(
        self, rows: Sequence[Row], known: Mapping[BillNumber, Identified]
    ) -> dict[BillNumber, Identified]:
        """Return the lines of which this look shows no bill, and that call one of another line.

        A bill may have got another number between two questions. What is told of the line would
        be told of the other.
        """
        of_others = {each.bill: each for each in known.values()}
        lost: dict[BillNumber, Identified] = {}
        for row in rows:
            if row.bill or row.listed in known:
                continue
            if row.listed in of_others:
                lost[row.listed] = of_others[row.listed]
                continue
            kept = await self._context.ledger.rows_of(row.listed)
            for run, other in kept:
                if run == self._context.run.id and other.bill == row.listed:
                    lost[row.listed] = Identified(other.bill, other.source_id)
        return lost

    async def _attempts_of(self, bill: BillNumber) -> list[AttemptRecord]:
        """Return which of the attempts at a bill may have made something of it."""
        context, run = self._context, self._context.run.id
        # What was rejected has made nothing of it, and somebody has planned it again since; where
        # nobody has looked at it late enough, it may have made what looks show by now.
        notes = await context.ledger.notes_of(bill)
        over = max((attempts_before(n.text) for n in notes if n.run == run), default=0)
        mine = await sent_by(context.ledger, run, bill)
        new = await sent_by(context.ledger, run, bill, after=over) if over else mine
        due = context.not_looked_at
        since = due.since_of(bill) if due else None
        late = [e for e in mine if since and e.ended_at and e.ended_at >= since]
        left = [each for each in mine if each in new or each in late]
        splits = bool(left) and await context.may_have_several()
        # Where a bill may have several documents, whose a new one is cannot be told by time.
        return [
            each for each in left if context.repeats_pushes or may_have_made(each, splits=splits)
        ]

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
        for number in numbers:
            if number not in context.ids and number not in self._moved:
                context.recall(rows[number])
        seen = await look_at_sent(context, numbers, by_all=True)
        before = await self._before_sending([rows[number] for number in numbers])
        shown = {number: seen.targets.get(number, ()) for number in before}
        found = await ours_of(context, new_targets(shown, before))
        found |= await named_there(context, before.keys() - found.keys())
        context.suspects = {n: before[n] for n in found} | context.suspects
        if found:
            await note_look(context)
        if unseen := before.keys() - found.keys():
            # Another copy of the database may have told of the bill than of its documents.
            await note_refused(context, unseen, late=True)
        for number in unseen:
            by_id = bool(context.id_of(number))
            if outcome := unclear(context, number, seen, before[number], by_id=by_id):
                found[number] = outcome
        context.sent_earlier.update(numbers)
        beside = await bills_beside_strays(context, [n for n in numbers if n not in found])
        why = remark("note.stray")
        found |= {n: Outcome(n, State.UNKNOWN, code=STRAY, reason=why) for n in beside}
        return [found.get(each.number, each) for each in refused]

    async def _before_sending(self, rows: Sequence[Row]) -> dict[BillNumber, frozenset[str]]:
        """Return what was there before bills were sent of which calls may have made something."""
        context, before = self._context, {}
        for bill, row in ((row.bill, row) for row in rows):
            mine = await self._attempts_of(bill)
            if not mine and row.code == SHARED:
                # It was rejected for what may be its own.
                mine = await sent_by(context.ledger, context.run.id, bill)
            if mine:
                before[bill] = self._remember(bill, mine)
        return before

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
