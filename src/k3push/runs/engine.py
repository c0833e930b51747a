"""Push the planned numbers of a run: the tasks that go on side by side.

Run, resume and retry all come through `push_run`. Its tasks share one event loop, so none of
them is interrupted between two awaits, and no lock is needed:

- the *intake* reads planned rows, looks at their sources and fills the backlog (`intake`);
- the *sender* starts a task for each chunk, as many as the throttle allows (`throttle`); such a
  task claims the numbers of its chunk, goes through the one door (`attempt`), and puts back what
  is left to do;
- the *settler* asks what became of numbers in doubt, here and in runs that nobody executes and
  that hold numbers of ours (`settler`);
- the *follower* submits and approves documents, where the route asks for it
  (`submit_and_audit`);
- two *wakers* tell the others that a stop was asked or somebody has steered (methods of the
  follower);
- the *last looker* looks once more at what was refused, a while later (`last_looks`);
- two more run once: one notes the newest document of the form, the other ends the first call's
  wait for that after a while (`form_marks`).

Who owns what:

    Backlog       numbers that wait, and chunks on their way; filled by intake, sender, settler
    HeldNumbers   numbers that another run has claimed; filled by intake and sender, emptied by
                  the settler
    Settler       whether numbers of ours wait to be settled, and whether the field is proved
    Intake        how far the planned rows are read
    ErpPauses     what limits and overloads have shown, and when the last chunk was done
    Follower      documents on their way through the steps after the push

Whoever changes one of these calls `Wakeup.notify`; whoever waits, waits for that and looks at
all of them anew. The sender ends when nothing waits, nothing is on its way, and nothing can come
back (`_may_grow`); its end ends the others.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from functools import partial

import anyio

from k3push.core.control_words import Key
from k3push.core.model import BillNumber, Chunk, number_in
from k3push.core.pacing.backlog import Backlog
from k3push.core.pacing.growing_pauses import pause_s
from k3push.core.pacing.holds import Hold
from k3push.core.remark import remark
from k3push.core.safety.conclusion import Conclusion
from k3push.runs.context import Context
from k3push.runs.documents.form_marks import end_wait, note_mark
from k3push.runs.documents.last_looks import (
    look_at_refused,
    look_once_more,
    recall_due_look,
)
from k3push.runs.documents.twins import note_twin
from k3push.runs.doubts.settle_doubts import know_calls_at_work, tell_of_person
from k3push.runs.engine_tasks.erp_pauses import ErpPauses
from k3push.runs.engine_tasks.intake import Intake
from k3push.runs.engine_tasks.settler import Settler, contradicted_in
from k3push.runs.lookup.link_discovery import see_target_form
from k3push.runs.lookup.looker import can_ask
from k3push.runs.other_calls.calls_of_others import count_lost_by_others
from k3push.runs.other_calls.held_numbers import HeldNumbers, claim
from k3push.runs.other_calls.left_to_others import leave_to_others, note_holders
from k3push.runs.proof.long_calls import note_long_calls
from k3push.runs.sending.attempt import push_chunk
from k3push.runs.sending.sending_state import Sending
from k3push.runs.stop import Cause, guarded, stopping
from k3push.runs.submit_and_audit.follower import Follower, follow_run
from k3push.runs.wakeup import Wakeup

# Documents in a row that a step may refuse before a person has to look at the route.
MOST_REFUSED_CANARIES = 3

# A call of another run that was lost meanwhile is not known for so long.
COUNT_EVERY_S = 5.0

# A shorter wait is over before anybody has read of it.
LEAST_TOLD_S = 5.0


async def push_run(context: Context) -> None:
    """Push what is planned and settle what is in doubt, until all is done or a stop is asked.

    The caller owns the run. Faults of the ERP and of the ledger end in `context.stop` with
    their cause; they are not raised.
    """
    with stopping(context.stop):
        await context.learn_links()
        if not can_ask(context):
            await see_target_form(context)
        if kept := await context.ledger.pace(context.run.scope):
            learnt, at = kept
            context.auto.recall(learnt, (context.clock.now() - at) / timedelta(days=1))
        first_index = await context.ledger.next_chunk(context.run.id)
        doubts = await context.ledger.doubts(context.run.id)
        await know_calls_at_work(context, doubts)
        contradicted = await contradicted_in(context) if doubts else {}
        backlog = Backlog(
            canary=context.limits.canary and context.reads_back,
            first_index=first_index,
            first_alone=context.limits.canary and not context.reads_back,
            by_id=lambda bill: bool(context.id_of(bill)),
            source_id=context.known_id,
        )
        doubted = frozenset(doubt.number for doubt in doubts)
        engine = _Engine(context, backlog, doubted, contradicted, first_chunk=first_index)
        await recall_due_look(context)
        await engine.run()
        await look_once_more(context)
        if context.route.follow and not context.stop.asked:
            looked_s = context.awake_s
            await follow_run(context, again=False)
            took_long = context.awake_s - looked_s > context.settle.poll_s
            if took_long and not context.stop.is_of_outside:
                # What came late may have come meanwhile.
                await guarded(context.stop, partial(look_once_more, context))
        await engine.settler.tell_of_hopeless()
        if found := context.auto.learnt():
            await context.ledger.keep_pace(context.run.scope, found, at=context.clock.now())


class _Engine:
    """The tasks of one execution; see above for what they share.

    Attributes:
        hold: What kept chunks from leaving when it was last looked at.
        refused_canaries: Documents in a row that were sent to prove the steps, and were refused.
        untried_canaries: Those that took no step, since nothing tells that this ledger made them.
        first_chunk: The index of the first chunk of this execution.
    """

    def __init__(
        self,
        context: Context,
        backlog: Backlog,
        doubted: frozenset[BillNumber],
        contradicted: dict[BillNumber, str],
        *,
        first_chunk: int,
    ) -> None:
        self.context = context
        self.backlog = backlog
        self.held = HeldNumbers()
        self.wakeup = Wakeup()
        self.intake = Intake(context, backlog, self.held, self.wakeup, doubted)
        self.follower = Follower(context, self.wakeup)
        self.settler = Settler(
            context,
            backlog,
            self.held,
            self.intake,
            self.follower,
            self.wakeup,
            open=bool(doubted) and context.reads_back,
            contradicted=contradicted,
        )
        self.hold: Hold | None = None
        self.pauses = ErpPauses(context, backlog, self.intake)
        self.refused_canaries = 0
        self.untried_canaries = 0
        self.first_chunk = first_chunk
        backlog.follow_proved = not (self.follower.wanted and context.limits.canary)
        context.more_to_send = self._has_more

    async def run(self) -> None:
        """Run all tasks until the sender is at its end."""
        context = self.context
        ledger, run, work = context.ledger, context.run.id, context.at_work
        async with anyio.create_task_group() as others:
            for task in (
                partial(note_mark, context, self.first_chunk),
                partial(end_wait, context),
                partial(note_long_calls, ledger, run, context.clock, work),
                self.intake.feed,
                self.settler.run,
                self._look_at_refused,
                self._follow,
                self.follower.wake_at_stop,
                self.follower.wake_at_steering,
            ):
                others.start_soon(guarded, context.stop, task)
            await self._send_all()
            await self.follower.finish_all()
            others.cancel_scope.cancel()
        await note_holders(context, self.held)
        context.tell_of_limit()
        tell_of_person(context, self.settler.unproved, ())
        if runs := [run for run in self.held.barred.values() if run != context.run.id]:
            names = ", ".join(sorted(set(runs)))
            why = remark("why.barred", count=len(runs), runs=names)
            context.stop.ask(Cause.BARRED, why)

    async def _follow(self) -> None:
        await self.follower.take_up()
        self._note_followed()
        await self.follower.run()

    async def _look_at_refused(self) -> None:
        """Look once more at each number that was refused, a while later."""
        while True:
            next_s = await look_at_refused(self.context)
            with anyio.move_on_after(next_s):
                await self.wakeup.wait()

    # -- what is left to do -------------------------------------------------------------------

    def _has_more(self) -> bool:
        """Say whether numbers wait that were never sent; a suspect was."""
        more = not self.intake.fed or self.backlog.fresh
        return more and not self.settler.sends_nothing_more()

    def _may_grow(self) -> bool:
        """Say whether something may come back into the backlog."""
        waits = self.held or self.settler.open or self.intake.busy or self.follower.busy
        return bool(self.backlog.open or waits)

    # -- sending ------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        """Send chunks on their way until there are none and none can come back."""
        async with anyio.create_task_group() as on_their_way:
            while await self._may_go_on():
                chunk = self._next_chunk()
                if chunk is not None:
                    on_their_way.start_soon(guarded, self.context.stop, partial(self._push, chunk))
                elif self.intake.fed and self.backlog.empty and not self._may_grow():
                    return
                elif not self.settler.ends_what_is_stuck():
                    # What is due already waits for a place, a hold's end or the canary.
                    now_s = anyio.current_time()
                    work, auto_s = self.context.at_work, self.context.auto.waits_until_s
                    # They are counted no sooner than that; an earlier moment would only spin.
                    every_s = max(self.context.settle.poll_s, COUNT_EVERY_S)
                    others_s = work.others_counted_s + every_s
                    due_s = [self.backlog.due_s(), auto_s, work.next_s, work.try_s]
                    due_s += [others_s] if work.of_others else []
                    next_s = min((each for each in due_s if each > now_s), default=math.inf)
                    self._tell_of_wait(now_s)
                    with anyio.move_on_after(next_s - now_s):
                        await self.wakeup.wait()

    async def _may_go_on(self) -> bool:
        """Say whether no stop is asked, and see to it that calls of other runs are counted.

        They count as long as nothing has told this run how long the ERP takes.
        """
        work, ages, stop = self.context.at_work, self.context.ages, self.context.stop
        if ages.has_heard:
            work.of_others = 0
        elif not stop.asked and anyio.current_time() >= work.others_counted_s + COUNT_EVERY_S:
            await guarded(stop, partial(count_lost_by_others, self.context))
        return not stop.asked

    def _tell_of_wait(self, now_s: float) -> None:
        """Say why nothing is on its way, though something is left to send."""
        at_work, due_s = self.context.at_work.count, self.backlog.due_s()
        if at_work and self.backlog.fresh and not self.backlog.open:
            why = remark("note.calls_at_work", count=at_work)
            self.context.watch.waiting(why, self.context.settle.poll_s)
            return
        if due_s <= self.pauses.told_until_s:
            return  # with the ERP's own words
        left_s = due_s - now_s
        if LEAST_TOLD_S <= left_s < math.inf and not self.backlog.open and self.hold is None:
            self.context.watch.waiting(remark("note.goes_on_later"), left_s)

    def _next_chunk(self) -> Chunk | None:
        """Give out what may leave now, as it is steered now."""
        context, backlog = self.context, self.backlog
        if context.throttle.hold != self.hold:
            self.hold = context.throttle.hold
            context.watch.held(self.hold)
        # In the midst of a limit one call after each pause shows whether it has ended.
        places = context.throttle[Key.CONCURRENCY]
        most_open = 1 if self.pauses.limits.in_a_row else places
        now_s = anyio.current_time()
        has_room = self._has_room(places, now_s)
        if self.hold is not None or backlog.open >= most_open or not has_room:
            return None
        if self.settler.waits_for_proof() or self.settler.contradicted:
            return None
        ready = backlog.waiting
        size = context.chunk_size(ready + self.intake.coming, ready, backlog.open)
        if not size:
            return None  # the pace waits for what is on its way
        most = math.inf if context.tells_of_several else 1
        at_work, done_s = context.at_work.count, self.pauses.done_s
        chunk = backlog.take(size, now_s, most=most, done_s=done_s, at_work=at_work)
        if chunk is not None:
            self.wakeup.notify()  # the intake has room again
        elif not backlog.open and (left_s := self.pauses.done_s + backlog.quiet_s - now_s) > 0:
            self.pauses.spare(self.pauses.limits.words, left_s)
        return chunk

    def _has_room(self, places: int, now_s: float) -> bool:
        """Say whether one more call may leave beside those at which the ERP may be at work."""
        at_work, settle = self.context.at_work, self.context.settle
        in_time = self.context.ages.most_in_time(settle, at_work.count)
        return at_work.leaves_room(int(min(places, in_time)), self.backlog.open, now_s, in_time)

    async def _push(self, chunk: Chunk) -> None:
        """Push a chunk, and make its place free again."""
        sent = False
        try:
            sent = await self._push_claimed(chunk)
        finally:
            self.backlog.done(chunk, sent=sent)
            self.pauses.done_s = anyio.current_time() if sent else self.pauses.done_s
            self.wakeup.notify()

    async def _push_claimed(self, chunk: Chunk) -> bool:
        """Push what no other run has claimed of a chunk; return whether something has left."""
        context, backlog = self.context, self.backlog
        proving = backlog.proving
        sending = Sending(
            chunk, (), self.intake.changed_among, backlog.one_by_one, at_once=backlog.open
        )
        held = await claim(context, chunk.numbers)
        self.held.add(held)
        sending.numbers = tuple(number for number in chunk.numbers if number not in held)
        await push_chunk(context, sending)
        backlog.own_proved = backlog.own_proved or sending.found_own
        if sending.found_links:
            self.settler.prove_links()
        elif proving and not context.reads_back:
            # The links of a route without a source number have missed a document.
            backlog.give_up_proof()
        elif proving and sending.in_doubt:
            self.settler.canaries += 1
        await leave_to_others(context, self.held, sending.barred)
        await self._go_on(sending)
        await self._follow_up(sending)
        return sending.nth > 0

    async def _follow_up(self, sending: Sending) -> None:
        """Hand new documents to the follower; until one has passed its steps, wait for each."""
        if sending.postponed:
            self.backlog.put_back(replace(sending.chunk, numbers=sending.postponed))
        ids = await self.follower.pushed(sending.outcomes, sending.named)
        if self.backlog.follow_proved or not ids:
            return
        if await self.follower.finish(ids):
            self.backlog.follow_proved = True
            return
        if self.follower.knows_no_maker(ids):
            # No step was tried, and none need be: a server that names no documents proves none.
            self.untried_canaries += 1
            self.backlog.follow_proved = self.untried_canaries >= MOST_REFUSED_CANARIES
            return
        self.refused_canaries += 1
        if self.refused_canaries >= MOST_REFUSED_CANARIES:
            self.context.stop.ask(Cause.FOLLOW, remark("why.follow", count=self.refused_canaries))

    def _note_followed(self) -> None:
        """Note that an earlier execution has taken a document to its end."""
        self.backlog.follow_proved = self.backlog.follow_proved or self.follower.proved

    async def _go_on(self, sending: Sending) -> None:
        """Put back into the backlog what a sending has left to do."""
        context, chunk, conclusion = self.context, sending.chunk, sending.conclusion
        if sending.in_doubt and context.reads_back:
            self.settler.add()
        if sending.held_back:
            self.backlog.put_back(replace(chunk, numbers=sending.numbers))
        for wait_s in sorted(set(sending.put_off.values())):
            part = tuple(n for n, each_s in sending.put_off.items() if each_s == wait_s)
            self.backlog.put_last(replace(chunk, numbers=part), anyio.current_time() + wait_s)
        if sending.sample is not None:
            context.learn(sending.sample)
        self.pauses.ease_off(sending)
        if conclusion is None:
            return
        if conclusion.contradiction:
            context.stop.ask(Cause.CONTRADICTION, conclusion.contradiction)
        if conclusion.limited:
            await self.pauses.put_off_at_limit(sending, conclusion)
        else:
            self.pauses.limits.get_through()
            self.backlog.go_on()
            self._put_back(chunk, conclusion)
        for number, why in sending.twins.items():
            note_twin(context, remark("note.twin_of", number=number_in(number), why=why))

    def _put_back(self, chunk: Chunk, conclusion: Conclusion) -> None:
        """Put back what may travel again; what a later look may show waits behind the others."""
        tries = chunk.tries + conclusion.try_later
        # Before a bill is rejected for what its call has met, our own calls must not be to blame.
        last = conclusion.try_later and tries + 1 >= self.context.limits.max_attempts
        surely_s, pause = self.context.settle.first_wait_s, pause_s(tries + 1)
        # Two looks have been made after a call that broke (rule 6).
        wait_s = pause if conclusion.broke or conclusion.try_later else 0.0
        if conclusion.try_later and conclusion.parts and not conclusion.broke:
            self.pauses.tell_of_later(conclusion, pause)
        if conclusion.hides and not conclusion.broke:
            wait_s = max(wait_s, surely_s)
        now_s = anyio.current_time()
        for part in conclusion.parts:
            back = Chunk(0, part, chunk.alone, tries, last)
            if wait_s:
                self.backlog.put_last(back, now_s + wait_s)
            else:
                self.backlog.put_back(back)
        # What a success passed over may be saved a moment after the answer.
        due_s = now_s + max(surely_s, pause)
        for number in conclusion.alone:
            self.backlog.put_last(Chunk(0, (number,), alone=True, tries=tries), due_s)
