"""How old an attempt surely is, by two clocks of which one can be set."""

from __future__ import annotations

from datetime import datetime

from k3push.core.model import Uptime


def least_age_s(began_at: datetime, began: Uptime, now_at: datetime, now: Uptime) -> float:
    """Return seconds that have surely passed: too few cost a wait, too many a second document.

    Within one boot the time that the machine is up is sure. Over a boot there is the time of
    day, which somebody may have set forward; but on the same machine all of the present
    uptime has passed as well, so the smaller of the two counts. Of an attempt that another
    machine made nothing is sure: the clocks of two may be minutes apart.

    >>> noon = datetime(2026, 1, 2, 12)
    >>> one_pm = datetime(2026, 1, 2, 13)
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("boot", 105))
    5
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 30))
    30
    >>> least_age_s(noon, Uptime("boot", 100), one_pm, Uptime("next", 90_000))
    3600.0
    >>> least_age_s(noon, Uptime("boot@one", 100), one_pm, Uptime("next@two", 90_000))
    0.0
    """
    passed_s = now.seconds - began.seconds
    (began_boot, began_machine), (now_boot, now_machine) = _named(began), _named(now)
    if began_machine and now_machine and began_machine != now_machine:
        return 0.0
    if began_boot and began_boot == now_boot:
        return max(0.0, passed_s)
    # Without names, time that is up for longer may be the same boot or a later one.
    may_be_one_boot = began_boot == now_boot and passed_s >= 0
    up_s = passed_s if may_be_one_boot else now.seconds
    return min(max(0.0, (now_at - began_at).total_seconds()), up_s)


def _named(uptime: Uptime) -> tuple[str, str]:
    """Return the names of a boot and of its machine, which earlier versions have not kept."""
    boot, _, machine = uptime.boot.partition("@")
    return boot, machine
