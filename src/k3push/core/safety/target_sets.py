"""Documents by the number of their bill: joined, compared, and told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from k3push.core.model import BillNumber, Sighting, Target, Targets
from k3push.core.remark import few


def by_age(id_: str) -> tuple[int, str]:
    """Return what sorts internal ids, which grow: the longer one is the later one (P 6.2).

    >>> sorted(["10", "9", "11"], key=by_age)
    ['9', '10', '11']
    """
    return len(id_), id_


def labels(targets: Sequence[Target]) -> str:
    """Name some documents for people.

    >>> labels([Target(str(nth), f"RK{nth}") for nth in range(12)])
    'RK0, RK1, RK2, RK3, RK4, RK5, RK6, RK7, RK8, RK9, …'
    """
    return few([target.label for target in targets])


def united(one: Targets, other: Targets) -> Targets:
    """Join documents by number; one that is in both appears once."""
    both = dict(one)
    for number, targets in other.items():
        ids = {target.id for target in both.get(number, ())}
        both[number] = (*both.get(number, ()), *(t for t in targets if t.id not in ids))
    return both


def joined(seen: Sequence[Sighting]) -> Sighting:
    """Join looks at different numbers; only users who took part in all of these looks count."""
    users = frozenset.intersection(*(each.users for each in seen)) if seen else frozenset()
    return Sighting(
        {number: found for each in seen for number, found in each.targets.items()},
        users,
        {number: found for each in seen for number, found in each.cancelled.items()},
        {number: why for each in seen for number, why in each.refused.items()},
        thin=frozenset().union(*(each.thin for each in seen)),
        linked=frozenset().union(*(each.linked for each in seen)),
        by_link=frozenset().union(*(each.by_link for each in seen)),
        by_field=frozenset().union(*(each.by_field for each in seen)),
        shared={number: found for each in seen for number, found in each.shared.items()},
        denied={number: found for each in seen for number, found in each.denied.items()},
        sources={of: named for each in seen for of, named in each.sources.items()},
    )


def with_other_numbers(
    seen: Sighting, other: Sighting, bills: Mapping[BillNumber, BillNumber]
) -> Sighting:
    """Add to a look what was seen by other numbers of the same bills.

    Args:
        seen: The look.
        other: What was seen by the others.
        bills: The number in the first look, by the other number of the same bill.
    """

    def added(one: Targets, more: Targets) -> Targets:
        for number, targets in more.items():  # several of them may be of one bill
            one = united(one, {bills.get(number, number): targets})
        return one

    return replace(
        seen,
        targets=added(seen.targets, other.targets),
        users=seen.users & other.users,
        cancelled=added(seen.cancelled, other.cancelled),
        refused={**seen.refused, **{bills.get(n, n): why for n, why in other.refused.items()}},
        thin=seen.thin | other.thin,
        linked=seen.linked | {bills.get(n, n) for n in other.linked},
        by_link=seen.by_link | other.by_link,
        by_field=seen.by_the_field() | other.by_the_field(),
        shared=added(seen.shared, other.shared),
        denied=added(seen.denied, other.denied),
        namesakes=added(seen.namesakes, other.namesakes),
        loose=added(seen.loose, other.loose),
        sources={
            **seen.sources,
            **{(bills.get(n, n), id_): named for (n, id_), named in other.sources.items()},
        },
    )


def unlinked(found: Targets, seen: Sighting) -> Targets:
    """Leave out the documents that a link names."""
    return new_targets(found, dict.fromkeys(found, seen.by_link))


def parted(seen: Sighting, others: Mapping[BillNumber, Collection[str]]) -> tuple[Targets, Targets]:
    """Split the targets of a look: those whose ids are not in *others*, by number, and the rest."""
    left = new_targets(seen.targets, others)
    return left, new_targets(seen.targets, ids_in(left))


def new_targets(
    found: Mapping[BillNumber, Iterable[Target]], before: Mapping[BillNumber, Collection[str]]
) -> Targets:
    """Leave out the targets that were there before the attempt."""
    return {
        number: new
        for number, targets in found.items()
        if (new := tuple(t for t in targets if t.id not in before.get(number, ())))
    }


def ids_in(found: Targets) -> dict[BillNumber, list[str]]:
    """Return the ids of targets, by source number."""
    return {number: [target.id for target in targets] for number, targets in found.items()}


def every_id(found: Mapping[BillNumber, Iterable[Target]]) -> set[str]:
    """Return the ids of all targets, whatever their source."""
    return {target.id for targets in found.values() for target in targets}


def are_merged(made: Targets) -> bool:
    """Say whether some target was made of several sources (P 5.6)."""
    targets = [target.id for each in made.values() for target in each]
    return len(set(targets)) < len(targets)
