"""Documents that have come into being beside those that an answer names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from k3push.core.model import BillNumber, Target, Targets
from k3push.core.safety.named_bills import messages_naming
from k3push.core.safety.verdict import Said


def strangers(said: Said, numbers: Sequence[BillNumber], made: Targets) -> Targets:
    """Find documents that came into being beside those that an answer names, by source number.

    A success names all that its call made, so somebody else has made these. A refusal may have
    saved what it does not name; but where it names one document of each bill (`names_one_each`),
    a second one of such a bill is not the call's, unless it is a draft.

    >>> ours, theirs = Target("1", "RK1"), Target("2", "RK2")
    >>> said, number = Said(True, "0", (), (ours,)), BillNumber("A")
    >>> strangers(said, [number], {number: (ours, theirs)})
    {'A': (Target(id='2', number='RK2', draft=False),)}
    """
    if not said.names_all and not names_one_each(said, numbers, made):
        return {}
    named = {target.id for target in said.targets(numbers)}
    others = {n: tuple(t for t in targets if t.id not in named) for n, targets in made.items()}
    if not said.success:
        told = {n for n in made if len(others[n]) < len(made[n])}
        others = {n: tuple(t for t in others[n] if not t.draft) for n in told}
    return {number: documents for number, documents in others.items() if documents}


def names_one_each(said: Said, numbers: Collection[BillNumber], made: Targets) -> bool:
    """Say whether a refusal shows that its call made one document of each bill.

    It names documents of several bills, and no second one of any of these. An old server names one
    document at most (P 5.7).

    Args:
        said: The answer.
        numbers: Of the call.
        made: Documents that have come since, by source number.

    >>> one, two, three = Target("1", "RK1"), Target("2", "RK2"), Target("3", "RK3")
    >>> a, b = BillNumber("A"), BillNumber("B")
    >>> said = Said(False, "11", ("no stock",), (one, two))
    >>> names_one_each(said, [a, b], {a: (one, three), b: (two,)})
    True
    >>> names_one_each(said, [a, b], {a: (one, two), b: (three,)})
    False
    """
    if said.partial:
        return False
    named = {target.id for target in said.targets(numbers)}
    of_bills = [named.intersection(target.id for target in targets) for targets in made.values()]
    told = [ids for ids in of_bills if ids]
    return len(set().union(*told)) > 1 and all(len(ids) == 1 for ids in told)


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
