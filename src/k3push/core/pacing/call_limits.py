"""Whether a limit on calls or licences (MsgCode 14, 7) is about a bill, or about none.

The ERP says the same in both cases, so that only other calls tell: a limit is a bill's own where
others get through between its tries, and nothing of its chunk but this bill is left. In the midst
of a limit, calls leave one by one, each after a pause; each of them is such a test.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from k3push.core.model import Chunk
from k3push.core.pacing.chunking import quarter

LEAST_LIMITS = 5
"""Limits in a row (more than two minutes of pauses) before one bill may be to blame."""

LEAST_BETWEEN = 2
"""How often other calls must get through between the tries of a bill that is rejected.

For the last bill of an execution once is enough.
"""

TRIES_IN_COMPANY = 2
"""Limits that a chunk meets beside other calls, which may be to blame, before it is sent alone."""


QUIET_S = (6.0, 18.0, 54.0)
"""Pauses before a bill is sent by itself; by the last, most limits a minute have ended."""


def travels_by_itself(chunk: Chunk) -> bool:
    """Say whether no other call may be on its way with a chunk, so that its answer tells more."""
    return chunk.by_itself or chunk.limits >= TRIES_IN_COMPANY


def quiet_s(chunk: Chunk) -> float:
    """Return for how long nothing else is sent before a chunk that travels by itself."""
    if chunk.limits < TRIES_IN_COMPANY:
        return 0.0
    nth = chunk.limits - TRIES_IN_COMPANY if len(chunk.numbers) == 1 else 0
    return QUIET_S[min(nth, len(QUIET_S) - 1)]


@dataclass(slots=True)
class CallLimits:
    """The limits that an execution has met.

    >>> limits, chunk = CallLimits(5, 10), Chunk(1, ("A", "B", "C", "D", "E"))
    >>> chunk, limits.in_a_row = limits.put_off(chunk, by_itself=True), 5
    >>> first, rest = limits.parts(chunk)
    >>> first.numbers, rest.numbers
    (('A', 'B'), ('C', 'D', 'E'))
    >>> limits.get_through()
    >>> limits.put_off(first, by_itself=True).limits
    6

    Attributes:
        most: How many limits, of this chunk or in a row of all, before a chunk is cut.
        last: Limits in a row that end the execution.
        in_a_row: Rounds in which nothing has got through.
        through: Calls that have got through.
        words: What the ERP has said last.
    """

    most: int
    last: int
    in_a_row: int = 0
    through: int = 0
    words: str = ""

    def get_through(self) -> None:
        """Note that a call has got through."""
        self.in_a_row = 0
        self.through += 1

    def put_off(self, chunk: Chunk, *, by_itself: bool) -> Chunk:
        """Return a chunk that has met a limit, with what that shows of it.

        Args:
            chunk: As it was sent.
            by_itself: No other call was on its way with it, nor for a long time before.
        """
        if chunk.limits and chunk.seen == self.through:
            return chunk
        counts = by_itself and chunk.limits > 0
        seen = chunk.seen if chunk.limits and not counts else self.through
        between = chunk.between + counts
        return replace(chunk, limits=chunk.limits + 1, seen=seen, between=between)

    def is_about(self, chunk: Chunk, others: Collection[Chunk]) -> bool:
        """Say whether the limit that a chunk has met is about its only bill, and not about calls.

        Args:
            chunk: The chunk, which was put off.
            others: All other chunks that are left; while one of them may get through, the answer is
                no.
        """
        enough = LEAST_BETWEEN if others or self.in_a_row < self.last else 1
        are_alone = all(
            len(each.numbers) == 1 and each.between >= enough for each in (chunk, *others)
        )
        return are_alone and self.in_a_row >= self.most

    def is_over(self, chunk: Chunk) -> bool:
        """Say whether a chunk was put off often enough to let others go first from now on."""
        return chunk.limits >= self.most

    def parts(self, chunk: Chunk) -> list[Chunk]:
        """Return a chunk that was put off as it is, or cut into its first quarter and the rest.

        If a quarter gets through, the limit is about the rest. What was counted for the whole does
        not count for a part.
        """
        first, *others = quarter(chunk.numbers)
        if not others or not (self.is_over(chunk) or self.in_a_row >= self.most):
            return [chunk]
        part = replace(chunk, limits=self.most, between=0)
        cut = (first, chunk.numbers[len(first) :])
        return [replace(part, numbers=numbers) for numbers in cut]
