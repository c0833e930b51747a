"""Several who watch one execution."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import Attempt, Document, Outcome, Repeat, State, StepAttempt
from k3push.core.pacing.holds import Hold
from k3push.core.safety.verdict import Verdict
from k3push.ports import Watch


class Watches:
    """Several who are told the same. Fulfils `ports.Watch`."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def concluded(self, outcomes: Sequence[Outcome], *, left: State) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.concluded(outcomes, left=left)

    def repeated(self, repeats: Sequence[Repeat]) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.repeated(repeats)

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.recorded(attempt, outcomes, verdict, seconds)

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.stepped(attempt, documents, verdict, seconds)

    def waiting(self, why: str, seconds: float) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.waiting(why, seconds)

    def held(self, hold: Hold | None) -> None:
        """Tell each."""
        for watch in self._watches:
            watch.held(hold)
