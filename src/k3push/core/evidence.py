"""What a read-back proves, with an answer or without one.

An answer names targets and never sources (P 5.4), and its order is not the request's
(P 4.5). So it is the read-back that says which number became what; the answer adds the
ERP's words, and a cross-check: a target that it names must be linked to one of our numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from k3push.core.chunking import halve
from k3push.core.model import BillNumber, Outcome, State, Target, Targets
from k3push.core.verdict import Said

EDIT_LOCK = "13"
CALL_LIMIT = "14"
TRY_LATER_CODES = frozenset({EDIT_LOCK, CALL_LIMIT})

# Characters of bill numbers in the wild; a number beside one of them is part of a longer word.
_WORD = re.compile(r"[0-9A-Za-z_]")
_JOINT = re.compile(r"[-./\\#]")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of one attempt that the ERP has finished.

    Attributes:
        outcomes: One for each number of the attempt, in its order.
        parts: Planned numbers that go on as chunks of their own (rule 8).
        alone: Planned numbers that were dropped in silence; each is sent alone once.
        try_later: The ERP asked for a pause: edit lock or call limit (rule 5).
        contradiction: Why the run must stop (rule 9), or "".
    """

    outcomes: tuple[Outcome, ...]
    parts: tuple[tuple[BillNumber, ...], ...] = ()
    alone: tuple[BillNumber, ...] = ()
    try_later: bool = False
    contradiction: str = ""


def conclude(
    said: Said,
    numbers: Sequence[BillNumber],
    made: Targets,
    *,
    alone: bool = False,
    last_try: bool = False,
    links_proved: bool = False,
) -> Conclusion:
    """Say what came of every number of an attempt, from the answer and a complete read-back.

    Args:
        said: The answer.
        numbers: The numbers of the attempt.
        made: Targets that were not there before the attempt, by source number.
        alone: The attempt was the one more try of a number that was dropped in silence.
        last_try: The ERP may not be asked to try later again.
        links_proved: Targets were found by their link on this route before, so that finding
            none means that there is none.
    """
    missing = [number for number in numbers if number not in made]
    found = {number: made_outcome(number, made[number]) for number in numbers if number in made}
    reason = " ".join(said.messages)

    def still_planned(number: BillNumber, code: str = said.code) -> Outcome:
        return Outcome(number, State.PLANNED, code=code, reason=reason)

    unlinked = _unlinked(said, numbers, made)
    blind = said.success and not made and not links_proved and not alone
    if unlinked or (missing and blind):
        cause = _contradiction(unlinked)
        doubtful = {n: Outcome(n, State.UNKNOWN, (), "contradiction", cause) for n in missing}
        return Conclusion(_ordered(numbers, found, doubtful), contradiction=cause)
    if said.code in TRY_LATER_CODES and missing and not last_try:
        later = {n: still_planned(n) for n in missing}
        return Conclusion(_ordered(numbers, found, later), parts=(tuple(missing),), try_later=True)

    # All numbers are looked for, so that one that was found does not pass for another in it.
    every = messages_naming(said.messages, numbers)
    named = {n: words for n, words in every.items() if n not in made}
    refused = {n: _rejected(n, said.code, " ".join(named[n])) for n in named}
    rest = [number for number in missing if number not in named]
    if said.success and alone:
        refused |= {n: _rejected(n, "dropped", reason) for n in rest}
    elif said.success:
        dropped = {n: still_planned(n, "dropped") for n in rest}
        return Conclusion(_ordered(numbers, found, refused, dropped), alone=tuple(rest))
    elif len(numbers) == 1 or said.code == CALL_LIMIT:
        # A call limit is about no number, and parts would only be more calls.
        refused |= {n: _rejected(n, said.code, reason) for n in rest}
    else:
        parted = {n: still_planned(n) for n in rest}
        parts = _parts(rest, whole=len(rest) == len(numbers))
        return Conclusion(_ordered(numbers, found, refused, parted), parts=parts)
    return Conclusion(_ordered(numbers, found, refused))


def conclude_unread(
    said: Said, number: BillNumber, *, last_try: bool = False, drafts: bool = False
) -> Conclusion:
    """Say what came of one number on a route whose targets cannot be asked for.

    The number travelled alone, so what the answer names is its own.

    Args:
        said: The answer.
        number: The number of the attempt.
        last_try: The ERP may not be asked to try later again.
        drafts: The push asked for a draft where the target cannot be saved, and a refusal
            without the conversion's status says nothing of one.
    """
    reason = " ".join(said.messages)
    targets = _named(said, [number])
    if targets:
        outcome = made_outcome(number, targets)
    elif said.success or said.code == "response_error":
        outcome = Outcome(
            number, State.UNKNOWN, code=said.code if said.messages else "unnamed", reason=reason
        )
    elif said.code in TRY_LATER_CODES and not last_try:
        outcome = Outcome(number, State.PLANNED, code=said.code, reason=reason)
        return Conclusion((outcome,), parts=((number,),), try_later=True)
    elif drafts and not said.converted and said.code not in TRY_LATER_CODES:
        outcome = Outcome(number, State.UNKNOWN, code="unnamed", reason=reason)
    else:
        outcome = _rejected(number, said.code, reason)
    return Conclusion((outcome,))


