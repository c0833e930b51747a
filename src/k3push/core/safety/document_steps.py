"""What follows a push: which step a document takes next, and what a call for a step came to.

The document's status, as it is read, decides; never the words of an answer (P 11.2, 11.3). A call
is followed by a look at each of its documents, since an answer for many passes over some in
silence (P 11.11).

    status read          nothing done yet    we have submitted it      in a running flow
    ===================  ==================  ========================  =================
    Z                    left to a person    left to a person          left to a person
    A                    submit              taken back                -
    D                    submit, once        taken back                -
    B                    approve             approve                   waiting
    C                    approved            approved                  approved
    not there, 作废       left to a person    left to a person          left to a person
    another number       left to a person    left to a person          left to a person

Where only `submit` is asked for, B is the end. "Taken back", as by a person who withdraws, rejects
or unapproves it, ends in D (P 11.5). So a document that was submitted from A and is at D afterwards
has been taken back, whatever the answer said. One that was submitted from D and is still at D may
or may not have been taken back; so it is not submitted twice. All that is left to a person is
`refused`, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from k3push.core.model import Document, FlowTask, Follow, Standing, Step, StepIntent, Target
from k3push.core.protocol.msg_codes import TRY_LATER_CODES
from k3push.core.protocol.response_status import code_words
from k3push.core.remark import remark
from k3push.core.safety.named_bills import messages_by_number
from k3push.core.safety.verdict import RESPONSE_ERROR, Cure, InDoubt, ReadBack, Said, SendAgain


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one document now.

    Attributes:
        document: The document as it stands.
        step: The step that it takes, or None.
    """

    document: Document
    step: Step | None = None


def next_step(
    document: Document,
    standing: Standing | None,
    steps: Collection[Step],
    task: FlowTask | None = None,
    last: StepIntent | None = None,
) -> Move:
    """Say what a document does next.

    Args:
        document: As the ledger has it.
        standing: What the target form says of it; None where it holds no such document.
        steps: What the route asks for.
        task: An open task of a flow that the document is in.
        last: The last attempt at a step of it, unless that is proved to have done nothing.

    >>> next_step(Document("1"), Standing("RK1", "A"), [Step.SUBMIT, Step.AUDIT]).step.value
    'submit'
    >>> next_step(Document("1"), Standing("RK1", "C"), [Step.SUBMIT]).document.follow.value
    'approved'
    """
    if standing is None:
        return Move(_refused(document, remark("note.document.gone")))
    if not _is_same(document, standing):
        why = remark("note.document.another", number=standing.number)
        return Move(_refused(document, why))
    document = replace(document, number=standing.number or document.number)
    if why := _hindrance(document, standing, last):
        return Move(_refused(document, why))
    step, follow = _BY_STATUS[standing.status]
    if follow is not None and follow is not document.follow:
        document = replace(document, follow=follow, reason="")
    if step is Step.AUDIT and task is not None:
        why = remark("note.document.in_flow", task=str(task))
        return Move(replace(document, follow=Follow.WAITING, reason=why))
    if step not in steps:
        return Move(document)
    if document.follow is Follow.REFUSED:
        # The step is tried anew, so an earlier refusal says nothing about it any more.
        document = replace(document, follow=Follow.OPEN, reason="")
    return Move(document, step)


# FDocumentStatus (P 7.1, 11.2): the step that it is for, and what it says of the past.
_BY_STATUS: dict[str, tuple[Step | None, Follow | None]] = {
    "A": (Step.SUBMIT, None),
    "B": (Step.AUDIT, Follow.SUBMITTED),
    "C": (None, Follow.APPROVED),
    "D": (Step.SUBMIT, None),
}
DRAFT, IN_APPROVAL, APPROVED, TAKEN_BACK = "Z", "B", "C", "D"
_WAS_SUBMITTED = frozenset({Follow.SUBMITTED, Follow.WAITING, Follow.APPROVED})


