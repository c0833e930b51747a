"""What the pace is told of each sending, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ended(StrEnum):
    """How a sending ended, as far as the pace is concerned."""

    OK = "ok"
    REFUSED = "refused"
    """Nothing was made, and the chunk is cut."""

    TIMED_OUT = "timed out"
    OVERLOADED = "overloaded"
    """MsgCode 14, HTTP 429 or 503; of a look as well."""


@dataclass(frozen=True, slots=True)
class CallSample:
    """What one sending, or one look that was turned away, tells.

    Attributes:
        began_s: When its first look left, on any clock that only goes forward.
        ended_s: When its read-back was there.
        before_s: From the first look to the push.
        push_s: From the push to its answer.
        numbers: How many came to something.
        at_once: Chunks on their way with it, itself counted.
        merged: Several of its sources were made into one target (P 5.6).
    """

    began_s: float
    ended_s: float
    push_s: float = 0
    numbers: int = 0
    at_once: int = 1
    ended: Ended = Ended.OK
    merged: bool = False
    before_s: float = 0

    @property
    def came_to(self) -> int:
        """How many numbers its time tells of; 0 where it tells of none."""
        return self.numbers if self.ended is Ended.OK else 0

    @property
    def looks_s(self) -> float:
        """How long its looks took: nothing where there were none, and by rounding no less.

        >>> CallSample(0.5, 0.6, push_s=0.1).looks_s
        0.0
        """
        return max(0.0, self.ended_s - self.began_s - self.push_s)


@dataclass(frozen=True, slots=True)
class Setting:
    """How many calls at once, and how many numbers in each."""

    concurrency: int
    chunk_size: int


@dataclass(frozen=True, slots=True)
class PaceStep:
    """A change of the setting, for the report.

    Attributes:
        at_s: When, on the samples' clock.
        why: A remark.
    """

    at_s: float
    setting: Setting
    why: str
