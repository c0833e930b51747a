"""Settle doubts while a run is executed, and take up again what other runs held of it.

One of the tasks of an execution (`engine`): it asks what became of numbers whose answers were
lost. It does so for this run, and for runs that hold numbers of this one and that nobody executes.
How a doubt is settled stands in `doubts.settle_doubts`; here is when that is asked, what goes on
then, and what does not leave before:

- Until the field of the source's number is proved, a few canaries may be in doubt, and no more.
- After a contradiction nothing leaves before looks or a person have settled it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass, field

import anyio

from k3push.core.model import BillNumber, Chunk, RunId, State, number_in
from k3push.core.pacing.backlog import Backlog
from k3push.core.remark import remark
from k3push.core.safety.conclusion import CONTRADICTION
from k3push.ports import RunIsAliveError
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import note_look
from k3push.runs.doubts.doubts_elsewhere import hopeless_in
from k3push.runs.doubts.settle_doubts import settle_once, tell_of_person, tell_of_proof
from k3push.runs.engine_tasks.intake import Intake
from k3push.runs.kept_in_ledger.row_pages import pages_of
from k3push.runs.other_calls.held_numbers import HeldNumbers
from k3push.runs.outcome import end_settled
from k3push.runs.stop import Cause
from k3push.runs.submit_and_audit.follower import Follower
from k3push.runs.wakeup import Wakeup

# Numbers that may be in doubt, each sent alone to prove the field, before the next waits until
# they are settled.
MOST_CANARIES = 3


async def contradicted_in(context: Context) -> dict[BillNumber, str]:
    """Return the numbers in doubt whose answer contradicts the looks, with the reasons.

    As long as one is open, nothing is known to be mended: each `resume` would turn more numbers
    into work for a person.
    """
    found: dict[BillNumber, str] = {}
    async with aclosing(pages_of(context.ledger, context.run, {State.UNKNOWN})) as pages:
        async for page in pages:
            found |= {row.bill: row.reason for row in page if row.code == CONTRADICTION}
    return found


@dataclass(slots=True)
class Settler:
    """What is open of the answers that were lost, and the task that asks for it.

    Attributes:
        open: Some number's answer is lost, and settling may plan it again.
        contradicted: Numbers in doubt, with the reasons: answers and looks contradict each other
            since an earlier execution. Nothing leaves before they are settled.
        unproved: Numbers that wait for the proof that the field finds what is there.
        hopeless: Numbers that no look can settle.
        due: Numbers whose window has passed, and that still cannot be settled (`Settled.due`).
        canaries: Numbers that travelled alone to prove it, and whose answer was lost.
        _news: Counts what is noted here, so that a settling under way misses nothing.
        _absent: What was sent, and was not there after its window.
    """

    context: Context
    backlog: Backlog
    held: HeldNumbers
    intake: Intake
    follower: Follower
    wakeup: Wakeup
    open: bool
    contradicted: dict[BillNumber, str]
    unproved: frozenset[BillNumber] = frozenset()
    hopeless: frozenset[BillNumber] = frozenset()
    due: frozenset[BillNumber] = frozenset()
    canaries: int = 0
    _news: int = 0
    _absent: set[BillNumber] = field(default_factory=set)

    async def run(self) -> None:
        """Settle doubts, and take up again the numbers that another run held."""
        while True:
            while not (self.open or self.held):
                await self.wakeup.wait()
            next_s = self.context.settle.poll_s
            if self.open:
                next_s = min(next_s, await self._settle_ours())
                self.wakeup.notify()
                if self.contradicted and self.open:
                    self.context.watch.waiting(remark("note.settled_first"), next_s)
            if self.open or self.held:
                await anyio.sleep(next_s)
            await self._settle_held()
            self.wakeup.notify()

    # -- what the sender tells and asks -------------------------------------------------------

    def add(self) -> None:
        """Note that something has come into doubt, or can be settled now."""
        self.open = True
        self._news += 1

    def prove_links(self) -> None:
        """Note that a target was found by its link; what waited for it can be settled now."""
        self.backlog.links_proved = True
        if self.unproved:
            self.unproved = frozenset()
            self.add()

    def waits_for_proof(self) -> bool:
        """Say whether nothing leaves until one of the canaries in doubt is settled."""
        known = self.context.proofs.field_finds or self.context.links.tell
        return not known and self.canaries >= MOST_CANARIES

    def sends_nothing_more(self) -> bool:
        """Say whether nothing that was never sent leaves before what is in doubt is settled.

        A contradiction keeps the rest from leaving, so it stops the run as soon as its window has
        passed, whatever may still be learnt about it.
        """
        judged = self.hopeless | self.due
        stuck = bool(self.contradicted) and self.contradicted.keys() <= judged
        return self.waits_for_proof() or stuck

    def ends_what_is_stuck(self) -> bool:
        """End the execution where nothing that it still does can let the rest leave.

        Every canary's answer was lost, or what contradicts itself is left to a person.
        """
        if self.backlog.open or self.open:
            return False
        if self.waits_for_proof():
            tell_of_proof(self.context, len(self.unproved | self.hopeless))
        elif self.contradicted:
            self.context.stop.ask(Cause.CONTRADICTION, next(iter(self.contradicted.values())))
        return self.context.stop.asked

    async def tell_of_hopeless(self) -> None:
        """End with the numbers that no look can settle, so that whoever resumes knows."""
        hopeless = self.hopeless
        if not self.context.reads_back:
            doubts = await self.context.ledger.doubts(self.context.run.id)
            hopeless = frozenset(doubt.number for doubt in doubts)
        tell_of_person(self.context, (), hopeless)

    # -- settling -----------------------------------------------------------------------------

    async def _settle_ours(self) -> float:
        """Ask once what became of our doubts; return the seconds until the next is due."""
        news = self._news
        await note_look(self.context)
        at_work = self.context.at_work.known
        settled = await settle_once(self.context, self.context.run.id)
        for part in filter(None, map(self.intake.admitted, settled.parts)):
            self.context.look_anew_at(part)
            # Where it was lost before, our own calls beside it may have been to blame.
            by_itself = not self._absent.isdisjoint(part)
            self.backlog.put_last(Chunk(0, part, by_itself=by_itself))
            self._absent.update(part)
        self.unproved = settled.unproved
        self.hopeless, self.due = settled.hopeless, settled.due
        self.context.at_work.keep(settled.at_work, at_work)
        for outcome in settled.outcomes:
            self.contradicted.pop(outcome.number, None)
        if any(each.targets for each in settled.outcomes):
            # What is found is in doubt no longer, so that another may travel to prove the rest.
            self.canaries = 0
            if self.context.tells_of_several:
                self.backlog.own_proved = True
                self.prove_links()
        await self.follower.pushed(settled.outcomes, {})
        self.open = bool(settled.left) or news != self._news
        return settled.next_due_s

    async def _settle_held(self) -> None:
        """Ask for what other runs hold of ours, and let it go on its way again."""
        holders = dict(self.held.holders)
        theirs = {bill: holder.bill for bill, holder in holders.items()}
        runs = sorted({holder.run for holder in holders.values()})
        for run in runs:
            hopeless = set(map(number_in, await self._settle_for(run, theirs.values())))
            self.held.bar(run, [bill for bill in holders if number_in(theirs[bill]) in hopeless])
        if runs:
            others = ", ".join(run for run in runs if run != self.context.run.id)
            in_others = remark("note.waits_for_runs", runs=others)
            why = in_others if others else remark("note.held_by_namesake")
            self.context.watch.waiting(why, self.context.settle.poll_s)
            await note_look(self.context)
        rows, bills = self.held.release(holders)
        self.context.doubted_elsewhere |= dict.fromkeys([*bills, *(row.bill for row in rows)])
        self.context.look_anew_at(bills)
        # At once, or the sender would find nothing left to wait for.
        self.backlog.add(bills)
        if rows:
            await self.intake.take_in(rows)

    async def _settle_for(self, run: RunId, held: Collection[BillNumber]) -> Collection[BillNumber]:
        """Settle the doubts of a run that nobody executes, as they stand in our way.

        Returns:
            Those that only a person can settle; they stay planned in our run. A living run is asked
            for these, too, or two living runs might wait for each other for ever.
        """
        ledger = self.context.ledger
        if run == self.context.run.id and not self.context.reads_back:
            return await hopeless_in(self.context, run, held)
        if run == self.context.run.id:
            # Another bill of such a number is on its way, or in doubt, here.
            is_last = self.intake.fed and self.backlog.empty and not self.backlog.open
            unproved = self.unproved if is_last and not self.open else frozenset()
            return self.hopeless | unproved
        try:
            async with ledger.own(run, executes=False):
                settled = await settle_once(self.context, run)
                if settled.outcomes:
                    self.context.settled_elsewhere.add(run)
                    await end_settled(ledger, run, self.context.clock.now())
        except RunIsAliveError:
            return await hopeless_in(self.context, run, held)
        return settled.hopeless | settled.unproved
