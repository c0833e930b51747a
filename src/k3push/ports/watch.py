"""Who is told what happens in a run."""

# ruff: noqa: ARG002  # whoever derives from it makes use of them

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from k3push.core.model import Attempt, Document, Outcome, Repeat, State, StepAttempt
from k3push.core.pacing.holds import Hold
from k3push.core.safety.verdict import Verdict


class Watch(Protocol):
    """Who is told what happens, as it happens: the progress bar, the log.

    Who derives from it lets pass what it does not override.
    """

    def concluded(self, outcomes: Sequence[Outcome], *, left: State) -> None:
        """Numbers have moved from the state *left*, apart from a sending."""
        return

    def repeated(self, repeats: Sequence[Repeat]) -> None:
        """Planned rows are rows no longer: another row of the run has their bill."""
        return

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """An attempt is in the ledger, *seconds* after it left."""
        return

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """An attempt at a step of documents is in the ledger, *seconds* after it left."""
        return

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off for *seconds*."""
        return

    def held(self, hold: Hold | None) -> None:
        """What keeps all chunks from leaving has changed; None: they leave again."""
        return
