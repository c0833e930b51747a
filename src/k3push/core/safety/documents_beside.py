"""Documents that have come into being beside those that an answer names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, Target, Targets
from k3push.core.safety.named_bills import messages_naming
from k3push.core.safety.verdict import Said


def strangers(said: Said, numbers: Sequence[BillNumber], made: Targets) -> Targets:
    """Find documents that came into being beside those that an answer names, by source number.

    A success names all that its call made, so somebody else has made these.

    >>> ours, theirs = Target("1", "RK1"), Target("2", "RK2")
    >>> said, number = Said(True, "0", (), (ours,)), BillNumber("A")
    >>> strangers(said, [number], {number: (ours, theirs)})
    {'A': (Target(id='2', number='RK2', draft=False),)}
    """
    named = {target.id for target in said.targets(numbers)} if said.names_all else set()
    if not named:
        return {}
    return {
        number: others
        for number, targets in made.items()
        if (others := tuple(target for target in targets if target.id not in named))
    }


def crowded(
    messages: Sequence[str], numbers: Sequence[BillNumber], made: Targets, linked: Collection[str]
) -> dict[BillNumber, tuple[Target, ...]]:
    """Return the documents of bills that have several, where another bill of the call has none.

    One of them may be that other's, and bear the wrong number, unless links tie all to their bill.

    Args:
        messages: Of the answer: what they name has none for a reason.
        numbers: Of the call.
        made: What a look shows that it has made.
        linked: Ids of documents that links tie to their bills.

    >>> one, two = Target("1", "RK1"), Target("2", "RK2")
    >>> a, b = BillNumber("A"), BillNumber("B")
    >>> [*crowded((), [a, b], {a: (one, two)}, set())]
    ['A']
    """
    refused = messages_naming(messages, numbers)
    if all(number in made or number in refused for number in numbers):
        return {}
    return {
        number: targets
        for number, targets in made.items()
        if len(targets) > 1 and not {target.id for target in targets}.issubset(linked)
    }


def but_strangers(said: Said, numbers: Sequence[BillNumber], made: Targets) -> Targets:
    """Leave out the numbers all of whose documents are strangers'.

    A number with a draft stays, since an answer may not mention drafts (P 5.8).
    """
    others = strangers(said, numbers, made)
    return {
        number: found
        for number, found in made.items()
        if len(others.get(number, ())) < len(found) or any(target.draft for target in found)
    }
