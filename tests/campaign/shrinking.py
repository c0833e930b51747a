"""Cut a story that fails down to the events that matter."""

from __future__ import annotations

from collections.abc import Callable, Collection

from k3push.core.pacing.chunking import split


def shrink(events: Collection[int], fails: Callable[[Collection[int]], bool]) -> list[int]:
    """Drop events, in large parts first, then one by one, as long as what is left still fails.

    >>> shrink(range(1, 13), lambda left: {3, 7} <= set(left))
    [3, 7]
    """
    left = list(events)
    part = len(left)
    while part:
        before = len(left)
        for dropped in split(left, part):
            fewer = [event for event in left if event not in dropped]
            if fails(fewer):
                left = fewer
        if part > 1:
            part //= 2
        elif len(left) == before:
            break
    return left
