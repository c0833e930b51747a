"""Whose turn it is: the less a run has to do, the sooner, and none waits for ever.

A run keeps its place for as long as its ERP works, which for 10,000 numbers may be hours. First
come, first served would let a tenant of three numbers wait for all of them. Two rules hold that
apart:

- A run stands in the queue as if it had come later: some seconds for each of its numbers, and half
  a day at most. So each run waits in proportion to its size. This is earliest deadline first, with
  a deadline that grows with the size, which keeps the worst slowdown small. No run goes before one
  that was queued half a day earlier. A run's rank is set when it is queued, and never changes.
- Ranks do not help once every worker is busy with a long run, which nobody interrupts. So each
  worker executes one run more than `--concurrency` says, if it is a short one; among these the one
  that was queued first goes first (`fetch_short`). Otherwise short runs have their turn by rank.

Runs of one tenant go one after another, so that a tenant of many lists has one place, and the
others take turns with it.
"""

from __future__ import annotations

from datetime import UTC, datetime

SHORT = 100
"""A run of at most this many numbers is short: some calls, and it is over in a minute or so."""

PLACES_FOR_SHORT = 1
"""Places of a worker that only short runs take."""

SECONDS_A_NUMBER = 4.0
"""How much later a run stands in the queue for each of its numbers."""

MOST_LATER_S = 12 * 3600.0
"""How much later it stands at most."""

_BEGIN_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Seconds are counted from here, since the engine's priorities have 32 bits."""


def rank_s(since_s: float, numbers: int) -> float:
    """Return when a run counts as having come, which is the order in which runs begin.

    Args:
        since_s: Since when it waits.
        numbers: That it has.

    >>> rank_s(0.0, 3), rank_s(0.0, 1_000_000), rank_s(11 * 3600.0, 3) < rank_s(0.0, 10_000)
    (12.0, 43200.0, True)
    """
    return since_s + min(numbers * SECONDS_A_NUMBER, MOST_LATER_S)


def priority(since_s: float, numbers: int) -> int:
    """Return a run's rank as the engine's priority, of which the highest goes first.

    Workers of versions that knew no ranks make jobs of priority 0, which go before.
    """
    return -int(rank_s(since_s, numbers) - _BEGIN_S)
