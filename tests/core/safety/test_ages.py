from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import Uptime
from k3push.core.safety.ages import least_age_s

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

seconds = st.integers(0, 10**7)
# How far the clock on the wall was set, forward or back, between the two moments.
leaps = st.integers(-(10**7), 10**7)


@given(up=seconds, passed=seconds, leap=leaps, names=st.booleans())
def test_within_one_boot_a_leap_of_the_clock_does_not_count(
    up: int, passed: int, leap: int, *, names: bool
) -> None:
    """No more than has passed; and just that much where the boot is known to be the same."""
    boot = "boot" if names else ""
    later = NOON + timedelta(seconds=passed + leap)
    age = least_age_s(NOON, Uptime(boot, up), later, Uptime(boot, up + passed))
    assert 0 <= age <= passed
    assert not names or age == passed


@given(up=seconds, down=seconds, passed=seconds, leap=leaps, names=st.booleans())
def test_over_a_boot_no_more_counts_than_has_passed(
    up: int, down: int, passed: int, leap: int, *, names: bool
) -> None:
    """The machine was off for a while, and then up; how long it was off is the wall's word."""
    later = NOON + timedelta(seconds=down + passed + leap)
    old, new = ("boot", "next") if names else ("", "")
    age = least_age_s(NOON, Uptime(old, up), later, Uptime(new, passed))
    assert 0 <= age <= down + passed


def test_on_another_machine_the_time_of_day_is_all_there_is() -> None:
    """A ledger that was moved to a machine which has been up for a year."""
    later = NOON + timedelta(hours=1)
    assert least_age_s(NOON, Uptime("a", 5), later, Uptime("b", 3e7)) == 3600


@given(up=seconds, here=seconds, passed=seconds, leap=leaps, names=st.booleans())
def test_of_another_machines_attempt_nothing_is_sure(
    up: int, here: int, passed: int, leap: int, *, names: bool
) -> None:
    """Its clock may be minutes behind ours, and a window that ends early makes a second one."""
    later = NOON + timedelta(seconds=passed + leap)
    old, new = ("boot@one", "next@two") if names else ("@one", "@two")
    assert least_age_s(NOON, Uptime(old, up), later, Uptime(new, here)) == 0
