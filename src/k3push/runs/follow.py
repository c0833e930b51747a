"""What follows a push: documents are submitted and approved as the route asks for.

One task takes the documents that are due, reads how they stand, and makes one call for those that
take the same step. After the call it reads again: the status decides, never the answer (`follow` in
the core). What a lost answer leaves open is read until the window has passed, as a push is.

Documents come from pushes of this execution, as they end, and from the ledger: at the beginning,
and once more at the end (`push_run`), when looks may have found others. A document that waits in
a flow is looked at by each execution; one that was refused only where `k3push follow` asks for it.

Only what this ledger has made is followed. A document that an answer to a push names is. One that
a look alone has found, since the answer was lost, may be another program's; it is followed where
its creator is one of those who have made documents that our answers name. Of a number that has
more documents than its push made, nobody but a person can say which is to stay.

The module is long and stays one: the `Follower` alone knows which documents are on their way, and
what it does with them is one cycle of reading, calling and reading again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import anyio

from k3push.core.model import (
    TWIN,
    BillNumber,
    Document,
    Exchange,
    FlowTask,
    Follow,
    Outcome,
    Row,
    Standing,
    State,
    Step,
    StepAttempt,
    StepIntent,
    number_in,
)
from k3push.core.pacing.halting import Tally
from k3push.core.protocol import wire
from k3push.core.remark import remark
from k3push.core.safety.document_steps import (
    TAKEN_BACK,
    conclude_step,
    has_moved,
    in_doubt,
    is_behind,
    is_done,
    next_step,
    settle_step,
    with_others,
)
from k3push.core.safety.evidence import ABOUT_NO_BILL, TRY_LATER_CODES
from k3push.core.safety.verdict import InDoubt, ReadBack, Said, SendAgain, judge
from k3push.ports import Doubt, StepRecord
from k3push.runs.attempt import (
    FIRST_LAG_S,
    LAG_GROWTH,
    MOST_SESSIONS_A_CHUNK,
    StatusLook,
    remark_on,
    send_step,
)
from k3push.runs.context import Context, DoubtAges
from k3push.runs.last_looks import name_vouched
from k3push.runs.lookup import (
    can_ask,
    look_at_flow_tasks,
    look_at_standings,
    look_at_targets,
    pause_s,
)
from k3push.runs.row_pages import PAGE_ROWS, documents_in
from k3push.runs.settle import wait_s
from k3push.runs.source_check import is_thin
from k3push.runs.stop import Cause, guarded, stopping
from k3push.runs.wakeup import Wakeup

# The interface takes as many as one likes; so many are answered well within a minute.
MOST_IN_A_CALL = 100

# Successes that may pass over a document in silence; after the first it goes alone.
MOST_SILENCES = 3

LOOKED_AT = frozenset(Follow) - {Follow.REFUSED}
"""What each execution takes up, unless it is done; a flow may have ended meanwhile."""

LOCAL_TIMES_DIFFER = timedelta(hours=26)
"""The server's local time and the ledger's are nearer to each other than this."""

# Documents of the run that are read to learn as whom its pushes make them.
MOST_LEARNT_FROM = 50


@dataclass(slots=True)
class _Entry:
    """A document on its way.

    Attributes:
        due_s: On the loop's clock, when it is looked at next.
        tries: Calls that carried it and left it where it was.
        silences: How many of them were called a success.
        sessions: Of its calls in a row, how many met a lost session.
        most: How many documents its next call may carry.
        last: The last call that carried it, unless that is proved to have done nothing.
        lost: The attempt whose answer was lost, while that is open.
        missed_s: On the loop's clock, since when looks have not shown it.
        behind_s: On the loop's clock, since when looks show it where it was before.
    """

    document: Document
    due_s: float = 0.0
    tries: int = 0
    silences: int = 0
    sessions: int = 0
    most: int = MOST_IN_A_CALL
    last: StepIntent | None = None
    lost: StepAttempt | None = None
    missed_s: float | None = None
    behind_s: float | None = None


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


async def settle_steps(context: Context) -> None:
    """Read what became of documents whose answer was lost, until all are settled or a stop.

    Only reads are made.
    """
    await Follower(context, Wakeup()).settle_all()


@dataclass(slots=True)
class Follower:
    """Takes the documents of one execution through their steps.

    Attributes:
        calling: Whether a call is on its way, which is waited for.
        proved: Whether some document has come as far as the route asks for, in this run.
    """

    context: Context
    wakeup: Wakeup
    calling: bool = False
    proved: bool = False
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _ended: dict[str, Document] = field(default_factory=dict)
    _tallies: dict[Step, Tally] = field(default_factory=dict)
    _size: int = 1  # the first call of an execution carries one
    _flows_are_read: bool = True
    _makers: dict[str, set[str]] = field(default_factory=dict)
    _senders: dict[str, str] = field(default_factory=dict)
    _strange: dict[str, str] = field(default_factory=dict)
    _has_learnt: bool = False
    _expected: dict[str, Row] = field(default_factory=dict)
    _twins: set[str] = field(default_factory=set)
    _untied: set[str] = field(default_factory=set)
    _limits: int = 0
    _has_taken_up: bool = False
    _ages: DoubtAges = field(init=False)

    def __post_init__(self) -> None:
        self._ages = DoubtAges(self.context.clock)

    @property
    def wanted(self) -> bool:
        """Whether the route asks for anything."""
        return bool(self.context.route.follow)

    @property
    def busy(self) -> bool:
        """Whether a document is on its way, or those of earlier executions are looked for."""
        return self.wanted and (bool(self._entries) or not self._has_taken_up)

    # -- where documents come from ------------------------------------------------------------

    async def take_up(self, *, again: bool = False) -> None:
        """Go on with what earlier executions have left.

        Args:
            again: What was refused is looked at anew, as a person has asked.
        """
        if not self.wanted:
            return
        context, run, place = self.context, self.context.run.id, 0
        # A row may have become a draft since its document was taken up.
        states = [State.PUSHED, State.DRAFT]
        states += [State.ALREADY] if context.route.follow_already else []
        # No generator: it could not be closed where a stop cuts the execution short.
        while rows := await context.ledger.rows(run, states=states, after=place, limit=PAGE_ROWS):
            place = rows[-1].place
            rows = await name_vouched(context, rows)
            pushed = [(document, row.bill) for row in rows for document in documents_in(row)]
            known = await context.ledger.documents_of(run, [d.id for d, _ in pushed])
            self._expect(rows, known)
            self._note_twins(rows)
            new = [
                replace(document, sender=await self._sender_of(document.id, bill))
                for document, bill in pushed
                if document.id not in known
            ]
            await self._enrol(new)
            await self._enrol_already(rows)
        wanted = frozenset(Follow) if again else LOOKED_AT
        after = ""
        while page := await context.ledger.documents(run, after=after):
            after = page[-1].id
            for document in page:
                if is_done(document, context.route.follow):
                    self.proved = True
                elif document.follow in wanted:
                    await self._go_on(document)
        self._has_taken_up = True
        self.wakeup.notify()

    async def pushed(self, outcomes: Sequence[Outcome], named: Mapping[str, str]) -> list[str]:
        """Take up what a sending, or settling, has come to; return the ids of what is followed.

        Args:
            outcomes: What became of numbers.
            named: As whom the push travelled, by id of the documents that its answer names.
        """
        if not self.wanted:
            return []
        self._note_twins(outcomes)
        new = [
            replace(document, sender=named.get(document.id, ""))
            for outcome in outcomes
            for document in documents_in(outcome)
        ]
        await self._enrol(new)
        return [document.id for document in new]

    def _note_twins(self, of: Iterable[Row | Outcome]) -> None:
        """Note documents of bills that have too many; one may be another bill's as well."""
        self._twins.update(t.id for each in of if each.code == TWIN for t in each.targets)

    async def _sender_of(self, id_: str, bill: BillNumber) -> str:
        """Return as whom the push travelled whose answer names a document, or ""."""
        for kept in await self.context.ledger.attempts_of(bill):
            intent = kept.attempt.intent
            if intent.run == self.context.run.id and kept.exchange is not None:
                verdict = judge(kept.exchange)
                if isinstance(verdict, ReadBack) and id_ in {t.id for t in verdict.said.named}:
                    return intent.sender
        return ""

    async def _enrol(self, documents: Sequence[Document]) -> None:
        new = [each for each in documents if each.id not in self._entries]
        new = [each for each in new if each.id not in self._ended]
        if not new:
            return
        await self.context.ledger.enrol(self.context.run.id, new, at=self.context.clock.now())
        due_s = anyio.current_time() + self.context.route.follow_wait_s
        for document in new:
            self._entries.setdefault(document.id, _Entry(document, due_s))
        self.wakeup.notify()

    async def _enrol_already(self, rows: Iterable[Row]) -> None:
        """Take up documents that were there before.

        One that somebody has submitted or approved is none of ours, nor is one that an earlier run
        has submitted, and that stands at D since a person has taken it back. One that a number
        alone ties to its bill, and several of one bill, are left to a person.
        """
        rows = [row for row in rows if row.state is State.ALREADY]
        for row in rows:
            ids = {target.id for target in row.targets}
            if is_thin(row.reason):
                self._untied |= ids
            elif len(ids) > 1 and not await self.context.may_split():
                self._twins |= ids
        there = [target for row in rows for target in row.targets]
        known = await self.context.ledger.documents_of(self.context.run.id, [t.id for t in there])
        # What an earlier execution has taken up stands in the ledger, with what was done to it.
        there = [target for target in there if not target.draft and target.id not in known]
        if not there:
            return
        standings = await look_at_standings(self.context, {target.id for target in there})
        fresh = [
            Document(target.id, target.number)
            for target in there
            if (seen := standings.get(target.id)) and not seen.cancelled and seen.status in "AD"
            if seen.status != TAKEN_BACK or not await self._was_submitted(target.id)
        ]
        await self._enrol(fresh)

    async def _was_submitted(self, id_: str) -> bool:
        """Say whether a run of this ledger may have submitted a document."""
        return not all(map(_did_nothing, await self.context.ledger.steps_of(id_)))

    def _expect(self, rows: Iterable[Row], known: Mapping[str, Document]) -> None:
        """Note of which bills documents are that an earlier execution has found."""
        steps = self.context.route.follow
        for row in rows:
            for target in row.targets:
                document = known.get(target.id)
                if document is None or not is_done(document, steps):
                    self._expected.setdefault(target.id, row)

    async def _go_on(self, document: Document) -> None:
        """Take up a document as the ledger has it, with what was last done to it."""
        entry = _Entry(document)
        kept = await self.context.ledger.step(document.step) if document.step else None
        if kept is not None:
            entry.last = await self._last_that_counts(kept, document)
        if kept is not None and document.follow is Follow.UNKNOWN:
            entry.lost = kept.attempt
        self._entries[document.id] = entry

    async def _last_that_counts(self, kept: StepRecord, document: Document) -> StepIntent | None:
        """Return the last attempt at a step of a document that may have done something.

        What the ERP has put off says nothing of what was done before it.
        """
        if not _did_nothing(kept):
            return kept.attempt.intent
        every = reversed(await self.context.ledger.steps_of(document.id))
        mine = (each for each in every if each.attempt.intent.run == self.context.run.id)
        return next((each.attempt.intent for each in mine if not _did_nothing(each)), None)

    # -- the task -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Take documents through their steps until cancelled; end what is begun at a stop."""
        while True:
            due = [] if self._is_held else self._due(self._size)
            if due:
                await self._look_and_act(due)
                self.wakeup.notify()
            else:
                await self._wait()

    async def settle_all(self) -> None:
        """Take up documents in doubt, and let go of each as soon as its status tells of it."""
        run, after = self.context.run.id, ""
        while page := await self.context.ledger.documents(
            run, follows=[Follow.UNKNOWN], after=after
        ):
            after = page[-1].id
            for document in page:
                await self._go_on(document)
        while self._entries and not self.context.stop.asked:
            due = self._due(most=MOST_IN_A_CALL)
            if due:
                ids = [entry.document.id for entry in due]
                standings = await look_at_standings(self.context, ids)
                await self._settle(due, self._up_to_date(due, standings))
            else:
                next_s = min(entry.due_s for entry in self._entries.values())
                await self.context.stop.sleep(next_s - anyio.current_time())
            self._entries = {id_: each for id_, each in self._entries.items() if each.lost}

    async def finish(self, ids: Collection[str]) -> bool:
        """Wait until documents have come to their end, or a stop; say whether one did well."""
        while any(id_ in self._entries for id_ in ids) and not self.context.stop.asked:
            await self.wakeup.wait()
        ended = [self._ended[id_] for id_ in ids if id_ in self._ended]
        return not ended or any(each.follow is not Follow.REFUSED for each in ended)

    async def finish_all(self) -> None:
        """Wait until no document is on its way, or a stop, and no call either."""
        while self.calling or (self.busy and not self.context.stop.asked):
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

    @property
    def _is_held(self) -> bool:
        return self.context.stop.asked or self.context.throttle.hold is not None

    def _due(self, most: int) -> list[_Entry]:
        now_s = anyio.current_time()
        return [entry for entry in self._entries.values() if entry.due_s <= now_s][:most]

    async def _wait(self) -> None:
        next_s = min((entry.due_s for entry in self._entries.values()), default=math.inf)
        seconds = math.inf if self._is_held else max(0.0, next_s - anyio.current_time())
        with anyio.move_on_after(seconds):
            await self.wakeup.wait()

    async def _look_and_act(self, due: Sequence[_Entry]) -> None:
        """Read how documents stand, and take the steps that follow from it."""
        standings = await look_at_standings(self.context, [entry.document.id for entry in due])
        standings = self._up_to_date(due, standings)
        looked_s = self.context.awake_s
        await self._settle([entry for entry in due if entry.lost], standings)
        free = [entry for entry in due if not entry.lost and entry.document.id in self._entries]
        free = [entry for entry in free if not self._is_missed(entry, standings)]
        self._learn(free, standings)
        ended = []
        moves: list[tuple[_Entry, Standing, Step]] = []
        calls: dict[tuple[Step, str, str], list[_Entry]] = {}
        tasks = await self._tasks(free, standings)
        for entry in free:
            standing = standings.get(entry.document.id)
            task = tasks.get(standing.number) if standing else None
            steps = self.context.route.follow
            move = next_step(entry.document, standing, steps, task, entry.last)
            entry.document = move.document
            if move.step is None or standing is None:
                ended.append(entry.document)
            else:
                moves.append((entry, standing, move.step))
        lost = await self._lost_among({e.document.id: standing for e, standing, _ in moves})
        for entry, standing, step in moves:
            if why := await self._hindrance(entry, standing, lost):
                ended.append(replace(entry.document, follow=Follow.REFUSED, reason=why))
            else:
                key = (step, standing.status, entry.document.sender)
                calls.setdefault(key, []).append(entry)
        await self._end(ended)
        for (step, status, _), entries in calls.items():
            for part in _parts(entries, most=1 if status == TAKEN_BACK else MOST_IN_A_CALL):
                if not self._is_held:
                    await self._take(step, status, part, looked_s)

    def _up_to_date(
        self, entries: Sequence[_Entry], standings: Mapping[str, Standing]
    ) -> Mapping[str, Standing]:
        """Leave out documents that a look shows where they were before, for a while.

        Who has taken one back has done so for longer than a copy of the database lags behind.
        """
        now_s, behind = anyio.current_time(), set()
        for entry in entries:
            standing = standings.get(entry.document.id)
            last = entry.lost.intent if entry.lost else entry.last
            if standing is None or not is_behind(entry.document, standing, last):
                entry.behind_s = None
                continue
            entry.behind_s = now_s if entry.behind_s is None else entry.behind_s
            if now_s - entry.behind_s < self.context.settle.first_wait_s:
                behind.add(entry.document.id)
        return {id_: standing for id_, standing in standings.items() if id_ not in behind}

    def _is_missed(self, entry: _Entry, standings: Mapping[str, Standing]) -> bool:
        """Say whether a document that a look does not show is looked for once more.

        A query may be answered by a copy of the database that lags behind.
        """
        now_s = anyio.current_time()
        if entry.document.id in standings:
            entry.missed_s = None
            return False
        if entry.missed_s is None:
            entry.missed_s = now_s
        patience_s = self.context.settle.first_wait_s
        if now_s - entry.missed_s >= patience_s:
            return False
        entry.due_s = now_s + min(FIRST_LAG_S + now_s - entry.missed_s, patience_s)
        return True

    async def _tasks(
        self, entries: Sequence[_Entry], standings: Mapping[str, Standing]
    ) -> Mapping[str, FlowTask]:
        """Read the open tasks of flows for documents that would be approved."""
        context = self.context
        if Step.AUDIT not in context.route.follow or not context.route.verify_flow:
            return {}
        seen = [standings.get(entry.document.id) for entry in entries]
        numbers = [each.number for each in seen if each and each.status == "B" and each.number]
        if not numbers or not self._flows_are_read:
            return {}
        tasks = await look_at_flow_tasks(context, numbers)
        self._flows_are_read = tasks is not None
        return tasks or {}

    # -- whose documents they are -------------------------------------------------------------

    def _learn(self, entries: Iterable[_Entry], standings: Mapping[str, Standing]) -> None:
        """Learn as whom our pushes make documents, from those that their answers name."""
        for entry in entries:
            standing, sender = standings.get(entry.document.id), entry.document.sender
            if sender and standing and standing.creator:
                self._makers.setdefault(sender, set()).add(standing.creator)
        # Where a sender's documents bear several makers, their maker is not who sent.
        self._senders = {
            next(iter(makers)): sender
            for sender, makers in self._makers.items()
            if len(makers) == 1
        }
        for id_, creator in list(self._strange.items()):
            if creator in self._senders:
                del self._strange[id_]
                document = replace(self._ended.pop(id_), follow=Follow.OPEN, reason="")
                self._entries[id_] = _Entry(document)

    async def _lost_among(self, ids: Mapping[str, Standing]) -> Mapping[str, BillNumber]:
        """Look whether documents that an earlier execution has found are still of their bills.

        A database that was restored gives ids and numbers out again, to documents of other bills.

        Args:
            ids: The documents, as they stand.

        Returns:
            Those that no look shows as their bill's any more; where nobody can be asked for that,
            those that were made at another time than their row says.
        """
        context = self.context
        rows = {id_: self._expected[id_] for id_ in ids if id_ in self._expected}
        asked = {id_: row.bill for id_, row in rows.items()}
        strange = {id_: row.bill for id_, row in rows.items() if _is_of_another_time(row, ids[id_])}
        if not asked or not can_ask(context):
            return strange
        bills = list(dict.fromkeys(asked.values()))
        seen = await look_at_targets(context, bills, by_all=True, stop_or_not=True)
        by_field = context.route.source_number_field
        if not (by_field or seen.linked.issuperset(bills)):
            return strange  # nobody could be asked
        shown = {
            bill: {t.id for kind in (seen.targets, seen.shared) for t in kind.get(bill, ())}
            for bill in bills
        }
        lost = {id_: bill for id_, bill in asked.items() if id_ not in shown[bill]}
        for id_ in asked.keys() - lost.keys():
            del self._expected[id_]
        return lost

    async def _hindrance(
        self, entry: _Entry, standing: Standing, lost: Mapping[str, BillNumber]
    ) -> str:
        """Say why a document may not be ours, or ""."""
        id_ = entry.document.id
        if id_ in lost:
            return remark("note.document.of_another", number=number_in(lost[id_]))
        if id_ in self._twins:
            return remark("note.document.twin")
        if id_ in self._untied:
            return remark("note.document.thin")
        if await self._is_ours(entry, standing):
            return ""
        self._strange[id_] = standing.creator
        if not standing.creator:
            return remark("note.document.no_maker")
        return remark("note.document.not_ours", creator=standing.creator)

    async def _is_ours(self, entry: _Entry, standing: Standing) -> bool:
        """Say whether this ledger has made a document, as far as that can be known."""
        document = entry.document
        if document.sender or self.context.route.follow_already:
            return True
        if standing.creator not in self._senders and not self._has_learnt:
            self._has_learnt = True
            page = await self.context.ledger.documents(self.context.run.id, limit=MOST_LEARNT_FROM)
            named = [_Entry(each) for each in page if each.sender]
            if named:
                ids = [each.document.id for each in named]
                self._learn(named, await look_at_standings(self.context, ids))
        if standing.creator not in self._senders:
            return False
        entry.document = replace(document, sender=self._senders[standing.creator])
        return True

    # -- one call -----------------------------------------------------------------------------

    async def _take(
        self, step: Step, status: str, entries: Sequence[_Entry], looked_s: float
    ) -> None:
        """Make one call for a step of documents, and write down what came of it."""
        self.calling = True
        try:
            documents = [entry.document for entry in entries]
            ids = [document.id for document in documents]

            async def still_so() -> bool:
                standings = await look_at_standings(self.context, ids)
                stand = [s.status == status and not s.cancelled for s in standings.values()]
                return len(stand) == len(ids) and all(stand)

            look = StatusLook(status, looked_s, still_so)
            began_s = anyio.current_time()
            sent = await send_step(self.context, step, documents, look)
            if sent is not None:
                await self._record(entries, *sent, began_s)
        finally:
            self.calling = False
            self.wakeup.notify()

    async def _record(
        self,
        entries: Sequence[_Entry],
        attempt: StepAttempt,
        exchange: Exchange,
        began_s: float,
    ) -> None:
        context, intent, verdict = self.context, attempt.intent, judge(exchange)
        self._ages.ended(attempt.id, began_s)
        documents = [entry.document for entry in entries]
        match verdict:
            case SendAgain(because=because, session=session):
                self._again(entries, because, session)
            case InDoubt():
                documents = [in_doubt(each, verdict) for each in documents]
                for entry, document in zip(entries, documents, strict=True):
                    entry.document, entry.last, entry.lost = document, intent, attempt
                    entry.due_s = anyio.current_time() + context.settle.first_wait_s
                self._size = max(1, self._size // 2)
                if verdict.overloaded:
                    self._spare_erp(verdict.because, max(entry.tries for entry in entries) + 1)
            case ReadBack(said, twice):
                if twice:
                    await anyio.sleep(context.settle.first_wait_s)
                documents = with_others(await self._conclude(entries, intent, said), said)
        await context.ledger.record_step(
            attempt, exchange, remark_on(verdict), documents, at=context.clock.now()
        )
        context.watch.stepped(attempt, documents, verdict, anyio.current_time() - began_s)
        self._forget_ended(documents)
        self._count(intent.step, documents)

    async def _conclude(
        self, entries: Sequence[_Entry], intent: StepIntent, said: Said
    ) -> list[Document]:
        """Say what a finished call has made of its documents, from a look after it."""
        context = self.context
        standings = await self._look_after(entries, intent, said)
        standings = self._up_to_date(entries, standings)
        unmoved = [
            entry for entry in entries if not has_moved(intent, standings.get(entry.document.id))
        ]
        tasks = await self._tasks(unmoved, standings) if intent.step is Step.AUDIT else {}
        numbers = [entry.document.number for entry in entries]
        again = []
        for entry in entries:
            entry.tries, entry.sessions, entry.last = entry.tries + 1, 0, intent
            standing = standings.get(entry.document.id)
            if standing is None:
                entry.due_s = anyio.current_time()
                continue  # the next look says whether it is gone
            entry.silences += said.success
            enough = entry.tries >= context.pace.max_attempts
            last_try = entry.silences >= MOST_SILENCES if said.success else enough
            task = tasks.get(standing.number)
            move = conclude_step(
                intent,
                said,
                entry.document,
                standing,
                task,
                beside=numbers,
                last_try=last_try,
            )
            entry.document = move.document
            if move.step is not None:
                again.append(entry)
            else:
                entry.tries, entry.silences, entry.most = 0, 0, MOST_IN_A_CALL
                entry.due_s = anyio.current_time() + context.route.follow_wait_s
        moved = len(entries) - len(again)
        self._size = min(MOST_IN_A_CALL, self._size * 2) if moved else max(1, self._size // 2)
        self._put_back(again, said, is_named=moved > 0, size=len(entries))
        return [entry.document for entry in entries]

    def _put_back(self, again: Sequence[_Entry], said: Said, *, is_named: bool, size: int) -> None:
        """Let documents go once more that a finished call has left where they were.

        Args:
            again: These documents.
            said: The answer.
            is_named: The call has come to something for others: one that was refused by name is
                out of their way.
            size: How many the call carried.
        """
        later, limited = said.code in TRY_LATER_CODES, said.code in ABOUT_NO_BILL
        # Where nothing gets through, a limit is about no document, and uses up no try of one.
        is_ours = not limited or not self._limits
        self._limits = self._limits + (self.context.throttle.hold is None) if limited else 0
        for entry in again:
            pause = pause_s(entry.tries) if not said.success else 0.0
            entry.tries -= not is_ours
            entry.due_s = anyio.current_time() + pause
            if later:
                entry.last = None  # what the ERP puts off, it has not done
            elif said.success:
                entry.most = 1
            else:
                entry.most = size if is_named else max(1, size // 2)
        if again and limited:
            words = " ".join(said.messages)
            self._spare_erp(words, self._limits)
            self.context.end_at_limit(words, self._limits)

    async def _look_after(
        self, entries: Sequence[_Entry], intent: StepIntent, said: Said
    ) -> Mapping[str, Standing]:
        """Read how documents stand after a call, until what it has done is shown.

        What the answer says was done, or may have been done by a call before, is waited for.
        """
        context = self.context
        named = {target.id for target in said.named}
        may_have = [e for e in entries if e.document.id in named or e.tries or e.sessions]
        awaited = entries if said.success else may_have
        ids = [entry.document.id for entry in entries]
        standings = await look_at_standings(context, ids)
        waited_s, pause = 0.0, FIRST_LAG_S
        while waited_s < context.settle.first_wait_s:
            if all(has_moved(intent, standings.get(entry.document.id)) for entry in awaited):
                break
            pause = min(pause, context.settle.first_wait_s - waited_s)
            await anyio.sleep(pause)
            waited_s, pause = waited_s + pause, pause * LAG_GROWTH
            standings = await look_at_standings(context, ids)
        return standings

    def _again(self, entries: Sequence[_Entry], because: str, session: int) -> None:
        """Let documents of a call that has done nothing go again, a limited number of times."""
        context = self.context
        if session:
            context.erp.lose_session(session)
        for entry in entries:
            entry.sessions += bool(session)
            entry.tries += not session
            entry.due_s = anyio.current_time() + (0.0 if session else pause_s(entry.tries))
        if max(entry.tries for entry in entries) >= context.pace.max_attempts:
            context.stop.ask(Cause.UNREACHABLE, because)
        if (times := max(entry.sessions for entry in entries)) >= MOST_SESSIONS_A_CHUNK:
            why = remark("why.sessions", why=because, times=times)
            context.stop.ask(Cause.LOGIN_REFUSED, why)

    def _spare_erp(self, why: str, nth: int) -> None:
        """Let all wait, since it is their calls together that were too many."""
        self.context.watch.waiting(why, pause_s(nth))
        self.context.throttle.back_off(pause_s(nth), why)

    # -- doubts -------------------------------------------------------------------------------

    async def _settle(self, entries: Sequence[_Entry], standings: Mapping[str, Standing]) -> None:
        """Find out what became of documents whose answer was lost."""
        context, pace = self.context, self.context.settle
        settled = []
        for entry in entries:
            if entry.lost is None:
                continue
            intent = entry.lost.intent
            age_s = self._ages.age_s(_doubt(entry.document, entry.lost))
            standing, over = standings.get(entry.document.id), age_s >= pace.window_s
            document = settle_step(intent, entry.document, standing, over=over)
            if document is None:
                entry.due_s = anyio.current_time() + wait_s(age_s, pace)
                continue
            if has_moved(intent, standings.get(entry.document.id)):
                entry.tries = 0
            else:
                # The window is over: it may go once more, alone, as often as any call.
                entry.tries, entry.most = entry.tries + 1, 1
                if entry.tries >= context.pace.max_attempts:
                    why = entry.document.reason
                    document = replace(document, follow=Follow.REFUSED, reason=why)
            entry.document, entry.lost = document, None
            entry.due_s = anyio.current_time()
            settled.append(document)
        if settled:
            await context.ledger.follow(context.run.id, settled, at=context.clock.now())
            self._forget_ended(settled)

    # -- ends ---------------------------------------------------------------------------------

    async def _end(self, documents: Sequence[Document]) -> None:
        """Write down where documents stand that take no further step."""
        if documents:
            await self.context.ledger.follow(
                self.context.run.id, documents, at=self.context.clock.now()
            )
        for document in documents:
            self._forget(document)

    def _forget_ended(self, documents: Sequence[Document]) -> None:
        """Leave out documents that have come to their end."""
        for document in documents:
            over = document.follow in {Follow.REFUSED, Follow.WAITING}
            if over or is_done(document, self.context.route.follow):
                self._forget(document)

    def _forget(self, document: Document) -> None:
        self.proved = self.proved or is_done(document, self.context.route.follow)
        self._ended[document.id] = document
        self._entries.pop(document.id, None)

    def _count(self, step: Step, documents: Sequence[Document]) -> None:
        """Count refusals of a step, and stop if they break the halt rule."""
        context, before = self.context, self._tallies.get(step, Tally())
        follows = [document.follow for document in documents]
        tally = self._tallies[step] = replace(
            before,
            sent=before.sent + len(follows),
            failed=before.failed + follows.count(Follow.REFUSED),
            unknown=before.unknown + follows.count(Follow.UNKNOWN),
        )
        breach = context.pace.halt.check(tally)
        if breach is not None and Cause.HALTED not in context.stop.causes:
            why = remark("note.place", place=wire.OPERATIONS[step], why=breach.why)
            context.stop.ask(Cause.HALTED, why)


def _parts(entries: Sequence[_Entry], *, most: int) -> Iterator[list[_Entry]]:
    """Part documents into calls, none of which carries more than each of them may have beside."""
    part: list[_Entry] = []
    for entry in sorted(entries, key=lambda each: each.most):
        if part and len(part) >= min(most, part[0].most):
            yield part
            part = []
        part.append(entry)
    if part:
        yield part


def _did_nothing(kept: StepRecord) -> bool:
    """Say whether a call is proved to have done nothing."""
    verdict = judge(kept.exchange) if kept.exchange is not None else None
    if isinstance(verdict, ReadBack):
        return verdict.said.code in TRY_LATER_CODES
    return isinstance(verdict, SendAgain)


def _doubt(document: Document, lost: StepAttempt) -> Doubt:
    intent = lost.intent
    return Doubt(
        run=intent.run,
        number=BillNumber(document.id),
        attempt=lost.id,
        began_at=intent.began_at,
        uptime=intent.uptime,
        before=(),
    )


def _is_of_another_time(row: Row, standing: Standing) -> bool:
    """Say whether a document was made before its row was sent, or after it was settled.

    The form tells the server's local time, which is within a day of the ledger's.
    """
    try:
        created = datetime.fromisoformat(standing.created).replace(tzinfo=UTC)
    except ValueError:
        return False
    is_early = row.sent_at is not None and created < row.sent_at - LOCAL_TIMES_DIFFER
    is_late = row.settled_at is not None and created > row.settled_at + LOCAL_TIMES_DIFFER
    return is_early or is_late
