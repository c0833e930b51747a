"""Many rows into few lines: rows of one code whose messages have one shape are one cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from k3push.core.advice.diagnosis import Advice, advise, advise_of_doubt, shape_of
from k3push.core.model import UNSHOWN, Row, State

# Rows that say why they are where they are, and ask for a person.
TOLD = (State.REJECTED, State.DRAFT, State.UNKNOWN)


def asks_for_person(row: Row) -> bool:
    """Say whether a row is to be told with its reason.

    One that is `already` there is well, unless its document is nowhere to be seen, or is a draft:
    that takes nothing of its source, and nothing comes of it until somebody completes it.
    """
    return row.state in TOLD or (
        row.state is State.ALREADY
        and (row.code == UNSHOWN or any(target.draft for target in row.targets))
    )


MOST_CLUSTERS = 300
MOST_EXAMPLES = 3


@dataclass(slots=True)
class Cluster:
    """Rows that say the same.

    Attributes:
        place: From 0, in the order in which the clusters came.
        code: Their code.
        shape: Their message without numbers (`diagnosis.shape_of`).
        count: How many rows.
        examples: The first few of their numbers.
        states: Those that its rows are in, as far as whoever added them has said.
        hopeless: No look settles those of its rows that are in doubt.
    """

    place: int
    code: str
    shape: str
    count: int = 0
    examples: list[str] = field(default_factory=list)
    states: set[State] = field(default_factory=set)
    hopeless: bool = False

    @property
    def advice(self) -> Advice | None:
        """Cause and cure, or None where nothing is known."""
        found = advise(self.code, self.shape)
        is_for_person = self.hopeless and State.UNKNOWN in self.states
        return advise_of_doubt(found, self.shape) if is_for_person else found


class Clusters:
    """Rows by what they say, in bounded memory: a million rows may be added.

    >>> clusters = Clusters()
    >>> _ = clusters.add("11", "单据A-1未审核", "A-1")
    >>> _ = clusters.add("11", "单据B-22未审核", "B-22")
    >>> _ = clusters.add("timeout", "no answer in time", "C-3")
    >>> [(cluster.count, cluster.shape, cluster.examples) for cluster in clusters.largest()]
    [(2, '单据…未审核', ['A-1', 'B-22']), (1, 'no answer in time', ['C-3'])]
    >>> clusters.total, clusters.other
    (3, 0)

    Attributes:
        total: Rows that were added.
        other: Rows that came when there were `MOST_CLUSTERS` clusters, none of them theirs.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.total = 0
        self.other = 0
        self._clusters: dict[tuple[str, str], Cluster] = {}

    def add(
        self, code: str, reason: str, number: str, state: State | None = None
    ) -> Cluster | None:
        """Add one row: its code, its reason, its bill number in the ERP's spelling, its state.

        Returns:
            Its cluster, or None where it is among the others.
        """
        self.total += 1
        key = (code, shape_of(reason, number))
        cluster = self._clusters.get(key)
        if cluster is None:
            if len(self._clusters) == MOST_CLUSTERS:
                self.other += 1
                return None
            cluster = self._clusters[key] = Cluster(len(self._clusters), *key)
        cluster.count += 1
        if state is not None:
            cluster.states.add(state)
        if len(cluster.examples) < MOST_EXAMPLES:
            cluster.examples.append(number)
        return cluster

    def largest(self, *, hopeless: bool = False) -> list[Cluster]:
        """Return the clusters, the largest first.

        Args:
            hopeless: The run has ended with doubts that no look can settle.
        """
        found = [replace(each, hopeless=hopeless) for each in self._clusters.values()]
        return sorted(found, key=lambda each: (-each.count, each.code, each.shape))
