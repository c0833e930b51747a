"""Push the planned numbers of a run: the tasks that go on side by side.

Run, resume and retry all come through `push_run`. One task feeds the backlog from the
source form, each chunk on its way is a task that goes through `sending`, and one task
settles doubts. How many chunks are on their way is steered (`steering`), and may change
between two of them.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

import anyio

from k3push.core.backlog import Backlog
from k3push.core.chunking import split
from k3push.core.commands import Key
from k3push.core.evidence import CALL_LIMIT, Conclusion
from k3push.core.holds import Hold
from k3push.core.matching import MOST_NUMBERS
from k3push.core.model import BillNumber, Chunk, Row, RunId, Source, State
from k3push.job import Cause, Job, stopping
from k3push.looking import look_at_sources, pause_s, refusal
from k3push.ports import RunIsAliveError
from k3push.sending import Sending, push_chunk
from k3push.settling import hopeless_in, settle_once

# Numbers that are looked at before anything is known of how fast they leave.
MOST_READY = 2000


async def push_run(job: Job) -> None:
    """Push what is planned and settle what is in doubt, until all is done or a stop is asked.

    The caller owns the run. Faults of the ERP and of the ledger end in `job.stop` with
    their cause; they are not raised.
    """
    with stopping(job.stop):
        job.auto.last_time = await job.ledger.calls_at_once(job.run.scope)
        first_index = await job.ledger.next_chunk(job.run.id)
        doubts = await job.ledger.doubts(job.run.id)
        backlog = Backlog(
            size=1,
            canary=job.pace.canary and job.reads_back,
            first_index=first_index,
        )
        tasks = _Tasks(job, backlog, frozenset(doubt.number for doubt in doubts))
        tasks.proved_before = await _links_proved(job)
        await tasks.run()
        if job.auto.came_to is not None:
            await job.ledger.keep_calls_at_once(job.run.scope, job.auto.came_to)


async def _links_proved(job: Job) -> bool:
    """Whether an earlier execution has found targets by the field that is asked by now."""
    opened = await job.ledger.run(job.run.id)
    if opened is None or opened.route.source_number_field != job.route.source_number_field:
        return False
    made = {State.PUSHED, State.DRAFT, State.ALREADY}
    # A person's word has no targets; among a page of rows there is one that has.
    rows = await job.ledger.rows(job.run.id, states=made)
    return any(row.targets for row in rows)


class _Tasks:
    """The tasks of one execution, and what they share.

    Attributes:
        doubted: Numbers that were in doubt at the start; settling feeds these.
        proved_before: An earlier execution has proved the links. The canary travels all the
            same, but silence about it is then no sign of a wrong field.
        fed: All planned rows that may be taken up have been read.
        cut: The limit has left planned rows out.
        doubtful: Some number's answer is lost, and settling may plan it again.
        news_of_doubt: How often that was said, so that a settling under way misses none.
        held: Numbers that another run has claimed, and which.
        barred: Those of them that only a person can settle; they stay planned here.
        hold: What kept chunks from leaving when it was last looked at.
        coming: Planned rows that have not been read yet.
        overloads: Answers in a row that said that the ERP is overloaded.
    """

    def __init__(self, job: Job, backlog: Backlog, doubted: frozenset[BillNumber]) -> None:
        self.job = job
        self.backlog = backlog
        self.doubted = doubted
        self.proved_before = False
        self.fed = False
        self.cut = False
        self.doubtful = bool(doubted) and job.reads_back
        self.news_of_doubt = 0
        self.held: dict[BillNumber, RunId] = {}
        self.barred: dict[BillNumber, RunId] = {}
        self.overloads = 0
        self.hold: Hold | None = None
        self.coming = 0
        self._changed = anyio.Event()

    async def run(self) -> None:
        async with anyio.create_task_group() as others:
            for task in (self._feed, self._settle, self._wake_at_stop, self._wake_at_steering):
                others.start_soon(self._guarded, task)
            await self._send_all()
            others.cancel_scope.cancel()
        stop = self.job.stop
        if self.cut and not stop.asked:
            stop.ask(Cause.LIMIT, f"the limit of {self.job.pace.limit} numbers is reached")
        if self.barred:
            runs = ", ".join(sorted(set(self.barred.values())))
            stop.ask(Cause.BARRED, f"{len(self.barred)} numbers wait for a person in run {runs}")

    async def _guarded(self, task: Callable[[], Awaitable[None]]) -> None:
        with stopping(self.job.stop):
            await task()

    async def _wake_at_stop(self) -> None:
        await self.job.stop.event.wait()
        self._wake()

    async def _wake_at_steering(self) -> None:
        while True:
            await self.job.steering.changed()
            self._wake()

    def _wake(self) -> None:
        """Let every task that waits for a change look again."""
        self._changed.set()
        self._changed = anyio.Event()

    # -- feeding ------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Read planned rows, and ask the source form for their bills, ahead of the sending."""
        job = self.job
        place = 0
        left = math.inf if job.pace.limit is None else job.pace.limit
        planned = (await job.ledger.counts(job.run.id)).get(State.PLANNED, 0)
        self.coming = int(min(left, planned))
        while not job.stop.asked:
            page = job.steering.looks_at_once * MOST_NUMBERS
            rows = await job.ledger.rows(
                job.run.id, states={State.PLANNED}, after=place, limit=page
            )
            self.cut = bool(rows) and not left
            if not rows or not left:
                break
            rows = rows[: int(min(left, page))]
            place = rows[-1].place
            left -= len(rows)
            self.backlog.add(await self._bills_of([r for r in rows if r.bill not in self.doubted]))
            self.coming = max(0, self.coming - len(rows))
            self._wake()
            while self.backlog.waiting >= self._ahead() and not job.stop.asked:
                await self._changed.wait()
        self.coming = 0
        self.fed = True
        self._wake()

    def _ahead(self) -> int:
        """Return how many numbers are to wait: enough to give each call its next chunk."""
        steering = self.job.steering
        return max(MOST_READY, 2 * steering[Key.CONCURRENCY] * steering[Key.CHUNK_SIZE])

    async def _bills_of(self, rows: Sequence[Row]) -> list[BillNumber]:
        """Return the bills that may be sent; the other rows are `rejected` unsent (rule 3)."""
        job = self.job
        numbers = [row.number for row in rows]
        found = await self._sources_of(numbers)
        if job.stop.asked:
            return []
        bills = {n: found[n][0].number for n in numbers if len(found[n]) == 1}
        repeats = {repeat.number for repeat in await job.ledger.identify(job.run.id, bills)}
        refusals = {n: refusal(n, found[n], job.route) for n in numbers if n not in repeats}
        refused = [outcome for outcome in refusals.values() if outcome is not None]
        if refused:
            await job.ledger.conclude(job.run.id, refused, at=job.clock.now())
            job.watch.concluded(refused)
        return [bills[number] for number, outcome in refusals.items() if outcome is None]

    async def _sources_of(
        self, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Look at the source form, a page's questions side by side; not all where a stop comes."""
        found: dict[BillNumber, tuple[Source, ...]] = {}

        async def look(part: Sequence[BillNumber]) -> None:
            found.update(await look_at_sources(self.job, part))

        async with anyio.create_task_group() as looks:
            for part in split(numbers, MOST_NUMBERS):
                looks.start_soon(self._guarded, partial(look, part))
        return found

    # -- sending ------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        """Send chunks on their way until there are none and none can come back."""
        async with anyio.create_task_group() as on_their_way:
            while not self.job.stop.asked:
                chunk = self._next_chunk()
                if chunk is not None:
                    on_their_way.start_soon(self._guarded, partial(self._push, chunk))
                elif self.fed and self.backlog.empty and not self._may_grow():
                    return
                else:
                    await self._changed.wait()

    def _next_chunk(self) -> Chunk | None:
        """Give out what may leave now, as it is steered now."""
        steering, backlog = self.job.steering, self.backlog
        if steering.hold != self.hold:
            self.hold = steering.hold
            self.job.watch.held(self.hold)
        if self.hold is not None or backlog.open >= steering[Key.CONCURRENCY]:
            return None
        ready = backlog.waiting
        backlog.size = self.job.chunk_size(ready + self.coming, ready, backlog.open)
        chunk = backlog.take()
        if chunk is not None:
            self._wake()  # the feeding has room again
        return chunk

    def _may_grow(self) -> bool:
        return bool(self.backlog.open or self.held or self.doubtful)

    async def _push(self, chunk: Chunk) -> None:
        job, backlog = self.job, self.backlog
        proved = backlog.links_proved or self.proved_before
        sending = Sending(chunk, (), proved, at_once=backlog.open)
        try:
            held = await job.ledger.claim(job.run.id, chunk.numbers)
            self.held.update({number: holder.run for number, holder in held.items()})
            sending.numbers = tuple(number for number in chunk.numbers if number not in held)
            await push_chunk(job, sending)
            backlog.links_proved = backlog.links_proved or sending.found_links
            await self._go_on(sending)
        finally:
            backlog.done(chunk, sent=not sending.held_back)
            self._wake()

    async def _go_on(self, sending: Sending) -> None:
        """Put back into the backlog what a sending has left to do."""
        job, chunk, conclusion = self.job, sending.chunk, sending.conclusion
        if sending.in_doubt and job.reads_back:
            self.doubtful = True
            self.news_of_doubt += 1
        if sending.held_back:
            self.backlog.add_part(sending.numbers, alone=chunk.alone, tries=chunk.tries)
        if sending.sample is not None:
            job.learn(sending.sample)
        self._ease_off(sending)
        if conclusion is None:
            return
        if conclusion.contradiction:
            job.stop.ask(Cause.CONTRADICTION, conclusion.contradiction)
        tries = chunk.tries
        if conclusion.try_later:
            tries += 1
            await self._put_off(conclusion, tries + 1)
        for part in conclusion.parts:
            self.backlog.add_part(part, tries=tries)
        for number in conclusion.alone:
            self.backlog.add_part((number,), alone=True)

    def _ease_off(self, sending: Sending) -> None:
        """Spare an ERP that says that it is overloaded, longer each time."""
        if sending.overload and self.job.steering.hold is None:
            self.overloads += 1
            self._spare_erp(sending.overload, self.overloads)
        elif sending.conclusion is not None:
            self.overloads = 0

    async def _put_off(self, conclusion: Conclusion, nth: int) -> None:
        """Wait before a chunk that was put off travels again (rule 5)."""
        last = next(o for o in conclusion.outcomes if o.state is State.PLANNED)
        if last.code == CALL_LIMIT:
            self._spare_erp(last.reason, nth)
        else:
            # A bill that somebody edits is no reason for the others to wait.
            self.job.watch.waiting(last.reason, pause_s(nth))
            await self.job.stop.sleep(pause_s(nth))

    def _spare_erp(self, why: str, nth: int) -> None:
        """Let all wait, since it is their calls together that were too many."""
        self.job.watch.waiting(why, pause_s(nth))
        self.job.steering.back_off(pause_s(nth), why)

    # -- settling -----------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Settle doubts, and take up again the numbers that another run held."""
        job, backlog = self.job, self.backlog
        while True:
            while not (self.doubtful or self.held):
                await self._changed.wait()
            next_s = job.settle.poll_s
            if self.doubtful:
                news = self.news_of_doubt
                settled = await settle_once(job, job.run.id)
                found = any(outcome.targets for outcome in settled.outcomes)
                backlog.links_proved = backlog.links_proved or found
                backlog.add(settled.planned)
                self.doubtful = bool(settled.left) or news != self.news_of_doubt
                next_s = min(next_s, settled.next_due_s)
                self._wake()
            if self.doubtful or self.held:
                await anyio.sleep(next_s)
            held = dict(self.held)
            for run in dict.fromkeys(held.values()):
                hopeless = await self._settle_for(run, held)
                self.barred |= {number: run for number in held if number in hopeless}
            for number in held:
                del self.held[number]
            backlog.add(number for number in held if number not in self.barred)
            self._wake()

    async def _settle_for(self, run: RunId, held: Collection[BillNumber]) -> Collection[BillNumber]:
        """Settle the doubts of a run that nobody executes, as they stand in our way.

        Returns:
            Those that only a person can settle; they stay planned in our run. A living run may
            wait for us as we wait for it, so it is asked for these as well.
        """
        ledger = self.job.ledger
        dead = await ledger.run(run)
        try:
            async with ledger.own(run):
                if dead and dead.exit is not None and dead.ended_at:
                    # To own a run clears how it ended, and this is no execution of it.
                    await ledger.end_run(run, dead.exit, dead.ended_at)
                settled = await settle_once(self.job, run)
        except RunIsAliveError:
            return await hopeless_in(self.job, run, held)
        return settled.hopeless
