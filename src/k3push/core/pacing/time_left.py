"""How long the rest of a list takes, as a range from least to most.

There are two sources: the model of the server, which only the executing process has (`of_model`),
and the counts of finished numbers, which every process can read (`core.progress_rate`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

# By what factor the model may be off: before its first round is over, and after it for a whole
# list. For a part of a list the error goes with the square root of that part, as random errors do.
# On servers drawn at random, the true time was within these bounds nine times in ten.
AT_FIRST = 4.0
SOONER, LATER = 0.5, 1.0

# Of each chunk: its push, and as many looks as a site without and one with links needs at least.
CALLS_A_CHUNK = 3


class TimeLeft(NamedTuple):
    """How long something takes.

    Attributes:
        least_s: Seconds at least.
        most_s: Seconds at most.
    """

    least_s: float
    most_s: float

    @property
    def about_s(self) -> float:
        """The middle of both, where one number has to do.

        >>> TimeLeft(20.0, 80.0).about_s
        40.0
        """
        return math.sqrt(self.least_s * self.most_s)


def of_canary(seconds: float, left: int) -> TimeLeft:
    """Say how long the rest takes where one number has: all go together, or one by one.

    >>> of_canary(2.0, 300)
    TimeLeft(least_s=2.0, most_s=600.0)
    """
    return TimeLeft(seconds, seconds * left)


def of_whole_list(least_s: float, most_s: float) -> TimeLeft:
    """Say how long a list takes of which nothing was sent yet: another hour is another pace.

    >>> of_whole_list(30.0, 60.0)
    TimeLeft(least_s=20.0, most_s=120.0)
    """
    return TimeLeft(least_s / (1 + SOONER), most_s * (1 + LATER))


def of_model(seconds: float, *, part: float, has_seen_round: bool) -> TimeLeft:
    """Say how long what the model expects to take *seconds* may take.

    Args:
        seconds: As the model has it.
        part: What is left of the list, as a part of it.
        has_seen_round: Calls side by side have told of themselves.

    >>> of_model(60.0, part=0.25, has_seen_round=True)
    TimeLeft(least_s=48.0, most_s=90.0)
    """
    if not has_seen_round:
        return TimeLeft(seconds / AT_FIRST, seconds * AT_FIRST)
    chance = math.sqrt(part)
    return TimeLeft(seconds / (1 + SOONER * chance), seconds * (1 + LATER * chance))
