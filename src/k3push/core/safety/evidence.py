"""What a read-back proves of each number, and which numbers travel again, in which parts.

It is asked once the ERP has finished a call (rules 5, 8 and 9); whether the call itself may be
repeated says `verdict`, and what becomes of a doubt `runs.doubts.settle_doubts`.

An answer names targets and never sources (P 5.4), and its order is not the request's
(P 4.5). So it is the read-back that says which number became what; the answer adds the
ERP's words, and a cross-check: a target that it names must be linked to one of our numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from k3push.core.model import PARTLY, BillNumber, Outcome, State, Target, Targets
from k3push.core.protocol.msg_codes import (
    ABOUT_NO_BILL,
    CALL_LIMIT,
    EDIT_LOCK,
    LICENCE,
    NO_RIGHT,
    TRY_LATER_CODES,
)
from k3push.core.remark import remark
from k3push.core.safety.conclusion import CONTRADICTION, STRAY, Conclusion, Rest, made_outcome
from k3push.core.safety.named_bills import messages_naming, naming_one
from k3push.core.safety.target_sets import every_id, labels
from k3push.core.safety.verdict import RESPONSE_ERROR, Said


@dataclass(frozen=True, slots=True)
class Look:
    """What looks after an attempt have shown, and whether "not shown" means "not there".

    Attributes:
        made: Documents that were not there before the attempt, by source number.
        proved: The field that is asked was proved to find what is there: on this account, for
            these forms.
        covered: Everybody who may see the documents was asked: the attempt's own sender, or
            a user who is proved to see what that one makes.
        trusted: No look has missed a document that an answer names, and enough were shown.
        stray: Why a document that ties itself to no bill may be the attempt's own; "" where none
            may.
        linked: The links of the target form were asked for each number that has no document, and
            they tell: a rule may merge bills into lines that name one of them.
        loose: Ids of documents that bear one of the numbers, and that no link ties to its bill.
    """

    made: Targets
    proved: bool = False
    covered: bool = True
    trusted: bool = True
    stray: str = ""
    linked: bool = False
    loose: frozenset[str] = frozenset()

    @property
    def absence_counts(self) -> bool:
        """Whether a number of which no document was shown is proved to have none."""
        return self.would_show and self.trusted

    @property
    def would_show(self) -> bool:
        """Whether those who look see the sender's documents, and the field finds them."""
        return self.proved and self.covered


def needs_patience(
    said: Said, numbers: Sequence[BillNumber], made: Targets, *, drafts: bool = False
) -> bool:
    """Say whether there may be documents that no look shows yet: queries may lag behind.

    An exception is looked at twice in any case (rule 6).

    Args:
        said: The answer.
        numbers: The numbers of the attempt.
        made: What a look shows.
        drafts: The push asked for a draft where the target cannot be saved.

    >>> needs_patience(Said(True, "0", (), (Target("1", "RK1"),)), [BillNumber("A")], {})
    True
    """
    missing = any(number not in made for number in numbers)
    if not said.acted:
        return missing and not said.thrown and may_hide_draft(said, drafts=drafts)
    return bool(_unlinked(said, numbers, made)) or (missing and not _accounts(said, numbers, made))


