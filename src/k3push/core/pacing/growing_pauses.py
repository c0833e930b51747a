"""Pauses for an ERP that is away, overloaded, or at its limit of calls (MsgCode 14).

They grow from one vain try to the next: an application pool that recycles is back within them, and
a wrong address is not held up long. How often something is tried, `retried_reads` says of looks,
`attempt.push_chunk` of pushes.
"""

from __future__ import annotations

FIRST_WAIT_S = 2.0
WAIT_GROWTH = 3.0
LONGEST_WAIT_S = 60.0
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
