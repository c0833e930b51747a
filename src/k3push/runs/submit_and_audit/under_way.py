"""Documents under way through their steps, what was tried with each, and those that have ended.

A document is in one of two places: on its way until it takes no further step, and among the ended
ones after that. All parts of `submit_and_audit` see both, and nothing else of each other.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import anyio

from k3push.core.model import Document, Follow, Step, StepAttempt, StepIntent
from k3push.core.safety.document_steps import is_done
from k3push.runs.context import Context

# The interface takes as many as one likes; so many are answered well within a minute.
MOST_IN_A_CALL = 100


@dataclass(slots=True)
class FollowedDocument:
    """A document on its way.

    Attributes:
        due_s: On the loop's clock, when it is looked at next.
        tries: Calls that carried it and left it where it was.
        silences: How many of them were called a success.
        sessions: Of its calls in a row, how many met a lost session.
        ended_s: On the loop's clock, when its last call came back.
        most: How many documents its next call may carry.
        last: The last call that carried it, unless that is proved to have done nothing.
        lost: The attempt whose answer was lost, while that is open.
        missed_s: On the loop's clock, since when looks have not shown it.
        behind_s: On the loop's clock, since when looks show it where it was before.
        aside: The step of it that another run is at, and since when, on the loop's clock.
    """

    document: Document
    due_s: float = 0.0
    tries: int = 0
    silences: int = 0
    sessions: int = 0
    ended_s: float = -math.inf
    most: int = MOST_IN_A_CALL
    last: StepIntent | None = None
    lost: StepAttempt | None = None
    missed_s: float | None = None
    behind_s: float | None = None
    aside: tuple[Step, float] | None = None


@dataclass(slots=True)
class UnderWay:
    """The documents of one execution.

    Attributes:
        entries: Those on their way, by id.
        ended: How the others were left, by id.
        proved: Whether some document has come as far as the route asks for, in this run.
    """

    context: Context
    entries: dict[str, FollowedDocument] = field(default_factory=dict)
    ended: dict[str, Document] = field(default_factory=dict)
    proved: bool = False

    @property
    def wait_for_call(self) -> bool:
        """Whether a call was given up that may be in the ERP yet: the next would wait behind it."""
        open_ = self.context.steps_at_work.open
        return any(entry.lost and entry.lost.id in open_ for entry in self.entries.values())

    @property
    def next_step_s(self) -> float:
        """When, on the loop's clock, what has moved just now takes its next step."""
        return anyio.current_time() + self.context.route.follow_wait_s

    def due(self, most: int) -> list[FollowedDocument]:
        """Return documents that are to be looked at now."""
        now_s = anyio.current_time()
        return [entry for entry in self._not_waiting() if entry.due_s <= now_s][:most]

    def next_due_s(self) -> float:
        """Return when, on the loop's clock, a document is to be looked at next."""
        return min((entry.due_s for entry in self._not_waiting()), default=math.inf)

    def _not_waiting(self) -> Iterable[FollowedDocument]:
        entries = self.entries.values()
        return [entry for entry in entries if entry.lost] if self.wait_for_call else entries

    def admits(self, entry: FollowedDocument) -> bool:
        """Say whether a document may take a step: one of an earlier execution counts as a bill.

        Where the limit has no place for it, it is left as it is to the next execution.
        """
        context, id_ = self.context, entry.document.id
        if id_ in context.counted_documents:
            return True
        if context.left < 1:
            context.cut = True
            del self.entries[id_]
            return False
        context.left -= 1
        context.counted_documents.add(id_)
        return True

    async def enrol(self, documents: Sequence[Document], counted: Collection[str]) -> bool:
        """Begin to follow documents; say whether one of them is new.

        Args:
            documents: The documents.
            counted: Ids of those whose bills the limit has counted.
        """
        ledger, run = self.context.ledger, self.context.run.id
        self.context.counted_documents.update(counted)
        known = self.entries.keys() | self.ended.keys()
        new = [each for each in documents if each.id not in known]
        # An earlier execution may have followed it, as the document of another bill.
        kept = await ledger.documents_of(run, [each.id for each in new]) if new else {}
        new = [each for each in new if each.id not in kept]
        if not new:
            return False
        await ledger.enrol(run, new, at=self.context.clock.now())
        for document in new:
            self.entries.setdefault(document.id, FollowedDocument(document, self.next_step_s))
        return True

    async def end(self, documents: Sequence[Document]) -> None:
        """Write down where documents stand that take no further step."""
        await self.write_down(documents)
        for document in documents:
            self._forget(document)

    async def write_down(self, documents: Sequence[Document]) -> None:
        """Write down where documents stand, apart from a call."""
        if documents:
            await self.context.ledger.follow(
                self.context.run.id, documents, at=self.context.clock.now()
            )

    def leave_out_ended(self, documents: Iterable[Document]) -> None:
        """Leave out those of some documents that have come to their end."""
        for document in documents:
            over = document.follow in {Follow.REFUSED, Follow.WAITING}
            if over or is_done(document, self.context.route.follow):
                self._forget(document)

    async def reopen(self, ids: Sequence[str]) -> None:
        """Let documents that were left to a person go on after all, in whichever execution."""
        documents = [replace(self.ended[id_], follow=Follow.OPEN, reason="") for id_ in ids]
        await self.write_down(documents)
        for document in documents:
            del self.ended[document.id]
            self.entries[document.id] = FollowedDocument(document)

    def _forget(self, document: Document) -> None:
        self.proved = self.proved or is_done(document, self.context.route.follow)
        self.ended[document.id] = document
        self.entries.pop(document.id, None)
