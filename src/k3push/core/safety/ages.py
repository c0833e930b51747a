"""How old an attempt surely is, and how much later it may be carried out for those before it.

An age goes by two clocks, of which one can be set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from k3push.core.model import Uptime


def least_age_s(began_at: datetime, began: Uptime, now_at: datetime, now: Uptime) -> float:
    """Return how many seconds have passed at least; too high may cost a second document.

    Within one boot the difference of the uptimes is certain. After a reboot there are two figures:
    the difference by the time of day, which somebody may have set forward, and the present uptime;
    the smaller one counts. If another machine made the attempt, nothing is certain and the result
    is 0, since the clocks of two machines may be minutes apart.

    >>> noon = datetime(2026, 1, 2, 12)
    >>> one_pm = datetime(2026, 1, 2, 13)
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("boot", 105))
    5
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 30))
    30
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 130))
    130
    >>> [least_age_s(noon, Uptime(boot, 100), one_pm, Uptime("", 90_000)) for boot in ("boot", "")]
    [3600.0, 3600.0]
    >>> least_age_s(noon, Uptime("boot@one", 100), one_pm, Uptime("next@two", 90_000))
    0.0
    """
    passed_s = now.seconds - began.seconds
    (began_boot, began_machine), (now_boot, now_machine) = _named(began), _named(now)
    if began_machine and now_machine and began_machine != now_machine:
        return 0.0
    if began_boot and began_boot == now_boot:
        return max(0.0, passed_s)
    # Where boots have no names, a longer uptime may belong to the same boot or to a later one, so
    # the difference counts, which is the smaller figure.
    may_be_one_boot = began_boot == now_boot and passed_s >= 0
    up_s = passed_s if may_be_one_boot else now.seconds
    return min(max(0.0, (now_at - began_at).total_seconds()), up_s)


def later_s(at: datetime, uptime: Uptime, than_at: datetime, than: Uptime) -> float:
    """Return how many seconds later one moment was than another; below 0 if it was earlier.

    Within one boot the uptimes tell, which nobody can set.

    >>> noon, set_ahead = datetime(2026, 1, 2, 12), datetime(2026, 1, 2, 13)
    >>> later_s(set_ahead, Uptime("boot", 105), noon, Uptime("boot", 100))
    5
    >>> later_s(noon, Uptime("boot@two", 105), set_ahead, Uptime("boot@one", 100))
    -3600.0
    """
    if uptime.boot and uptime.boot == than.boot:
        return uptime.seconds - than.seconds
    return (at - than_at).total_seconds()


def behind_s(others: Iterable[float], window_s: float) -> float:
    """Return how many seconds later a call may be carried out for those that left before it.

    Calls may wait for each other in the ERP (P 5.15), and each may take a window.

    Args:
        others: How many seconds later than it those have left of which is not known when they
            ended, below 0 as a rule; oldest first.
        window_s: For so long the ERP may be at work on one call.

    >>> before = [-1800.0, -660.0, -240.0, -60.0]
    >>> [behind_s(before[:count], 600) for count in range(5)]
    [0.0, 0.0, 0.0, 540.0, 1140.0]
    """
    end_s = -math.inf
    for each in others:
        end_s = max(end_s, each) + window_s
    return max(0.0, end_s)


def _named(uptime: Uptime) -> tuple[str, str]:
    """Return the names of a boot and of its machine, which earlier versions have not kept."""
    boot, _, machine = uptime.boot.partition("@")
    return boot, machine
