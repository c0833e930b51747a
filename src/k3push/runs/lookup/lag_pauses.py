"""Pauses between looks for what a call has made: a copy of the database may show it late."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_LAG_S = 0.5
LAG_GROWTH = 2.0


def lag_pauses(most_s: float) -> Iterator[float]:
    """Yield the pauses in seconds, until they come to *most_s*.

    >>> list(lag_pauses(5.0)), list(lag_pauses(0.0))
    ([0.5, 1.0, 2.0, 1.5], [])
    """
    waited_s, pause_s = 0.0, FIRST_LAG_S
    while waited_s < most_s:
        pause_s = min(pause_s, most_s - waited_s)
        yield pause_s
        waited_s, pause_s = waited_s + pause_s, pause_s * LAG_GROWTH
