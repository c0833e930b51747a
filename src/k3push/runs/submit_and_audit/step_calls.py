"""One call that submits or audits documents: sent once, and concluded from a look after it.

The first call of an execution carries one document. What comes through doubles the next one, up to
`MOST_IN_A_CALL`, and what comes to nothing halves it. A document that a call has left where it was
goes again, with fewer beside it, until its own answer refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import anyio

from k3push.core.model import Document, Exchange, Follow, Step, StepAttempt, StepIntent, StepsSoFar
from k3push.core.pacing.growing_pauses import pause_s
from k3push.core.pacing.halting import Tally
from k3push.core.protocol import wire
from k3push.core.protocol.msg_codes import ABOUT_NO_BILL, TRY_LATER_CODES
from k3push.core.remark import remark
from k3push.core.safety.document_steps import conclude_step, has_moved, with_others
from k3push.core.safety.verdict import InDoubt, ReadBack, Said, SendAgain, judge, was_given_up
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, OtherRunStepsError
from k3push.runs.context import Context
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.sending.attempt import MOST_SESSIONS_A_CHUNK, StatusLook, remark_on, send_step
from k3push.runs.stop import Cause
from k3push.runs.submit_and_audit.step_doubts import StepDoubts
from k3push.runs.submit_and_audit.step_reads import StepReads
from k3push.runs.submit_and_audit.under_way import MOST_IN_A_CALL, FollowedDocument, UnderWay
from k3push.runs.wakeup import Wakeup

# How many successes may leave a document as it was and say nothing of it. After the first one,
# the document travels alone.
MOST_SILENCES = 3


@dataclass(slots=True)
class StepCalls:
    """Makes the calls of one execution, one after another.

    Attributes:
        calling: Whether a call is on its way, which is waited for.
        size: How many documents the next one carries at most.
        _limits: Calls in a row that met a limit which is about no document.
        _tallies: What the calls for each step have come to, for the halt rule.
    """

    context: Context
    wakeup: Wakeup
    under_way: UnderWay
    reads: StepReads
    doubts: StepDoubts
    calling: bool = False
    size: int = 1
    _limits: int = 0
    _tallies: dict[Step, Tally] = field(default_factory=dict)

    async def take(
        self,
        step: Step,
        status: str,
        entries: Sequence[FollowedDocument],
        looked_s: float,
        after: StepsSoFar,
    ) -> None:
        """Make one call for a step of documents, and write down what came of it.

        Args:
            step: The step.
            status: In which a look has shown all of them.
            entries: The documents.
            looked_s: When that look was made, as `context.awake_s` counts.
            after: Which attempts at steps had begun before it.
        """
        self.calling = True
        try:
            documents = [entry.document for entry in entries]
            ids = [document.id for document in documents]

            async def still_so() -> bool:
                standings = await look_at_standings(self.context, ids)
                stand = [s.status == status and not s.cancelled for s in standings.values()]
                return len(stand) == len(ids) and all(stand)

            look = StatusLook(status, looked_s, still_so, self._minded(step, entries, after))
            began_s = anyio.current_time()
            try:
                sent = await send_step(self.context, step, documents, look)
            except OtherRunStepsError:
                self._set_aside(step, entries)
                return
            for entry in entries:
                entry.aside = None
            if sent is not None:
                await self._record(entries, *sent, began_s)
        finally:
            self.calling = False
            self.wakeup.notify()

    def _minded(
        self, step: Step, entries: Sequence[FollowedDocument], after: StepsSoFar
    ) -> StepsSoFar | None:
        """Say since when another run's steps are minded; None where they are over."""
        over_s = anyio.current_time() - self.context.settle.shown_by_s
        # A dead process may have left one open.
        are_over = all(_aside_s(entry, step, math.inf) < over_s for entry in entries)
        return None if are_over else after

    def _set_aside(self, step: Step, entries: Sequence[FollowedDocument]) -> None:
        """Look anew after a while at what did not leave, since another run is at a step of it.

        Which of them that is nobody tells, so that they go on with fewer beside them.
        """
        now_s, pause = anyio.current_time(), self.context.settle.poll_s
        are_new = any(_aside_s(entry, step, math.inf) == math.inf for entry in entries)
        if are_new or len(entries) > 1:
            pause = min(pause, pause_s(1))
        if are_new:
            self.context.watch.waiting(remark("note.step_beside", count=len(entries)), pause)
        for entry in entries:
            entry.aside = step, _aside_s(entry, step, now_s)
            entry.most = max(1, len(entries) // 2)
            entry.due_s = now_s + pause

    async def _record(
        self,
        entries: Sequence[FollowedDocument],
        attempt: StepAttempt,
        exchange: Exchange,
        began_s: float,
    ) -> None:
        context, intent, verdict = self.context, attempt.intent, judge(exchange)
        self.doubts.ages.ended(attempt.id)
        documents, ended_s = [entry.document for entry in entries], anyio.current_time()
        if not isinstance(verdict, InDoubt):
            context.steps_at_work.over([attempt.id], context.clock)
        elif not was_given_up(verdict, ended_s - began_s):
            context.steps_at_work.broke(attempt)
        match verdict:
            case SendAgain(because=because, session=session):
                self._let_go_again(entries, because, session)
            case InDoubt():
                documents = self.doubts.open(entries, attempt, verdict)
                self._halve_size()
                if verdict.overloaded:
                    self._spare_erp(verdict.because, max(entry.tries for entry in entries) + 1)
            case ReadBack(said, twice):
                if twice:
                    await anyio.sleep(context.settle.first_wait_s)
                try:
                    found = await self._conclude(entries, intent, said, ended_s)
                    documents = with_others(found, said)
                except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
                    # What came back is written down, though nothing tells what it has done.
                    unread = InDoubt("unread", str(error))
                    documents = self.doubts.open(entries, attempt, unread)
                    self._halve_size()
        for entry in entries:
            entry.ended_s = ended_s
        await context.ledger.record_step(
            attempt, exchange, remark_on(verdict), documents, at=context.clock.now()
        )
        context.watch.stepped(attempt, documents, verdict, anyio.current_time() - began_s)
        self.under_way.leave_out_ended(documents)
        self._count(intent.step, documents)

    # -- a finished call ----------------------------------------------------------------------

    async def _conclude(
        self, entries: Sequence[FollowedDocument], intent: StepIntent, said: Said, ended_s: float
    ) -> list[Document]:
        """Say what a finished call has made of its documents, from a look after it."""
        context = self.context
        standings = await self.reads.standings_after(entries, intent, said)
        unmoved = [
            entry for entry in entries if not has_moved(intent, standings.get(entry.document.id))
        ]
        audits = intent.step is Step.AUDIT
        tasks = await self.reads.flow_tasks(unmoved, standings) if audits else {}
        numbers = [entry.document.number for entry in entries]
        again = []
        for entry in entries:
            entry.tries, entry.sessions = entry.tries + 1, 0
            if said.code not in TRY_LATER_CODES:
                entry.last = intent  # what the ERP puts off, it has not done
            standing = standings.get(entry.document.id)
            if standing is None:
                entry.due_s = anyio.current_time()
                continue  # the next look says whether it is gone
            entry.silences += said.success
            enough = entry.tries >= context.limits.max_attempts
            move = conclude_step(
                intent,
                said,
                entry.document,
                standing,
                tasks.get(standing.number),
                beside=numbers,
                last_try=entry.silences >= MOST_SILENCES if said.success else enough,
            )
            entry.document = move.document
            if move.step is not None:
                again.append(entry)
            else:
                entry.tries, entry.silences, entry.most = 0, 0, MOST_IN_A_CALL
                entry.due_s = self.under_way.next_step_s
        moved = len(entries) - len(again)
        if moved:
            self.size = min(MOST_IN_A_CALL, self.size * 2)
        else:
            self._halve_size()
        self._put_back(again, said, ended_s, is_named=moved > 0, size=len(entries))
        return [entry.document for entry in entries]

    def _put_back(
        self,
        again: Sequence[FollowedDocument],
        said: Said,
        ended_s: float,
        *,
        is_named: bool,
        size: int,
    ) -> None:
        """Let documents go once more that a finished call has left where they were.

        What was refused waits until looks surely show all that the call has done, together with
        the others; after the next call it would wait alone.

        Args:
            again: These documents.
            said: The answer.
            ended_s: On the loop's clock, when it came.
            is_named: The call has come to something for others: one that was refused by name is
                out of their way.
            size: How many the call carried.
        """
        later, limited = said.code in TRY_LATER_CODES, said.code in ABOUT_NO_BILL
        self._limits = self._limits + (self.context.throttle.hold is None) if limited else 0
        for entry in again:
            pause = pause_s(entry.tries) if not said.success else 0.0
            entry.tries -= limited  # it is about no document
            entry.due_s = anyio.current_time() + pause
            if said.success:
                entry.most = 1
            elif not later:
                surely_s = ended_s + self.context.settle.first_wait_s
                entry.due_s = max(entry.due_s, surely_s)
                entry.most = size if is_named else max(1, size // 2)
        if again and limited:
            words = " ".join(said.messages)
            self._spare_erp(words, self._limits)
            self.context.end_at_call_limit(words, self._limits)

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
        breach = context.limits.halt.check(tally)
        if breach is not None and Cause.HALTED not in context.stop.causes:
            why = remark("note.place", place=wire.OPERATIONS[step], why=breach.why)
            context.stop.ask(Cause.HALTED, why)

    # -- a call that has done nothing, or too much ---------------------------------------------

    def _let_go_again(
        self, entries: Sequence[FollowedDocument], because: str, session: int
    ) -> None:
        """Let documents of a call that has done nothing go again, a limited number of times."""
        context = self.context
        if session:
            context.erp.lose_session(session)
        for entry in entries:
            entry.sessions += bool(session)
            entry.tries += not session
            entry.due_s = anyio.current_time() + (0.0 if session else pause_s(entry.tries))
        if max(entry.tries for entry in entries) >= context.limits.max_attempts:
            context.stop.ask_unsent(because)
        if (times := max(entry.sessions for entry in entries)) >= MOST_SESSIONS_A_CHUNK:
            why = remark("why.sessions", why=because, times=times)
            context.stop.ask(Cause.LOGIN_REFUSED, why)

    def _halve_size(self) -> None:
        self.size = max(1, self.size // 2)

    def _spare_erp(self, why: str, nth: int) -> None:
        """Let all wait, since it is their calls together that were too many."""
        self.context.watch.waiting(why, pause_s(nth))
        self.context.throttle.back_off(pause_s(nth), why)


def _aside_s(entry: FollowedDocument, step: Step, otherwise_s: float) -> float:
    """Return since when another run is at a step of a document, as far as is known here."""
    return entry.aside[1] if entry.aside and entry.aside[0] is step else otherwise_s


def in_calls(entries: Sequence[FollowedDocument], *, most: int) -> Iterator[list[FollowedDocument]]:
    """Part documents into calls, none of which carries more than each of them may have beside."""
    part: list[FollowedDocument] = []
    for entry in sorted(entries, key=lambda each: each.most):
        if part and len(part) >= min(most, part[0].most):
            yield part
            part = []
        part.append(entry)
    if part:
        yield part
