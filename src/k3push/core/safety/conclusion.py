"""What may become of the numbers of a call, in the words of the ledger.

`evidence` decides which of it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from k3push.core.model import TWIN, BillNumber, Outcome, State, Target
from k3push.core.pacing.chunking import quarter
from k3push.core.protocol.msg_codes import ABOUT_NO_BILL
from k3push.core.remark import remark
from k3push.core.safety.named_bills import messages_naming, naming_one
from k3push.core.safety.target_sets import by_age, labels
from k3push.core.safety.verdict import Said

DROPPED = "dropped"
"""Code of a number that a success has passed over in silence."""

STRAY = "stray"
"""Code of a number that may have become a stray: a document that nothing ties to a bill."""

CONTRADICTION = "contradiction"
"""Code of the numbers of a call whose answer names documents that no look links to any of them."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of one attempt that the ERP has finished.

    Attributes:
        outcomes: One for each number of the attempt, in its order.
        parts: Planned numbers that go on as chunks of their own (rule 8).
        alone: Planned numbers that were dropped in silence; each is sent alone once.
        try_later: The part may travel unchanged after a pause: the ERP asked for it (edit lock,
            call limit), or its exception was about a number that travelled alone.
        limited: It asked for that because calls or licences are limited; no number is to blame.
        broke: The call ended with an exception, so that the parts wait before they travel.
        hides: Some of what was refused may have been saved all the same (P 5.7): the parts wait
            until looks surely show that.
        contradiction: Why the run must stop (rule 9), as a remark, or "".
    """

    outcomes: tuple[Outcome, ...]
    parts: tuple[tuple[BillNumber, ...], ...] = ()
    alone: tuple[BillNumber, ...] = ()
    try_later: bool = False
    limited: bool = False
    broke: bool = False
    hides: bool = False
    contradiction: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """The numbers of an attempt that no look shows, and what may become of them.

    Attributes:
        call: All that the attempt carried.
    """

    said: Said
    numbers: tuple[BillNumber, ...]
    call: tuple[BillNumber, ...]

    @property
    def whole(self) -> bool:
        """Whether they are all that the attempt carried."""
        return len(self.numbers) == len(self.call)

    @property
    def named(self) -> dict[BillNumber, list[str]]:
        """The messages that name a number of the call alone.

        All numbers of the call are searched for, so that a number is not found inside a longer one.
        """
        return messages_naming(naming_one(self.said.messages, self.call), self.call)

    @property
    def named_together(self) -> set[BillNumber]:
        """Numbers that messages name with others only: each may be sound without these."""
        return messages_naming(self.said.messages, self.call).keys() - self.named.keys()

    @property
    def reason(self) -> str:
        """All words of the answer."""
        return " ".join(self.said.messages)

    def unknown(self, code: str, reason: str) -> Conclusion:
        """Leave them in doubt."""
        return Conclusion(
            tuple(Outcome(n, State.UNKNOWN, code=code, reason=reason) for n in self.numbers)
        )

    def unproved(self) -> Conclusion:
        """Leave them in doubt, since a look that shows nothing proves nothing."""
        doubts = self.unknown("unproved", self.reason or remark("note.unproved"))
        return replace(doubts, limited=self.said.code in ABOUT_NO_BILL)

    def later(self) -> Conclusion:
        """Let them travel together again after a pause."""
        outcomes = tuple(self._planned(number) for number in self.numbers)
        limited = self.said.code in ABOUT_NO_BILL
        return Conclusion(outcomes, parts=(self.numbers,), try_later=True, limited=limited)

    def onward(self) -> Conclusion:
        """Let them travel together through another user: the refusal is about none of them."""
        return replace(self.later(), try_later=False)

    def dropped(self, named: Mapping[BillNumber, Sequence[str]], *, again: bool) -> Conclusion:
        """Conclude numbers of a success that says nothing of them, or refuses them by name.

        The silent ones are sent alone once (*again*), else rejected; the named ones are rejected.
        """
        silent = [number for number in self.numbers if number not in named]
        if not again:
            last = [self._rejected(n, DROPPED, self.reason) for n in silent]
            return Conclusion((*self.by_name(named), *last))
        planned = [self._planned(number, DROPPED) for number in silent]
        return Conclusion((*self.by_name(named), *planned), alone=tuple(silent))

    def refused(self) -> Conclusion:
        """All are rejected."""
        return Conclusion(
            tuple(self._rejected(n, self.said.code, self.reason) for n in self.numbers)
        )

    def parted(self, named: Mapping[BillNumber, Sequence[str]]) -> Conclusion:
        """Those that are named are rejected; the others go on in smaller chunks.

        If the refusal names some numbers, or other numbers of the call were pushed, the rest is
        expected to pass as one chunk. If it is about the whole chunk, any number may be to blame,
        and the rest is quartered.
        """
        silent = tuple(number for number in self.numbers if number not in named)
        planned = [self._planned(number) for number in silent]
        is_about_all = self.whole and len(silent) == len(self.numbers)
        cut = tuple(quarter(silent)) if is_about_all else (silent,)
        parts = cut if silent else ()
        return Conclusion((*self.by_name(named), *planned), parts=parts)

    def _planned(self, number: BillNumber, code: str = "") -> Outcome:
        code = code or self.said.code
        return Outcome(number, State.PLANNED, code=code, reason=self.reason)

    def by_name(self, named: Mapping[BillNumber, Sequence[str]]) -> list[Outcome]:
        """Those that are named are rejected, each with the messages that name it."""
        mine = [number for number in self.numbers if number in named]
        return [self._rejected(n, self.said.code, " ".join(named[n])) for n in mine]

    def _rejected(self, number: BillNumber, code: str, reason: str) -> Outcome:
        return Outcome(number, State.REJECTED, code=code, reason=reason)


def made_outcome(number: BillNumber, targets: Sequence[Target]) -> Outcome:
    """Say what a number became whose targets were found: `draft` if any of them is one."""
    if len(targets) > 1:
        targets = sorted(targets, key=lambda target: by_age(target.id))
    drafts = [target for target in targets if target.draft]
    return Outcome(number, State.DRAFT if drafts else State.PUSHED, tuple(targets))


def made_beside(number: BillNumber, targets: Sequence[Target], others: Collection[str]) -> Outcome:
    """Conclude a number of which somebody else has made a document as well: it is a twin.

    >>> ours, theirs = Target("1", "RK1"), Target("2", "RK2")
    >>> made_beside(BillNumber("A"), [ours, theirs], {"2"}).code
    'twin'
    """
    outcome = made_outcome(number, targets)
    theirs = [target for target in outcome.targets if target.id in others]
    if not theirs:
        return outcome
    return outcome._replace(code=TWIN, reason=remark("note.twin", documents=labels(theirs)))
