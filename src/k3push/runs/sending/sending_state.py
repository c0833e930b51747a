"""A chunk on its way: what is left to send of it, and what its sendings have come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio

from k3push.core.model import (
    TWIN,
    BillNumber,
    Chunk,
    Outcome,
    RunId,
    Sighting,
    State,
    Target,
    Targets,
)
from k3push.core.pacing.samples import CallSample, Ended
from k3push.core.protocol.msg_codes import CALL_LIMIT
from k3push.core.remark import also, remark
from k3push.core.safety.conclusion import Conclusion
from k3push.core.safety.target_sets import every_id, labels
from k3push.core.safety.verdict import GIVEN_UP, InDoubt, ReadBack, SendAgain
from k3push.ports import LatelySent
from k3push.runs.context import Context


@dataclass(slots=True)
class Sending:
    """A claimed chunk on its way.

    Attributes:
        chunk: As the backlog gave it.
        numbers: What is left to send: claimed, and without a target.
        changed_among: Looks again at the sources of bills that were looked at long ago; returns
            those that may not leave as they are, and are taken care of.
        one_only: All numbers are looked at and only the first is sent: its document must be found,
            and pass all steps of the route, before others follow.
        found_own: A look has found what this chunk has made.
        found_links: Targets were found by their link while this chunk was sent.
        nth: Sendings so far.
        lost: How many of them met a lost session.
        sent: What other runs had sent of its numbers as the last look began.
        in_doubt: Whether it has left numbers `unknown`.
        overload: What the last answer said of an overloaded ERP, or "".
        held_back: Nothing was sent, since a hold had begun; the numbers wait for its end.
        shown: Documents that looks have shown since the last sending, which it may have made.
        conclusion: What the last sending that the ERP has finished came to.
        began_s: When the looks before a sending began.
        looked_s: When the last of them began, by `Context.awake_s`.
        half_stale: A part of it was answered long before another, which was tried again.
        at_once: Chunks on their way when it left, itself included.
        merged: The last read-back found a target of several sources.
        sample: What the last sending tells of the ERP's pace.
        before_s: How long the looks before the last push took.
        left_s: When the last push left, by `Context.awake_s`.
        push_s: How long it took.
        cancelled: Cancelled documents of the numbers, which count as none.
        twins: Remarks on documents that the last answer does not name beside those that it does.
        ground: The evidence by which the last read-back found documents, as a remark, or "".
        outcomes: Outcomes of its numbers: from the looks before it, and from the last sending.
        named: Which user sent the call that made a document, by the document's id; of those that
            an answer names.
        postponed: Numbers that wait until another's document has passed all steps of the route.
        put_off: Numbers that wait for what another run has sent of them, and for how many seconds.
        barred: Numbers that another run has to settle first, with that run; they stay planned.
    """

    chunk: Chunk
    numbers: tuple[BillNumber, ...]
    changed_among: Callable[[Sequence[BillNumber]], Awaitable[set[BillNumber]]]
    one_only: bool = False
    found_links: bool = False
    found_own: bool = False
    nth: int = 0
    lost: int = 0
    sent: Sequence[LatelySent] = ()
    in_doubt: bool = False
    overload: str = ""
    held_back: bool = False
    shown: Targets = field(default_factory=dict)
    conclusion: Conclusion | None = None
    began_s: float = 0.0
    looked_s: float = 0.0
    half_stale: bool = False
    at_once: int = 1
    merged: bool = False
    sample: CallSample | None = None
    before_s: float = 0.0
    left_s: float = 0.0
    push_s: float = 0.0
    cancelled: dict[BillNumber, tuple[Target, ...]] = field(default_factory=dict)
    twins: dict[BillNumber, str] = field(default_factory=dict)
    ground: str = ""
    outcomes: tuple[Outcome, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    postponed: tuple[BillNumber, ...] = ()
    put_off: dict[BillNumber, float] = field(default_factory=dict)
    barred: dict[BillNumber, RunId] = field(default_factory=dict)

    def annotated(self, outcome: Outcome) -> Outcome:
        """Add to an outcome what else a person has to know of its number."""
        if outcome.number in self.twins:
            why = self.twins[outcome.number]
            # What is in doubt is no twin yet, and its code says what it waits for.
            code = outcome.code if outcome.state is State.UNKNOWN else TWIN
            return outcome._replace(code=code, reason=also(outcome.reason, why))
        ids = {target.id for target in outcome.targets}
        gone = [t for t in self.cancelled.get(outcome.number, ()) if t.id not in ids]
        if not gone or outcome.state in {State.PLANNED, State.UNKNOWN}:
            return outcome
        why = remark("note.cancelled_before", documents=labels(gone))
        return outcome._replace(reason=also(outcome.reason, why))

    def note_found(self, context: Context, seen: Sighting) -> None:
        """Note that documents were found, and by what."""
        if seen.targets:
            # Without a source number, a document of another rule shows nothing of this one's.
            self.found_links = self.found_links or context.tells_of_several
            field_ids = seen.by_the_field()
            shown = every_id(seen.targets)
            certain = shown & field_ids - seen.thin
            context.proofs.field_finds = context.proofs.field_finds or bool(certain)

    def sample_of(
        self, verdict: SendAgain | InDoubt | ReadBack, outcomes: Sequence[Outcome]
    ) -> CallSample | None:
        """Say what the last sending tells of the ERP's pace, or None where it tells nothing."""
        came_to = sum(outcome.state is not State.PLANNED for outcome in outcomes)
        match verdict:
            case InDoubt() if verdict.overloaded or verdict.code == "server_timeout":
                # A deadlock is told so as well: our own calls may have met each other.
                ended = Ended.OVERLOADED
            case InDoubt() if verdict.code in GIVEN_UP:
                ended = Ended.TIMED_OUT
            case ReadBack(said):
                ended = Ended.OK if came_to else Ended.REFUSED
                if said.code == CALL_LIMIT:
                    ended = Ended.OVERLOADED
            case _:
                return None
        return CallSample(
            self.began_s,
            anyio.current_time(),
            before_s=self.before_s,
            push_s=self.push_s,
            numbers=came_to,
            at_once=self.at_once,
            ended=ended,
            merged=self.merged,
        )