def conclude(
    said: Said,
    numbers: Sequence[BillNumber],
    look: Look,
    *,
    alone: bool = False,
    last_try: bool = False,
    drafts: bool = False,
    elsewhere: bool = False,
    splits: bool = False,
) -> Conclusion:
    """Say what came of every number of an attempt, from the answer and a read-back.

    A number with a document is done, unless the answer names a further document: that may be a
    second one of any number. For a number without a document, the first line that fits decides:

    ============================================  ==========================================
    the answer                                    a number that no look shows
    ============================================  ==========================================
    names a document that no look shows           unknown; the run stops (rule 9)
    success, and the field was never proved       unknown; the run stops if nothing is shown
    anything, and a stray document has come       unknown, unless a message names it that is about
                                                  a bill, and hides no draft
    no licence (7), or several were refused, and  unknown: documents of some may have been saved
    no look would show them                       by then (P 5.7)
    says that a bill is locked (13)               planned, after a pause; at last rejected
    says that calls are limited (14, 7)           planned, after a pause
    the user has no right (2), and others may     planned, as it was
    anything, and absence does not count          see `_by_word_alone`
    refused, and a message names it               rejected with that message
    success, and nothing accounts for it          unknown: it may be shown later
    success, and no link was asked                unknown: it may be in a neighbour's document
    success                                       dropped in silence: planned, sent alone once
    anything, others have documents, and no       unknown, unless a message names it: it may be
    link was asked                                in a neighbour's document
    an exception, and it travelled alone          planned, after a pause; at last rejected, or at
                                                  once where a message names it
    refused, and it travelled alone               rejected
    refused                                       planned, in smaller parts (rule 8)
    ============================================  ==========================================

    Args:
        said: The answer.
        numbers: The numbers of the attempt.
        look: The read-back.
        alone: The attempt was the one more try of a number that was dropped in silence.
        last_try: A lock or an exception puts nothing off any more.
        drafts: The push asked for a draft where the target cannot be saved.
        elsewhere: Pushes go through other users than its own from now on.
        splits: A bill may have several documents, some of which were saved.
    """
    made = look.made
    done = () if look.covered and _unshown(said, numbers, look) else made
    found = {number: made_outcome(number, made[number]) for number in numbers if number in done}
    found |= _made_in_part(said, numbers, found, splits=splits)
    rest = Rest(said, tuple(number for number in numbers if number not in done), tuple(numbers))
    of_rest = _of_rest(
        rest, look, alone=alone, last_try=last_try, drafts=drafts, elsewhere=elsewhere
    )
    if look.made and not look.linked:
        of_rest = _beside(of_rest, rest)
    outcomes = {outcome.number: outcome for outcome in of_rest.outcomes} | found
    return replace(
        of_rest,
        outcomes=tuple(outcomes[number] for number in numbers),
        broke=said.thrown,
        hides=may_hide_part(said, numbers),
    )


def _of_rest(  # noqa: PLR0911  # the lines of the table in `conclude`
    rest: Rest, look: Look, *, alone: bool, last_try: bool, drafts: bool, elsewhere: bool
) -> Conclusion:
    """Say what comes of the numbers that no look shows."""
    said = rest.said
    if (contradiction := _contradicted(rest, look)) is not None:
        return contradiction
    if not rest.numbers:
        return Conclusion(())
    if look.stray:
        return _beside_stray(rest, look.stray, elsewhere=elsewhere, drafts=drafts)
    if _may_be_partial(said, rest.call) and not look.would_show:
        return rest.unproved()
    if _puts_off(said, last_try=last_try):
        return rest.later()
    if goes_elsewhere(said, elsewhere=elsewhere):
        return rest.onward()
    if not look.absence_counts:
        return _by_word_alone(rest, look, alone=alone, drafts=drafts)
    if said.success:
        return _passed_over(rest, look, alone=alone)
    return _refused(rest, last_try=last_try)


def nothing_ran(said: Said, numbers: Collection[BillNumber]) -> bool:
    """Say whether an answer says that the call did nothing.

    A limit on calls is met before a call, and a lock on a bill before that bill is worked on (P 9);
    those beside it may have been saved by then. A missing licence or right may be met halfway.

    >>> nothing_ran(Said(False, EDIT_LOCK, (), ()), ["A"])
    True
    >>> nothing_ran(Said(False, EDIT_LOCK, (), ()), ["A", "B"])
    False
    """
    at_lock = said.code == EDIT_LOCK and len(numbers) == 1
    return not said.success and (said.code == CALL_LIMIT or at_lock)


def _may_be_partial(said: Said, numbers: Collection[BillNumber]) -> bool:
    """Say whether a refusal may have saved some documents of a call, which it names nowhere."""
    refused_some = len(numbers) > 1 and not said.success and not nothing_ran(said, numbers)
    return said.code == LICENCE or refused_some


def may_hide_part(said: Said, numbers: Collection[BillNumber], *, several: bool = True) -> bool:
    """Say whether a call that was refused may have saved a part of what it makes (P 5.7).

    Args:
        said: The answer.
        numbers: Bills of the call.
        several: False where it makes one document of a bill, as is known.
    """
    # A licence or a right may be refused for a later document only.
    several = several or len(numbers) > 1 or said.code in {LICENCE, NO_RIGHT}
    return several and not said.success and not nothing_ran(said, numbers)


def goes_elsewhere(said: Said, *, elsewhere: bool) -> bool:
    """Say whether numbers that this user has no right to push are to go through another user."""
    return elsewhere and said.code == NO_RIGHT and not said.acted


