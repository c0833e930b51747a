"""How old an attempt surely is, by two clocks of which one can be set."""

from __future__ import annotations

from datetime import datetime

from k3push.core.model import Uptime


def least_age_s(began_at: datetime, began: Uptime, now_at: datetime, now: Uptime) -> float:
    """Return seconds that have surely passed: too few cost a wait, too many a second document.

    Within one boot the time that the machine is up is sure. Over a boot there is the time of
    day, which somebody may have set forward; but on the same machine all of the present
    uptime has passed as well, so the smaller of the two counts.

    >>> noon = datetime(2026, 1, 2, 12)
    >>> one_pm = datetime(2026, 1, 2, 13)
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("boot", 105))
    5
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 30))
    30
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 90_000))
    3600.0
    """
    passed_s = now.seconds - began.seconds
    if began.boot and began.boot == now.boot:
        return max(0.0, passed_s)
    # Without names, time that is up for longer may be the same boot or a later one.
    may_be_one_boot = began.boot == now.boot and passed_s >= 0
    up_s = passed_s if may_be_one_boot else now.seconds
    return min(max(0.0, (now_at - began_at).total_seconds()), up_s)
