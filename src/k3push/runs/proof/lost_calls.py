"""How long a call may take behind those of the account that were lost.

Calls of several runs may stand in one queue of the ERP (P 5.15). At the end of its window a call
may be believed to have made nothing, and the queue be none the shorter; so it counts until the ERP
is known to be done with it, or with one that was written down later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from k3push.core.model import RunId
from k3push.core.safety.ages import behind_s

TIE_S = 2.0
"""Of calls that were written down within that time nobody knows which came first."""

LONGEST_CALL = timedelta(hours=2)
"""Attempts of other runs are asked for so far back: a call may take long."""

QUEUE_OF = 12
"""A call that left more windows ago than this is in front of no other."""

HERE = RunId("")
"""Stands for the run of the present execution, of whose own calls more is known."""


class Lost(NamedTuple):
    """A call that was lost, as another call sees it.

    Attributes:
        attempt: Its attempt.
        run: Whose it is; `HERE` if the present execution has made it.
        later_s: How many seconds later it left than the other; below 0 if it was earlier.
        came_s: How many seconds after the other had left a look has first shown a document of it;
            minus infinity if none has.
        given_up: Its answer was waited for in vain, and no document has come of it, nor of a later
            one of its user.
    """

    attempt: int
    run: RunId
    later_s: float
    came_s: float = -math.inf
    given_up: bool = False


def waits_behind_s(
    attempt: int,
    lost: Iterable[Lost],
    window_s: float,
    own_s: float = 0.0,
    answered_s: float = -math.inf,
    *,
    held_s: float = 0.0,
) -> float:
    """Return how many seconds later a call may be carried out for those before it.

    How long calls of the present execution take is known (`doubt_ages`); what an earlier execution
    knew is lost with it. A run keeps so few calls at work that all end within one window, so that
    each other run counts for one window. If the ERP has become slow since, that window begins at
    the last document of the run's calls, and each call that was given up after it adds a window.

    Args:
        attempt: The call.
        lost: Calls that were lost.
        window_s: For so long the ERP may be at work on one of them.
        own_s: The same of a call of the present execution. They count one after the other, from
            when a document of theirs has come last; of those that have made one, the last counts.
        answered_s: How many seconds after it left one was answered that may have been before it.
        held_s: For how long it may have stood still between being written down and leaving.

    >>> one, two = RunId("one"), RunId("two")
    >>> [waits_behind_s(9, [Lost(7, run, 0.0)], 600.0) for run in (HERE, one)]
    [0.0, 600.0]
    >>> waits_behind_s(9, [Lost(5, HERE, -900.0), Lost(6, two, -800.0)], 600.0)
    300.0
    >>> waits_behind_s(9, [Lost(6, one, 0.0), Lost(7, two, 0.0), Lost(8, two, 0.0)], 600.0)
    1200.0
    >>> waits_behind_s(9, [Lost(6, two, 0.0, 590.0), Lost(7, two, 0.0), Lost(8, two, 0.0)], 600.0)
    1190.0
    >>> waits_behind_s(9, [Lost(each, two, 0.0, given_up=True) for each in (6, 7, 8)], 600.0)
    1800.0
    >>> waits_behind_s(9, [Lost(7, HERE, 0.0), Lost(8, HERE, 0.0)], 600.0, 30.0)
    60.0
    >>> come = [Lost(attempt, HERE, -60.0, 40.0) for attempt in range(3, 7)]
    >>> waits_behind_s(9, [*come, Lost(7, HERE, 0.0), Lost(8, HERE, 0.0)], 600.0, 30.0)
    130.0
    >>> own = [Lost(attempt, HERE, 0.0) for attempt in range(4, 9)]
    >>> [waits_behind_s(9, [*calls, *own], 600.0, 400.0) for calls in ([], [Lost(3, one, 0.0)])]
    [2000.0, 2600.0]
    >>> [waits_behind_s(9, calls, 600.0, 5.0, 250.0) for calls in ([], [Lost(7, one, 0.0)])]
    [250.0, 850.0]
    >>> waits_behind_s(9, [Lost(6, two, -3000.0), Lost(10, two, 5.0)], 600.0)
    0.0
    """
    before = [
        call
        for call in sorted(lost)
        if call.attempt != attempt
        and call.later_s > -QUEUE_OF * window_s
        and may_be_before(call.attempt, call.later_s, attempt, held_s)
    ]
    runs = {call.run for call in before}
    answered_s = min(answered_s, window_s)
    if not runs:
        return max(0.0, answered_s)
    left_s = [max(answered_s, call.later_s) for call in before]
    here = [call for call in before if call.run == HERE]
    come = [call for call in here if call.came_s > -math.inf]
    over_s = max([answered_s, *(call.came_s for call in come)])
    # The last of these may save more.
    of_here = [max(over_s, call.later_s) for call in here if call not in come[:-1]]
    here_s = behind_s(of_here, own_s)
    if runs == {HERE}:
        return here_s
    came_s = max(0.0, answered_s, *(call.came_s for call in before))
    windows = len(runs) + sum(call.given_up for call in before if call.run != HERE)
    of_runs_s = came_s + windows * window_s + max(0.0, here_s - window_s)
    return min(behind_s(left_s, window_s), of_runs_s)


def may_be_before(attempt: int, later_s: float, other: int, held_s: float) -> bool:
    """Say whether a call may have come to the ERP before another.

    Ids grow in the order in which calls are written down, whatever clocks say; on its way the later
    one may overtake, and so it may where the ledger or the machine holds the other up.

    Args:
        attempt: The call.
        later_s: How many seconds later it was written down than the other.
        other: The other.
        held_s: For how long the other may have stood still between being written down and leaving.

    >>> [may_be_before(8, 30.0, 7, held_s) for held_s in (0.0, 60.0)]
    [False, True]
    """
    return attempt < other or later_s <= TIE_S + held_s