def _made_in_part(
    said: Said,
    numbers: Sequence[BillNumber],
    found: Mapping[BillNumber, Outcome],
    *,
    splits: bool,
) -> dict[BillNumber, Outcome]:
    """Return the numbers that have documents and of which the ERP has refused a part (P 5.7).

    A message that names such a number says so, even where the rest of the call succeeded. A refusal
    that names no number counts if every number of the call has documents, or if a bill may have
    several: then it is about the drafts, or, without drafts, about all of them. An exception counts
    only if a bill may have several.
    """
    if not said.messages:
        return {}
    # If some numbers have no document, a message that names several is about those.
    whole = len(found) == len(numbers)
    messages = said.messages if whole else naming_one(said.messages, numbers)
    named = messages_naming(messages, numbers)
    partly = {number: " ".join(named[number]) for number in found if number in named}
    drafts = [number for number, each in found.items() if each.state is State.DRAFT]
    # An exception may have come once all was saved; a draft tells that something was not.
    about_whole = said.code != RESPONSE_ERROR if drafts else not said.thrown
    if not named and not said.success and (splits or (whole and about_whole)):
        partly = dict.fromkeys(drafts or found, " ".join(said.messages))
    return {
        number: found[number]._replace(
            code=said.code if found[number].state is State.DRAFT else PARTLY, reason=why
        )
        for number, why in partly.items()
    }


def _contradicted(rest: Rest, look: Look) -> Conclusion | None:
    """Conclude a call that has made something, as it says, which no look links to its numbers."""
    unlinked = _unshown(rest.said, rest.call, look)
    blind = rest.said.success and not (look.made or look.loose or look.proved)
    if not unlinked and not blind:
        return None
    if not look.covered:
        return rest.unknown("unseen", remark("note.unseen"))
    cause = _contradiction(unlinked)
    return replace(rest.unknown(CONTRADICTION, cause), contradiction=cause)


def _beside(of_rest: Conclusion, rest: Rest) -> Conclusion:
    """Leave in doubt what would be sent again or rejected, since others have documents.

    A rule may merge bills into lines that name only one of them (P 5.6), and no link was asked.
    """
    said = rest.said
    outcomes = [
        each
        if each.state is State.UNKNOWN
        or (each.state is State.REJECTED and each.number in rest.named)
        else each._replace(
            state=State.UNKNOWN,
            code=said.code if said.messages else "unnamed",
            reason=each.reason or remark("note.merged"),
        )
        for each in of_rest.outcomes
    ]
    return Conclusion(tuple(outcomes), limited=of_rest.limited, contradiction=of_rest.contradiction)


def beside_stray(said: Said, numbers: Sequence[BillNumber], why: str) -> Conclusion:
    """Leave the numbers in doubt: any of them may have become a stray document."""
    rest = Rest(said, tuple(numbers), tuple(numbers))
    return replace(rest.unknown(STRAY, why), limited=said.code in ABOUT_NO_BILL)


def _beside_stray(rest: Rest, why: str, *, elsewhere: bool, drafts: bool) -> Conclusion:
    """Leave them in doubt as `beside_stray` does, but reject one that a message about bills names.

    Where a refusal may have left a draft behind, a named number stays in doubt, too.
    """
    said = rest.said
    doubts = beside_stray(said, rest.numbers, why)
    goes_on = goes_elsewhere(said, elsewhere=elsewhere)
    hides = may_hide_draft(said, drafts=drafts)
    if said.success or goes_on or hides or doubts.limited or not rest.named:
        return doubts
    told = rest.by_name(rest.named)
    outcomes = {each.number: each for each in (*doubts.outcomes, *told)}
    return replace(doubts, outcomes=tuple(outcomes.values()))


def _by_word_alone(rest: Rest, look: Look, *, alone: bool, drafts: bool) -> Conclusion:
    """Conclude by the answer alone, where "not shown" does not mean "not there".

    If the answer names what was made, and looks have linked all of it, the other numbers have no
    document. That does not hold where the answer may hide a draft (old servers do not tell of
    drafts, P 5.3, 5.8) or may name one target of several. An exception proves nothing, nor does a
    success without names.
    """
    said = rest.said
    hidden = may_hide_draft(said, drafts=drafts)
    silent = said.success and not said.named
    if said.thrown or hidden or silent or said.partial:
        return rest.unproved()
    if said.success:
        if not look.linked:
            return rest.unknown("unnamed", remark("note.merged"))
        return rest.dropped({}, again=not alone)
    # If other numbers of the chunk have documents by now, the refusal may have been about one of
    # those.
    if rest.whole and len(rest.numbers) == 1:
        return rest.refused()
    return rest.parted({})


