"""Which user sees what another makes, and what several see together.

Rights hide documents without an error, so a look by one user who misses what another made would
let a number travel twice. Until a user has shown to see all of another's, both are asked. Only
then does it count that a look shows nothing.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce

from k3push.core.model import BillNumber, Sighting, Targets
from k3push.core.safety.target_sets import every_id, ids_in, new_targets, united

# Documents of another that a user has to be shown, and none missed, to pass for one who sees all.
ENOUGH_TO_SEE = 10

# Documents whose makers are remembered.
MOST_MAKERS = 10_000


class Views:
    """Which user sees what another makes, learnt from the looks of a run.

    >>> views = Views()
    >>> made = [str(each) for each in range(ENOUGH_TO_SEE)]
    >>> views.made("b", made)
    >>> views.compare({"a": set(made)})
    >>> views.sees("a", "b"), views.sees("b", "a")
    (True, False)
    >>> views.compare({"a": {"1"}, "b": {"1", "2"}})
    >>> views.sees("a", "b")
    False
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._makers: OrderedDict[str, str] = OrderedDict()
        self._seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._blind: set[tuple[str, str]] = set()

    def made(self, maker: str, documents: Iterable[str]) -> None:
        """Note the ids of documents that a user's push has made."""
        for document in documents:
            self._makers[document] = maker
        while len(self._makers) > MOST_MAKERS:
            self._makers.popitem(last=False)

    def compare(self, looks: Mapping[str, Collection[str]]) -> None:
        """Take in the ids that users have seen when they looked for the same numbers.

        Who missed what another saw is blind to that one for good.
        """
        for viewer, documents in looks.items():
            for document in documents:
                maker = self._makers.get(document, viewer)
                if maker != viewer and len(self._seen[viewer, maker]) < ENOUGH_TO_SEE:
                    self._seen[viewer, maker].add(document)
            for other, theirs in looks.items():
                if not set(theirs) <= set(documents):
                    self._blind.add((viewer, other))

    def sees(self, viewer: str, maker: str) -> bool:
        """Say whether one user has shown to see what another makes."""
        known = len(self._seen.get((viewer, maker), ())) >= ENOUGH_TO_SEE
        return known and (viewer, maker) not in self._blind


def ids_seen(seen: Sighting) -> set[str]:
    """Return the ids of all documents of a look, whatever it takes them for."""
    kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied)
    return set().union(*map(every_id, kinds))


def seen_together(seen: Mapping[str, Sighting]) -> Sighting:
    """Join what several users see."""
    sightings = list(seen.values())
    if len(sightings) == 1:
        return sightings[0]
    targets = _joined([each.targets for each in sightings])
    # One user may see the field of the source's form that another does not.
    certain = frozenset().union(*(ids_seen(each) - each.thin for each in sightings))
    thin = frozenset().union(*(each.thin for each in sightings))
    shared = _joined([each.shared for each in sightings])
    sources: defaultdict[tuple[BillNumber, str], frozenset[str]] = defaultdict(frozenset)
    for each in sightings:
        for of, named in each.sources.items():
            sources[of] |= named
    return Sighting(
        targets,
        frozenset(seen),
        _joined([each.cancelled for each in sightings]),
        thin=thin - certain,
        linked=frozenset.intersection(*(each.linked for each in sightings)),
        by_link=frozenset().union(*(each.by_link for each in sightings)),
        # One user may see the link that another does not.
        shared=new_targets(shared, ids_in(targets)),
        denied=_joined([each.denied for each in sightings]),
        sources=sources,
    )


def _joined(parts: Sequence[Targets]) -> Targets:
    """Join documents by number; one that several users see is there once."""
    return reduce(united, parts, {})