def _is_same(document: Document, standing: Standing) -> bool:
    """Say whether an id still means the document: a restored database gives ids out again."""
    known, shown = document.number.strip(), standing.number.strip()
    return not (known and shown) or known.casefold() == shown.casefold()


def _hindrance(document: Document, standing: Standing, last: StepIntent | None) -> str:
    """Say what a person has done to a document so that nothing may follow any more, or ""."""
    if standing.cancelled:
        return remark("note.document.cancelled")
    if standing.status == DRAFT:
        return remark("note.document.draft")
    if standing.status not in _BY_STATUS:
        return remark("note.document.strange", status=standing.status or "-")
    step, _ = _BY_STATUS[standing.status]
    if step is not Step.SUBMIT:
        return ""
    moved = last is not None and last.status != standing.status
    if document.follow in _WAS_SUBMITTED or moved:
        return remark("note.document.taken_back")
    again = last is not None and standing.status == TAKEN_BACK
    return remark("note.document.submitted_before") if again else ""


def is_done(document: Document, steps: Sequence[Step]) -> bool:
    """Say whether a document has come as far as the route asks for.

    >>> is_done(Document("1", follow=Follow.SUBMITTED), [Step.SUBMIT, Step.AUDIT])
    False
    """
    return document.follow in done_states(steps)


def done_states(steps: Collection[Step]) -> frozenset[Follow]:
    """Return the states in which a document has come as far as the route asks for."""
    done = {Follow.APPROVED} if Step.AUDIT in steps else {Follow.APPROVED, Follow.SUBMITTED}
    return frozenset(done)


FOR_PERSON = frozenset({Follow.REFUSED, Follow.WAITING, Follow.UNKNOWN})
"""States of documents that say why they are where they are, and ask for a person."""


def of_row(targets: Iterable[Target], documents: Mapping[str, Document]) -> tuple[Follow, str]:
    """Say how far the documents of a row have come: as far as the one that is furthest behind.

    >>> known = {"1": Document("1", follow=Follow.APPROVED)}
    >>> of_row([Target("1", "RK1"), Target("2", "RK2")], known)
    (<Follow.OPEN: ''>, '')
    """
    known = [documents.get(target.id, Document(target.id)) for target in targets]
    if not known:
        return Follow.OPEN, ""
    last = min(known, key=lambda document: _FROM_THE_LAST.index(document.follow))
    return last.follow, last.reason


_FROM_THE_LAST = (
    Follow.UNKNOWN,
    Follow.REFUSED,
    Follow.WAITING,
    Follow.OPEN,
    Follow.SUBMITTED,
    Follow.APPROVED,
)


def conclude_step(
    intent: StepIntent,
    said: Said,
    document: Document,
    standing: Standing | None,
    task: FlowTask | None = None,
    *,
    beside: Collection[str] = (),
    last_try: bool = False,
) -> Move:
    """Say what a finished call has made of one of its documents, from a look after it.

    A refusal of several may be about another of them, and an answer for several may pass over one,
    so that such a document goes once more, alone.

    Args:
        intent: The call.
        said: Its answer.
        document: As it stood before.
        standing: What the target form says of it now.
        task: An open task of a flow that the document is in.
        beside: Numbers of the documents of the call.
        last_try: It was asked for often enough.

    Returns:
        The document as it stands; with the step where it goes once more.
    """
    after = next_step(document, standing, (), task).document
    if after.follow is not document.follow:
        return Move(after)
    if has_moved(intent, standing):
        return Move(next_step(document, standing, (), task, intent).document)
    if said.code in TRY_LATER_CODES and not last_try:
        return Move(document, intent.step)
    sure = tells_by_status(intent)
    # A message that names CGRK00012 contains CGRK0001, too: such numbers are matched first.
    alike = {document.number, *(number for number in beside if document.number in number)}
    named = messages_by_number(said.messages, alike).get(document.number)
    passes = said.code == RESPONSE_ERROR or (said.thrown and not named)
    if (said.success or passes) and sure and not last_try:
        return Move(document, intent.step)
    if not (said.success or named) and len(intent.ids) > 1 and sure:
        return Move(document, intent.step)
    refusal = " ".join(named or said.messages) or code_words(said.code)
    return Move(_refused(document, remark("note.document.dropped") if said.success else refusal))


