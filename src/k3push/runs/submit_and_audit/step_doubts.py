"""What became of documents of which the answer to a call for a step was lost.

Their status tells, as soon as it has changed. Where it has not, the call may be at work still: so
they are read until the window has passed, and only then go once more, alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio

from k3push.core.model import BillNumber, Document, Follow, Standing, StepAttempt
from k3push.core.safety.document_steps import has_moved, in_doubt, settle_step
from k3push.core.safety.verdict import InDoubt
from k3push.ports import Doubt
from k3push.runs.context import Context
from k3push.runs.doubts.settle_doubts import next_look_in_s
from k3push.runs.other_calls.calls_of_others import Heard, hear, step_waits_s
from k3push.runs.proof.doubt_ages import DoubtAges
from k3push.runs.proof.seen_since import note_moved_documents
from k3push.runs.submit_and_audit.under_way import FollowedDocument, UnderWay


@dataclass(slots=True)
class StepDoubts:
    """The lost answers of one execution.

    Attributes:
        ages: Since when they are open.
    """

    context: Context
    under_way: UnderWay
    ages: DoubtAges = field(init=False)

    def __post_init__(self) -> None:
        self.ages = DoubtAges(self.context.clock)

    def open(
        self, entries: Sequence[FollowedDocument], attempt: StepAttempt, verdict: InDoubt
    ) -> list[Document]:
        """Leave open what became of documents; the first look at them comes some time later."""
        for entry in entries:
            entry.document = in_doubt(entry.document, verdict)
            entry.last, entry.lost = attempt.intent, attempt
            entry.due_s = anyio.current_time() + self.context.settle.first_wait_s
        return [entry.document for entry in entries]

    async def hear(self, entries: Sequence[FollowedDocument]) -> Heard:
        """Ask the ledger what calls of documents in doubt may wait for; before they are read."""
        return await hear(self.context) if any(entry.lost for entry in entries) else Heard()

    async def settle(
        self,
        entries: Sequence[FollowedDocument],
        standings: Mapping[str, Standing],
        heard: Heard,
    ) -> None:
        """Find out what became of documents whose answer was lost.

        Args:
            entries: The documents.
            standings: How they stand.
            heard: What the ledger had told before that was read, so that no call is over meanwhile.
        """
        context, times = self.context, self.context.settle
        lost = {
            entry.lost.id: _doubt(entry.document, entry.lost) for entry in entries if entry.lost
        }
        if heard.steps_go_on:
            # So no further step leaves behind those whose lines broke soon.
            for each in self.under_way.entries.values():
                if each.lost is not None:
                    context.steps_at_work.left(each.lost)
        for id_, waits_s in (await step_waits_s(context, list(lost.values()), heard)).items():
            self.ages.note_behind(id_, waits_s)
        settled = []
        for entry in entries:
            if entry.lost is None:
                continue
            intent = entry.lost.intent
            doubt = lost[entry.lost.id]
            age_s, over_s = self.ages.age_s(doubt), times.shown_by_s + self.ages.behind_s(doubt)
            standing = standings.get(entry.document.id)
            document = settle_step(intent, entry.document, standing, over=age_s >= over_s)
            if document is None:
                entry.due_s = anyio.current_time() + next_look_in_s(age_s, times, over_s)
                continue
            if has_moved(intent, standing):
                entry.tries = 0
                run, now = context.run.id, context.clock.now()
                await note_moved_documents(context.ledger, run, entry.lost.id, at=now)
            else:
                # The window is over: it may go once more, alone, as often as any call.
                entry.tries, entry.most = entry.tries + 1, 1
                if entry.tries >= context.limits.max_attempts:
                    why = entry.document.reason
                    document = replace(document, follow=Follow.REFUSED, reason=why)
            entry.document, entry.lost = document, None
            # It may have been carried out a moment ago.
            entry.due_s = self.under_way.next_step_s
            settled.append(document)
        open_ = [each.lost.id for each in self.under_way.entries.values() if each.lost]
        context.steps_at_work.keep(open_, context.clock)
        await self.under_way.write_down(settled)
        self.under_way.leave_out_ended(settled)


def _doubt(document: Document, lost: StepAttempt) -> Doubt:
    intent = lost.intent
    return Doubt(
        run=intent.run,
        number=BillNumber(document.id),
        attempt=lost.id,
        began_at=intent.began_at,
        uptime=intent.uptime,
        before=(),
        sender=intent.sender,
    )
