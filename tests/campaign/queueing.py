"""Pushes that wait for each other in the ERP, and what stands between that waits no longer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from k3push.simulator import Fault, fault
from k3push.simulator.fault_plans.faults import NO_FAULT, Ending, Work

QUEUE_ENDS_S = 480.0
"""By when all calls that may be in the queue are worked on, well within the window."""

PROBES = 4
"""So many calls leave within a window though all places are kept."""


@dataclass(frozen=True, slots=True)
class Queues:
    """The ERP works on one push after the other.

    Attributes:
        work_s: Seconds for each.
        patience_s: After so long a call is given up.
        ending: How.
        fits: All that may be in the queue is worked on within the window.
        then_s: Seconds for those after the first, in turn; as for the first where it is empty.
        steps_s: Seconds for a submit or an audit, if these wait in the same queue.
    """

    work_s: float
    patience_s: float
    ending: Ending
    fits: bool = True
    then_s: tuple[float, ...] = ()
    steps_s: float = 0.0

    def __str__(self) -> str:
        """Say so."""
        ends = f"after {self.patience_s:g} s they meet {self.ending}"
        then = f", then {', '.join(f'{s:g}' for s in self.then_s)}" if self.then_s else ""
        steps = f", steps {self.steps_s:g} s" if self.steps_s else ""
        return f"pushes wait for each other, {self.work_s:g} s each{then}{steps}; {ends}"


@dataclass(frozen=True, slots=True)
class GivenUp(Fault):
    """A call that somebody waits for no longer, and that is carried out all the same."""

    patience_s: float = 0.0

    @property
    def delay_after_work_s(self) -> float:
        """How long the answer stays away."""
        return self.patience_s


@dataclass(slots=True)
class PushQueue:
    """The queue of one site.

    >>> queue = PushQueue(Queues(40.0, 60.0, Ending.RESET), most_s=540.0)
    >>> [queue.join(NO_FAULT, [number], now_s=0.0).name for number in "AB"]
    ['delay', 'late-commit']
    >>> queue.join(NO_FAULT, "C", now_s=500.0).seconds
    40.0
    >>> queue.findings
    []
    >>> _ = queue.join(NO_FAULT, "C", now_s=510.0)
    >>> queue.findings
    ['C: sent again while the ERP is at work on it']
    >>> [queue.join(fault(name), "D", 520.0).name for name in ("reset", "make-then-reset")]
    ['reset', 'late-commit']

    Attributes:
        habits: Its times.
        most_s: A call that waits longer may be carried out after its window.
        longest_s: How long a call had to wait.
    """

    habits: Queues
    most_s: float
    longest_s: float = 0.0
    _free_s: float = 0.0
    _joined: int = 0
    _over_s: dict[str, float] = field(default_factory=dict)
    _again: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """What is wrong: nobody but k3push has made the queue so long, or sends into it again."""
        late = self.habits.fits and self.longest_s >= self.most_s
        found = [f"a call waits {self.longest_s:.0f} s behind calls of ours"] if late else []
        return found + [f"{n}: sent again while the ERP is at work on it" for n in self._again]

    def join(self, met: Fault, numbers: Collection[str], now_s: float) -> Fault:
        """Say what becomes of a push that comes now."""
        self._again += [n for n in numbers if self._over_s.get(n, now_s) > now_s]
        if self._overtakes(met, now_s):
            return met
        then_s = self.habits.then_s
        turn = (self._joined - 1) % len(then_s) if self._joined and then_s else None
        self._joined += 1
        given_up = self._wait(self.habits.work_s if turn is None else then_s[turn], now_s)
        self._over_s |= dict.fromkeys(numbers, self._free_s)
        return given_up

    def join_step(self, met: Fault, step: str, documents: Collection[str], now_s: float) -> Fault:
        """Say what becomes of a submit or an audit that comes now.

        Whoever has seen that a document is submitted audits it, though a second submit waits.
        """
        steps_s = self.habits.steps_s
        if not steps_s or self._overtakes(met, now_s):
            return met
        named = [f"a step, {step}, of {id_}" for id_ in documents]
        self._again += [n for n in named if self._over_s.get(n, now_s) > now_s]
        given_up = self._wait(steps_s, now_s)
        self._over_s |= dict.fromkeys(named, self._free_s)
        return given_up

    def _overtakes(self, met: Fault, now_s: float) -> bool:
        """Say whether a call with a fault of its own does not wait.

        Where the ERP does its work it waits behind others: its answer, or its document, tells that
        these are over.
        """
        return met is not NO_FAULT and not (met.works and now_s < self._free_s)

    def _wait(self, work_s: float, now_s: float) -> Fault:
        self._free_s = max(now_s, self._free_s) + work_s
        takes_s = self._free_s - now_s
        self.longest_s = max(self.longest_s, takes_s)
        if takes_s <= self.habits.patience_s:
            return replace(fault("delay"), seconds=takes_s)
        patience_s = 0.0 if self.habits.ending is Ending.SILENCE else self.habits.patience_s
        return GivenUp(Work.COMMIT_LATE, self.habits.ending, takes_s, patience_s)