def has_moved(intent: StepIntent, standing: Standing | None) -> bool:
    """Say whether a look shows that a document has another status than it had before a call."""
    return standing is not None and (standing.cancelled or standing.status != intent.status)


def is_denied(verdict: SendAgain | InDoubt | ReadBack | None) -> bool:
    """Say whether an answer says that its call has done nothing: a lost session, a lock, a limit.

    It may have done its work all the same (P 3.4, 4.3).
    """
    match verdict:
        case SendAgain(Cure.LOG_IN):
            return True
        case ReadBack(said):
            return said.code in TRY_LATER_CODES
    return False


def tells_by_status(intent: StepIntent) -> bool:
    """Say whether another status than before tells that a call has worked.

    D does not: either the call did nothing, or it worked and somebody took the document back.
    """
    return intent.status != TAKEN_BACK


def is_behind(document: Document, standing: Standing, last: StepIntent | None) -> bool:
    """Say whether a look shows a document where it was before it was last read.

    Somebody may have taken it back; or a copy of the database that lags behind has answered.

    >>> is_behind(Document("1", follow=Follow.SUBMITTED), Standing("RK1", "A"), None)
    True
    """
    known = max(_RANK[document.follow], _RANK_READ.get(last.status if last else "", 0))
    return not standing.cancelled and _RANK_READ.get(standing.status, known) < known


_RANK_READ = {"A": 1, "D": 1, "B": 2, "C": 3}
_RANK = dict.fromkeys(Follow, 0) | {
    Follow.SUBMITTED: 2,
    Follow.WAITING: 2,
    Follow.APPROVED: 3,
}


def with_others(documents: Sequence[Document], said: Said) -> list[Document]:
    """Name what an approval has made or approved besides (P 11.9), on the first that it approved.

    The answer for several does not say which of them a message is about.
    """
    named = messages_by_number(said.told, [document.number for document in documents])
    ours = set(chain.from_iterable(named.values()))
    others = [told for told in said.told if told not in ours]
    approved = [each for each in documents if each.follow is Follow.APPROVED]
    if not others or not approved:
        return list(documents)
    why = remark("note.document.others", told=" ".join(others))
    first = replace(approved[0], reason=why)
    return [first if each is approved[0] else each for each in documents]


def in_doubt(document: Document, verdict: InDoubt) -> Document:
    """Leave open what became of a document whose answer was lost."""
    return replace(
        document,
        follow=Follow.UNKNOWN,
        reason=remark("note.doubt", code=verdict.code, why=verdict.because),
    )


def settle_step(
    intent: StepIntent, document: Document, standing: Standing | None, *, over: bool
) -> Document | None:
    """Say what became of a document whose answer was lost; None while that is open.

    One that somebody has cancelled or taken back tells nothing of the call, which may be at work
    yet: so it stays open until the window has passed.

    Args:
        intent: The call.
        document: As the ledger has it, in doubt.
        standing: What the target form says of it now.
        over: The window has passed: a status that has not changed by now will not change any more.
    """
    if not over and not _has_come_on(intent, standing):
        return None
    before = replace(document, follow=_BEFORE[intent.step], reason="")
    return next_step(before, standing, (), last=intent).document


def _has_come_on(intent: StepIntent, standing: Standing | None) -> bool:
    """Say whether a look shows what a call for a step makes of a document."""
    if standing is None or standing.cancelled:
        return False
    return standing.status in _AFTER[intent.step]


_AFTER = {Step.SUBMIT: {IN_APPROVAL, APPROVED}, Step.AUDIT: {APPROVED}}
_BEFORE = {Step.SUBMIT: Follow.OPEN, Step.AUDIT: Follow.SUBMITTED}


def _refused(document: Document, why: str) -> Document:
    return replace(document, follow=Follow.REFUSED, reason=why)