def made_outcome(number: BillNumber, targets: Sequence[Target]) -> Outcome:
    """Say what a number became whose targets were found: `draft` if any of them is one."""
    if len(targets) > 1:
        targets = sorted(targets, key=lambda target: (len(target.id), target.id))
    drafts = [target for target in targets if target.draft]
    return Outcome(number, State.DRAFT if drafts else State.PUSHED, tuple(targets))


def new_targets(found: Targets, before: Mapping[BillNumber, Collection[str]]) -> Targets:
    """Leave out the targets that were there before the attempt."""
    return {
        number: new
        for number, targets in found.items()
        if (new := tuple(t for t in targets if t.id not in before.get(number, ())))
    }


def are_merged(made: Targets) -> bool:
    """Say whether some target was made of several sources (P 5.6)."""
    targets = [target.id for each in made.values() for target in each]
    return len(set(targets)) < len(targets)


def messages_naming(
    messages: Sequence[str], numbers: Collection[BillNumber]
) -> dict[BillNumber, list[str]]:
    """Find the messages that name a number as a whole token; numbers without one are absent.

    A number may hold quotes, blanks or Chinese, and may be the beginning of another.

    >>> messages_naming(["单据CGDD01-2未审核"], [BillNumber("CGDD01"), BillNumber("CGDD01-2")])
    {'CGDD01-2': ['单据CGDD01-2未审核']}
    """
    named: dict[BillNumber, list[str]] = {}
    # The longest first, so that a number inside another is not seen in the other's place.
    by_length = sorted(numbers, key=len, reverse=True)
    for message in messages:
        rest = message
        for number in by_length:
            places = [at for at in _places(rest, number) if _is_whole(rest, at, at + len(number))]
            if places:
                named.setdefault(number, []).append(message)
            for at in places:
                rest = rest[:at] + "\0" * len(number) + rest[at + len(number) :]
    return {number: named[number] for number in numbers if number in named}


def _places(text: str, part: str) -> list[int]:
    return [match.start() for match in re.finditer(re.escape(part), text)]


def _is_whole(text: str, start: int, end: int) -> bool:
    return not (
        _continues(text[start], text[start - 1 : start], text[max(0, start - 2) : start - 1])
        or _continues(text[end - 1], text[end : end + 1], text[end + 1 : end + 2])
    )


def _continues(edge: str, neighbour: str, beyond: str) -> bool:
    """Say whether the word at *edge* goes on into *neighbour*."""
    if not neighbour or neighbour == "\0":
        return False
    if _WORD.match(edge):
        joined = _JOINT.match(neighbour) and beyond and _WORD.match(beyond)
        return bool(_WORD.match(neighbour) or joined)
    # Between two Chinese characters no end of a word can be seen.
    return edge.isalnum() and neighbour.isalnum() and not _WORD.match(neighbour)


def _named(said: Said, numbers: Collection[BillNumber]) -> tuple[Target, ...]:
    """Return the targets that the answer names.

    Nobody has seen what the conversion's status names on plain success; should it be the
    sources (P "Unknown" 3), these are not targets.
    """
    sources = set(numbers)
    return tuple(target for target in said.named if target.number not in sources)


def _unlinked(said: Said, numbers: Sequence[BillNumber], made: Targets) -> list[Target]:
    linked = {target.id for targets in made.values() for target in targets}
    return [target for target in _named(said, numbers) if target.id not in linked]


def _contradiction(unlinked: Sequence[Target]) -> str:
    if not unlinked:
        return "The answer reports success, and no target is linked to any of these numbers."
    names = ", ".join(target.number or f"id {target.id}" for target in unlinked[:3])
    return f"The answer names {names}, which no look links to any of these numbers."


def _parts(rest: Sequence[BillNumber], *, whole: bool) -> tuple[tuple[BillNumber, ...], ...]:
    """Cut the rest of a refused chunk.

    A refusal that names some numbers, or spares some, is lifted by leaving these out; one
    that is about the *whole* chunk may be about any number of it.
    """
    if not rest:
        return ()
    return tuple(halve(rest)) if whole else (tuple(rest),)


def _rejected(number: BillNumber, code: str, reason: str) -> Outcome:
    return Outcome(number, State.REJECTED, code=code, reason=reason)


def _ordered(
    numbers: Sequence[BillNumber], *outcomes: Mapping[BillNumber, Outcome]
) -> tuple[Outcome, ...]:
    by_number = {number: outcome for part in outcomes for number, outcome in part.items()}
    return tuple(by_number[number] for number in numbers)
