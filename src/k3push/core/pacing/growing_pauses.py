"""Pauses that grow from one vain try to the next.

They are made for an ERP that is away, overloaded, or at its limit of calls (MsgCode 14): an
application pool that recycles is back within them, and a wrong address is not held up long. How
often something is tried, `retried_reads` says of looks, `attempt.push_chunk` of pushes.

Shorter ones are made between looks for what a call has made: a copy of the database may show it
late.
"""

from __future__ import annotations

from collections.abc import Iterator

FIRST_WAIT_S = 2.0
WAIT_GROWTH = 3.0
LONGEST_WAIT_S = 60.0
FIRST_LAG_S = 0.5
LAG_GROWTH = 2.0
# From here on each wait is the longest anyway, and 3.0 ** 1000 would overflow.
_GROWN = 30


def pause_s(nth: int) -> float:
    """Return the *nth* pause in seconds, from 1.

    >>> [pause_s(nth) for nth in range(1, 7)]
    [2.0, 6.0, 18.0, 54.0, 60.0, 60.0]
    >>> pause_s(1_000_000)  # an ERP that turns calls away for weeks
    60.0
    """
    return min(FIRST_WAIT_S * WAIT_GROWTH ** (min(nth, _GROWN) - 1), LONGEST_WAIT_S)


def lag_pauses(most_s: float) -> Iterator[float]:
    """Yield the pauses between looks in seconds, until they come to *most_s*.

    >>> list(lag_pauses(5.0)), list(lag_pauses(0.0))
    ([0.5, 1.0, 2.0, 1.5], [])
    """
    waited_s, next_s = 0.0, FIRST_LAG_S
    while waited_s < most_s:
        next_s = min(next_s, most_s - waited_s)
        yield next_s
        waited_s, next_s = waited_s + next_s, next_s * LAG_GROWTH
