"""Submit and audit the documents of an execution: read how they stand, call, and read again.

`Follower` is the task of a push that does so beside it; `follow_run` does it alone, as
`k3push follow` asks for, and `settle_steps` reads what lost answers have left open. See the
package for which part owns what.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from k3push.core.model import Document, Follow, Outcome, Standing, Step
from k3push.core.safety.document_steps import TAKEN_BACK, next_step
from k3push.runs.context import Context
from k3push.runs.other_calls.calls_of_others import Heard
from k3push.runs.stop import guarded, stopping
from k3push.runs.submit_and_audit.enrolment import Enrolment
from k3push.runs.submit_and_audit.ownership import Ownership
from k3push.runs.submit_and_audit.step_calls import StepCalls, in_calls
from k3push.runs.submit_and_audit.step_doubts import StepDoubts
from k3push.runs.submit_and_audit.step_reads import StepReads
from k3push.runs.submit_and_audit.under_way import MOST_IN_A_CALL, FollowedDocument, UnderWay
from k3push.runs.wakeup import Wakeup


async def follow_run(context: Context, *, again: bool = True) -> None:
    """Take the documents of a run further, whatever has left them where they are.

    The caller owns the run. Nothing is pushed. Faults of the ERP and of the ledger end in
    `context.stop` with their cause; they are not raised.

    Args:
        context: The execution.
        again: What was refused is looked at anew.
    """
    with stopping(context.stop):
        follower = Follower(context, Wakeup())
        await follower.take_up(again=again)
        async with anyio.create_task_group() as others:
            for task in (follower.run, follower.wake_at_stop, follower.wake_at_steering):
                others.start_soon(guarded, context.stop, task)
            await follower.finish_all()
            others.cancel_scope.cancel()
        context.tell_of_limit()


async def settle_steps(context: Context) -> None:
    """Read what became of documents whose answer was lost, until all are settled or a stop.

    Only reads are made.
    """
    await Follower(context, Wakeup()).settle_all()


@dataclass(slots=True)
class Follower:
    """Takes the documents of one execution through their steps."""

    context: Context
    wakeup: Wakeup
    _under_way: UnderWay = field(init=False)
    _ownership: Ownership = field(init=False)
    _enrolment: Enrolment = field(init=False)
    _reads: StepReads = field(init=False)
    _doubts: StepDoubts = field(init=False)
    _calls: StepCalls = field(init=False)

    def __post_init__(self) -> None:
        context, wakeup = self.context, self.wakeup
        under_way = self._under_way = UnderWay(context)
        self._ownership = Ownership(context, under_way)
        self._enrolment = Enrolment(context, wakeup, under_way, self._ownership)
        self._reads = StepReads(context)
        self._doubts = StepDoubts(context, under_way)
        self._calls = StepCalls(context, wakeup, under_way, self._reads, self._doubts)

    @property
    def wanted(self) -> bool:
        """Whether the route asks for anything."""
        return bool(self.context.route.follow)

    @property
    def busy(self) -> bool:
        """Whether a document is on its way, or those of earlier executions are looked for."""
        return self.wanted and (bool(self._under_way.entries) or not self._enrolment.is_through)

    @property
    def proved(self) -> bool:
        """Whether some document has come as far as the route asks for, in this run."""
        return self._under_way.proved

    # -- what other tasks ask of it -----------------------------------------------------------

    async def take_up(self, *, again: bool = False) -> None:
        """Go on with what earlier executions have left.

        Args:
            again: What was refused is looked at anew, as a person has asked.
        """
        if self.wanted:
            await self._enrolment.take_up(again=again)

    async def pushed(self, outcomes: Sequence[Outcome], named: Mapping[str, str]) -> list[str]:
        """Take up what a sending, or settling, has come to; return the ids of what is followed.

        Args:
            outcomes: What became of numbers.
            named: As whom the push travelled, by id of the documents that its answer names.
        """
        return await self._enrolment.pushed(outcomes, named) if self.wanted else []

    async def finish(self, ids: Collection[str]) -> bool:
        """Wait until documents have come to their end, or a stop; say whether one did well."""
        under_way, stop = self._under_way, self.context.stop
        while any(id_ in under_way.entries for id_ in ids) and not stop.asked:
            await self.wakeup.wait()
        ended = [under_way.ended[id_] for id_ in ids if id_ in under_way.ended]
        return not ended or any(each.follow is not Follow.REFUSED for each in ended)

    def knows_no_maker(self, ids: Collection[str]) -> bool:
        """Say whether documents were left alone for their maker, so that no call has tried them."""
        return all(self._ownership.is_strange(id_) for id_ in ids)

    async def finish_all(self) -> None:
        """Wait until no document is on its way, or a stop, and no call either."""
        while self._calls.calling or (self.busy and not self.context.stop.asked):
            await self.wakeup.wait()

    async def wake_at_stop(self) -> None:
        """Let all look anew when a stop comes."""
        await self.context.stop.event.wait()
        self.wakeup.notify()

    async def wake_at_steering(self) -> None:
        """Let all look anew whenever the throttle has changed."""
        while True:
            await self.context.throttle.changed()
            self.wakeup.notify()

    # -- the task -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Take documents through their steps until cancelled; end what is begun at a stop."""
        while True:
            due = [] if self._is_held else self._under_way.due(MOST_IN_A_CALL)
            if due:
                await self._look_and_act(due)
                self.wakeup.notify()
            else:
                await self._wait()

    async def settle_all(self) -> None:
        """Take up documents in doubt, and let go of each as soon as its status tells of it."""
        under_way, stop = self._under_way, self.context.stop
        await self._enrolment.take_up_doubts()
        while under_way.entries and not stop.asked:
            if due := under_way.due(MOST_IN_A_CALL):
                heard = await self._doubts.hear(due)
                await self._settle(due, await self._reads.standings(due), heard)
            else:
                await stop.sleep(under_way.next_due_s() - anyio.current_time())
            under_way.entries = {id_: e for id_, e in under_way.entries.items() if e.lost}

    async def _settle(
        self,
        lost: Sequence[FollowedDocument],
        standings: Mapping[str, Standing],
        heard: Heard,
    ) -> None:
        """Find out what became of documents in doubt, save those that a look may have missed."""
        shown = [entry for entry in lost if not self._reads.is_missed(entry, standings)]
        await self._doubts.settle(shown, standings, heard)

    @property
    def _is_held(self) -> bool:
        return self.context.stop.asked or self.context.throttle.hold is not None

    async def _wait(self) -> None:
        next_s = math.inf if self._is_held else self._under_way.next_due_s()
        with anyio.move_on_after(max(0.0, next_s - anyio.current_time())):
            await self.wakeup.wait()

    async def _look_and_act(self, due: Sequence[FollowedDocument]) -> None:
        """Read how documents stand, and take the steps that follow from it."""
        after = await self.context.ledger.steps_so_far()
        heard = await self._doubts.hear(due)
        standings = await self._reads.standings(due)
        looked_s = self.context.awake_s
        await self._settle([entry for entry in due if entry.lost], standings, heard)
        under_way = self._under_way.entries
        free = [entry for entry in due if not entry.lost and entry.document.id in under_way]
        free = [entry for entry in free if entry.due_s <= anyio.current_time()]
        free = [entry for entry in free if not self._reads.is_missed(entry, standings)]
        await self._ownership.learn([entry.document for entry in free], standings)
        calls, ended = await self._judge(free, standings)
        await self._under_way.end(ended)
        for (step, status, _), entries in calls.items():
            for part in in_calls(entries, most=1 if status == TAKEN_BACK else MOST_IN_A_CALL):
                if not (self._is_held or self._under_way.wait_for_call):
                    await self._calls.take(step, status, part, looked_s, after)

    async def _judge(
        self, entries: Sequence[FollowedDocument], standings: Mapping[str, Standing]
    ) -> tuple[Mapping[tuple[Step, str, str], list[FollowedDocument]], list[Document]]:
        """Say which step each document takes.

        Returns:
            Those that take one now, by step, status and sender, and those that take none any more.
            Others wait until the calls before theirs have come to something.
        """
        steps = self.context.route.follow
        tasks = await self._reads.flow_tasks(entries, standings)
        ended: list[Document] = []
        moves: list[tuple[FollowedDocument, Standing, Step]] = []
        for entry in entries:
            standing = standings.get(entry.document.id)
            task = tasks.get(standing.number) if standing else None
            move = next_step(entry.document, standing, steps, task, entry.last)
            entry.document = move.document
            if move.step is None or standing is None:
                ended.append(entry.document)
            else:
                moves.append((entry, standing, move.step))
        standing_of = {entry.document.id: standing for entry, standing, _ in moves}
        lost = await self._ownership.lost_among(standing_of)
        await self._ownership.look_beside(standing_of)
        calls: dict[tuple[Step, str, str], list[FollowedDocument]] = {}
        room = self._calls.size
        for entry, standing, step in moves:
            if not room:
                break
            if why := await self._ownership.hindrance(entry, standing, lost):
                ended.append(replace(entry.document, follow=Follow.REFUSED, reason=why))
            elif self._under_way.admits(entry):
                room -= 1
                key = (step, standing.status, entry.document.sender)
                calls.setdefault(key, []).append(entry)
        return calls, ended
