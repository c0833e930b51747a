"""How many numbers a question may name: fewer where a longer one was left without an answer.

A site may take longer for the query of many bills than a proxy before it waits, or than
`answer_timeout_s`, or a guard may take no long request. No patience helps then, and a shorter
question does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from k3push.core.safety.question_parts import MOST_NUMBERS

KEPT_S = 600.0
"""For how long questions stay short: what made the site slow may be over by then."""


@dataclass(slots=True)
class QuestionLengths:
    """The most numbers that a question may name, by what is read, each with until when it holds."""

    _most: dict[str, tuple[int, float]] = field(default_factory=dict)

    def shorten(self, asked: str, numbers: int) -> int:
        """Return how many numbers questions about *asked* may name for a while.

        A look at *numbers* of them was left without an answer.
        """
        most = max(1, min(numbers, MOST_NUMBERS) // 2)
        self._most[asked] = most, anyio.current_time() + KEPT_S
        return most

    def most(self, asked: str) -> int:
        """Return how many numbers a question about *asked* may name; 0 where nothing is known."""
        most, until_s = self._most.get(asked, (0, 0.0))
        return most if anyio.current_time() < until_s else 0

    def shared(self) -> int:
        """Return how many numbers a question of several looks may name."""
        return min(
            (most for asked in self._most if (most := self.most(asked))), default=MOST_NUMBERS
        )
