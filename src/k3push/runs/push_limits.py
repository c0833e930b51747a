"""What bounds an execution from its beginning to its end; `throttle` has the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from k3push.core.pacing.call_limits import LEAST_LIMITS
from k3push.core.pacing.halting import HaltRule


@dataclass(frozen=True, slots=True)
class PushLimits:
    """What bounds an execution from its beginning to its end; `throttle` has the rest.

    Attributes:
        max_attempts: Sendings of a chunk that are proved to have done nothing.
        canary: Prove the route with one number, then with one chunk.
        halt: When refusals or doubts stop the run.
        limit: Numbers that this execution takes up at most, or None.
    """

    max_attempts: int = 5
    canary: bool = True
    halt: HaltRule = field(default_factory=HaltRule)
    limit: int | None = None

    @property
    def most_call_limits(self) -> int:
        """Limits on calls in a row before it is tried whether they are about a bill."""
        return max(self.max_attempts, LEAST_LIMITS)

    @property
    def last_call_limit(self) -> int:
        """Limits on calls in a row that end the execution."""
        return self.most_call_limits + LEAST_LIMITS