def _passed_over(rest: Rest, look: Look, *, alone: bool) -> Conclusion:
    """Conclude a success that says nothing of some numbers."""
    told = set(rest.numbers) <= {*rest.named, *rest.named_together}
    sure = _accounts(rest.said, rest.call, look.made)
    if not alone and not told and not sure:
        why = remark("note.merged") if look.made else remark("note.unnamed")
        return rest.unknown("unnamed", rest.reason or why)
    return rest.dropped(rest.named, again=not alone)


def _puts_off(said: Said, *, last_try: bool) -> bool:
    """Say whether the numbers are put off, as the ERP asks to try later.

    At a limit always, since no number is to blame for it; at a lock until the last try. A success
    has worked, whatever its code.
    """
    asks = not said.success and said.code in TRY_LATER_CODES
    return asks and (said.code in ABOUT_NO_BILL or not last_try)


def _refused(rest: Rest, *, last_try: bool) -> Conclusion:
    """Conclude a refusal that is proved to have made nothing of some numbers."""
    said = rest.said
    if said.code == RESPONSE_ERROR and len(rest.call) == 1 and not (last_try or rest.named):
        return rest.later()
    if len(rest.call) == 1:
        return rest.refused()
    return rest.parted(rest.named)


def conclude_unread(
    said: Said,
    number: BillNumber,
    *,
    last_try: bool = False,
    drafts: bool = False,
    elsewhere: bool = False,
) -> Conclusion:
    """Say what came of one number on a route whose targets cannot be asked for.

    The number travelled alone, so what the answer names is its own.

    Args:
        said: The answer.
        number: The number of the attempt.
        last_try: A lock puts it off no more.
        drafts: The push asked for a draft where the target cannot be saved, and a refusal
            without the conversion's status says nothing of one.
        elsewhere: Pushes go through other users than its own from now on.
    """
    rest = Rest(said, (number,), (number,))
    if targets := said.targets([number]):
        outcome = made_outcome(number, targets)
        if not said.success and rest.reason:
            code = said.code if outcome.state is State.DRAFT else PARTLY
            outcome = outcome._replace(code=code, reason=rest.reason)
        return Conclusion((outcome,))
    if said.success or said.thrown or said.code == LICENCE:
        doubt = rest.unknown(said.code if said.messages else "unnamed", rest.reason)
        return replace(doubt, limited=said.code in ABOUT_NO_BILL)
    if goes_elsewhere(said, elsewhere=elsewhere):
        return rest.onward()
    if _puts_off(said, last_try=last_try):
        return rest.later()
    if may_hide_draft(said, drafts=drafts):
        return rest.unknown("unnamed", rest.reason)
    return rest.refused()


def may_hide_draft(said: Said, *, drafts: bool) -> bool:
    """Say whether the call may have made a draft of which its answer says nothing (P 5.3, 5.8).

    Args:
        said: The answer.
        drafts: The push asked for a draft where the target cannot be saved.
    """
    return drafts and not said.converted and said.code not in TRY_LATER_CODES


def _unlinked(said: Said, numbers: Sequence[BillNumber], made: Targets) -> list[Target]:
    linked = every_id(made)
    return [target for target in said.targets(numbers) if target.id not in linked]


def _unshown(said: Said, numbers: Sequence[BillNumber], look: Look) -> list[Target]:
    """Return what an answer names and a look shows nowhere; what is loose may be any bill's."""
    unlinked = _unlinked(said, numbers, look.made)
    return [target for target in unlinked if target.id not in look.loose]


def _accounts(said: Said, numbers: Sequence[BillNumber], made: Targets) -> bool:
    """Say whether what the look shows is all that the call made.

    A call saves its documents together: a query that shows one of them would show all.
    """
    return bool(made) and not _unlinked(said, numbers, made)


def _contradiction(unlinked: Sequence[Target]) -> str:
    if not unlinked:
        return remark("note.not_linked")
    return remark("note.names_unlinked", documents=labels(unlinked))
