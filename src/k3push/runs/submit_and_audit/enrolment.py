"""Where documents come from that are submitted and audited.

They come from pushes of this execution, as these end, and from the ledger: at the beginning, and
once more at the end (`engine.push_run`), when looks may have found others. A document that waits
in a flow is looked at by each execution; one that was refused only where `k3push follow` asks for
it. Of documents that were there before the run, those are taken up that nobody has submitted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from k3push.core.model import BY_LEDGER, UNSHOWN, BillNumber, Document, Follow, Outcome, Row, State
from k3push.core.pacing.growing_pauses import lag_pauses
from k3push.core.safety.document_steps import is_done
from k3push.core.safety.verdict import ReadBack
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import name_vouched
from k3push.runs.kept_in_ledger.earlier_documents import note_looked_at
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under, verdict_of
from k3push.runs.kept_in_ledger.row_pages import PAGE_ROWS, documents_in
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.submit_and_audit.earlier_steps import step_did_nothing
from k3push.runs.submit_and_audit.ownership import Ownership
from k3push.runs.submit_and_audit.under_way import FollowedDocument, UnderWay
from k3push.runs.wakeup import Wakeup

LOOKED_AT = frozenset(Follow) - {Follow.REFUSED}
"""What each execution takes up, unless it is done; a flow may have ended meanwhile."""


@dataclass(slots=True)
class Enrolment:
    """Takes up the documents of one execution.

    Attributes:
        is_through: What earlier executions have left is taken up.
    """

    context: Context
    wakeup: Wakeup
    under_way: UnderWay
    ownership: Ownership
    is_through: bool = False

    async def take_up(self, *, again: bool) -> None:
        """Go on with what earlier executions have left.

        Args:
            again: What was refused is looked at anew, as a person has asked.
        """
        await self._take_up_rows()
        context, wanted, after = self.context, frozenset(Follow) if again else LOOKED_AT, ""
        while page := await context.ledger.documents(context.run.id, after=after):
            after = page[-1].id
            for document in page:
                if is_done(document, context.route.follow):
                    self.under_way.proved = True
                elif document.follow in wanted:
                    await self._go_on(document)
                else:
                    self.ownership.recall(document)
        self.is_through = True
        self.wakeup.notify()

    async def take_up_doubts(self) -> None:
        """Go on with those that a lost answer has left open, and with nothing else."""
        ledger, run, after = self.context.ledger, self.context.run.id, ""
        while page := await ledger.documents(run, follows=[Follow.UNKNOWN], after=after):
            after = page[-1].id
            for document in page:
                await self._go_on(document)

    async def pushed(self, outcomes: Sequence[Outcome], named: Mapping[str, str]) -> list[str]:
        """Take up what a sending, or settling, has come to; return the ids of what is followed.

        Args:
            outcomes: What became of numbers.
            named: As whom the push travelled, by id of the documents that its answer names; of
                others the ledger is asked, since a call may have been in doubt that has an answer.
        """
        self.ownership.note_codes(outcomes)
        self.ownership.note_made(outcomes)
        new = [
            replace(
                document,
                sender=named.get(document.id) or await self._sender_of(document.id, bill),
            )
            for bill, document in [(o.number, d) for o in outcomes for d in documents_in(o)]
        ]
        free = self.context.uncounted
        counted = {d.id for o in outcomes if o.number not in free for d in documents_in(o)}
        await self._enrol(new, counted)
        return [document.id for document in new]

    # -- from rows ----------------------------------------------------------------------------

    async def _take_up_rows(self) -> None:
        """Take up documents of rows that have come to their end."""
        context, run, place, already = self.context, self.context.run.id, 0, 0
        missed: list[Row] = []
        # A row may have become a draft since its document was taken up.
        states = [State.PUSHED, State.DRAFT]
        states += [State.ALREADY] if context.route.follow_already else []
        # No generator: it could not be closed where a stop cuts the execution short.
        while rows := await context.ledger.rows(run, states=states, after=place, limit=PAGE_ROWS):
            place = rows[-1].place
            rows = await name_vouched(context, rows)
            pushed = [(document, row.bill) for row in rows for document in documents_in(row)]
            known = await context.ledger.documents_of(run, [d.id for d, _ in pushed])
            self.ownership.expect(rows, known)
            self.ownership.note_codes(rows)
            new = [
                replace(document, sender=await self._sender_of(document.id, bill))
                for document, bill in pushed
                if document.id not in known
            ]
            mine = [row for row in rows if row.place in context.counted]
            counted = {document.id for row in mine for document in documents_in(row)}
            await self._enrol(new, counted)
            there = [row for row in rows if row.state is State.ALREADY]
            already += len(there)
            missed += await self._enrol_already(there)
        # All together, since each page may hold one that is gone.
        for pause_s in lag_pauses(context.settle.first_wait_s):
            if not missed or context.stop.asked:
                break
            await context.stop.sleep(pause_s)
            missed = await self._enrol_already(missed)
        else:
            missed = []  # looks have agreed for a while: they are gone
        if looked_at := already - len(missed):
            await note_looked_at(context.ledger, run, looked_at, context.clock.now())

    async def _sender_of(self, id_: str, bill: BillNumber) -> str:
        """Return as whom the push travelled whose answer names a document, or ""."""
        for kept in await attempts_under(self.context.ledger, self.context.run.id, bill):
            verdict = verdict_of(kept)
            if isinstance(verdict, ReadBack) and id_ in {t.id for t in verdict.said.named}:
                return kept.attempt.intent.sender
        return ""

    async def _enrol(self, documents: Sequence[Document], counted: Collection[str]) -> None:
        if await self.under_way.enrol(documents, counted):
            self.wakeup.notify()

    async def _enrol_already(self, rows: Sequence[Row]) -> list[Row]:
        """Take up documents that were there before.

        One that somebody has submitted or approved is none of ours. One that an earlier run has
        submitted, and that a person has taken back, is refused its step (`Ownership.hindrance`).

        Returns:
            Rows of which a look does not show all that the push has seen: a copy of the database
            that lags behind may have answered.
        """
        await self.ownership.note_already(rows)
        there = [target for row in rows for target in row.targets]
        known = await self.context.ledger.documents_of(self.context.run.id, [t.id for t in there])
        # What an earlier execution has taken up stands in the ledger, with what was done to it.
        there = [target for target in there if not target.draft and target.id not in known]
        ids = {target.id for target in there}
        standings = await look_at_standings(self.context, ids) if ids else {}
        fresh = [
            Document(target.id, target.number)
            for target in there
            if (seen := standings.get(target.id)) and not seen.cancelled and seen.status in "AD"
        ]
        places = self.context.counted
        await self._enrol(fresh, {t.id for row in rows if row.place in places for t in row.targets})
        missed = ids - standings.keys()
        shown = (row for row in rows if row.code not in {BY_LEDGER, UNSHOWN})
        return [row for row in shown if not missed.isdisjoint(t.id for t in row.targets)]

    # -- as the ledger has them ---------------------------------------------------------------

    async def _go_on(self, document: Document) -> None:
        """Take up a document as the ledger has it, with what was last done to it."""
        entry = FollowedDocument(document)
        if document.follow in {Follow.OPEN, Follow.SUBMITTED}:
            # An execution that was killed may have come so far a moment ago.
            entry.due_s = self.under_way.next_step_s
        kept = await self.context.ledger.step(document.step) if document.step else None
        if kept is not None and not step_did_nothing(kept):
            entry.last = kept.attempt.intent
        if kept is not None and document.follow is Follow.UNKNOWN:
            entry.lost = kept.attempt
            self.context.steps_at_work.left(kept.attempt)
        self.under_way.entries[document.id] = entry
